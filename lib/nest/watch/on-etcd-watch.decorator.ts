/** `@OnEtcdWatch()`: has a method called with every change of a range of keys. */
import type { DeleteEvent, FollowChange, KeyRangeLike, PutEvent, WatchEvent } from '../../client/index.js';
import { addDecoration, takesOneArgument } from '../handlers/decorations.js';
import type { OnEtcdFollowOptions, OnEtcdWatchOptions } from './on-etcd-watch-options.js';
import { ON_WATCH, type WatchMetadata } from './watch-metadata.js';

/** A decorator of methods that can be called with `Change`. */
export type EtcdWatchDecorator<Change> = <Handler extends (change: Change) => unknown>(
  target: object,
  methodName: string | symbol,
  descriptor: TypedPropertyDescriptor<Handler>,
) => void;

/**
 * Has a method of a provider or controller called with every event of a range, from the start of the app (after
 * `onApplicationBootstrap`) until `beforeApplicationShutdown`. A method may have several of these.
 *
 * - One call at a time, in the order of events: the next event waits until the promise of the call has settled. Other
 *   handlers do not wait.
 * - A call that throws or rejects is logged with `Class@method` and counted, and the next event is handled.
 * - Guards, interceptors, pipes and exception filters apply, the global ones included; `context.getType()` is `'etcd'`,
 *   and the event is the only argument.
 * - Without `follow`, a watch whose history was compacted during an outage is logged and ends. With `follow: true` it goes
 *   on by itself, with a `reset`.
 * - In a module with `EtcdModule.forFeature`, the range is one of the namespace, and so are the keys of the events.
 * - The start of the app fails for a class that is request-scoped or transient, for a client that there is not, and for
 *   an argument that cannot work.
 *
 * At the end of the app it waits for running calls, for the client's `shutdownTimeoutMs`.
 *
 * @param range the keys; a text or bytes is one key.
 *
 * @example
 * @OnEtcdWatch(prefix('jobs/'), { only: 'put' })
 * async onJob({ kv }: PutEvent): Promise<void> { … }
 *
 * @example
 * @OnEtcdWatch(prefix('flags/'), { follow: true, client: 'settings' })
 * onFlags(change: FollowChange): void {
 *   if (change.type === 'reset') this.flags.replace(change.kvs);
 * }
 */
export function OnEtcdWatch(range: KeyRangeLike, options: OnEtcdFollowOptions): EtcdWatchDecorator<FollowChange>;
export function OnEtcdWatch(
  range: KeyRangeLike,
  options: OnEtcdWatchOptions & { readonly only: 'put' },
): EtcdWatchDecorator<PutEvent>;
export function OnEtcdWatch(
  range: KeyRangeLike,
  options: OnEtcdWatchOptions & { readonly only: 'delete' },
): EtcdWatchDecorator<DeleteEvent>;
export function OnEtcdWatch(range: KeyRangeLike, options?: OnEtcdWatchOptions): EtcdWatchDecorator<WatchEvent>;
export function OnEtcdWatch(
  range: KeyRangeLike,
  options: OnEtcdFollowOptions | OnEtcdWatchOptions = {},
): EtcdWatchDecorator<never> {
  return (target, methodName, { value }) => {
    if (value === undefined) return;
    addDecoration(value, ON_WATCH, { range, options } satisfies WatchMetadata);
    takesOneArgument(target, methodName);
  };
}
