/** What a watch hands over at once: the events of whole revisions, or the news that nothing happened. */
import type { ResponseHeader } from '../rpc/response-header.js';
import type { WatchEvent } from './event.js';

/** Events of one revision or several, in order. A revision is never split over two of these. */
export interface WatchEvents {
  readonly type: 'events';
  /** Who sent it. Its `revision` is the store's at that time, which may be ahead of the events. */
  readonly header: ResponseHeader;
  /** The revision of the last event: everything up to it has been handed over. */
  readonly revision: number;
  /** At least one. */
  readonly events: readonly WatchEvent[];
}

/** A progress notice: everything up to `revision` has been handed over, and no event at or below it follows. */
export interface WatchProgress {
  readonly type: 'progress';
  readonly header: ResponseHeader;
  readonly revision: number;
  /** None. */
  readonly events: readonly WatchEvent[];
}

/** What a watch hands over at once. */
export type WatchResponse = WatchEvents | WatchProgress;
