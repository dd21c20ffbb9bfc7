/** A lock that is held: what its holder sees of it. */
import type { EtcdError } from '../errors.js';
import type { EtcdLockLostError, LockLostReason } from './concurrency-errors.js';
import type { Compare } from '../kv/compare.js';
import type { Holding, Lost } from './holding.js';

/** How a lock came to its end. */
export type LockLost = Lost<LockLostReason, EtcdLockLostError>;

/**
 * A lock that is held, until it is released or lost.
 *
 * A lock on a lease is no promise that nobody else acts at the same time: a holder that was paused (by the operating
 * system, a debugger, a long garbage collection) may act after its lease is over. Writes to etcd that go with the
 * {@link guard} are refused then; other systems can refuse what comes with a lower {@link fencingToken} than they have
 * seen. The page `docs/locks.md` says more.
 */
export class Lock implements AsyncDisposable {
  /** @internal */
  constructor(
    /** The name it was asked for by. */
    readonly name: string,
    private readonly holding: Holding<LockLostReason, EtcdLockLostError>,
  ) {}

  /** The key that stands for it in the store. */
  get key(): string {
    return this.holding.key;
  }

  /** The lease the key hangs on, in hex. */
  get leaseId(): string {
    return this.holding.session.leaseId;
  }

  /**
   * A number that is higher for each later holder: the revision at which the key was created. To be sent along to whatever
   * is protected by the lock, which refuses a number lower than the highest it has seen.
   */
  get fencingToken(): number {
    return this.holding.createRevision;
  }

  /**
   * Holds in a transaction if the lock is still ours, by the store's own judgement.
   *
   * @example
   * const { succeeded } = await etcd.kv.txn().if(lock.guard).then(put('balance', '100')).commit();
   * if (!succeeded) throw new Error('the lock was lost');
   */
  get guard(): Compare {
    return this.holding.guard;
  }

  /**
   * Aborts when the lock is not held any more: its ownership can no longer be proved, or it was released. The reason is
   * an `EtcdLockLostError` whose own `reason` says which. Comes before the server can give the lock to another, unless
   * this process does not run at that moment.
   *
   * Under Nest's `EtcdLocks.lock` it also aborts when the app ends; the lock is held until the body has ended then.
   */
  get signal(): AbortSignal {
    return this.holding.signal;
  }

  /** Resolves, once, with why the lock is not held any more. Never rejects. */
  get lost(): Promise<LockLost> {
    return this.holding.lost;
  }

  /** Whether it is known to be held at this moment; worked out from the clock when it is read. */
  get isHeld(): boolean {
    return this.holding.isHeld;
  }

  /** Milliseconds for which it is known to be held yet, if no renewal of the lease gets through; 0 when it is not. */
  remainingMs(): number {
    return this.holding.remainingMs();
  }

  /** @throws {EtcdLockLostError} when the lock is not known to be held at this moment. */
  assertHeld(): void {
    const error = this.holding.lostError;
    if (error !== undefined) throw error;
  }

  /**
   * Gives the lock back, and resolves when the next one can have it. Touches nothing but the key this lock is, also when it
   * was lost before. Idempotent.
   *
   * @throws {EtcdError} when the key could not be deleted. That is tried again in the background, and the key goes with its
   *   lease at the latest; calling again is safe.
   */
  release(): Promise<void> {
    return this.holding.giveBack();
  }

  /** @internal Tells the holder to come to an end, while it still holds the lock. */
  stop(reason: EtcdError): void {
    this.holding.stop(reason);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }
}
