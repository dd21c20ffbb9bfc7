/** Grant, revoke, time to live and list: what goes out, what comes back, and what a lost answer leaves behind. */
import { describe, expect, it } from '@jest/globals';
import { EtcdClosedError, EtcdInvalidArgumentError, type WriteOutcome } from '../../../lib/client/errors.js';
import { LEASE_GRANT, LEASE_LEASES, LEASE_REVOKE, LEASE_TIME_TO_LIVE } from '../../../lib/client/rpc/methods.js';
import { EtcdLeaseExistsError, EtcdLeaseNotFoundError } from '../../../lib/client/server-errors.js';
import { HEADER, Rig, serverError } from './rig.js';

function exists(outcome: WriteOutcome): EtcdLeaseExistsError {
  return serverError(EtcdLeaseExistsError, 'etcdserver: lease already exists', { outcome, attempts: 2 });
}

function missing(outcome: WriteOutcome): EtcdLeaseNotFoundError {
  return serverError(EtcdLeaseNotFoundError, 'etcdserver: requested lease not found', { outcome, attempts: 2 });
}

function left(ID: string, TTL: number, grantedTTL: number, keys: Uint8Array[] = []) {
  return { header: HEADER, ID, TTL, grantedTTL, keys };
}

describe('EtcdLease.grant', () => {
  it('sends an ID of its own, another one each time, and answers with what the server granted', async () => {
    const { rpc, lease } = new Rig();
    rpc.answer(LEASE_GRANT, ({ ID = '' }) => ({ header: HEADER, ID, TTL: 2, error: '' }));

    const first = await lease.grant(1);
    const second = await lease.grant(60);

    const [one, two] = rpc.requests(LEASE_GRANT);
    expect(one).toEqual({ TTL: 1, ID: first.id });
    expect(two).toEqual({ TTL: 60, ID: second.id });
    expect(first).toEqual({ id: one?.ID, ttlSeconds: 2, header: HEADER });
    expect(second.ttlSeconds).toBe(60);
    expect(first.id).not.toBe(second.id);
  });

  it('L3: chooses IDs from 1 to 2^63 - 1, as etcdctl prints them', async () => {
    const { lease } = new Rig();

    const ids = await Promise.all(Array.from({ length: 500 }, async () => (await lease.grant(5)).id));

    expect(new Set(ids).size).toBe(500);
    for (const id of ids) {
      expect(id).toMatch(/^[1-9a-f][0-9a-f]*$/);
      expect(BigInt(`0x${id}`)).toBeLessThan(2n ** 63n);
    }
  });

  it('L3: may be repeated without leaking a lease', async () => {
    const { rpc, lease } = new Rig();

    await lease.grant(5);

    expect(rpc.calls[0]?.options).toMatchObject({ idempotent: true });
  });

  it('L3: takes the lease that an attempt without an answer has made for the one asked for', async () => {
    const { rpc, lease } = new Rig();
    rpc.answer(LEASE_GRANT, exists('unknown'));
    rpc.answer(LEASE_TIME_TO_LIVE, ({ ID = '' }) => left(ID, 4, 5));

    const granted = await lease.grant(5);

    expect(granted).toEqual({ id: rpc.requests(LEASE_GRANT)[0]?.ID, ttlSeconds: 5, header: HEADER });
    expect(rpc.requests(LEASE_TIME_TO_LIVE)).toEqual([{ ID: granted.id, keys: undefined }]);
  });

  it('makes the lease anew when that of the lost attempt has ended meanwhile', async () => {
    const { rpc, lease } = new Rig();
    rpc.answer(LEASE_GRANT, exists('unknown'));
    rpc.answer(LEASE_TIME_TO_LIVE, ({ ID = '' }) => left(ID, -1, 0));

    const granted = await lease.grant(5);

    expect(rpc.requests(LEASE_GRANT).map(({ ID }) => ID)).toEqual([granted.id, granted.id]);
  });

  it('says that the ID is taken when no attempt of its own can have made that lease', async () => {
    const { rpc, lease } = new Rig();
    const refusal = exists('not-applied');
    rpc.answer(LEASE_GRANT, refusal, refusal);

    await expect(lease.grant(5)).rejects.toBe(refusal);
    await expect(lease.grant(5, { id: 'abc', idempotent: true })).rejects.toBe(refusal);
  });

  it('does not repeat a grant with an ID of the caller, unless asked to', async () => {
    const { rpc, lease } = new Rig();
    const refusal = exists('unknown');
    rpc.answer(LEASE_GRANT, refusal, refusal);
    rpc.answer(LEASE_TIME_TO_LIVE, left('abc', 4, 5));

    await expect(lease.grant(5, { id: '0ABC' })).rejects.toBe(refusal);
    const granted = await lease.grant(5, { id: '0ABC', idempotent: true });

    expect(granted).toMatchObject({ id: 'abc', ttlSeconds: 5 });
    expect(rpc.requests(LEASE_GRANT)).toEqual([
      { TTL: 5, ID: 'abc' },
      { TTL: 5, ID: 'abc' },
    ]);
    expect(rpc.calls.map(({ options }) => options.idempotent)).toEqual([false, true, undefined]);
  });

  it('C1: has one deadline for all it does', async () => {
    const { rpc, lease, clock } = new Rig();
    rpc.answer(LEASE_GRANT, () => {
      clock.stall(700);
      throw exists('unknown');
    });
    rpc.answer(LEASE_TIME_TO_LIVE, ({ ID = '' }) => {
      clock.stall(200);
      return left(ID, -1, 0);
    });

    await lease.grant(5, { timeoutMs: 1_000, signal: AbortSignal.timeout(60_000) });

    expect(rpc.calls.map(({ options }) => options.timeoutMs)).toEqual([1_000, 1_000, 100]);
    expect(rpc.calls.every(({ options }) => options.signal instanceof AbortSignal)).toBe(true);
  });

  it.each([0, -1, NaN, 1.5, 1e18, 9_000_000_001, Infinity, '5', undefined, null])(
    'D8: refuses a TTL of %p before anything is sent',
    async (ttlSeconds) => {
      const { rpc, lease } = new Rig();

      const refusal = lease.grant(ttlSeconds as number);

      await expect(refusal).rejects.toThrow(EtcdInvalidArgumentError);
      await expect(refusal).rejects.toThrow(/ttlSeconds must be a whole number of seconds from 1 to 9000000000/);
      expect(rpc.calls).toEqual([]);
    },
  );

  it('takes the longest TTL there is', async () => {
    const { lease } = new Rig();

    expect(await lease.grant(9_000_000_000)).toMatchObject({ ttlSeconds: 9_000_000_000 });
  });

  it.each(['', '0', '-1', '0x1', 'g', '8000000000000000', '11111111111111111', 7, null])(
    'refuses the ID %p for a new lease',
    async (id) => {
      const { rpc, lease } = new Rig();

      await expect(lease.grant(5, { id: id as string })).rejects.toThrow(/id must be the ID of a lease: 1 to 7f/);
      expect(rpc.calls).toEqual([]);
    },
  );
});

