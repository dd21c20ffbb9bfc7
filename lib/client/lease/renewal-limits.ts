/** How long to wait in which case, and which failures are about one lease alone: the rules of renewing, without state. */
import type { Random } from '../clock.js';
import type { EtcdError } from '../errors.js';
import type { BackoffLimits } from '../rpc/backoff.js';
import {
  EtcdAuthenticationError,
  EtcdLeaderChangedError,
  EtcdNoLeaderError,
  EtcdNotLeaderError,
  EtcdNotSupportedForLearnerError,
  EtcdServerSideError,
  EtcdServerStoppedError,
  EtcdServerTimeoutError,
  EtcdTooManyRequestsError,
  EtcdUnhealthyError,
} from '../server-errors.js';
import type { KeptLease } from './kept-lease.js';

/** Share of the TTL after which a lease is renewed again: two more tries fit into what is left. */
const BEAT = 1 / 3;
/** Beats vary by this much to either side, so that leases that were granted together drift apart and the rate stays. */
const JITTER = 0.05;

/** Milliseconds from one renewal to the next. */
export function beatMs(ttlSeconds: number, random: Random): number {
  return ttlSeconds * 1_000 * BEAT * (1 - JITTER + 2 * JITTER * random());
}

/** Milliseconds from the grant to the first renewal: spread over half a beat, for leases that are granted all at once. */
export function firstBeatMs(ttlSeconds: number, random: Random): number {
  return ttlSeconds * 1_000 * BEAT * (0.5 + 0.5 * random());
}

const MAX_SILENCE_MS = 2_000;
/** Doublings of the limit, so that a cluster that is merely slow gets to answer before its work is thrown away again. */
const MAX_PATIENCE = 3;

/** Milliseconds without any answer after which a stream is given up: a quarter of the TTL, so that two more streams fit in. */
export function silenceLimitMs(goodForMs: number, silences: number): number {
  return Math.min(MAX_SILENCE_MS, goodForMs / 4) * 2 ** Math.min(silences, MAX_PATIENCE);
}

const FIRST_PAUSE_MS = 50;
const MIN_PAUSE_BOUND_MS = 200;
const MAX_PAUSE_BOUND_MS = 5_000;

/** Pauses between streams: bounded by a ninth of the shortest TTL that is waiting, a third of its beat. */
export function pauseLimits(waiting: Iterable<KeptLease>): BackoffLimits {
  let shortestMs = Infinity;
  for (const { goodForMs } of waiting) shortestMs = Math.min(shortestMs, goodForMs);
  const maxMs = Math.min(MAX_PAUSE_BOUND_MS, Math.max(MIN_PAUSE_BOUND_MS, shortestMs / 9));
  return { firstMs: FIRST_PAUSE_MS, maxMs };
}

/** Refusals that are about the member, the cluster or the token. */
const ABOUT_ALL: readonly (new (...args: never[]) => EtcdServerSideError)[] = [
  EtcdAuthenticationError,
  EtcdLeaderChangedError,
  EtcdNoLeaderError,
  EtcdNotLeaderError,
  EtcdNotSupportedForLearnerError,
  EtcdServerStoppedError,
  EtcdServerTimeoutError,
  EtcdTooManyRequestsError,
  EtcdUnhealthyError,
];

/** Whether a refusal may be about one lease, as "permission denied" is, and not about the stream as a whole. */
export function isAboutOneLease(error: EtcdError): boolean {
  return error instanceof EtcdServerSideError && !ABOUT_ALL.some((type) => error instanceof type);
}
