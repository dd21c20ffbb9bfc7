/** The one stream of renewals across its breaks: storms, silence, refusals, and ten thousand leases. */
import { describe, expect, it } from '@jest/globals';
import { EtcdDeadlineExceededError, EtcdUnavailableError } from '../../../lib/client/errors.js';
import type { LeaseKeepAlive } from '../../../lib/client/lease/keep-alive.js';
import {
  EtcdAuthenticationError,
  EtcdCorruptError,
  EtcdLeaseNotFoundError,
  EtcdNoLeaderError,
  EtcdPermissionDeniedError,
} from '../../../lib/client/server-errors.js';
import { settle } from '../../support/fake-clock.js';
import { answering, renewed, Rig, serverError, type Stream } from './rig.js';

const reset = new EtcdUnavailableError('the connection failed: read ECONNRESET');
const denied = serverError(EtcdPermissionDeniedError, 'etcdserver: permission denied');
const badToken = serverError(EtcdAuthenticationError, 'etcdserver: invalid auth token');
const noLeader = serverError(EtcdNoLeaderError, 'etcdserver: no leader');

/** A server that answers in order and ends the stream with an error at a renewal of this lease, as etcd does. */
function refusing(id: string, error: Error, ttlSeconds: number): (stream: Stream) => void {
  return (stream) => {
    const send = stream.send.bind(stream);
    stream.send = (request) => {
      send(request);
      if (request.ID === id) stream.fail(error);
      else stream.deliver(renewed(request.ID ?? '0', ttlSeconds));
    };
  };
}

