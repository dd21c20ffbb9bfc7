/** Moving the leader: the search for it, and what happens when it cannot be found or moves meanwhile. */
import { describe, expect, it } from '@jest/globals';
import {
  EtcdAbortedError,
  EtcdClosedError,
  EtcdInvalidArgumentError,
  EtcdUnavailableError,
} from '../../../lib/client/errors.js';
import { EtcdMaintenance } from '../../../lib/client/maintenance/maintenance.js';
import type * as wire from '../../../lib/client/rpc/generated/messages.js';
import { MEMBER_LIST, MOVE_LEADER, STATUS } from '../../../lib/client/rpc/methods.js';
import type { RpcCallOptions } from '../../../lib/client/rpc/rpc.js';
import {
  EtcdBadLeaderTransfereeError,
  EtcdNoLeaderError,
  EtcdNotLeaderError,
  EtcdPermissionDeniedError,
} from '../../../lib/client/server-errors.js';
import { FakeClock } from '../../support/fake-clock.js';
import { FakeRpc } from '../../support/fake-rpc.js';

const [E1, E2, E3] = ['http://10.0.0.1:2379', 'http://10.0.0.2:2379', 'http://10.0.0.3:2379'] as const;

interface View {
  readonly memberId: string;
  readonly leader: string;
  readonly raftTerm?: number;
}

function statusOf({ memberId, leader, raftTerm = 2 }: View): wire.StatusResponse {
  return {
    header: { clusterId: 'c1', memberId, revision: 7, raftTerm },
    version: '3.5.30',
    dbSize: 1,
    leader,
    raftIndex: 1,
    raftTerm,
    raftAppliedIndex: 1,
    errors: [],
    dbSizeInUse: 1,
    isLearner: false,
    storageVersion: '',
    dbSizeQuota: 0,
    downgradeInfo: null,
  };
}

/** What answers behind each endpoint: a member, an error, or nothing until the call is aborted. */
type Behind = Readonly<Record<string, View | Error | 'silent'>>;

interface Setup {
  readonly rpc: FakeRpc;
  readonly maintenance: EtcdMaintenance;
}

function setUp(endpoints: readonly string[], behind: Behind): Setup {
  const rpc = new FakeRpc();
  rpc.answerAlways(STATUS, (_request, options) => answerStatus(behind[options.endpoint ?? ''], options));
  rpc.answerAlways(MOVE_LEADER, { header: null });
  return { rpc, maintenance: new EtcdMaintenance(rpc, () => endpoints, new FakeClock()) };
}

function answerStatus(member: Behind[string] | undefined, { endpoint, signal }: RpcCallOptions) {
  if (member === 'silent') {
    return new Promise<never>((_resolve, reject) => signal?.addEventListener('abort', () => reject(abortedBy(signal))));
  }
  if (member instanceof Error) return Promise.reject(member);
  if (member === undefined) return Promise.reject(refused(endpoint ?? ''));
  return Promise.resolve(statusOf(member));
}

const abortedBy = ({ reason }: AbortSignal): EtcdAbortedError =>
  new EtcdAbortedError({ method: 'Maintenance.Status', cause: reason as unknown });

const refused = (endpoint: string): EtcdUnavailableError =>
  new EtcdUnavailableError('no endpoint could be reached within 2000 ms', [{ endpoint, reason: 'ECONNREFUSED' }]);

const notLeader = (): EtcdNotLeaderError =>
  new EtcdNotLeaderError(
    { reason: 'NotLeader', serverMessage: 'etcdserver: not leader' },
    { method: 'Maintenance.MoveLeader', outcome: 'not-applied' },
  );

const movesTo = ({ rpc }: Setup): (string | undefined)[] =>
  rpc.calls.filter(({ method }) => method === MOVE_LEADER).map(({ options }) => options.endpoint);

function memberList({ rpc }: Setup, clientUrls: Readonly<Record<string, readonly string[]>>): void {
  const members = Object.entries(clientUrls).map(([ID, clientURLs]) => ({
    ID,
    name: ID,
    peerURLs: [],
    clientURLs,
    isLearner: false,
  }));
  rpc.answerAlways(MEMBER_LIST, { header: null, members });
}

