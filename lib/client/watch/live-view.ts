/** A range of keys kept in memory and up to date, so that reading it costs no round trip. */
import type { Clock } from '../clock.js';
import { EtcdAbortedError, type EtcdError } from '../errors.js';
import { nameOfBytes, nameOfKey } from '../key-name.js';
import type { Key, KeyRange } from '../key-range.js';
import { KeyValue } from '../key-value.js';
import { requireTimeout } from '../options.js';
import type { CallOptions, Rpc } from '../rpc/rpc.js';
import { defer } from './deferred.js';
import type { WatchEvent } from './event.js';
import type { FollowBatch, FollowOptions, FollowReset, FollowRun } from './follow.js';
import { RevisionWaits } from './revision-waits.js';
import { ViewChanges, type ViewChange, type ViewReset } from './view-changes.js';
import { ViewCheck } from './view-check.js';
import { wholeNumber } from './watch-options.js';

/** Options of {@link EtcdWatch.view}. */
export type ViewOptions = FollowOptions;

/** What a view is made of. */
export interface LiveViewParts {
  readonly rpc: Rpc;
  readonly clock: Clock;
  readonly callTimeoutMs: number;
  readonly range: KeyRange;
  readonly run: FollowRun;
}

type ViewState =
  /** The first snapshot is on its way: the view is empty. */
  | { readonly name: 'loading' }
  | { readonly name: 'live' }
  /** No longer kept up to date: closed, or for the reason of `error`. */
  | { readonly name: 'ended'; readonly error: EtcdError | undefined };

/**
 * The keys of a range, as in a `Map`, kept up to date by a watch. Each transaction is applied as a whole. During an outage
 * it holds what it knew; when the outage is over it catches up by itself, whatever was compacted meanwhile.
 *
 * It may be behind the store by the time a change takes to get here. Who must see a certain write waits for its revision
 * with {@link waitForRevision}.
 *
 * @example
 * const services = etcd.watch.view(prefix('services/'));
 * await services.ready;
 * for (const [key, kv] of services) console.log(key, kv.json());
 */
export class LiveView implements Iterable<[string, KeyValue]>, AsyncIterable<ViewChange>, AsyncDisposable {
  private readonly content = new Map<string, KeyValue>();
  private readonly waits: RevisionWaits;
  private readonly loops = new Set<ViewChanges>();
  private readonly check: ViewCheck;
  private readonly loaded = defer<undefined>();
  private state: ViewState = { name: 'loading' };
  private sorted: KeyValue[] | undefined;
  private currentRevision = 0;

  /** @internal use `watch.view()`. */
  constructor(private readonly parts: LiveViewParts) {
    const revision = (): number => this.currentRevision;
    const check = new ViewCheck({ ...parts, revision, size: () => this.content.size });
    const { clock } = parts;
    this.waits = new RevisionWaits({ clock, revision, onFirst: () => check.start(), onNone: () => check.stop() });
    this.check = check;
    void this.follow();
  }

  /** Resolves when the range was read for the first time; rejects when that is not possible, or the view is closed before. */
  get ready(): Promise<void> {
    return this.loaded.promise;
  }

  /** The view is as the range was at this revision; 0 until it is {@link ready}. */
  get revision(): number {
    return this.currentRevision;
  }

  /**
   * How many keys there are.
   *
   * @throws {EtcdError} as {@link get}.
   */
  get size(): number {
    return this.live().size;
  }

  /**
   * One key.
   *
   * @returns `undefined` when there is no such key in the range, and before the view is {@link ready}.
   * @throws {EtcdError} why the view cannot be kept up to date any more, rather than telling what is no longer true.
   */
  get(key: Key): KeyValue | undefined {
    return this.live().get(nameOfKey(key));
  }

  /**
   * Whether there is such a key.
   *
   * @throws {EtcdError} as {@link get}.
   */
  has(key: Key): boolean {
    return this.live().has(nameOfKey(key));
  }

  /**
   * The keys as text, in etcd's order: by their bytes.
   *
   * @throws {EtcdError} as {@link get}.
   */
  keys(): IterableIterator<string> {
    return this.inOrder()
      .map(({ key }) => key)
      .values();
  }

  /**
   * What is stored, in the order of the keys.
   *
   * @throws {EtcdError} as {@link get}.
   */
  values(): IterableIterator<KeyValue> {
    return this.inOrder().values();
  }

  /**
   * Each key as text with what is stored, in the order of the keys, as it was when this was called.
   *
   * @throws {EtcdError} as {@link get}.
   */
  entries(): IterableIterator<[string, KeyValue]> {
    return this.inOrder()
      .map((kv): [string, KeyValue] => [kv.key, kv])
      .values();
  }

