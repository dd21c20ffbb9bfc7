/** The endpoints of one service: registered, listed and followed in etcd, in the format of the Go client's naming package. */
import { EndingLoop } from '../ending-loop.js';
import { EtcdInvalidArgumentError } from '../errors.js';
import { keyBytes, prefix, type KeyRange } from '../key-range.js';
import type { KeyValue } from '../key-value.js';
import { del, put, type Operation } from '../kv/operations.js';
import type { ResponseHeader } from '../kv/responses.js';
import type { CallOptions } from '../rpc/rpc.js';
import type { EtcdStore } from '../views/store.js';
import type { WatchEvent } from '../watch/event.js';
import type { Follower } from '../watch/follow.js';
import type { StreamOptions } from '../watch/watch-options.js';
import { decodeEndpoint, encodeEndpoint, type ServiceEndpoint } from './service-endpoint.js';

/** What happens to an endpoint when it is registered. */
export interface AddEndpointDetails {
  /**
   * The ID of the lease that takes the endpoint with it when it ends, in hex as `etcdctl` prints it.
   *
   * @default none: it stays until it is deleted, also when its server has long crashed
   */
  readonly lease?: string | undefined;
}

/** Registers an endpoint, or replaces the one of this name. */
export interface AddEndpoint extends AddEndpointDetails {
  readonly op: 'add';
  readonly name: string;
  readonly endpoint: ServiceEndpoint;
}

/** Takes an endpoint away. */
export interface DeleteEndpoint {
  readonly op: 'delete';
  readonly name: string;
}

/** One change of several that are made together. */
export type EndpointUpdate = AddEndpoint | DeleteEndpoint;

/** All endpoints of a service, as they were at one revision. */
export interface EndpointList {
  /** By name, in the order of names. */
  readonly endpoints: ReadonlyMap<string, ServiceEndpoint>;
  /** The names under which something is kept that is no endpoint. */
  readonly unreadable: readonly string[];
  readonly revision: number;
}

/** Options of `list`. */
export interface ListEndpointsOptions extends CallOptions {
  /**
   * Answered by any member from what it has: works without a leader, and may be behind.
   *
   * @default false
   * @remarks Go lists so always.
   */
  readonly serializable?: boolean | undefined;
}

/** Options of `watch`. */
export interface WatchEndpointsOptions extends StreamOptions {
  /** Ends it: the loop throws `EtcdAbortedError`. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The endpoints of one service. Each is kept under `target/name`, in the JSON of Go's `naming/endpoints`, so that Go's and
 * our clients see the same.
 *
 * To be found for as long as a process lives, and not a TTL longer, put the endpoint on a session that is kept:
 *
 * @example
 * const orders = new ServiceEndpoints(etcd, 'services/orders');
 * const endpoint = { address: '10.0.0.7:50051' };
 * await using kept = await etcd.concurrency.keepSession(
 *   ({ leaseId }) => orders.add('10.0.0.7:50051', endpoint, { lease: leaseId }),
 *   { ttlSeconds: 10 },
 * );
 *
 * @see etcd `naming/endpoints.NewManager`
 */
export class ServiceEndpoints {
  private readonly range: KeyRange;

  /**
   * @param store a client, or a namespace of one.
   * @param target what the keys of the service begin with, without the slash that follows it: `services/orders` is what
   *   gRPC finds at `etcd:///services/orders`.
   * @throws {EtcdInvalidArgumentError} when the target is empty.
   */
  constructor(
    private readonly store: Pick<EtcdStore, 'kv' | 'watch'>,
    readonly target: string,
  ) {
    keyBytes(target, 'target');
    this.range = prefix(`${target}/`);
  }

  /**
   * Registers an endpoint, or replaces the one of this name.
   *
   * @throws {EtcdInvalidArgumentError} when the name or the address is empty, or the metadata is nothing that JSON can hold.
   * @throws {EtcdLeaseNotFoundError} when the lease does not exist.
   * @see etcd `endpoints.Manager.AddEndpoint`, which takes the key with the target
   *
   * @example
   * await orders.add('blue-1', { address: '10.0.0.7:50051', metadata: { zone: 'a' } }, { lease: lease.id });
   */
  async add(name: string, endpoint: ServiceEndpoint, options: AddEndpointDetails & CallOptions = {}): Promise<void> {
    const { lease, ...call } = options;
    await this.update([{ op: 'add', name, endpoint, lease }], call);
  }

