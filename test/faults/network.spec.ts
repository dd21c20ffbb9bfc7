/** Bad networks between a client and a real cluster: outages, garbage, flipped bits, slow and resetting links. Promises C1 to C4, group A. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { setImmediate as immediate, setTimeout as delay } from 'node:timers/promises';
import { EtcdClient } from '../../lib/client/client.js';
import { prefix as prefixOf } from '../../lib/client/key-range.js';
import { EtcdDeadlineExceededError, EtcdUnavailableError, type EtcdError } from '../../lib/client/errors.js';
import type { Etcd } from '../support/etcd/cluster.js';
import { failureOf } from '../support/failure.js';
import { eventually, startCluster } from '../support/index.js';
import { auditWrites, CLEAN_AUDIT, Load } from '../support/load.js';
import { runningMs } from '../support/running-time.js';
import { seeded } from '../support/seed.js';
import { startProxy } from '../support/tcp-proxy.js';

/** How long everything is away; the catalogue asks for 30 s, which a nightly run sets. */
const OUTAGE_MS = Number(process.env['TEST_OUTAGE_MS'] ?? 8_000);

const { seed, random } = seeded();

let cluster: Etcd;
let prefix: string;
let round = 0;

beforeAll(async () => {
  cluster = await startCluster({ members: 3 });
}, 120_000);

afterAll(async () => {
  await cluster.stop();
});

beforeEach(() => {
  prefix = `network/${round++}/`;
});

async function timed(call: () => Promise<unknown>): Promise<number> {
  const startedAt = runningMs();
  await call();
  return runningMs() - startedAt;
}

describe('An outage', () => {
  it(
    `of ${OUTAGE_MS / 1_000} s is over for each of five clients within 3 s (C4, A10)`,
    async () => {
      await using proxy = await startProxy({ targetPort: cluster.members[0]!.port });
      const clients = Array.from({ length: 5 }, () => new EtcdClient({ endpoints: proxy.endpoint }));
      await Promise.all(clients.map((client) => client.ready()));

      await proxy.cut();
      await delay(OUTAGE_MS);
      await proxy.mend();
      const taken = await Promise.all(
        clients.map((client) => timed(() => client.kv.put(`${prefix}a`, 'x', { timeoutMs: 10_000 }))),
      );

      expect(Math.max(...taken)).toBeLessThan(3_000);
      await Promise.all(clients.map((client) => client.close()));
    },
    OUTAGE_MS + 30_000,
  );

  it('in which the endpoint moves to another member behind the same port is over within 5 s (C4, A23)', async () => {
    await using proxy = await startProxy({ targetPort: cluster.members[0]!.port });
    await using client = new EtcdClient({ endpoints: proxy.endpoint });
    const before = await client.kv.put(`${prefix}a`, 'x');

    await proxy.cut();
    proxy.moveTo(cluster.members[1]!.port);
    await proxy.mend();
    let after = before;
    const tookMs = await timed(async () => (after = await client.kv.put(`${prefix}a`, 'y', { idempotent: true })));

    expect(tookMs).toBeLessThan(5_000);
    expect(after.header.memberId).not.toBe(before.header.memberId);
  });
});

/** A server that is no etcd, and what it does to a connection. */
interface Impostor extends AsyncDisposable {
  readonly endpoint: string;
}

type Behaviour = (socket: Socket) => void;