  [Symbol.iterator](): IterableIterator<[string, KeyValue]> {
    return this.entries();
  }

  /**
   * What changes in the view: a `reset` with its whole content first, then change by change. There may be any number of
   * loops. One that falls 1,000 changes behind gets another `reset` in their place.
   *
   * @example
   * for await (const change of view) if (change.type !== 'reset') console.log(change.kv.key, change.type);
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<ViewChange, void, undefined> {
    const loop = new ViewChanges(
      () => this.reset('behind'),
      () => this.loops.delete(loop),
    );
    if (this.state.name === 'ended') loop.end(this.state.error);
    else this.loops.add(loop);
    if (this.state.name === 'live') loop.push(this.reset('start'));
    return loop;
  }

  /**
   * Waits until the view is at least as new as `revision`, for example the one that a write answered with.
   *
   * @throws {EtcdDeadlineExceededError} after `timeoutMs`, the client's `callTimeoutMs` unless given.
   * @throws {EtcdAbortedError} when the signal aborts.
   * @throws {EtcdError} why the view ended, when it does.
   *
   * @example
   * const { header } = await etcd.kv.put('flags/new-cart', 'on');
   * await flags.waitForRevision(header.revision);
   */
  async waitForRevision(revision: number, options: Omit<CallOptions, 'requireLeader'> = {}): Promise<void> {
    wholeNumber('revision', revision, 0);
    const { signal, timeoutMs = this.parts.callTimeoutMs } = options;
    requireTimeout('timeoutMs', timeoutMs);
    if (this.state.name === 'ended') throw this.endError();
    if (this.state.name === 'loading' || this.currentRevision < revision) {
      await this.waits.add(revision, timeoutMs, signal);
    }
  }

  /** Ends it. What it holds can still be read, and gets old. Idempotent. */
  close(): Promise<void> {
    this.parts.run.end(undefined);
    this.end(undefined);
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async follow(): Promise<void> {
    try {
      for await (const batch of this.parts.run.batches()) this.apply(batch);
      this.end(undefined);
    } catch (error) {
      this.end(error as EtcdError);
    }
  }

  private apply(batch: FollowBatch): void {
    if (this.state.name === 'ended') return;
    if (batch.type === 'reset') this.replace(batch);
    else for (const event of batch.events) this.change(event);
    this.currentRevision = batch.revision;
    if (batch.type === 'reset') this.tell(this.reset(batch.reason));
    this.enter({ name: 'live' });
    this.loaded.resolve(undefined);
    this.waits.reached(batch.revision);
  }

  private replace({ kvs }: FollowReset): void {
    this.sorted = undefined;
    this.content.clear();
    for (const kv of kvs) this.content.set(nameOfBytes(kv.keyBytes), ownCopy(kv));
  }

  private change(event: WatchEvent): void {
    const name = nameOfBytes(event.kv.keyBytes);
    this.sorted = undefined;
    if (event.type === 'put') this.content.set(name, ownCopy(event.kv));
    else this.content.delete(name);
    this.tell(event);
  }

  private tell(change: ViewChange): void {
    for (const loop of this.loops) loop.push(change);
  }

  private reset(reason: ViewReset['reason']): ViewReset {
    return { type: 'reset', reason, revision: this.currentRevision, kvs: this.sort() };
  }

  private end(error: EtcdError | undefined): void {
    if (this.state.name === 'ended') return;
    this.enter({ name: 'ended', error });
    this.check.stop();
    this.loaded.reject(this.endError());
    this.waits.fail(this.endError());
    for (const loop of this.loops) loop.end(error);
    this.loops.clear();
  }

  private endError(): EtcdError {
    const error = this.state.name === 'ended' ? this.state.error : undefined;
    return error ?? new EtcdAbortedError({}, 'the view was closed');
  }

  private live(): ReadonlyMap<string, KeyValue> {
    if (this.state.name === 'ended' && this.state.error !== undefined) throw this.state.error;
    return this.content;
  }

  private inOrder(): readonly KeyValue[] {
    this.live();
    return this.sort();
  }

  /** Sorted anew only after a change. The names are in the order of the bytes. */
  private sort(): readonly KeyValue[] {
    const { content } = this;
    this.sorted ??= [...content.keys()].sort().map((name) => content.get(name) as KeyValue);
    return this.sorted;
  }

  /** The only line that changes the state. */
  private enter(state: ViewState): void {
    this.state = state;
  }
}

/** Received values are parts of larger messages, which would all be kept with them. */
function ownCopy(kv: KeyValue): KeyValue {
  const { createRevision, modRevision, version, lease = '0' } = kv;
  const key = Uint8Array.from(kv.keyBytes);
  const value = Uint8Array.from(kv.valueBytes);
  return new KeyValue({ key, value, createRevision, modRevision, version, lease });
}
