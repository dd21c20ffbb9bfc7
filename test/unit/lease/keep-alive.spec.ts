/** A lease kept alive: when it is renewed, until when it is ours, and how its holder hears that it is not. */
import { describe, expect, it } from '@jest/globals';
import {
  EtcdAbortedError,
  EtcdClosedError,
  EtcdDeadlineExceededError,
  EtcdInvalidArgumentError,
  EtcdUnavailableError,
} from '../../../lib/client/errors.js';
import type { LeaseKeepAlive } from '../../../lib/client/lease/keep-alive.js';
import type { LeaseRenewal } from '../../../lib/client/lease/kept-lease.js';
import { EtcdLeaseLostError, type LeaseLostReason } from '../../../lib/client/lease/lease-lost.js';
import { LEASE_REVOKE } from '../../../lib/client/rpc/methods.js';
import { EtcdLeaseNotFoundError } from '../../../lib/client/server-errors.js';
import { settle } from '../../support/fake-clock.js';
import { answering, HEADER, renewed, Rig, serverError } from './rig.js';

/** How a keep-alive ended, or `undefined` while it goes on. */
async function endOf(beat: LeaseKeepAlive): Promise<LeaseLostReason | undefined> {
  return Promise.race([beat.lost, settle().then(() => undefined)]);
}

/** Reads renewals into a list; says how the loop ended. */
function read(beat: LeaseKeepAlive) {
  const seen: LeaseRenewal[] = [];
  const ended = (async () => {
    for await (const renewal of beat) seen.push(renewal);
    return 'returned';
  })().catch((error: unknown) => error);
  return { seen, ended };
}

