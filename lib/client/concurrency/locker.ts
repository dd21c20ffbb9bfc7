/** One lock by its name: to be held while a function runs, or to be taken and given back by hand. */
import { Acquisition, type WaitOptions } from './acquire.js';
import { EtcdLockTimeoutError } from './concurrency-errors.js';
import { Lock } from './lock.js';
import { lockErrors } from './queue-errors.js';
import type { QueueRule } from './queue-rule.js';
import type { SessionChoice } from './tenure.js';
import type { Tools } from './tools.js';

/** Options of taking a lock. */
export type LockOptions = SessionChoice & WaitOptions;

/** Options of `tryAcquire`. */
export type TryLockOptions = SessionChoice & Omit<WaitOptions, 'waitMs'>;

/** What is done while the lock is held. Should end soon after `signal` aborts. */
export type LockBody<T> = (lock: Lock) => T | Promise<T>;

/** What `lock` is given: a body, or options and a body. */
export type LockArguments<T> = readonly [body: LockBody<T>] | readonly [options: LockOptions, body: LockBody<T>];

/** A lock that can be taken. Making one sends nothing, and it may be used any number of times. */
export class Locker {
  /** @internal use `concurrency.mutex()`, `rwMutex()` or `semaphore()`. */
  constructor(
    private readonly tools: Tools,
    /** The lock's name. */
    readonly name: string,
    private readonly rule: QueueRule,
  ) {}

  /**
   * Takes the lock, runs the body, and releases the lock when the body has ended, either way.
   *
   * @returns what the body returned.
   * @throws {EtcdLockTimeoutError} when others had it for longer than `waitMs`; the body was not run.
   * @throws {EtcdLockLostError} when the lock was lost before the body had ended: what it did may have overlapped with
   *   what the next holder did. Also when the session ended during the wait; the body was not run then.
   * @throws what the body threw.
   */
  async lock<T>(...args: LockArguments<T>): Promise<T> {
    const [options, body] = args.length === 1 ? [{}, args[0]] : args;
    const lock = await this.acquire(options);
    try {
      const result = await body(lock);
      lock.assertHeld();
      return result;
    } finally {
      await lock.release().catch(() => undefined); // the work is done: the key goes with its lease at the latest
    }
  }

  /**
   * Takes the lock, and leaves it to the caller to release it.
   *
   * @throws {EtcdLockTimeoutError} when others had it for longer than `waitMs`.
   * @throws {EtcdLockLostError} when the session ended during the wait, or somebody deleted the key that waited.
   * @throws {EtcdAbortedError} when the signal aborts.
   * @throws {EtcdInvalidArgumentError} when the options cannot be.
   */
  async acquire(options: LockOptions = {}): Promise<Lock> {
    const wanted = { rule: this.rule, errors: lockErrors(this.name), value: '' };
    return new Lock(this.name, await new Acquisition(this.tools, wanted, options).run());
  }

  /**
   * Takes the lock if it is free.
   *
   * @returns `undefined` when it is not.
   */
  async tryAcquire(options: TryLockOptions = {}): Promise<Lock | undefined> {
    try {
      return await this.acquire({ ...options, waitMs: 0 });
    } catch (error) {
      if (error instanceof EtcdLockTimeoutError) return undefined;
      throw error;
    }
  }
}

/**
 * A lock for reading and writing: any number may read at a time, or one write. First come, first served: who comes to
 * read after somebody who waits to write waits, too, so that writers do not starve.
 *
 * @see etcd `recipe.RWMutex`, which cannot be given up, and gives the lock to whose session has died
 */
export interface RwMutex {
  /** The lock's name. */
  readonly name: string;
  /** To be shared with other readers. */
  readonly read: Locker;
  /** To be had alone. */
  readonly write: Locker;
}
