/** One caller's read while it waits for others or travels with them: it has its own time, its own signal and its own errors. */
import {
  describeFailures,
  EtcdAbortedError,
  EtcdDeadlineExceededError,
  EtcdUnavailableError,
  type EndpointFailure,
} from '../errors.js';
import type { AbortListeners } from '../rpc/abort-listeners.js';
import type * as wire from '../rpc/generated/messages.js';
import { RANGE } from '../rpc/methods.js';
import type { RpcCallOptions } from '../rpc/rpc.js';

/** How the endpoints stand, for errors. */
export interface Reach {
  readonly isConnected: boolean;
  /** Whether a call can leave now: one of them is connected, and a token is there or not needed. */
  readonly canSend: boolean;
  readonly failures: readonly EndpointFailure[];
}

/** A read that nobody has answered yet, until somebody does. */
export class PendingRead {
  private settled = false;
  private unlisten: (() => void) | undefined;
  private onLeft: (() => void) | undefined;

  /** @param timeoutMs its time, counted from when it is sent. */
  constructor(
    readonly request: wire.RangeRequest,
    readonly options: RpcCallOptions,
    readonly timeoutMs: number,
    private readonly resolve: (answer: wire.RangeResponse) => void,
    private readonly reject: (error: unknown) => void,
  ) {}

  /** Whether its caller has an answer or an error. */
  get isSettled(): boolean {
    return this.settled;
  }

  answer(answer: wire.RangeResponse): void {
    if (this.settle()) this.resolve(answer);
  }

  fail(error: unknown): void {
    if (this.settle()) this.reject(error);
  }

  /** From now on the signal is heard here. Answers whether its caller still wants an answer. */
  listen(aborts: AbortListeners): boolean {
    const { signal } = this.options;
    if (signal !== undefined && !this.settled && this.unlisten === undefined) this.listenTo(signal, aborts);
    return !this.settled;
  }

  /** From now on it travels with others, and `onLeft` is told if it leaves them before the answer. */
  travel(onLeft: () => void): void {
    this.onLeft = onLeft;
  }

  /** From now on it is up to a call of its own, which hears the signal itself. */
  goAlone(): void {
    this.onLeft = undefined;
    this.unlisten?.();
    this.unlisten = undefined;
  }

  /** Its time is over while the call it travels with goes on for others, so that what that call has seen is not known. */
  expire({ isConnected, failures }: Reach): void {
    const { timeoutMs } = this;
    const context = { method: RANGE.label, attempts: isConnected ? 1 : 0 };
    const reasons = failures.length === 0 ? '' : `: ${describeFailures(failures)}`;
    this.leave(
      isConnected
        ? new EtcdDeadlineExceededError(timeoutMs, `waiting for an answer${reasons}`, failures, context)
        : unreachable(timeoutMs, failures, context),
    );
  }

  private listenTo(signal: AbortSignal, aborts: AbortListeners): void {
    const onAbort = (): void => this.abort(signal.reason);
    if (signal.aborted) return onAbort();
    aborts.add(signal, onAbort);
    this.unlisten = () => aborts.remove(signal, onAbort);
  }

  private abort(cause: unknown): void {
    const attempts = this.onLeft === undefined ? 0 : 1;
    this.leave(new EtcdAbortedError({ method: RANGE.label, attempts, cause }));
  }

  private leave(error: Error): void {
    const { onLeft } = this;
    this.fail(error);
    onLeft?.();
  }

  private settle(): boolean {
    if (this.settled) return false;
    this.settled = true;
    this.goAlone();
    return true;
  }
}

/** The error that a read of `timeoutMs` would have had alone, where a call for several, or with the rest of its time, had this one. */
export function asOwnError(error: unknown, timeoutMs: number): unknown {
  const isDeadline = error instanceof EtcdDeadlineExceededError;
  if (!isDeadline && !(error instanceof EtcdUnavailableError)) return error;
  const { endpoint, attempts, endpoints, cause } = error;
  const context = { method: RANGE.label, endpoint, attempts, cause };
  if (isDeadline) return new EtcdDeadlineExceededError(timeoutMs, error.waitingFor, endpoints, context);
  return unreachable(timeoutMs, endpoints, context);
}

function unreachable(timeoutMs: number, failures: readonly EndpointFailure[], context: object): EtcdUnavailableError {
  const text = `no endpoint could be reached within ${timeoutMs} ms: ${describeFailures(failures)}`;
  return new EtcdUnavailableError(text, failures, context);
}
