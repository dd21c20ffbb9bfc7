/** Locks: who gets them, when, and what is left in the store; promises K1 and K2. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import { EtcdLockLostError, EtcdLockTimeoutError } from '../../../lib/client/concurrency/concurrency-errors.js';
import type { EtcdConcurrency } from '../../../lib/client/concurrency/concurrency.js';
import { EtcdAbortedError, EtcdInvalidArgumentError } from '../../../lib/client/errors.js';
import { put } from '../../../lib/client/kv/operations.js';
import { EtcdLeaseLostError } from '../../../lib/client/lease/lease-lost.js';
import { LEASE_GRANT, LEASE_REVOKE, RANGE, TXN } from '../../../lib/client/rpc/methods.js';
import { EtcdPermissionDeniedError } from '../../../lib/client/server-errors.js';
import { MemoryEtcd, quiet, watchOver, type MemoryClient } from './memory-etcd.js';

let etcd: MemoryEtcd;
let client: MemoryClient;
let concurrency: EtcdConcurrency;

beforeEach(() => {
  etcd = new MemoryEtcd();
  client = etcd.client();
  ({ concurrency } = client);
});

const keys = (): string[] => etcd.store.keysOf('jobs/');

describe('A lock', () => {
  it('is a key of the name, a slash and the lease in hex, empty, on that lease, as in Go (K1)', async () => {
    const lock = await concurrency.acquire('jobs', { ttlSeconds: 12 });

    const stored = etcd.store.get(lock.key)!;
    expect(lock.key).toBe(`jobs/${lock.leaseId}`);
    expect(lock.leaseId).toMatch(/^[1-9a-f][0-9a-f]*$/);
    expect(stored).toMatchObject({ lease: lock.leaseId, version: 1, createRevision: lock.fencingToken });
    expect(stored.value).toHaveLength(0);
    expect(etcd.requestsOf(LEASE_GRANT)).toMatchObject([{ TTL: 12 }]);
  });

  it('costs one grant and one transaction when it is free, and one revocation to give back', async () => {
    const lock = await concurrency.acquire('jobs');
    await lock.release();

    expect(etcd.requests.map(({ method }) => method.name)).toEqual(['LeaseGrant', 'Txn', 'LeaseRevoke']);
    expect(keys()).toEqual([]);
  });

  it('lets the first to come have it first, and the others after that, in their order', async () => {
    const order: number[] = [];
    const enter = (index: number) => concurrency.lock('jobs', () => void order.push(index));

    const all: Promise<unknown>[] = [];
    for (const index of [0, 1, 2, 3, 4]) {
      all.push(enter(index));
      await quiet();
    }
    await Promise.all(all);

    expect(order).toEqual([0, 1, 2, 3, 4]);
    expect(keys()).toEqual([]);
  });

  it('has each waiter watch the one before it, and nobody else (D12)', async () => {
    const locks = [];
    for (let count = 0; count < 4; count++) {
      locks.push(concurrency.acquire('jobs'));
      await quiet();
    }
    const first = await locks[0]!;
    const queue = keys()
      .map((key) => etcd.store.get(key)!)
      .sort((a, b) => a.createRevision - b.createRevision)
      .map(({ key }) => Buffer.from(key).toString());

    expect(etcd.watchedKeys()).toEqual(queue.slice(0, 3).sort());

    const before = etcd.requestsOf(TXN).length;
    await first.release();
    await locks[1];
    expect(etcd.requestsOf(TXN).length - before).toBe(1); // one look, by the one whose turn it is
  });

  it('gives later holders higher fencing tokens, and a guard that holds for the holder only (K2)', async () => {
    const first = await concurrency.acquire('jobs');
    const write = (value: string) => client.kv.txn().if(first.guard).then(put('balance', value)).commit();
    const whileHeld = await write('1');

    await first.release();
    const second = await concurrency.acquire('jobs');
    const afterwards = await write('2');

    expect([whileHeld.succeeded, afterwards.succeeded]).toEqual([true, false]);
    expect(second.fencingToken).toBeGreaterThan(first.fencingToken);
  });

  it('is released when the body has ended, and returns what it returned', async () => {
    const seen = await concurrency.lock('jobs', { ttlSeconds: 5 }, async (lock) => {
      await quiet();
      return { isHeld: lock.isHeld, keys: keys() };
    });

    expect(seen).toEqual({ isHeld: true, keys: [expect.stringMatching(/^jobs\//)] });
    expect(keys()).toEqual([]);
  });

  it('is released when the body throws, which is passed on', async () => {
    const failed = concurrency.lock('jobs', () => Promise.reject(new Error('out of paper')));

    await expect(failed).rejects.toThrow('out of paper');
    expect(keys()).toEqual([]);
  });

  it('is released by `await using`', async () => {
    {
      await using lock = await concurrency.acquire('jobs');
      expect(lock.isHeld).toBe(true);
    }

    expect(keys()).toEqual([]);
  });

  it.each([
    ['a name that is empty', () => concurrency.acquire('')],
    ['a name that is no text', () => concurrency.acquire(7 as unknown as string)],
    ['a negative wait', () => concurrency.acquire('jobs', { waitMs: -1 })],
    ['a wait that is no number', () => concurrency.acquire('jobs', { waitMs: Number.NaN })],
    ['a TTL of 0', () => concurrency.acquire('jobs', { ttlSeconds: 0 })],
    ['no permits', () => Promise.resolve().then(() => concurrency.semaphore('jobs', 0))],
    ['a session that is none', () => concurrency.acquire('jobs', { session: {} as never })],
  ])('refuses %s before anything is sent', async (_, attempt) => {
    await expect(attempt()).rejects.toBeInstanceOf(EtcdInvalidArgumentError);
    expect(etcd.requests).toEqual([]);
  });
});

describe('A wait for a lock', () => {
  it('ends when its time is over, naming the key in the way, and leaves no key (D10)', async () => {
    const holder = await concurrency.acquire('jobs');
    const waiting = watchOver(concurrency.acquire('jobs', { waitMs: 500 }));
    await quiet();
    expect(keys()).toHaveLength(2);

    await etcd.pass(500);

    expect(waiting.error).toBeInstanceOf(EtcdLockTimeoutError);
    expect(waiting.error).toMatchObject({
      code: 'ETCD_LOCK_TIMEOUT',
      lockName: 'jobs',
      waitMs: 500,
      blockedBy: holder.key,
    });
    expect(keys()).toEqual([holder.key]);
    expect(etcd.store.leases.size).toBe(1);
  });

  it('of 0 does not wait at all, and tryAcquire returns undefined', async () => {
    const holder = await concurrency.acquire('jobs');

    const none = await concurrency.tryAcquire('jobs');
    await expect(concurrency.acquire('jobs', { waitMs: 0 })).rejects.toThrow(
      /was not free at once; in the way is key "jobs\//,
    );
    await holder.release();
    const one = await concurrency.tryAcquire('jobs');

    expect(none).toBeUndefined();
    expect(one?.isHeld).toBe(true);
    expect(keys()).toEqual([one!.key]);
  });

  it('ends when its signal aborts, and leaves no key', async () => {
    const holder = await concurrency.acquire('jobs');
    const abort = new AbortController();
    const reason = new Error('the request is gone');
    const waiting = watchOver(concurrency.acquire('jobs', { signal: abort.signal }));
    await quiet();

    abort.abort(reason);
    await quiet();

    expect(waiting.error).toBeInstanceOf(EtcdAbortedError);
    expect(waiting.error).toMatchObject({ cause: reason, method: 'Concurrency.Lock' });
    expect(keys()).toEqual([holder.key]);
  });

  it('with a signal that has aborted sends nothing', async () => {
    await expect(concurrency.acquire('jobs', { signal: AbortSignal.abort() })).rejects.toBeInstanceOf(EtcdAbortedError);

    expect(etcd.requests).toEqual([]);
  });

  it('that gives up does not hold up the one behind it', async () => {
    const holder = await concurrency.acquire('jobs');
    const abort = new AbortController();
    const second = watchOver(concurrency.acquire('jobs', { signal: abort.signal }));
    await quiet();
    const third = concurrency.acquire('jobs');
    await quiet();

    abort.abort();
    await quiet();
    await holder.release();

    expect((await third).isHeld).toBe(true);
    expect(second.error).toBeInstanceOf(EtcdAbortedError);
  });

  it('is not over when the one before it gave up while somebody else holds the lock', async () => {
    const holder = await concurrency.acquire('jobs');
    const abort = new AbortController();
    const second = watchOver(concurrency.acquire('jobs', { signal: abort.signal }));
    await quiet();
    const third = watchOver(concurrency.acquire('jobs'));
    await quiet();

    abort.abort();
    await quiet();

    expect(second.error).toBeDefined();
    expect(third).toEqual({});
    await holder.release();
    await quiet();
    expect(third.value?.isHeld).toBe(true);
  });

  it('notices the death of its own session (D11)', async () => {
    await concurrency.acquire('jobs', { ttlSeconds: 600 });
    const session = await concurrency.session({ ttlSeconds: 9 });
    const waiting = watchOver(concurrency.acquire('jobs', { session }));
    await quiet();

    await etcd.revokeLease(session.leaseId);
    await etcd.pass(4_000);

    expect(waiting.error).toBeInstanceOf(EtcdLockLostError);
    expect(waiting.error).toMatchObject({ reason: 'lease-lost', cause: { reason: 'not-found' } });
  });

  it('never ends in a lock whose session has died unnoticed: that is looked at again when its turn comes (D11)', async () => {
    const holder = await concurrency.acquire('jobs', { ttlSeconds: 600 });
    const session = await concurrency.session({ ttlSeconds: 60 });
    const waiting = watchOver(concurrency.acquire('jobs', { session }));
    await quiet();

    await etcd.revokeLease(session.leaseId);
    await holder.release();
    await quiet();

    expect(waiting.error).toMatchObject({ code: 'ETCD_LOCK_LOST', reason: 'key-gone' });
  });

  it('survives broken watches and compaction', async () => {
    const holder = await concurrency.acquire('jobs', { ttlSeconds: 600 });
    const waiting = watchOver(concurrency.acquire('jobs', { ttlSeconds: 600 }));
    await quiet();

    await etcd.put('other', 'x');
    etcd.isCut = true;
    await etcd.breakWatches();
    await etcd.put('other', 'y');
    etcd.compactAll();
    etcd.isCut = false;
    await etcd.pass(10_000);
    expect(waiting).toEqual({});

    await holder.release();
    await etcd.pass(1_000);
    expect(waiting.value?.isHeld).toBe(true);
  });

  it('is not woken for good by the deletion of a key that came back: it looks again', async () => {
    const holder = await concurrency.acquire('jobs', { ttlSeconds: 600 });
    const waiting = watchOver(concurrency.acquire('jobs', { ttlSeconds: 600 }));
    await quiet();

    await etcd.delete(holder.key);
    await etcd.put(holder.key, '', holder.leaseId);
    await quiet();

    // The key that came back is newer: it stands behind.
    expect(waiting.value?.isHeld).toBe(true);
  });
});

describe('A request whose answer was lost', () => {
  it('is sent again, and finds the key that is there already', async () => {
    etcd.next(TXN, 'lose-answer');
    const acquiring = concurrency.acquire('jobs');
    await quiet();
    await etcd.pass(1_000);

    const lock = await acquiring;

    expect(keys()).toEqual([lock.key]);
    expect(lock.fencingToken).toBe(etcd.store.get(lock.key)!.createRevision);
    expect(etcd.store.get(lock.key)!.version).toBe(1);
  });

  it('does not lose the place in the queue', async () => {
    const holder = await concurrency.acquire('jobs', { ttlSeconds: 600 });
    etcd.next(TXN, 'lose-answer');
    const second = watchOver(concurrency.acquire('jobs', { ttlSeconds: 600 }));
    await quiet();
    const third = watchOver(concurrency.acquire('jobs', { ttlSeconds: 600 }));
    await quiet();
    await etcd.pass(1_000);

    await holder.release();
    await quiet();

    expect(second.value?.isHeld).toBe(true);
    expect(third).toEqual({});
  });

  it('leaves no key when the caller gives up meanwhile, on an own session: the late put finds no lease', async () => {
    const abort = new AbortController();
    etcd.next(TXN, 'late', 'hang');
    const acquiring = watchOver(concurrency.acquire('jobs', { signal: abort.signal }));
    await etcd.pass(100);
    abort.abort();
    await quiet();

    await etcd.carryOutLate();

    expect(acquiring.error).toBeInstanceOf(EtcdAbortedError);
    expect(keys()).toEqual([]);
  });

  it('leaves no key when the caller gives up meanwhile, on a shared session: the late key is deleted', async () => {
    const session = await concurrency.session({ ttlSeconds: 600 });
    const abort = new AbortController();
    etcd.next(TXN, 'late', 'hang');
    const acquiring = watchOver(concurrency.acquire('jobs', { session, signal: abort.signal }));
    await etcd.pass(100);
    abort.abort();
    await quiet();
    expect(acquiring.error).toBeInstanceOf(EtcdAbortedError);

    await etcd.carryOutLate();
    const came = etcd.store.history.filter(({ events }) => events.some(({ type }) => type === 'PUT'));
    await quiet();

    expect(came).toHaveLength(1);
    expect(keys()).toEqual([]);
  });

  it('deletes no key that the same session has wanted again meanwhile', async () => {
    const session = await concurrency.session({ ttlSeconds: 600 });
    const abort = new AbortController();
    etcd.next(TXN, 'late', 'hang');
    const first = watchOver(concurrency.acquire('jobs', { session, signal: abort.signal }));
    await etcd.pass(100);
    abort.abort();
    await quiet();
    expect(first.error).toBeDefined();

    const lock = await concurrency.acquire('jobs', { session });
    await etcd.carryOutLate();
    await quiet();

    expect(lock.isHeld).toBe(true);
    expect(keys()).toEqual([lock.key]);
    await lock.release();
    expect(keys()).toEqual([]);
  });

  it('of a release is sent again, and never touches what the session has taken after it (K2)', async () => {
    const session = await concurrency.session({ ttlSeconds: 600 });
    const first = await concurrency.acquire('jobs', { session });
    etcd.next(TXN, 'late');
    const released = watchOver(first.release());
    await quiet();
    expect(released.error).toMatchObject({ code: 'ETCD_UNAVAILABLE' });
    await etcd.pass(1_000); // it is tried again by itself
    expect(keys()).toEqual([]);

    const second = await concurrency.acquire('jobs', { session });
    await etcd.carryOutLate();
    await quiet();

    expect(second.isHeld).toBe(true);
    expect(keys()).toEqual([second.key]);
  });
});

describe('A lock that is held', () => {
  it('is lost when its lease is, and says so by its signal before the server lets go (K2, D4)', async () => {
    const lock = await concurrency.acquire('jobs', { ttlSeconds: 6 });
    etcd.isCut = true;
    let keysAtAbort: string[] = [];
    lock.signal.addEventListener('abort', () => (keysAtAbort = keys()));

    await etcd.pass(6_000);

    expect(lock.signal.reason).toBeInstanceOf(EtcdLockLostError);
    expect(lock.signal.reason).toMatchObject({ reason: 'lease-lost', lockName: 'jobs', key: lock.key });
    expect((lock.signal.reason as Error).cause).toBeInstanceOf(EtcdLeaseLostError);
    expect(keysAtAbort).toEqual([lock.key]);
    expect(await lock.lost).toEqual({ reason: 'lease-lost', error: lock.signal.reason });
    expect(keys()).toEqual([]);
  });

  it('is kept for as long as its lease is renewed', async () => {
    const lock = await concurrency.acquire('jobs', { ttlSeconds: 6 });

    await etcd.clock.advance(600_000);

    expect(lock.isHeld).toBe(true);
    expect(lock.remainingMs()).toBeGreaterThan(3_000);
    expect(keys()).toEqual([lock.key]);
  });

  it('is known to be lost from the clock, also before any timer could say so (D3)', async () => {
    const lock = await concurrency.acquire('jobs', { ttlSeconds: 6 });

    etcd.clock.stall(6_000);

    expect(lock.signal.aborted).toBe(false);
    expect(lock.isHeld).toBe(false);
    expect(lock.remainingMs()).toBe(0);
    expect(() => lock.assertHeld()).toThrow(EtcdLockLostError);
  });

  it('is lost when somebody deletes its key, as an operator does to break it', async () => {
    const lock = await concurrency.acquire('jobs', { ttlSeconds: 600 });
    await etcd.pass(1_000);

    await etcd.delete(lock.key);
    await quiet();

    expect(lock.isHeld).toBe(false);
    expect(lock.signal.reason).toMatchObject({ code: 'ETCD_LOCK_LOST', reason: 'key-gone' });
    expect(etcd.store.leases.size).toBe(0);
  });

  it('is lost also when its key was deleted before it began to watch it', async () => {
    const lock = await concurrency.acquire('jobs', { ttlSeconds: 600 });

    await etcd.delete(lock.key);
    await etcd.put('other');
    etcd.compactAll();
    await etcd.pass(1_000);

    expect(await lock.lost).toMatchObject({ reason: 'key-gone' });
  });

  it('makes `lock` fail when it was lost before the body had ended, whatever the body returned', async () => {
    const locked = watchOver(
      concurrency.lock('jobs', { ttlSeconds: 6 }, async ({ signal }) => {
        etcd.isCut = true;
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        return 'done all the same';
      }),
    );
    await quiet();
    await etcd.pass(20_000);

    expect(locked.error).toBeInstanceOf(EtcdLockLostError);
  });

  it('touches nobody’s key when it is released after it was lost (K2)', async () => {
    const first = await concurrency.acquire('jobs', { ttlSeconds: 6 });
    etcd.isCut = true;
    await etcd.pass(6_000);
    etcd.isCut = false;
    const other = await etcd.client().concurrency.acquire('jobs', { ttlSeconds: 600 });

    await first.release();
    await etcd.pass(10_000);

    expect(keys()).toEqual([other.key]);
    expect(other.isHeld).toBe(true);
    await expect(first.lost).resolves.toMatchObject({ reason: 'lease-lost' });
  });

  it('aborts its signal when it is released, before the server hears of it', async () => {
    const lock = await concurrency.acquire('jobs');
    let keysAtAbort: string[] = [];
    lock.signal.addEventListener('abort', () => (keysAtAbort = keys()));

    await lock.release();
    await lock.release();

    expect(lock.signal.reason).toMatchObject({ reason: 'released' });
    expect(keysAtAbort).toEqual([lock.key]);
    expect(etcd.requestsOf(LEASE_REVOKE)).toHaveLength(1);
  });

  it('goes on being released in the background when that failed, and may be released again (D16)', async () => {
    const lock = await concurrency.acquire('jobs', { ttlSeconds: 600 });
    etcd.next(LEASE_REVOKE, 'refuse', 'refuse');

    await expect(lock.release()).rejects.toMatchObject({ code: 'ETCD_UNAVAILABLE' });
    expect(keys()).toEqual([lock.key]);
    await expect(lock.release()).rejects.toMatchObject({ code: 'ETCD_UNAVAILABLE' });
    await etcd.pass(1_000);

    expect(keys()).toEqual([]);
    await lock.release();
  });
});

describe('A lock on a shared session', () => {
  it('is deleted by its create revision, and leaves the session alone', async () => {
    const session = await concurrency.session();
    const lock = await concurrency.acquire('jobs', { session });

    await lock.release();

    expect(keys()).toEqual([]);
    expect(session.isAlive).toBe(true);
    const { compare, success } = etcd.requestsOf(TXN).at(-1)!;
    expect(compare).toMatchObject([{ target: 'CREATE', result: 'EQUAL', createRevision: lock.fencingToken }]);
    expect(success).toHaveLength(1);
  });

  it('excludes the same session, too: the second waits its turn here, and has a key of its own after that', async () => {
    const session = await concurrency.session();
    const first = await concurrency.acquire('jobs', { session });
    const second = watchOver(concurrency.acquire('jobs', { session }));
    await quiet();
    expect(second).toEqual({});
    expect(await concurrency.tryAcquire('jobs', { session })).toBeUndefined();

    await first.release();
    await quiet();

    expect(second.value?.isHeld).toBe(true);
    expect(second.value!.fencingToken).toBeGreaterThan(first.fencingToken);
  });

  it('gives up waiting for its turn here when its time is over', async () => {
    const session = await concurrency.session({ ttlSeconds: 600 });
    await concurrency.acquire('jobs', { session });
    const second = watchOver(concurrency.acquire('jobs', { session, waitMs: 300 }));
    await quiet();

    await etcd.pass(300);

    expect(second.error).toMatchObject({ code: 'ETCD_LOCK_TIMEOUT', blockedBy: undefined });
    expect((second.error as Error).message).toContain('the same session has it');
    expect(await watchTurn(session)).toBe(true);
  });

  it('is lost when the session ends, for whatever reason', async () => {
    const session = await concurrency.session();
    const lock = await concurrency.acquire('jobs', { session });

    await session.close();

    expect(await lock.lost).toMatchObject({ reason: 'lease-lost', error: { cause: { reason: 'closed' } } });
    expect(keys()).toEqual([]);
  });

  it('cannot be had on a session that has ended', async () => {
    const session = await concurrency.session();
    await session.close();

    await expect(concurrency.acquire('jobs', { session })).rejects.toMatchObject({ code: 'ETCD_LOCK_LOST' });
  });

  it('takes over the key of the process before, when that left its session to it', async () => {
    const before = await concurrency.session({ ttlSeconds: 600 });
    const held = await concurrency.acquire('jobs', { session: before });
    const leaseId = before.orphan();

    const after = etcd.client().concurrency;
    const session = await after.session({ leaseId });
    const resumed = await after.acquire('jobs', { session, waitMs: 0 });

    expect(resumed.fencingToken).toBe(held.fencingToken);
    expect(held.isHeld).toBe(false);
    expect(keys()).toEqual([held.key]);
  });
});

/** Whether the turn for the key is still taken. */
function watchTurn(session: {
  readonly turns: { isTaken(key: string): boolean };
  readonly leaseId: string;
}): Promise<boolean> {
  return quiet().then(() => session.turns.isTaken(`jobs/${session.leaseId}`));
}