/** A seeded generator, so that a failure can be repeated. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function idsOf(count: number): string[] {
  return Array.from({ length: count }, (_, index) => (index + 1).toString(16));
}

describe('KeepAliveStream', () => {
  describe('when the stream breaks', () => {
    it('L1: opens another one after a short pause and sends what was under way again', async () => {
      const rig = new Rig();
      rig.lease.keepAlive('1');
      rig.lease.keepAlive('2');
      await rig.deliver(renewed('1', 9));

      await rig.break(reset);
      expect(rig.streams).toHaveLength(1);
      await rig.clock.advance(50);

      expect(rig.streams).toHaveLength(2);
      expect(rig.sent()).toEqual(['2']);
    });

    it('sends what waits in the order of its deadlines', async () => {
      const rig = new Rig();
      for (const [id, ttlSeconds] of [
        ['a', 60],
        ['b', 4],
        ['c', 9],
      ] as const) {
        rig.lease.keepAlive(id, { ttlSeconds });
      }
      expect(rig.sent()).toEqual(['a', 'b', 'c']);

      await rig.break(reset);
      await rig.clock.advance(50);

      expect(rig.sent()).toEqual(['b', 'c', 'a']);
    });

    it('opens none while nothing is due', async () => {
      const rig = new Rig({ onStream: answering(60) });
      rig.lease.keepAlive('1');
      await settle();

      await rig.break(reset);
      await rig.clock.advance(19_000);
      expect(rig.streams).toHaveLength(1);

      await rig.clock.advance(1_100);
      expect(rig.streams).toHaveLength(2);
    });

    it('counts what an answer proves from the sending on its own stream', async () => {
      const rig = new Rig();
      const beat = rig.lease.keepAlive('1', { ttlSeconds: 60 });
      await rig.clock.advance(400);

      await rig.break(reset);
      await rig.clock.advance(100); // sent again between 400 and 500
      await rig.deliver(renewed('1', 9));

      expect(beat.expiresAt).toBe(9_425);
    });

    it('does not hear what comes on a stream that it has left', async () => {
      const rig = new Rig();
      const beat = rig.lease.keepAlive('1', { ttlSeconds: 60 });
      const left = rig.stream;
      await rig.clock.advance(4_100); // silent twice over: given up
      expect(rig.streams.length).toBeGreaterThan(1);

      left.deliver(renewed('1', 9));
      await settle();

      expect(beat.isAlive).toBe(false);
    });

    it('I3: opens few streams when each is ended at once', async () => {
      const rig = new Rig({
        random: Math.random,
        onStream: (stream) => {
          answering(9)(stream);
          const { send } = stream;
          stream.send = (request) => {
            send(request);
            stream.end();
          };
        },
      });
      const beats = idsOf(20).map((id) => rig.lease.keepAlive(id));

      await rig.clock.advance(10_000);

      expect(beats.every(({ isAlive }) => isAlive)).toBe(true);
      expect(rig.streams.length).toBeLessThanOrEqual(60);
    });

    it('#11: does not hammer a server that refuses every token, and tells the holder in time', async () => {
      const rig = new Rig({ random: Math.random, onStream: answering(9) });
      const beat = rig.lease.keepAlive('1');
      await settle();
      rig.onStream = (stream) => stream.fail(badToken);
      await rig.break(badToken);

      await rig.clock.advance(9_000);

      const { reason, error } = await beat.lost;
      expect([reason, error.cause]).toEqual(['expired', badToken]);
      expect(rig.streams.length).toBeLessThanOrEqual(40);
    });

    it('starts with short pauses again after a stream that lived', async () => {
      const rig = new Rig({ random: () => 0.999_999 });
      const beat = rig.lease.keepAlive('1', { ttlSeconds: 60 });
      rig.onStream = (stream) => stream.fail(reset);
      await rig.break(reset);
      await rig.clock.advance(10_000);
      expect(rig.clock.pending()[0]).toBeGreaterThan(1_000); // by now the pauses are long
      rig.onStream = answering(9);
      await rig.clock.advance(6_000);
      expect(beat.isAlive).toBe(true);
      const before = rig.streams.length;

      rig.stream.send = (request) => void rig.stream.sent.push(request);
      await rig.clock.advance(3_200); // the next renewal is under way
      await rig.break(reset);
      await rig.clock.advance(50);

      expect(rig.streams).toHaveLength(before + 1);
    });

    it('survives a token that expired, a member without leader, and an end without an error', async () => {
      const rig = new Rig({ onStream: answering(9) });
      const beat = rig.lease.keepAlive('1');

      for (const interruption of [badToken, noLeader, undefined]) {
        await rig.clock.advance(1_000);
        if (interruption === undefined) rig.stream.end();
        else rig.stream.fail(interruption);
        await rig.clock.advance(3_000);
      }

      expect(beat.isAlive).toBe(true);
      expect(rig.streams).toHaveLength(4);
      expect(rig.lease.stats()).toMatchObject({ lost: 0 });
    });
  });

  describe('when answers stop coming', () => {
    it('D6: closes the stream within a quarter of the TTL, tells on its endpoint, and keeps the lease by another one', async () => {
      const rig = new Rig({ onStream: answering(4) });
      const beat = rig.lease.keepAlive('1');
      await settle();
      const [silent] = rig.streams;
      silent!.send = (request) => void silent!.sent.push(request); // swallows from now on
      rig.onStream = answering(4);

      await rig.clock.advance(2_500); // due at 1,333; silent until 2,333

      expect(silent!.isClosed).toBe(true);
      expect(rig.silences).toEqual(['no answer to renewals of leases for 1000 ms']);
      expect(rig.sent()).toEqual(['1']);
      await rig.clock.advance(30_000);
      expect(beat.isAlive).toBe(true);
    });

    it('waits no longer than two seconds, however long the TTL', async () => {
      const rig = new Rig();
      rig.lease.keepAlive('1', { ttlSeconds: 3_600 });

      await rig.clock.advance(1_990);
      expect(rig.silences).toEqual([]);
      await rig.clock.advance(20);

      expect(rig.silences).toHaveLength(1);
    });

    it('gives a slow cluster more time with each silence', async () => {
      const rig = new Rig();
      const openedAt: number[] = [];
      rig.onStream = () => void openedAt.push(rig.clock.now());
      rig.lease.keepAlive('1', { ttlSeconds: 3_600 });

      await rig.clock.advance(60_000);

      const lived = openedAt.slice(1).map((at, index) => at - (openedAt[index] ?? 0));
      expect(lived.slice(0, 3).map((ms) => Math.floor(ms / 1_000))).toEqual([2, 4, 8]);
      expect(Math.max(...lived)).toBeLessThan(16_000 + 5_000);
    });

    it('does not blame an endpoint for the time it takes to connect', async () => {
      const rig = new Rig({ onStream: (stream) => (stream.endpoint = undefined) });
      const beat = rig.lease.keepAlive('1', { ttlSeconds: 60 });
      await rig.clock.advance(9_500);
      expect([rig.streams.length, rig.silences]).toEqual([1, []]);

      rig.stream.endpoint = 'http://fake:2379';
      await rig.clock.advance(1_000);
      await rig.deliver(renewed('1', 60));

      expect([rig.streams.length, rig.silences, beat.isAlive]).toEqual([1, [], true]);
    });

    it('sends a renewal once more at once when its first sending was long ago', async () => {
      const rig = new Rig({ onStream: (stream) => (stream.endpoint = undefined) });
      const beat = rig.lease.keepAlive('1', { ttlSeconds: 60 });
      await rig.clock.advance(8_000);

      await rig.deliver(renewed('1', 9)); // proves 9 s from 0: a beat of 3 s is over
      await rig.clock.advance(1);
      expect(rig.sent()).toEqual(['1', '1']);
      await rig.deliver(renewed('1', 9));

      expect(beat.expiresAt).toBeGreaterThanOrEqual(17_000);
    });

    it('does not take its own blocked event loop for silence of the endpoint', async () => {
      const rig = new Rig();
      rig.lease.keepAlive('1', { ttlSeconds: 60 });
      await settle();

      rig.clock.stall(10_000);
      await rig.clock.advance(1_000);
      expect(rig.silences).toEqual([]);

      await rig.clock.advance(1_100); // but now it is
      expect(rig.silences).toHaveLength(1);
    });

    it('opens another stream when one answer of many went missing', async () => {
      const serve = answering((id) => (id === '1' ? 9 : 3));
      const rig = new Rig({ onStream: serve });
      const beats = ['1', '2'].map((id) => rig.lease.keepAlive(id));
      await settle();
      const [lossy] = rig.streams;
      const { send } = lossy!;
      lossy!.send = (request) => (request.ID === '1' ? undefined : send(request));

      await rig.clock.advance(8_000);

      expect(lossy!.isClosed).toBe(true);
      expect(rig.silences).toEqual([]);
      expect(beats.map(({ isAlive }) => isAlive)).toEqual([true, true]);
      expect(rig.streams).toHaveLength(2);
    });
  });

  describe('when a handle is closed while its renewal is under way', () => {
    it('takes that renewal over for the next handle, and counts from when it was sent', async () => {
      const rig = new Rig();
      rig.lease.keepAlive('2'); // keeps the stream open
      const first = rig.lease.keepAlive('1', { ttlSeconds: 60 }); // sent at 0
      await rig.clock.advance(300);

      await first.close();
      const second = rig.lease.keepAlive('1', { ttlSeconds: 60 });
      await rig.deliver(renewed('1', 9));

      expect(rig.sent()).toEqual(['2', '1']);
      expect(second.expiresAt).toBe(9_000);
    });

    it('ignores the answer when nobody wants it', async () => {
      const rig = new Rig();
      rig.lease.keepAlive('2');
      const first = rig.lease.keepAlive('1');
      await first.close();

      await rig.deliver(renewed('1', 9), renewed('9', 9));

      expect(rig.lease.stats()).toMatchObject({ keptAlive: 1, renewals: 0 });
    });
  });

  describe('when the server refuses one lease', () => {
    it('L1: loses that one with the refusal, and no other', async () => {
      const rig = new Rig({ onStream: refusing('3', denied, 9) });
      const beats = new Map(['1', '2', '3', '4', '5'].map((id) => [id, rig.lease.keepAlive(id)]));

      await rig.clock.advance(30_000);

      const { reason, error } = await beats.get('3')!.lost;
      expect([reason, error.cause]).toEqual(['not-permitted', denied]);
      expect(error.message).toMatch(/needs write permission on every key attached to it: .*permission denied/);
      expect([...beats.values()].filter(({ isAlive }) => isAlive).map(({ id }) => id)).toEqual(['1', '2', '4', '5']);
      // The shared one twice, and one for the suspect alone.
      expect(rig.streams).toHaveLength(3);
      expect(rig.lease.stats()).toMatchObject({ keptAlive: 4, lost: 1 });
    });

    it('acquits a suspect that is renewed on a stream of its own', async () => {
      const rig = new Rig();
      const beats = ['1', '2'].map((id) => rig.lease.keepAlive(id));
      await settle();
      rig.onStream = refusing('2', denied, 9);

      await rig.break(denied); // the answer for 1 was lost with the stream: 1 is the suspect
      await rig.clock.advance(500);

      expect(beats.map(({ isAlive }) => isAlive)).toEqual([true, false]);
      expect(await beats[1]!.lost).toMatchObject({ reason: 'not-permitted' });
    });

    it('finds each of several', async () => {
      const forbidden = new Set(['2', '4', '6']);
      const rig = new Rig({
        onStream: (stream) => {
          const send = stream.send.bind(stream);
          stream.send = (request) => {
            send(request);
            if (forbidden.has(request.ID ?? '')) stream.fail(denied);
            else stream.deliver(renewed(request.ID ?? '', 9));
          };
        },
      });
      const beats = idsOf(8).map((id) => rig.lease.keepAlive(id));

      await rig.clock.advance(8_000);

      expect(beats.filter(({ isAlive }) => isAlive).map(({ id }) => id)).toEqual(['1', '3', '5', '7', '8']);
    });

    it('goes on trying alone after a refusal that it does not know, without disturbing the others', async () => {
      const corrupt = serverError(EtcdCorruptError, 'etcdserver: corrupt cluster');
      const rig = new Rig({ random: Math.random, onStream: answering(9) });
      const beats = ['1', '2'].map((id) => rig.lease.keepAlive(id));
      await settle();
      rig.onStream = refusing('1', corrupt, 9);
      rig.stream.send = refusingSend(rig.stream, '1', corrupt);
      await rig.clock.advance(4_000);
      const alone = rig.streams.filter((stream) => rig.sent(stream).at(-1) === '1');
      expect(alone.length).toBeGreaterThan(2);

      rig.onStream = answering(9);
      await rig.clock.advance(30_000);

      expect(beats.map(({ isAlive }) => isAlive)).toEqual([true, true]);
      expect(rig.sent()).toEqual(expect.arrayContaining(['1', '2']));
    });

    it('loses it at its deadline when it stays refused', async () => {
      const corrupt = serverError(EtcdCorruptError, 'etcdserver: corrupt cluster');
      const rig = new Rig({ onStream: answering(9) });
      const [beat] = ['1', '2'].map((id) => rig.lease.keepAlive(id));
      await settle();
      rig.onStream = refusing('1', corrupt, 9);
      rig.stream.send = refusingSend(rig.stream, '1', corrupt);

      await rig.clock.advance(9_000);

      expect(await beat!.lost).toMatchObject({ reason: 'expired', error: { cause: corrupt } });
    });

    it('believes a refusal that says there is no such lease', async () => {
      const missing = serverError(EtcdLeaseNotFoundError, 'etcdserver: requested lease not found');
      const rig = new Rig({ onStream: refusing('1', missing, 9) });
      const beats = ['1', '2'].map((id) => rig.lease.keepAlive(id));

      await rig.clock.advance(1_000);

      expect(await beats[0]!.lost).toMatchObject({ reason: 'not-found' });
      expect(beats[1]!.isAlive).toBe(true);
    });

    it('stops trying when the handle is closed', async () => {
      const rig = new Rig({ onStream: refusing('1', denied, 9) });
      const beat = rig.lease.keepAlive('1');
      rig.onStream = () => undefined;
      await settle();
      expect(rig.streams).toHaveLength(2);

      await beat.close();
      await rig.clock.advance(60_000);

      expect(rig.streams).toHaveLength(2);
      expect(rig.clock.pending()).toEqual([]);
      expect(await beat.lost).toMatchObject({ reason: 'closed' });
    });

    it('tries a suspect again elsewhere when nothing answers it', async () => {
      const rig = new Rig({ onStream: refusing('1', denied, 9) });
      const beat = rig.lease.keepAlive('1', { ttlSeconds: 60 });
      rig.onStream = (stream, { timeoutMs }) =>
        stream.fail(new EtcdDeadlineExceededError(timeoutMs ?? 0, 'waiting for http://fake:2379'));
      await settle();
      rig.onStream = answering(9);

      await rig.clock.advance(200);

      expect(beat.isAlive).toBe(true);
    });
  });

  describe('with many leases', () => {
    it('has at most 256 renewals under way', async () => {
      const rig = new Rig();
      for (const id of idsOf(1_000)) rig.lease.keepAlive(id, { ttlSeconds: 60 });
      expect(rig.sent()).toHaveLength(256);

      await rig.deliver(...rig.sent().map((id) => renewed(id ?? '', 60)));

      expect(rig.sent()).toHaveLength(512);
    });

    it('L1: keeps 10,000 over one stream at leases / (TTL/3), spread, without a timer each, and through a break', async () => {
      const seed = Math.floor(Math.random() * 2 ** 32);
      const sentAt: number[] = [];
      const rig = new Rig({ random: seeded(seed) });
      const serve = answering(9);
      rig.onStream = (stream) => {
        serve(stream);
        const { send } = stream;
        stream.send = (request) => {
          sentAt.push(rig.clock.now());
          send(request);
        };
      };
      const beats: LeaseKeepAlive[] = [];
      for (let count = 0; count < 10_000; count++) beats.push(rig.lease.keepAlive((await rig.lease.grant(9)).id));
      expect(rig.clock.pending().length).toBeLessThanOrEqual(2);

      await rig.clock.advance(12_000);
      await rig.break(reset);
      await rig.clock.advance(15_000); // three TTLs in all

      const expected = (10_000 * 27) / 3;
      const perSecond = new Array<number>(27).fill(0);
      for (const at of sentAt) perSecond[Math.min(26, Math.floor(at / 1_000))]! += 1;
      const facts = { seed, ratio: sentAt.length / expected, busiest: Math.max(...perSecond) };
      expect({ ...facts, isWithin: Math.abs(facts.ratio - 1) < 0.1 }).toMatchObject({ isWithin: true });
      expect({ ...facts, isSpread: facts.busiest < 10_000 }).toMatchObject({ isSpread: true });
      expect(beats.filter(({ isAlive }) => !isAlive)).toEqual([]);
      expect(rig.lease.stats()).toMatchObject({ keptAlive: 10_000, lost: 0, streams: 2 });
    }, 60_000);

    it('D15: loses 2,000 within their TTL in an outage of two TTLs, and keeps nothing of them', async () => {
      const rig = new Rig({ random: Math.random, onStream: answering(6) });
      const beats = idsOf(2_000).map((id) => rig.lease.keepAlive(id));
      await rig.clock.advance(1_000);
      rig.onStream = (stream) => stream.fail(reset);
      await rig.break(reset);

      await rig.clock.advance(6_000);
      const reasons = await Promise.all(beats.map(async ({ lost }) => (await lost).reason));
      await rig.clock.advance(6_000);

      expect(new Set(reasons)).toEqual(new Set(['expired']));
      expect(rig.lease.stats()).toMatchObject({ keptAlive: 0, lost: 2_000 });
      expect(rig.clock.pending()).toEqual([]);
      expect(rig.streams.length).toBeLessThan(60);
    });
  });
});

/** Turns a stream that answers into one that refuses a lease. */
function refusingSend(stream: Stream, id: string, error: Error): Stream['send'] {
  const send = stream.send.bind(stream);
  return (request) => {
    if (request.ID === id) stream.fail(error);
    else send(request);
  };
}
