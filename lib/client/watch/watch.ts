/** The Watch service: changes as they happen, over few streams, across every kind of break. */
import { systemClock, type Clock, type Random } from '../clock.js';
import type { KeyRange, KeyRangeLike } from '../key-range.js';
import type { Rpc } from '../rpc/rpc.js';
import type { WatchStatus } from '../watch-status.js';
import { Follower, type FollowOptions, type FollowRun } from './follow.js';
import { LiveView, type ViewOptions } from './live-view.js';
import { OpenWatch } from './open-watch.js';
import type { Snapshot } from './snapshot.js';
import { ownRange, resolveWatch, type WatchKeys, type WatchOptions } from './watch-options.js';
import type { WatchStats } from './watch-stats.js';
import { WatchStreams } from './watch-streams.js';
import { Watcher } from './watcher.js';

/** What the service works with, beside the seam to the wire. */
export interface WatchParts {
  readonly clock: Clock;
  readonly random: Random;
  /** The most bytes that the events of one revision may have together. */
  readonly maxRevisionBytes: number;
  /** Milliseconds for a wait whose caller does not say. */
  readonly callTimeoutMs: number;
  /** Told of what happens to watches. */
  readonly onStatus: (status: WatchStatus) => void;
}

const DEFAULTS: WatchParts = {
  clock: systemClock,
  random: Math.random,
  maxRevisionBytes: 64 * 1024 * 1024,
  callTimeoutMs: 5_000,
  onStatus: () => undefined,
};

/**
 * The Watch service. Nest injects it by this class.
 *
 * A watch lives until it is closed or cannot go on for a reason that its loop then throws: connections that break, members
 * that fail, lose their leader or lag behind, and tokens that expire are all seen to here, and neither lose an event nor
 * repeat one.
 */
export class EtcdWatch {
  private readonly parts: WatchParts;
  private readonly streams: WatchStreams;
  private readonly keys: WatchKeys | undefined;

  constructor(
    private readonly rpc: Rpc,
    parts: Partial<WatchParts> = {},
    origin?: { readonly streams: WatchStreams; readonly keys: WatchKeys },
  ) {
    this.parts = { ...DEFAULTS, ...parts };
    this.streams = origin?.streams ?? new WatchStreams({ ...this.parts, rpc });
    this.keys = origin?.keys;
  }

  /**
   * @internal The same service for those who call keys otherwise. Its watches share the streams of this one, count with
   * them, and end with them.
   *
   * @param rpc the seam on which reads are done, which calls keys so too.
   */
  through(rpc: Rpc, keys: WatchKeys): EtcdWatch {
    return new EtcdWatch(rpc, this.parts, { streams: this.streams, keys });
  }

  /**
   * Watches a key or a range of keys. Returns at once, whether or not a server can be reached; the watch is set up as soon
   * as one can.
   *
   * Without a `startRevision` it reports what happens after the revision that its `created` resolves with. The loop over
   * it ends when it is closed, and throws when it cannot go on:
   *
   * @throws {EtcdInvalidArgumentError} from this call, when an argument is none.
   * @throws {EtcdCompactedError} from the loop, when events it has yet to report are compacted; `compactRevision` is the
   *   oldest revision still kept. Read the range and watch on from there, or use {@link follow}, which does.
   * @throws {EtcdHistoryLostError} from the loop, when the store was replaced or went back to an older revision.
   * @throws {EtcdPermissionDeniedError} from the loop, when the user may not read the range.
   * @throws {EtcdWatchCanceledError} from the loop, when the server ended it for another reason, or for none.
   * @throws {EtcdAbortedError} from the loop, when its signal aborts.
   * @throws {EtcdClosedError} from the loop, when the client is closed.
   * @see etcd `clientv3.Watcher.Watch`, which waits until the watch is created, ends it when the leader is lost, and keeps
   *   any amount of unread events
   *
   * @example
   * const watcher = etcd.watch.watch(prefix('jobs/'), { startRevision: revision + 1 });
   * for await (const event of watcher) console.log(event.type, event.kv.key, event.revision);
   */
  watch(range: KeyRangeLike, options: WatchOptions = {}): Watcher {
    const watch = new OpenWatch(resolveWatch(range, options, this.keys));
    return new Watcher(this.streams.start(watch, options, options.signal));
  }

  /**
   * Follows a range: reads it, then reports every change after that, without a gap. Where changes were compacted before
   * they could be reported, as after a long outage, or the store was restored, it reads the range anew and says so by
   * another `reset`, which holds the whole range. Returns at once; nothing is sent before its loop begins.
   *
   * @throws {EtcdInvalidArgumentError} from this call, when an argument is none.
   * @throws {EtcdPermissionDeniedError} from the loop, when the user may not read the range.
   * @throws {EtcdMessageTooLargeError} from the loop, when one key does not fit the client's `maxResponseBytes`.
   * @throws {EtcdAbortedError} from the loop, when its signal aborts.
   * @throws {EtcdClosedError} from the loop, when the client is closed.
   *
   * @example
   * for await (const change of etcd.watch.follow(prefix('config/'))) {
   *   if (change.type === 'reset') config.replace(change.kvs);
   *   else if (change.type === 'put') config.set(change.kv);
   *   else config.delete(change.kv.key);
   * }
   */
  follow(range: KeyRangeLike, options: FollowOptions = {}): Follower {
    return new Follower(this.startFollowing(ownRange(range), options));
  }

  /**
   * Keeps a copy of a range in memory that is always as new as the network allows, so that reading it costs no round
   * trip. Begins to read at once.
   *
   * @throws {EtcdInvalidArgumentError} when an argument is none.
   * @see etcd `clientv3/leasing`, in whose place this is: nobody has to wait for it to let go of a key before writing it
   *
   * @example
   * const flags = etcd.watch.view(prefix('flags/'));
   * await flags.ready;
   * const isOn = flags.get('flags/new-cart')?.value === 'on';
   */
  view(range: KeyRangeLike, options: ViewOptions = {}): LiveView {
    const own = ownRange(range);
    return new LiveView({ ...this.parts, rpc: this.rpc, range: own, run: this.startFollowing(own, options) });
  }

  /**
   * Asks how far the watches of this client have come. See {@link Watcher.requestProgress}.
   *
   * @see etcd `clientv3.Watcher.RequestProgress`
   *
   * @example
   * etcd.watch.requestProgress();
   */
  requestProgress(): void {
    this.streams.requestProgress();
  }

  /** What the watches of the client are doing, in numbers, for metrics and health. */
  stats(): WatchStats {
    return this.streams.stats();
  }

  /** @internal The client closes: all watches end with `EtcdClosedError`, and later ones end at once. */
  close(): void {
    this.streams.close();
  }

  private startFollowing(range: KeyRange, options: FollowOptions): FollowRun {
    const spec = resolveWatch(range, { ...options, progressNotify: true }, this.keys);
    const { rpc, parts } = this;
    const watchFrom = ({ revision, clusterId }: Snapshot): OpenWatch => {
      const from = { ...spec, startRevision: revision + 1, seenRevision: revision };
      return this.streams.start(new OpenWatch(from, clusterId), options, undefined);
    };
    return this.streams.follow({ ...parts, rpc, range, watchFrom }, options.signal);
  }
}
