/** The KV service: reads, writes, deletes, transactions, compare-and-set and compaction. */
import { systemClock, type Clock, type Random } from '../clock.js';
import { keyBytes, toKeyRange, type Key, type KeyRangeLike, type Value } from '../key-range.js';
import { KeyValue } from '../key-value.js';
import { requireTimeout } from '../options.js';
import { AbortListeners } from '../rpc/abort-listeners.js';
import { COMPACT, DELETE_RANGE, PUT, RANGE, TXN } from '../rpc/methods.js';
import type { Rpc } from '../rpc/rpc.js';
import { optionalWholeNumber, requireWholeNumber } from './arguments.js';
import {
  UpdateLoop,
  writeIfUnchanged,
  type CasResult,
  type Change,
  type CreateOptions,
  type DeleteIfUnchangedOptions,
  type UpdateOptions,
  type UpdateWithOptions,
} from './cas.js';
import type { DeleteDetails, Operations, TxnSpec } from './operations.js';
import { ownKey, ownRange } from './own-bytes.js';
import {
  putDetailsOf,
  toPutRequest,
  type PutArguments,
  type PutKeepDetails,
  type PutValueDetails,
} from './put-request.js';
import { toRangeRequest, type CountOptions, type GetOptions, type RangeOptions } from './range-request.js';
import {
  headerOf,
  toDeleteResponse,
  toPutResponse,
  toRangeResponse,
  type CompactResponse,
  type DeleteResponse,
  type PutResponse,
  type RangeResponse,
} from './responses.js';
import { Scan, type ScanOptions, type ScanParts } from './scan.js';
import { refuseDuplicateKeys, refuseTooManyOperations } from './txn-limits.js';
import { isReadOnly, toTxnRequest } from './txn-request.js';
import { toTxnResponse, type TxnResponse } from './txn-response.js';
import { Txn, type CommitOptions, type WriteOptions } from './txn.js';

/** Options of a put that writes a value. */
export type PutOptions = PutValueDetails & WriteOptions;

/** Options of a put that keeps the value the key has. */
export type PutKeepOptions = PutKeepDetails & WriteOptions;

/** Options of `delete`. */
export type DeleteOptions = DeleteDetails & WriteOptions;

/** Options of `compact`. */
export interface CompactOptions extends WriteOptions {
  /**
   * Answers only once the dropped history is gone from the database of the member that answers, too.
   *
   * @default false
   * @remarks may take long: raise `timeoutMs`. Go: `WithCompactPhysical`.
   */
  readonly physical?: boolean | undefined;
}

/** The limits of the client that KV calls respect. */
export interface KvLimits {
  /** The most compares, and the most operations per branch, of one transaction. */
  readonly maxTxnOperations: number;
  /** Milliseconds for a call whose caller does not say. */
  readonly callTimeoutMs: number;
}

const NONE = Object.freeze({});
const DEFAULT_PAGE_SIZE = 5_000;

/**
 * The KV service. Nest injects it by this class.
 *
 * Gets and ranges with a small limit that are asked for in one turn of the event loop travel as one transaction, unless the
 * client's `coalesceReads` is false.
 *
 * Keys and values go in as text (sent as UTF-8) or bytes. What is not written back to the store may be repeated on
 * another endpoint; a write is sent again only if it certainly was not applied, and its errors say so by `outcome`.
 */
export class EtcdKv {
  private readonly scanParts: ScanParts;

  /** @internal made by the client. */
  constructor(
    private readonly rpc: Rpc,
    private readonly limits: KvLimits,
    private readonly time: { readonly clock: Clock; readonly random: Random } = {
      clock: systemClock,
      random: Math.random,
    },
    server: ScanParts['server'] = { hasRangeStream: true },
  ) {
    const { callTimeoutMs } = limits;
    this.scanParts = { rpc, callTimeoutMs, clock: time.clock, aborts: new AbortListeners(), server };
  }

  /** @internal The same service over another seam, as a view of the client has one. */
  through(rpc: Rpc): EtcdKv {
    return new EtcdKv(rpc, this.limits, this.time, this.scanParts.server);
  }