describe('A cluster that fails during an acquisition', () => {
  it('is asked again while the session lives', async () => {
    etcd.next(TXN, 'refuse', 'refuse', 'refuse');
    const acquiring = watchOver(concurrency.acquire('jobs'));
    await quiet();

    await etcd.pass(3_000);

    expect(acquiring.value?.isHeld).toBe(true);
    expect(keys()).toEqual([acquiring.value!.key]);
  });

  it('that stays away costs the session, and so the wait, within the TTL', async () => {
    await concurrency.acquire('jobs', { ttlSeconds: 600 });
    const waiting = watchOver(etcd.client().concurrency.acquire('jobs', { ttlSeconds: 6 }));
    await quiet();

    etcd.isCut = true;
    await etcd.pass(7_100);

    expect(waiting.error).toMatchObject({ code: 'ETCD_LOCK_LOST', reason: 'lease-lost' });
  });

  it('that refuses for good is not asked again, and nothing is left behind', async () => {
    etcd.next(
      TXN,
      new EtcdPermissionDeniedError({ reason: 'PermissionDenied', serverMessage: 'no' }, { outcome: 'not-applied' }),
    );

    await expect(concurrency.acquire('jobs')).rejects.toBeInstanceOf(EtcdPermissionDeniedError);

    expect(etcd.requestsOf(TXN)).toHaveLength(1);
    expect(etcd.store.leases.size).toBe(0);
  });

  it('leaves no listener and no timer behind', async () => {
    const abort = new AbortController();
    const lock = await concurrency.acquire('jobs', { signal: abort.signal, waitMs: 60_000 });
    await lock.release();

    expect(etcd.clock.pending('foreground')).toEqual([]);
    expect(etcd.requestsOf(RANGE)).toEqual([]);
  });
});
