/** One unary call from its start to its end: deadline, signal, token, attempts, retries, and what its error may claim. */
import type { Clock, Random } from '../clock.js';
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
import { EtcdAuthenticationError } from '../server-errors.js';
import { backoffMs } from './backoff.js';
import type { EndpointConnection, PendingCall } from './endpoint-connection.js';
import type { Endpoints } from './endpoints.js';
import type { CallHeaders } from './headers.js';
import { repeatDecision, RETRY_LIMITS } from './retry.js';
import type { Effect, MethodInfo } from './rpc.js';
import { readFailure, type Failure } from './status.js';
import type { TokenSource } from './token-source.js';
import { GrpcCode, type RpcStatus } from './transport.js';

/** What calls share. */
export interface CallContext {
  readonly endpoints: Endpoints;
  readonly headers: CallHeaders;
  readonly tokens: TokenSource | undefined;
  readonly clock: Clock;
  readonly random: Random;
  /** Told before each repetition. */
  readonly onRetry: () => void;
}

/** One call, resolved: nothing optional is left open. */
export interface UnarySpec<Res> {
  readonly method: MethodInfo;
  readonly message: Uint8Array;
  readonly decode: (bytes: Uint8Array) => Res;
  readonly effect: Effect;
  readonly idempotent: boolean;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  readonly endpoint: string | undefined;
  readonly requireLeader: boolean;
  /** Whether to authenticate first; only `Authenticate` itself does not. */
  readonly useToken: boolean;
  readonly metadata: ReadonlyMap<string, string> | undefined;
  /** Told of each attempt; the answer is called at its end. Left out when no interceptor wants to know. */
  readonly onAttempt: ((number: number, endpoint: string) => (error: EtcdError | undefined) => void) | undefined;
}

/** What the call is waiting for. */
type Phase =
  | { readonly name: 'token' }
  | { readonly name: 'connection' }
  | { readonly name: 'answer'; readonly connection: EndpointConnection; readonly token: string | undefined }
  | { readonly name: 'pause' }
  | { readonly name: 'done' };

const EMPTY = new Uint8Array(0);

/** One unary call. */
export class UnaryCall<Res> implements PendingCall {
  private phase: Phase = { name: 'connection' };
  private attempts = 0;
  private refreshes = 0;
  private maybeApplied = false;
  private lastEndpoint: string | undefined;
  private lastError: EtcdError | undefined;
  private cancelStep: (() => void) | undefined;
  private cancelDeadline: (() => void) | undefined;
  private endAttempt: ((error: EtcdError | undefined) => void) | undefined;
  private resolve!: (answer: Res) => void;
  private reject!: (error: EtcdError) => void;

  constructor(
    private readonly spec: UnarySpec<Res>,
    private readonly context: CallContext,
    private readonly onEnd: (call: UnaryCall<Res>) => void,
  ) {}

  /** Runs the call. Called once. */
  run(): Promise<Res> {
    return new Promise<Res>((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
      const { signal, timeoutMs } = this.spec;
      if (signal?.aborted === true) {
        this.onAbort();
        return;
      }
      signal?.addEventListener('abort', this.onAbort);
      this.cancelDeadline = this.context.clock.after(timeoutMs, () => this.onDeadline());
      this.attempt(undefined);
    });
  }

  /** Ends the call because the client is closing. */
  close(): void {
    this.fail(EtcdClosedError);
  }

  /** The endpoint says nothing to anyone: a call that may be repeated goes to another one. */
  onSilent(): void {
    if (this.phase.name !== 'answer' || !this.mayRepeat()) return;
    const { connection } = this.phase;
    if (this.spec.endpoint !== undefined || !this.context.endpoints.hasAlternative(connection)) return;
    this.cancelStep?.();
    this.endAttempt?.(new EtcdUnavailableError('the endpoint does not answer', [], this.errorContext()));
    this.noteRetry();
    this.attempt(connection);
  }

