/** One renewal that a caller waits for: over the stream that all leases share, with the deadline and signal of a call. */
import type { Clock } from '../clock.js';
import { EtcdAbortedError, EtcdDeadlineExceededError, type EtcdError, type ErrorContext } from '../errors.js';
import { LEASE_KEEP_ALIVE } from '../rpc/methods.js';
import type { KeptLease, LeaseFollower, LeaseRenewal } from './kept-lease.js';
import type { LeaseKeeper } from './lease-keeper.js';
import type { LeaseLostReason } from './lease-lost.js';

/** Whose renewal, and how long it may take. */
export interface OneRenewalParts {
  readonly id: string;
  readonly keeper: LeaseKeeper;
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** Beyond the deadline of the call, so that the call ends by its own deadline and not by that of the lease. */
const GRACE_MS = 1_000;

/** Waits for the next acknowledged renewal of a lease. */
export function renewOnce(parts: OneRenewalParts): Promise<LeaseRenewal> {
  return new Promise((resolve, reject) => new OneRenewal(parts, resolve, reject).start());
}

class OneRenewal implements LeaseFollower {
  private lease: KeptLease | undefined;
  private cancelDeadline: (() => void) | undefined;

  constructor(
    private readonly parts: OneRenewalParts,
    private readonly resolve: (renewal: LeaseRenewal) => void,
    private readonly reject: (error: EtcdError) => void,
  ) {}

  start(): void {
    const { id, keeper, clock, timeoutMs, signal } = this.parts;
    if (signal?.aborted === true) {
      this.onAbort();
      return;
    }
    const lease = keeper.follow(id, this, timeoutMs + GRACE_MS);
    this.lease = lease;
    signal?.addEventListener('abort', this.onAbort);
    this.cancelDeadline = clock.after(timeoutMs, () => this.onDeadline(lease));
    keeper.renewNow(lease);
  }

  onRenewed(renewal: LeaseRenewal): void {
    this.finish();
    this.resolve(renewal);
  }

  onLost({ error, reason }: LeaseLostReason): void {
    this.finish();
    const isServerSaid = reason === 'not-found' || reason === 'not-permitted';
    this.reject(isServerSaid ? (error.cause as EtcdError) : error);
  }

  private readonly onAbort = (): void => {
    const cause: unknown = this.parts.signal?.reason;
    this.finish();
    this.reject(new EtcdAbortedError({ ...context(), cause }));
  };

  private onDeadline(lease: KeptLease): void {
    const cause = this.parts.keeper.whyNotRenewed(lease);
    const waitingFor = cause === undefined ? 'waiting for a connection' : cause.message;
    this.finish();
    const facts = { ...context(), endpoint: cause?.endpoint, cause };
    this.reject(new EtcdDeadlineExceededError(this.parts.timeoutMs, waitingFor, [], facts));
  }

  private finish(): void {
    this.cancelDeadline?.();
    this.parts.signal?.removeEventListener('abort', this.onAbort);
    if (this.lease !== undefined) this.parts.keeper.leave(this.lease, this);
  }
}

function context(): ErrorContext {
  return { method: LEASE_KEEP_ALIVE.label };
}
