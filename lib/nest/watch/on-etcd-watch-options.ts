/** What `@OnEtcdWatch()` may be told. */
import type { FollowOptions, WatchOptions } from '../../client/index.js';

/** Which client watches. */
interface ClientOption {
  /**
   * The name of the client that watches, or of the namespace that `EtcdModule.forFeature` gave that name.
   *
   * @default 'default'
   */
  readonly client?: string | undefined;
}

/** Options of `@OnEtcdWatch()` for events only. */
export interface OnEtcdWatchOptions extends ClientOption, Omit<WatchOptions, 'signal' | 'progressNotify'> {
  /**
   * `true`: the range is read first, and read anew where its history is gone; see {@link OnEtcdFollowOptions}.
   *
   * @default false
   */
  readonly follow?: false | undefined;
}

/** Options of `@OnEtcdWatch()` for the content of the range first, and then its changes. */
export interface OnEtcdFollowOptions extends ClientOption, Omit<FollowOptions, 'signal'> {
  /** The handler also gets a `reset` with the whole range: at first, and wherever its history is gone. */
  readonly follow: true;
}
