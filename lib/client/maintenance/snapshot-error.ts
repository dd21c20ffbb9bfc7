/** The error of a snapshot that is not worth keeping. */
import { EtcdError, type ErrorContext } from '../errors.js';

/**
 * What is wrong with a snapshot:
 * - `incomplete`: the stream ended before all bytes were there;
 * - `digest`: the SHA-256 that the server sent at the end is not that of the bytes that arrived;
 * - `size`: the database is not made of whole pages of 512 bytes;
 * - `file`: it could not be written, see `cause`.
 */
export type SnapshotFault = 'incomplete' | 'digest' | 'size' | 'file';

/** A snapshot is damaged or could not be written. Nothing of it was kept by `saveSnapshot`; take it again. */
export class EtcdSnapshotError extends EtcdError {
  readonly code = 'ETCD_SNAPSHOT';

  constructor(
    readonly fault: SnapshotFault,
    message: string,
    context: ErrorContext = {},
  ) {
    super(message, { method: 'Maintenance.Snapshot', ...context });
  }
}
