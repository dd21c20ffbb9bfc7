/** What runs under the locks of one client: told to end when the app ends, and waited for. */
import { setMaxListeners } from 'node:events';
import { EtcdAbortedError, EtcdClosedError, type Lock, type LockBody } from '../../client/index.js';
import { RunningWork } from '../running-work.js';
import { isSettledWithin } from '../settled-within.js';

/** Takes a lock, runs the body, and releases the lock; waits no longer than the signal allows. */
export type LockRunner<T> = (signal: AbortSignal, body: LockBody<T>) => Promise<T>;

/** The bodies of one client's locks. */
export class LockBodies {
  private readonly waitsEnd = new AbortController();
  private readonly stopping = new AbortController();
  private readonly work = new RunningWork();

  constructor() {
    setMaxListeners(0, this.waitsEnd.signal, this.stopping.signal); // one for each that waits, or runs
  }

  /** How many run now. */
  get count(): number {
    return this.work.count;
  }

  /**
   * Runs a body under a lock.
   *
   * @param callerSignal ends the wait for the lock.
   * @throws {EtcdClosedError} when waits have ended before the body has begun.
   */
  async run<T>(callerSignal: AbortSignal | undefined, runner: LockRunner<T>, body: LockBody<T>): Promise<T> {
    const { signal: endSignal } = this.waitsEnd;
    const wait = eitherOf(callerSignal, endSignal);
    const call = { hasBegun: false };
    try {
      return await runner(wait.signal, (lock) => {
        wait.release();
        call.hasBegun = true;
        return this.work.run(() => this.hold(lock, body));
      });
    } catch (error) {
      const isAborted = !call.hasBegun && error instanceof EtcdAbortedError;
      const isOurs = isAborted && endSignal.aborted && callerSignal?.aborted !== true;
      throw isOurs ? new EtcdClosedError({ method: error.method, cause: error }) : error;
    } finally {
      wait.release();
    }
  }

  /** Ends all waits for locks. What has begun goes on, and nothing begins any more. */
  endWaits(): void {
    this.waitsEnd.abort();
  }

  /**
   * Ends all waits, and tells all bodies to end, by the signals of their locks, which they keep until they have.
   *
   * @returns whether all have ended in time.
   */
  stop(timeoutMs: number): Promise<boolean> {
    this.endWaits();
    this.stopping.abort();
    return isSettledWithin(this.work.ended(), timeoutMs);
  }

  private async hold<T>(lock: Lock, body: LockBody<T>): Promise<T> {
    const { signal } = this.stopping;
    if (this.waitsEnd.signal.aborted) throw new EtcdClosedError({ method: 'Concurrency.Lock' });
    const onStop = (): void => lock.stop(new EtcdAbortedError({}, 'the app is shutting down'));
    signal.addEventListener('abort', onStop, { once: true });
    try {
      return await body(lock);
    } finally {
      signal.removeEventListener('abort', onStop);
    }
  }
}

/** By hand, since what `AbortSignal.any` makes is kept for as long as the longest-lived signal is. */
function eitherOf(
  callerSignal: AbortSignal | undefined,
  endSignal: AbortSignal,
): { readonly signal: AbortSignal; readonly release: () => void } {
  if (callerSignal === undefined) return { signal: endSignal, release: () => undefined };
  const sources = [callerSignal, endSignal];
  const controller = new AbortController();
  const onAbort = (): void => controller.abort(sources.find(({ aborted }) => aborted)?.reason);
  const release = (): void => sources.forEach((source) => source.removeEventListener('abort', onAbort));
  for (const source of sources) source.addEventListener('abort', onAbort, { once: true });
  if (sources.some(({ aborted }) => aborted)) onAbort();
  return { signal: controller.signal, release };
}
