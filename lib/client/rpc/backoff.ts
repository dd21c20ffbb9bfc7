/** Pauses between tries: exponential, with full jitter. */
import type { Random } from '../clock.js';

/** From where and how far pauses grow. */
export interface BackoffLimits {
  readonly firstMs: number;
  readonly maxMs: number;
}

/**
 * The pause before try number `attempt` (1 is the first repetition): a random share of the bound, which doubles each
 * time up to `maxMs`.
 *
 * @see "Exponential Backoff And Jitter", AWS Architecture Blog: full jitter spreads a crowd best.
 */
export function backoffMs(attempt: number, limits: BackoffLimits, random: Random): number {
  const bound = Math.min(limits.maxMs, limits.firstMs * 2 ** Math.min(attempt - 1, 30));
  return Math.round(bound * random());
}