  /**
   * Takes an endpoint away; does nothing if there is none of this name.
   *
   * @throws {EtcdInvalidArgumentError} when the name is empty.
   * @see etcd `endpoints.Manager.DeleteEndpoint`
   *
   * @example
   * await orders.delete('blue-1');
   */
  async delete(name: string, options: CallOptions = {}): Promise<void> {
    await this.update([{ op: 'delete', name }], options);
  }

  /**
   * Makes several changes as one: nobody sees some of them without the others.
   *
   * @throws {EtcdInvalidArgumentError} when there is no change, or one makes no sense; nothing is sent.
   * @throws {EtcdTooManyOperationsError} when there are more than `maxTxnOperations`; nothing is sent.
   * @throws {EtcdDuplicateKeyError} when a name comes up twice; nothing is sent.
   * @see etcd `endpoints.Manager.Update`
   *
   * @example
   * await orders.update([{ op: 'delete', name: 'blue-1' }, { op: 'add', name: 'green-1', endpoint: green }]);
   */
  async update(
    updates: readonly EndpointUpdate[],
    options: CallOptions = {},
  ): Promise<{ readonly header: ResponseHeader }> {
    if (updates.length === 0) throw new EtcdInvalidArgumentError('updates', 'must hold at least one change');
    const operations = updates.map((update) => this.operation(update));
    const { header } = await this.store.kv
      .txn()
      .then(...operations)
      .commit(options);
    return { header };
  }

  /**
   * All endpoints as they are now.
   *
   * @see etcd `endpoints.Manager.List`, which says nothing of what it could not read
   *
   * @example
   * const { endpoints } = await orders.list();
   * for (const [name, { address }] of endpoints) console.log(name, address);
   */
  async list(options: ListEndpointsOptions = {}): Promise<EndpointList> {
    const { header, kvs } = await this.store.kv.range(this.range, options);
    const content = new Content(this.range);
    content.replace(kvs);
    return content.list(header.revision);
  }

  /**
   * All endpoints as they are, and again whenever one of them has changed: each time the whole list. Outages are waited
   * for, and history that was compacted meanwhile does not matter.
   *
   * @throws {EtcdPermissionDeniedError} from the loop, when the user may not read the endpoints.
   * @throws {EtcdAbortedError} from the loop, when its signal aborts.
   * @throws {EtcdClosedError} from the loop, when the client is closed.
   * @see etcd `endpoints.Manager.NewWatchChannel`, which sends single changes, and ends with its watch
   *
   * @example
   * for await (const { endpoints } of orders.watch()) balancer.use([...endpoints.values()]);
   */
  watch(options: WatchEndpointsOptions = {}): AsyncIterableIterator<EndpointList, void, undefined> {
    const follower = this.store.watch.follow(this.range, options);
    return new EndingLoop(this.lists(follower), () => void follower.close());
  }

  private async *lists(follower: Follower): AsyncGenerator<EndpointList, void, undefined> {
    const content = new Content(this.range);
    for await (const batch of follower.batches()) {
      if (batch.type === 'reset') content.replace(batch.kvs);
      else for (const event of batch.events) content.apply(event);
      if (batch.type !== 'progress') yield content.list(batch.revision);
    }
  }

  private operation(update: EndpointUpdate): Operation {
    keyBytes(update.name, 'name');
    const key = `${this.target}/${update.name}`;
    if (update.op === 'delete') return del(key);
    return put(key, encodeEndpoint(update.endpoint), { lease: update.lease });
  }
}

/** What is kept under a target. */
class Content {
  private readonly kept = new Map<string, ServiceEndpoint | undefined>();
  private readonly prefixBytes: number;

  constructor({ key }: KeyRange) {
    this.prefixBytes = key.byteLength;
  }

  replace(kvs: readonly KeyValue[]): void {
    this.kept.clear();
    for (const kv of kvs) this.set(kv);
  }

  apply({ type, kv }: WatchEvent): void {
    if (type === 'put') this.set(kv);
    else this.kept.delete(this.nameOf(kv));
  }

  list(revision: number): EndpointList {
    const sorted = [...this.kept].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    const endpoints = new Map<string, ServiceEndpoint>();
    for (const [name, endpoint] of sorted) if (endpoint !== undefined) endpoints.set(name, endpoint);
    return { endpoints, unreadable: sorted.flatMap(([name]) => (endpoints.has(name) ? [] : name)), revision };
  }

  private set(kv: KeyValue): void {
    this.kept.set(this.nameOf(kv), decodeEndpoint(kv.value));
  }

  private nameOf({ keyBytes: key }: KeyValue): string {
    return Buffer.from(key.subarray(this.prefixBytes)).toString('utf8');
  }
}
