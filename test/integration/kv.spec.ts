/** Every option of reading, writing, deleting and compacting, on a real etcd. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { EtcdClient } from '../../lib/client/client.js';
import { EtcdMessageTooLargeError } from '../../lib/client/errors.js';
import { allKeys, fromKey, prefix, range } from '../../lib/client/key-range.js';
import type { KeyValue } from '../../lib/client/key-value.js';
import type { EtcdKv } from '../../lib/client/kv/kv.js';
import type { SortBy } from '../../lib/client/kv/range-request.js';
import {
  EtcdCompactedError,
  EtcdFutureRevisionError,
  EtcdKeyNotFoundError,
  EtcdLeaseNotFoundError,
} from '../../lib/client/server-errors.js';
import { startEtcd, type Etcd } from '../support/index.js';

let etcd: Etcd;
let client: EtcdClient;
let kv: EtcdKv;
/** A place of its own for each test. */
let at: string;
let tests = 0;

beforeAll(async () => {
  etcd = await startEtcd();
  client = new EtcdClient({ endpoints: etcd.endpoints });
  kv = client.kv;
});

beforeEach(() => {
  at = `kv-spec/${process.pid}/${++tests}/`;
});

afterAll(async () => {
  await client.close();
  await etcd.stop();
});

const keysOf = (kvs: readonly KeyValue[]): string[] => kvs.map(({ key }) => key.slice(at.length));

/** Writes keys in this order, and tells the revision of each. */
async function write(...entries: [key: string, value: string][]): Promise<number[]> {
  const revisions: number[] = [];
  for (const [key, value] of entries) revisions.push((await kv.put(at + key, value)).header.revision);
  return revisions;
}

