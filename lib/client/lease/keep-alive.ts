/** The handle of a lease that is kept alive: what its holder sees of it. */
import type { Clock } from '../clock.js';
import { expiryOf, type KeptLease, type LeaseFollower, type LeaseRenewal } from './kept-lease.js';
import type { LeaseKeeper } from './lease-keeper.js';
import { closed, type LeaseLostReason } from './lease-lost.js';

/** What a handle is made of. */
export interface LeaseKeepAliveParts {
  readonly id: string;
  readonly keeper: LeaseKeeper;
  readonly clock: Clock;
  readonly waitMs: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * A lease that is renewed in the background until it is lost, or this handle is closed. Handles on the same lease share
 * its renewals, and each is closed for itself.
 *
 * All times are judged by the local clock, from the moment the last acknowledged renewal was sent: the holder is told
 * before the server lets go of the lease. A lease that was lost once stays lost for its handles, also when a late answer
 * says otherwise.
 *
 * Reading the handle with `for await` is optional and costs nothing when left out: a loop gets the newest renewal each
 * time, ends when the handle is closed, and throws when the lease is lost. Leaving the loop does not close the handle.
 */
export class LeaseKeepAlive implements AsyncIterable<LeaseRenewal>, AsyncDisposable {
  /** The lease's ID in hex. */
  readonly id: string;
  /** Resolves, once, with why the lease is no longer kept alive. Never rejects. */
  readonly lost: Promise<LeaseLostReason>;

  private readonly lease: KeptLease | undefined;
  private readonly follower: LeaseFollower = {
    onRenewed: (renewal) => this.onRenewed(renewal),
    onLost: (lost) => this.onLost(lost),
  };
  private readonly readers = new Set<() => void>();
  private latest: LeaseRenewal | undefined;
  private ended: LeaseLostReason | undefined;
  private controller: AbortController | undefined;
  private resolveLost!: (lost: LeaseLostReason) => void;

  /** @internal made by the service. */
  constructor(private readonly parts: LeaseKeepAliveParts) {
    const { id, keeper, waitMs, signal } = parts;
    this.id = id;
    this.lost = new Promise((resolve) => (this.resolveLost = resolve));
    if (signal?.aborted !== true) {
      this.lease = keeper.follow(id, this.follower, waitMs);
      signal?.addEventListener('abort', this.onAbort);
    } else {
      this.stop(signal.reason);
    }
  }

  /** The TTL as the server granted it, in seconds; `undefined` until it is known. */
  get ttlSeconds(): number | undefined {
    return this.lease?.proof?.ttlSeconds;
  }

  /**
   * Until when the lease is known to be alive, in milliseconds as `performance.now()` counts: its TTL, counted from when
   * the last acknowledged renewal was sent. `undefined` until that is known.
   */
  get expiresAt(): number | undefined {
    const proof = this.lease?.proof;
    return proof === undefined ? undefined : expiryOf(proof);
  }

  /**
   * Whether the lease is known to be alive at this moment. Worked out from the clock when it is read, so that it is right
   * also when the process was blocked and its timers are late. False until the first answer when nothing is known of the
   * lease, and after `close()`.
   */
  get isAlive(): boolean {
    return this.ended === undefined && this.lease?.isHeldAt(this.parts.clock.now()) === true;
  }

  /** Milliseconds for which the lease is known to be alive yet; 0 when it is not. */
  remainingMs(): number {
    return this.isAlive && this.expiresAt !== undefined ? this.expiresAt - this.parts.clock.now() : 0;
  }

  /** Aborts when the lease is no longer kept alive, with the error of `lost` as its reason. */
  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController();
      if (this.ended !== undefined) this.controller.abort(this.ended.error);
    }
    return this.controller.signal;
  }

  /** Stops renewing. The lease is not revoked: the server holds it until its TTL is over. Idempotent. */
  close(): Promise<void> {
    this.stop(undefined);
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * The newest renewal, again and again.
   *
   * @throws {EtcdLeaseLostError} when the lease is lost.
   * @throws {EtcdClosedError} when the client is closed.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<LeaseRenewal, void, undefined> {
    let seen: LeaseRenewal | undefined;
    for (;;) {
      if (this.ended?.reason === 'closed') return;
      if (this.ended !== undefined) throw this.ended.error;
      if (this.latest !== undefined && this.latest !== seen) yield (seen = this.latest);
      else await new Promise<void>((wake) => this.readers.add(wake));
    }
  }

  private readonly onAbort = (): void => this.stop(this.parts.signal?.reason);

  private stop(cause: unknown): void {
    if (this.ended !== undefined) return;
    if (this.lease !== undefined) this.parts.keeper.leave(this.lease, this.follower);
    this.onLost(closed(this.id, cause));
  }

  private onRenewed(renewal: LeaseRenewal): void {
    this.latest = renewal;
    this.wakeReaders();
  }

  private onLost(lost: LeaseLostReason): void {
    if (this.ended !== undefined) return;
    this.ended = lost;
    this.parts.signal?.removeEventListener('abort', this.onAbort);
    this.resolveLost(lost);
    this.controller?.abort(lost.error);
    this.wakeReaders();
  }

  private wakeReaders(): void {
    const waiting = [...this.readers];
    this.readers.clear();
    for (const wake of waiting) wake();
  }
}
