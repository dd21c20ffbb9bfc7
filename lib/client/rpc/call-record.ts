/** What a unary call has gone through so far, and what its errors may claim because of it. */
import {
  EtcdDeadlineExceededError,
  EtcdOverloadedError,
  EtcdUnavailableError,
  describeFailures,
  type EndpointFailure,
  type EtcdError,
  type ErrorContext,
} from '../errors.js';
import type { UnarySpec } from './call-spec.js';
import type { EndpointConnection } from './endpoint-connection.js';
import type { Failure } from './status.js';

/** What the call is waiting for. */
export type Phase =
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

type RecordedSpec = Pick<UnarySpec<unknown>, 'method' | 'effect' | 'timeoutMs'>;

/**
 * The record of one call.
 *
 * A write is `'not-applied'` until something happens that may have applied it, and never `'not-applied'` again (C2).
 */
export class CallRecord {
  private tries = 0;
  private maybeApplied = false;
  private lastEndpoint: string | undefined;
  private lastFailure: LastFailure | undefined;

  constructor(private readonly spec: RecordedSpec) {}

  /** How often the request was sent. */
  get attempts(): number {
    return this.tries;
  }

  /** The request is about to be sent. */
  sent(endpoint: string): void {
    this.tries += 1;
    this.lastEndpoint = endpoint;
  }

  /** What was sent may have been carried out, whatever came back. */
  mayBeApplied(): void {
    this.maybeApplied = true;
  }

  /** An attempt was answered by a failure. @returns the error for it. */
  failed(failure: Failure): EtcdError {
    if (failure.fate === 'interrupted' || failure.fate === 'unclear') this.maybeApplied = true;
    return this.note(failure.toError(this.context()), () => failure.toError({}).message);
  }

  /** An attempt is given up, since a probe has shown that its endpoint does not serve. @returns the error for it. */
  unserved(connection: EndpointConnection): EtcdError {
    const text = `the endpoint does not serve: ${connection.failure?.reason ?? 'no answer'}`;
    return this.note(new EtcdUnavailableError(text, [], this.context()), () => text);
  }

  /** @param text the error's words without the call's own method, endpoint and outcome. */
  note(error: EtcdError, text: () => string): EtcdError {
    this.lastFailure = { error, text };
    return error;
  }

  /** What every error of the call says. */
  context(): ErrorContext {
    const outcome = this.maybeApplied ? 'unknown' : 'not-applied';
    return {
      method: this.spec.method.label,
      endpoint: this.lastEndpoint,
      attempts: this.tries,
      outcome: this.spec.effect === 'write' ? outcome : undefined,
    };
  }

  /** The error of a call that may not wait, since too many do. */
  overloaded(maxPendingCalls: number, failures: readonly EndpointFailure[]): EtcdError {
    return new EtcdOverloadedError(maxPendingCalls, failures, this.context());
  }

  /** The error of a call for which no endpoint can ever be used. */
  hopeless(failures: readonly EndpointFailure[]): EtcdError {
    return new EtcdUnavailableError(`no endpoint can be used: ${describeFailures(failures)}`, failures, this.context());
  }

  /**
   * The error of a call whose time is over.
   *
   * @param phase what it was doing when the time was over.
   * @param failures why each endpoint that cannot be used cannot be used.
   */
  outOfTime(phase: Phase, failures: readonly EndpointFailure[]): EtcdError {
    const { timeoutMs } = this.spec;
    if (phase.name === 'answer') this.maybeApplied = true;
    const context = { ...this.context(), cause: this.lastFailure?.error };
    if (phase.name === 'connection' && this.lastFailure === undefined) {
      const text = `no endpoint could be reached within ${timeoutMs} ms: ${describeFailures(failures)}`;
      return new EtcdUnavailableError(text, failures, context);
    }
    return new EtcdDeadlineExceededError(timeoutMs, this.describeWait(phase, failures), failures, context);
  }

  private describeWait(phase: Phase, failures: readonly EndpointFailure[]): string {
    const last = this.lastFailure === undefined ? '' : `; the last attempt failed with: ${this.lastFailure.text()}`;
    const reasons = failures.length === 0 ? '' : `: ${describeFailures(failures)}`;
    switch (phase.name) {
      case 'token':
        return `waiting for a token${reasons}${last}`;
      case 'connection':
        return `waiting for a connection${reasons}${last}`;
      case 'answer':
        return `waiting for the answer of ${phase.connection.endpoint.text}${last}`;
      case 'pause':
      case 'done':
        return `between two attempts${last}`;
    }
  }
}