  private readonly onAbort = (): void => {
    const cause: unknown = this.spec.signal?.reason;
    this.noteInFlight();
    this.settleError(new EtcdAbortedError({ ...this.errorContext(), cause }));
  };

  private attempt(avoid: EndpointConnection | undefined): void {
    const { tokens, endpoints, headers } = this.context;
    if (this.spec.useToken && tokens?.isReady === false) return this.refreshToken(undefined);
    const connection = this.choose(avoid);
    if (connection === undefined) {
      this.enter(
        { name: 'connection' },
        endpoints.wait(() => this.onConnectionChange(avoid)),
      );
      return this.failIfHopeless();
    }
    const { method, message, requireLeader, useToken, metadata } = this.spec;
    const token = useToken ? tokens?.token : undefined;
    const sent = useToken ? headers.get(requireLeader, metadata) : WITHOUT_TOKEN;
    this.attempts += 1;
    this.lastEndpoint = connection.endpoint.text;
    this.endAttempt = this.spec.onAttempt?.(this.attempts, this.lastEndpoint);
    this.phase = { name: 'answer', connection, token };
    this.cancelStep = connection.unary(method.path, sent, message, this, (status, answer) =>
      this.onAnswer(connection, token, status, answer),
    );
  }

  private choose(avoid: EndpointConnection | undefined): EndpointConnection | undefined {
    const { endpoints } = this.context;
    if (this.spec.endpoint === undefined) return endpoints.pick(avoid);
    const pinned = endpoints.at(this.spec.endpoint);
    pinned.wake();
    return pinned.isConnected ? pinned : undefined;
  }

  private onConnectionChange(avoid: EndpointConnection | undefined): void {
    if (this.phase.name === 'connection') this.attempt(avoid);
  }

  /** With a certificate or a scheme that cannot work, waiting for the deadline would only hide the reason. */
  private failIfHopeless(): void {
    const failures = this.context.endpoints.hopeless(this.spec.endpoint);
    if (failures === undefined) return;
    this.settleError(
      new EtcdUnavailableError(`no endpoint can be used: ${describeFailures(failures)}`, failures, this.errorContext()),
    );
  }

  private onAnswer(
    connection: EndpointConnection,
    token: string | undefined,
    status: RpcStatus,
    answer: Uint8Array | undefined,
  ): void {
    if (this.phase.name !== 'answer') return;
    this.cancelStep = undefined;
    if (status.code === GrpcCode.ok) return this.onSuccess(answer ?? EMPTY);
    const failure = readFailure(this.spec.method, status);
    if (failure.fate === 'interrupted' || failure.fate === 'unclear') this.maybeApplied = true;
    if (failure.fate === 'refused') connection.setAside(failure.reason ?? status.details);
    const error = failure.toError(this.errorContext());
    this.lastError = error;
    this.endAttempt?.(error);
    this.endAttempt = undefined;
    this.react(failure, error, connection, token);
  }

  private onSuccess(answer: Uint8Array): void {
    let decoded: Res;
    try {
      decoded = this.spec.decode(answer);
    } catch (cause) {
      this.maybeApplied = true;
      return this.settleError(new EtcdProtocolError(textOf(cause), { ...this.errorContext(), cause }));
    }
    this.endAttempt?.(undefined);
    this.finish();
    this.resolve(decoded);
  }

  private react(failure: Failure, error: EtcdError, connection: EndpointConnection, token: string | undefined): void {
    const decision = repeatDecision(failure, {
      mayRepeat: this.mayRepeat(),
      isPinned: this.spec.endpoint !== undefined,
      refreshes: this.refreshes,
      hasTokens: this.context.tokens !== undefined && this.spec.useToken,
    });
    switch (decision) {
      case 'give-up':
        return this.settleError(error);
      case 'refresh-token':
        this.refreshes += 1;
        this.noteRetry();
        return this.refreshToken(token);
      case 'elsewhere':
        this.noteRetry();
        return this.pauseThenAttempt(connection);
    }
  }