describe('EtcdMaintenance.moveLeader', () => {
  it('sends the request to the endpoint whose member leads, once', async () => {
    const setup = setUp([E1, E2, E3], {
      [E1]: { memberId: 'a', leader: 'b' },
      [E2]: { memberId: 'b', leader: 'b' },
      [E3]: { memberId: 'c', leader: 'b' },
    });

    await setup.maintenance.moveLeader('c');

    expect(movesTo(setup)).toEqual([E2]);
    expect(setup.rpc.requests(MOVE_LEADER)).toEqual([{ targetID: 'c' }]);
  });

  it('does not wait for members that are silent once the leader has answered, and ends those calls', async () => {
    const setup = setUp([E1, E2, E3], {
      [E1]: 'silent',
      [E2]: { memberId: 'b', leader: 'b' },
      [E3]: refused(E3),
    });

    await setup.maintenance.moveLeader('a');

    expect(movesTo(setup)).toEqual([E2]);
    for (const { options } of setup.rpc.calls.slice(0, 3)) expect(options.signal?.aborted).toBe(true);
  });

  it('finds a leader that is no endpoint of the client by its addresses in the member list', async () => {
    const setup = setUp([E1], { [E1]: { memberId: 'a', leader: 'b' }, [E2]: { memberId: 'b', leader: 'b' } });
    memberList(setup, { a: [E1], b: ['http://127.0.0.1:2379', E2] });

    await setup.maintenance.moveLeader('a');

    expect(movesTo(setup)).toEqual([E2]);
  });

  it('does not take an address for the leader behind which another member answers', async () => {
    const setup = setUp([E1], { [E1]: { memberId: 'a', leader: 'b' }, [E2]: { memberId: 'c', leader: 'b' } });
    memberList(setup, { b: [E2] });

    const error = await setup.maintenance.moveLeader('a').catch((reason: unknown) => reason);

    expect(error).toBeInstanceOf(EtcdUnavailableError);
    expect(error).toMatchObject({ method: 'Maintenance.MoveLeader', outcome: 'not-applied' });
    expect(String(error)).toContain('the leader b cannot be reached');
    expect(movesTo(setup)).toEqual([]);
  });

  it('C2: says that nothing was sent when the member list cannot be had', async () => {
    const setup = setUp([E1], { [E1]: { memberId: 'a', leader: 'b' } });
    const lost = new EtcdUnavailableError('the connection failed', [], { method: 'Cluster.MemberList' });
    setup.rpc.answer(MEMBER_LIST, lost);

    const error = await setup.maintenance.moveLeader('a').catch((reason: unknown) => reason);

    expect(error).toBeInstanceOf(EtcdUnavailableError);
    expect(error).toMatchObject({ method: 'Maintenance.MoveLeader', outcome: 'not-applied', cause: lost });
  });

  it('C6: does not follow the member list from https to http', async () => {
    const secure = 'https://10.0.0.1:2379';
    const setup = setUp([secure], { [secure]: { memberId: 'a', leader: 'b' }, [E2]: { memberId: 'b', leader: 'b' } });
    memberList(setup, { b: [E2] });

    await expect(setup.maintenance.moveLeader('a')).rejects.toThrow('cannot be reached');
    expect(setup.rpc.calls.map(({ options }) => options.endpoint)).not.toContain(E2);
  });

  it('believes the member with the highest term', async () => {
    const setup = setUp([E1, E2], {
      [E1]: { memberId: 'a', leader: 'c', raftTerm: 9 },
      [E2]: { memberId: 'b', leader: 'x', raftTerm: 3 },
      [E3]: { memberId: 'c', leader: 'c', raftTerm: 9 },
    });
    memberList(setup, { c: [E3], x: [] });

    await setup.maintenance.moveLeader('a');

    expect(movesTo(setup)).toEqual([E3]);
  });

  it('looks for the leader anew when it has moved meanwhile', async () => {
    const behind: Record<string, View> = {
      [E1]: { memberId: 'a', leader: 'a' },
      [E2]: { memberId: 'b', leader: 'a' },
    };
    const setup = setUp([E1, E2], behind);
    setup.rpc.answer(MOVE_LEADER, () => {
      behind[E1] = { memberId: 'a', leader: 'b' };
      behind[E2] = { memberId: 'b', leader: 'b' };
      throw notLeader();
    });

    await setup.maintenance.moveLeader('a');

    expect(movesTo(setup)).toEqual([E1, E2]);
  });

  it('gives up when it has moved twice', async () => {
    const setup = setUp([E1], { [E1]: { memberId: 'a', leader: 'a' } });
    setup.rpc.answerAlways(MOVE_LEADER, notLeader());

    await expect(setup.maintenance.moveLeader('b')).rejects.toBeInstanceOf(EtcdNotLeaderError);
    expect(movesTo(setup)).toHaveLength(2);
  });

  it('C2: does not send it again after any other error', async () => {
    const setup = setUp([E1], { [E1]: { memberId: 'a', leader: 'a' } });
    const facts = { reason: 'BadLeaderTransferee', serverMessage: 'etcdserver: bad leader transferee' };
    setup.rpc.answer(MOVE_LEADER, new EtcdBadLeaderTransfereeError(facts));

    await expect(setup.maintenance.moveLeader('99')).rejects.toBeInstanceOf(EtcdBadLeaderTransfereeError);
    expect(movesTo(setup)).toHaveLength(1);
  });

  it('says that there is no leader when members answer and none knows one', async () => {
    const setup = setUp([E1, E2], { [E1]: { memberId: 'a', leader: '0' } });

    const error = await setup.maintenance.moveLeader('b').catch((reason: unknown) => reason);

    expect(error).toBeInstanceOf(EtcdNoLeaderError);
    expect(error).toMatchObject({ method: 'Maintenance.MoveLeader', outcome: 'not-applied' });
  });

  it('C1: names every endpoint with its reason when none answers', async () => {
    const setup = setUp([E1, E2], {});

    const error = await setup.maintenance.moveLeader('b').catch((reason: unknown) => reason);

    expect(error).toBeInstanceOf(EtcdUnavailableError);
    expect((error as EtcdUnavailableError).endpoints).toEqual([
      { endpoint: E1, reason: 'ECONNREFUSED' },
      { endpoint: E2, reason: 'ECONNREFUSED' },
    ]);
    expect((error as EtcdUnavailableError).outcome).toBe('not-applied');
  });

  it('says at once what no other endpoint can mend', async () => {
    const facts = { reason: 'PermissionDenied', serverMessage: 'etcdserver: permission denied' };
    const denied = new EtcdPermissionDeniedError(facts, { method: 'Maintenance.Status', endpoint: E1 });
    const setup = setUp([E1, E2], { [E1]: denied, [E2]: 'silent' });

    const error = await setup.maintenance.moveLeader('b').catch((reason: unknown) => reason);

    expect(error).toBeInstanceOf(EtcdPermissionDeniedError);
    expect(error).toMatchObject({ method: 'Maintenance.MoveLeader', outcome: 'not-applied', cause: denied });
    for (const { options } of setup.rpc.calls) expect(options.signal?.aborted).toBe(true);
  });

  it('ends with the signal, and tells its reason', async () => {
    const setup = setUp([E1], { [E1]: 'silent' });
    const abort = new AbortController();

    const moving = setup.maintenance.moveLeader('b', { signal: abort.signal }).catch((reason: unknown) => reason);
    abort.abort(new Error('enough'));
    const error = await moving;

    expect(error).toBeInstanceOf(EtcdAbortedError);
    expect(error).toMatchObject({ method: 'Maintenance.MoveLeader', outcome: 'not-applied' });
    expect((error as Error).cause).toMatchObject({ message: 'enough' });
  });

  it('C8: says that the client is closed', async () => {
    const setup = setUp([E1], { [E1]: new EtcdClosedError({ method: 'Maintenance.Status' }) });

    await expect(setup.maintenance.moveLeader('b')).rejects.toMatchObject({
      code: 'ETCD_CLOSED',
      method: 'Maintenance.MoveLeader',
      outcome: 'not-applied',
    });
  });

  it('C1: gives search and move one time together', async () => {
    const rpc = new FakeRpc();
    const clock = new FakeClock();
    const maintenance = new EtcdMaintenance(rpc, () => [E1], clock);
    rpc.answer(STATUS, async () => {
      await clock.advance(400);
      return statusOf({ memberId: 'a', leader: 'a' });
    });
    rpc.answer(MOVE_LEADER, { header: null });

    await maintenance.moveLeader('b', { timeoutMs: 1_000 });

    expect(rpc.calls.map(({ options }) => options.timeoutMs)).toEqual([1_000, 600]);
  });

  it('C7: refuses what is no member ID, and a timeout out of range', async () => {
    const setup = setUp([E1], {});

    await expect(setup.maintenance.moveLeader('0')).rejects.toMatchObject({ argument: 'targetMemberId' });
    await expect(setup.maintenance.moveLeader('a', { timeoutMs: 0 })).rejects.toBeInstanceOf(EtcdInvalidArgumentError);
    expect(setup.rpc.calls).toEqual([]);
  });
});
