/** Those who wait until a view is as new as a revision. */
import type { Clock } from '../clock.js';
import { EtcdAbortedError, EtcdDeadlineExceededError, type EtcdError } from '../errors.js';
import { defer, type Deferred } from './deferred.js';

/** What waiting depends on. */
export interface RevisionWaitsParts {
  readonly clock: Clock;
  /** How new the view is, for the error of who waits in vain. */
  readonly revision: () => number;
  /** Somebody waits where nobody did. */
  readonly onFirst: () => void;
  /** Nobody waits any more. */
  readonly onNone: () => void;
}

interface Wait extends Deferred<undefined> {
  readonly revision: number;
}

/** Those who wait. */
export class RevisionWaits {
  private readonly waits = new Set<Wait>();

  constructor(private readonly parts: RevisionWaitsParts) {}

  /**
   * Waits for `revision`.
   *
   * @throws {EtcdDeadlineExceededError} after `timeoutMs`.
   * @throws {EtcdAbortedError} when the signal aborts.
   * @throws {EtcdError} what {@link fail} was told.
   */
  async add(revision: number, timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted === true) throw aborted(signal);
    const wait = { ...defer<undefined>(), revision };
    const onAbort = (): void => wait.reject(aborted(signal));
    const cancelTimer = this.parts.clock.after(timeoutMs, () => wait.reject(this.late(revision, timeoutMs)));
    signal?.addEventListener('abort', onAbort);
    this.waits.add(wait);
    if (this.waits.size === 1) this.parts.onFirst();
    try {
      await wait.promise;
    } finally {
      cancelTimer();
      signal?.removeEventListener('abort', onAbort);
      this.waits.delete(wait);
      if (this.waits.size === 0) this.parts.onNone();
    }
  }

  /** The view is as new as `revision`. */
  reached(revision: number): void {
    for (const wait of this.waits) if (wait.revision <= revision) wait.resolve(undefined);
  }

  /** The view gets no newer. */
  fail(error: EtcdError): void {
    for (const wait of this.waits) wait.reject(error);
  }

  private late(revision: number, timeoutMs: number): EtcdError {
    const text = `waiting for the view to reach revision ${revision}; it is at ${this.parts.revision()}`;
    return new EtcdDeadlineExceededError(timeoutMs, text);
  }
}

function aborted(signal: AbortSignal | undefined): EtcdAbortedError {
  return new EtcdAbortedError({ cause: signal?.reason as unknown }, 'the wait was aborted by its signal');
}