async function listening(server: Server, sockets = new Set<Socket>()): Promise<Impostor> {
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const bare = (behave: Behaviour) => (): Promise<Impostor> => listening(createServer(behave));

const garbage: Behaviour = (socket) => {
  socket.write(Buffer.from(Array.from({ length: 512 }, () => Math.floor(random() * 256))));
  socket.resume();
};

/** Settings of HTTP/2 and nothing after it: a connection that looks good and never answers. */
const HTTP2_SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

/** What it does, how it starts, and what the error of a client that has no other endpoint says of it. */
const IMPOSTORS: [string, () => Promise<Impostor>, RegExp][] = [
  ['sends garbage', bare(garbage), /HTTP\/2/],
  ['speaks HTTP/1.1', () => listening(createHttpServer((_request, response) => response.end('hello'))), /HTTP\/2/],
  ['resets each connection', bare((socket) => void socket.resetAndDestroy()), /ECONNRESET/],
  ['closes each connection', bare((socket) => void socket.end()), /closed the connection/],
  [
    'shakes hands in HTTP/2 and falls silent',
    bare((socket) => {
      socket.resume();
      socket.write(HTTP2_SETTINGS);
    }),
    /waiting for the answer/,
  ],
];

describe(`An endpoint (seed ${seed})`, () => {
  it.each(IMPOSTORS)('that %s costs no call among good ones, and none more than 2.5 s (C4, A11)', async (_, start) => {
    await using impostor = await start();
    await using client = new EtcdClient({ endpoints: [impostor.endpoint, ...cluster.endpoints.slice(1)] });

    const reads = Array.from({ length: 12 }, () => timed(() => client.kv.get(`${prefix}a`)));
    const readMs = await Promise.all(reads);
    await eventually(() => client.stats().endpoints[0]?.state !== 'ready', { what: 'the impostor set aside' });
    const writeMs = await Promise.all(
      Array.from({ length: 12 }, (_unused, index) => timed(() => client.kv.put(`${prefix}${index}`, 'x'))),
    );

    expect(Math.max(...readMs, ...writeMs)).toBeLessThan(2_500);
  });

  it.each(IMPOSTORS)(
    'that %s ends a call in its time with an error that names it when it is alone (C1, A11)',
    async (_, start, reason) => {
      await using impostor = await start();
      await using client = new EtcdClient({ endpoints: impostor.endpoint });

      let error: EtcdError | undefined;
      const tookMs = await timed(async () => (error = await failureOf(client.kv.get('a', { timeoutMs: 600 }))));

      expect(tookMs).toBeLessThan(2_000);
      expect([EtcdUnavailableError, EtcdDeadlineExceededError]).toContain(error?.constructor);
      expect(error?.message).toContain(impostor.endpoint);
      expect(error?.message).toMatch(reason);
    },
  );
});

describe(`Bits that flip on the way (seed ${seed})`, () => {
  it('crash nothing, let nothing hang, and are over once the pings have found a connection that is stuck by them (C1, A12)', async () => {
    await using proxy = await startProxy({ targetPort: cluster.members[0]!.port, random });
    const pings = { keepAliveTimeMs: 5_000, keepAliveTimeoutMs: 1_000 };
    await using client = new EtcdClient({ endpoints: proxy.endpoint, callTimeoutMs: 2_000, ...pings });
    await client.ready();

    proxy.flip('s2c', 1 / 1_000);
    proxy.flip('c2s', 1 / 1_000);
    const load = new Load(client, { prefix, perSecond: 100 });
    await delay(4_000);
    await load.stop();
    await proxy.mend();
    const recoveryMs = await timed(() =>
      eventually(() => client.kv.put(`${prefix}after`, 'x', { idempotent: true }), { timeoutMs: 20_000 }),
    );

    expect(load.failures('read').length + load.failures('write').length + client.stats().retries).toBeGreaterThan(0);
    expect(Math.max(load.slowestMs('read'), load.slowestMs('write'))).toBeLessThan(5_000);
    expect(recoveryMs).toBeLessThan(8_000);
  }, 60_000);
});

describe('A slow link', () => {
  it('lets a large answer through in its own time, and no endpoint is set aside for it (C3, C4)', async () => {
    const { port } = cluster.members[0]!;
    await using writer = new EtcdClient({ endpoints: cluster.endpoints });
    await Promise.all(['1', '2'].map((key) => writer.kv.put(`${prefix}large/${key}`, 'x'.repeat(1_000_000))));
    await using one = await startProxy({ targetPort: port, random });
    await using other = await startProxy({ targetPort: port, random });
    await using client = new EtcdClient({ endpoints: [one.endpoint, other.endpoint], callTimeoutMs: 20_000 });
    await client.ready();
    for (const proxy of [one, other]) proxy.throttle({ bytesPerSecond: 400_000 });

    const { kvs } = await client.kv.range(prefixOf(`${prefix}large/`));

    expect(kvs).toHaveLength(2);
    expect(client.stats()).toMatchObject({ retries: 0 });
  }, 30_000);

  it('of 200 ms and 64 kB a second fails no call, and no ping cuts it (C1, A13)', async () => {
    await using proxy = await startProxy({ targetPort: cluster.members[0]!.port, random });
    await using client = new EtcdClient({
      endpoints: proxy.endpoint,
      keepAliveTimeMs: 5_000,
      keepAliveTimeoutMs: 1_500,
    });
    proxy.delay({ ms: 200, jitterMs: 50 });
    proxy.throttle({ bytesPerSecond: 64_000 });

    const load = new Load(client, { prefix, perSecond: 20 });
    await delay(7_000);
    await load.stop();

    expect([...load.failures('read'), ...load.failures('write')]).toEqual([]);
    expect(load.records.length).toBeGreaterThan(100);
    expect(proxy.connections).toBe(1);
    expect(await auditWrites(cluster, load, prefix)).toMatchObject(CLEAN_AUDIT);
  }, 30_000);

  it('of 200 bytes a second is left by reads for the other endpoints within 2.5 s (C3, C4, A14)', async () => {
    await using proxy = await startProxy({ targetPort: cluster.members[0]!.port });
    await using client = new EtcdClient({ endpoints: [proxy.endpoint, ...cluster.endpoints.slice(1)] });
    await client.kv.put(`${prefix}a`, 'x'.repeat(4_096));
    await eventually(() => client.stats().endpoints.every(({ state }) => state === 'ready'));

    proxy.throttle({ bytesPerSecond: 200 });
    const reads: Promise<number>[] = [];
    for (let count = 0; count < 12; count++) {
      reads.push(timed(() => client.kv.get(`${prefix}a`)));
      await immediate(); // in one turn they would be one call, on one endpoint
    }
    const taken = await Promise.all(reads);

    expect(Math.max(...taken)).toBeLessThan(2_500);
    expect(client.stats().endpoints[0]?.state).not.toBe('ready');
  });

  it('of 200 bytes a second ends a call in its time when there is no other (C1, A14)', async () => {
    await using proxy = await startProxy({ targetPort: cluster.members[0]!.port });
    await using client = new EtcdClient({ endpoints: proxy.endpoint });
    await client.kv.put(`${prefix}a`, 'x'.repeat(4_096));

    proxy.throttle({ bytesPerSecond: 200 });
    const tookMs = await timed(() => failureOf(client.kv.get(`${prefix}a`, { timeoutMs: 1_500 })));

    expect(tookMs).toBeLessThan(3_500);
  });
});

describe('A link that is reset a quarter of a second after each connection', () => {
  it('lets nine of ten reads through, applies no write twice, and tells the truth about each (C2, C3, A15)', async () => {
    await using proxy = await startProxy({ targetPort: cluster.members[0]!.port });
    await using client = new EtcdClient({ endpoints: proxy.endpoint });
    await client.ready();
    proxy.delay({ ms: 20 });

    const load = new Load(client, { prefix, perSecond: 100 });
    for (let resets = 0; resets < 18; resets++) {
      await delay(250);
      const next = proxy.nextConnection();
      proxy.reset();
      await next;
      await eventually(() => client.state === 'ready', { what: 'the next connection ready', everyMs: 5 });
    }
    await load.stop();

    const reads = load.records.filter(({ kind }) => kind === 'read').length;
    expect(load.failures('read').length).toBeLessThan(reads / 10);
    expect(Math.max(load.slowestMs('read'), load.slowestMs('write'))).toBeLessThan(7_000);
    const audit = await auditWrites(cluster, load, prefix);
    expect(audit).toMatchObject(CLEAN_AUDIT);
    expect(audit.unknown).toBeGreaterThan(0);
  }, 30_000);
});
