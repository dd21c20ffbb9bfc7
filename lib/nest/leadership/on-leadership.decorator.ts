/** `@OnLeadershipAcquired()` and `@OnLeadershipLost()`: tell methods when this instance of the app begins and ceases to lead. */
import type { Leadership, LeadershipLost } from '../../client/index.js';
import { nameRule, optional, requireOptions } from '../decorator-options.js';
import { addDecoration, takesOneArgument, type DecorationName } from '../handlers/decorations.js';
import { labelOf } from '../wrapped-method.js';
import { ON_ACQUIRED, ON_LOST, type LeadershipNote } from './leadership-metadata.js';

/** Options of `@OnLeadershipAcquired()` and `@OnLeadershipLost()`. */
export interface OnLeadershipOptions {
  /**
   * The name of the client, or of the namespace that `EtcdModule.forFeature` gave that name.
   *
   * @default 'default'
   */
  readonly client?: string | undefined;
}

/** A decorator of methods that can be called with `Change`. */
export type EtcdLeadershipDecorator<Change> = <Handler extends (change: Change) => unknown>(
  target: object,
  methodName: string | symbol,
  descriptor: TypedPropertyDescriptor<Handler>,
) => void;

/**
 * Has a method of a provider or controller called with the leadership each time this instance of the app begins to lead.
 * The app campaigns in the election from its start to its end, once for all decorators that name it, and again whenever
 * it has lost.
 *
 * - The method may return at once, having started something that `@OnLeadershipLost` stops, or run for as long as it
 *   leads: `signal` aborts when the leadership is lost, and when the app ends.
 * - No other campaign begins, and the leadership is not resigned, while the method runs. At the end of the app it is
 *   waited for, before HTTP drains, for the client's `shutdownTimeoutMs`.
 * - A call that throws or rejects is logged with `Class@method` and counted; the app goes on leading.
 * - Guards, interceptors, pipes and exception filters apply; `context.getType()` is `'etcd'`, and the leadership is the only
 *   argument.
 * - The start of the app fails for a class that is request-scoped or transient, and for a client that there is not.
 *
 * @param electionName the election's name.
 * @throws {EtcdModuleError} at once, when an option cannot be.
 *
 * @example
 * @OnLeadershipAcquired('billing')
 * async lead({ signal, guard }: Leadership): Promise<void> {
 *   while (!signal.aborted) await this.billOne(signal, guard);
 * }
 */
export function OnLeadershipAcquired(
  electionName: string,
  options: OnLeadershipOptions = {},
): EtcdLeadershipDecorator<Leadership> {
  return decorator('@OnLeadershipAcquired', ON_ACQUIRED, electionName, options);
}

/**
 * Has a method of a provider or controller called each time this instance of the app has ceased to lead: with reason
 * `'lease-lost'` or `'key-gone'` when it was lost, and `'resigned'` when the app ends, just before it resigns.
 *
 * Methods of one provider are told of the end when its `@OnLeadershipAcquired` methods have ended; the signal of the
 * leadership is there for those who have to know at once. All else is as with {@link OnLeadershipAcquired}.
 *
 * @param electionName the election's name.
 * @throws {EtcdModuleError} at once, when an option cannot be.
 *
 * @example
 * @OnLeadershipLost('billing')
 * stop({ reason }: LeadershipLost): void {
 *   clearInterval(this.timer);
 *   this.logger.log(`does not lead any more: ${reason}`);
 * }
 */
export function OnLeadershipLost(
  electionName: string,
  options: OnLeadershipOptions = {},
): EtcdLeadershipDecorator<LeadershipLost> {
  return decorator('@OnLeadershipLost', ON_LOST, electionName, options);
}

function decorator(
  decoratorName: string,
  decoration: DecorationName,
  electionName: string,
  { client }: OnLeadershipOptions,
): EtcdLeadershipDecorator<never> {
  return (target, methodName, { value }) => {
    const rules = [nameRule('electionName', electionName), optional(nameRule('client', client))];
    requireOptions(`${decoratorName} on ${labelOf(target, methodName)}`, rules);
    if (value === undefined) return;
    addDecoration(value, decoration, { electionName, client } satisfies LeadershipNote);
    takesOneArgument(target, methodName);
  };
}
