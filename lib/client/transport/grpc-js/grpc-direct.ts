/**
 * Calls on the one connection of a channel, past the layers of grpc-js that resolve names, balance, retry and compress.
 *
 * Here a channel is one connection, and what those layers do is done above or not wanted. They cost a quarter of a small
 * call (ADR 0016). What is used instead is not of grpc-js's documented API: where a release does not have it in the shape
 * known here, calls take the documented way, and nothing else changes.
 */
import { Metadata, status as grpcStatus, type Channel } from '@grpc/grpc-js';
import type { RpcStatus } from '../transport.js';

/** Told what comes in. `onReceiveStatus` is the last call. */
export interface GrpcListener {
  onReceiveMetadata(metadata: Metadata): void;
  onReceiveMessage(message: Uint8Array | null): void;
  onReceiveStatus(status: RpcStatus): void;
}

/** What is done with a call once it was started, whichever way it took. */
export interface GrpcCall {
  sendMessageWithContext(context: { readonly callback?: () => void }, message: Buffer): void;
  startRead(): void;
  halfClose(): void;
  cancelWithStatus(code: grpcStatus, details: string): void;
}

/** The connection as grpc-js has it. */
interface Subchannel {
  createCall(metadata: Metadata, host: string, path: string, listener: GrpcListener, callId: number): GrpcCall;
}

/** As many parameters as `createCall` is known to have. */
const CREATE_CALL_PARAMETERS = 5;
/** A byte that says whether the message is compressed, and four for its length. */
const FRAME_HEAD_BYTES = 5;
const NO_METADATA = new Metadata();
/** grpc-js numbers its calls for its log only. */
const CALL_ID = 0;

/** The short way to one connection. */
export class DirectCalls {
  private constructor(
    private readonly subchannel: Subchannel,
    private readonly authority: string,
  ) {}

  /** @returns the short way over a channel that is ready; `undefined` if this grpc-js does not have it. */
  static over(channel: Channel, authority: string): DirectCalls | undefined {
    const subchannel = subchannelOf(channel);
    return subchannel === undefined ? undefined : new DirectCalls(subchannel, authority);
  }

  /** Starts a call. The listener is not called before the call is returned. */
  start(path: string, metadata: Metadata, listener: GrpcListener): GrpcCall {
    const call = new DirectCall(listener);
    try {
      call.child = this.subchannel.createCall(metadata, this.authority, path, call, CALL_ID);
    } catch (error) {
      // In grpc-js's own words for it, since they prove that nothing was sent.
      const reason = error instanceof Error ? error.message : String(error);
      const details = `Failed to start HTTP/2 stream with error ${reason}`;
      queueMicrotask(() => call.onReceiveStatus({ code: grpcStatus.INTERNAL, details }));
    }
    return call;
  }
}

/** Puts messages into gRPC's frames and takes them out. */
class DirectCall implements GrpcCall, GrpcListener {
  /** Not there when the call could not be started. */
  child: GrpcCall | undefined;

  constructor(private readonly listener: GrpcListener) {}

  sendMessageWithContext(context: { readonly callback?: () => void }, message: Buffer): void {
    this.child?.sendMessageWithContext(context, framed(message));
  }

  startRead(): void {
    this.child?.startRead();
  }

  halfClose(): void {
    this.child?.halfClose();
  }

  cancelWithStatus(code: grpcStatus, details: string): void {
    this.child?.cancelWithStatus(code, details);
  }

  onReceiveMetadata(metadata: Metadata): void {
    this.listener.onReceiveMetadata(metadata);
  }

  /** No compression was offered to the server, so that a compressed message is a mistake of it, or of a proxy. */
  onReceiveMessage(frame: Uint8Array): void {
    if (frame[0] === 0) this.listener.onReceiveMessage(frame.subarray(FRAME_HEAD_BYTES));
    else this.child?.cancelWithStatus(grpcStatus.INTERNAL, 'Received a compressed message, which was not asked for');
  }

  onReceiveStatus(status: RpcStatus): void {
    this.listener.onReceiveStatus(status);
  }
}

function framed(message: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEAD_BYTES + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, FRAME_HEAD_BYTES);
  return frame;
}

function subchannelOf(channel: Channel): Subchannel | undefined {
  try {
    const { internalChannel } = channel as unknown as Internals;
    const subchannel = internalChannel.doPick(NO_METADATA, {}).subchannel.getRealSubchannel();
    if (subchannel.createCall.length !== CREATE_CALL_PARAMETERS) return undefined;
    // Never taken back: a channel that counts no calls thinks itself idle after a day, and hangs up.
    internalChannel.onCallStart();
    return subchannel;
  } catch {
    return undefined;
  }
}

/** What is looked for behind the documented API; a part that is missing throws a TypeError. */
interface Internals {
  readonly internalChannel: {
    doPick(metadata: Metadata, facts: object): Pick;
    onCallStart(): void;
  };
}

interface Pick {
  readonly subchannel: { getRealSubchannel(): Subchannel };
}