describe('EtcdLease.revoke', () => {
  it('ends the lease', async () => {
    const { rpc, lease } = new Rig();

    expect(await lease.revoke('00AB', { timeoutMs: 300 })).toEqual({ header: HEADER });

    expect(rpc.requests(LEASE_REVOKE)).toEqual([{ ID: 'ab' }]);
    expect(rpc.calls[0]?.options).toMatchObject({ idempotent: true, timeoutMs: 300 });
  });

  it('B9: is content when the lease is gone after an attempt without an answer', async () => {
    const { rpc, lease } = new Rig();
    rpc.answer(LEASE_REVOKE, missing('unknown'));

    expect(await lease.revoke('ab')).toEqual({ header: undefined });
  });

  it('says so when there is no such lease', async () => {
    const { rpc, lease } = new Rig();
    rpc.answer(LEASE_REVOKE, missing('not-applied'));

    await expect(lease.revoke('ab')).rejects.toThrow(EtcdLeaseNotFoundError);
  });

  it('is sent once where IDs are used again', async () => {
    const { rpc, lease } = new Rig();

    await lease.revoke('ab', { idempotent: false });

    expect(rpc.calls[0]?.options).toMatchObject({ idempotent: false });
  });

  it.each(['', '0', '0x1', 'lease', undefined])('refuses the ID %p', async (id) => {
    const { rpc, lease } = new Rig();

    await expect(lease.revoke(id as string)).rejects.toThrow(EtcdInvalidArgumentError);
    expect(rpc.calls).toEqual([]);
  });
});

describe('EtcdLease.timeToLive', () => {
  it('tells what is left, what was granted, and the keys as text and as bytes', async () => {
    const { rpc, lease } = new Rig();
    const keys = [Buffer.from('a'), Buffer.from([0xff, 0x00])];
    rpc.answer(LEASE_TIME_TO_LIVE, left('ab', 12, 30, keys));

    expect(await lease.timeToLive('ab', { keys: true })).toEqual({
      id: 'ab',
      ttlSeconds: 12,
      grantedTtlSeconds: 30,
      keys: ['a', '\uFFFD\0'],
      keysBytes: keys,
      header: HEADER,
    });
    expect(rpc.requests(LEASE_TIME_TO_LIVE)).toEqual([{ ID: 'ab', keys: true }]);
  });

  it('is undefined for a lease that is not there', async () => {
    const { rpc, lease } = new Rig();
    rpc.answer(LEASE_TIME_TO_LIVE, left('ab', -1, 0));

    expect(await lease.timeToLive('ab')).toBeUndefined();
  });

  it('knows a lease in its last second', async () => {
    const { rpc, lease } = new Rig();
    rpc.answer(LEASE_TIME_TO_LIVE, left('ab', 0, 30));

    expect(await lease.timeToLive('ab')).toMatchObject({ ttlSeconds: 0, grantedTtlSeconds: 30 });
  });

  it('asks about leases with negative IDs, which others may have made', async () => {
    const { rpc, lease } = new Rig();
    rpc.answer(LEASE_TIME_TO_LIVE, left('-1', 3, 5));

    expect(await lease.timeToLive('-1')).toMatchObject({ id: '-1' });
  });
});

describe('EtcdLease.list', () => {
  it('lists the IDs of all leases', async () => {
    const { rpc, lease } = new Rig();
    rpc.answer(LEASE_LEASES, { header: HEADER, leases: [{ ID: 'ab' }, { ID: '7fffffffffffffff' }] });

    expect(await lease.list()).toEqual({ ids: ['ab', '7fffffffffffffff'], header: HEADER });
  });
});

describe('EtcdLease after the client was closed', () => {
  it('C8: keeps nothing alive any more', async () => {
    const { lease } = new Rig();
    lease.close();

    expect(() => lease.keepAlive('ab')).toThrow(EtcdClosedError);
    await expect(lease.keepAliveOnce('ab')).rejects.toThrow(EtcdClosedError);
  });
});
