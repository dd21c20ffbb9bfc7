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
});
