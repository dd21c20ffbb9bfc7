/** Status, alarms, defragmentation, hashes and downgrades: what is sent where, for how long, and what comes back. */
import { describe, expect, it } from '@jest/globals';
import { EtcdMaintenance } from '../../../lib/client/maintenance/maintenance.js';
import type * as wire from '../../../lib/client/rpc/generated/messages.js';
import { ALARM, DEFRAGMENT, DOWNGRADE, HASH, HASH_KV, STATUS } from '../../../lib/client/rpc/methods.js';
import { FakeRpc } from '../../support/fake-rpc.js';

const header: wire.ResponseHeader = { clusterId: 'c1', memberId: 'a1', revision: 7, raftTerm: 2 };
const ENDPOINT = 'http://10.0.0.1:2379';

const STATUS_ANSWER: wire.StatusResponse = {
  header,
  version: '3.6.4',
  dbSize: 40_960,
  leader: 'a1',
  raftIndex: 12,
  raftTerm: 2,
  raftAppliedIndex: 11,
  errors: ['memberID:1 alarm:NOSPACE'],
  dbSizeInUse: 20_480,
  isLearner: false,
  storageVersion: '3.6.0',
  dbSizeQuota: 2_147_483_648,
  downgradeInfo: null,
};

function makeMaintenance(): { rpc: FakeRpc; maintenance: EtcdMaintenance } {
  const rpc = new FakeRpc();
  return { rpc, maintenance: new EtcdMaintenance(rpc) };
}

describe('EtcdMaintenance.status', () => {
  it('asks this endpoint and no other', async () => {
    const { rpc, maintenance } = makeMaintenance();
    rpc.answer(STATUS, STATUS_ANSWER);

    const status = await maintenance.status(ENDPOINT, { timeoutMs: 700 });

    expect(rpc.calls[0]).toMatchObject({ request: {}, options: { endpoint: ENDPOINT, timeoutMs: 700 } });
    expect(status).toEqual({
      header,
      version: '3.6.4',
      dbSize: 40_960,
      dbSizeInUse: 20_480,
      leader: 'a1',
      isLearner: false,
      raftIndex: 12,
      raftTerm: 2,
      raftAppliedIndex: 11,
      errors: ['memberID:1 alarm:NOSPACE'],
      storageVersion: '3.6.0',
      dbSizeQuota: 2_147_483_648,
      downgradeTo: undefined,
    });
  });

  it('tells no leader as undefined, and a downgrade by its target', async () => {
    const { rpc, maintenance } = makeMaintenance();
    const downgradeInfo = { enabled: true, targetVersion: '3.5.0' };
    rpc.answer(STATUS, { ...STATUS_ANSWER, leader: '0', downgradeInfo });
    rpc.answer(STATUS, { ...STATUS_ANSWER, downgradeInfo: { enabled: false, targetVersion: '' } });

    expect(await maintenance.status(ENDPOINT)).toMatchObject({ leader: undefined, downgradeTo: '3.5.0' });
    expect(await maintenance.status(ENDPOINT)).toMatchObject({ leader: 'a1', downgradeTo: undefined });
  });
});

