/** Locks that several have at a time: for reading, and up to a number. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { EtcdConcurrency } from '../../../lib/client/concurrency/concurrency.js';
import type { Lock } from '../../../lib/client/concurrency/lock.js';
import type { RwMutex } from '../../../lib/client/concurrency/locker.js';
import { TXN } from '../../../lib/client/rpc/methods.js';
import { MemoryEtcd, quiet, watchOver, type Watched } from './memory-etcd.js';

let etcd: MemoryEtcd;
let concurrency: EtcdConcurrency;

beforeEach(() => {
  etcd = new MemoryEtcd();
  ({ concurrency } = etcd.client());
});

/** Begins to wait, and lets everything happen that does not take time. */
async function begin(acquire: () => Promise<Lock>): Promise<Watched<Lock>> {
  const seen = watchOver(acquire());
  await quiet();
  return seen;
}

function held(...seen: Watched<Lock>[]): boolean[] {
  return seen.map(({ value }) => value?.isHeld === true);
}

describe('A lock for reading and writing', () => {
  let rw: RwMutex;
  beforeEach(() => {
    rw = concurrency.rwMutex('book');
  });

  const read = () => begin(() => rw.read.acquire({ ttlSeconds: 600 }));
  const write = () => begin(() => rw.write.acquire({ ttlSeconds: 600 }));

  it('has the keys of Go’s recipe (K1)', async () => {
    const reader = await rw.read.acquire();
    await reader.release();
    const writer = await rw.write.acquire();

    expect(reader.key).toMatch(new RegExp(`^book/read/${reader.leaseId}-[0-9a-f]+$`));
    expect(writer.key).toMatch(new RegExp(`^book/write/${writer.leaseId}-[0-9a-f]+$`));
    expect(etcd.store.get(writer.key)).toMatchObject({ lease: writer.leaseId });
  });

  it('lets readers in together', async () => {
    const readers = [await read(), await read(), await read()];

    expect(held(...readers)).toEqual([true, true, true]);
  });

  it('lets a writer in alone', async () => {
    const first = await write();
    const [second, reader] = [await write(), await read()];
    expect(held(first, second, reader)).toEqual([true, false, false]);

    await first.value!.release();
    await quiet();
    expect(held(second, reader)).toEqual([true, false]);

    await second.value!.release();
    await quiet();
    expect(held(reader)).toEqual([true]);
  });

  it('has a writer wait for all readers before it, and for none after it', async () => {
    const [one, two] = [await read(), await read()];
    const writer = await write();
    const late = await read();

    await two.value!.release();
    await quiet();
    expect(held(writer, late)).toEqual([false, false]);
    await one.value!.release();
    await quiet();

    expect(held(writer, late)).toEqual([true, false]);
  });

  it('lets the readers in that waited for a writer who gave up', async () => {
    const first = await read();
    const abort = new AbortController();
    const writer = await begin(() => rw.write.acquire({ signal: abort.signal }));
    const late = await read();
    expect(held(first, writer, late)).toEqual([true, false, false]);

    abort.abort();
    await quiet();

    expect(held(late)).toEqual([true]);
    expect(etcd.store.keysOf('book/write/')).toEqual([]);
  });

  it('has a reader that waits on several writers wait for all of them', async () => {
    const first = await write();
    const abort = new AbortController();
    await begin(() => rw.write.acquire({ signal: abort.signal, ttlSeconds: 600 }));
    const reader = await read();

    abort.abort(); // the last writer goes, the first is still there
    await quiet();
    expect(held(first, reader)).toEqual([true, false]);

    await first.value!.release();
    await quiet();
    expect(held(reader)).toEqual([true]);
  });

  it('does not let in whose session has died (etcd #16221)', async () => {
    const first = await write();
    const session = await concurrency.session({ ttlSeconds: 600 });
    const second = await begin(() => rw.write.acquire({ session }));

    await etcd.revokeLease(session.leaseId);
    await first.value!.release();
    await quiet();

    expect(second.error).toMatchObject({ code: 'ETCD_LOCK_LOST' });
  });

  it('may be had several times on one session', async () => {
    const session = await concurrency.session();
    const readers = [await rw.read.acquire({ session }), await rw.read.acquire({ session })];
    const writer = await begin(() => rw.write.acquire({ session }));

    expect(new Set(readers.map(({ key }) => key)).size).toBe(2);
    expect(held(writer)).toEqual([false]);
    expect(await rw.write.tryAcquire({ session })).toBeUndefined();
  });

  it('respects the keys of other programs', async () => {
    await etcd.put('book/write/1700000000000000000');
    const reader = await read();
    expect(held(reader)).toEqual([false]);

    await etcd.delete('book/write/1700000000000000000');
    await quiet();

    expect(held(reader)).toEqual([true]);
  });
});

describe('A semaphore', () => {
  const enter = () => begin(() => concurrency.semaphore('seats', 2).acquire({ ttlSeconds: 600 }));

  it('lets in as many as it has permits, then one for each that goes, in their order', async () => {
    const all = [await enter(), await enter(), await enter(), await enter(), await enter()];
    expect(held(...all)).toEqual([true, true, false, false, false]);

    await all[1]!.value!.release();
    await quiet();
    expect(held(...all)).toEqual([true, false, true, false, false]);

    await all[0]!.value!.release();
    await all[2]!.value!.release();
    await quiet();
    expect(held(...all)).toEqual([false, false, false, true, true]);
  });

  it('lets in who comes when a permit is free', async () => {
    const [first] = [await enter(), await enter()];
    await first.value!.release();

    const third = await enter();

    expect(held(third)).toEqual([true]);
  });

  it('costs a waiter no request until there may be room', async () => {
    const all = [await enter(), await enter(), await enter(), await enter()];
    const before = etcd.requestsOf(TXN).length;

    await all[0]!.value!.release();
    await quiet();

    expect(held(...all)).toEqual([false, true, true, false]);
    expect(etcd.requestsOf(TXN).length - before).toBe(1);
  });

  it('counts only those that are still there', async () => {
    const abort = new AbortController();
    const [first, second] = [await enter(), await enter()];
    await begin(() => concurrency.semaphore('seats', 2).acquire({ signal: abort.signal }));
    const fourth = await enter();

    abort.abort();
    await quiet();
    expect(held(fourth)).toEqual([false]);
    await second.value!.release();
    await quiet();

    expect(held(first, fourth)).toEqual([true, true]);
  });

  it('of one permit is a lock', async () => {
    const seat = concurrency.semaphore('seat', 1);
    const first = await seat.acquire();

    expect(await seat.tryAcquire()).toBeUndefined();
    await first.release();
    expect((await seat.tryAcquire())?.isHeld).toBe(true);
  });

  it('tells the permits of one session apart', async () => {
    const session = await concurrency.session();
    const seats = concurrency.semaphore('seats', 2);
    const first = await seats.acquire({ session });
    const second = await seats.acquire({ session });

    expect(await seats.tryAcquire({ session })).toBeUndefined();
    await first.release();

    expect(second.isHeld).toBe(true);
    expect(etcd.store.keysOf('seats/')).toEqual([second.key]);
  });
});
