/** `EtcdLocks`: the locks of a client, as Nest injects them. */
import type { EtcdConcurrency, Lock, LockBody, LockOptions, TryLockOptions } from '../../client/index.js';
import type { LockBodies } from './lock-bodies.js';

/**
 * The locks of a client, or of the namespace that the module has by `EtcdModule.forFeature`.
 *
 * What `lock` runs is part of the app's orderly end: once HTTP has drained, the signals of its locks abort, and the client
 * closes when the bodies have ended, or after `shutdownTimeoutMs`; then their leases are given back. What waits for a lock
 * ends once HTTP has drained, too, or `shutdownTimeoutMs` after the app was told to end. Inject `EtcdConcurrency` for
 * read-write locks, semaphores and sessions. What no lock on a lease can promise is in `docs/locks.md`.
 *
 * @example
 * constructor(private readonly locks: EtcdLocks, @InjectEtcdLocks('audit') private readonly auditLocks: EtcdLocks) {}
 */
export class EtcdLocks {
  /** @internal made by `EtcdModule`. */
  constructor(
    private readonly concurrency: EtcdConcurrency,
    private readonly bodies: LockBodies,
  ) {}

  /**
   * Takes a lock, runs the body, and releases the lock when the body has ended: `lock(name, body)`, or
   * `lock(name, options, body)`. As a decorator: `@WithEtcdLock`.
   *
   * @returns what the body returned.
   * @throws {EtcdLockTimeoutError} when others had it for longer than `waitMs`; the body was not run.
   * @throws {EtcdLockLostError} when the lock was lost before the body had ended, or its session during the wait.
   * @throws {EtcdClosedError} when the app ended before the body had begun.
   * @throws {EtcdAbortedError} when the signal aborts during the wait.
   * @throws what the body threw.
   *
   * @example
   * await this.locks.lock(`invoices/${id}`, { waitMs: 2_000 }, ({ signal, guard }) => this.bill(id, signal, guard));
   */
  async lock<T>(name: string, body: LockBody<T>): Promise<T>;
  async lock<T>(name: string, options: LockOptions, body: LockBody<T>): Promise<T>;
  async lock<T>(
    name: string,
    ...args: readonly [body: LockBody<T>] | readonly [options: LockOptions, body: LockBody<T>]
  ): Promise<T> {
    const [options, body] = args.length === 1 ? [{}, args[0]] : args;
    return this.bodies.run(
      options.signal,
      (signal, tracked) => this.concurrency.lock(name, { ...options, signal }, tracked),
      body,
    );
  }

  /**
   * Takes a lock, and leaves it to the caller to release it, at the end of the app, too: by then it goes with the client.
   *
   * @throws {EtcdLockTimeoutError} when others had it for longer than `waitMs`.
   * @throws {EtcdLockLostError} when the session ended during the wait.
   * @throws {EtcdAbortedError} when the signal aborts.
   *
   * @example
   * await using lock = await this.locks.acquire('catalogue', { waitMs: 2_000 });
   */
  acquire(name: string, options: LockOptions = {}): Promise<Lock> {
    return this.concurrency.acquire(name, options);
  }

  /**
   * Takes a lock if it is free.
   *
   * @returns `undefined` when it is not.
   *
   * @example
   * const lock = await this.locks.tryAcquire('catalogue');
   * if (lock === undefined) throw new ConflictException('somebody else is at it');
   */
  tryAcquire(name: string, options: TryLockOptions = {}): Promise<Lock | undefined> {
    return this.concurrency.tryAcquire(name, options);
  }
}
