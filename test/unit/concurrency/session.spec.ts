/** Sessions: how they begin, end, and begin again. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { EtcdConcurrency } from '../../../lib/client/concurrency/concurrency.js';
import type { Session } from '../../../lib/client/concurrency/session.js';
import { EtcdAbortedError, EtcdClosedError, EtcdInvalidArgumentError } from '../../../lib/client/errors.js';
import { LEASE_GRANT, LEASE_REVOKE } from '../../../lib/client/rpc/methods.js';
import { EtcdLeaseNotFoundError } from '../../../lib/client/server-errors.js';
import { MemoryEtcd, quiet, watchOver, type MemoryClient } from './memory-etcd.js';

let etcd: MemoryEtcd;
let client: MemoryClient;
let concurrency: EtcdConcurrency;

beforeEach(() => {
  etcd = new MemoryEtcd();
  client = etcd.client();
  ({ concurrency } = client);
});

const revocations = (): number => etcd.requestsOf(LEASE_REVOKE).length;

describe('A session', () => {
  it('is a lease of 30 seconds unless told otherwise, kept alive', async () => {
    const session = await concurrency.session();
    expect(session.ttlSeconds).toBe(30);
    expect([...etcd.store.leases]).toEqual([session.leaseId]);

    await etcd.clock.advance(300_000);

    expect(session.isAlive).toBe(true);
    expect(session.remainingMs()).toBeGreaterThan(15_000);
    expect(session.signal.aborted).toBe(false);
  });

  it('ends when its lease cannot be renewed: signal, promise and clock say the same (L2)', async () => {
    const session = await concurrency.session({ ttlSeconds: 9 });
    etcd.isCut = true;

    await etcd.pass(8_980);
    expect(session.isAlive).toBe(true);
    await etcd.pass(20);

    const lost = await session.lost;
    expect(lost.reason).toBe('expired');
    expect(session.signal.reason).toBe(lost.error);
    expect([session.isAlive, session.remainingMs()]).toEqual([false, 0]);
  });

  it('revokes its lease when it is closed, once, and tells its followers before', async () => {
    const session = await concurrency.session();
    const order: string[] = [];
    session.signal.addEventListener('abort', () => order.push(`signal, ${etcd.store.leases.size} leases`));

    await Promise.all([session.close(), session.close()]);
    await session.close();

    expect(order).toEqual(['signal, 1 leases']);
    expect([etcd.store.leases.size, revocations()]).toEqual([0, 1]);
    expect(await session.lost).toMatchObject({ reason: 'closed' });
  });

  it('can be closed again after that failed', async () => {
    const session = await concurrency.session();
    etcd.next(LEASE_REVOKE, 'refuse');

    await expect(session.close()).rejects.toMatchObject({ code: 'ETCD_UNAVAILABLE' });
    await session.close();

    expect(etcd.store.leases.size).toBe(0);
  });

  it('is closed without complaint when the lease is gone already', async () => {
    const session = await concurrency.session();
    await etcd.revokeLease(session.leaseId);

    await session.close();

    expect(await session.lost).toMatchObject({ reason: 'closed' });
  });

  it('is closed by `await using`', async () => {
    {
      await using session = await concurrency.session();
      expect(session.isAlive).toBe(true);
    }

    expect(etcd.store.leases.size).toBe(0);
  });

  it('is closed by its signal, at any time', async () => {
    const abort = new AbortController();
    const session = await concurrency.session({ signal: abort.signal });
    const reason = new Error('shutting down');

    abort.abort(reason);
    await quiet();

    expect(await session.lost).toMatchObject({ reason: 'closed', error: { cause: reason } });
    expect(etcd.store.leases.size).toBe(0);
  });

  it('is not opened with a signal that has aborted', async () => {
    await expect(concurrency.session({ signal: AbortSignal.abort() })).rejects.toBeInstanceOf(EtcdAbortedError);
    expect(etcd.requests).toEqual([]);
  });

  it('that is orphaned leaves its lease, and what hangs on it, until the TTL is over', async () => {
    const session = await concurrency.session({ ttlSeconds: 10 });
    await client.kv.put('workers/7', 'up', { lease: session.leaseId });

    const leaseId = session.orphan();
    await etcd.pass(9_900);
    const before = etcd.store.keysOf('workers/');
    await etcd.pass(200);

    expect(leaseId).toBe(session.leaseId);
    expect([before, etcd.store.keysOf('workers/')]).toEqual([['workers/7'], []]);
    expect(revocations()).toBe(0);
    expect(session.isAlive).toBe(false);
  });

  it('takes over a lease that exists', async () => {
    const leaseId = (await concurrency.session({ ttlSeconds: 10 })).orphan();

    const session = await etcd.client().concurrency.session({ leaseId });
    await etcd.pass(60_000);

    expect(session).toMatchObject({ leaseId, ttlSeconds: 10, isAlive: true });
    expect(etcd.requestsOf(LEASE_GRANT)).toHaveLength(1);
  });

  it('does not take over a lease that does not exist', async () => {
    await expect(concurrency.session({ leaseId: 'abc' })).rejects.toBeInstanceOf(EtcdLeaseNotFoundError);
    await expect(concurrency.session({ leaseId: 'xyz' })).rejects.toBeInstanceOf(EtcdInvalidArgumentError);
  });
});

describe('A client that closes', () => {
  it('gives the leases of its sessions back, and those of the locks that are held (M6)', async () => {
    const session = await concurrency.session();
    const lock = await concurrency.acquire('jobs');

    await concurrency.close();

    expect(etcd.store.leases.size).toBe(0);
    expect(await session.lost).toMatchObject({ reason: 'client-closed', error: expect.any(EtcdClosedError) });
    expect(await lock.lost).toMatchObject({ reason: 'lease-lost' });
    await session.close();
    await lock.release();
  });

  it('ends waits, and refuses new ones', async () => {
    await concurrency.acquire('jobs');
    const waiting = watchOver(concurrency.acquire('jobs'));
    await quiet();

    await concurrency.close();
    await quiet();

    expect(waiting.error).toBeInstanceOf(EtcdClosedError);
    await expect(concurrency.acquire('other')).rejects.toBeInstanceOf(EtcdClosedError);
    await expect(concurrency.session()).rejects.toBeInstanceOf(EtcdClosedError);
    expect(etcd.store.leases.size).toBe(0);
  });

  it('closes what a namespace has, too', async () => {
    const inside = concurrency.through(client);
    const session = await inside.session();

    await concurrency.close();

    expect(session.isAlive).toBe(false);
    expect(etcd.store.leases.size).toBe(0);
  });

  it('does not wait long for a cluster that is away (P17)', async () => {
    await concurrency.session({ ttlSeconds: 600 });
    etcd.isCut = true;
    const closing = watchOver(Promise.resolve(concurrency.close()).then(() => 'closed'));

    await etcd.pass(950);

    expect(closing.value).toBe('closed');
  });

  it('has nothing to wait for when no session is open', async () => {
    await (await concurrency.session()).close();

    expect(concurrency.close()).toBeUndefined();
    expect(etcd.clock.pending('foreground')).toEqual([]);
  });
});

describe('A session that is kept', () => {
  const register = (session: Session) =>
    client.kv.put('workers/7', 'up', { lease: session.leaseId }).then(() => undefined);

  it('is replaced and set up again when it was lost', async () => {
    const kept = await concurrency.keepSession(register, { ttlSeconds: 10 });
    const first = kept.session;

    await etcd.revokeLease(first.leaseId);
    expect(etcd.store.keysOf('workers/')).toEqual([]);
    await etcd.pass(10_000);

    expect(kept.session).not.toBe(first);
    expect(kept.session.isAlive).toBe(true);
    expect(etcd.store.get('workers/7')).toMatchObject({ lease: kept.session.leaseId });
  });

  it('is tried again until it works, and says so', async () => {
    const failures: unknown[] = [];
    let setUps = 0;
    const setUp = (session: Session) => {
      if (++setUps === 2) throw new Error('the set-up failed');
      return register(session);
    };
    const kept = await concurrency.keepSession(setUp, { ttlSeconds: 10, onFailure: (error) => failures.push(error) });
    etcd.next(LEASE_GRANT, 'refuse');

    await etcd.revokeLease(kept.session.leaseId);
    await etcd.pass(20_000);

    expect(failures).toMatchObject([{ code: 'ETCD_UNAVAILABLE' }, { message: 'the set-up failed' }]);
    expect(setUps).toBe(3);
    expect([...etcd.store.leases]).toEqual([kept.session.leaseId]);
  });

  it('outlives a listener that throws', async () => {
    const onFailure = (): void => {
      throw new Error('in the listener');
    };
    const kept = await concurrency.keepSession(register, { ttlSeconds: 10, onFailure });
    etcd.next(LEASE_GRANT, 'refuse');

    await etcd.revokeLease(kept.session.leaseId);
    await etcd.pass(10_000);

    expect(kept.session.isAlive).toBe(true);
  });

  it('fails at once when the first set-up does, and leaves no lease', async () => {
    await expect(concurrency.keepSession(() => Promise.reject(new Error('no')))).rejects.toThrow('no');

    expect(etcd.store.leases.size).toBe(0);
  });

  it('is not replaced when it was closed', async () => {
    const kept = await concurrency.keepSession(register);

    await kept.session.close();
    await kept.closed;
    await etcd.pass(60_000);

    expect(etcd.requestsOf(LEASE_GRANT)).toHaveLength(1);
  });

  it('ends with close(), also while there is no session', async () => {
    const kept = await concurrency.keepSession(register, { ttlSeconds: 10 });
    await etcd.revokeLease(kept.session.leaseId);
    etcd.next(LEASE_GRANT, ...Array<'refuse'>(50).fill('refuse'));
    await etcd.pass(8_000);

    await kept.close();
    const asked = etcd.requestsOf(LEASE_GRANT).length;
    await etcd.pass(30_000);

    expect(asked).toBeGreaterThan(2);
    expect(etcd.requestsOf(LEASE_GRANT)).toHaveLength(asked);
  });

  it('ends with its signal, and with the client', async () => {
    const abort = new AbortController();
    const one = await concurrency.keepSession(register, { signal: abort.signal });
    const other = await concurrency.keepSession(register);

    abort.abort();
    await one.closed;
    expect(etcd.store.leases.size).toBe(1);
    await concurrency.close();
    await other.closed;

    expect(etcd.store.leases.size).toBe(0);
  });
});
