/** What happens to watches, as plain events. No key is named. */
import type { EtcdError } from './errors.js';

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
