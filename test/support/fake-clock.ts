/** A clock that stands still until a test moves it. */
import type { Clock } from '../../lib/client/clock.js';

type Kind = 'foreground' | 'background';

interface Timer {
  readonly at: number;
  readonly task: () => void;
  readonly kind: Kind;
}

/**
 * @example
 * const clock = new FakeClock();
 * clock.after(100, () => fired.push('a'));
 * await clock.advance(100);
 */
export class FakeClock implements Clock {
  private time = 0;
  private timers: Timer[] = [];

  now(): number {
    return this.time;
  }

  after(delayMs: number, task: () => void, kind: Kind = 'foreground'): () => void {
    const timer = { at: this.time + Math.max(delayMs, 0), task, kind };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
  }

  /** Milliseconds until each timer that is set (of this kind, where one is given), the next one first. */
  pending(kind?: Kind): number[] {
    const asked = this.timers.filter((timer) => kind === undefined || timer.kind === kind);
    return asked.map(({ at }) => at - this.time).sort((a, b) => a - b);
  }

  /** Moves on by `byMs`, runs each timer that is due at its time, and lets what waits for it happen in between. */
  async advance(byMs: number): Promise<void> {
    const until = this.time + byMs;
    for (;;) {
      await settle();
      const next = this.timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.timers = this.timers.filter((timer) => timer !== next);
      this.time = Math.max(this.time, next.at);
      next.task();
    }
    this.time = until;
    await settle();
  }

  /** Lets `byMs` pass while nothing runs, as a blocked event loop does: timers that fall due meanwhile are late. */
  stall(byMs: number): void {
    this.time += byMs;
  }

  /** Moves on to the next timer and runs it. */
  async advanceToNext(): Promise<void> {
    await settle();
    const [next] = this.pending();
    if (next === undefined) throw new Error('no timer is set');
    await this.advance(next);
  }
}

/** Lets promises that can settle do so. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
