/** What the watches of a client are doing, in numbers. */

/** The watches of a client, in numbers. */
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

/** Counters since the client was made. */
export interface WatchCounters {
  reconnects: number;
  resumes: number;
  pauses: number;
}
