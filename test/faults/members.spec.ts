/** Members that come, go, learn, defragment and forget their tokens under a running client: rows A16, A17, A24 and E7. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { EtcdClient } from '../../lib/client/client.js';
import { prefix } from '../../lib/client/key-range.js';
import type { Etcd } from '../support/etcd/cluster.js';
import { Joiner } from '../support/etcd/joiner.js';
import { eventually, startCluster } from '../support/index.js';
import { auditWrites, CLEAN_AUDIT, Load } from '../support/load.js';
import { runningMs } from '../support/running-time.js';

const MEBIBYTE = 1024 * 1024;

let cluster: Etcd;

beforeAll(async () => {
  cluster = await startCluster({ members: 3, flags: { 'strict-reconfig-check': false } });
}, 120_000);

afterAll(async () => {
  await cluster.stop();
});

/** Reads and writes, one after the other. */
async function readAndWrite(client: EtcdClient, times: number): Promise<void> {
  for (let time = 0; time < times; time++) {
    await client.kv.put('members/a', String(time));
    expect((await client.kv.get('members/a'))?.value).toBe(String(time));
  }
}

describe('Defragmentation under load', () => {
  it('of each member of 30 MiB fails no read and loses no write, and pauses calls no longer than itself and 2 s (C2, C3, A24)', async () => {
    await using admin = new EtcdClient({ endpoints: cluster.endpoints });
    for (let index = 0; index < 30; index++) {
      await admin.kv.put(`ballast/${index}`, Buffer.alloc(MEBIBYTE, index));
    }
    await admin.kv.delete(prefix('ballast/'));
    await using client = new EtcdClient({ endpoints: cluster.endpoints });
    await client.ready();
    const load = new Load(client, { prefix: 'defragment/', perSecond: 50 });
    let longestMs = 0;

    for (const endpoint of cluster.endpoints) {
      const startedAt = runningMs();
      await admin.maintenance.defragment(endpoint, { timeoutMs: 20_000 });
      longestMs = Math.max(longestMs, runningMs() - startedAt);
      await delay(300);
    }
    await load.stop();

    expect(load.failures('read')).toEqual([]);
    expect(load.longestGapMs()).toBeLessThan(longestMs + 2_000);
    expect(await auditWrites(cluster, load, 'defragment/')).toMatchObject(CLEAN_AUDIT);
  }, 60_000);
});

describe('A learner among the endpoints', () => {
  let admin: EtcdClient;
  let joiner: Joiner;

  beforeAll(async () => {
    admin = new EtcdClient({ endpoints: cluster.endpoints });
    joiner = await Joiner.prepare('learner');
  });

  afterEach(async () => {
    await joiner.remove();
    await admin.close();
  });

  it('is set aside, and no read or write fails for it (C4, A17)', async () => {
    const added = await admin.cluster.memberAddAsLearner(joiner.place.peerUrl);
    const learner = await joiner.start(added.members);
    await using client = new EtcdClient({ endpoints: [learner.endpoint, cluster.endpoint] });
    const stateOfLearner = (): string | undefined => client.stats().endpoints[0]?.state;
    await eventually(() => client.kv.range('members/a', { serializable: true, timeoutMs: 500 }));
    await eventually(() => stateOfLearner() === 'ready' || stateOfLearner() === 'sick', {
      what: 'the learner connected',
    });

    await readAndWrite(client, 10);

    expect(client.stats().endpoints[0]).toMatchObject({ state: 'sick', reason: expect.stringMatching(/learner/i) });
    await admin.cluster.memberRemove(added.member.id);
  }, 30_000);
});

describe('A member that is removed and comes back under another port', () => {
  it('costs nothing, and is found by the periodic sync (C4, A16)', async () => {
    await using client = new EtcdClient({ endpoints: cluster.endpoints, autoSyncIntervalMs: 1_000 });
    await client.ready();
    const { members } = await client.cluster.memberList();
    const leaving = cluster.members[2]!;
    const { id } = members.find(({ name }) => name === leaving.name)!;
    await using joiner = await Joiner.prepare('returned');

    await client.cluster.memberRemove(id);
    await leaving.kill();
    await eventually(() => !client.endpoints.includes(leaving.endpoint), { what: 'the endpoint gone from the list' });
    await readAndWrite(client, 5);
    const added = await client.cluster.memberAdd(joiner.place.peerUrl);
    const returned = await joiner.start(added.members);
    await eventually(() => client.endpoints.includes(returned.endpoint), { what: 'the new endpoint in the list' });
    await readAndWrite(client, 5);

    expect([...client.endpoints].sort()).toEqual([...cluster.endpoints.slice(0, 2), returned.endpoint].sort());
  }, 60_000);
});

describe('Members that restart one by one and forget their tokens', () => {
  it('are no reason for an authentication error, nor for a failed read (C3, C5, E7)', async () => {
    await using etcd = await startCluster({ members: 3, auth: true });
    const { name: username, password } = etcd.auth.root!;
    await using client = new EtcdClient({ endpoints: etcd.endpoints, auth: { username, password } });
    await client.ready();
    const load = new Load(client, { prefix: 'tokens/', perSecond: 50 });

    for (const member of etcd.members) {
      await member.stop();
      await member.restart();
      await etcd.leaderIndex();
    }
    await load.stop();

    expect(load.failures('read')).toEqual([]);
    const codes = new Set(load.failures('write').map(({ error }) => error?.code));
    expect(codes).not.toContain('ETCD_AUTHENTICATION');
    expect(load.longestGapMs()).toBeLessThan(6_000);
    expect(await auditWrites(etcd, load, 'tokens/')).toMatchObject(CLEAN_AUDIT);
  }, 60_000);
});
