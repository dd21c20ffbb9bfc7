/** One watch as its reader sees it. */
import { EtcdInvalidArgumentError } from '../errors.js';
import { WATCH } from '../rpc/methods.js';
import type { WatchEvent } from './event.js';
import type { OpenWatch, WatchState } from './open-watch.js';
import type { WatchResponse } from './response.js';

/**
 * One watch on a range of keys, across reconnects: every event from its start on, once, in the order of revisions, the
 * events of one revision one after the other, until it is closed or its loop throws why it ended.
 *
 * Read it with one loop, over events or over {@link responses}. Leaving the loop closes the watch.
 *
 * @example
 * const watcher = etcd.watch.watch(prefix('jobs/'));
 * await watcher.created;
 * for await (const event of watcher) {
 *   if (event.type === 'put') start(event.kv.key, event.kv.value);
 * }
 */
export class Watcher implements AsyncIterable<WatchEvent, void, undefined>, AsyncDisposable {
  /** @internal use `watch.watch()`. */
  constructor(private readonly watch: OpenWatch) {}

  /**
   * Resolves when the server first has the watch in place, with the revision of the store at that time: without a
   * `startRevision` the watch reports everything after it, so what is written once this has resolved is reported.
   * Rejects with the reason when the watch ends before.
   */
  get created(): Promise<number> {
    return this.watch.created;
  }

  /**
   * The first revision that was not received yet: where the watch goes on after a break. 0 until it is created, if it has
   * no start revision. What is received may still wait for the reader: to go on elsewhere, or after a restart of the
   * process, take the `revision` of the last event or response that was dealt with, plus one.
   */
  get nextRevision(): number {
    return this.watch.resume.nextRevision;
  }

  /**
   * What it is doing: `'waiting'` and `'creating'` while it is not in place on a server, `'active'`, `'paused'` while the
   * reader is too far behind, `'ended'`.
   */
  get state(): WatchState['name'] {
    return this.watch.state.name;
  }

  /** How many revisions were received and not read yet. */
  get bufferedRevisions(): number {
    return this.watch.queue.revisions;
  }

  /**
   * Asks the server how far this watch, and those that share its stream, have come. The answer moves `nextRevision`, and
   * is a progress notice in {@link responses} of watches with `progressNotify`. There is none while one of them still
   * reads history, and from servers before 3.4.25 and 3.5.8, whose answers cannot be relied on.
   *
   * @see etcd `clientv3.Watcher.RequestProgress`
   */
  requestProgress(): void {
    this.watch.requestProgress();
  }

  /**
   * The events of whole revisions at once, as they came, and progress notices.
   *
   * @throws {EtcdInvalidArgumentError} when the watch is being read already.
   *
   * @example
   * for await (const { events, revision } of watcher.responses()) {
   *   await store.apply(events, revision); // all of a transaction, or nothing
   * }
   */
  responses(): AsyncIterableIterator<WatchResponse, void, undefined> {
    return this.read(takeResponse);
  }

  /** @throws {EtcdInvalidArgumentError} when the watch is being read already. */
  [Symbol.asyncIterator](): AsyncIterableIterator<WatchEvent, void, undefined> {
    return this.read(takeEvent);
  }

  /** Ends the watch, here and on the server. What waits to be read is dropped. Idempotent. */
  close(): Promise<void> {
    this.watch.close();
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private read<T>(take: Take<T>): AsyncIterableIterator<T, void, undefined> {
    const reader = new Reader(this.watch, take);
    if (this.watch.readBy(reader)) return reader;
    throw new EtcdInvalidArgumentError('watcher', 'can be read by one loop only; start a watch for each', undefined, {
      method: WATCH.label,
      outcome: undefined,
    });
  }
}

/** Takes what comes next, if it is there. */
type Take<T> = (watch: OpenWatch) => T | undefined;

const takeEvent: Take<WatchEvent> = (watch) => watch.takeEvent();
const takeResponse: Take<WatchResponse> = (watch) => watch.takeResponse();

/** Answers who waits for what comes next; a rejected promise makes theirs reject. One function is all that is kept of them. */
type Answer<T> = (result: IteratorResult<T, void> | Promise<never>) => void;

/** The loop over a watch: first what was received, then the end, which is thrown once if it is an error. */
class Reader<T> implements AsyncIterableIterator<T, void, undefined> {
  /** Who waits; mostly one, and as thousands of watches may be idle, it costs no list. */
  private first: Answer<T> | undefined;
  private others: Answer<T>[] | undefined;
  private isDone = false;

  constructor(
    private readonly watch: OpenWatch,
    private readonly take: Take<T>,
  ) {}

  get isWaiting(): boolean {
    return this.first !== undefined;
  }

  next(): Promise<IteratorResult<T, void>> {
    const value = this.first === undefined ? this.take(this.watch) : undefined;
    if (value !== undefined) return Promise.resolve({ done: false, value });
    return new Promise((answer) => {
      if (this.first === undefined) this.first = answer;
      else (this.others ??= []).push(answer);
      this.wake();
    });
  }

  /** A loop that waits ends at once. */
  return(): Promise<IteratorResult<T, void>> {
    this.isDone = true;
    this.watch.close();
    this.wake();
    return Promise.resolve({ done: true, value: undefined });
  }

  wake(): void {
    for (;;) {
      const { first } = this;
      if (first === undefined) return;
      const value = this.take(this.watch);
      if (value !== undefined) first({ done: false, value });
      else if (!this.finish(first)) return;
      this.first = this.others?.shift();
    }
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  private finish(answer: Answer<T>): boolean {
    const { state } = this.watch;
    if (state.name !== 'ended') return false;
    if (!this.isDone && state.error !== undefined) answer(Promise.reject(state.error));
    else answer({ done: true, value: undefined });
    this.isDone = true;
    return true;
  }
}
