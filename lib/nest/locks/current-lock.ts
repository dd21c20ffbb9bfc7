/** The lock under which the code that asks runs. */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Lock } from '../../client/index.js';
import { EtcdModuleError } from '../errors.js';

const held = new AsyncLocalStorage<Lock>();

/** Runs the body with this lock as the current one. */
export function underLock<T>(lock: Lock, body: () => T): T {
  return held.run(lock, body);
}

/**
 * The lock that `@WithEtcdLock` took for the method that runs, for what it calls, too; the innermost where several are
 * held. It has the `signal` that aborts when the lock is lost or the app ends, the `fencingToken`, and the `guard`.
 *
 * @throws {EtcdModuleError} outside of such a method.
 *
 * @example
 * @WithEtcdLock('reports')
 * async report(): Promise<void> {
 *   const { signal, guard } = currentLock();
 *   const report = await compute(signal);
 *   await this.kv.txn().if(guard).then(put('report', report)).commit();
 * }
 */
export function currentLock(): Lock {
  const lock = held.getStore();
  if (lock !== undefined) return lock;
  throw new EtcdModuleError(
    'currentLock() was called outside of a method with @WithEtcdLock; call it in the method, or in what the method calls',
  );
}
