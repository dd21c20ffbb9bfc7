/** Interceptors and diagnostics channels around real calls and streams, and what of them arrives on the wire. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { subscribe, unsubscribe, type ChannelListener } from 'node:diagnostics_channel';
import { EtcdClient } from '../../lib/client/client.js';
import type { EtcdError } from '../../lib/client/errors.js';
import { DIAGNOSTICS } from '../../lib/client/rpc/diagnostics.js';
import type { EtcdInterceptor } from '../../lib/client/rpc/interceptor.js';
import { EtcdLeaseNotFoundError } from '../../lib/client/server-errors.js';
import { eventually, startCluster, type Etcd } from '../support/index.js';
import { startWireServer } from '../support/wire-server.js';

const WATCH = '/etcdserverpb.Watch/Watch';
const RANGE = '/etcdserverpb.KV/Range';

let etcd: Etcd;

beforeAll(async () => {
  etcd = await startCluster({ members: 3 });
}, 120_000);

afterAll(async () => {
  await etcd.stop();
});

/** Writes down what it sees, under its name. */
function scribe(name: string, lines: string[]): EtcdInterceptor {
  return {
    async unary({ method }, next) {
      lines.push(`${name} > ${method.label}`);
      try {
        return await next();
      } finally {
        lines.push(`${name} < ${method.label}`);
      }
    },
    stream({ method }) {
      lines.push(`${name} > ${method.label}`);
      return {
        sent: () => lines.push(`${name} sent`),
        received: () => lines.push(`${name} received`),
        ended: (error) => lines.push(`${name} < ${method.label} ${error?.code ?? 'ok'}`),
      };
    },
    attempt({ method }, { number }) {
      lines.push(`${name} try ${number} of ${method.label}`);
      return (error) => lines.push(`${name} try ${number} ended ${error?.code ?? 'ok'}`);
    },
  };
}

describe('Interceptors', () => {
  it('stand around a call in their order, the first outermost, and see its tries', async () => {
    const lines: string[] = [];
    await using client = new EtcdClient({
      endpoints: etcd.endpoints,
      interceptors: [scribe('a', lines), scribe('b', lines)],
    });

    await client.kv.put('interceptors', 'x');

    expect(lines).toEqual([
      'a > KV.Put',
      'b > KV.Put',
      'a try 1 of KV.Put',
      'b try 1 of KV.Put',
      'a try 1 ended ok',
      'b try 1 ended ok',
      'b < KV.Put',
      'a < KV.Put',
    ]);
  });

  it('see a stream open, each of its messages, and its end', async () => {
    const lines: string[] = [];
    await using client = new EtcdClient({ endpoints: etcd.endpoints, interceptors: [scribe('a', lines)] });

    let bytes = 0;
    for await (const chunk of client.maintenance.snapshot()) bytes += chunk.bytes.length;

    expect(bytes).toBeGreaterThan(1_000);
    expect(lines.filter((line) => line === 'a sent')).toHaveLength(1);
    expect(lines.filter((line) => line === 'a received').length).toBeGreaterThanOrEqual(1);
    expect([lines[0], lines.at(-1)]).toEqual(['a > Maintenance.Snapshot', 'a < Maintenance.Snapshot ok']);
  });

  it('see each try of a call with its endpoint and its error, and the call once', async () => {
    const tries: { endpoint: string; number: number; error: string | undefined }[] = [];
    let calls = 0;
    await using leaderless = await startWireServer();
    leaderless.on(RANGE, () => ({ grpcCode: 14, details: 'etcdserver: no leader' }));
    const interceptor: EtcdInterceptor = {
      unary: (_, next) => {
        calls += 1;
        return next();
      },
      attempt:
        (_, { endpoint, number }) =>
        (error) =>
          void tries.push({ endpoint, number, error: error?.code }),
    };
    await using client = new EtcdClient({ endpoints: leaderless.endpoint, interceptors: [interceptor] });
    await client.ready();
    client.setEndpoints([leaderless.endpoint, etcd.endpoint]);
    await eventually(() => client.stats().endpoints.every(({ state }) => state === 'ready'));

    // One after the other: together they would be one call.
    await client.kv.get('a');
    await client.kv.get('a');

    expect(calls).toBe(2);
    expect(tries).toContainEqual({ endpoint: leaderless.endpoint, number: 1, error: 'ETCD_NO_LEADER' });
    expect(tries).toContainEqual({ endpoint: etcd.endpoint, number: 2, error: undefined });
    expect(client.stats().retries).toBe(tries.length - 2);
  });

  it('send metadata with every call and stream, but cannot pass for the client itself', async () => {
    await using server = await startWireServer();
    const interceptor: EtcdInterceptor = {
      unary({ metadata }, next) {
        metadata.set('x-request-id', 'r1').set('token', 'forged').set('hasleader', 'forged');
        return next();
      },
      stream({ metadata }) {
        metadata.set('x-request-id', 's1').set('token', 'forged');
        return undefined;
      },
    };
    await using client = new EtcdClient({ endpoints: server.endpoint, interceptors: [interceptor] });

    await client.kv.get('a');
    await using watcher = client.watch.watch('a');
    expect(watcher).toBeDefined();
    await eventually(() => server.requestsTo(WATCH).length === 1);

    const headers = [RANGE, WATCH].map((path) => server.requestsTo(path)[0]!.headers);
    expect(headers.map((one) => one['x-request-id'])).toEqual(['r1', 's1']);
    expect(headers.map((one) => one['token'])).toEqual([undefined, undefined]);
    expect(headers.map((one) => one['client-api-version'])).toEqual(['3.7', '3.7']);
    expect(headers[0]?.['hasleader']).toBeUndefined();
  });

  it('may change an answer or an error, and one that fails fails its call and no other', async () => {
    const interceptor: EtcdInterceptor = {
      async unary({ method }, next) {
        if (method.name === 'LeaseTimeToLive') throw new Error('not today');
        return next().catch((cause: unknown) =>
          Promise.reject(new Error(`wrapped ${(cause as EtcdError).code}`, { cause })),
        );
      },
    };
    await using client = new EtcdClient({ endpoints: etcd.endpoints, interceptors: [interceptor] });

    const results = await Promise.allSettled([
      client.lease.timeToLive('123'),
      client.kv.put('a', 'x', { lease: '123' }),
      client.kv.put('a', 'x'),
    ]);

    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled']);
    const [first, second] = results.map((result) => (result as PromiseRejectedResult).reason as Error);
    expect(first?.message).toBe('not today');
    expect(second?.message).toBe('wrapped ETCD_LEASE_NOT_FOUND');
    expect(second?.cause).toBeInstanceOf(EtcdLeaseNotFoundError);
  });
});

