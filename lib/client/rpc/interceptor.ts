/** What a user may hang around every call: tracing, metrics, logging. Types only. */
import type { EtcdError } from '../errors.js';
import type { MethodInfo } from './rpc.js';

/** One logical call or stream, as interceptors see it. Retries of a call share it; reads that travel together are one `KV.Txn`. */
export interface EtcdCall {
  /** The `name` of the client, `'default'` unless the user gave one. */
  readonly client: string;
  readonly method: MethodInfo;
  /**
   * Sent with every attempt; add to it before `next()`. Keys are lowercase, values printable ASCII, all of it at most
   * 16 KiB; `token` and `hasleader` belong to the client, and names such as `te` or `grpc-timeout` to HTTP/2 and gRPC.
   */
  readonly metadata: Map<string, string>;
  /**
   * The request as it will be sent. Holds keys and values: do not log it as it is. `undefined` for streams, and for the
   * RPCs of the Auth service, whose requests hold passwords.
   */
  readonly request: object | undefined;
}

/** One try of a call on one endpoint. */
export interface EtcdAttempt {
  /** 1 for the first. */
  readonly number: number;
  readonly endpoint: string;
}

/** Told of each message of a stream and of its end. */
export interface EtcdStreamObserver {
  sent?(): void;
  received?(): void;
  /** `error` is `undefined` when the stream was closed by this side or ended by the server without an error. */
  ended?(error: EtcdError | undefined): void;
}

/**
 * Hangs around every RPC of a client. The first interceptor of the `interceptors` option is the outermost.
 *
 * Interceptors stand above retries and token refreshes and cannot displace them. One that throws fails its call.
 */
export interface EtcdInterceptor {
  /** Around a unary call. Has to return what `next()` returns, or its own error. */
  unary?(call: EtcdCall, next: () => Promise<unknown>): Promise<unknown>;
  /** At each opening of a stream. The answer, if any, is told what happens on it. */
  stream?(call: EtcdCall): EtcdStreamObserver | undefined;
  /** At each try of a unary call. The returned function, if any, is called when the try is over. */
  attempt?(call: EtcdCall, attempt: EtcdAttempt): ((error: EtcdError | undefined) => void) | undefined;
}
