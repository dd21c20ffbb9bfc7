/** One unary call from its start to its end: deadline, signal, token, attempts, retries, and what its error may claim. */
import type { Clock, Random } from '../clock.js';
import {
  EtcdAbortedError,
  EtcdClosedError,
  EtcdDeadlineExceededError,
  EtcdProtocolError,
  EtcdUnavailableError,
  describeFailures,
  type EndpointFailure,
  type EtcdError,
  type ErrorContext,
} from '../errors.js';
import type { AbortListeners } from './abort-listeners.js';
import { backoffMs } from './backoff.js';
import type { EndpointConnection, PendingCall } from './endpoint-connection.js';
import type { Endpoints } from './endpoints.js';
import type { CallHeaders } from './headers.js';
import { repeatDecision, RETRY_LIMITS } from './retry.js';
import type { Effect, MethodInfo } from './rpc.js';
import { readFailure, type Failure } from './status.js';
import { tokenError, type TokenSource } from './token-source.js';
import { GrpcCode, type RpcStatus } from './transport.js';

/** What calls share. */
export interface CallContext {
  readonly endpoints: Endpoints;
  readonly headers: CallHeaders;
  readonly tokens: TokenSource | undefined;
  readonly aborts: AbortListeners;
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
  | { readonly name: 'answer'; readonly connection: EndpointConnection }
  | { readonly name: 'pause' }
  | { readonly name: 'done' };

/** What the last attempt ended with. */
interface LastFailure {
  readonly error: EtcdError;
  /** The error's words without the call's own method, endpoint and outcome, for the message of another error. */
  readonly text: () => string;
}

/**
 * One unary call.
 *
 * What an interceptor throws while it is told of an attempt becomes the result of the call; it never gets out into the
 * transport or a timer, where it would end the process.
 */
export class UnaryCall<Res> implements PendingCall {
  private phase: Phase = { name: 'connection' };
  private attempts = 0;
  private pauses = 0;
  private tokenRefusals = 0;
  private maybeApplied = false;
  private lastEndpoint: string | undefined;
  private lastFailure: LastFailure | undefined;
  private cancelStep: (() => void) | undefined;
  private cancelDeadline: (() => void) | undefined;
  private endAttempt: ((error: EtcdError | undefined) => void) | undefined;
  private resolve!: (answer: Res) => void;
  private reject!: (error: unknown) => void;

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
      if (signal !== undefined) this.context.aborts.add(signal, this.onAbort);
      this.cancelDeadline = this.context.clock.after(timeoutMs, () => this.onDeadline());
      this.attempt(undefined);
    });
  }

  /** Ends the call because the client is closing. */
  closeWithClient(): void {
    this.noteInFlight();
    this.settleError(new EtcdClosedError(this.errorContext()));
  }

  /** The endpoint does not serve, as a probe has shown: a call that may be repeated goes to another one. */
  onUnserved(): void {
    if (this.phase.name !== 'answer' || this.spec.endpoint !== undefined || !this.mayRepeat()) return;
    const { connection } = this.phase;
    if (!this.context.endpoints.hasAlternative(connection)) return;
    this.cancelStep?.();
    this.cancelStep = undefined;
    this.noteInFlight();
    const text = `the endpoint does not serve: ${connection.failure?.reason ?? 'no answer'}`;
    const error = new EtcdUnavailableError(text, [], this.errorContext());
    this.lastFailure = { error, text: () => text };
    this.afterAttempt(error, () => {
      this.noteRetry();
      this.attempt(connection);
    });
  }

  private readonly onAbort = (): void => {
    const cause: unknown = this.spec.signal?.reason;
    this.noteInFlight();
    this.settleError(new EtcdAbortedError({ ...this.errorContext(), cause }));
  };

  private attempt(avoid: EndpointConnection | undefined): void {
    const { tokens, endpoints } = this.context;
    if (this.spec.useToken && tokens?.isReady === false) return this.refreshToken(undefined);
    const connection = endpoints.choose(this.spec.endpoint, avoid);
    if (this.isDone()) return;
    if (connection === undefined) return this.waitForConnection(avoid);
    try {
      this.send(connection);
    } catch (error) {
      this.settleError(error);
    }
  }

  private send(connection: EndpointConnection): void {
    const { method, message, requireLeader, useToken, metadata } = this.spec;
    const { headers, tokens } = this.context;
    const sent = useToken ? headers.get(requireLeader, metadata) : headers.anonymous(metadata);
    const token = useToken ? tokens?.token : undefined;
    this.attempts += 1;
    this.lastEndpoint = connection.endpoint.text;
    this.endAttempt = this.spec.onAttempt?.(this.attempts, this.lastEndpoint);
    if (this.isDone()) return;
    const phase: Phase = { name: 'answer', connection };
    this.enter(phase, undefined);
    this.cancelStep = connection.unary(method.path, sent, message, this, (status, answer) => {
      if (this.phase === phase) this.onAnswer(connection, token, status, answer);
    });
  }

  private waitForConnection(avoid: EndpointConnection | undefined): void {
    const { endpoints } = this.context;
    this.enter(
      { name: 'connection' },
      endpoints.wait(() => this.attempt(avoid)),
    );
    // With a certificate or a scheme that cannot work, waiting for the deadline would only hide the reason.
    const failures = endpoints.hopeless(this.spec.endpoint);
    if (failures === undefined) return;
    const text = `no endpoint can be used: ${describeFailures(failures)}`;
    this.settleError(new EtcdUnavailableError(text, failures, this.errorContext()));
  }

  private onAnswer(
    connection: EndpointConnection,
    token: string | undefined,
    status: RpcStatus,
    answer: Uint8Array | undefined,
  ): void {
    this.cancelStep = undefined;
    if (status.code === GrpcCode.ok) return this.onSuccess(answer);
    const failure = readFailure(this.spec.method, status);
    if (failure.fate === 'interrupted' || failure.fate === 'unclear') this.maybeApplied = true;
    if (failure.fate === 'refused') connection.setAside(failure.reason ?? status.details);
    const error = failure.toError(this.errorContext());
    this.lastFailure = { error, text: () => failure.toError({}).message };
    this.afterAttempt(error, () => this.react(failure, error, connection, token));
  }

  private onSuccess(answer: Uint8Array | undefined): void {
    let decoded: Res;
    try {
      decoded = this.spec.decode(requireAnswer(answer));
    } catch (cause) {
      this.maybeApplied = true;
      return this.settleError(new EtcdProtocolError(textOf(cause), { ...this.errorContext(), cause }));
    }
    if (this.finish(undefined)) this.resolve(decoded);
  }

  private react(failure: Failure, error: EtcdError, connection: EndpointConnection, token: string | undefined): void {
    const decision = repeatDecision(failure, {
      mayRepeat: this.mayRepeat(),
      isPinned: this.spec.endpoint !== undefined,
      tokenRefusals: this.tokenRefusals,
      hasTokens: this.context.tokens !== undefined && this.spec.useToken,
    });
    if (failure.fate === 'token') this.tokenRefusals += 1;
    if (decision === 'give-up') return this.settleError(error);
    this.noteRetry();
    if (decision === 'refresh-token') return this.refreshToken(token);
    this.attemptElsewhere(connection);
  }

  private refreshToken(stale: string | undefined): void {
    this.enter({ name: 'token' }, undefined);
    this.context.tokens?.refresh(stale).then(
      () => {
        if (this.phase.name === 'token') this.attempt(undefined);
      },
      (cause: unknown) => {
        if (this.phase.name === 'token') this.onTokenFailure(cause);
      },
    );
  }

  /** That nobody could be asked for a token in time is no refusal: this call may have more time than that request had. */
  private onTokenFailure(cause: unknown): void {
    const error = tokenError(cause, this.errorContext());
    const isTransient = cause instanceof EtcdDeadlineExceededError || cause instanceof EtcdUnavailableError;
    if (!isTransient || this.context.endpoints.hopeless(undefined) !== undefined) return this.settleError(error);
    this.lastFailure = { error, text: () => tokenError(cause, {}).message };
    this.pauseThenAttempt(undefined);
  }

  /** Another healthy endpoint is tried at once the first time; after that, and with a single one, tries are spread. */
  private attemptElsewhere(avoid: EndpointConnection): void {
    const isFree = this.spec.endpoint === undefined;
    if (isFree && this.attempts === 1 && this.context.endpoints.hasAlternative(avoid)) return this.attempt(avoid);
    this.pauseThenAttempt(avoid);
  }

  private pauseThenAttempt(avoid: EndpointConnection | undefined): void {
    this.pauses += 1;
    const { clock, random } = this.context;
    const pauseMs = backoffMs(this.pauses, RETRY_LIMITS, random);
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
    const { timeoutMs, endpoint } = this.spec;
    const failures = this.context.endpoints.failures(endpoint);
    const waitingFor = this.describeWait(failures);
    this.noteInFlight();
    const context = { ...this.errorContext(), cause: this.lastFailure?.error };
    const wasNeverTried = this.phase.name === 'connection' && this.lastFailure === undefined;
    const noneText = `no endpoint could be reached within ${timeoutMs} ms: ${describeFailures(failures)}`;
    this.settleError(
      wasNeverTried
        ? new EtcdUnavailableError(noneText, failures, context)
        : new EtcdDeadlineExceededError(timeoutMs, waitingFor, failures, context),
    );
  }

  private describeWait(failures: readonly EndpointFailure[]): string {
    const last = this.lastFailure === undefined ? '' : `; the last attempt failed with: ${this.lastFailure.text()}`;
    const reasons = failures.length === 0 ? '' : `: ${describeFailures(failures)}`;
    switch (this.phase.name) {
      case 'token':
        return `waiting for a token${reasons}${last}`;
      case 'connection':
        return `waiting for a connection${reasons}${last}`;
      case 'answer':
        return `waiting for the answer of ${this.phase.connection.endpoint.text}${last}`;
      case 'pause':
      case 'done':
        return `between two attempts${last}`;
    }
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

  private settleError(error: unknown): void {
    if (this.phase.name !== 'done' && this.finish(error as EtcdError)) this.reject(error);
  }

  /** Ends everything the call holds. Answers `false` when an interceptor has failed the call instead. */
  private finish(error: EtcdError | undefined): boolean {
    const cancel = this.cancelStep;
    this.enter({ name: 'done' }, undefined);
    cancel?.();
    this.cancelDeadline?.();
    if (this.spec.signal !== undefined) this.context.aborts.remove(this.spec.signal, this.onAbort);
    this.onEnd(this);
    return this.tellAttemptEnd(error);
  }

  /** Goes on after an attempt that failed, unless an interceptor that is told of it ends the call. */
  private afterAttempt(error: EtcdError, goOn: () => void): void {
    if (this.tellAttemptEnd(error) && !this.isDone()) goOn();
  }

  private tellAttemptEnd(error: EtcdError | undefined): boolean {
    const end = this.endAttempt;
    this.endAttempt = undefined;
    try {
      end?.(error);
      return true;
    } catch (thrown) {
      if (!this.isDone()) this.finish(error);
      this.reject(thrown);
      return false;
    }
  }

  private isDone(): boolean {
    return this.phase.name === 'done';
  }

  /** The only line that changes the phase. */
  private enter(phase: Phase, cancelStep: (() => void) | undefined): void {
    this.phase = phase;
    this.cancelStep = cancelStep;
  }
}

function requireAnswer(answer: Uint8Array | undefined): Uint8Array {
  if (answer === undefined) throw new Error('the status is OK, but no answer came with it');
  return answer;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
