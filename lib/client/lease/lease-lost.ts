/** Why a lease is no longer kept alive: the reasons, and the error that carries one. */
import { EtcdClosedError, EtcdError } from '../errors.js';
import { EtcdLeaseNotFoundError } from '../server-errors.js';
import { LEASE_KEEP_ALIVE } from '../rpc/methods.js';

const { label: method } = LEASE_KEEP_ALIVE;

/** Why a keep-alive ended, with the error that its `signal` and its loop end with. */
export type LeaseLostReason =
  /**
   * No renewal was acknowledged in time, by the local clock. The server may still hold the lease for a moment, but
   * nothing proves it any more. `error.cause` is what the last attempt to renew saw.
   */
  | { readonly reason: 'expired'; readonly error: EtcdLeaseLostError }
  /** The server does not know the lease: it expired there, or somebody revoked it. Its keys are gone. */
  | { readonly reason: 'not-found'; readonly error: EtcdLeaseLostError }
  /** This client revoked it. Its keys are gone. */
  | { readonly reason: 'revoked'; readonly error: EtcdLeaseLostError }
  /** The user may not renew it; `error.cause` is the server's refusal. The server holds it until its TTL is over. */
  | { readonly reason: 'not-permitted'; readonly error: EtcdLeaseLostError }
  /** The keep-alive was closed, by `close()` or its `signal`. The server holds the lease until its TTL is over. */
  | { readonly reason: 'closed'; readonly error: EtcdLeaseLostError }
  /** The client was closed. The server holds the lease until its TTL is over. */
  | { readonly reason: 'client-closed'; readonly error: EtcdClosedError };

/**
 * The lease is no longer kept alive, and what hangs on it (keys, a lock, a leadership) can no longer be taken for ours.
 * `reason` says why; get a new lease to go on.
 */
export class EtcdLeaseLostError extends EtcdError {
  readonly code = 'ETCD_LEASE_LOST';

  constructor(
    /** The lease's ID in hex. */
    readonly leaseId: string,
    readonly reason: LeaseLostReason['reason'],
    detail: string,
    cause?: unknown,
  ) {
    super(`lease ${leaseId} is ${detail}`, { method, cause });
  }
}

/** What is known of a lease that was not renewed in time. */
export interface ExpiryFacts {
  /** How long a renewal is good for, or how long the first answer was waited for. */
  readonly goodForMs: number;
  /** Whether any renewal, or the grant, was ever acknowledged to this client. */
  readonly wasProven: boolean;
  /** How long after the deadline this was noticed: more than a few milliseconds mean that the process was not running. */
  readonly lateMs: number;
  /** What the last attempt to renew saw. */
  readonly cause: EtcdError | undefined;
}

/** A process that gets to its timers this late was blocked or suspended: worth saying, since etcd is not to blame. */
const BLOCKED_MS = 250;

export function expired(leaseId: string, { goodForMs, wasProven, lateMs, cause }: ExpiryFacts): LeaseLostReason {
  const window = wasProven ? `its ${seconds(goodForMs)} s` : `${seconds(goodForMs)} s`;
  const blocked =
    lateMs > BLOCKED_MS
      ? `; noticed ${Math.round(lateMs)} ms late, because the event loop was blocked or the process suspended`
      : '';
  const seen = cause === undefined ? '' : `; the last attempt: ${cause.message}`;
  const detail = `lost: no renewal was acknowledged within ${window}, by the local clock${blocked}${seen}`;
  return { reason: 'expired', error: new EtcdLeaseLostError(leaseId, 'expired', detail, cause) };
}

export function notFound(leaseId: string): LeaseLostReason {
  const facts = { reason: 'LeaseNotFound', serverMessage: 'etcdserver: requested lease not found' };
  const cause = new EtcdLeaseNotFoundError(facts, { method, attempts: 1 });
  const detail = 'lost: the server does not know it; it expired there or was revoked';
  return { reason: 'not-found', error: new EtcdLeaseLostError(leaseId, 'not-found', detail, cause) };
}

export function revoked(leaseId: string): LeaseLostReason {
  const error = new EtcdLeaseLostError(leaseId, 'revoked', 'gone: this client revoked it');
  return { reason: 'revoked', error };
}

export function notPermitted(leaseId: string, cause: EtcdError): LeaseLostReason {
  const detail = `lost: its renewal was refused; the user needs write permission on every key attached to it: ${cause.message}`;
  return { reason: 'not-permitted', error: new EtcdLeaseLostError(leaseId, 'not-permitted', detail, cause) };
}

export function closed(leaseId: string, cause?: unknown): LeaseLostReason {
  const detail = 'no longer kept alive: its keep-alive was closed';
  return { reason: 'closed', error: new EtcdLeaseLostError(leaseId, 'closed', detail, cause) };
}

export function clientClosed(): LeaseLostReason {
  return { reason: 'client-closed', error: new EtcdClosedError({ method }) };
}

function seconds(ms: number): number {
  return Math.round(ms / 100) / 10;
}
