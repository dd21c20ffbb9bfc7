/** The seam below retries and tokens: one connection to one endpoint, bytes in and bytes out. Types only. */
import type { Endpoint } from '../endpoint.js';

/** gRPC's status codes, as the protocol numbers them. */
export const GrpcCode = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const;

/** How a call ended, as it came over the wire or was made up by the transport for a broken connection. */
export interface RpcStatus {
  readonly code: number;
  readonly details: string;
  /**
   * Set when it was not the server that answered: `'unsent'` proves that nobody has begun to carry the request out,
   * `'broken'` proves nothing.
   */
  readonly cut?: 'unsent' | 'broken' | undefined;
}

/** What is sent beside the message. The same object is passed for many calls, so that a transport may prepare it once. */
export type Headers = ReadonlyMap<string, string>;

/** Told of a stream's messages and its end; `onStatus` is the last call. */
export interface StreamListener {
  onMessage(message: Uint8Array): void;
  onStatus(status: RpcStatus): void;
}

/** A stream that runs. */
export interface TransportStream {
  send(message: Uint8Array): void;
  /** Asks for one more message: `onMessage` is called at most once for each `read()`. */
  read(): void;
  halfClose(): void;
  /** Ends the stream on the server; `onStatus` may still be called. */
  cancel(): void;
}

/**
 * Told once that the connection is up, and once, at the latest, that it is not or no longer. Never before the function
 * that started the attempt has returned.
 */
export interface TransportEvents {
  onReady(): void;
  /**
   * The transport is spent.
   *
   * @param reason what went wrong, fit for a message.
   * @param misconfigured whether only a change of certificates or of the endpoint can mend it, so that waiting is in vain.
   */
  onDown(reason: string, misconfigured: boolean): void;
}

/**
 * One attempt to connect to one endpoint, and the connection that comes of it. It never reconnects: whoever made it
 * makes another. Calls may be started only between `onReady` and `onDown`.
 */
export interface Transport {
  /** What has come in so far, in whichever call: a peer from which bytes come serves, however long an answer takes. */
  readonly bytesReceived: number;
  /**
   * Starts a unary call. `done` is called once, unless the returned function, which cancels, was called before; never
   * before the returned function is there. It is called too when the connection goes down.
   */
  unary(
    path: string,
    headers: Headers,
    message: Uint8Array,
    done: (status: RpcStatus, message: Uint8Array | undefined) => void,
  ): () => void;
  /** Starts a stream. The listener is not called before the stream is returned. */
  duplex(path: string, headers: Headers, listener: StreamListener): TransportStream;
  /** Closes the connection; calls in flight are the caller's to cancel first. No event follows. */
  close(): void;
}

/** Starts an attempt to connect. */
export type Connect = (endpoint: Endpoint, events: TransportEvents) => Transport;
