/** What `@OnEtcdWatch()` leaves on a method. */
import type { KeyRangeLike } from '../../client/index.js';
import type { OnEtcdFollowOptions, OnEtcdWatchOptions } from './on-etcd-watch-options.js';

/** One `@OnEtcdWatch()`. */
export interface WatchMetadata {
  readonly range: KeyRangeLike;
  readonly options: OnEtcdFollowOptions | OnEtcdWatchOptions;
}

export const ON_WATCH = 'nest-etcd:on-watch';
