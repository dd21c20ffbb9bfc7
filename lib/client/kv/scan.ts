/** Reads any number of keys at one revision, in pieces: pages everywhere, a stream where the server has one. */
import { EtcdDeadlineExceededError, EtcdError, EtcdMessageTooLargeError, EtcdUnsupportedError } from '../errors.js';
import type { Clock } from '../clock.js';
import { keyAfter, type KeyRange } from '../key-range.js';
import { type KeyValue } from '../key-value.js';
import type { AbortListeners } from '../rpc/abort-listeners.js';
import { RANGE, RANGE_STREAM } from '../rpc/methods.js';
import type * as wire from '../rpc/generated/messages.js';
import type { CallOptions, Duplex, Rpc } from '../rpc/rpc.js';
import { EtcdFutureRevisionError } from '../server-errors.js';
import { KeyLoop } from './key-loop.js';
import { PageAhead } from './page-ahead.js';
import { type ReadOptions, type RevisionBounds } from './range-request.js';
import { headerOf, toKeyValues } from './responses.js';

/** Options of `scan`. There is no order but the natural one, by key: etcd sorts only what it has read as a whole. */
export interface ScanOptions extends ReadOptions, RevisionBounds, CallOptions {
  /**
   * The most keys of one piece. Pieces are smaller where keys and values are large.
   *
   * @default 5_000
   * @remarks a whole number from 1 to 9_007_199_254_740_991.
   */
  readonly pageSize?: number | undefined;
  /**
   * Leaves the values out.
   *
   * @default false
   */
  readonly keysOnly?: boolean | undefined;
  /**
   * Milliseconds to wait for each piece. The time the reader takes between pieces does not count.
   *
   * @default the client's `callTimeoutMs`
   * @remarks an integer from 1 to 2_147_483_647.
   */
  readonly timeoutMs?: number | undefined;
}

/** Some of the keys of a scan. */
export interface ScanPage {
  /** The revision at which all pages of this scan are read. To go on from here, watch from the next one. */
  readonly revision: number;
  /** By key, all after those of the page before. Empty only if the scan finds no key at all. */
  readonly kvs: readonly KeyValue[];
}

/** What a scan needs of its client. */
export interface ScanParts {
  readonly rpc: Rpc;
  readonly clock: Clock;
  readonly callTimeoutMs: number;
  readonly aborts: AbortListeners;
  /** Shared by all scans of the client: once a server is found to have no RangeStream, none is asked again. */
  readonly server: { hasRangeStream: boolean };
}

/** A scan, resolved. */
export interface ScanSpec {
  readonly range: KeyRange;
  /** The request of each page but for its first key, limit and revision. */
  readonly query: wire.RangeRequest;
  readonly pageSize: number;
  readonly signal: AbortSignal | undefined;
  /** `undefined` for the client's own. */
  readonly timeoutMs: number | undefined;
}

/**
 * Keys of a range as they were at one revision, read as the loop asks for them. Each loop over it reads anew.
 *
 * From the third page on, the next one is read while the loop works on one: two pages are the most that it keeps.
 */
export class Scan implements AsyncIterable<KeyValue> {
  /** @internal use `kv.scan()`. */
  constructor(
    private readonly parts: ScanParts,
    private readonly spec: ScanSpec,
  ) {}

  /**
   * The same keys, page by page, with the revision they are read at. There is at least one page.
   *
   * @example
   * let revision = 0;
   * for await (const page of etcd.kv.scan(prefix('u/')).pages()) {
   *   revision = page.revision;
   *   cache.add(page.kvs);
   * }
   */
  pages(): AsyncGenerator<ScanPage, void, undefined> {
    return new ScanRun(this.parts, this.spec).pages();
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<KeyValue, void, undefined> {
    return new KeyLoop(this.pages());
  }
}

/** The first page tells what the keys weigh, so it is small: even the largest values fit the default limits. */
const FIRST_PAGE_KEYS = 40;
/** What a page should weigh: large enough that round trips do not matter, small enough for every limit and memory. */
const PAGE_BYTES = 4 * 1024 * 1024;
/** How much larger than the last page the next one may be, since other keys may weigh more. */
const PAGE_GROWTH = 25;

/** One loop over a scan. */
class ScanRun {
  private nextKey: Uint8Array;
  private revision: number;
  private limit: number;
  private isDone = false;

  constructor(
    private readonly parts: ScanParts,
    private readonly spec: ScanSpec,
  ) {
    this.nextKey = spec.range.key;
    this.revision = spec.query.revision ?? 0;
    this.limit = Math.min(FIRST_PAGE_KEYS, spec.pageSize);
  }

  /**
   * The first page comes by an ordinary read: it settles the revision, and is all there is for most scans. What
   * follows comes by one stream if it can; whatever ends that too early, pages go on at the same key and revision, and
   * find out whether it was more than a broken stream.
   */
  async *pages(): AsyncGenerator<ScanPage, void, undefined> {
    yield await this.readPage();
    if (!this.isDone && this.parts.server.hasRangeStream && canStream(this.spec.query)) yield* this.streamPages();
    if (!this.isDone) yield await this.readPage();
    yield* this.restOfPages();
  }

  /**
   * While the loop works on one page, the next one is read, and never more. Not so with the first two: a loop that only
   * looks for something is often left there, and what was read ahead would be many times what it has taken.
   */
  private async *restOfPages(): AsyncGenerator<ScanPage, void, undefined> {
    let ahead: PageAhead<ScanPage> | undefined;
    try {
      while (ahead !== undefined || !this.isDone) {
        const page = await (ahead === undefined ? this.readPage() : this.take(ahead));
        ahead = this.isDone ? undefined : await this.readAhead();
        yield page;
      }
    } finally {
      ahead?.cancel();
    }
  }

