/** Turns requests into bytes and bytes into answers, exactly: no number is rounded and nothing of the wrong kind gets through. */
import { EtcdError, EtcdInvalidArgumentError, EtcdProtocolError } from '../errors.js';
import { asBuffer } from '../as-buffer.js';
import { RPC_CODECS } from './generated/codec.js';
import type { RpcMessages } from './generated/messages.js';
import { WireReader } from './wire-reader.js';
import { WireWriter, type WriteMessage } from './wire-writer.js';

/** The client's side of an RPC. */
export interface Codec<Req, Res> {
  /**
   * The request as bytes. Fields that are left out, `undefined` or `null` are not sent.
   *
   * @throws {EtcdInvalidArgumentError} for a value its field cannot hold.
   */
  readonly encode: (request: Req) => Buffer;
  /**
   * The answer in these bytes, with every field there. Its `Uint8Array`s are views of `bytes`, not copies.
   *
   * @throws {EtcdProtocolError} for bytes that are no such message, and for a number above `Number.MAX_SAFE_INTEGER`.
   */
  readonly decode: (bytes: Uint8Array) => Res;
}

type RpcPath = keyof RpcMessages;

const codecs = new Map<string, Codec<object, unknown>>();
const writer = new WireWriter();

/**
 * The client's side of the RPC with this gRPC path, for example `/etcdserverpb.KV/Range`.
 *
 * @throws {EtcdInvalidArgumentError} for a path that is not in `proto/`.
 */
export function codecOf<Path extends RpcPath>(
  path: Path,
): Codec<RpcMessages[Path]['request'], RpcMessages[Path]['response']>;
export function codecOf(path: string): Codec<object, unknown>;
export function codecOf(path: string): Codec<object, unknown> {
  let codec = codecs.get(path);
  if (codec === undefined) {
    codec = makeCodec(path);
    codecs.set(path, codec);
  }
  return codec;
}

function makeCodec(path: string): Codec<object, unknown> {
  if (!isRpcPath(path)) throw new EtcdInvalidArgumentError('path', 'must be the path of an RPC of etcd', path);
  const { request, response, write, read } = RPC_CODECS[path];
  return {
    encode: encoderOf(request, (message) => written(write, message)),
    decode: decoderOf(response, (bytes) => read(new WireReader(bytes), bytes.length)),
  };
}

function isRpcPath(path: string): path is RpcPath {
  return Object.hasOwn(RPC_CODECS, path);
}

function written(write: WriteMessage, message: object): Buffer {
  writer.begin();
  write(writer, message);
  return writer.take();
}

function encoderOf(name: string, encode: (message: object) => Buffer): (message: object) => Buffer {
  return (message) => {
    try {
      return encode(message);
    } catch (cause) {
      if (cause instanceof EtcdError) throw cause;
      const rule = `must be a message that can be sent (${reasonOf(cause)})`;
      throw new EtcdInvalidArgumentError(name, rule, undefined, { cause });
    }
  };
}

function decoderOf(name: string, decode: (bytes: Buffer) => unknown): (bytes: Uint8Array) => unknown {
  return (bytes) => {
    try {
      return decode(asBuffer(bytes));
    } catch (cause) {
      if (cause instanceof EtcdError) throw cause;
      throw new EtcdProtocolError(`${bytes.byteLength} bytes are no ${name}: ${reasonOf(cause)}`, { cause });
    }
  };
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
