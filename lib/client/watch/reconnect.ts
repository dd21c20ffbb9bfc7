/** When a broken stream is opened again: soon, but not in a storm. */
import type { Clock, Random } from '../clock.js';
import { backoffMs, type BackoffLimits } from '../rpc/backoff.js';

const LIMITS: BackoffLimits = { firstMs: 50, maxMs: 1_000 };
/** A stream that answered and then lived this long was a good one: the pauses begin anew. */
const LIVED_MS = 2_000;
/**
 * A server that refuses every fresh token must not be asked for ever. But a member that was away does not know the tokens
 * that were given out meanwhile: it gets the time to catch up.
 */
const MAX_REFUSED_MS = 10_000;

/** Counts the breaks of a stream. */
export class Reconnect {
  private breaks = 0;
  private refusedSince: number | undefined;
  private answeredAt: number | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly random: Random,
  ) {}

  /** How many streams in a row did not live. */
  get attempt(): number {
    return this.breaks;
  }

  /** A stream is being opened. */
  opened(): void {
    this.answeredAt = undefined;
  }

  /** The server has answered on this stream. */
  answered(): void {
    this.answeredAt = this.clock.now();
  }

  /** The server has set up a watch: token and member are good. */
  accepted(): void {
    this.refusedSince = undefined;
  }

  /** The server refuses the token, or itself. @returns whether another stream is worth a try. */
  refused(): boolean {
    this.refusedSince ??= this.clock.now();
    return this.clock.now() - this.refusedSince < MAX_REFUSED_MS;
  }

  /** The stream broke. @returns how long to wait before the next one. */
  broken(): number {
    this.breaks = this.hasLived() ? 1 : this.breaks + 1;
    this.answeredAt = undefined;
    return Math.round(backoffMs(this.breaks, LIMITS, this.random));
  }

  private hasLived(): boolean {
    return this.answeredAt !== undefined && this.clock.now() - this.answeredAt >= LIVED_MS;
  }
}