describe('Put and get', () => {
  it('store a key with its revisions, as etcd shows them', async () => {
    const { header } = await kv.put(`${at}a`, 'one');
    await kv.put(`${at}a`, 'two');
    const found = await kv.get(`${at}a`);

    expect(found).toMatchObject({ createRevision: header.revision, modRevision: header.revision + 1, version: 2 });
    expect(found?.value).toBe('two');
    expect(found?.lease).toBeUndefined();
    expect(await etcd.gateway.get(`${at}a`)).toMatchObject({ value: 'two', modRevision: header.revision + 1 });
  });

  it('tell who answered as etcdctl shows it', async () => {
    const { header } = await kv.put(`${at}a`, 'x');
    const status = JSON.parse(await etcd.etcdctl('endpoint', 'status', '-w', 'json')) as {
      Status: { header: { cluster_id: number; member_id: number; raft_term: number } };
    }[];

    // etcdctl writes these IDs as JSON numbers, which lose their last digits here.
    const { cluster_id, member_id, raft_term } = status[0]!.Status.header;
    expect(Number(BigInt(`0x${header.clusterId}`))).toBe(cluster_id);
    expect(Number(BigInt(`0x${header.memberId}`))).toBe(member_id);
    expect(header.raftTerm).toBe(raft_term);
  });

  it('give undefined for a key that does not exist, and the empty text for an empty value', async () => {
    await kv.put(`${at}empty`, '');

    expect(await kv.get(`${at}missing`)).toBeUndefined();
    expect((await kv.get(`${at}empty`))?.value).toBe('');
    expect((await kv.get(`${at}empty`))?.valueBytes.byteLength).toBe(0);
  });

  it.each([
    ['a zero byte', [0]],
    ['bytes that are no UTF-8', [0xff, 0xfe, 0x80, 0xc0]],
    ['every byte there is', Array.from({ length: 256 }, (_, index) => index)],
  ])('keep %s in keys and values exactly', async (_name, data) => {
    const key = Buffer.concat([Buffer.from(at), Buffer.from(data)]);
    const value = Uint8Array.from(data);

    await kv.put(key, value);
    const found = await kv.get(key);
    const [ranged] = (await kv.range(prefix(at))).kvs;

    expect(Buffer.from(found!.keyBytes)).toEqual(key);
    expect(Buffer.from(found!.valueBytes)).toEqual(Buffer.from(value));
    expect(Buffer.from(ranged!.keyBytes)).toEqual(key);
    expect((await etcd.gateway.get(key))?.valueBytes).toEqual(Buffer.from(value));
  });

  it.each(['__proto__', 'constructor', 'toString', 'schlüssel/🗝', '\u0000'])(
    'take %j as a key like any other',
    async (name) => {
      await kv.put(at + name, name);
      await kv.put(name, name);

      expect((await kv.get(at + name))?.value).toBe(name);
      expect((await kv.get(name))?.key).toBe(name);
      expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
      await kv.delete(name);
    },
  );

  it('take a key of 4,000 bytes', async () => {
    const name = at + 'ä'.repeat(2_000);

    await kv.put(name, 'x');

    expect((await kv.get(name))?.keyBytes.byteLength).toBe(at.length + 4_000);
  });

  it('carry values of 1 MiB', async () => {
    const value = Buffer.alloc(1024 * 1024, 'v');

    await kv.put(`${at}large`, value);

    expect(Buffer.from((await kv.get(`${at}large`))!.valueBytes).equals(value)).toBe(true);
  });

  it('tell a request that is too large for the server, or for the client, and go on (C7)', async () => {
    const forServer = kv.put(`${at}large`, Buffer.alloc(1_700_000));
    await expect(forServer).rejects.toBeInstanceOf(EtcdMessageTooLargeError);
    await expect(forServer).rejects.toMatchObject({ what: 'request', outcome: 'not-applied' });

    const forClient = kv.put(`${at}large`, Buffer.alloc(3_000_000));
    await expect(forClient).rejects.toMatchObject({ what: 'request', limitBytes: 2 * 1024 * 1024 });

    await kv.put(`${at}small`, 'x');
    expect(await kv.count(prefix(at))).toBe(1);
  });

  it('read at an older revision', async () => {
    const [first] = await write(['a', 'one'], ['a', 'two']);

    expect((await kv.get(`${at}a`, { revision: first! }))?.value).toBe('one');
    expect((await kv.get(`${at}a`, { revision: 0 }))?.value).toBe('two');
    expect(await kv.get(`${at}a`, { revision: first! - 1 })).toBeUndefined();
  });

  it('read without the value', async () => {
    await write(['a', 'one']);

    expect((await kv.get(`${at}a`, { keysOnly: true }))?.value).toBe('');
  });

  it('read what one member has', async () => {
    await write(['a', 'one']);

    expect((await kv.get(`${at}a`, { serializable: true }))?.value).toBe('one');
  });

  it('return the key as it was', async () => {
    const [first] = await write(['a', 'one']);

    const { prevKv } = await kv.put(`${at}a`, 'two', { prevKv: true });

    expect(prevKv).toMatchObject({ modRevision: first, version: 1 });
    expect(prevKv?.value).toBe('one');
    expect((await kv.put(`${at}new`, 'x', { prevKv: true })).prevKv).toBeUndefined();
  });

  it('refuse a future revision, the largest number too', async () => {
    await write(['a', 'one']);

    await expect(kv.get(`${at}a`, { revision: Number.MAX_SAFE_INTEGER })).rejects.toBeInstanceOf(
      EtcdFutureRevisionError,
    );
    await expect(kv.get(`${at}a`, { revision: 2 ** 53 })).rejects.toMatchObject({ code: 'ETCD_INVALID_ARGUMENT' });
    await expect(kv.get(`${at}a`, { revision: -1 })).rejects.toMatchObject({ code: 'ETCD_INVALID_ARGUMENT' });
  });
});

describe('Put with a lease', () => {
  it('attaches the key, detaches it, and keeps the lease or the value when asked', async () => {
    const lease = await etcd.gateway.grantLease(600);
    const other = await etcd.gateway.grantLease(600);

    await kv.put(`${at}a`, 'one', { lease });
    const attached = await kv.get(`${at}a`);
    await kv.put(`${at}a`, 'two', { ignoreLease: true });
    const kept = await kv.get(`${at}a`);
    await kv.put(`${at}a`, { ignoreValue: true, lease: other });
    const moved = await kv.get(`${at}a`);
    await kv.put(`${at}a`, { ignoreValue: true });
    const detached = await kv.get(`${at}a`);

    expect([attached?.lease, attached?.value]).toEqual([lease, 'one']);
    expect([kept?.lease, kept?.value]).toEqual([lease, 'two']);
    expect([moved?.lease, moved?.value]).toEqual([other, 'two']);
    expect([detached?.lease, detached?.value]).toEqual([undefined, 'two']);
  });

  it.each(['-5', '-7fffffffffffffff', '7fffffffffffffff', '1'])('takes the ID %s', async (lease) => {
    const id = BigInt(`0x${lease.replace('-', '')}`) * (lease.startsWith('-') ? -1n : 1n);
    await etcd.gateway.call('/v3/lease/grant', { TTL: 600, ID: id.toString() });

    await kv.put(`${at}a`, 'x', { lease });

    expect((await kv.get(`${at}a`))?.lease).toBe(lease);
    expect((await kv.range(prefix(at))).kvs[0]?.lease).toBe(lease);
    await etcd.gateway.call('/v3/lease/revoke', { ID: id.toString() });
    expect(await kv.get(`${at}a`)).toBeUndefined();
  });

  it('fails for a lease that does not exist, and for a key that has nothing to keep', async () => {
    await expect(kv.put(`${at}a`, 'x', { lease: 'abcdef' })).rejects.toBeInstanceOf(EtcdLeaseNotFoundError);
    await expect(kv.put(`${at}a`, 'x', { ignoreLease: true })).rejects.toBeInstanceOf(EtcdKeyNotFoundError);
    await expect(kv.put(`${at}a`, { ignoreValue: true })).rejects.toMatchObject({ outcome: 'not-applied' });
    expect(await kv.get(`${at}a`)).toBeUndefined();
  });
});

