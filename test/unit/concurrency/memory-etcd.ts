/** One etcd in memory behind the seam to the wire, with faults on demand: what the concurrency specs stand on. */
import { EtcdConcurrency } from '../../../lib/client/concurrency/concurrency.js';
import { EtcdAbortedError, EtcdUnavailableError } from '../../../lib/client/errors.js';
import { EtcdKv } from '../../../lib/client/kv/kv.js';
import { EtcdLease } from '../../../lib/client/lease/lease.js';
import type * as wire from '../../../lib/client/rpc/generated/messages.js';
import {
  DELETE_RANGE,
  LEASE_GRANT,
  LEASE_KEEP_ALIVE,
  LEASE_REVOKE,
  PUT,
  RANGE,
  TXN,
  WATCH,
} from '../../../lib/client/rpc/methods.js';
import type {
  Duplex,
  DuplexMethod,
  MethodInfo,
  Rpc,
  RpcCallOptions,
  UnaryMethod,
} from '../../../lib/client/rpc/rpc.js';
import { EtcdLeaseNotFoundError } from '../../../lib/client/server-errors.js';
import { EtcdWatch } from '../../../lib/client/watch/watch.js';
import { FakeClock, settle } from '../../support/fake-clock.js';
import { FakeStream } from '../../support/fake-rpc.js';
import { MemoryStore } from './memory-store.js';

/** What becomes of one request. */
export type Fault =
  /** The server never gets it, and the client knows. */
  | 'refuse'
  /** It is carried out, and the answer is lost. */
  | 'lose-answer'
  /** The client gives up on it, and it is carried out later, by `carryOutLate()`. */
  | 'late'
  /** No answer comes until the caller gives up; it is not carried out. */
  | 'hang'
  /** It fails with this. */
  | Error;

/** What can be wrong between one client and the cluster. */
interface Link {
  /** Nothing gets through in either direction. */
  isCut: boolean;
}

interface Watching {
  readonly link: Link;
  readonly stream: FakeStream<wire.WatchRequest, wire.WatchResponse>;
  readonly id: number;
  readonly request: wire.WatchCreateRequest;
  next: number;
}

type AnyRequest = wire.RangeRequest & wire.TxnRequest & wire.LeaseGrantRequest & wire.PutRequest;

/** The cluster. Clients of it share the store and the clock. */
export class MemoryEtcd {
  readonly clock = new FakeClock();
  readonly store = new MemoryStore();
  /** Every unary request that reached somebody, in order. */
  readonly requests: { readonly method: MethodInfo; readonly request: AnyRequest; readonly options: RpcCallOptions }[] =
    [];
  /** Nothing gets through, for any client. */
  isCut = false;
  private readonly expiries = new Map<string, { readonly ttlSeconds: number; cancel: () => void }>();
  private readonly faults = new Map<string, Fault[]>();
  private readonly late: (() => void)[] = [];
  private readonly watching = new Set<Watching>();
  private told = 0;

  /** A client of its own. */
  client(callTimeoutMs = 5_000): MemoryClient {
    return new MemoryClient(this, callTimeoutMs);
  }

  /** Says what becomes of the next requests of a method. */
  next(method: MethodInfo, ...faults: Fault[]): void {
    this.faults.set(method.path, [...(this.faults.get(method.path) ?? []), ...faults]);
  }

  requestsOf(method: MethodInfo): AnyRequest[] {
    return this.requests.filter((call) => call.method.path === method.path).map(({ request }) => request);
  }

  /** Watches that are open, by their key as text. */
  watchedKeys(): string[] {
    return [...this.watching].map(({ request }) => Buffer.from(request.key!).toString()).sort();
  }

  /** Carries out the requests that clients have given up on. */
  async carryOutLate(): Promise<void> {
    for (const task of this.late.splice(0)) task();
    await settle();
  }

  /** Somebody else writes, as an operator or another program does. */
  async put(key: string, value = '', lease?: string): Promise<void> {
    this.store.txn({ success: [{ requestPut: { key: Buffer.from(key), value: Buffer.from(value), lease } }] });
    await this.tell();
  }

  async delete(key: string): Promise<void> {
    this.store.txn({ success: [{ requestDeleteRange: { key: Buffer.from(key) } }] });
    await this.tell();
  }

  grantLease(id: string): void {
    this.store.leases.add(id);
  }

  async revokeLease(id: string): Promise<void> {
    this.endLease(id);
    await this.tell();
  }

  /** Drops all history: watches that have something to catch up with are told so. */
  compactAll(): void {
    this.store.compact(this.store.revision);
  }

  /** Breaks all watch streams: the clients open new ones. */
  async breakWatches(): Promise<void> {
    const streams = new Set([...this.watching].map(({ stream }) => stream));
    this.watching.clear();
    for (const stream of streams) stream.fail(new EtcdUnavailableError('cut'));
    await settle();
  }

