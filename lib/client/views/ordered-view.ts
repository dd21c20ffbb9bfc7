/** Reads that never go back in time, whichever members answer them. */
import { EtcdInvalidArgumentError } from '../errors.js';
import type { EtcdKv } from '../kv/kv.js';
import { OrderedRpc, type OrderedRpcParts } from './ordered-rpc.js';

/** Options of `ordered()`. */
export interface OrderedOptions {
  /**
   * The revision that answers have to have reached from the start: for example the one of a write that another process
   * made and told of.
   *
   * @default 0: nothing was seen yet
   * @remarks a whole number from 0 to 9_007_199_254_740_991.
   */
  readonly revision?: number | undefined;
}

/** The client, or namespace, whose reads are guarded. */
export interface OrderingParts extends OrderedRpcParts {
  readonly kv: EtcdKv;
}

/**
 * The store as one reader sees it: once an answer has shown a revision, no later one is older. Serializable reads are
 * answered by any member from what it has, so two of them may show the store as it was a minute ago after they have shown
 * it as it is now. Here such an answer is not handed over: the read is repeated on the other members, and then as a
 * linearizable one, until an answer is new enough or the time of the call is over.
 *
 * Each has a memory of its own, which costs a number: make one for each user, request or job whose reads belong together.
 * Writes through it count as seen, too, so that it reads its own writes. Answers from the past (reads with a `revision`)
 * are the same on every member and pass.
 *
 * Linearizable reads are checked as well: they cannot be stale but for faults of the server (etcd #21417).
 *
 * @see etcd `clientv3/ordering`, which takes no notice of writes, and fails for good after five rounds of stale answers
 *
 * @example
 * const ordered = etcd.ordered();
 * await ordered.kv.put('cart/7', 'apples');
 * await ordered.kv.get('cart/7', { serializable: true }); // apples, or something newer
 */
export class OrderedView {
  /** Reads and writes under the guard. Its reads may throw `EtcdStaleReadError`. */
  readonly kv: EtcdKv;
  private readonly rpc: OrderedRpc;

  /** @internal use `client.ordered()`. */
  constructor(parts: OrderingParts, { revision = 0 }: OrderedOptions = {}) {
    this.rpc = new OrderedRpc(parts);
    this.kv = parts.kv.through(this.rpc);
    this.observe(revision);
  }

  /** The highest revision seen so far: what another process needs to read at least as new. */
  get revision(): number {
    return this.rpc.seenRevision;
  }

  /**
   * Takes note of a revision that was seen elsewhere: in an event of a watch, in another process. Lower ones than before
   * change nothing.
   *
   * @throws {EtcdInvalidArgumentError} when it is not a whole number.
   */
  observe(revision: number): void {
    if (!Number.isSafeInteger(revision) || revision < 0) {
      const rule = `must be a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`;
      throw new EtcdInvalidArgumentError('revision', rule, revision);
    }
    this.rpc.see(revision);
  }
}