describe('Range', () => {
  it('reads a key, a prefix, a range, and everything from a key on', async () => {
    await write(['a', '1'], ['a/1', '2'], ['a/2', '3'], ['b', '4']);

    expect(keysOf((await kv.range(`${at}a`)).kvs)).toEqual(['a']);
    expect(keysOf((await kv.range(prefix(`${at}a/`))).kvs)).toEqual(['a/1', 'a/2']);
    expect(keysOf((await kv.range(range(`${at}a/1`, `${at}b`))).kvs)).toEqual(['a/1', 'a/2']);
    expect(keysOf((await kv.range(fromKey(`${at}a/2`), { limit: 2 })).kvs)).toEqual(['a/2', 'b']);
    expect(await kv.count(allKeys())).toBe((await etcd.gateway.getPrefix('')).length);
  });

  it('reads a prefix that ends in 0xff', async () => {
    const start = Buffer.concat([Buffer.from(at), Buffer.of(0xff, 0xff)]);
    await kv.put(Buffer.concat([start, Buffer.of(0xff)]), 'inside');
    await kv.put(Buffer.concat([Buffer.from(at), Buffer.of(0xff, 0xfe)]), 'outside');

    expect((await kv.range(prefix(start))).kvs.map(({ value }) => value)).toEqual(['inside']);
  });

  it('answers with count and more beside the limit', async () => {
    await write(['1', 'x'], ['2', 'x'], ['3', 'x']);

    const some = await kv.range(prefix(at), { limit: 2 });
    const all = await kv.range(prefix(at), { limit: 3 });
    const none = await kv.range(prefix(`${at}missing`));

    expect([keysOf(some.kvs), some.count, some.more]).toEqual([['1', '2'], 3, true]);
    expect([keysOf(all.kvs), all.count, all.more]).toEqual([['1', '2', '3'], 3, false]);
    expect([none.kvs, none.count, none.more]).toEqual([[], 0, false]);
  });

  it('counts, now and at an older revision', async () => {
    const [, second] = await write(['1', 'x'], ['2', 'x'], ['3', 'x']);

    const counted = await kv.range(prefix(at), { countOnly: true });

    expect([counted.kvs, counted.count]).toEqual([[], 3]);
    expect(await kv.count(prefix(at))).toBe(3);
    expect(await kv.count(prefix(at), { revision: second! })).toBe(2);
    expect(await kv.count(prefix(at), { serializable: true })).toBe(3);
  });

  it('reads keys without values', async () => {
    await write(['1', 'one'], ['2', 'two']);

    const { kvs } = await kv.range(prefix(at), { keysOnly: true });

    expect(keysOf(kvs)).toEqual(['1', '2']);
    expect(kvs.map(({ value }) => value)).toEqual(['', '']);
  });

  it.each<[SortBy, string]>([
    ['key', 'a b c'],
    ['version', 'b a c'],
    ['create', 'c b a'],
    ['mod', 'b a c'],
    ['value', 'c a b'],
  ])('sorts by %s, both ways', async (by, ascending) => {
    await write(['c', '0'], ['b', '3'], ['a', '1'], ['a', '2'], ['c', '0'], ['c', '1']);

    const up = await kv.range(prefix(at), { sort: { by, order: 'ascend' } });
    const down = await kv.range(prefix(at), { sort: { by, order: 'descend' } });
    const first = await kv.range(prefix(at), { sort: { by, order: 'ascend' }, limit: 1 });

    expect(keysOf(up.kvs).join(' ')).toBe(ascending);
    expect(keysOf(down.kvs)).toEqual(keysOf(up.kvs).reverse());
    expect(keysOf(first.kvs)).toEqual([ascending[0]]);
    expect(first.more).toBe(true);
  });

  it('bounds the revisions of the keys it returns, both ends included', async () => {
    const [r1, r2, r3, r4] = (await write(['1', 'x'], ['2', 'x'], ['3', 'x'], ['1', 'y'])) as [number, ...number[]];
    const keys = async (bounds: object): Promise<string[]> => keysOf((await kv.range(prefix(at), bounds)).kvs);

    expect(await keys({ minModRevision: r3 })).toEqual(['1', '3']);
    expect(await keys({ maxModRevision: r3 })).toEqual(['2', '3']);
    expect(await keys({ minModRevision: r2, maxModRevision: r2 })).toEqual(['2']);
    expect(await keys({ minModRevision: r4 })).toEqual(['1']);
    expect(await keys({ minCreateRevision: r2 })).toEqual(['2', '3']);
    expect(await keys({ maxCreateRevision: r1 })).toEqual(['1']);
    expect(await keys({ maxCreateRevision: r2, minModRevision: r2 })).toEqual(['1', '2']);
    expect((await kv.range(prefix(at), { minModRevision: r3, limit: 1 })).count).toBe(3);
  });
});

