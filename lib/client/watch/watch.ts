/** The Watch service: changes as they happen, over few streams, across every kind of break. */
import { systemClock, type Clock, type Random } from '../clock.js';
import { EtcdClosedError } from '../errors.js';
import { toKeyRange, type KeyRangeLike } from '../key-range.js';
import { AbortListeners } from '../rpc/abort-listeners.js';
import { WATCH } from '../rpc/methods.js';
import type { Rpc } from '../rpc/rpc.js';
import { Follower, FollowRun, type FollowOptions } from './follow.js';
import { LiveView, type ViewOptions } from './live-view.js';
import { OpenWatch } from './open-watch.js';
import { resolveWatch, type StreamOptions, type WatchOptions } from './watch-options.js';
import { WatchStream } from './watch-stream.js';
import type { WatchStatus } from '../watch-status.js';
import type { WatchCounters, WatchStats } from './watch-stats.js';
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
  private readonly streams = new Set<WatchStream>();
  private readonly shared = new Map<boolean, WatchStream>();
  private readonly counters: WatchCounters = { reconnects: 0, resumes: 0, pauses: 0 };
  private readonly followed = new Set<FollowRun>();
  private readonly abortListeners = new AbortListeners();
  private isClosed = false;

  constructor(
    private readonly rpc: Rpc,
    parts: Partial<WatchParts> = {},
  ) {
    this.parts = { ...DEFAULTS, ...parts };
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
    return new Watcher(this.start(new OpenWatch(resolveWatch(range, options)), options, options.signal));
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
    return new Follower(this.startFollowing(range, options));
  }

  /**
   * Keeps a copy of a range in memory that is always as new as the network allows, so that reading it costs no round
   * trip. Begins to read at once.
   *
   * @throws {EtcdInvalidArgumentError} when an argument is none.
   *
   * @example
   * const flags = etcd.watch.view(prefix('flags/'));
   * await flags.ready;
   * const isOn = flags.get('flags/new-cart')?.value === 'on';
   */
  view(range: KeyRangeLike, options: ViewOptions = {}): LiveView {
    const own = toKeyRange(range, 'range');
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
    for (const stream of this.streams) stream.requestProgress();
  }

  /** What the watches are doing, in numbers, for metrics and health. */
  stats(): WatchStats {
    const streams = [...this.streams];
    const watches = streams.flatMap(({ open }) => [...open]);
    const sum = (count: (watch: OpenWatch) => number): number => watches.reduce((so, watch) => so + count(watch), 0);
    return {
      ...this.counters,
      watches: watches.length,
      paused: sum(({ state }) => (state.name === 'paused' ? 1 : 0)),
      streams: streams.filter(({ isOpen }) => isOpen).length,
      bufferedRevisions: sum(({ queue }) => queue.revisions),
      bufferedBytes: sum(({ queue }) => queue.bytes),
      lag: watches.reduce((most, { queue }) => Math.max(most, queue.revisions), 0),
    };
  }

  /** Ends all watches with `EtcdClosedError`; later ones end at once. The client does this when it is closed. */
  close(): void {
    this.isClosed = true;
    for (const run of [...this.followed]) run.end(closedError());
    for (const stream of [...this.streams]) stream.close(closedError());
  }

  private start(watch: OpenWatch, options: StreamOptions, signal: AbortSignal | undefined): OpenWatch {
    if (this.isClosed) watch.end(closedError(), false);
    else if (signal?.aborted === true) watch.abort(signal);
    else {
      const stream = this.streamFor(options);
      watch.start(stream, this.listen(signal, watch));
      stream.add(watch);
    }
    return watch;
  }

  /** @returns what ends the listening. */
  private listen(signal: AbortSignal | undefined, ended: { abort(signal: AbortSignal): void }): () => void {
    if (signal === undefined) return nothing;
    const onAbort = (): void => ended.abort(signal);
    this.abortListeners.add(signal, onAbort);
    return () => this.abortListeners.remove(signal, onAbort);
  }

  private startFollowing(range: KeyRangeLike, options: FollowOptions): FollowRun {
    const spec = resolveWatch(range, { ...options, progressNotify: true });
    const run: FollowRun = new FollowRun({
      ...this.parts,
      rpc: this.rpc,
      range: spec.range,
      watchFrom: (snapshot) => {
        const from = { ...spec, startRevision: snapshot.revision + 1 };
        return this.start(new OpenWatch(from, snapshot), options, undefined);
      },
      onEnd: () => {
        this.followed.delete(run);
        stopListening();
      },
    });
    this.followed.add(run);
    const stopListening = this.listen(options.signal, run);
    if (this.isClosed) run.end(closedError());
    else if (options.signal?.aborted === true) run.abort(options.signal);
    return run;
  }

  private streamFor({ requireLeader = true, ownStream = false }: StreamOptions): WatchStream {
    const known = ownStream ? undefined : this.shared.get(requireLeader);
    if (known !== undefined) return known;
    const { rpc, counters, parts } = this;
    const onEmpty = (): void => {
      this.streams.delete(stream);
      if (this.shared.get(requireLeader) === stream) this.shared.delete(requireLeader);
    };
    const stream = new WatchStream({ ...parts, rpc, counters, requireLeader, onEmpty });
    this.streams.add(stream);
    if (!ownStream) this.shared.set(requireLeader, stream);
    return stream;
  }
}

function nothing(): void {
  // There is nothing to end.
}

function closedError(): EtcdClosedError {
  return new EtcdClosedError({ method: WATCH.label });
}
