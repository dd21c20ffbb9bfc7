/** Too much of something: large answers, a full store, deadlines that cannot be, buffers that change, and floods of calls. Groups A, F and I. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { EtcdClient } from '../../lib/client/client.js';
import { EtcdInvalidArgumentError, EtcdMessageTooLargeError } from '../../lib/client/errors.js';
import { prefix } from '../../lib/client/key-range.js';
import { EtcdNoSpaceError } from '../../lib/client/server-errors.js';
import type { Etcd } from '../support/etcd/cluster.js';
import { failureOf } from '../support/failure.js';
import { startEtcd } from '../support/index.js';
import { startProxy, type TcpProxy } from '../support/tcp-proxy.js';

const MEBIBYTE = 1024 * 1024;

let etcd: Etcd;
let proxy: TcpProxy;
let client: EtcdClient;

beforeAll(async () => {
  etcd = await startEtcd({ own: true, flags: { 'quota-backend-bytes': 24 * MEBIBYTE } });
  proxy = await startProxy({ targetPort: etcd.members[0]!.port });
  client = new EtcdClient({ endpoints: proxy.endpoint });
}, 60_000);

afterAll(async () => {
  await client.close();
  await proxy.close();
  await etcd.stop();
});

describe('A deadline that cannot be', () => {
  it.each([0, -1, NaN, Infinity, 1.5, 1e12])(
    'such as %p is refused at once, with nothing sent (C1, A19)',
    async (timeoutMs) => {
      const sentBefore = proxy.bytes('c2s');

      const error = await failureOf(client.kv.put('limits/never', 'x', { timeoutMs }));

      expect(error).toBeInstanceOf(EtcdInvalidArgumentError);
      expect(error.outcome).toBe('not-applied');
      expect(error.message).toContain('timeoutMs');
      expect(proxy.bytes('c2s')).toBe(sentBefore);
    },
  );

  it('such as the longest one that can be is kept (A19)', async () => {
    await client.kv.put('limits/a', 'x', { timeoutMs: 2 ** 31 - 1 });
  });
});

describe('An answer of 6 MiB', () => {
  afterEach(async () => {
    await etcd.gateway.deletePrefix('limits/large/');
  });

  it('is delivered whole, and where it is more than the client takes, is told with its limit on a connection that stays (C4, C7, F4)', async () => {
    for (let index = 0; index < 6; index++) await client.kv.put(`limits/large/${index}`, Buffer.alloc(MEBIBYTE, index));
    await using small = new EtcdClient({ endpoints: proxy.endpoint, maxResponseBytes: 4 * MEBIBYTE });
    await small.ready();
    const connections = proxy.connections;

    const { kvs } = await client.kv.range(prefix('limits/large/'));
    const [tooLarge, ...others] = await Promise.allSettled([
      small.kv.range(prefix('limits/large/')),
      ...Array.from({ length: 10 }, () => small.kv.get('limits/a')),
    ]);

    expect(kvs.map(({ valueBytes }) => [valueBytes.length, valueBytes[0]])).toEqual(
      Array.from({ length: 6 }, (_, index) => [MEBIBYTE, index]),
    );
    expect((tooLarge as PromiseRejectedResult).reason).toBeInstanceOf(EtcdMessageTooLargeError);
    expect((tooLarge as PromiseRejectedResult).reason).toMatchObject({ what: 'response', limitBytes: 4 * MEBIBYTE });
    expect(others.every(({ status }) => status === 'fulfilled')).toBe(true);
    expect(small.stats().endpoints[0]?.state).toBe('ready');
    expect(proxy.connections).toBe(connections);
  });
});

describe('A buffer that the caller changes after the call', () => {
  it('is stored as it was when the call was made (F13)', async () => {
    const value = Buffer.from('before');
    const key = Buffer.from('limits/buffer');

    const writing = client.kv.put(key, value);
    value.fill('!');
    key.fill('!');
    await writing;

    expect((await etcd.gateway.get('limits/buffer'))?.value).toBe('before');
  });
});

describe('A key that is too large', () => {
  it('is refused with a short error, little work and nothing sent (C7, F14)', async () => {
    const key = 'k'.repeat(10 * MEBIBYTE);
    const sentBefore = proxy.bytes('c2s');

    const before = process.cpuUsage();
    const error = await failureOf(client.kv.put(key, 'x'));
    const { user, system } = process.cpuUsage(before);

    expect(error).toBeInstanceOf(EtcdMessageTooLargeError);
    expect(error.message.length).toBeLessThan(300);
    expect((user + system) / 1_000).toBeLessThan(1_000);
    expect(proxy.bytes('c2s')).toBe(sentBefore);
  });
});

describe('A store without space', () => {
  it('is a typed error for writes, leaves reads alone, and works again after compaction, defragmentation and disarming (C2, F6)', async () => {
    const fill = async (): Promise<never> => {
      for (let index = 0; ; index++) await client.kv.put('limits/fill', Buffer.alloc(MEBIBYTE, index));
    };

    const full = await failureOf(fill());
    const again = await failureOf(client.kv.put('limits/b', 'x'));
    const read = await client.kv.get('limits/a');
    const [alarm] = await client.maintenance.alarms();

    for (const error of [full, again]) {
      expect(error).toBeInstanceOf(EtcdNoSpaceError);
      expect(error.outcome).toBe('not-applied');
    }
    expect(read?.value).toBe('x');
    expect(alarm?.alarm).toBe('NOSPACE');
    expect(await etcd.gateway.get('limits/b')).toBeUndefined();

    const { revision } = (await client.kv.range('limits/a')).header;
    await client.kv.compact(revision, { physical: true });
    await client.maintenance.defragment(proxy.endpoint);
    await client.maintenance.disarmAlarm(alarm!);
    await client.kv.put('limits/b', 'x');

    expect((await etcd.gateway.get('limits/b'))?.version).toBe(1);
    expect(client.stats().endpoints[0]?.state).toBe('ready');
  }, 30_000);
});
