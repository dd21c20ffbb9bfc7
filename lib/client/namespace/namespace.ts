/** A part of the store as if it were the whole: every service of it, on keys that all start with one prefix. */
import type { EtcdConcurrency } from '../concurrency/concurrency.js';
import type { Key } from '../key-range.js';
import type { EtcdKv } from '../kv/kv.js';
import type { EtcdLease } from '../lease/lease.js';
import type { Rpc } from '../rpc/rpc.js';
import { OrderedView, type OrderedOptions, type OrderingParts } from '../views/ordered-view.js';
import type { EtcdWatch } from '../watch/watch.js';
import type { Keyspace } from './keyspace.js';
import { NamespacedRpc } from './namespaced-rpc.js';

/** The client that a namespace is a view of. */
export interface NamespaceParts extends OrderingParts {
  readonly lease: EtcdLease;
  readonly watch: EtcdWatch;
  readonly concurrency: EtcdConcurrency;
}

/**
 * A view of the client below a prefix. Its services do all that those of the client do, with keys that are written without
 * the prefix: it is put in front of every key on the way out (of compares and nested transactions, too) and taken off
 * every key on the way in. `allKeys()` is all keys of the namespace, `fromKey('k')` ends with it.
 *
 * It costs nothing to make, holds nothing open and need not be closed: connections, watch streams and kept leases are
 * those of the client, and so are their numbers in `stats()`. It keeps nobody out: whoever must not reach other keys needs
 * etcd's own permissions, which name keys with the prefix.
 *
 * Revisions, leases and `kv.compact` are of the whole store, as everywhere.
 *
 * @see etcd `clientv3/namespace`, which wraps service by service, cannot stream, and leaves the keys of locks to the caller
 *
 * @example
 * const shop = etcd.namespace('shop/');
 * await shop.kv.put('orders/1', 'new'); // the store has shop/orders/1
 * for await (const event of shop.watch.watch(prefix('orders/'))) console.log(event.kv.key); // orders/1
 */
export class EtcdNamespace {
  /** Keys and values, transactions, below the prefix. */
  readonly kv: EtcdKv;
  /** Leases, which are the whole cluster's. `timeToLive` names the attached keys that lie in the namespace, and no others. */
  readonly lease: EtcdLease;
  /** Changes below the prefix. */
  readonly watch: EtcdWatch;
  /** Locks, elections and the rest, on keys below the prefix: those of two namespaces have nothing to do with each other. */
  readonly concurrency: EtcdConcurrency;

  private readonly rpc: Rpc;

  /** @internal use `client.namespace()`. */
  constructor(
    private readonly parts: NamespaceParts,
    private readonly space: Keyspace,
  ) {
    const rpc = new NamespacedRpc(parts.rpc, space);
    this.rpc = rpc;
    this.kv = parts.kv.through(rpc);
    this.lease = parts.lease.through(rpc);
    this.watch = parts.watch.through(rpc, space);
    this.concurrency = parts.concurrency.through(this);
  }

  /** What stands in front of every key in the store, as text. Bytes that are no UTF-8 show as U+FFFD. */
  get prefix(): string {
    return Buffer.from(this.space.prefix).toString('utf8');
  }

  /** What stands in front of every key in the store. A copy. */
  get prefixBytes(): Uint8Array {
    return this.space.prefix;
  }

  /**
   * A namespace within this one: `namespace('a/').namespace('b/')` is `namespace('a/b/')`.
   *
   * @throws {EtcdInvalidArgumentError} when the prefix is empty.
   */
  namespace(prefix: Key): EtcdNamespace {
    return new EtcdNamespace(this.parts, this.space.inside(prefix));
  }

  /** Reads in this namespace that never go back in time. See {@link OrderedView}. */
  ordered(options?: OrderedOptions): OrderedView {
    const { rpc, kv } = this;
    return new OrderedView({ ...this.parts, rpc, kv }, options);
  }
}