describe('EtcdMaintenance alarms', () => {
  const NOSPACE = { memberID: 'a1', alarm: 'NOSPACE' } as const;
  const CORRUPT = { memberID: 'b2', alarm: 'CORRUPT' } as const;

  it('C3: lists them as a read, which may be repeated', async () => {
    const { rpc, maintenance } = makeMaintenance();
    rpc.answer(ALARM, { header, alarms: [NOSPACE] });

    const alarms = await maintenance.alarms({ endpoint: ENDPOINT });

    expect(alarms).toEqual([{ memberId: 'a1', alarm: 'NOSPACE' }]);
    expect(rpc.calls[0]).toMatchObject({ request: { action: 'GET' }, options: { effect: 'read', endpoint: ENDPOINT } });
  });

  it('C2: arms and disarms one as a write', async () => {
    const { rpc, maintenance } = makeMaintenance();
    rpc.answerAlways(ALARM, { header, alarms: [NOSPACE] });
    const alarm = { memberId: 'a1', alarm: 'NOSPACE' } as const;

    const armed = await maintenance.armAlarm(alarm);
    const disarmed = await maintenance.disarmAlarm(alarm);

    expect([armed, disarmed]).toEqual([
      { header, alarms: [alarm] },
      { header, alarms: [alarm] },
    ]);
    expect(rpc.requests(ALARM)).toEqual([
      { action: 'ACTIVATE', ...NOSPACE },
      { action: 'DEACTIVATE', ...NOSPACE },
    ]);
    for (const { options } of rpc.calls) expect(options.effect).toBeUndefined();
  });

  it('disarms all, one after the other, with the header of the last answer', async () => {
    const { rpc, maintenance } = makeMaintenance();
    rpc.answer(ALARM, { header, alarms: [NOSPACE, CORRUPT] });
    rpc.answer(ALARM, { header: { ...header, raftTerm: 3 }, alarms: [NOSPACE] });
    rpc.answer(ALARM, { header: { ...header, raftTerm: 4 }, alarms: [CORRUPT] });

    const { header: last, alarms } = await maintenance.disarmAlarms();

    expect(last?.raftTerm).toBe(4);
    expect(alarms.map(({ alarm }) => alarm)).toEqual(['NOSPACE', 'CORRUPT']);
    expect(rpc.requests(ALARM).slice(1)).toEqual([
      { action: 'DEACTIVATE', ...NOSPACE },
      { action: 'DEACTIVATE', ...CORRUPT },
    ]);
  });

  it('has nothing to disarm when there is no alarm, and no header on etcd 3.4', async () => {
    const { rpc, maintenance } = makeMaintenance();
    rpc.answer(ALARM, { header: null, alarms: [] });

    expect(await maintenance.disarmAlarms()).toEqual({ header: undefined, alarms: [] });
    expect(rpc.calls).toHaveLength(1);
  });

  it('C7: refuses an alarm of no kind or no member, which on the wire would mean any', async () => {
    const { rpc, maintenance } = makeMaintenance();

    await expect(maintenance.disarmAlarm({ memberId: 'a1', alarm: 'NONE' })).rejects.toMatchObject({
      argument: 'alarm',
    });
    await expect(maintenance.armAlarm({ memberId: '0', alarm: 'NOSPACE' })).rejects.toMatchObject({
      argument: 'memberId',
    });
    expect(rpc.calls).toEqual([]);
  });
});

describe('EtcdMaintenance calls that take long', () => {
  it.each([
    ['defragment', 300_000],
    ['hash', 60_000],
    ['hashKv', 60_000],
  ] as const)('gives %s %d ms unless told otherwise, on this endpoint alone', async (call, timeoutMs) => {
    const { rpc, maintenance } = makeMaintenance();
    rpc.answerAlways(DEFRAGMENT, { header: null });
    rpc.answerAlways(HASH, { header, hash: 5 });
    rpc.answerAlways(HASH_KV, { header, hash: 5, compactRevision: -1, hashRevision: 0 });

    await maintenance[call](ENDPOINT);
    await maintenance[call](ENDPOINT, { timeoutMs: undefined });
    await maintenance[call](ENDPOINT, { timeoutMs: 77 });

    expect(rpc.calls.map(({ options }) => options)).toMatchObject([
      { endpoint: ENDPOINT, timeoutMs },
      { endpoint: ENDPOINT, timeoutMs },
      { endpoint: ENDPOINT, timeoutMs: 77 },
    ]);
  });

  it('answers with the hashes', async () => {
    const { rpc, maintenance } = makeMaintenance();
    rpc.answer(HASH, { header, hash: 5 });
    rpc.answer(HASH_KV, { header, hash: 6, compactRevision: 3, hashRevision: 7 });
    rpc.answer(HASH_KV, { header, hash: 6, compactRevision: -1, hashRevision: 0 });

    expect(await maintenance.hash(ENDPOINT)).toEqual({ header, hash: 5 });
    expect(await maintenance.hashKv(ENDPOINT, { revision: 7 })).toEqual({
      header,
      hash: 6,
      compactRevision: 3,
      hashRevision: 7,
    });
    expect(await maintenance.hashKv(ENDPOINT)).toMatchObject({ compactRevision: -1, hashRevision: undefined });
    expect(rpc.requests(HASH_KV)).toEqual([{ revision: 7 }, { revision: 0 }]);
  });
});

describe('EtcdMaintenance downgrades', () => {
  it('validates as a read, enables and cancels as writes', async () => {
    const { rpc, maintenance } = makeMaintenance();
    rpc.answerAlways(DOWNGRADE, { header, version: '3.6.0' });

    const answer = await maintenance.downgradeValidate('3.5.0');
    await maintenance.downgradeEnable('3.5.0', { timeoutMs: 9 });
    await maintenance.downgradeCancel();

    expect(answer).toEqual({ header, version: '3.6.0' });
    expect(rpc.calls).toMatchObject([
      { request: { action: 'VALIDATE', version: '3.5.0' }, options: { effect: 'read', timeoutMs: 10_000 } },
      { request: { action: 'ENABLE', version: '3.5.0' }, options: { effect: 'write', timeoutMs: 9 } },
      { request: { action: 'CANCEL' }, options: { effect: 'write', timeoutMs: 10_000 } },
    ]);
  });
});
