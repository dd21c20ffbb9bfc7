/** The leadership under which the code that asks runs. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { EtcdLeadershipLostError, type Leadership } from '../../client/index.js';
import { EtcdModuleError } from '../errors.js';

/** A leadership, for as long as the method runs and after, in what the method has left behind. */
interface Held {
  readonly leadership: Leadership;
  isRunning: boolean;
}

const held = new AsyncLocalStorage<Held>();

/** Runs the body with this leadership as the current one. */
export async function underLeadership<T>(leadership: Leadership, body: () => T | Promise<T>): Promise<T> {
  const own: Held = { leadership, isRunning: true };
  try {
    return await held.run(own, body);
  } finally {
    own.isRunning = false;
  }
}

/**
 * What the method with `@LeaderOnly` that runs has to end with; nothing once it has ended: a timer or a listener that it
 * left behind goes on without.
 */
export function currentLeadershipIfAny(): Leadership | undefined {
  const own = held.getStore();
  return own?.isRunning === true ? own.leadership : undefined;
}

/** Why a leadership whose signal has aborted is over: it was lost, or the app ends. */
export function endOf({ name, key, signal }: Leadership): EtcdLeadershipLostError {
  const reason: unknown = signal.reason;
  return reason instanceof EtcdLeadershipLostError
    ? reason
    : new EtcdLeadershipLostError(name, key, 'resigned', reason);
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
  const own = held.getStore();
  if (own !== undefined) return own.leadership;
  throw new EtcdModuleError(
    'currentLeadership() was called outside of a method with @LeaderOnly; call it in the method, or in what the method calls',
  );
}
