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
import { MAX_DELAY_MS } from '../clock.js';
import type { CallContext } from './call-spec.js';
import type { EndpointConnection } from './endpoint-connection.js';
import type { EtcdStreamObserver } from './interceptor.js';
import type { Duplex, MethodInfo } from './rpc.js';
import { readFailure, type Failure } from './status.js';
import { tokenError } from './token-source.js';
import { GrpcCode, type RpcStatus, type TransportStream } from '../transport/transport.js';

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
  /** Waits for a token or a connection; keeps what is to be sent, and the process alive, since connecting does not. */
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
  // Hard private: `util.inspect` would find the token in it.
  #state: StreamState = { name: 'opening', cancelWait: undefined };
  /** Bounded by who sends: one watch until the first is answered, 256 renewals, and one request on every other stream. */
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
    if (signal !== undefined) this.context.aborts.add(signal, this.onAbort);
    if (timeoutMs !== undefined)
      this.cancelDeadline = this.context.clock.after(timeoutMs, () => this.onDeadline(timeoutMs));
    this.open();
    return this;
  }

  send(request: Req): void {
    if (this.#state.name === 'ended') return;
    if (this.halfClosed) throw new Error(`bug: ${this.spec.method.label} sends after its half-close`);
    const message = this.spec.encode(request);
    if (!this.tell('sent')) return;
    if (this.#state.name === 'open') this.#state.transport.send(message);
    else this.unsent.push(message);
  }

  halfClose(): void {
    if (this.halfClosed) return;
    this.halfClosed = true;
    if (this.#state.name === 'open') this.#state.transport.halfClose();
  }

  close(silence?: string): void {
    if (silence !== undefined && this.#state.name === 'open') this.#state.connection.setAside(silence);
    this.end(undefined);
  }

  refused(serverText: string): boolean {
    if (this.#state.name !== 'open') return false;
    const failure = readFailure(this.spec.method, { code: GrpcCode.unknown, details: serverText });
    this.learnFrom(failure, serverText);
    // Who has no token, but a client certificate, races with changes of the auth store like everyone else.
    if (failure.fate === 'token') return this.context.tokens !== undefined || failure.reason === 'AuthOldRevision';
    return failure.fate === 'refused';
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
    if (this.#state.name === 'ended') {
      return this.#state.error === undefined
        ? Promise.resolve({ done: true, value: undefined })
        : Promise.reject(this.#state.error);
    }
    if (this.wanted !== undefined) return Promise.reject(new Error('bug: next() before the last one was answered'));
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
    if (this.#state.name !== 'opening') return;
    const { tokens, endpoints } = this.context;
    if (tokens?.isReady === false) return this.waitForToken();
    const connection = endpoints.choose(this.spec.endpoint, undefined);
    if (connection === undefined) return this.waitForConnection();
    try {
      this.openOn(connection);
    } catch (error) {
      this.end(error);
    }
  }

  private openOn(connection: EndpointConnection): void {
    const { tokens, headers } = this.context;
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

  private waitForToken(): void {
    this.context.tokens?.refresh(undefined).then(
      () => this.open(),
      (error: unknown) => this.end(tokenError(error, this.errorContext())),
    );
  }

  private waitForConnection(): void {
    const { endpoints } = this.context;
    const cancelWait = endpoints.wait(() => this.open());
    const letGo = this.context.clock.after(MAX_DELAY_MS, () => undefined);
    this.enter({
      name: 'opening',
      cancelWait: () => {
        cancelWait();
        letGo();
      },
    });
    const failures = endpoints.hopeless(this.spec.endpoint);
    if (failures === undefined) return;
    const text = `no endpoint can be used: ${describeFailures(failures)}`;
    this.end(new EtcdUnavailableError(text, failures, this.errorContext()));
  }

  private readAhead(): void {
    if (this.#state.name !== 'open' || this.isReading || this.received.length >= READ_AHEAD) return;
    this.isReading = true;
    this.#state.transport.read();
  }

  private onMessage(bytes: Uint8Array): void {
    if (this.#state.name !== 'open') return;
    this.isReading = false;
    let message: Res;
    try {
      message = this.spec.decode(bytes);
    } catch (cause) {
      const text = cause instanceof Error ? cause.message : String(cause);
      return this.end(new EtcdProtocolError(text, { ...this.errorContext(), cause }));
    }
    if (!this.tell('received')) return;
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
    if (this.#state.name !== 'open') return;
    if (status.code === GrpcCode.ok) return this.finish(undefined);
    const failure = readFailure(this.spec.method, status);
    this.learnFrom(failure, status.details);
    this.finish(failure.toError(this.errorContext()));
  }

  /** What a refusal says about the token and the member goes for other calls too. */
  private learnFrom({ fate, reason }: Failure, details: string): void {
    if (this.#state.name !== 'open') return;
    if (fate === 'token') this.context.tokens?.invalidate(this.#state.token);
    if (fate === 'refused') this.#state.connection.setAside(reason ?? details);
  }

  private onDeadline(timeoutMs: number): void {
    const failures = this.context.endpoints.failures(this.spec.endpoint);
    const wanted = this.context.tokens?.isReady === false ? 'a token' : 'a connection';
    const reasons = failures.length === 0 ? '' : `: ${describeFailures(failures)}`;
    const waitingFor = this.#state.name === 'open' ? this.#state.connection.endpoint.text : `${wanted}${reasons}`;
    this.end(new EtcdDeadlineExceededError(timeoutMs, `waiting for ${waitingFor}`, failures, this.errorContext()));
  }

  private errorContext(): ErrorContext {
    return {
      method: this.spec.method.label,
      endpoint: this.lastEndpoint,
      attempts: this.lastEndpoint === undefined ? 0 : 1,
    };
  }

  /** Tells the interceptors. What one of them throws ends the stream; it never gets out into the transport. */
  private tell(event: 'sent' | 'received'): boolean {
    try {
      this.spec.observer?.[event]?.();
    } catch (thrown) {
      this.end(thrown);
    }
    return this.#state.name !== 'ended';
  }

  /** Ends it from this side: cancelled on the server too, and what was not taken or sent yet is dropped. */
  private end(error: unknown): void {
    if (this.#state.name === 'open') this.#state.transport.cancel();
    this.received.length = 0;
    this.unsent.length = 0;
    this.finish(error as EtcdError | undefined);
  }

  private finish(error: EtcdError | undefined): void {
    if (this.#state.name === 'ended') return;
    if (this.#state.name === 'open') this.#state.connection.streamEnded();
    this.enter({ name: 'ended', error });
    this.cancelDeadline?.();
    if (this.spec.signal !== undefined) this.context.aborts.remove(this.spec.signal, this.onAbort);
    this.onEnd(this);
    const final = this.tellEnd(error);
    const wanted = this.wanted;
    this.wanted = undefined;
    if (final === undefined) wanted?.resolve({ done: true, value: undefined });
    else wanted?.reject(final);
  }

  /** The error the stream ends with: its own, or that of an interceptor that throws when it is told of the end. */
  private tellEnd(error: EtcdError | undefined): EtcdError | undefined {
    try {
      this.spec.observer?.ended?.(error);
      return error;
    } catch (thrown) {
      this.enter({ name: 'ended', error: thrown as EtcdError });
      return thrown as EtcdError;
    }
  }

  /** The only place that changes the state. */
  private enter(state: StreamState): void {
    if (this.#state.name === 'opening') this.#state.cancelWait?.();
    this.#state = state;
  }
}
