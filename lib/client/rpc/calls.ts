/** The seam made real: checks and encodes a request, hangs the interceptors around it, and keeps account of what runs. */
import type { Clock, Random } from '../clock.js';
import { EtcdClosedError, EtcdMessageTooLargeError } from '../errors.js';
import { requireTimeout, type ResolvedOptions } from '../options.js';
import { AbortListeners } from './abort-listeners.js';
import { codecOf, type Codec } from './codec.js';
import { diagnosticsInterceptor, hasDiagnosticsListener } from './diagnostics.js';
import type { Endpoints } from './endpoints.js';
import { observeStream, runIntercepted } from './intercepted.js';
import type { CallHeaders } from './headers.js';
import type { EtcdCall, EtcdInterceptor } from './interceptor.js';
import { AUTHENTICATE } from './methods.js';
import type { Duplex, DuplexMethod, MethodInfo, Rpc, RpcCallOptions, UnaryMethod } from './rpc.js';
import { RpcStream, type StreamSpec } from './stream.js';
import { TokenSource } from './token-source.js';
import { UnaryCall, type CallContext, type UnarySpec } from './unary-call.js';

/** What the calls of a client stand on. */
export interface CallsParts {
  readonly options: ResolvedOptions;
  readonly interceptors: readonly EtcdInterceptor[];
  readonly endpoints: Endpoints;
  readonly headers: CallHeaders;
  readonly clock: Clock;
  readonly random: Random;
}

/** Counters since the client was made. */
export interface CallCounters {
  /** Unary calls and streams that run now. */
  readonly inFlight: number;
  /** Attempts beyond the first of a call. */
  readonly retries: number;
  /** Times a token was asked for. */
  readonly tokenRefreshes: number;
}

/** Anything that runs and has to end with the client. */
interface Running {
  closeWithClient(): void;
}

/** The one way to an etcd server. */
export class Calls implements Rpc {
  private readonly context: CallContext;
  private readonly running = new Set<Running>();
  private readonly forget = (ended: Running): void => void this.running.delete(ended);
  private retries = 0;
  private isClosed = false;

  // Hard private: the options hold the password.
  readonly #parts: CallsParts;

  constructor(parts: CallsParts) {
    this.#parts = parts;
    const { options, endpoints, headers, clock, random } = parts;
    const tokens =
      options.auth === undefined
        ? undefined
        : new TokenSource({
            auth: options.auth,
            authenticate: (name, password) => this.authenticate(name, password),
            onToken: (token) => headers.setToken(token),
            clock,
            timeoutMs: options.callTimeoutMs,
          });
    const aborts = new AbortListeners();
    this.context = { endpoints, headers, clock, random, tokens, aborts, onRetry: () => (this.retries += 1) };
  }