  private async readAhead(): Promise<PageAhead<ScanPage>> {
    const { signal, timeoutMs } = this.spec;
    const ahead = new PageAhead(signal, this.parts.aborts, (own) => this.readPage({ signal: own, timeoutMs }));
    // A loop that waits for nothing itself keeps the event loop to itself for a whole page: let the request leave first.
    await new Promise(setImmediate);
    return ahead;
  }

  /**
   * The time of a page that is read ahead may run out while the reader works, which does not count: then it is read again
   * with what is left to the reader, who waits only from now on.
   */
  private async take(ahead: PageAhead<ScanPage>): Promise<ScanPage> {
    const { clock, callTimeoutMs } = this.parts;
    const { signal, timeoutMs = callTimeoutMs } = this.spec;
    const askedAt = clock.now();
    try {
      const page = await ahead.page;
      if (signal?.aborted !== true) return page; // else the next read says so
    } catch (error) {
      const leftMs = Math.floor(timeoutMs - (clock.now() - askedAt));
      if (!(error instanceof EtcdDeadlineExceededError) || leftMs < 1) throw error;
      return this.readPage({ signal, timeoutMs: leftMs });
    }
    return this.readPage();
  }

  private async readPage(options: CallOptions = this.spec): Promise<ScanPage> {
    const answer = await this.readWithin(options);
    if (this.revision === 0) this.revision = headerOf(answer).revision;
    this.moveBehind(answer.kvs);
    if (!answer.more || answer.kvs.length === 0) this.isDone = true;
    this.limit = nextLimit(answer.kvs, this.limit, this.spec.pageSize);
    return { revision: this.revision, kvs: toKeyValues(answer.kvs) };
  }

  /** A page that is too large for the client is asked for again with half the keys. */
  private async readWithin(options: CallOptions): Promise<wire.RangeResponse> {
    for (;;) {
      try {
        return await this.readCaughtUp(options);
      } catch (error) {
        if (!(error instanceof EtcdMessageTooLargeError) || error.what !== 'response' || this.limit === 1) throw error;
        this.limit = Math.ceil(this.limit / 2);
      }
    }
  }

  /** A serializable page may reach a member that is not yet at the revision of the first one: then it waits for it. */
  private async readCaughtUp(options: CallOptions): Promise<wire.RangeResponse> {
    const request: wire.RangeRequest = { ...this.request(), limit: this.limit };
    try {
      return await this.parts.rpc.unary(RANGE, request, options);
    } catch (error) {
      if (!(error instanceof EtcdFutureRevisionError) || request.serializable !== true) throw error;
      return await this.parts.rpc.unary(RANGE, { ...request, serializable: false }, options);
    }
  }

  private request(): wire.RangeRequest {
    return { ...this.spec.query, key: this.nextKey, revision: this.revision };
  }

  private async *streamPages(): AsyncGenerator<ScanPage, void, undefined> {
    const stream = this.parts.rpc.duplex(RANGE_STREAM, { signal: this.spec.signal });
    let stopTimer = this.closeWhenSilent(stream);
    try {
      stream.send(this.request());
      stream.halfClose();
      for await (const { rangeResponse } of stream) {
        stopTimer();
        if (rangeResponse === null) continue;
        this.moveBehind(rangeResponse.kvs);
        // Only the last piece has a header: a stream that ends without one was cut off.
        if (rangeResponse.header !== null) this.isDone = true;
        for (const kvs of slices(toKeyValues(rangeResponse.kvs), this.spec.pageSize)) {
          yield { revision: this.revision, kvs };
        }
        stopTimer = this.closeWhenSilent(stream);
      }
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      if (error instanceof EtcdUnsupportedError) this.parts.server.hasRangeStream = false;
    } finally {
      stopTimer();
      stream.close(); // the loop closes it too, but only once it has begun
    }
  }

  /** Closing a stream ends the loop over it as a server that cuts it off does. */
  private closeWhenSilent(stream: Duplex<wire.RangeRequest, wire.RangeStreamResponse>): () => void {
    return this.parts.clock.after(this.spec.timeoutMs ?? this.parts.callTimeoutMs, () => stream.close());
  }

  private moveBehind(kvs: readonly wire.KeyValue[]): void {
    const last = kvs.at(-1);
    if (last !== undefined) this.nextKey = keyAfter(last.key);
  }
}

/** The stream knows neither revision bounds nor an order. */
function canStream(query: wire.RangeRequest): boolean {
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = query;
  return [minModRevision, maxModRevision, minCreateRevision, maxCreateRevision].every((bound) => !bound);
}

/** The server cuts a stream into pieces as it likes. */
function* slices<T>(list: readonly T[], length: number): Generator<readonly T[], void, undefined> {
  for (let start = 0; start < list.length; start += length) yield list.slice(start, start + length);
}

function nextLimit(kvs: readonly wire.KeyValue[], limit: number, pageSize: number): number {
  if (kvs.length === 0) return limit;
  let bytes = 0;
  for (const { key, value } of kvs) bytes += key.length + value.length; // `byteLength` is a call in Node.js 20, which shows
  const fitting = Math.floor((PAGE_BYTES * kvs.length) / Math.max(bytes, 1));
  return Math.max(1, Math.min(pageSize, limit * PAGE_GROWTH, fitting));
}
