/** Calls on a real cluster of three whose members die, freeze, hang and come back: promises C1 to C4. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { EtcdClient } from '../../lib/client/client.js';
import { EtcdDeadlineExceededError, EtcdError, EtcdUnavailableError } from '../../lib/client/errors.js';
import type { Etcd } from '../support/etcd/cluster.js';
import { eventually, startCluster } from '../support/index.js';
import { auditWrites, CLEAN_AUDIT, Load } from '../support/load.js';
import { runningMs } from '../support/running-time.js';
import { startProxy } from '../support/tcp-proxy.js';

/** From the death of the leader to a new one, with the rig's election timeout; measured by the members' own view. */
const ELECTION_ALLOWANCE_MS = 1_500;

let cluster: Etcd;
let client: EtcdClient;
let prefix: string;
let round = 0;

beforeAll(async () => {
  cluster = await startCluster({ members: 3 });
}, 120_000);

afterAll(async () => {
  await cluster.stop();
});

beforeEach(() => {
  prefix = `availability/${round++}/`;
  client = new EtcdClient({ endpoints: cluster.endpoints });
});

afterEach(async () => {
  await client.close();
  await Promise.all(cluster.members.map((member) => revive(member)));
  await cluster.leaderIndex();
});

async function revive(member: Etcd['members'][number]): Promise<void> {
  if (member.pid === undefined) await member.restart();
  else if (!member.isAwake) await member.resume();
}

async function allReady(): Promise<void> {
  await eventually(() => client.stats().endpoints.every(({ state }) => state === 'ready'));
}

describe('Killing the leader under load', () => {
  it('fails no read, pauses no longer than the election, and tells the truth about every write (C2, C3)', async () => {
    await client.ready();
    await allReady();
    const load = new Load(client, { prefix });
    await delay(1_000);
    const leader = await cluster.leaderIndex();

    const killedAt = runningMs();
    await cluster.members[leader]!.kill();
    await cluster.leaderIndex();
    const electionMs = runningMs() - killedAt;
    await delay(3_000);
    await cluster.members[leader]!.restart();
    await delay(1_000);
    await load.stop();

    expect(load.failures('read')).toEqual([]);
    expect(load.longestGapMs()).toBeLessThanOrEqual(Math.max(electionMs, ELECTION_ALLOWANCE_MS) + 500);
    expect(load.slowestMs('write')).toBeLessThan(7_000);
    expect(await auditWrites(cluster, load, prefix)).toMatchObject(CLEAN_AUDIT);
  });
});

describe('A frozen member', () => {
  it('costs a reader at most 2 s and no error, is left by writes within 3 s, and is used again within 5 s (C3, C4)', async () => {
    await client.ready();
    await allReady();
    const load = new Load(client, { prefix });
    await delay(500);
    const frozen = ((await cluster.leaderIndex()) + 1) % 3;

    const frozenAt = runningMs();
    await cluster.members[frozen]!.freeze();
    await delay(9_000);
    await cluster.members[frozen]!.resume();
    const resumedAt = runningMs();
    await eventually(() => stateOf(frozen) === 'ready', { timeoutMs: 20_000 });
    expect(runningMs() - resumedAt).toBeLessThan(5_000);
    await load.stop();

    expect(load.failures('read')).toEqual([]);
    expect(load.slowestMs('read')).toBeLessThan(2_000);
    const lateFailures = load.failures('write').filter(({ startedAt }) => startedAt > frozenAt + 3_000);
    expect(lateFailures).toEqual([]);
    expect(await auditWrites(cluster, load, prefix)).toMatchObject(CLEAN_AUDIT);
  }, 60_000);
});

function stateOf(index: number): string | undefined {
  return client.stats().endpoints.find(({ endpoint }) => endpoint === cluster.endpoints[index])?.state;
}

describe('A black-holed endpoint', () => {
  it('costs a reader at most 2 s and no error, and is used again within 5 s of coming back (C3, C4)', async () => {
    const proxy = await startProxy({ targetPort: cluster.members[0]!.port });
    const behindProxy = new EtcdClient({
      endpoints: [`http://127.0.0.1:${proxy.port}`, cluster.endpoints[1]!, cluster.endpoints[2]!],
    });
    try {
      const states = (): readonly string[] => behindProxy.stats().endpoints.map(({ state }) => state);
      await behindProxy.ready();
      await eventually(() => states().every((state) => state === 'ready'));
      const load = new Load(behindProxy, { prefix });
      await delay(500);

      const cutAt = runningMs();
      proxy.blackHole();
      await delay(6_000);
      await proxy.mend();
      const mendedAt = runningMs();
      await eventually(() => states()[0] === 'ready', { timeoutMs: 20_000 });
      expect(runningMs() - mendedAt).toBeLessThan(5_000);
      await load.stop();

      expect(load.failures('read')).toEqual([]);
      expect(load.slowestMs('read')).toBeLessThan(2_000);
      expect(load.failures('write').filter(({ startedAt }) => startedAt > cutAt + 3_000)).toEqual([]);
      expect(await auditWrites(cluster, load, prefix)).toMatchObject(CLEAN_AUDIT);
    } finally {
      await behindProxy.close();
      await proxy.close();
    }
  }, 40_000);
});

