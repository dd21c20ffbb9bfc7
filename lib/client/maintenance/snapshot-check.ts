/** Checks the pieces of a snapshot as they pass by: all there, whole pages, and the digest at the end is theirs. */
import { createHash } from 'node:crypto';
import type * as wire from '../rpc/generated/messages.js';
import { EtcdSnapshotError } from './snapshot-error.js';

/** SHA-256, appended to the database by the server. */
const DIGEST_BYTES = 32;
/** The database is a file of pages; the smallest page that etcd's own tools accept. */
const PAGE_BYTES = 512;

/** A piece of a snapshot. */
export interface SnapshotChunk {
  /** The next bytes of the file. */
  readonly bytes: Uint8Array;
  /** Bytes of the database still to come after this piece, for showing progress; 0 for the last two pieces. */
  readonly remainingBytes: number;
}

/** What has come so far. One for each stream. */
export class SnapshotCheck {
  private readonly hash = createHash('sha256');
  private dbBytes = 0;
  private held: wire.SnapshotResponse | undefined;

  /** @param endpoint the endpoint the snapshot comes from, once it is known; for errors. */
  constructor(private readonly endpoint: () => string | undefined) {}

  /**
   * Takes a message in. It is held back until the next one or the end, since only the end shows which one was the last,
   * with the digest.
   *
   * @returns the message before it, which is now known to be part of the database.
   */
  take(message: wire.SnapshotResponse): SnapshotChunk | undefined {
    const previous = this.held;
    this.held = message;
    return previous === undefined ? undefined : this.pass(previous.blob, previous.remainingBytes);
  }

  /**
   * Ends the check.
   *
   * @returns the rest of the database, if there is any, and the digest.
   * @throws {EtcdSnapshotError} when something is wrong.
   */
  finish(): readonly SnapshotChunk[] {
    const { blob, remainingBytes } = this.held ?? { blob: new Uint8Array(0), remainingBytes: 0 };
    if (remainingBytes > 0 || blob.byteLength < DIGEST_BYTES) throw this.incomplete(remainingBytes);
    const rest = blob.subarray(0, -DIGEST_BYTES);
    const digest = blob.subarray(-DIGEST_BYTES);
    const chunks = rest.byteLength === 0 ? [] : [this.pass(rest, 0)];
    this.requireDigest(digest);
    this.requirePages();
    return [...chunks, { bytes: digest, remainingBytes: 0 }];
  }

  private pass(bytes: Uint8Array, remainingBytes: number): SnapshotChunk {
    this.hash.update(bytes);
    this.dbBytes += bytes.byteLength;
    return { bytes, remainingBytes };
  }

  private incomplete(remainingBytes: number): EtcdSnapshotError {
    const missing = remainingBytes > 0 ? `${remainingBytes} bytes of the database` : 'the SHA-256 digest';
    return this.error('incomplete', `the snapshot is incomplete: the stream ended before ${missing} came`);
  }

  private requireDigest(digest: Uint8Array): void {
    const own = this.hash.digest();
    if (own.equals(digest)) return;
    const theirs = Buffer.from(digest).toString('hex');
    throw this.error(
      'digest',
      `the snapshot is damaged: SHA-256 of the ${this.dbBytes} bytes received is ${own.toString('hex')}, ` +
        `but the server sent ${theirs}`,
    );
  }

  private requirePages(): void {
    if (this.dbBytes > 0 && this.dbBytes % PAGE_BYTES === 0) return;
    throw this.error('size', `the snapshot is no database: ${this.dbBytes} bytes are not whole pages of ${PAGE_BYTES}`);
  }

  private error(fault: EtcdSnapshotError['fault'], message: string): EtcdSnapshotError {
    return new EtcdSnapshotError(fault, `${message}; take it again`, { endpoint: this.endpoint() });
  }
}
