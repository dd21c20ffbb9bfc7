/** The streams of a client's watches, and all that runs on them, whichever view of the client started it. */
import { EtcdClosedError } from '../errors.js';
import { AbortListeners } from '../rpc/abort-listeners.js';
import { WATCH } from '../rpc/methods.js';
import { FollowRun, type FollowParts } from './follow.js';
import type { OpenWatch } from './open-watch.js';
import type { StreamOptions } from './watch-options.js';
import type { WatchCounters, WatchStats } from './watch-stats.js';
import { WatchStream, type WatchStreamParts } from './watch-stream.js';

/** What streams are made of. */
export type WatchStreamsParts = Omit<WatchStreamParts, 'requireLeader' | 'counters' | 'onEmpty'>;

/** The streams of a client. */
export class WatchStreams {
  private readonly streams = new Set<WatchStream>();
  private readonly shared = new Map<boolean, WatchStream>();
  private readonly counters: WatchCounters = { reconnects: 0, resumes: 0, pauses: 0 };
  private readonly followed = new Set<FollowRun>();
  private readonly abortListeners = new AbortListeners();
  private isClosed = false;

  constructor(private readonly parts: WatchStreamsParts) {}

  /** Places a watch on a stream, until it ends or `signal` aborts. */
  start(watch: OpenWatch, options: StreamOptions, signal: AbortSignal | undefined): OpenWatch {
    if (this.isClosed) watch.end(closedError(), false);
    else if (signal?.aborted === true) watch.abort(signal);
    else {
      const stream = this.streamFor(options);
      watch.start(stream, this.listen(signal, watch));
      stream.add(watch);
    }
    return watch;
  }

  /** Keeps account of a followed range, until it ends or `signal` aborts. */
  follow(parts: Omit<FollowParts, 'onEnd'>, signal: AbortSignal | undefined): FollowRun {
    const run: FollowRun = new FollowRun({
      ...parts,
      onEnd: () => {
        this.followed.delete(run);
        stopListening();
      },
    });
    this.followed.add(run);
    const stopListening = this.listen(signal, run);
    if (this.isClosed) run.end(closedError());
    else if (signal?.aborted === true) run.abort(signal);
    return run;
  }

  requestProgress(): void {
    for (const stream of this.streams) stream.requestProgress();
  }

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

  /** Ends all watches with `EtcdClosedError`; later ones end at once. */
  close(): void {
    this.isClosed = true;
    for (const run of [...this.followed]) run.end(closedError());
    for (const stream of [...this.streams]) stream.close(closedError());
  }

  /** @returns what ends the listening. */
  private listen(signal: AbortSignal | undefined, ended: { abort(signal: AbortSignal): void }): () => void {
    if (signal === undefined) return nothing;
    const onAbort = (): void => ended.abort(signal);
    this.abortListeners.add(signal, onAbort);
    return () => this.abortListeners.remove(signal, onAbort);
  }

  private streamFor({ requireLeader = true, ownStream = false }: StreamOptions): WatchStream {
    const known = ownStream ? undefined : this.shared.get(requireLeader);
    if (known !== undefined) return known;
    const onEmpty = (): void => {
      this.streams.delete(stream);
      if (this.shared.get(requireLeader) === stream) this.shared.delete(requireLeader);
    };
    const stream = new WatchStream({ ...this.parts, counters: this.counters, requireLeader, onEmpty });
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