describe('LeaseKeepAlive', () => {
  describe('of a lease that this client granted', () => {
    it('L2: counts the TTL from when the grant was sent, and is alive from the start', async () => {
      const { lease, clock } = new Rig();
      await clock.advance(1_000);
      const { id } = await lease.grant(9);
      await clock.advance(500);

      const beat = lease.keepAlive(id);

      expect([beat.id, beat.ttlSeconds, beat.expiresAt, beat.isAlive]).toEqual([id, 9, 10_000, true]);
      expect(beat.remainingMs()).toBe(8_500);
    });

    it('opens no stream before the first renewal is due', async () => {
      const rig = new Rig({ random: () => 0.999_999 });
      const { id } = await rig.lease.grant(9);
      rig.lease.keepAlive(id);

      await rig.clock.advance(2_990);
      expect(rig.streams).toHaveLength(0);

      await rig.clock.advance(10);
      expect(rig.sent()).toEqual([id]);
    });

    it('looks once more when the first renewal does not find it, since older servers renew before the grant is everywhere', async () => {
      const rig = new Rig();
      const { id } = await rig.lease.grant(9);
      const beat = rig.lease.keepAlive(id);
      await rig.clock.advance(2_500);

      await rig.deliver(renewed(id, 0));
      expect(beat.isAlive).toBe(true);
      await rig.clock.advance(250);
      expect(rig.sent()).toEqual([id, id]);
      await rig.deliver(renewed(id, 9));

      expect(await endOf(beat)).toBeUndefined();
      expect(beat.isAlive).toBe(true);
    });

    it('is lost when the second look does not find it either', async () => {
      const rig = new Rig();
      const { id } = await rig.lease.grant(9);
      const beat = rig.lease.keepAlive(id);
      await rig.clock.advance(2_500);

      await rig.deliver(renewed(id, 0));
      await rig.clock.advance(250);
      await rig.deliver(renewed(id, 0));

      expect(await endOf(beat)).toMatchObject({ reason: 'not-found' });
    });

    it('remembers it between two handles', async () => {
      const rig = new Rig();
      const { id } = await rig.lease.grant(9);
      const first = rig.lease.keepAlive(id);
      await rig.clock.advance(2_500);
      await rig.deliver(renewed(id, 9));
      await first.close();

      await rig.clock.advance(1_000);
      const second = rig.lease.keepAlive(id);

      expect([second.isAlive, second.ttlSeconds, second.expiresAt]).toEqual([true, 9, 2_250 + 9_000]);
    });

    it('takes nothing for granted once the time it knows of is over', async () => {
      const rig = new Rig();
      const { id } = await rig.lease.grant(9);
      await rig.clock.advance(9_000);

      const beat = rig.lease.keepAlive(id);

      expect([beat.isAlive, beat.expiresAt]).toEqual([false, undefined]);
      expect(rig.sent()).toEqual([id]);
    });
  });

  describe('of a lease of which nothing is known', () => {
    it('is renewed at once, and not alive before the first answer', async () => {
      const rig = new Rig();

      const beat = rig.lease.keepAlive('7');
      expect(rig.sent()).toEqual(['7']);
      expect([beat.isAlive, beat.expiresAt, beat.ttlSeconds, beat.remainingMs()]).toEqual([
        false,
        undefined,
        undefined,
        0,
      ]);

      await rig.deliver(renewed('7', 9));
      expect([beat.isAlive, beat.expiresAt, beat.ttlSeconds]).toEqual([true, 9_000, 9]);
    });

    it('waits for the first answer as long as for any call', async () => {
      const rig = new Rig();
      const beat = rig.lease.keepAlive('7');

      await rig.clock.advance(4_980);
      expect(await endOf(beat)).toBeUndefined();
      await rig.clock.advance(20);

      const end = await endOf(beat);
      expect(end?.reason).toBe('expired');
      expect(end?.error.message).toMatch(/no renewal was acknowledged within 5 s/);
    });

    it('waits as long as the TTL when that is given', async () => {
      const rig = new Rig();
      const beat = rig.lease.keepAlive('7', { ttlSeconds: 60 });

      await rig.clock.advance(59_000);
      expect(await endOf(beat)).toBeUndefined();
      await rig.clock.advance(1_000);

      expect(await endOf(beat)).toMatchObject({ reason: 'expired' });
    });

    it('is lost at once when the server does not know it', async () => {
      const rig = new Rig();
      const beat = rig.lease.keepAlive('7');

      await rig.deliver(renewed('7', 0));

      const end = await endOf(beat);
      expect(end).toMatchObject({ reason: 'not-found', error: { leaseId: '7', code: 'ETCD_LEASE_LOST' } });
      expect(end?.error.cause).toBeInstanceOf(EtcdLeaseNotFoundError);
    });

    it.each(['', '0', 'x', undefined])('refuses %p as an ID, and bad options', (id) => {
      const { lease } = new Rig();

      expect(() => lease.keepAlive(id as string)).toThrow(EtcdInvalidArgumentError);
      expect(() => lease.keepAlive('7', { ttlSeconds: 0 })).toThrow(EtcdInvalidArgumentError);
    });
  });

  describe('while renewals are answered', () => {
    it('L1, L2: is renewed a third of the TTL after the last sending, and holds for the TTL from it', async () => {
      const rig = new Rig();
      const beat = rig.lease.keepAlive('7'); // sent at 0
      await rig.clock.advance(400);
      await rig.deliver(renewed('7', 9)); // answered at 400
      expect(beat.expiresAt).toBe(9_000);

      await rig.clock.advance(2_599);
      expect(rig.sent()).toEqual(['7']);
      await rig.clock.advance(1);

      expect(rig.sent()).toEqual(['7', '7']); // sent at 3,000
      await rig.deliver(renewed('7', 9));
      expect(beat.expiresAt).toBe(12_000);
    });

    it('has one renewal under way at a time', async () => {
      const rig = new Rig();
      rig.lease.keepAlive('7', { ttlSeconds: 60 });

      await rig.clock.advance(1_900);

      expect(rig.sent()).toEqual(['7']);
    });

    it('varies the beat by a twentieth to either side, so that the rate stays', async () => {
      const random = { value: 0 };
      const rig = new Rig({ random: () => random.value, onStream: answering(30) });
      const sentAt: number[] = [];
      rig.onStream = (stream) => {
        answering(30)(stream);
        const { send } = stream;
        stream.send = (request) => {
          sentAt.push(rig.clock.now());
          send(request);
        };
      };
      rig.lease.keepAlive('7');

      await rig.clock.advance(9_500);
      random.value = 0.999_999_9;
      await rig.clock.advance(9_500);
      await rig.clock.advance(10_500);

      expect(sentAt.map(Math.round)).toEqual([0, 9_500, 19_000, 29_500]);
    });

    it('takes the TTL from each answer', async () => {
      const rig = new Rig({ onStream: answering(3) });

      const beat = rig.lease.keepAlive('7', { ttlSeconds: 60 });
      await settle();

      expect([beat.ttlSeconds, beat.expiresAt]).toEqual([3, 3_000]);
    });

    it('shares the renewals of a lease among its handles, each closed for itself', async () => {
      const rig = new Rig({ onStream: answering(9) });
      const one = rig.lease.keepAlive('7');
      const other = rig.lease.keepAlive('07');
      await rig.clock.advance(3_000);
      expect(rig.sent()).toEqual(['7', '7']);

      await one.close();
      await rig.clock.advance(3_000);

      expect([one.isAlive, other.isAlive]).toEqual([false, true]);
      expect(await endOf(one)).toMatchObject({ reason: 'closed' });
      expect(await endOf(other)).toBeUndefined();
      expect(rig.sent()).toEqual(['7', '7', '7']);
    });

    it('uses one stream for all leases', async () => {
      const rig = new Rig({ onStream: answering(9) });
      for (const id of ['1', '2', '3']) rig.lease.keepAlive(id);

      await rig.clock.advance(30_000);

      expect(rig.streams).toHaveLength(1);
      expect(rig.lease.stats()).toMatchObject({ keptAlive: 3, streams: 1, lost: 0, renewals: 33 });
    });

    it('holds a lease of 9,000,000,000 seconds without a storm', async () => {
      const rig = new Rig({ onStream: answering(9_000_000_000) });

      const beat = rig.lease.keepAlive('7');
      await rig.clock.advance(86_400_000);

      expect(rig.sent()).toEqual(['7']);
      expect(beat.isAlive).toBe(true);
      expect(beat.expiresAt).toBe(9_000_000_000_000);
    });
  });

  describe('that is not renewed in time', () => {
    async function heldThenSilent() {
      const rig = new Rig({ onStream: answering(4) });
      const beat = rig.lease.keepAlive('7');
      await settle();
      rig.onStream = () => undefined;
      await rig.break(new EtcdUnavailableError('the connection failed: reset'));
      return { rig, beat };
    }

    it('L2, D2: is lost no later than its TTL after the last acknowledged sending', async () => {
      const { rig, beat } = await heldThenSilent();
      const { signal } = beat;
      const lostAt: number[] = [];
      signal.addEventListener('abort', () => lostAt.push(rig.clock.now()));

      await rig.clock.advance(3_980);
      expect([beat.isAlive, signal.aborted]).toEqual([true, false]);
      await rig.clock.advance(20);

      expect(lostAt).toHaveLength(1);
      expect(lostAt[0]).toBeLessThanOrEqual(4_000);
      expect(lostAt[0]).toBeGreaterThanOrEqual(3_980);
      expect([beat.isAlive, beat.remainingMs(), signal.aborted]).toEqual([false, 0, true]);
    });

    it('says which lease, by whose clock, and what the last attempt saw', async () => {
      const { rig, beat } = await heldThenSilent();

      await rig.clock.advance(4_000);

      const end = await endOf(beat);
      expect(end?.reason).toBe('expired');
      expect(end?.error).toBeInstanceOf(EtcdLeaseLostError);
      expect(end?.error).toMatchObject({ code: 'ETCD_LEASE_LOST', leaseId: '7', method: 'Lease.LeaseKeepAlive' });
      expect(end?.error.message).toMatch(/within its 4 s, by the local clock; the last attempt: .*no answer/);
      expect(end?.error.cause).toBeInstanceOf(EtcdUnavailableError);
      expect(beat.signal.reason).toBe(end?.error);
    });

    it('keeps what it knew last', async () => {
      const { rig, beat } = await heldThenSilent();

      await rig.clock.advance(4_000);

      expect([beat.ttlSeconds, beat.expiresAt]).toEqual([4, 4_000]);
    });

    it('is not brought back by an answer that comes too late', async () => {
      const { rig, beat } = await heldThenSilent();
      await rig.clock.advance(4_000);

      await rig.deliver(renewed('7', 4));

      expect(beat.isAlive).toBe(false);
      expect(await endOf(beat)).toMatchObject({ reason: 'expired' });
      expect(rig.lease.stats()).toMatchObject({ keptAlive: 0, lost: 1 });
    });

    it('can be taken up again by a new handle, if the server still has it', async () => {
      const { rig } = await heldThenSilent();
      await rig.clock.advance(4_000);
      rig.onStream = answering(4);

      const again = rig.lease.keepAlive('7');
      await settle();

      expect(again.isAlive).toBe(true);
    });

    it('D3: tells the truth at once after the event loop was blocked, whatever is queued', async () => {
      const rig = new Rig();
      const beat = rig.lease.keepAlive('7');
      await rig.deliver(renewed('7', 9));
      await rig.clock.advance(3_000); // the next renewal is under way; its answer would prove 12 s
      rig.stream.deliver(renewed('7', 9)); // and has come, but is not read yet

      rig.clock.stall(6_500);
      expect(beat.isAlive).toBe(false);
      await settle(); // reads the answer before any timer has run

      expect(beat.isAlive).toBe(false);
      const end = await endOf(beat);
      expect(end?.reason).toBe('expired');
      expect(end?.error.message).toMatch(/noticed 500 ms late, because the event loop was blocked/);
    });

    it('survives a blocked event loop that is shorter than its TTL', async () => {
      const rig = new Rig({ onStream: answering(9) });
      const beat = rig.lease.keepAlive('7');
      await settle();

      rig.clock.stall(8_500);
      await rig.clock.advance(0);

      expect(beat.isAlive).toBe(true);
      expect(rig.sent()).toEqual(['7', '7']);
    });
  });

  describe('that is ended', () => {
    it('D5: is lost at the next renewal after somebody else revoked it', async () => {
      let ttlSeconds = 9;
      const rig = new Rig({ onStream: answering(() => ttlSeconds) });
      const beat = rig.lease.keepAlive('7');
      const { ended } = read(beat);
      await settle();

      ttlSeconds = 0;
      await rig.clock.advance(3_000);

      expect(await endOf(beat)).toMatchObject({ reason: 'not-found' });
      expect(await ended).toBeInstanceOf(EtcdLeaseLostError);
      expect(rig.lease.stats()).toMatchObject({ lost: 1 });
    });

    it('is lost at once when this client revokes it', async () => {
      const rig = new Rig({ onStream: answering(9) });
      const beat = rig.lease.keepAlive('7');
      await settle();

      await rig.lease.revoke('7');

      expect(await endOf(beat)).toMatchObject({ reason: 'revoked', error: { leaseId: '7' } });
      expect(beat.isAlive).toBe(false);
      expect(rig.lease.stats()).toMatchObject({ keptAlive: 0, lost: 0 });
    });

    it('is lost when a revocation finds that it is gone', async () => {
      const rig = new Rig({ onStream: answering(9) });
      const beat = rig.lease.keepAlive('7');
      await settle();
      const missing = serverError(EtcdLeaseNotFoundError, 'etcdserver: requested lease not found', {
        outcome: 'not-applied',
      });
      rig.rpc.answer(LEASE_REVOKE, missing);

      await expect(rig.lease.revoke('7')).rejects.toBe(missing);

      expect(await endOf(beat)).toMatchObject({ reason: 'not-found' });
      expect(rig.lease.stats()).toMatchObject({ lost: 1 });
    });

    it('stops being renewed when it is closed, and the stream goes with the last lease', async () => {
      const rig = new Rig({ onStream: answering(9) });
      const one = rig.lease.keepAlive('1');
      const other = rig.lease.keepAlive('2');
      await settle();

      await one.close();
      await one.close();
      expect(rig.stream.isClosed).toBe(false);
      await other[Symbol.asyncDispose]();

      expect(rig.stream.isClosed).toBe(true);
      expect(rig.clock.pending()).toEqual([]);
      expect([one.isAlive, one.signal.aborted]).toEqual([false, true]);
      expect(rig.lease.stats()).toMatchObject({ keptAlive: 0, lost: 0 });
    });

    it('is closed by its signal', async () => {
      const rig = new Rig({ onStream: answering(9) });
      const controller = new AbortController();
      const beat = rig.lease.keepAlive('7', { signal: controller.signal });
      await settle();

      controller.abort(new Error('enough'));

      const end = await endOf(beat);
      expect(end).toMatchObject({ reason: 'closed' });
      expect(end?.error.cause).toEqual(new Error('enough'));
      expect(rig.stream.isClosed).toBe(true);
    });

    it('is closed from the start by a signal that was aborted before', async () => {
      const rig = new Rig();

      const beat = rig.lease.keepAlive('7', { signal: AbortSignal.abort() });

      expect(await endOf(beat)).toMatchObject({ reason: 'closed' });
      expect([beat.isAlive, rig.streams.length]).toEqual([false, 0]);
    });

    it('C8: ends with the client, and leaves no timer and no stream', async () => {
      const rig = new Rig({ onStream: answering(9) });
      const beats = ['1', '2', '3'].map((id) => rig.lease.keepAlive(id));
      const { ended } = read(beats[0]!);
      await settle();

      rig.lease.close();
      rig.lease.close();

      expect((await Promise.all(beats.map(endOf))).map((end) => end?.reason)).toEqual(Array(3).fill('client-closed'));
      expect(await ended).toBeInstanceOf(EtcdClosedError);
      expect(beats[0]!.signal.reason).toBeInstanceOf(EtcdClosedError);
      expect([rig.stream.isClosed, rig.clock.pending()]).toEqual([true, []]);
    });

    it('ends when the seam says that the client is closed', async () => {
      const rig = new Rig({ onStream: answering(9) });
      const beat = rig.lease.keepAlive('7');
      await settle();

      await rig.break(new EtcdClosedError());

      expect(await endOf(beat)).toMatchObject({ reason: 'client-closed' });
      expect(rig.clock.pending()).toEqual([]);
      expect(() => rig.lease.keepAlive('8')).toThrow(EtcdClosedError);
    });

    it('lets whoever hears of the loss ask for the lease again at once', async () => {
      const rig = new Rig({ onStream: answering(2) });
      const beat = rig.lease.keepAlive('7');
      await settle();
      const again: LeaseKeepAlive[] = [];
      beat.signal.addEventListener('abort', () => again.push(rig.lease.keepAlive('7')));

      rig.clock.stall(3_000);
      await rig.clock.advance(0);

      expect(beat.isAlive).toBe(false);
      expect(again[0]?.isAlive).toBe(true);
      expect(rig.lease.stats()).toMatchObject({ keptAlive: 1, lost: 1 });
    });
  });

  describe('as an iterable', () => {
    it('hands out the newest renewal only, and costs nothing unread', async () => {
      const rig = new Rig({ onStream: answering(9) });
      const beat = rig.lease.keepAlive('7');
      await rig.clock.advance(60_000);

      const { seen } = read(beat);
      await settle();
      expect(seen).toEqual([{ id: '7', ttlSeconds: 9, expiresAt: 69_000, header: HEADER }]);

      await rig.clock.advance(3_000);
      expect(seen.map(({ expiresAt }) => expiresAt)).toEqual([69_000, 72_000]);
    });

    it('can be read by several loops', async () => {
      const rig = new Rig({ onStream: answering(9) });
      const beat = rig.lease.keepAlive('7');
      const loops = [read(beat), read(beat)];

      await rig.clock.advance(3_000);

      expect(loops.map(({ seen }) => seen.length)).toEqual([2, 2]);
    });

    it('goes on being renewed when a loop is left', async () => {
      const rig = new Rig({ onStream: answering(9) });
      const beat = rig.lease.keepAlive('7');

      for await (const renewal of beat) {
        expect(renewal.ttlSeconds).toBe(9);
        break;
      }
      await rig.clock.advance(30_000);

      expect(beat.isAlive).toBe(true);
    });

    it('ends when it is closed, and throws when it is lost', async () => {
      const rig = new Rig({ onStream: answering(9) });
      const [kept, closed] = [rig.lease.keepAlive('1'), rig.lease.keepAlive('2')];
      const ends = [read(kept).ended, read(closed).ended];
      await settle();

      await closed.close();
      rig.clock.stall(9_000);
      await rig.clock.advance(0);

      expect(await ends[1]).toBe('returned');
      expect(await ends[0]).toMatchObject({ code: 'ETCD_LEASE_LOST', reason: 'expired' });
      await expect(kept[Symbol.asyncIterator]().next()).rejects.toBeInstanceOf(EtcdLeaseLostError);
    });
  });
});

