/** Time and chance, as one small parameter, so that tests can own both. */

/** Where time comes from. */
export interface Clock {
  /** Milliseconds on a clock that never jumps; only differences mean something. */
  now(): number;
  /** Runs `task` once after `delayMs`. The returned function ends the wait. Background waits do not keep the process alive. */
  after(delayMs: number, task: () => void, kind?: 'foreground' | 'background'): () => void;
}

/** A number from 0 up to but not including 1. */
export type Random = () => number;

/** The longest delay a timer can hold, some 24 days; longer ones would fire at once. */
export const MAX_DELAY_MS = 2 ** 31 - 1;

/** The real clock: monotonic, untouched by changes of the wall clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(delayMs, task, kind = 'foreground') {
    const timer = setTimeout(task, Math.min(Math.max(delayMs, 0), MAX_DELAY_MS));
    if (kind === 'background') timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Lets time pass, less of it if the signal aborts meanwhile: what comes next has to look at it. */
export function pause(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      cancel();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const cancel = clock.after(delayMs, done);
    signal?.addEventListener('abort', done);
    if (signal?.aborted === true) done();
  });
}