describe('Diagnostics channels', () => {
  const listeners: [string, ChannelListener][] = [];

  afterEach(() => {
    for (const [name, listener] of listeners.splice(0)) unsubscribe(name, listener);
  });

  /** Notes what is published on all channels, as `channel method outcome`. */
  function listen(): { lines: string[]; messages: object[] } {
    const heard = { lines: [] as string[], messages: [] as object[] };
    for (const [event, name] of Object.entries(DIAGNOSTICS)) {
      const listener: ChannelListener = (message) => {
        const { call, error, attempt } = message as {
          call: { method: { name: string } };
          error?: EtcdError;
          attempt?: object;
        };
        heard.messages.push(message as object);
        heard.lines.push(`${event} ${call.method.name} ${attempt === undefined ? (error?.code ?? '') : 'try'}`.trim());
      };
      subscribe(name, listener);
      listeners.push([name, listener]);
    }
    return heard;
  }

  it('tell of calls that succeed and fail and of streams, to clients without interceptors too', async () => {
    const { lines } = listen();
    await using client = new EtcdClient({ endpoints: etcd.endpoints });

    await client.kv.put('a', 'x');
    await client.kv.put('a', 'x', { lease: '123' }).catch(() => undefined);
    let leftBytes = -1;
    for await (const { remainingBytes } of client.maintenance.snapshot()) leftBytes = remainingBytes;

    expect(leftBytes).toBe(0);
    expect(lines).toEqual([
      'callStart Put',
      'callAttempt Put try',
      'callEnd Put',
      'callStart Put',
      'callAttempt Put try',
      'callEnd Put ETCD_LEASE_NOT_FOUND',
      'streamStart Snapshot',
      'streamEnd Snapshot',
    ]);
  });

  it('tell nothing of requests that hold passwords, but that they are made (C5)', async () => {
    const { lines, messages } = listen();
    await using client = new EtcdClient({ endpoints: etcd.endpoints });

    await client.auth.userAdd('diagnostics', { password: 'a password nobody may see' });
    await client.auth.userDelete('diagnostics');

    expect(lines).toContain('callEnd UserAdd');
    expect(JSON.stringify(messages)).not.toContain('a password nobody may see');
    expect(messages.every((message) => (message as { call: { request?: object } }).call.request === undefined)).toBe(
      true,
    );
  });

  it('are silent once nobody listens', async () => {
    const { lines } = listen();
    for (const [name, listener] of listeners.splice(0)) unsubscribe(name, listener);
    await using client = new EtcdClient({ endpoints: etcd.endpoints });

    await client.kv.get('a');

    expect(lines).toEqual([]);
  });
});
