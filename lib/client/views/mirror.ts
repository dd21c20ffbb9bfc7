/** A range copied to somewhere else and kept up to date: all of it page by page at one revision, then every change. */
import { pause, systemClock, type Clock, type Random } from '../clock.js';
import { EndingLoop } from '../ending-loop.js';
import { EtcdInvalidArgumentError, type EtcdError } from '../errors.js';
import { keyAfter, KeyRange, type KeyRangeLike } from '../key-range.js';
import type { KeyValue } from '../key-value.js';
import type { ScanPage } from '../kv/scan.js';
import { backoffMs, type BackoffLimits } from '../rpc/backoff.js';
import { EtcdCompactedError, EtcdFutureRevisionError } from '../server-errors.js';
import type { WatchEvent } from '../watch/event.js';
import { resetReason, type ResetReason } from '../watch/follow.js';
import { isWorthAnotherTry } from '../watch/snapshot.js';
import { ownRange, wholeNumber, type BufferOptions, type StreamOptions } from '../watch/watch-options.js';
import type { EtcdStore } from './store.js';

/** Options of {@link mirror}. */
export interface MirrorOptions extends BufferOptions, StreamOptions {
  /**
   * The revision up to which the copy is complete, from an earlier run: only what changed after it is sent. If its history
   * is compacted, or the store has been restored, everything is copied anew.
   *
   * @default none: everything is copied
   * @remarks a whole number from 1 to 9_007_199_254_740_991: the `revision` of the last step that was dealt with.
   */
  readonly afterRevision?: number | undefined;
  /**
   * The most keys of one page. Pages are smaller where keys and values are large.
   *
   * @default 5_000
   */
  readonly pageSize?: number | undefined;
  /**
   * Has each change tell the key as it was before.
   *
   * @default false
   */
  readonly prevKv?: boolean | undefined;
  /** Ends it: the loop throws `EtcdAbortedError`. */
  readonly signal?: AbortSignal | undefined;
}

/** A part of the copy. The pages of one copy lie side by side and cover the whole range, in the order of keys. */
export interface MirrorPage {
  readonly type: 'page';
  /** The revision at which all pages of this copy are read. */
  readonly revision: number;
  /** What the page is about: `kvs` are all keys there are in it. Others that the target has in it are to be deleted. */
  readonly range: KeyRange;
  /** By key; may be empty. */
  readonly kvs: readonly KeyValue[];
}

/** The marker: with the pages before, the copy is the whole range as it was at this revision. */
export interface MirrorSynced {
  readonly type: 'synced';
  /** Why it was copied: for the first time, or anew. */
  readonly reason: ResetReason;
  readonly revision: number;
}

/** The changes of whole revisions, in order. */
export interface MirrorChanges {
  readonly type: 'changes';
  /** With these changes the copy is as the range was at this revision. */
  readonly revision: number;
  /** At least one. */
  readonly events: readonly WatchEvent[];
}

/** Nothing happened up to this revision: worth keeping, so that a later run finds its history uncompacted. */
export interface MirrorProgress {
  readonly type: 'progress';
  readonly revision: number;
}

/** What a mirror is told to do. */
export type MirrorStep = MirrorPage | MirrorSynced | MirrorChanges | MirrorProgress;

/** What pauses are made of. */
interface Time {
  readonly clock: Clock;
  readonly random: Random;
}

const PAUSES: BackoffLimits = { firstMs: 50, maxMs: 2_000 };

/**
 * Mirrors a range: `page` by `page` as it is at one revision, then a `synced` marker, then the `changes` after it, without
 * a gap, for as long as the loop goes on. In contrast to `watch.follow()` the range is never in memory as a whole, and a
 * later run can go on where this one ended.
 *
 * Outages are waited for. Where changes were compacted before they could be told, the pages come anew, and another
 * `synced`. Whoever applies each step as a whole, and keeps its revision, has a copy that is exact at that revision from
 * the first `synced` on. Steps may be applied twice without harm.
 *
 * Returns at once; nothing is sent before the loop begins.
 *
 * @param store a client, or a namespace of one.
 * @throws {EtcdInvalidArgumentError} from this call, when an argument is none.
 * @throws {EtcdPermissionDeniedError} from the loop, when the user may not read the range.
 * @throws {EtcdAbortedError} from the loop, when its signal aborts.
 * @throws {EtcdClosedError} from the loop, when the client is closed.
 * @see etcd `clientv3/mirror`, whose `SyncUpdates` ends with its watch, at a compaction for example
 *
 * @example
 * for await (const step of mirror(etcd, prefix('app/'), { afterRevision: await copy.revision() })) {
 *   if (step.type === 'page') await copy.replace(step.range, step.kvs);
 *   if (step.type === 'changes') await copy.apply(step.events);
 *   if (step.type !== 'page') await copy.saveRevision(step.revision);
 * }
 */
export function mirror(
  store: Pick<EtcdStore, 'kv' | 'watch'>,
  range: KeyRangeLike,
  options: MirrorOptions = {},
): Mirror {
  return new Mirror(store, range, options);
}

/** A range that is mirrored. Read it with one loop; leaving the loop ends it. */
export class Mirror implements AsyncIterable<MirrorStep, void, undefined>, AsyncDisposable {
  private readonly range: KeyRange;
  private readonly afterRevision: number | undefined;
  private readonly ending = new AbortController();
  private isRead = false;
  private isClosed = false;