describe('EtcdLease.stats', () => {
  it('counts what is kept, and how old its oldest proof is', async () => {
    const rig = new Rig({ onStream: answering(60) });
    expect(rig.lease.stats()).toEqual({ keptAlive: 0, oldestRenewalMs: 0, lost: 0, renewals: 0, streams: 0 });

    rig.lease.keepAlive('1');
    await rig.clock.advance(5_000);
    rig.lease.keepAlive('2');
    await rig.clock.advance(2_000);

    expect(rig.lease.stats()).toEqual({ keptAlive: 2, oldestRenewalMs: 7_000, lost: 0, renewals: 2, streams: 1 });
  });
});

describe('EtcdLease.keepAliveOnce', () => {
  it('renews once, and leaves no stream behind', async () => {
    const rig = new Rig({ onStream: answering(9) });

    const renewal = await rig.lease.keepAliveOnce('07');
    await rig.clock.advance(60_000);

    expect(renewal).toEqual({ id: '7', ttlSeconds: 9, expiresAt: 9_000, header: HEADER });
    expect(rig.sent()).toEqual(['7']);
    expect([rig.stream.isClosed, rig.clock.pending()]).toEqual([true, []]);
  });

  it('renews a lease that is kept alive out of turn, over the same stream', async () => {
    const rig = new Rig({ onStream: answering(9) });
    const beat = rig.lease.keepAlive('7');
    await rig.clock.advance(1_000);

    await rig.lease.keepAliveOnce('7');

    expect(rig.streams).toHaveLength(1);
    expect(beat.expiresAt).toBe(10_000);
    await rig.clock.advance(2_999);
    expect(rig.sent()).toHaveLength(2);
  });

  it('says that there is no such lease', async () => {
    const rig = new Rig({ onStream: answering(0) });

    await expect(rig.lease.keepAliveOnce('7')).rejects.toThrow(EtcdLeaseNotFoundError);
  });

  it('C1: ends with its deadline, and says what it saw', async () => {
    const rig = new Rig();
    const call = rig.lease.keepAliveOnce('7', { timeoutMs: 700 });
    const outcome = call.catch((error: unknown) => error);

    await rig.clock.advance(700);

    const error = await outcome;
    expect(error).toBeInstanceOf(EtcdDeadlineExceededError);
    expect((error as Error).message).toMatch(/no result within 700 ms: .*no answer to a renewal/);
    expect([rig.stream.isClosed, rig.clock.pending()]).toEqual([true, []]);
  });

  it('ends with its signal', async () => {
    const rig = new Rig();
    const controller = new AbortController();
    const call = rig.lease.keepAliveOnce('7', { signal: controller.signal });
    await settle();

    controller.abort();

    await expect(call).rejects.toThrow(EtcdAbortedError);
    await expect(rig.lease.keepAliveOnce('7', { signal: controller.signal })).rejects.toThrow(EtcdAbortedError);
    expect([rig.stream.isClosed, rig.clock.pending()]).toEqual([true, []]);
  });

  it('goes on over another stream when one breaks', async () => {
    const rig = new Rig();
    const call = rig.lease.keepAliveOnce('7');
    await settle();
    rig.onStream = answering(9);

    await rig.break(new EtcdUnavailableError('the connection failed: reset'));
    await rig.clock.advance(100);

    expect(await call).toMatchObject({ id: '7', ttlSeconds: 9 });
    expect(rig.streams).toHaveLength(2);
  });

  it('refuses bad arguments before anything is sent', async () => {
    const rig = new Rig();

    await expect(rig.lease.keepAliveOnce('')).rejects.toThrow(EtcdInvalidArgumentError);
    await expect(rig.lease.keepAliveOnce('7', { timeoutMs: 0 })).rejects.toThrow(EtcdInvalidArgumentError);
    expect(rig.streams).toHaveLength(0);
  });
});
