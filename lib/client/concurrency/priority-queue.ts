/** A queue in the store whose values come out by priority. */
import { EtcdConflictError, EtcdInvalidArgumentError } from '../errors.js';
import { prefix, type Value } from '../key-range.js';
import type { KeyValue } from '../key-value.js';
import { compare } from '../kv/compare.js';
import { put } from '../kv/operations.js';
import { backoffMs } from '../rpc/backoff.js';
import type { CallOptions } from '../rpc/rpc.js';
import { Claims } from './claims.js';
import { pause } from './patience.js';
import type { DequeueOptions } from './queue.js';
import type { Tools } from './tools.js';
import { WaitScope } from './wait-scope.js';

/** Go's priorities are of 16 bits. */
const MAX_PRIORITY = 65_535;
const MAX_TRIES = 64;
const PAUSES = { firstMs: 10, maxMs: 250 };

/**
 * A priority queue: the lowest number first, and within a number first in, first out. Making one sends nothing.
 *
 * Values go in as `<name>/<priority, 5 digits>/<number, 16 digits>`; a key `__<name>/<priority>` keeps two that come at the
 * same time from getting the same number. What {@link Queue} says of values that are taken holds here, too.
 *
 * @see etcd `recipe.PriorityQueue`
 */
export class PriorityQueue {
  private readonly claims: Claims;

  /** @internal use `concurrency.priorityQueue()`. */
  constructor(
    private readonly tools: Tools,
    /** What stands before the keys. */
    readonly name: string,
  ) {
    this.claims = new Claims(tools, `${name}/`, { by: 'key', order: 'ascend' });
  }

  /**
   * Puts a value in.
   *
   * @param priority a whole number from 0, which comes out first, to 65_535.
   * @returns its key.
   * @throws {EtcdConflictError} when others were first 64 times in a row.
   * @throws {EtcdError} with `outcome: 'unknown'` when it cannot be known whether it is in.
   */
  async enqueue(value: Value, priority: number, call: CallOptions = {}): Promise<string> {
    const start = `${this.name}/${requirePriority(priority)}`;
    const scope = new WaitScope(this.tools, 'Concurrency.PriorityQueue', call.signal);
    try {
      for (let tries = 1; ; tries++) {
        const key = await this.tryToEnqueue(start, value, { ...call, signal: scope.signal });
        if (key !== undefined) return key;
        if (tries >= MAX_TRIES) throw new EtcdConflictError(bookkeepingKey(start), tries);
        await pause(this.tools.clock, backoffMs(tries, PAUSES, this.tools.random), scope.signal);
      }
    } catch (error) {
      scope.check();
      throw error;
    } finally {
      scope.close();
    }
  }

  /**
   * Takes the first value of the lowest number out; waits for one while there is none.
   *
   * @returns the key it was, with its value.
   * @throws {EtcdAbortedError} when the signal aborts.
   * @throws {EtcdError} with `outcome: 'unknown'` when it cannot be known whether a value was taken: it may be lost.
   */
  dequeue({ signal }: DequeueOptions = {}): Promise<KeyValue> {
    return this.claims.take(signal);
  }

  /**
   * Takes the first value of the lowest number out, if there is one.
   *
   * @returns `undefined` when there is none.
   */
  tryDequeue(call: CallOptions = {}): Promise<KeyValue | undefined> {
    return this.claims.tryToTake(call);
  }

  /** @returns `undefined` when another value went in meanwhile. */
  private async tryToEnqueue(start: string, value: Value, call: CallOptions): Promise<string | undefined> {
    const { kvs, header } = await this.tools.kv.range(prefix(`${start}/`), {
      ...call,
      limit: 1,
      sort: { by: 'key', order: 'descend' },
      keysOnly: true,
    });
    const key = `${start}/${numberAfter(kvs[0])}`;
    const bookkeeping = bookkeepingKey(start);
    // Without this, a number could be given out again after a later one was taken out of the queue.
    const isNewest = compare(bookkeeping).modRevision('<', header.revision + 1);
    const { succeeded } = await this.tools.kv
      .txn()
      .if(isNewest)
      .then(put(bookkeeping, ''), put(key, value))
      .commit(call);
    return succeeded ? key : undefined;
  }
}

function bookkeepingKey(start: string): string {
  return `__${start}`;
}

function requirePriority(priority: unknown): string {
  if (Number.isInteger(priority) && (priority as number) >= 0 && (priority as number) <= MAX_PRIORITY) {
    return String(priority).padStart(5, '0');
  }
  throw new EtcdInvalidArgumentError(
    'priority',
    `must be a whole number from 0 to ${MAX_PRIORITY}`,
    priority ?? String(priority),
  );
}

function numberAfter(last: KeyValue | undefined): string {
  const number = last === undefined ? 0n : BigInt(last.key.slice(last.key.lastIndexOf('/') + 1)) + 1n;
  return number.toString().padStart(16, '0');
}
