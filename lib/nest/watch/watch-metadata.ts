/** What `@OnEtcdWatch()` leaves on a method, and how it is read. */
import 'reflect-metadata';
import type { KeyRangeLike } from '../../client/index.js';
import type { OnEtcdFollowOptions, OnEtcdWatchOptions } from './on-etcd-watch-options.js';

/** One `@OnEtcdWatch()`. */
export interface WatchMetadata {
  readonly range: KeyRangeLike;
  readonly options: OnEtcdFollowOptions | OnEtcdWatchOptions;
}

/** Strings, so that two copies of this package find each other's. */
const ON_WATCH = 'nest-etcd:on-watch';
export const WATCH_ARGUMENTS = 'nest-etcd:watch-arguments';

/** As Nest keeps the parameters of handlers: the type (0 is none that Nest knows, so pipes see `custom`) and the index. */
const EVENT_ARGUMENT = { '0:0': { index: 0, pipes: [] } };

/** Decorators that stand above others run after them, and come first here. */
export function addWatchHandler(
  target: object,
  methodName: string | symbol,
  method: object,
  metadata: WatchMetadata,
): void {
  Reflect.defineMetadata(ON_WATCH, [metadata, ...watchesOf(method)], method);
  Reflect.defineMetadata(WATCH_ARGUMENTS, EVENT_ARGUMENT, target.constructor, methodName);
}

/** The watches of a method, from the top; none of what is not decorated. */
export function watchesOf(method: object): readonly WatchMetadata[] {
  return (Reflect.getMetadata(ON_WATCH, method) as readonly WatchMetadata[] | undefined) ?? [];
}
