/** The time that several calls share when together they do one thing for the caller. */
import type { Clock } from '../clock.js';
import { requireTimeout } from '../options.js';

/** A span of time that began when this was made. */
export class TimeBudget {
  private readonly endsAt: number;

  /**
   * @throws {EtcdInvalidArgumentError} when `timeoutMs` is not an integer from 1 to 2_147_483_647.
   */
  constructor(
    private readonly clock: Clock,
    readonly timeoutMs: number,
  ) {
    this.endsAt = clock.now() + requireTimeout('timeoutMs', timeoutMs);
  }

  get isSpent(): boolean {
    return this.clock.now() >= this.endsAt;
  }

  /** What is left, as a call's `timeoutMs`: a whole number of milliseconds, at least 1 and at most `atMostMs`. */
  left(atMostMs = this.timeoutMs): number {
    return Math.max(1, Math.min(atMostMs, Math.ceil(this.endsAt - this.clock.now())));
  }
}
