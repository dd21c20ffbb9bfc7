/** The seam made real: checks and encodes a request, hangs the interceptors around it, and keeps account of what runs. */
import type { Clock, Random } from '../clock.js';
import { EtcdClosedError, EtcdInvalidArgumentError, EtcdMessageTooLargeError, type ErrorContext } from '../errors.js';
import { requireTimeout, type ResolvedOptions } from '../options.js';
import { AbortListeners } from './abort-listeners.js';
import type { CallContext, UnarySpec } from './call-spec.js';
import { codecOf, type Codec } from './codec.js';
import { diagnosticsInterceptor, hasDiagnosticsListener } from './diagnostics.js';
import type { Endpoints } from './endpoints.js';
import { InterceptedCall, Interceptors } from './intercepted.js';
import type { CallHeaders } from './headers.js';
import type { EtcdInterceptor } from './interceptor.js';
import { AUTHENTICATE, LEASE_REVOKE } from './methods.js';
import type { Duplex, DuplexMethod, MethodInfo, Rpc, RpcCallOptions, UnaryMethod } from './rpc.js';
import { RpcStream, type StreamSpec } from './stream.js';
import { TokenSource } from './token-source.js';
import { UnaryCall } from './unary-call.js';

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

/** What may begin while the calls under way are waited for: tokens that those need, and leases that are given back. */
const WHILE_DRAINING: ReadonlySet<string> = new Set([AUTHENTICATE.path, LEASE_REVOKE.path]);

/** The one way to an etcd server. */
export class Calls implements Rpc {
  private readonly context: CallContext;
  private readonly ownInterceptors: Interceptors | undefined;
  /** Those, and in front of them the one for `node:diagnostics_channel`. */
  private readonly heardInterceptors: Interceptors;
  private readonly running = new Set<Running>();
  /** Watches and keep-alives, which end by themselves only when they break. */
  private readonly lasting = new Set<Running>();
  private retries = 0;
  private state: 'open' | 'draining' | 'closed' = 'open';
  private endDraining: (() => void) | undefined;

  // Hard private: the options hold the password.
  readonly #parts: CallsParts;

  constructor(parts: CallsParts) {
    this.#parts = parts;
    const { options, interceptors, endpoints, headers, clock, random } = parts;
    this.ownInterceptors = interceptors.length === 0 ? undefined : new Interceptors(interceptors);
    this.heardInterceptors = new Interceptors([diagnosticsInterceptor, ...interceptors]);
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
    const { maxPendingCalls } = options;
    const isOverloaded = (): boolean => this.running.size > maxPendingCalls;
    const onRetry = (): void => void (this.retries += 1);
    this.context = { endpoints, headers, clock, random, tokens, aborts, onRetry, isOverloaded, maxPendingCalls };
  }

