/** Endpoints given by name whose addresses move, die or cannot be looked up: rows A20 to A22. The test answers for the names. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import dns from 'node:dns';
import { connect, createServer, type Socket } from 'node:net';
import { EtcdClient } from '../../lib/client/client.js';
import { EtcdUnavailableError } from '../../lib/client/errors.js';
import type { Etcd } from '../support/etcd/cluster.js';
import { eventually, startCluster } from '../support/index.js';
import { runningMs } from '../support/running-time.js';

type Lookup = typeof dns.promises.lookup;

/** What the test's own names resolve to: addresses, an error, or nothing for ever. */
type Record = readonly string[] | 'NXDOMAIN' | 'hangs';

const HOST = 'etcd.test';

let cluster: Etcd;
let records: Record;
let lookups: number;
let genuine: Lookup;

beforeAll(async () => {
  cluster = await startCluster({ members: 2 });
}, 120_000);

afterAll(async () => {
  await cluster.stop();
});

/** grpc-js looks names up with this function and no other. */
beforeEach(() => {
  genuine = dns.promises.lookup;
  lookups = 0;
  const lookup = (name: string, options: object): Promise<unknown> =>
    name === HOST ? resolve() : genuine(name, options);
  dns.promises.lookup = lookup as Lookup;
});

afterEach(() => {
  dns.promises.lookup = genuine;
});

function resolve(): Promise<unknown> {
  lookups += 1;
  if (records === 'hangs') return new Promise(() => undefined);
  if (records === 'NXDOMAIN') return Promise.reject(new Error(`getaddrinfo ENOTFOUND ${HOST}`));
  return Promise.resolve(records.map((address) => ({ address, family: 4 })));
}

/** Members listen on 127.0.0.1; another loopback address hands its connections on to one, as a host of its own would. */
async function host(address: string, port: number, behave: (socket: Socket) => void): Promise<AsyncDisposable> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    behave(socket);
  });
  await new Promise<void>((listening) => server.listen(port, address, listening));
  return {
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((closed) => server.close(closed));
    },
  };
}

describe('A name', () => {
  it('that moves to another address while the old one dies is followed within 8 s (C4, A20)', async () => {
    const [first, second] = cluster.members;
    await using moved = await host('127.0.0.2', first!.port, (socket) => {
      const upstream = connect(second!.port, '127.0.0.1');
      upstream.on('error', () => socket.destroy());
      socket.pipe(upstream).pipe(socket);
    });
    expect(moved).toBeDefined();
    records = ['127.0.0.1'];
    await using client = new EtcdClient({ endpoints: `${HOST}:${first!.port}` });
    const before = await client.kv.range('a', { serializable: true });

    records = ['127.0.0.2'];
    await first!.kill();
    const startedAt = runningMs();
    const after = await eventually(() => client.kv.range('a', { serializable: true, timeoutMs: 4_000 }));
    const tookMs = runningMs() - startedAt;
    await first!.restart();

    expect(tookMs).toBeLessThan(8_000);
    expect(after.header.memberId).not.toBe(before.header.memberId);
  }, 30_000);

  it('with three addresses, one dead and one silent, is reached within 2.5 s (C4, A21)', async () => {
    const { port } = cluster.members[0]!;
    await using silent = await host('127.0.0.3', port, (socket) => void socket.resume());
    expect(silent).toBeDefined();
    records = ['127.0.0.4', '127.0.0.3', '127.0.0.1'];
    await using client = new EtcdClient({ endpoints: `${HOST}:${port}` });

    const startedAt = runningMs();
    await client.kv.get('a');

    expect(runningMs() - startedAt).toBeLessThan(2_500);
  });

  it('with an address that is dead tells first what is wrong with the one that is not (C1)', async () => {
    const { port } = cluster.members[0]!;
    records = ['127.0.0.4', '127.0.0.1'];
    await using client = new EtcdClient({ endpoints: `https://${HOST}:${port}` });

    const error: unknown = await client.kv.get('a', { timeoutMs: 1_500 }).catch((caught: unknown) => caught);

    expect((error as Error).message).toMatch(/before secure TLS connection.*; connect ECONNREFUSED 127\.0\.0\.4/);
  });

  it('that is gone leaves a live connection alone (A22)', async () => {
    records = ['127.0.0.1'];
    await using client = new EtcdClient({ endpoints: `${HOST}:${cluster.members[0]!.port}` });
    await client.kv.get('a');
    const before = lookups;

    records = 'NXDOMAIN';
    for (let read = 0; read < 10; read++) await client.kv.get('a');

    expect(lookups).toBe(before);
  });

  it.each<[string, Record]>([
    ['does not exist', 'NXDOMAIN'],
    ['cannot be looked up, since the resolver never answers', 'hangs'],
  ])(
    'that %s ends a call in its time with an error that names it, and works once it is there (C1, A22)',
    async (_, broken) => {
      records = broken;
      const endpoint = `${HOST}:${cluster.members[0]!.port}`;
      await using client = new EtcdClient({ endpoints: endpoint, connectTimeoutMs: 500 });

      const startedAt = runningMs();
      const error: unknown = await client.kv.get('a', { timeoutMs: 1_000 }).catch((caught: unknown) => caught);
      const tookMs = runningMs() - startedAt;
      records = ['127.0.0.1'];

      expect(tookMs).toBeLessThan(3_000);
      expect(error).toBeInstanceOf(EtcdUnavailableError);
      expect((error as Error).message).toContain(endpoint);
      await client.kv.get('a', { timeoutMs: 5_000 });
    },
  );
});