  private refreshToken(stale: string | undefined): void {
    const { tokens } = this.context;
    if (tokens === undefined) return this.attempt(undefined);
    this.enter({ name: 'token' }, undefined);
    tokens.refresh(stale).then(
      () => {
        if (this.phase.name === 'token') this.attempt(undefined);
      },
      (error: unknown) => {
        if (this.phase.name === 'token') this.settleError(tokenError(error, this.errorContext()));
      },
    );
  }

  /** Another healthy endpoint is tried at once the first time; after that, and with a single one, tries are spread. */
  private pauseThenAttempt(avoid: EndpointConnection): void {
    const { clock, random, endpoints } = this.context;
    if (this.attempts === 1 && endpoints.hasAlternative(avoid)) return this.attempt(avoid);
    const pauseMs = backoffMs(this.attempts, RETRY_LIMITS, random);
    this.enter(
      { name: 'pause' },
      clock.after(pauseMs, () => this.attempt(avoid)),
    );
  }

  private mayRepeat(): boolean {
    return this.spec.effect === 'read' || this.spec.idempotent;
  }

  private noteRetry(): void {
    this.context.onRetry();
  }

  private noteInFlight(): void {
    if (this.phase.name === 'answer') this.maybeApplied = true;
  }

  private onDeadline(): void {
    const failures = this.context.endpoints.failures();
    const text = this.describeWait();
    const { timeoutMs } = this.spec;
    this.noteInFlight();
    const context = { ...this.errorContext(), cause: this.lastError };
    this.settleError(
      this.phase.name === 'connection' && this.lastError === undefined
        ? new EtcdUnavailableError(`no endpoint could be reached within ${timeoutMs} ms: ${text}`, failures, context)
        : new EtcdDeadlineExceededError(timeoutMs, text, failures, context),
    );
  }

  private describeWait(): string {
    const last = this.lastError === undefined ? '' : `; the last attempt failed with: ${this.lastError.message}`;
    switch (this.phase.name) {
      case 'token':
        return `waiting for a token${last}`;
      case 'connection':
        return `waiting for a connection: ${describeFailures(this.context.endpoints.failures())}${last}`;
      case 'answer':
        return `waiting for the answer of ${this.phase.connection.endpoint.text}${last}`;
      case 'pause':
      case 'done':
        return `between two attempts${last}`;
    }
  }

  private fail(Type: new (context: ErrorContext) => EtcdError): void {
    this.noteInFlight();
    this.settleError(new Type(this.errorContext()));
  }

  private errorContext(): ErrorContext {
    const outcome = this.maybeApplied ? 'unknown' : 'not-applied';
    return {
      method: this.spec.method.label,
      endpoint: this.lastEndpoint,
      attempts: this.attempts,
      outcome: this.spec.effect === 'write' ? outcome : undefined,
    };
  }

  private settleError(error: EtcdError): void {
    if (this.phase.name === 'done') return;
    this.endAttempt?.(error);
    this.finish();
    this.reject(error);
  }

  private finish(): void {
    const cancel = this.cancelStep;
    this.enter({ name: 'done' }, undefined);
    cancel?.();
    this.endAttempt = undefined;
    this.cancelDeadline?.();
    this.spec.signal?.removeEventListener('abort', this.onAbort);
    this.onEnd(this);
  }

  /** The only place, beside the start of an attempt, where the phase changes. */
  private enter(phase: Phase, cancelStep: (() => void) | undefined): void {
    this.phase = phase;
    this.cancelStep = cancelStep;
  }
}

/** The error of a call that could not get its token: the refusal itself, or that nobody could be asked. */
function tokenError(error: unknown, context: ErrorContext): EtcdError {
  if (error instanceof EtcdAuthenticationError) return new EtcdAuthenticationError(error, { ...context, cause: error });
  return new EtcdUnavailableError(`no token could be had: ${textOf(error)}`, [], { ...context, cause: error });
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** `Authenticate` is the one RPC that must not carry a token. */
const WITHOUT_TOKEN: ReadonlyMap<string, string> = new Map();
