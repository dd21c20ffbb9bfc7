/** Waiting for one event on some keys, from a revision on at which they were looked at. */
import { EtcdHistoryLostError } from '../errors.js';
import type { KeyRangeLike } from '../key-range.js';
import { backoffMs } from '../rpc/backoff.js';
import { EtcdCompactedError, EtcdWatchCanceledError } from '../server-errors.js';
import type { WatchEvent } from '../watch/event.js';
import { check, isPassing, pause } from './patience.js';
import type { Tools } from './tools.js';

/** Which event is waited for. */
export interface EventWait {
  /** The first revision that counts: one past that of the look. */
  readonly startRevision: number;
  readonly only?: 'put' | 'delete';
  /** @default any event */
  readonly isIt?: (event: WatchEvent) => boolean;
  readonly signal: AbortSignal;
}

/** Waiters of one key find the gap at the same time; they shall not all look again at the same time. */
const LOOK_AGAIN = { firstMs: 100, maxMs: 100 };

/** Whether a watch ended because something may have been missed: looking again puts that right. */
export function isGap(error: unknown): boolean {
  const gaps = [EtcdCompactedError, EtcdHistoryLostError, EtcdWatchCanceledError];
  return gaps.some((type) => error instanceof type) || isPassing(error);
}

/**
 * Waits for an event, across reconnects.
 *
 * @returns the event, or `undefined` if it may have been missed because history is gone: look again.
 * @throws {EtcdError} the signal's reason, or why the keys cannot be watched.
 */
export async function nextEvent(
  tools: Pick<Tools, 'watch' | 'clock' | 'random'>,
  range: KeyRangeLike,
  { startRevision, only, isIt = () => true, signal }: EventWait,
): Promise<WatchEvent | undefined> {
  check(signal);
  const watcher = tools.watch.watch(range, { startRevision, only });
  const onAbort = (): void => void watcher.close();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    for await (const event of watcher) {
      if (isIt(event)) return event;
    }
  } catch (error) {
    check(signal);
    if (!isGap(error)) throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
    await watcher.close();
  }
  await pause(tools.clock, backoffMs(1, LOOK_AGAIN, tools.random), signal);
  return undefined;
}
