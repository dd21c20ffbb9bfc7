/** The leadership under which the code that asks runs. */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Leadership } from '../../client/index.js';
import { EtcdModuleError } from '../errors.js';

const held = new AsyncLocalStorage<Leadership>();

/** Runs the body with this leadership as the current one. */
export function underLeadership<T>(leadership: Leadership, body: () => T): T {
  return held.run(leadership, body);
}

/**
 * The leadership under which a method with `@LeaderOnly` runs, for what it calls, too. It has the `signal` that aborts when
 * the leadership is lost or the app ends, the `fencingToken`, and the `guard`.
 *
 * @throws {EtcdModuleError} outside of such a method.
 *
 * @example
 * @LeaderOnly('billing')
 * async bill(): Promise<void> {
 *   const { signal, guard } = currentLeadership();
 *   …
 * }
 */
export function currentLeadership(): Leadership {
  const leadership = held.getStore();
  if (leadership !== undefined) return leadership;
  throw new EtcdModuleError(
    'currentLeadership() was called outside of a method with @LeaderOnly; call it in the method, or in what the method calls',
  );
}
