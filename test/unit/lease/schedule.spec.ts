/** One timer for any number of items. */
import { describe, expect, it } from '@jest/globals';
import { MAX_DELAY_MS, type Clock } from '../../../lib/client/clock.js';
import { Schedule } from '../../../lib/client/lease/schedule.js';
import { FakeClock } from '../../support/fake-clock.js';

function scheduled(clock: Clock = new FakeClock()) {
  const done: string[] = [];
  const schedule = new Schedule<string>(clock, (item) => done.push(item));
  return { schedule, done };
}

describe('Schedule', () => {
  it('calls each item once at its time, with one timer for all', async () => {
    const clock = new FakeClock();
    const { schedule, done } = scheduled(clock);
    for (let item = 999; item >= 0; item--) schedule.set(String(item), item);

    expect(clock.pending()).toHaveLength(1);
    await clock.advance(499);

    expect(done).toEqual(Array.from({ length: 500 }, (_, item) => String(item)));
    expect(clock.pending()).toEqual([1]);
  });

  it('has no timer when it is empty', async () => {
    const clock = new FakeClock();
    const { schedule, done } = scheduled(clock);
    schedule.set('a', 10);
    schedule.set('b', 20);

    schedule.delete('a');
    schedule.delete('b');
    expect(clock.pending()).toEqual([]);

    schedule.set('c', 30);
    schedule.clear();
    await clock.advance(100);
    expect([clock.pending(), done]).toEqual([[], []]);
  });

  it('waits longer than a timer can', () => {
    const delays: number[] = [];
    let now = 0;
    let fire = (): void => undefined;
    const clock: Clock = {
      now: () => now,
      after(delayMs, task) {
        delays.push(delayMs);
        fire = task;
        return () => undefined;
      },
    };
    const { schedule, done } = scheduled(clock);
    const year = 365 * 86_400_000;

    schedule.set('next year', year);
    now = MAX_DELAY_MS; // where the real clock cuts a longer wait off
    fire();
    expect(done).toEqual([]);
    expect(delays).toEqual([year, year - MAX_DELAY_MS]);

    now = year;
    fire();
    expect(done).toEqual(['next year']);
  });

  it('does what is overdue when asked, before its late timer', () => {
    const clock = new FakeClock();
    const { schedule, done } = scheduled(clock);
    schedule.set('a', 10);
    schedule.set('b', 5_000);

    clock.stall(6_000);
    schedule.runDue();

    expect(done).toEqual(['a', 'b']);
  });

  it('leaves an item that is put in again for now to the next turn', async () => {
    const clock = new FakeClock();
    let calls = 0;
    const schedule: Schedule<string> = new Schedule(clock, (item) => {
      calls += 1;
      if (calls < 3) schedule.set(item, clock.now());
    });
    schedule.set('a', 0);

    schedule.runDue();
    expect(calls).toBe(1);

    await clock.advance(0);
    expect(calls).toBe(3);
  });

  it('does not call an item that another one takes out or moves when both are due', async () => {
    const clock = new FakeClock();
    const done: string[] = [];
    const schedule: Schedule<string> = new Schedule(clock, (item) => {
      done.push(item);
      schedule.delete('b');
      if (item === 'a') schedule.set('c', clock.now() + 50);
    });
    for (const item of ['a', 'b', 'c', 'd']) schedule.set(item, 10);

    await clock.advance(10);
    expect(done).toEqual(['a', 'd']);

    await clock.advance(50);
    expect(done).toEqual(['a', 'd', 'c']);
  });

  it('takes along what is due a little later, where it may, and once only', async () => {
    const clock = new FakeClock();
    const calls: string[] = [];
    const schedule: Schedule<string> = new Schedule(
      clock,
      (item) => {
        calls.push(`${item} at ${clock.now()}`);
        if (item === 'b' && calls.length === 2) schedule.set('b', 120);
      },
      25,
    );
    schedule.set('a', 100);
    schedule.set('b', 125);
    schedule.set('c', 126);

    await clock.advance(100);
    expect(calls).toEqual(['a at 100', 'b at 100']);

    await clock.advance(26);
    expect(calls).toEqual(['a at 100', 'b at 100', 'b at 120', 'c at 120']);
  });
});
