/** A range, followed: a snapshot, then every change, and a new snapshot where the history between is gone. */
import { pause, type Clock, type Random } from '../clock.js';
import { EndingLoop } from '../ending-loop.js';
import { EtcdAbortedError, EtcdHistoryLostError, EtcdInvalidArgumentError, type EtcdError } from '../errors.js';
import type { KeyRange } from '../key-range.js';
import type { KeyValue } from '../key-value.js';
import { backoffMs, type BackoffLimits } from '../rpc/backoff.js';
import { WATCH } from '../rpc/methods.js';
import type { ResponseHeader } from '../rpc/response-header.js';
import type { Rpc } from '../rpc/rpc.js';
import { EtcdCompactedError } from '../server-errors.js';
import type { WatchEvent } from './event.js';
import type { OpenWatch } from './open-watch.js';
import type { WatchResponse } from './response.js';
import { readSnapshot, type Snapshot } from './snapshot.js';
import type { BufferOptions, StreamOptions } from './watch-options.js';
import { Watcher } from './watcher.js';

/** Options of {@link EtcdWatch.follow}. */
export interface FollowOptions extends BufferOptions, StreamOptions {
  /**
   * Has each change tell the key as it was before.
   *
   * @default false
   */
  readonly prevKv?: boolean | undefined;
  /** Ends it: the loop throws `EtcdAbortedError`. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Why the range was read anew: for the first time; because changes were compacted before they could be reported; because
 * the store was restored or replaced.
 */
export type ResetReason = 'start' | 'compacted' | 'history-lost';

/** The whole range as it was at one revision. It replaces everything before: a key that is not in it is gone. */
export interface FollowReset {
  readonly type: 'reset';
  readonly reason: ResetReason;
  /** The changes that follow are all of those after this revision. */
  readonly revision: number;
  /** By key. */
  readonly kvs: readonly KeyValue[];
}

/** What a loop over a followed range gets: the whole range first, then its changes one by one. */
export type FollowChange = FollowReset | WatchEvent;

/** The same, with the changes of whole revisions at once, and progress notices. */
export type FollowBatch = FollowReset | WatchResponse;

/** What following works with. */
export interface FollowParts {
  readonly rpc: Rpc;
  readonly clock: Clock;
  readonly random: Random;
  readonly range: KeyRange;
  /** Watches the range from after a snapshot. */
  readonly watchFrom: (snapshot: Snapshot) => OpenWatch;
  /** Called once, at the end. */
  readonly onEnd: () => void;
}

const PAUSES: BackoffLimits = { firstMs: 50, maxMs: 2_000 };

/**
 * A range that is followed: what is there, and then what changes, without a gap, for as long as the loop goes on. The loop
 * throws only what cannot be mended by reading anew, such as a missing permission.
 *
 * Read it with one loop, over changes or over {@link batches}. Leaving the loop ends it.
 *
 * @example
 * const flags = new Map<string, string>();
 * for await (const change of etcd.watch.follow(prefix('flags/'))) {
 *   if (change.type === 'reset') flags.clear();
 *   const puts = change.type === 'reset' ? change.kvs : change.type === 'put' ? [change.kv] : [];
 *   for (const kv of puts) flags.set(kv.key, kv.value);
 *   if (change.type === 'delete') flags.delete(change.kv.key);
 * }
 */
export class Follower implements AsyncIterable<FollowChange, void, undefined>, AsyncDisposable {
  private isRead = false;

  /** @internal use `watch.follow()`. */
  constructor(private readonly run: FollowRun) {}

  /**
   * The changes of whole revisions at once, as they came, and progress notices.
   *
   * @throws {EtcdInvalidArgumentError} when it is being read already.
   */
  batches(): AsyncIterableIterator<FollowBatch, void, undefined> {
    return this.read(this.run.batches());
  }

  /** @throws {EtcdInvalidArgumentError} when it is being read already. */
  [Symbol.asyncIterator](): AsyncIterableIterator<FollowChange, void, undefined> {
    return this.read(flatten(this.run.batches()));
  }

  /** Ends it. Idempotent. */
  close(): Promise<void> {
    this.run.end(undefined);
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private read<T>(source: AsyncGenerator<T, void, undefined>): AsyncIterableIterator<T, void, undefined> {
    if (this.isRead)
      throw new EtcdInvalidArgumentError('follower', 'can be read by one loop only; follow once for each');
    this.isRead = true;
    return new EndingLoop(source, () => this.run.end(undefined));
  }
}

async function* flatten(batches: AsyncIterable<FollowBatch>): AsyncGenerator<FollowChange, void, undefined> {
  for await (const batch of batches) {
    if (batch.type === 'reset') yield batch;
    else yield* batch.events;
  }
}

/** The work behind a followed range. */
export class FollowRun {
  private readonly ending = new AbortController();
  private watch: OpenWatch | undefined;
  private ended: { readonly error: EtcdError | undefined } | undefined;

  constructor(private readonly parts: FollowParts) {}

  /** Asks the server how far the range has come. */
  requestProgress(): void {
    this.watch?.requestProgress();
  }

  /** It was found out that nothing up to the header's revision is missing. */
  confirm(header: ResponseHeader): void {
    if (this.watch?.state.name !== 'ended') this.watch?.progress(header);
  }

  /** Ends it because its signal aborted. */
  abort({ reason }: AbortSignal): void {
    this.end(new EtcdAbortedError({ method: WATCH.label, cause: reason as unknown }));
  }

  /** @param error what the loop throws, if anything. */
  end(error: EtcdError | undefined): void {
    if (this.ended !== undefined) return;
    this.ended = { error };
    this.ending.abort();
    this.watch?.close();
    this.parts.onEnd();
  }

  async *batches(): AsyncGenerator<FollowBatch, void, undefined> {
    try {
      yield* this.rounds();
    } catch (error) {
      if (this.ended === undefined) throw error;
    } finally {
      this.end(undefined);
    }
    if (this.ended?.error !== undefined) throw this.ended.error;
  }

  /** One round for each snapshot. A range that is compacted quicker than it can be read is not read in a rush. */
  private async *rounds(): AsyncGenerator<FollowBatch, void, undefined> {
    const { signal } = this.ending;
    let reason: ResetReason = 'start';
    for (let attempt = 1; ; attempt++) {
      const { watchFrom, clock, random, range } = this.parts;
      const snapshot = await readSnapshot(this.parts, range, signal);
      yield { type: 'reset', reason, revision: snapshot.revision, kvs: snapshot.kvs };
      if (this.ended !== undefined) return;
      this.watch = watchFrom(snapshot);
      try {
        for await (const response of new Watcher(this.watch).responses()) {
          attempt = 0;
          yield response;
        }
        return;
      } catch (error) {
        reason = resetReason(error as EtcdError);
      }
      await pause(clock, backoffMs(attempt + 1, PAUSES, random), signal);
    }
  }
}

/** @throws {EtcdError} the error itself, when reading anew does not mend it. */
export function resetReason(error: EtcdError): ResetReason {
  if (error instanceof EtcdCompactedError) return 'compacted';
  if (error instanceof EtcdHistoryLostError) return 'history-lost';
  throw error;
}