  unary<Req extends object, Res>(
    method: UnaryMethod<Req, Res>,
    request: Req,
    options: RpcCallOptions = {},
  ): Promise<Res> {
    try {
      if (!this.takes(method, options)) throw this.closedError(method, options);
      const codec = codecFor<Req, Res>(method);
      const message = this.encode(codec, request, refusal(method, options));
      const spec = this.unarySpec(method, codec, message, options);
      const interceptors = this.activeInterceptors();
      if (interceptors === undefined) return this.start(spec);
      return interceptors.run(this.describe(method, request), spec, this.start);
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new Error(String(error)));
    }
  }

  duplex<Req extends object, Res>(method: DuplexMethod<Req, Res>, options: RpcCallOptions = {}): Duplex<Req, Res> {
    if (!this.takes(method, options)) throw this.closedError(method, options);
    const codec = codecFor<Req, Res>(method);
    const interceptors = this.activeInterceptors();
    const call = interceptors === undefined ? undefined : this.describe(method, undefined);
    const spec: StreamSpec<Req, Res> = {
      method,
      encode: (request) => this.encode(codec, request, refusal(method, {})),
      decode: codec.decode,
      signal: options.signal,
      timeoutMs: options.timeoutMs === undefined ? undefined : requireTimeout('timeoutMs', options.timeoutMs),
      endpoint: this.knownEndpoint(options),
      requireLeader: options.requireLeader ?? false,
      observer: call === undefined ? undefined : interceptors?.observe(call),
      metadata: call?.added,
    };
    const stream = new RpcStream(spec, this.context, this.forget);
    (method.type === 'bidi_stream' ? this.lasting : this.running).add(stream);
    return stream.start();
  }

  /** Whether a token is there, or none is needed. */
  get hasToken(): boolean {
    return this.context.tokens?.isReady ?? true;
  }

  counters(): CallCounters {
    const inFlight = this.running.size + this.lasting.size;
    return { inFlight, retries: this.retries, tokenRefreshes: this.context.tokens?.refreshes ?? 0 };
  }

  /**
   * Refuses new calls, and resolves when those under way have ended. Not later than after `limitMs`, nor when all endpoints
   * turn out to be away, since nothing can be finished then.
   */
  drain(limitMs: number): Promise<void> {
    this.state = 'draining';
    if (this.running.size === 0) return Promise.resolve();
    const { clock, endpoints } = this.#parts;
    return new Promise((resolve) => {
      let cancelWait: (() => void) | undefined;
      const cancelTimer = clock.after(limitMs, () => this.endDraining?.());
      this.endDraining = () => {
        this.endDraining = undefined;
        cancelTimer();
        cancelWait?.();
        resolve();
      };
      const look = (): void => {
        if (endpoints.areAway) this.endDraining?.();
        else cancelWait = endpoints.wait(look);
      };
      look();
    });
  }

  /** Lets go of what {@link drain} waits for. */
  hurry(): void {
    this.endDraining?.();
  }

  /** Ends every call and stream with `EtcdClosedError`; later ones are refused. */
  close(): void {
    this.state = 'closed';
    for (const call of [...this.running, ...this.lasting]) call.closeWithClient();
    this.context.tokens?.close();
  }

  private readonly forget = (ended: Running): void => {
    if (!this.running.delete(ended)) this.lasting.delete(ended);
    if (this.running.size === 0 && this.endDraining !== undefined) queueMicrotask(this.onLastEnd);
  };

  /** Looks again when no promise is left to go on: what failed may be followed by what finishes it. */
  private readonly onLastEnd = (): void =>
    process.nextTick(() => {
      if (this.running.size === 0) this.endDraining?.();
    });

  private takes({ path }: MethodInfo, { continues = false }: RpcCallOptions): boolean {
    return this.state === 'open' || (this.state === 'draining' && (continues || WHILE_DRAINING.has(path)));
  }

  private readonly start = <Res>(spec: UnarySpec<Res>): Promise<Res> => {
    if (this.state === 'closed') return Promise.reject(this.closedError(spec.method, spec));
    const call = new UnaryCall(spec, this.context, this.forget);
    this.running.add(call);
    return call.run();
  };

  private encode<Req extends object, Res>(codec: Codec<Req, Res>, request: Req, context: ErrorContext): Uint8Array {
    const message = encoded(codec, request, context);
    const { maxRequestBytes } = this.#parts.options;
    if (message.length <= maxRequestBytes) return message;
    const detail = `${message.length} bytes, more than maxRequestBytes (${maxRequestBytes})`;
    throw new EtcdMessageTooLargeError('request', maxRequestBytes, detail, context);
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

  private activeInterceptors(): Interceptors | undefined {
    return hasDiagnosticsListener() ? this.heardInterceptors : this.ownInterceptors;
  }

  /** Requests of the Auth service hold passwords, which are nobody's to see. */
  private describe(method: MethodInfo, request: object | undefined): InterceptedCall {
    const shown = method.service === AUTHENTICATE.service ? undefined : request;
    return new InterceptedCall(this.#parts.options.name, method, shown);
  }

  private async authenticate(name: string, password: string): Promise<string> {
    const { token } = await this.unary(AUTHENTICATE, { name, password });
    return token;
  }

  private closedError(method: MethodInfo, options: Pick<RpcCallOptions, 'effect'>): EtcdClosedError {
    return new EtcdClosedError(refusal(method, options));
  }
}

/** The context of an error about a request that is not sent. */
function refusal({ label: method, effect }: MethodInfo, options: Pick<RpcCallOptions, 'effect'>): ErrorContext {
  const isWrite = (options.effect ?? effect) === 'write';
  return { method, outcome: isWrite ? 'not-applied' : undefined };
}

function encoded<Req extends object, Res>(codec: Codec<Req, Res>, request: Req, context: ErrorContext): Uint8Array {
  try {
    return codec.encode(request);
  } catch (error) {
    throw error instanceof EtcdInvalidArgumentError ? error.inCall(context) : error;
  }
}

/** The method's constant in `methods.ts` ties the path to the types. */
function codecFor<Req extends object, Res>(method: UnaryMethod<Req, Res> | DuplexMethod<Req, Res>): Codec<Req, Res> {
  return codecOf(method.path) as Codec<Req, Res>;
}