  /** Lets time pass in small steps, so that one thing can lead to another. */
  async pass(byMs: number): Promise<void> {
    const steps = 40;
    for (let step = 0; step < steps; step++) {
      await quiet();
      await this.clock.advance(byMs / steps);
    }
    await quiet();
  }

  /** @internal */
  async unary(method: MethodInfo, request: AnyRequest, options: RpcCallOptions, link: Link): Promise<unknown> {
    if (options.signal?.aborted === true) throw aborted(method, options, 'not-applied');
    this.requests.push({ method, request: structuredClone(request), options });
    const fault = this.isCut || link.isCut ? 'hang' : this.faults.get(method.path)?.shift();
    const isWrite = (options.effect ?? method.effect) === 'write';
    if (fault === undefined) {
      const answer = this.carryOut(method, request);
      await this.tell();
      return answer;
    }
    if (fault instanceof Error) throw fault;
    if (fault === 'hang') return this.hang(method, options);
    if (fault === 'late') this.late.push(() => this.carryOutSilently(method, request));
    if (fault === 'lose-answer') this.carryOutSilently(method, request);
    await settle();
    const outcome = fault === 'refuse' ? 'not-applied' : 'unknown';
    throw new EtcdUnavailableError('cut', [], { method: method.label, outcome: isWrite ? outcome : undefined });
  }

  /** @internal */
  openStream(method: MethodInfo, link: Link): Duplex<object, unknown> {
    const stream = new FakeStream<object, unknown>(method);
    const send = stream.send.bind(stream);
    stream.send = (request) => {
      send(request);
      // A moment later, as over a network: the sender has yet to note what it sent.
      queueMicrotask(() => this.onMessage(stream, request, link));
    };
    return stream;
  }

  private carryOut(method: MethodInfo, request: AnyRequest): unknown {
    const { store } = this;
    switch (method.path) {
      case RANGE.path:
        return { ...store.range(request), header: this.header() };
      case TXN.path:
        return { ...store.txn(request), header: this.header() };
      case PUT.path:
        store.txn({ success: [{ requestPut: request }] });
        return { header: this.header(), prevKv: null };
      case DELETE_RANGE.path:
        store.txn({ success: [{ requestDeleteRange: request }] });
        return { header: this.header(), deleted: 0, prevKvs: [] };
      case LEASE_GRANT.path:
        store.leases.add(request.ID!);
        this.renew(request.ID!, request.TTL!);
        return { header: this.header(), ID: request.ID, TTL: request.TTL, error: '' };
      case LEASE_REVOKE.path:
        if (!this.endLease(request.ID!))
          throw new EtcdLeaseNotFoundError({ reason: 'LeaseNotFound', serverMessage: 'lease not found' });
        return { header: this.header() };
      default:
        throw new Error(`not played: ${method.label}`);
    }
  }

  private carryOutSilently(method: MethodInfo, request: AnyRequest): void {
    try {
      this.carryOut(method, request);
    } catch {
      return; // nobody hears of it
    }
    void this.tell();
  }

  private hang(method: MethodInfo, options: RpcCallOptions): Promise<never> {
    return new Promise((_, reject) => {
      options.signal?.addEventListener('abort', () => reject(aborted(method, options, 'unknown')));
      this.clock.after(options.timeoutMs ?? 5_000, () => {
        reject(new EtcdUnavailableError('no answer', [], { method: method.label, outcome: 'unknown' }));
      });
    });
  }

  private renew(id: string, ttlSeconds: number): void {
    this.expiries.get(id)?.cancel();
    const cancel = this.clock.after(ttlSeconds * 1_000, () => {
      this.endLease(id);
      void this.tell();
    });
    this.expiries.set(id, { ttlSeconds, cancel });
  }

  private endLease(id: string): boolean {
    this.expiries.get(id)?.cancel();
    this.expiries.delete(id);
    return this.store.endLease(id);
  }

  private onMessage(stream: FakeStream<object, unknown>, request: object, link: Link): void {
    if (this.isCut || link.isCut) return;
    if (stream.method.path === LEASE_KEEP_ALIVE.path) this.onKeepAlive(stream, request);
    if (stream.method.path === WATCH.path) this.onWatch(stream as Watching['stream'], request, link);
  }

  private onKeepAlive(stream: FakeStream<object, unknown>, { ID = '0' }: wire.LeaseKeepAliveRequest): void {
    const ttlSeconds = this.store.leases.has(ID) ? (this.expiries.get(ID)?.ttlSeconds ?? 10) : 0;
    if (ttlSeconds > 0) this.renew(ID, ttlSeconds);
    stream.deliver({ header: this.header(), ID, TTL: ttlSeconds });
  }

