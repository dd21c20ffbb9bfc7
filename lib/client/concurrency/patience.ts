/** Going on where a call failed but another may succeed: which failures pass, and how to wait in between. */
import type { Clock, Random } from '../clock.js';
import { EtcdAbortedError, EtcdDeadlineExceededError, EtcdError, EtcdUnavailableError } from '../errors.js';
import { backoffMs, type BackoffLimits } from '../rpc/backoff.js';
import {
  EtcdLeaderChangedError,
  EtcdNoLeaderError,
  EtcdNotLeaderError,
  EtcdNotSupportedForLearnerError,
  EtcdServerStoppedError,
  EtcdServerTimeoutError,
  EtcdTooManyRequestsError,
  EtcdUnhealthyError,
} from '../server-errors.js';

/** Pauses between tries: the calls themselves retried for seconds already, and an election is over in one or two. */
const PAUSES: BackoffLimits = { firstMs: 50, maxMs: 1_000 };

const PASSING = [
  EtcdUnavailableError,
  EtcdDeadlineExceededError,
  EtcdServerTimeoutError,
  EtcdServerStoppedError,
  EtcdLeaderChangedError,
  EtcdNoLeaderError,
  EtcdNotLeaderError,
  EtcdNotSupportedForLearnerError,
  EtcdTooManyRequestsError,
  EtcdUnhealthyError,
];

/** Whether the cluster, rather than the request, is to blame, so that the same request may succeed later. */
export function isPassing(error: unknown): boolean {
  return PASSING.some((type) => error instanceof type);
}

/** Whether a write that failed with this may have been applied, now or later. */
export function mayBeApplied(error: unknown): boolean {
  return !(error instanceof EtcdError) || error.outcome !== 'not-applied';
}

/** The error a signal of ours was aborted with; one of somebody else is wrapped. */
export function reasonOf({ reason }: AbortSignal): EtcdError {
  const cause: unknown = reason;
  return cause instanceof EtcdError ? cause : new EtcdAbortedError({ cause });
}

/** @throws {EtcdError} the signal's reason, if it has aborted. */
export function check(signal: AbortSignal): void {
  if (signal.aborted) throw reasonOf(signal);
}

/** What waiting needs. */
export interface Patience {
  readonly clock: Clock;
  readonly random: Random;
}

/** What a series of tries does beside trying. */
export interface TryOptions {
  /** @default {@link PAUSES} */
  readonly pauses?: BackoffLimits;
  /** Told of each failure. */
  readonly onFailure?: (error: unknown) => void;
  /** No try begins after this time, as the clock counts. @default never */
  readonly until?: number;
}

/**
 * Tries until it succeeds, fails for good, or `signal` aborts.
 *
 * @throws {EtcdError} the signal's reason, or the last failure.
 */
export async function persist<T>(
  patience: Patience,
  signal: AbortSignal,
  attempt: () => Promise<T>,
  { pauses = PAUSES, onFailure, until = Infinity }: TryOptions = {},
): Promise<T> {
  for (let tries = 1; ; tries++) {
    check(signal);
    try {
      return await attempt();
    } catch (error) {
      onFailure?.(error);
      check(signal);
      if (!isPassing(error) || patience.clock.now() >= until) throw error;
    }
    await pause(patience.clock, backoffMs(tries, pauses, patience.random), signal);
  }
}

/** Lets time pass. @throws {EtcdError} the signal's reason, as soon as it aborts. */
export function pause(
  clock: Clock,
  delayMs: number,
  signal: AbortSignal,
  kind: 'foreground' | 'background' = 'foreground',
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(reasonOf(signal));
      return;
    }
    const onAbort = (): void => {
      cancel();
      reject(reasonOf(signal));
    };
    const cancel = clock.after(
      delayMs,
      () => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      },
      kind,
    );
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

/** Waits for a promise, but not beyond the signal. @throws {EtcdError} the signal's reason, as soon as it aborts. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(reasonOf(signal));
    if (signal.aborted) {
      onAbort();
      return;
    }
    signal.addEventListener('abort', onAbort, { once: true });
    void promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

/** Waits until a promise has settled, either way, but no longer than `limitMs`. Never rejects. */
export function settledWithin(clock: Clock, limitMs: number, promise: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(limitMs, resolve);
    const settle = (): void => {
      cancel();
      resolve();
    };
    promise.then(settle, settle);
  });
}
