/** A leadership that was won: what the leader sees of it. */
import type { EtcdError } from '../errors.js';
import type { Value } from '../key-range.js';
import type { Compare } from '../kv/compare.js';
import { put } from '../kv/operations.js';
import type { ResponseHeader } from '../kv/responses.js';
import type { CallOptions } from '../rpc/rpc.js';
import { EtcdLeaseNotFoundError } from '../server-errors.js';
import type { EtcdLeadershipLostError, LeadershipLostReason } from './concurrency-errors.js';
import type { Holding, Lost } from './holding.js';
import type { Session } from './session.js';
import type { Tools } from './tools.js';

/** How a leadership came to its end. */
export type LeadershipLost = Lost<LeadershipLostReason, EtcdLeadershipLostError>;

/**
 * A leadership, until it is resigned or lost.
 *
 * As with locks, a leader that was paused may act after its lease is over: see {@link guard} and {@link fencingToken}.
 */
export class Leadership implements AsyncDisposable {
  /** @internal */
  constructor(
    private readonly tools: Tools,
    /** The election's name. */
    readonly name: string,
    private readonly holding: Holding<LeadershipLostReason, EtcdLeadershipLostError>,
  ) {}

  /** The leader's key in the store; its value is what was proclaimed. */
  get key(): string {
    return this.holding.key;
  }

  /** The session it rests on. To be orphaned by a process that is about to restart and resumes after that. */
  get session(): Session {
    return this.holding.session;
  }

  /** A number that is higher for each later leader: the revision at which the key was created. Go: `Election.Rev`. */
  get fencingToken(): number {
    return this.holding.createRevision;
  }

  /** Holds in a transaction if we still lead, by the store's own judgement. */
  get guard(): Compare {
    return this.holding.guard;
  }

  /**
   * Aborts when the leadership is over: it can no longer be proved, or was resigned. The reason is an
   * `EtcdLeadershipLostError`. Comes before another one can lead, unless this process does not run at that moment.
   *
   * Within `whileLeader` it also aborts when its caller's signal does; the leadership lasts until the body has ended then.
   */
  get signal(): AbortSignal {
    return this.holding.signal;
  }

  /** Resolves, once, with why the leadership is over. Never rejects. */
  get lost(): Promise<LeadershipLost> {
    return this.holding.lost;
  }

  /** Whether we are known to lead at this moment; worked out from the clock when it is read. */
  get isLeader(): boolean {
    return this.holding.isHeld;
  }

  /** Milliseconds for which we are known to lead yet, if no renewal of the lease gets through; 0 when we are not. */
  remainingMs(): number {
    return this.holding.remainingMs();
  }

  /** @throws {EtcdLeadershipLostError} when we are not known to lead at this moment. */
  assertLeader(): void {
    const error = this.holding.lostError;
    if (error !== undefined) throw error;
  }

  /**
   * Changes what the leader says of itself, which observers hear.
   *
   * @throws {EtcdLeadershipLostError} when we do not lead any more; nothing was written.
   * @throws {EtcdError} with `outcome: 'unknown'` when it cannot be known whether it was written.
   * @see etcd `concurrency.Election.Proclaim`
   */
  async proclaim(value: Value, options: CallOptions = {}): Promise<ResponseHeader> {
    this.assertLeader();
    const { key, guard, session } = this.holding;
    try {
      const write = put(key, value, { lease: session.leaseId });
      const { succeeded, header } = await this.tools.kv.txn().if(guard).then(write).commit(options);
      if (succeeded) return header;
    } catch (error) {
      if (!(error instanceof EtcdLeaseNotFoundError)) throw error;
      throw this.holding.keyGone(error);
    }
    throw this.holding.keyGone();
  }

  /**
   * Gives the leadership up, and resolves when the next candidate can have it. Touches nobody else's key, also when it was
   * lost before. Idempotent.
   *
   * @throws {EtcdError} when the key could not be deleted. That is tried again in the background, and the key goes with its
   *   lease at the latest; calling again is safe.
   * @see etcd `concurrency.Election.Resign`
   */
  resign(): Promise<void> {
    return this.holding.giveBack();
  }

  /** @internal Tells the leader to come to an end, while it still leads. */
  stop(reason: EtcdError): void {
    this.holding.stop(reason);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.resign();
  }
}
