/** What the watch service tells of itself: numbers when asked, news as it happens. No key is named. */
import type { EtcdError } from '../errors.js';

/** What the watches of a client are doing, in numbers. */
export interface WatchStats {
  /** Watches that have not ended. */
  readonly watches: number;
  /** Of those, how many are paused because their reader is behind. */
  readonly paused: number;
  /** Streams that are open and answered. */
  readonly streams: number;
  /** Streams that broke and were opened again, since the client was made. */
  readonly reconnects: number;
  /** Times a watch was set up again from where it stood, after a break or a pause, since the client was made. */
  readonly resumes: number;
  /** Times a watch was paused, since the client was made. */
  readonly pauses: number;
  /** Revisions that were received and wait for their readers. */
  readonly bufferedRevisions: number;
  /** About how many bytes wait for their readers. */
  readonly bufferedBytes: number;
  /** The most revisions that wait for one reader. */
  readonly lag: number;
}

/** Something that happened to watches. */
export type WatchStatus =
  /** The stream of these watches is gone, and is opened again after a pause. `error` is `undefined` if the server just ended it. */
  | {
      readonly type: 'watch-reconnecting';
      readonly watches: number;
      /** How many streams in a row did not live. */
      readonly attempt: number;
      readonly delayMs: number;
      readonly error: EtcdError | undefined;
    }
  /** All watches of a broken stream are in place again; nothing was lost. */
  | {
      readonly type: 'watch-resumed';
      readonly watches: number;
      readonly endpoint: string | undefined;
      /** Milliseconds since the stream broke. */
      readonly downMs: number;
    }
  /** A reader is behind: its watch is paused. */
  | { readonly type: 'watch-paused'; readonly bufferedRevisions: number; readonly bufferedBytes: number }
  /** The reader of a paused watch has caught up: it is set up again. */
  | { readonly type: 'watch-continued' };

/** Counters since the client was made. */
export interface WatchCounters {
  reconnects: number;
  resumes: number;
  pauses: number;
}