  /**
   * Reads one key.
   *
   * @returns the key, or `undefined` if it does not exist (at that revision).
   * @throws {EtcdInvalidArgumentError} when the key is empty.
   * @throws {EtcdCompactedError} when `revision` is no longer kept, {EtcdFutureRevisionError} when it is yet to come.
   * @see etcd `clientv3.KV.Get`
   *
   * @example
   * const greeting = await etcd.kv.get('greeting');
   * console.log(greeting?.value, greeting?.modRevision);
   */
  async get(key: Key, options: GetOptions = NONE): Promise<KeyValue | undefined> {
    const request = {
      key: ownKey(key),
      revision: optionalWholeNumber('revision', options.revision),
      serializable: options.serializable,
      keysOnly: options.keysOnly,
    };
    const { kvs } = await this.rpc.unary(RANGE, request, options);
    return kvs[0] === undefined ? undefined : new KeyValue(kvs[0]);
  }

  /**
   * Reads a range of keys, all in one answer. For ranges of unknown size use {@link EtcdKv.scan}.
   *
   * @returns `kvs` by key unless sorted otherwise, empty when nothing matches; `count`, how many keys the range holds;
   *   `more`, whether `limit` cut some off.
   * @throws {EtcdInvalidArgumentError} when the key is empty, a number is not one, or options contradict each other.
   * @throws {EtcdCompactedError} when `revision` is no longer kept, {EtcdFutureRevisionError} when it is yet to come.
   * @throws {EtcdMessageTooLargeError} when the answer is larger than `maxResponseBytes`.
   * @see etcd `clientv3.KV.Get` with `WithPrefix`, `WithRange`, `WithFromKey`
   *
   * @example
   * const newest = await etcd.kv.range(prefix('orders/'), { limit: 10, sort: { by: 'create', order: 'descend' } });
   * for (const kv of newest.kvs) console.log(kv.key, kv.json());
   */
  async range(range: KeyRangeLike, options: RangeOptions = NONE): Promise<RangeResponse> {
    return toRangeResponse(await this.rpc.unary(RANGE, toRangeRequest(ownRange(range), options), options));
  }

  /**
   * Counts the keys of a range.
   *
   * @throws {EtcdInvalidArgumentError} when the key is empty, or `revision` is not a whole number.
   * @see etcd `clientv3.WithCountOnly`
   *
   * @example
   * const users = await etcd.kv.count(prefix('users/'));
   */
  async count(range: KeyRangeLike, options: CountOptions = NONE): Promise<number> {
    const { key, rangeEnd } = ownRange(range);
    const revision = optionalWholeNumber('revision', options.revision);
    const request = { key, rangeEnd, revision, serializable: options.serializable, countOnly: true };
    return (await this.rpc.unary(RANGE, request, options)).count;
  }

