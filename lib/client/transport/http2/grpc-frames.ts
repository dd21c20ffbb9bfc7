/** Messages in gRPC's frames: a byte that says whether it is compressed, and four for its length, before each of them. */

const HEAD_BYTES = 5;

/** A message in its frame, ready to be sent. */
export function framed(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(HEAD_BYTES + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, HEAD_BYTES);
  return frame;
}

/** Why no more messages can be read. */
export type FrameFault =
  /** No compression was offered to the server, so that this is a mistake of it, or of a proxy. */
  { readonly name: 'compressed' } | { readonly name: 'too-large'; readonly bytes: number };

/** Takes what a {@link FrameReader} finds. */
export interface FrameSink {
  onFrame(message: Buffer): void;
}

/** Takes messages out of a stream of bytes, however it is cut. Most come in one chunk, and cost no more than that. */
export class FrameReader {
  /** Fewer bytes than the head of a message, at the end of a chunk. */
  private cutHead: Buffer | undefined;
  /** What a message is put together in whose bytes come in several chunks. */
  private body: Buffer | undefined;
  private filled = 0;

  /** @param mostBytes the largest message that is taken. */
  constructor(private readonly mostBytes: number) {}

  /** Whether the bytes so far end in the middle of a message. */
  get isWithinMessage(): boolean {
    return this.cutHead !== undefined || this.body !== undefined;
  }

  /** Reads on. @returns why nothing more can be read; `undefined` when all is well. */
  read(more: Buffer, sink: FrameSink): FrameFault | undefined {
    const chunk = this.cutHead === undefined ? more : Buffer.concat([this.cutHead, more]);
    this.cutHead = undefined;
    let at = this.body === undefined ? 0 : this.fill(this.body, chunk, sink);
    while (chunk.length - at >= HEAD_BYTES) {
      const size = chunk.readUInt32BE(at + 1);
      if (chunk[at] !== 0) return { name: 'compressed' };
      if (size > this.mostBytes) return { name: 'too-large', bytes: size };
      at += HEAD_BYTES;
      if (size > chunk.length - at) {
        this.begin(size, chunk, at);
        return undefined;
      }
      sink.onFrame(detached(chunk.subarray(at, at + size)));
      at += size;
    }
    if (at < chunk.length) this.cutHead = chunk.subarray(at);
    return undefined;
  }

  private begin(size: number, chunk: Buffer, at: number): void {
    this.body = Buffer.allocUnsafe(size);
    this.filled = chunk.copy(this.body, 0, at);
  }

  /** @returns how many bytes of the chunk belong to the message. */
  private fill(body: Buffer, chunk: Buffer, sink: FrameSink): number {
    const copied = chunk.copy(body, this.filled);
    this.filled += copied;
    if (this.filled === body.length) {
      this.body = undefined;
      sink.onFrame(body);
    }
    return copied;
  }
}

/** A small value that is kept must not keep what the socket had read along with it: the answers to many other calls. */
function detached(bytes: Buffer): Buffer {
  return bytes.length * 2 < bytes.buffer.byteLength ? Buffer.from(bytes) : bytes;
}
