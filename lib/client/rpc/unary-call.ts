/** One unary call from its start to its end: deadline, signal, token, attempts and retries. */
import {
  EtcdAbortedError,
  EtcdClosedError,
  EtcdDeadlineExceededError,
  EtcdInvalidArgumentError,
  EtcdProtocolError,
  EtcdUnavailableError,
  type EtcdError,
} from '../errors.js';
import { backoffMs } from './backoff.js';
import { CallRecord, type Phase } from './call-record.js';
import type { CallContext, UnarySpec } from './call-spec.js';
import type { EndpointConnection, PendingCall } from './endpoint-connection.js';
import { repeatDecision, RETRY_LIMITS } from './retry.js';
import { readFailure, type Failure } from './status.js';
import { tokenError } from './token-source.js';
import { GrpcCode, type RpcStatus } from '../transport/transport.js';

/** The phases without facts of their own, the same for all calls: there may be thousands at once. */
const CONNECTION: Phase = { name: 'connection' };
const DONE: Phase = { name: 'done' };

/**
 * One unary call.
 *
 * What an interceptor throws while it is told of an attempt becomes the result of the call; it never gets out into the
 * transport or a timer, where it would end the process.
 */
export class UnaryCall<Res> implements PendingCall {
  private phase: Phase = CONNECTION;
  private readonly record: CallRecord;
  private pauses = 0;
  private tokenRefusals = 0;
  private isAdmitted = false;
  private cancelStep: (() => void) | undefined;
  private cancelDeadline: (() => void) | undefined;
  private stopListening: (() => void) | undefined;
  private endAttempt: ((error: EtcdError | undefined) => void) | undefined;
  private resolve!: (answer: Res) => void;
  private reject!: (error: unknown) => void;

  constructor(
    private readonly spec: UnarySpec<Res>,
    private readonly context: CallContext,
    private readonly onEnd: (call: UnaryCall<Res>) => void,
  ) {
    this.record = new CallRecord(spec);
  }

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
      if (signal !== undefined) this.listen(signal);
      this.cancelDeadline = this.context.clock.after(timeoutMs, () => this.onDeadline());
      this.attempt(undefined);
    });
  }

  /** Ends the call because the client is closing. */
  closeWithClient(): void {
    this.noteInFlight();
    this.settleError(new EtcdClosedError(this.record.context()));
  }

  /** The endpoint does not serve, as a probe has shown: a call that may be repeated goes to another one. */
  onUnserved(): void {
    if (this.phase.name !== 'answer' || this.spec.endpoint !== undefined || !this.mayRepeat()) return;
    const { connection } = this.phase;
    if (!this.context.endpoints.hasAlternative(connection)) return;
    this.cancelStep?.();
    this.cancelStep = undefined;
    this.noteInFlight();
    this.afterAttempt(this.record.unserved(connection), () => {
      this.noteRetry();
      this.attempt(connection);
    });
  }

  private listen(signal: AbortSignal): void {
    const { aborts } = this.context;
    const onAbort = (): void => this.onAbort();
    aborts.add(signal, onAbort);
    this.stopListening = () => aborts.remove(signal, onAbort);
  }

  private onAbort(): void {
    const cause: unknown = this.spec.signal?.reason;
    this.noteInFlight();
    this.settleError(new EtcdAbortedError({ ...this.record.context(), cause }));
  }

  private attempt(avoid: EndpointConnection | undefined): void {
    const { tokens, endpoints } = this.context;
    const needsToken = this.spec.useToken && tokens?.isReady === false;
    if (needsToken) return this.mayWait() ? this.refreshToken(undefined) : this.refuse();
    const connection = endpoints.choose(this.spec.endpoint, avoid);
    if (this.isDone()) return;
    if (connection === undefined) return this.mayWait() ? this.waitForConnection(avoid) : this.refuse();
    try {
      this.send(connection);
    } catch (error) {
      this.settleError(error instanceof EtcdInvalidArgumentError ? error.inCall(this.record.context()) : error);
    }
  }

  /** Asked once, of calls that were never sent; a call for a token goes first, since others wait for it. */
  private mayWait(): boolean {
    this.isAdmitted ||= this.record.attempts > 0 || !this.spec.useToken || !this.context.isOverloaded();
    return this.isAdmitted;
  }

  private refuse(): void {
    const failures = this.context.endpoints.failures(this.spec.endpoint);
    this.settleError(this.record.overloaded(this.context.maxPendingCalls, failures));
  }

  private send(connection: EndpointConnection): void {
    const { method, message, requireLeader, useToken, metadata } = this.spec;
    const { headers, tokens } = this.context;
    const sent = useToken ? headers.get(requireLeader, metadata) : headers.anonymous(metadata);
    const token = useToken ? tokens?.token : undefined;
    const { text } = connection.endpoint;
    this.record.sent(text);
    this.endAttempt = this.spec.onAttempt?.(this.record.attempts, text);
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
      CONNECTION,
      endpoints.wait(() => this.attempt(avoid)),
    );
    // With a certificate or a scheme that cannot work, waiting for the deadline would only hide the reason.
    const failures = endpoints.hopeless(this.spec.endpoint);
    if (failures !== undefined) this.settleError(this.record.hopeless(failures));
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
    const error = this.record.failed(failure);
    if (failure.fate === 'refused') connection.setAside(failure.reason ?? status.details);
    this.afterAttempt(error, () => this.react(failure, error, connection, token));
  }

  private onSuccess(answer: Uint8Array | undefined): void {
    let decoded: Res;
    try {
      decoded = this.spec.decode(requireAnswer(answer));
    } catch (cause) {
      this.record.mayBeApplied();
      return this.settleError(new EtcdProtocolError(textOf(cause), { ...this.record.context(), cause }));
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
    const error = tokenError(cause, this.record.context());
    const isTransient = cause instanceof EtcdDeadlineExceededError || cause instanceof EtcdUnavailableError;
    if (!isTransient || this.context.endpoints.hopeless(undefined) !== undefined) return this.settleError(error);
    this.record.note(error, () => tokenError(cause, {}).message);
    this.pauseThenAttempt(undefined);
  }

  /** Another healthy endpoint is tried at once the first time; after that, and with a single one, tries are spread. */
  private attemptElsewhere(avoid: EndpointConnection): void {
    const isFree = this.spec.endpoint === undefined;
    if (isFree && this.record.attempts === 1 && this.context.endpoints.hasAlternative(avoid))
      return this.attempt(avoid);
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
    if (this.phase.name === 'answer') this.record.mayBeApplied();
  }

  private onDeadline(): void {
    const failures = this.context.endpoints.failures(this.spec.endpoint);
    this.settleError(this.record.outOfTime(this.phase, failures));
  }

  private settleError(error: unknown): void {
    if (this.phase.name !== 'done' && this.finish(error as EtcdError)) this.reject(error);
  }

  /** Ends everything the call holds. Answers `false` when an interceptor has failed the call instead. */
  private finish(error: EtcdError | undefined): boolean {
    const cancel = this.cancelStep;
    this.enter(DONE, undefined);
    cancel?.();
    this.cancelDeadline?.();
    this.stopListening?.();
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