  /** @internal use {@link mirror}. */
  constructor(
    private readonly store: Pick<EtcdStore, 'kv' | 'watch'>,
    range: KeyRangeLike,
    private readonly options: MirrorOptions,
    private readonly time: Time = { clock: systemClock, random: Math.random },
  ) {
    const { afterRevision, pageSize } = options;
    this.range = ownRange(range);
    this.afterRevision = afterRevision === undefined ? undefined : wholeNumber('afterRevision', afterRevision, 1);
    if (pageSize !== undefined) wholeNumber('pageSize', pageSize, 1);
  }

  /** @throws {EtcdInvalidArgumentError} when it is being read already. */
  [Symbol.asyncIterator](): AsyncIterableIterator<MirrorStep, void, undefined> {
    if (this.isRead) throw new EtcdInvalidArgumentError('mirror', 'can be read by one loop only; start one for each');
    this.isRead = true;
    return new EndingLoop(this.steps(), () => void this.close());
  }

  /** Ends it. Idempotent. */
  close(): Promise<void> {
    this.isClosed = true;
    this.ending.abort();
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async *steps(): AsyncGenerator<MirrorStep, void, undefined> {
    const { signal } = this.options;
    const onAbort = (): void => this.ending.abort(signal?.reason);
    signal?.addEventListener('abort', onAbort);
    if (signal?.aborted === true) onAbort();
    try {
      yield* this.rounds();
    } catch (error) {
      if (!this.isClosed) throw error;
    } finally {
      signal?.removeEventListener('abort', onAbort);
      await this.close();
    }
  }

  /** One round for each watch. What is compacted quicker than it can be copied is not copied in a rush. */
  private async *rounds(): AsyncGenerator<MirrorStep, void, undefined> {
    let { afterRevision: revision } = this;
    let reason: ResetReason = 'start';
    for (let attempt = 1; ; attempt++) {
      revision ??= yield* this.copy(reason);
      try {
        for await (const step of this.changesAfter(revision)) {
          attempt = 0;
          revision = step.revision;
          yield step;
        }
        return;
      } catch (error) {
        reason = resetReason(error as EtcdError);
        revision = undefined;
      }
      await this.pause(attempt + 1);
    }
  }

  /**
   * Copies the range, and goes on where an outage interrupted it; from the start only if the revision is gone.
   *
   * @returns the revision of the copy.
   */
  private async *copy(reason: ResetReason): AsyncGenerator<MirrorPage | MirrorSynced, number, undefined> {
    let rest = this.range;
    let revision = 0;
    for (let attempt = 1; ; attempt++) {
      try {
        for await (const page of this.pages(rest, revision)) {
          attempt = 0;
          ({ revision } = page);
          if (!rest.isSingleKey) rest = new KeyRange(page.range.rangeEnd, rest.rangeEnd);
          yield page;
        }
        yield { type: 'synced', reason, revision };
        return revision;
      } catch (error) {
        if (!isWorthAnotherTry(error)) throw error;
        if (isRevisionGone(error)) [rest, revision] = [this.range, 0];
      }
      await this.pause(attempt + 1);
    }
  }

  private async *pages(range: KeyRange, atRevision: number): AsyncGenerator<MirrorPage, void, undefined> {
    const { pageSize } = this.options;
    const scan = this.store.kv.scan(range, { revision: atRevision, pageSize, signal: this.ending.signal });
    let from = range.key;
    let revision = atRevision;
    for await (const page of scan.pages()) {
      ({ revision } = page);
      const end = range.isSingleKey ? range.rangeEnd : endOf(page);
      if (end === undefined) continue;
      yield { type: 'page', revision, range: new KeyRange(from, end), kvs: page.kvs };
      from = end;
    }
    const rest = new KeyRange(from, range.rangeEnd);
    if (!range.isSingleKey && rest.contains(from)) yield { type: 'page', revision, range: rest, kvs: [] };
  }

  private async *changesAfter(revision: number): AsyncGenerator<MirrorChanges | MirrorProgress, void, undefined> {
    const { prevKv, requireLeader, ownStream, maxBufferedBytes, maxBufferedRevisions } = this.options;
    const watcher = this.store.watch.watch(this.range, {
      ...{ prevKv, requireLeader, ownStream, maxBufferedBytes, maxBufferedRevisions },
      afterRevision: revision,
      progressNotify: true,
      signal: this.ending.signal,
    });
    for await (const response of watcher.responses()) {
      if (response.type === 'progress') yield { type: 'progress', revision: response.revision };
      else yield { type: 'changes', revision: response.revision, events: response.events };
    }
  }

  private pause(attempt: number): Promise<void> {
    const { clock, random } = this.time;
    return pause(clock, backoffMs(attempt, PAUSES, random), this.ending.signal);
  }
}

/** Behind the last key; what comes after that, if nothing more comes, is a page of its own, with nothing in it. */
function endOf({ kvs }: ScanPage): Uint8Array | undefined {
  const last = kvs.at(-1);
  return last === undefined ? undefined : keyAfter(last.keyBytes);
}

/** Compacted meanwhile, or unknown to a store that was restored meanwhile. */
function isRevisionGone(error: unknown): boolean {
  return error instanceof EtcdCompactedError || error instanceof EtcdFutureRevisionError;
}
