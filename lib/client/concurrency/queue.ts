/** A queue in the store: values go in at one end and come out at the other, each once. */
import type { Value } from '../key-range.js';
import type { KeyValue } from '../key-value.js';
import { compare } from '../kv/compare.js';
import { put } from '../kv/operations.js';
import type { CallOptions } from '../rpc/rpc.js';
import { Claims } from './claims.js';
import type { Tools } from './tools.js';

/** Options of `dequeue`. */
export interface DequeueOptions {
  /** Ends the wait. */
  readonly signal?: AbortSignal | undefined;
}

/** Nanoseconds in a millisecond. */
const NANOS = 1_000_000;

/**
 * A queue: first in, first out, by the order in which the store took the values. Making one sends nothing.
 *
 * A value is taken by deleting its key, so each comes out at most once: one whose taker crashes right after that is gone.
 * Where work must not be lost, keep it in a key of its own, and delete that when it is done.
 *
 * @see etcd `recipe.Queue`
 */
export class Queue {
  private readonly claims: Claims;

  /** @internal use `concurrency.queue()`. */
  constructor(
    private readonly tools: Tools,
    /** What stands before the keys: `<name>/<nanoseconds>`. */
    readonly name: string,
  ) {
    this.claims = new Claims(tools, `${name}/`, { by: 'mod', order: 'ascend' });
  }

  /**
   * Puts a value at the end.
   *
   * @returns its key.
   * @throws {EtcdError} with `outcome: 'unknown'` when it cannot be known whether it is in.
   */
  async enqueue(value: Value, call: CallOptions = {}): Promise<string> {
    for (;;) {
      const key = `${this.name}/${this.stamp()}`;
      const isFree = compare(key).version('=', 0);
      const { succeeded } = await this.tools.kv.txn().if(isFree).then(put(key, value)).commit(call);
      if (succeeded) return key;
    }
  }

  /**
   * Takes the first value out; waits for one while there is none.
   *
   * @returns the key it was, with its value.
   * @throws {EtcdAbortedError} when the signal aborts.
   * @throws {EtcdError} with `outcome: 'unknown'` when it cannot be known whether a value was taken: it may be lost.
   */
  dequeue({ signal }: DequeueOptions = {}): Promise<KeyValue> {
    return this.claims.take(signal);
  }

  /**
   * Takes the first value out, if there is one.
   *
   * @returns `undefined` when there is none.
   */
  tryDequeue(call: CallOptions = {}): Promise<KeyValue | undefined> {
    return this.claims.tryToTake(call);
  }

  /** Unique enough, and made as Go makes it: nanoseconds of the wall clock, of which the last digits are chance here. */
  private stamp(): string {
    return (BigInt(Date.now()) * BigInt(NANOS) + BigInt(Math.floor(this.tools.random() * NANOS))).toString();
  }
}
