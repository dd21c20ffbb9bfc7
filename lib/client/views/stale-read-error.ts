/** The error of a read for which nobody was found who is as far as the reader has seen the store. */
import { EtcdError, type ErrorContext } from '../errors.js';

/**
 * Every member that answered in time is behind what was seen before. They may catch up; or the store was restored from a
 * backup, or another cluster answers at these endpoints, and what was seen is no longer true.
 *
 * @see etcd `ordering.ErrNoGreaterRev`
 */
export class EtcdStaleReadError extends EtcdError {
  readonly code = 'ETCD_STALE_READ';

  /**
   * @param seenRevision the revision that was seen before.
   * @param currentRevision the highest revision of those that answered now; 0 when none said.
   * @param timeoutMs the time the read had.
   */
  constructor(
    readonly seenRevision: number,
    readonly currentRevision: number,
    timeoutMs: number,
    context: ErrorContext = {},
  ) {
    const who =
      currentRevision === 0
        ? 'every member that answered is behind it'
        : `the newest answer is of revision ${currentRevision}`;
    super(
      `revision ${seenRevision} of the store was seen before, but within ${timeoutMs} ms ${who}; ` +
        'members are behind or cut off from the others, or the store was restored from a backup',
      context,
    );
  }
}
