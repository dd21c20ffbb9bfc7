/** Many at once: clients that reconnect, calls that wait, services that share a connection. Group I. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { EtcdClient } from '../../lib/client/client.js';
import type { Etcd } from '../support/etcd/cluster.js';
import { eventually, startCluster } from '../support/index.js';
import { runningMs } from '../support/running-time.js';
import { startProxy } from '../support/tcp-proxy.js';

/** How many reads there are; the catalogue asks for 100,000, which a nightly run sets. */
const FLOOD = Number(process.env['TEST_FLOOD'] ?? 5_000);
/** What so many calls may hold on to while they run. */
const MOST_MEBIBYTES = 100 + FLOOD / 25;
const CLIENTS = 40;
const STORM_MS = 6_000;
const SLICE_MS = 100;

let cluster: Etcd;

beforeAll(async () => {
  cluster = await startCluster({ members: 2 });
}, 120_000);

afterAll(async () => {
  await cluster.stop();
});

function residentMebibytes(): number {
  return process.memoryUsage.rss() / 1024 / 1024;
}

describe('Forty clients whose connections are reset as soon as they are made', () => {
  it('try less than four times a second each, spread out, and are all back within 6 s (C4, I1)', async () => {
    await using proxy = await startProxy({ targetPort: cluster.members[0]!.port });
    const clients = Array.from({ length: CLIENTS }, () => new EtcdClient({ endpoints: proxy.endpoint }));
    await Promise.all(clients.map((client) => client.ready()));
    const before = proxy.connections;
    const slices: { readonly count: number; readonly tookMs: number }[] = [];

    proxy.resetOnAccept();
    const stormAt = performance.now();
    for (let passed = 0; passed < STORM_MS; passed += SLICE_MS) {
      const [earlier, sliceAt] = [proxy.connections, performance.now()];
      await delay(SLICE_MS);
      slices.push({ count: proxy.connections - earlier, tookMs: performance.now() - sliceAt });
    }
    const perSecond = (proxy.connections - before) / CLIENTS / ((performance.now() - stormAt) / 1_000);
    await proxy.mend();
    const mendedAt = runningMs();
    await Promise.all(clients.map((client) => client.kv.get('a', { timeoutMs: 20_000 })));
    const backMs = runningMs() - mendedAt;
    await Promise.all(clients.map((client) => client.close()));

    // A slice that was longer than it should be says that this machine was busy with other things.
    const late = slices.slice(2_000 / SLICE_MS).filter(({ tookMs }) => tookMs < 1.5 * SLICE_MS);
    expect(perSecond).toBeGreaterThan(0.5);
    expect(perSecond).toBeLessThan(4);
    expect(Math.max(0, ...late.map(({ count }) => count))).toBeLessThanOrEqual(CLIENTS / 2);
    expect(backMs).toBeLessThan(6_000);
  }, 60_000);
});

describe('A client whose services are all in use', () => {
  it('has one socket for each endpoint (I2)', async () => {
    const proxies = await Promise.all(cluster.members.map(({ port }) => startProxy({ targetPort: port })));
    await using client = new EtcdClient({ endpoints: proxies.map(({ endpoint }) => endpoint) });
    const lease = await client.lease.grant(30);
    await using beat = client.lease.keepAlive(lease.id);
    await using watcher = client.watch.watch('storms/');
    await watcher.created;

    await Promise.all([
      ...Array.from({ length: 200 }, (_, index) => client.kv.put('storms/a', String(index), { lease: lease.id })),
      ...proxies.map(({ endpoint }) => client.maintenance.status(endpoint)),
      client.cluster.memberList(),
      client.lease.timeToLive(lease.id),
    ]);

    expect(beat.isAlive).toBe(true);
    expect(proxies.map(({ connections }) => connections)).toEqual([1, 1]);
    await Promise.all(proxies.map((proxy) => proxy.close()));
  });
});

describe(`${FLOOD} calls that are made while the cluster is away`, () => {
  it('are answered when it is back, and leave nothing behind; one more is refused (C1, C7, I4)', async () => {
    await using proxy = await startProxy({ targetPort: cluster.members[0]!.port });
    await using client = new EtcdClient({ endpoints: proxy.endpoint, maxPendingCalls: FLOOD, coalesceReads: false });
    await proxy.cut();
    const before = residentMebibytes();

    const reads = Array.from({ length: FLOOD }, () => client.kv.get('a', { timeoutMs: 120_000 }));
    const refused = await client.kv.put('a', 'x').catch((error: unknown) => error);
    await eventually(() => client.state === 'unavailable');
    const heldMebibytes = residentMebibytes() - before;
    await proxy.mend();
    await Promise.all(reads);

    expect(refused).toMatchObject({ code: 'ETCD_OVERLOADED', limit: FLOOD, outcome: 'not-applied' });
    expect(heldMebibytes).toBeLessThan(MOST_MEBIBYTES);
    expect(client.stats().inFlight).toBe(0);
  }, 150_000);
});

describe(`A flood of ${FLOOD} reads`, () => {
  it('that all begin at once is answered, in bounded memory (C1, I5)', async () => {
    await using client = new EtcdClient({ endpoints: cluster.endpoint });
    await client.ready();
    const before = residentMebibytes();

    const reads = await Promise.all(
      Array.from({ length: FLOOD }, (_, index) => client.kv.get(`storms/none/${index}`, { timeoutMs: 120_000 })),
    );

    expect(reads.every((kv) => kv === undefined)).toBe(true);
    expect(residentMebibytes() - before).toBeLessThan(MOST_MEBIBYTES);
    expect(client.stats().inFlight).toBe(0);
  }, 150_000);

  it('with two hundred of them in flight at any time starves no lease (C1, L1, I5)', async () => {
    await using client = new EtcdClient({ endpoints: cluster.endpoint, coalesceReads: false });
    const lease = await client.lease.grant(6);
    await using beat = client.lease.keepAlive(lease.id);
    const renewedTwice = (): boolean => client.lease.stats().renewals >= 3; // the first one comes before the flood
    let left = FLOOD;
    const reader = async (): Promise<void> => {
      while (left-- > 0 || (beat.isAlive && !renewedTwice()))
        await client.kv.get('storms/none', { timeoutMs: 120_000 });
    };

    await Promise.all(Array.from({ length: 200 }, reader));

    expect(beat.isAlive).toBe(true);
    expect(await client.lease.timeToLive(lease.id)).toBeDefined();
  }, 150_000);
});
