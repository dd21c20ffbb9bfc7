/** Something to do for each of many items, each at its time, with one timer for all of them. */
import type { Clock } from '../clock.js';
import { TimeQueue } from './time-queue.js';

/**
 * Holds any number of items, also with times further away than a timer can wait. While it holds one it keeps the process
 * alive: leases that are kept are work to be done.
 */
export class Schedule<T> {
  private readonly queue = new TimeQueue<T>();
  /** Those whose time has come, until they are told of. */
  private readonly due = new Set<T>();
  private timer: { readonly at: number; readonly cancel: () => void } | undefined;

  /**
   * @param onDue is called once for an item when its time has come; it may put the item in again.
   * @param earlyMs how much before its time an item may be taken along when the timer of another one has fired: with
   *   thousands of items that is a few timers a second instead of thousands, and what they send leaves together.
   */
  constructor(
    private readonly clock: Clock,
    private readonly onDue: (item: T) => void,
    private readonly earlyMs = 0,
  ) {}

  /** Puts an item in, or moves it to another time. */
  set(item: T, at: number): void {
    this.due.delete(item);
    this.queue.set(item, at);
    this.arm();
  }

  /** Takes an item out, if it is in. */
  delete(item: T): void {
    this.due.delete(item);
    this.queue.delete(item);
    if (this.queue.size === 0) this.disarm();
  }

  clear(): void {
    this.due.clear();
    this.queue.clear();
    this.disarm();
  }

  /** Does now what is due. The timer calls it; so may whoever cannot wait until a blocked process gets to its timers. */
  runDue(): void {
    const dueBy = this.clock.now() + this.earlyMs;
    // Taken out before the first of them is told, so that an item that is put in again for now waits for the next turn.
    while (this.queue.firstAt !== undefined && this.queue.firstAt <= dueBy) {
      const item = this.queue.takeFirst();
      if (item !== undefined) this.due.add(item);
    }
    for (const item of this.due) {
      this.due.delete(item);
      this.onDue(item);
    }
    this.arm();
  }

  /** A timer that is early only finds nothing to do and sets the next one: cheaper than moving it each time. */
  private arm(): void {
    const { firstAt } = this.queue;
    if (firstAt === undefined) {
      this.disarm();
      return;
    }
    if (this.timer !== undefined && this.timer.at <= firstAt) return;
    this.disarm();
    // Whole milliseconds, as timers have them: one that fires a fraction too early would be set again and again.
    const cancel = this.clock.after(Math.ceil(firstAt - this.clock.now()), () => {
      this.timer = undefined;
      this.runDue();
    });
    this.timer = { at: firstAt, cancel };
  }

  private disarm(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }
}
