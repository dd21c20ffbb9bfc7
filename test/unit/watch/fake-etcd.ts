/** The server's side of watches, played by a test: what it was asked, and what it answers. */
import { EtcdUnavailableError, type EtcdError } from '../../../lib/client/errors.js';
import type * as wire from '../../../lib/client/rpc/generated/messages.js';
import { WATCH } from '../../../lib/client/rpc/methods.js';
import type { WatchResponse } from '../../../lib/client/watch/response.js';
import type { ViewChange } from '../../../lib/client/watch/view-changes.js';
import { EtcdWatch, type WatchParts } from '../../../lib/client/watch/watch.js';
import type { WatchStatus } from '../../../lib/client/watch-status.js';
import { FakeClock, settle } from '../../support/fake-clock.js';
import { FakeRpc, type FakeStream } from '../../support/fake-rpc.js';

export type WatchStreamFake = FakeStream<wire.WatchRequest, wire.WatchResponse>;

/** A connection that broke. */
export const CUT = new EtcdUnavailableError('the connection failed: read ECONNRESET');

/** The cluster that answers unless a test says otherwise. */
export const CLUSTER = 'c1';

export function header(revision: number, clusterId = CLUSTER): wire.ResponseHeader {
  return { clusterId, memberId: 'm1', revision, raftTerm: 2 };
}

const NOTHING: wire.WatchResponse = {
  header: null,
  watchId: 0,
  created: false,
  canceled: false,
  compactRevision: 0,
  cancelReason: '',
  fragment: false,
  events: [],
};

export function created(watchId: number, revision: number, clusterId?: string): wire.WatchResponse {
  return { ...NOTHING, watchId, created: true, header: header(revision, clusterId) };
}

/** How etcd refuses a watch: it does not say which. */
export function refused(cancelReason: string): wire.WatchResponse {
  return { ...NOTHING, watchId: -1, created: true, canceled: true, cancelReason, header: header(10) };
}

export function canceled(watchId: number, facts: Partial<wire.WatchResponse> = {}): wire.WatchResponse {
  return { ...NOTHING, watchId, canceled: true, header: header(10), ...facts };
}

/** @param storeRevision how far the store is, which may be ahead of the events. */
export function sent(watchId: number, events: readonly wire.Event[], storeRevision?: number): wire.WatchResponse {
  const last = events.at(-1)?.kv?.modRevision ?? 0;
  return { ...NOTHING, watchId, events, header: header(storeRevision ?? last) };
}

/** A piece of an answer of which more follows. */
export function piece(watchId: number, events: readonly wire.Event[], storeRevision?: number): wire.WatchResponse {
  return { ...sent(watchId, events, storeRevision), fragment: true };
}

export function progress(watchId: number, revision: number): wire.WatchResponse {
  return { ...NOTHING, watchId, header: header(revision) };
}

export function put(key: string, revision: number, value = `v${revision}`): wire.Event {
  return { type: 'PUT', kv: stored(key, revision, value), prevKv: null };
}

export function deleted(key: string, revision: number): wire.Event {
  return { type: 'DELETE', kv: { ...stored(key, revision, ''), createRevision: 0, version: 0 }, prevKv: null };
}

export function stored(key: string, revision: number, value = `v${revision}`): wire.KeyValue {
  return {
    key: Buffer.from(key),
    value: Buffer.from(value),
    createRevision: revision,
    modRevision: revision,
    version: 1,
    lease: '0',
  };
}

/** `put a@11`, for comparing at a glance. */
/** A page of a range. */
export function page(
  revision: number,
  keys: readonly string[],
  facts: Partial<wire.RangeResponse> = {},
): wire.RangeResponse {
  const kvs = keys.map((key) => stored(key, 2));
  return { header: header(revision), kvs, more: false, count: kvs.length, ...facts };
}

/** An event, or a range anew, in one line. */
export function shown(change: ViewChange): string {
  if (change.type !== 'reset') return `${change.type} ${change.kv.key}@${change.revision}`;
  return `reset(${change.reason})@${change.revision} ${change.kvs.map(({ key }) => key).join(',')}`;
}

/** A watch service in front of a scripted server. */
export class FakeEtcd {
  readonly rpc = new FakeRpc();
  readonly clock = new FakeClock();
  readonly statuses: WatchStatus[] = [];
  readonly watch: EtcdWatch;

  constructor(parts: Partial<WatchParts> = {}) {
    this.watch = new EtcdWatch(this.rpc, {
      clock: this.clock,
      random: () => 0.5,
      onStatus: (status) => this.statuses.push(status),
      ...parts,
    });
  }

  /** All streams of watches that were opened, in order. */
  get streams(): readonly WatchStreamFake[] {
    return this.rpc.streams.filter(({ method }) => method.path === WATCH.path) as unknown as WatchStreamFake[];
  }

  /** The newest of them. */
  get stream(): WatchStreamFake {
    return this.streams.at(-1)!;
  }

  /** Sends answers on the newest stream, and lets the client take them. */
  async answer(...answers: wire.WatchResponse[]): Promise<void> {
    this.stream.deliver(...answers);
    await settle();
  }

  /** Breaks the newest stream, and lets the client wait until it has opened the next one. */
  async breakStream(error: EtcdError = CUT): Promise<void> {
    const before = this.streams.length;
    this.stream.fail(error);
    await settle();
    await this.clock.advance(2_000);
    if (this.streams.length !== before + 1) throw new Error('no new stream was opened');
  }

  /** The watches that the newest stream was asked for, in order. */
  creates(stream = this.stream): wire.WatchCreateRequest[] {
    return stream.sent.flatMap(({ createRequest }) => createRequest ?? []);
  }

  /** The IDs that were cancelled on the newest stream, in order. */
  cancels(stream = this.stream): number[] {
    return stream.sent.flatMap(({ cancelRequest }) => cancelRequest?.watchId ?? []);
  }

  progressRequests(stream = this.stream): number {
    return stream.sent.filter(({ progressRequest }) => progressRequest !== undefined).length;
  }
}

/** Reads a loop in the background, and keeps what came of it. */
export class Collected<T> {
  readonly items: T[] = [];
  error: EtcdError | undefined;
  isDone = false;

  constructor(source: AsyncIterable<T>) {
    void this.read(source);
  }

  private async read(source: AsyncIterable<T>): Promise<void> {
    try {
      for await (const item of source) this.items.push(item);
    } catch (error) {
      this.error = error as EtcdError;
    }
    this.isDone = true;
  }
}

/** Reads the events of a watch in the background. */
export function collect<T>(source: AsyncIterable<T>): Collected<T> {
  return new Collected(source);
}

export function revisionsOf(items: readonly { readonly revision: number }[]): number[] {
  return items.map(({ revision }) => revision);
}

export function typesOf(responses: readonly WatchResponse[]): string[] {
  return responses.map(({ type, revision }) => `${type}@${revision}`);
}
