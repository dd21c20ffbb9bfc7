/** One stream from its opening to its end, on one endpoint: requests out, answers by iteration, one typed error at most. */
import {
  EtcdAbortedError,
  EtcdClosedError,
  EtcdDeadlineExceededError,
  EtcdProtocolError,
  EtcdUnavailableError,
  describeFailures,
  type EtcdError,
  type ErrorContext,
} from '../errors.js';
import type { EndpointConnection } from './endpoint-connection.js';
import type { EtcdStreamObserver } from './interceptor.js';
import type { Duplex, MethodInfo } from './rpc.js';
import { readFailure } from './status.js';
import { GrpcCode, type RpcStatus, type TransportStream } from './transport.js';
import type { CallContext } from './unary-call.js';

/** One stream, resolved. */
export interface StreamSpec<Req, Res> {
  readonly method: MethodInfo;
  readonly encode: (request: Req) => Uint8Array;
  readonly decode: (bytes: Uint8Array) => Res;
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number | undefined;
  readonly endpoint: string | undefined;
  readonly requireLeader: boolean;
  readonly metadata: ReadonlyMap<string, string> | undefined;
  readonly observer: EtcdStreamObserver | undefined;
}

/** Where the stream stands. */
type StreamState =
  /** Waits for a token or a connection; keeps what is to be sent. */
  | { readonly name: 'opening'; readonly cancelWait: (() => void) | undefined }
  | {
      readonly name: 'open';
      readonly transport: TransportStream;
      readonly connection: EndpointConnection;
      readonly token: string | undefined;
    }
  /** Nothing more comes; `error` is thrown by the iteration once what arrived has been taken. */
  | { readonly name: 'ended'; readonly error: EtcdError | undefined };

/** Messages read ahead of the loop that takes them; past it the connection's own flow control holds the server back. */
const READ_AHEAD = 16;

/** One stream. */
export class RpcStream<Req extends object, Res> implements Duplex<Req, Res>, AsyncIterator<Res, undefined> {
  private state: StreamState = { name: 'opening', cancelWait: undefined };
  private readonly unsent: Uint8Array[] = [];
  private readonly received: Res[] = [];
  private halfClosed = false;
  private isReading = false;
  private wanted:
    { resolve: (result: IteratorResult<Res, undefined>) => void; reject: (error: EtcdError) => void } | undefined;
  private cancelDeadline: (() => void) | undefined;
  private lastEndpoint: string | undefined;

  constructor(
    private readonly spec: StreamSpec<Req, Res>,
    private readonly context: CallContext,
    private readonly onEnd: (stream: RpcStream<Req, Res>) => void,
  ) {}

  get endpoint(): string | undefined {
    return this.lastEndpoint;
  }

  /** Starts to open the stream. Called once. */
  start(): this {
    const { signal, timeoutMs } = this.spec;
    if (signal?.aborted === true) {
      this.onAbort();
      return this;
    }
    signal?.addEventListener('abort', this.onAbort);
    if (timeoutMs !== undefined)
      this.cancelDeadline = this.context.clock.after(timeoutMs, () => this.onDeadline(timeoutMs));
    this.open();
    return this;
  }

  send(request: Req): void {
    if (this.state.name === 'ended') return;
    const message = this.spec.encode(request);
    this.spec.observer?.sent?.();
    if (this.state.name === 'open') this.state.transport.send(message);
    else this.unsent.push(message);
  }

  halfClose(): void {
    this.halfClosed = true;
    if (this.state.name === 'open') this.state.transport.halfClose();
  }

  close(): void {
    this.end(undefined);
  }

  /** Ends the stream because the client is closing. */
  closeWithClient(): void {
    this.end(new EtcdClosedError(this.errorContext()));
  }

  [Symbol.asyncIterator](): AsyncIterator<Res, undefined> {
    return this;
  }

  next(): Promise<IteratorResult<Res, undefined>> {
    const value = this.received.shift();
    if (value !== undefined) {
      this.readAhead();
      return Promise.resolve({ done: false, value });
    }
    if (this.state.name === 'ended') {
      return this.state.error === undefined
        ? Promise.resolve({ done: true, value: undefined })
        : Promise.reject(this.state.error);
    }
    return new Promise((resolve, reject) => (this.wanted = { resolve, reject }));
  }

  return(): Promise<IteratorResult<Res, undefined>> {
    this.close();
    return Promise.resolve({ done: true, value: undefined });
  }

  private readonly onAbort = (): void => {
    const cause: unknown = this.spec.signal?.reason;
    this.end(new EtcdAbortedError({ ...this.errorContext(), cause }));
  };