  unary<Req extends object, Res>(
    method: UnaryMethod<Req, Res>,
    request: Req,
    options: RpcCallOptions = {},
  ): Promise<Res> {
    try {
      if (this.isClosed) throw this.closedError(method, options);
      const codec = codecFor<Req, Res>(method);
      const message = this.encode(codec, method, request);
      const spec = this.unarySpec(method, codec, message, options);
      const interceptors = this.activeInterceptors();
      if (interceptors.length === 0) return this.start(spec);
      return runIntercepted(interceptors, this.describe(method, request), spec, (final) => this.start(final));
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new Error(String(error)));
    }
  }

  duplex<Req extends object, Res>(method: DuplexMethod<Req, Res>, options: RpcCallOptions = {}): Duplex<Req, Res> {
    if (this.isClosed) throw this.closedError(method, options);
    const codec = codecFor<Req, Res>(method);
    const interceptors = this.activeInterceptors();
    const call = interceptors.length === 0 ? undefined : this.describe(method, undefined);
    const spec: StreamSpec<Req, Res> = {
      method,
      encode: (request) => this.encode(codec, method, request),
      decode: codec.decode,
      signal: options.signal,
      timeoutMs: options.timeoutMs === undefined ? undefined : requireTimeout('timeoutMs', options.timeoutMs),
      endpoint: this.knownEndpoint(options),
      requireLeader: options.requireLeader ?? false,
      observer: call === undefined ? undefined : observeStream(interceptors, call),
      metadata: call?.metadata,
    };
    const stream = new RpcStream(spec, this.context, this.forget);
    this.running.add(stream);
    return stream.start();
  }

  counters(): CallCounters {
    return { inFlight: this.running.size, retries: this.retries, tokenRefreshes: this.context.tokens?.refreshes ?? 0 };
  }

  /** Ends every call and stream with `EtcdClosedError`; later ones are refused. */
  close(): void {
    this.isClosed = true;
    for (const call of [...this.running]) call.closeWithClient();
    this.context.tokens?.close();
  }

  private start<Res>(spec: UnarySpec<Res>): Promise<Res> {
    if (this.isClosed) return Promise.reject(this.closedError(spec.method, spec));
    const call = new UnaryCall(spec, this.context, this.forget);
    this.running.add(call);
    return call.run();
  }

  private encode<Req extends object, Res>(codec: Codec<Req, Res>, method: MethodInfo, request: Req): Uint8Array {
    const message = codec.encode(request);
    const { maxRequestBytes } = this.#parts.options;
    if (message.byteLength <= maxRequestBytes) return message;
    const detail = `${message.byteLength} bytes, more than maxRequestBytes (${maxRequestBytes})`;
    throw new EtcdMessageTooLargeError('request', maxRequestBytes, detail, {
      method: method.label,
      outcome: 'not-applied',
    });
  }

  private unarySpec<Req, Res>(
    method: UnaryMethod<Req, Res>,
    codec: Codec<Req, Res>,
    message: Uint8Array,
    options: RpcCallOptions,
  ): UnarySpec<Res> {
    const { timeoutMs } = options;
    return {
      method,
      message,
      decode: codec.decode,
      effect: options.effect ?? method.effect,
      idempotent: options.idempotent ?? false,
      timeoutMs: timeoutMs === undefined ? this.#parts.options.callTimeoutMs : requireTimeout('timeoutMs', timeoutMs),
      signal: options.signal,
      endpoint: this.knownEndpoint(options),
      requireLeader: options.requireLeader ?? false,
      useToken: method.path !== AUTHENTICATE.path,
      metadata: undefined,
      onAttempt: undefined,
    };
  }

  /** Refuses a text that is no endpoint before the call begins. */
  private knownEndpoint({ endpoint }: RpcCallOptions): string | undefined {
    if (endpoint !== undefined) this.#parts.endpoints.at(endpoint);
    return endpoint;
  }

  /** Those of the client, and in front of them the one for `node:diagnostics_channel` while somebody listens. */
  private activeInterceptors(): readonly EtcdInterceptor[] {
    const { interceptors } = this.#parts;
    return hasDiagnosticsListener() ? [diagnosticsInterceptor, ...interceptors] : interceptors;
  }

  /** Requests of the Auth service hold passwords, which are nobody's to see. */
  private describe(method: MethodInfo, request: object | undefined): EtcdCall {
    const shown = method.service === AUTHENTICATE.service ? undefined : request;
    return { client: this.#parts.options.name, method, metadata: new Map(), request: shown };
  }

  private async authenticate(name: string, password: string): Promise<string> {
    const { token } = await this.unary(AUTHENTICATE, { name, password });
    return token;
  }

  private closedError(method: MethodInfo, { effect }: { readonly effect?: string | undefined }): EtcdClosedError {
    const isWrite = (effect ?? method.effect) === 'write';
    return new EtcdClosedError({ method: method.label, outcome: isWrite ? 'not-applied' : undefined });
  }
}

/** The method's constant in `methods.ts` ties the path to the types. */
function codecFor<Req extends object, Res>(method: UnaryMethod<Req, Res> | DuplexMethod<Req, Res>): Codec<Req, Res> {
  return codecOf(method.path) as Codec<Req, Res>;
}
