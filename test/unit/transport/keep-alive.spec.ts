/** C4: a peer that is gone without a word is found out by pings, and no server has a reason to complain about them. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { KeepAlive, type Pinged } from '../../../lib/client/transport/http2/keep-alive.js';
import { FakeClock } from '../../support/fake-clock.js';

const seed = Number(process.env['TEST_SEED'] ?? Date.now() % 2 ** 31);
const TIME_MS = 10_000;
const TIMEOUT_MS = 3_000;

type OnPong = (error: Error | null) => void;

/** As much of a session as pings need. */
class PlayedSession {
  closed = false;
  destroyed = false;
  /** When each ping was sent. */
  readonly pings: number[] = [];
  isAnswering = true;
  private readonly waiting: OnPong[] = [];

  constructor(private readonly clock: FakeClock) {}

  ping(onPong: OnPong): boolean {
    this.pings.push(this.clock.now());
    this.waiting.push(onPong);
    if (this.isAnswering) setImmediate(() => this.answer());
    return true;
  }

  answer(error: Error | null = null): void {
    for (const onPong of this.waiting.splice(0)) onPong(error);
  }
}

let clock: FakeClock;
let socket: { bytesRead: number };
let session: PlayedSession;
let deaths: string[];
let keepAlive: KeepAlive;

beforeEach(() => {
  clock = new FakeClock();
  session = new PlayedSession(clock);
  deaths = [];
  const intervals = { keepAliveTimeMs: TIME_MS, keepAliveTimeoutMs: TIMEOUT_MS };
  socket = { bytesRead: 0 };
  const line = { session, socket } as unknown as Pinged;
  keepAlive = new KeepAlive(line, intervals, clock, (reason) => deaths.push(reason));
});

describe('Pings', () => {
  it('are not sent on a connection without calls', async () => {
    await clock.advance(10 * TIME_MS);

    expect(session.pings).toEqual([]);
    expect(clock.pending()).toEqual([]);
  });

  it('follow each other at the interval for as long as a call is under way', async () => {
    keepAlive.setBusy(true);
    await clock.advance(3 * TIME_MS + 1);

    expect(session.pings).toEqual([TIME_MS, 2 * TIME_MS, 3 * TIME_MS]);
    expect(deaths).toEqual([]);
  });

  it('stop with the calls, and begin anew a whole interval after the next one', async () => {
    keepAlive.setBusy(true);
    await clock.advance(TIME_MS + 1);
    keepAlive.setBusy(false);
    await clock.advance(5 * TIME_MS);
    const before = [...session.pings];
    keepAlive.setBusy(true);
    await clock.advance(TIME_MS);

    expect(before).toEqual([TIME_MS]);
    expect(session.pings).toEqual([TIME_MS, 7 * TIME_MS + 1]);
  });

  it(`are never closer than the interval, however calls come and go (seed ${seed})`, async () => {
    const pauses = fc.array(fc.integer({ min: 0, max: TIME_MS }), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(pauses, async (waits) => {
        session.pings.length = 0;
        const startedAt = clock.now();
        for (const [index, wait] of waits.entries()) {
          keepAlive.setBusy(index % 2 === 0);
          await clock.advance(wait);
        }
        keepAlive.setBusy(false);
        await clock.advance(2 * TIME_MS);

        const times = [startedAt, ...session.pings];
        for (const [index, at] of session.pings.entries()) expect(at - times[index]!).toBeGreaterThanOrEqual(TIME_MS);
      }),
      { seed, numRuns: 50 },
    );
  });

  it('do not keep the process alive', () => {
    keepAlive.setBusy(true);

    expect(clock.pending('foreground')).toEqual([]);
  });

  it('are not sent once the session takes no more calls: node:http2 would not send them, and nobody would answer', async () => {
    keepAlive.setBusy(true);
    session.closed = true;
    await clock.advance(10 * TIME_MS);

    expect(session.pings).toEqual([]);
    expect(deaths).toEqual([]);
    expect(clock.pending()).toEqual([]);
  });
});

describe('A peer that does not answer a ping', () => {
  beforeEach(async () => {
    session.isAnswering = false;
    keepAlive.setBusy(true);
    await clock.advance(TIME_MS);
  });

  it('is given all of its time, and then called dead, with words for the error', async () => {
    await clock.advance(TIMEOUT_MS - 1);
    const before = [...deaths];
    await clock.advance(1);

    expect(before).toEqual([]);
    expect(deaths).toEqual(['no answer to a ping within 3000 ms']);
  });

  it('is called dead though the calls have gone meanwhile', async () => {
    keepAlive.setBusy(false);
    await clock.advance(TIMEOUT_MS);

    expect(deaths).toHaveLength(1);
  });

  it('while a large answer of it comes in on a slow line is alive, and asked again', async () => {
    socket.bytesRead += 100;
    await clock.advance(TIMEOUT_MS + TIME_MS);
    const whileItCame = [...deaths];
    await clock.advance(TIMEOUT_MS);

    expect(whileItCame).toEqual([]);
    expect(session.pings).toEqual([TIME_MS, 2 * TIME_MS + TIMEOUT_MS]);
    expect(deaths).toHaveLength(1);
  });

  it('in time because this process was held up is not called dead', async () => {
    clock.stall(TIMEOUT_MS + 1_000);
    const late = clock.advance(0);
    setImmediate(() => session.answer()); // read in the same turn of the event loop, after the timers that are late
    await late;
    session.isAnswering = true;
    await clock.advance(TIME_MS);

    expect(deaths).toEqual([]);
    expect(session.pings).toHaveLength(2);
  });

  it('since the connection has ended is nothing to tell: that is told elsewhere', async () => {
    session.destroyed = true;
    session.answer(new Error('the ping was cancelled'));
    const timers = clock.pending();
    await clock.advance(10 * TIME_MS);

    expect(timers).toEqual([]);
    expect(deaths).toEqual([]);
  });
});

describe('stop()', () => {
  it.each([
    ['before the first ping', 0],
    ['while an answer is awaited', TIME_MS],
  ])('%s leaves no timer and tells nothing more', async (_, afterMs) => {
    session.isAnswering = false;
    keepAlive.setBusy(true);
    await clock.advance(afterMs);

    keepAlive.stop();
    const timers = clock.pending();
    session.answer();
    await clock.advance(10 * TIME_MS);

    expect(timers).toEqual([]);
    expect(clock.pending()).toEqual([]);
    expect(deaths).toEqual([]);
  });
});