describe('Delete', () => {
  it('deletes a key, a range or nothing, and tells how many', async () => {
    await write(['a', '1'], ['a/1', '2'], ['a/2', '3'], ['b', '4']);

    const one = await kv.delete(`${at}b`);
    const many = await kv.delete(prefix(`${at}a/`), { prevKv: true });
    const none = await kv.delete(`${at}missing`, { prevKv: true });

    expect([one.deleted, one.prevKvs]).toEqual([1, []]);
    expect([many.deleted, many.prevKvs.map(({ value }) => value)]).toEqual([2, ['2', '3']]);
    expect([none.deleted, none.prevKvs]).toEqual([0, []]);
    expect(none.header.revision).toBe(many.header.revision);
    expect((await etcd.gateway.getPrefix(at)).map(({ key }) => key)).toEqual([`${at}a`]);
  });

  it('lets the key begin anew', async () => {
    await write(['a', '1'], ['a', '2']);

    await kv.delete(`${at}a`);
    const [again] = await write(['a', '3']);

    expect(await kv.get(`${at}a`)).toMatchObject({ createRevision: again, modRevision: again, version: 1 });
  });
});

describe('Compact', () => {
  it.each([false, true])('drops the history before a revision (physical: %s)', async (physical) => {
    const [first, second, third] = (await write(['a', '1'], ['a', '2'], ['a', '3'])) as [number, number, number];

    const { header } = await kv.compact(second, { physical });

    expect(header.revision).toBe(third);
    expect((await kv.get(`${at}a`, { revision: second }))?.value).toBe('2');
    const old = kv.get(`${at}a`, { revision: first });
    await expect(old).rejects.toBeInstanceOf(EtcdCompactedError);
    await expect(old).rejects.toMatchObject({ reason: 'Compacted', method: 'KV.Range' });
    await expect(kv.compact(first)).rejects.toMatchObject({ code: 'ETCD_COMPACTED', outcome: 'not-applied' });
    await expect(kv.compact(third + 1_000)).rejects.toBeInstanceOf(EtcdFutureRevisionError);
  });
});

describe('A call', () => {
  it('ends when its signal aborts, and says so', async () => {
    const reason = new Error('not needed any more');

    await expect(kv.get(`${at}a`, { signal: AbortSignal.abort(reason) })).rejects.toMatchObject({
      code: 'ETCD_ABORTED',
      cause: reason,
    });
    await expect(kv.put(`${at}a`, 'x', { signal: AbortSignal.abort() })).rejects.toMatchObject({
      outcome: 'not-applied',
    });
    expect(await kv.get(`${at}a`)).toBeUndefined();
  });

  it('of others is not disturbed by one that was refused (F1)', async () => {
    const results = await Promise.allSettled([
      kv.put(`${at}good`, 'x'),
      kv.put('', 'x'),
      kv.put(`${at}bad`, 'x', { lease: 'abcdef' }),
      kv.get(`${at}bad`, { revision: Number.MAX_SAFE_INTEGER }),
      kv.get(`${at}good`),
    ]);

    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'rejected', 'fulfilled']);
  });
});