  /**
   * Reads every key of a range at one revision, however many there are: in pages, so that no answer is large, one ahead
   * of a loop that reads on. Leaving the loop ends it.
   *
   * Reads by RangeStream where the server has it (etcd 3.7), by pages before.
   *
   * @returns an async iterable of keys in key order; its `pages()` gives them in batches, with the revision.
   * @throws {EtcdInvalidArgumentError} at once, when the key is empty or a number is not one.
   * @throws {EtcdCompactedError} out of the loop, when the revision is compacted while it runs.
   * @see etcd `clientv3.KV.GetStream`, which has no pages to fall back on
   *
   * @example
   * for await (const kv of etcd.kv.scan(prefix('users/'))) console.log(kv.key);
   */
  scan(range: KeyRangeLike, options: ScanOptions = NONE): Scan {
    const { pageSize = DEFAULT_PAGE_SIZE, signal, timeoutMs } = options;
    const { keysOnly, minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = options;
    const { revision, serializable } = options;
    const bounds = { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision };
    const owned = ownRange(range);
    return new Scan(this.scanParts, {
      range: owned,
      query: toRangeRequest(owned, { revision, serializable, keysOnly, ...bounds }),
      pageSize: requireWholeNumber('pageSize', pageSize, 1),
      signal,
      timeoutMs: timeoutMs === undefined ? undefined : requireTimeout('timeoutMs', timeoutMs),
    });
  }

  /**
   * Writes a key: `put(key, value, options)`, or `put(key, { ignoreValue: true, … })` to keep the value it has.
   *
   * Without `lease` or `ignoreLease` the key ends up attached to no lease.
   *
   * @returns `header.revision` is the key's new `modRevision`; `prevKv` the key as it was, if asked for.
   * @throws {EtcdInvalidArgumentError} when the key is empty, the value is neither text nor bytes, or options contradict each other.
   * @throws {EtcdLeaseNotFoundError} when the lease does not exist.
   * @throws {EtcdKeyNotFoundError} with `ignoreValue` or `ignoreLease`, when the key does not exist.
   * @throws {EtcdMessageTooLargeError} when the request is larger than the client or the server allows.
   * @throws {EtcdNoSpaceError} when the database has reached its quota.
   * @see etcd `clientv3.KV.Put`
   *
   * @example
   * const { prevKv } = await etcd.kv.put('greeting', 'hello', { prevKv: true });
   * await etcd.kv.put('worker/1', 'alive', { lease: lease.id });
   * await etcd.kv.put('worker/1', { ignoreValue: true, lease: other.id });
   */
  put(key: Key, value: Value, options?: PutOptions): Promise<PutResponse>;
  put(key: Key, options: PutKeepOptions): Promise<PutResponse>;
  async put(key: Key, ...args: PutArguments<WriteOptions>): Promise<PutResponse> {
    return toPutResponse(await this.rpc.unary(PUT, toPutRequest(key, args), putDetailsOf(args)));
  }

  /**
   * Deletes a key, or a range of keys.
   *
   * @returns `deleted`, how many there were; 0, not an error, when there was none.
   * @throws {EtcdInvalidArgumentError} when the key is empty.
   * @see etcd `clientv3.KV.Delete`
   *
   * @example
   * const { deleted } = await etcd.kv.delete(prefix('tmp/'));
   */
  async delete(range: KeyRangeLike, options: DeleteOptions = NONE): Promise<DeleteResponse> {
    const { key, rangeEnd } = toKeyRange(range);
    const answer = await this.rpc.unary(DELETE_RANGE, { key, rangeEnd, prevKv: options.prevKv }, options);
    return toDeleteResponse(answer);
  }

  /**
   * Drops the history before a revision, for the whole cluster. What the keys hold at that revision stays readable;
   * reads and watches at older ones fail with `EtcdCompactedError`.
   *
   * @throws {EtcdInvalidArgumentError} when `revision` is not a whole number.
   * @throws {EtcdCompactedError} when it is compacted already, {EtcdFutureRevisionError} when it is yet to come.
   * @see etcd `clientv3.KV.Compact`
   *
   * @example
   * const { header } = await etcd.kv.range('any');
   * await etcd.kv.compact(header.revision, { physical: true, timeoutMs: 60_000 });
   */
  async compact(revision: number, options: CompactOptions = NONE): Promise<CompactResponse> {
    const request = { revision: requireWholeNumber('revision', revision), physical: options.physical };
    return { header: headerOf(await this.rpc.unary(COMPACT, request, options)) };
  }

  /**
   * Starts a transaction: `if(…).then(…).else(…).commit()`, each of the first three at most once, in this order.
   *
   * @see etcd `clientv3.KV.Txn`
   *
   * @example
   * const { succeeded } = await etcd.kv.txn()
   *   .if(compare('a').modRevision('=', revision))
   *   .then(put('a', 'y'), put('log/1', 'a is y'))
   *   .else(get('a'))
   *   .commit();
   */
  txn(): Txn {
    return new Txn((spec, options) => this.commit(spec, options));
  }

  /**
   * Writes a key that does not exist.
   *
   * @returns `{ succeeded: true, revision }`, or `{ succeeded: false, current }` with the key that is there already.
   * @throws {EtcdInvalidArgumentError} when the key is empty, or the value is neither text nor bytes.
   * @throws {EtcdLeaseNotFoundError} when the lease does not exist.
   * @throws {EtcdError} with `outcome: 'unknown'` when it cannot be known whether the key was written.
   *
   * @example
   * const result = await etcd.kv.create('config', 'first');
   * if (!result.succeeded) console.log('there already:', result.current?.value);
   */
  async create(key: Key, value: Value, options: CreateOptions = NONE): Promise<CasResult> {
    const requestPut = toPutRequest(key, [value, { lease: options.lease }]);
    return writeIfUnchanged(this.rpc, keyBytes(key), 0, { requestPut }, options);
  }

  /**
   * Writes a key if nobody changed it in between.
   *
   * With a value and `revision`: writes if the key still has that `modRevision`.
   * With a function: reads the key, asks the function for the new value, and writes it if the key is still the one
   * that was read; if not, pauses a little and begins again, up to `maxTries` times. The function may be called several
   * times, may be async, and returns `undefined` to leave the key as it is.
   *
   * As with any put, the key ends up attached to no lease unless `lease` or `ignoreLease` says otherwise.
   *
   * @returns `{ succeeded: true, revision }`, or `{ succeeded: false, current }` with the key as it is: another writer
   *   came first, or the function returned `undefined`.
   * @throws {EtcdInvalidArgumentError} when the key is empty, or the value is neither text nor bytes.
   * @throws {EtcdConflictError} with a function, when others were first `maxTries` times.
   * @throws {EtcdDeadlineExceededError} with a function, when all tries together take longer than `timeoutMs`.
   * @throws {EtcdError} with `outcome: 'unknown'` when it cannot be known whether the key was written; it is not tried again.
   *
   * @example
   * const result = await etcd.kv.update('config', 'second', { revision: kv.modRevision });
   * await etcd.kv.update('counter', (current) => String(Number(current?.value ?? 0) + 1));
   */
  update(key: Key, value: Value, options: UpdateOptions): Promise<CasResult>;
  update(key: Key, change: Change, options?: UpdateWithOptions): Promise<CasResult>;
  async update(
    key: Key,
    valueOrChange: Value | Change,
    options: UpdateOptions | UpdateWithOptions = NONE,
  ): Promise<CasResult> {
    if (typeof valueOrChange === 'function') {
      const spec = options as UpdateWithOptions;
      const time = { ...this.time, callTimeoutMs: this.limits.callTimeoutMs };
      return new UpdateLoop(this.rpc, ownKey(key), spec, time).run(valueOrChange);
    }
    const revision = requireWholeNumber('revision', options.revision);
    const { lease, ignoreLease } = options;
    const requestPut = toPutRequest(key, [valueOrChange, { lease, ignoreLease } as PutValueDetails]);
    return writeIfUnchanged(this.rpc, keyBytes(key), revision, { requestPut }, options);
  }

  /**
   * Deletes a key if nobody changed it in between.
   *
   * @returns `{ succeeded: true, revision }` with the revision of the deletion, or `{ succeeded: false, current }` with
   *   the key as it is, `undefined` if it is gone already.
   * @throws {EtcdInvalidArgumentError} when the key is empty, or `revision` is not a whole number from 1.
   * @throws {EtcdError} with `outcome: 'unknown'` when it cannot be known whether the key was deleted.
   *
   * @example
   * const { succeeded } = await etcd.kv.deleteIfUnchanged('job/1', { revision: job.modRevision });
   */
  async deleteIfUnchanged(key: Key, options: DeleteIfUnchangedOptions): Promise<CasResult> {
    const revision = requireWholeNumber('revision', options.revision, 1);
    const bytes = keyBytes(key);
    return writeIfUnchanged(this.rpc, bytes, revision, { requestDeleteRange: { key: bytes } }, options);
  }

  private async commit<Then extends Operations, Else extends Operations>(
    spec: TxnSpec<Then, Else>,
    { signal, timeoutMs, idempotent }: CommitOptions = NONE,
  ): Promise<TxnResponse<Then, Else>> {
    refuseTooManyOperations(spec, this.limits.maxTxnOperations);
    refuseDuplicateKeys(spec);
    const effect = isReadOnly(spec) ? 'read' : 'write';
    return toTxnResponse(await this.rpc.unary(TXN, toTxnRequest(spec), { signal, timeoutMs, idempotent, effect }));
  }
}
