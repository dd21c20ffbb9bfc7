/** A snapshot on its way: opened when it is read, verified while it passes, opened again only while nothing was handed out. */
import { EtcdUnavailableError, type EtcdError } from '../errors.js';
import { EtcdAuthenticationError, EtcdServerStoppedError } from '../server-errors.js';
import type * as wire from '../rpc/generated/messages.js';
import type { Duplex } from '../rpc/rpc.js';
import { SnapshotCheck, type SnapshotChunk } from './snapshot-check.js';

/** Opens the stream on the server. */
type OpenSnapshot = () => Duplex<wire.SnapshotRequest, wire.SnapshotResponse>;

/** A token that has expired, or a member that goes away, costs one more try each. */
const MAX_ATTEMPTS = 3;

/**
 * A copy of a member's database, in pieces: iterate once. The pieces put together are the file that
 * `etcdutl snapshot restore` takes: the database, then its SHA-256. The digest comes last and only when it was found
 * right, so whoever stores the pieces elsewhere has a complete snapshot if, and only if, the loop ends without an error.
 */
export class EtcdSnapshot implements AsyncIterable<SnapshotChunk>, AsyncDisposable {
  private stream: ReturnType<OpenSnapshot> | undefined;
  private isClosed = false;
  private storageVersion: string | undefined;
  private passedBytes = 0;

  /** @internal made by `EtcdMaintenance.snapshot`. */
  constructor(private readonly open: OpenSnapshot) {}

  /** The endpoint of the member the snapshot is taken from; known once the first piece has come. */
  get endpoint(): string | undefined {
    return this.stream?.endpoint;
  }

  /** The release whose storage format the database has, for example `3.6.0`; `undefined` before 3.6. */
  get version(): string | undefined {
    return this.storageVersion;
  }

  /** Bytes handed out so far, the digest included; at the end the size of the file. */
  get bytes(): number {
    return this.passedBytes;
  }

  /** Ends the snapshot on the server, and the loop without an error; what was stored of it is then incomplete. */
  close(): void {
    this.isClosed = true;
    this.stream?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<SnapshotChunk, void, void> {
    for (let attempt = 1; !this.isClosed; attempt++) {
      try {
        for await (const chunk of this.read()) {
          this.passedBytes += chunk.bytes.byteLength;
          yield chunk;
        }
        return;
      } catch (error) {
        if (this.passedBytes > 0 || attempt === MAX_ATTEMPTS || !isWorthAnother(error as EtcdError)) throw error;
      }
    }
  }

  /** One stream from its opening to its end. */
  private async *read(): AsyncGenerator<SnapshotChunk, void, void> {
    const stream = this.open();
    this.stream = stream;
    const check = new SnapshotCheck(() => stream.endpoint);
    stream.send({});
    stream.halfClose();
    for await (const message of stream) {
      if (message.version !== '') this.storageVersion = message.version;
      const chunk = check.take(message);
      if (chunk !== undefined) yield chunk;
    }
    if (!this.isClosed) yield* check.finish();
  }
}

/** A stream is not retried by the seam, which cannot know whether its reader may see the beginning twice. */
function isWorthAnother(error: EtcdError): boolean {
  return (
    error instanceof EtcdAuthenticationError ||
    error instanceof EtcdServerStoppedError ||
    (error instanceof EtcdUnavailableError && error.endpoints.length === 0)
  );
}