  private onWatch(stream: Watching['stream'], { createRequest, cancelRequest }: wire.WatchRequest, link: Link): void {
    for (const watch of this.watching) {
      if (cancelRequest !== undefined && watch.stream === stream && watch.id === cancelRequest.watchId) {
        this.watching.delete(watch);
        stream.deliver(this.watchAnswer(watch.id, { canceled: true }));
      }
    }
    if (createRequest === undefined) return;
    const id = createRequest.watchId ?? 0;
    const { startRevision = 0 } = createRequest;
    stream.deliver(this.watchAnswer(id, { created: true }));
    if (startRevision > 0 && startRevision <= this.store.compactRevision && startRevision <= this.store.revision) {
      stream.deliver(this.watchAnswer(id, { canceled: true, compactRevision: this.store.compactRevision }));
      return;
    }
    const next = startRevision === 0 ? this.store.revision + 1 : startRevision;
    this.watching.add({ link, stream, id, request: createRequest, next });
    this.catchUp();
  }

  /** Tells the watches what is new, and lets those who hear it act. */
  private async tell(): Promise<void> {
    if (this.told < this.store.revision) this.catchUp();
    await Promise.resolve();
  }

  private catchUp(): void {
    this.told = this.store.revision;
    if (this.isCut) return;
    for (const watch of this.watching) {
      if (watch.link.isCut) continue;
      for (const { revision, events } of this.store.history) {
        if (revision < watch.next) continue;
        watch.next = revision + 1;
        const wanted = events.filter((event) => isWanted(event, watch.request));
        if (wanted.length > 0) watch.stream.deliver(this.watchAnswer(watch.id, { events: wanted }));
      }
    }
  }

  private watchAnswer(watchId: number, facts: Partial<wire.WatchResponse>): wire.WatchResponse {
    const nothing = {
      created: false,
      canceled: false,
      compactRevision: 0,
      cancelReason: '',
      fragment: false,
      events: [],
    };
    return { ...nothing, header: this.header(), watchId, ...facts };
  }

  private header(): wire.ResponseHeader {
    return { clusterId: 'c1', memberId: 'm1', revision: this.store.revision, raftTerm: 2 };
  }
}

/** One client: the real services over the make-believe cluster. */
export class MemoryClient implements Rpc {
  isCut = false;
  readonly kv: EtcdKv;
  readonly lease: EtcdLease;
  readonly watch: EtcdWatch;
  readonly concurrency: EtcdConcurrency;

  constructor(
    private readonly etcd: MemoryEtcd,
    callTimeoutMs: number,
  ) {
    const time = { clock: etcd.clock, random: () => 0.5 };
    const limits = { callTimeoutMs, maxTxnOperations: 128 };
    this.kv = new EtcdKv(this, limits, time);
    this.lease = new EtcdLease(this, limits, time);
    this.watch = new EtcdWatch(this, { ...time, callTimeoutMs });
    this.concurrency = new EtcdConcurrency(this, limits, time);
  }

  async unary<Req extends object, Res>(
    method: UnaryMethod<Req, Res>,
    request: Req,
    options: RpcCallOptions = {},
  ): Promise<Res> {
    return (await this.etcd.unary(method, request, options, this)) as Res;
  }

  duplex<Req extends object, Res>(method: DuplexMethod<Req, Res>): Duplex<Req, Res> {
    return this.etcd.openStream(method, this) as unknown as Duplex<Req, Res>;
  }
}

function isWanted({ type, kv }: wire.Event, { key, rangeEnd, filters = [] }: wire.WatchCreateRequest): boolean {
  if (filters.includes(type === 'PUT' ? 'NOPUT' : 'NODELETE')) return false;
  const end = rangeEnd ?? new Uint8Array(0);
  if (end.byteLength === 0) return Buffer.compare(kv!.key, key!) === 0;
  return Buffer.compare(kv!.key, key!) >= 0 && Buffer.compare(kv!.key, end) < 0;
}

function aborted(method: MethodInfo, options: RpcCallOptions, outcome: 'not-applied' | 'unknown'): EtcdAbortedError {
  const cause: unknown = options.signal?.reason;
  return new EtcdAbortedError({
    method: method.label,
    cause,
    outcome: method.effect === 'write' ? outcome : undefined,
  });
}

/** Lets everything happen that needs no time. */
export async function quiet(): Promise<void> {
  for (let turn = 0; turn < 8; turn++) await settle();
}

/** What becomes of a promise, without waiting for it. */
export interface Watched<T> {
  value?: T;
  error?: unknown;
}

export function watchOver<T>(promise: Promise<T>): Watched<T> {
  const seen: Watched<T> = {};
  promise.then(
    (value) => (seen.value = value),
    (error: unknown) => (seen.error = error),
  );
  return seen;
}