describe('A rolling restart of all three members', () => {
  it('fails no read, and tells the truth about every write (C2, C3)', async () => {
    await client.ready();
    const load = new Load(client, { prefix });

    for (const member of cluster.members) {
      await member.stop();
      await member.restart();
      await cluster.leaderIndex();
      await delay(500);
    }
    await load.stop();

    expect(load.failures('read')).toEqual([]);
    expect(await auditWrites(cluster, load, prefix)).toMatchObject(CLEAN_AUDIT);
  }, 60_000);
});

describe('A cluster that is down', () => {
  it('lets the first call succeed when it comes up within the call’s time (C1)', async () => {
    await Promise.all(cluster.members.map((member) => member.kill()));

    const put = client.kv.put(`${prefix}first`, 'x', { timeoutMs: 20_000 });
    await delay(2_000);
    await Promise.all(cluster.members.map((member) => member.restart()));

    await expect(put).resolves.toMatchObject({ header: { revision: expect.any(Number) } });
    expect((await cluster.gateway.get(`${prefix}first`))?.version).toBe(1);
  }, 40_000);

  it('ends each call at its time with the reason of every endpoint, and says that the write was not applied (C1, C2)', async () => {
    await Promise.all(cluster.members.map((member) => member.kill()));

    const startedAt = runningMs();
    const error = await client.kv.put(`${prefix}never`, 'x', { timeoutMs: 1_500 }).catch((caught: unknown) => caught);

    expect(runningMs() - startedAt).toBeLessThan(3_500);
    expect(error).toBeInstanceOf(EtcdUnavailableError);
    const { outcome, endpoints, message } = error as EtcdUnavailableError;
    expect(outcome).toBe('not-applied');
    expect(endpoints.map(({ endpoint }) => endpoint).sort()).toEqual([...cluster.endpoints].sort());
    expect(message).toContain('ECONNREFUSED');
  }, 40_000);
});

describe('A cluster without a quorum', () => {
  it('ends linearizable calls with a typed error at their time, serves serializable reads, and recovers within 2 s (C1)', async () => {
    await client.kv.put(`${prefix}a`, 'x');
    await allReady();
    await Promise.all([cluster.members[1]!.kill(), cluster.members[2]!.kill()]);

    const startedAt = runningMs();
    const outcomes = await Promise.allSettled([
      client.kv.get(`${prefix}a`, { timeoutMs: 3_000 }),
      client.kv.put(`${prefix}b`, 'y', { timeoutMs: 3_000 }),
      client.kv.get(`${prefix}a`, { serializable: true, timeoutMs: 3_000 }),
    ]);
    const [read, write, stale] = outcomes;

    expect(runningMs() - startedAt).toBeLessThan(5_000);
    expect((read as PromiseRejectedResult).reason).toBeInstanceOf(EtcdDeadlineExceededError);
    expect((write as PromiseRejectedResult).reason).toBeInstanceOf(EtcdError);
    expect((write as PromiseRejectedResult).reason.outcome).toBe('unknown');
    expect((stale as PromiseFulfilledResult<{ value: string }>).value.value).toBe('x');

    await cluster.members[1]!.restart({ waitUntilReady: false });
    await cluster.leaderIndex();
    const quorumAt = runningMs();
    await client.kv.get(`${prefix}a`, { timeoutMs: 10_000 });
    expect(runningMs() - quorumAt).toBeLessThan(2_000);
  }, 60_000);
});

describe('An endpoint that accepts connections and never speaks', () => {
  let silent: Server;
  const sockets = new Set<Socket>();

  beforeEach(async () => {
    silent = createServer((socket) => {
      sockets.add(socket);
      socket.resume();
      socket.on('error', () => undefined);
      socket.on('close', () => sockets.delete(socket));
    });
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  });

  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => silent.close(resolve));
  });

  it('keeps none of twelve fresh clients from its first answer within 2 s (C4)', async () => {
    const { port } = silent.address() as { port: number };
    const endpoints = [`http://127.0.0.1:${port}`, cluster.endpoints[0]!, cluster.endpoints[1]!];
    const clients = Array.from({ length: 12 }, () => new EtcdClient({ endpoints }));

    const taken = await Promise.all(
      clients.map(async (fresh) => {
        const startedAt = runningMs();
        await fresh.kv.get(`${prefix}a`);
        return runningMs() - startedAt;
      }),
    );
    await Promise.all(clients.map((fresh) => fresh.close()));

    expect(Math.max(...taken)).toBeLessThan(2_000);
    await eventually(() => sockets.size === 0, { what: 'all sockets closed' });
  });
});

describe('Moving the leader', () => {
  it('fails no read (C3)', async () => {
    await client.ready();
    const load = new Load(client, { prefix });

    for (let move = 0; move < 4; move++) {
      await cluster.moveLeader(((await cluster.leaderIndex()) + 1) % 3);
      await delay(300);
    }
    await load.stop();

    expect(load.failures('read')).toEqual([]);
    expect(await auditWrites(cluster, load, prefix)).toMatchObject(CLEAN_AUDIT);
  });
});