  private open(): void {
    if (this.state.name !== 'opening') return;
    const { tokens, endpoints, headers } = this.context;
    if (tokens?.isReady === false) return this.waitForToken();
    const connection = this.choose();
    if (connection === undefined) {
      this.enter({ name: 'opening', cancelWait: endpoints.wait(() => this.open()) });
      return this.failIfHopeless();
    }
    this.lastEndpoint = connection.endpoint.text;
    const sent = headers.get(this.spec.requireLeader, this.spec.metadata);
    const transport = connection.duplex(this.spec.method.path, sent, {
      onMessage: (bytes) => this.onMessage(bytes),
      onStatus: (status) => this.onStatus(status),
    });
    this.enter({ name: 'open', transport, connection, token: tokens?.token });
    for (const message of this.unsent.splice(0)) transport.send(message);
    if (this.halfClosed) transport.halfClose();
    this.readAhead();
  }

  private choose(): EndpointConnection | undefined {
    const { endpoints } = this.context;
    if (this.spec.endpoint === undefined) return endpoints.pick();
    const pinned = endpoints.at(this.spec.endpoint);
    pinned.wake();
    return pinned.isConnected ? pinned : undefined;
  }

  private waitForToken(): void {
    this.context.tokens?.refresh(undefined).then(
      () => this.open(),
      (error: unknown) => this.end(error as EtcdError),
    );
  }

  private failIfHopeless(): void {
    const failures = this.context.endpoints.hopeless(this.spec.endpoint);
    if (failures === undefined) return;
    this.end(
      new EtcdUnavailableError(`no endpoint can be used: ${describeFailures(failures)}`, failures, this.errorContext()),
    );
  }

  private readAhead(): void {
    if (this.state.name !== 'open' || this.isReading || this.received.length >= READ_AHEAD) return;
    this.isReading = true;
    this.state.transport.read();
  }

  private onMessage(bytes: Uint8Array): void {
    if (this.state.name !== 'open') return;
    this.isReading = false;
    let message: Res;
    try {
      message = this.spec.decode(bytes);
    } catch (cause) {
      const text = cause instanceof Error ? cause.message : String(cause);
      return this.end(new EtcdProtocolError(text, { ...this.errorContext(), cause }));
    }
    this.spec.observer?.received?.();
    this.deliver(message);
    this.readAhead();
  }

  private deliver(message: Res): void {
    const wanted = this.wanted;
    this.wanted = undefined;
    if (wanted === undefined) this.received.push(message);
    else wanted.resolve({ done: false, value: message });
  }

  private onStatus(status: RpcStatus): void {
    if (this.state.name !== 'open') return;
    if (status.code === GrpcCode.ok) return this.finish(undefined);
    const failure = readFailure(this.spec.method, status);
    if (failure.fate === 'token') this.context.tokens?.invalidate(this.state.token);
    if (failure.fate === 'refused') this.state.connection.setAside(failure.reason ?? status.details);
    this.finish(failure.toError(this.errorContext()));
  }

  private onDeadline(timeoutMs: number): void {
    const { endpoints } = this.context;
    const waitingFor =
      this.state.name === 'open'
        ? `waiting for ${this.state.connection.endpoint.text}`
        : `waiting for a connection: ${describeFailures(endpoints.failures())}`;
    this.end(new EtcdDeadlineExceededError(timeoutMs, waitingFor, endpoints.failures(), this.errorContext()));
  }

  private errorContext(): ErrorContext {
    return {
      method: this.spec.method.label,
      endpoint: this.lastEndpoint,
      attempts: this.lastEndpoint === undefined ? 0 : 1,
    };
  }

  /** Ends it from this side: cancelled on the server too. */
  private end(error: EtcdError | undefined): void {
    if (this.state.name === 'open') this.state.transport.cancel();
    if (this.state.name === 'opening') this.state.cancelWait?.();
    this.finish(error);
  }

  private finish(error: EtcdError | undefined): void {
    if (this.state.name === 'ended') return;
    this.enter({ name: 'ended', error });
    this.cancelDeadline?.();
    this.spec.signal?.removeEventListener('abort', this.onAbort);
    this.spec.observer?.ended?.(error);
    this.onEnd(this);
    const wanted = this.wanted;
    this.wanted = undefined;
    if (error === undefined) wanted?.resolve({ done: true, value: undefined });
    else wanted?.reject(error);
  }

  /** The only line that changes the state. */
  private enter(state: StreamState): void {
    this.state = state;
  }
}
