/** The operations of a transaction. */
import type { Key, KeyRangeLike } from '../key-range.js';
import type * as wire from '../rpc/generated/messages.js';
import type { Compare } from './compare.js';
import { ownBytes, ownKey, ownRange } from './own-bytes.js';
import { toPutRequest, type PutArguments } from './put-request.js';
import { toRangeRequest, type RangeQuery } from './range-request.js';

/** Reads keys. Made by {@link get}. */
export interface GetOperation {
  readonly kind: 'get';
  /** The read as it is sent. */
  readonly request: wire.RangeRequest;
}

/** Writes a key. Made by {@link put}. */
export interface PutOperation {
  readonly kind: 'put';
  /** The write as it is sent. */
  readonly request: wire.PutRequest;
}

/** Deletes keys. Made by {@link del}. */
export interface DeleteOperation {
  readonly kind: 'delete';
  /** The deletion as it is sent. */
  readonly request: wire.DeleteRangeRequest;
}

/** What a transaction is made of: it runs `then` if every compare holds, and `else` if one does not. */
export interface TxnSpec<Then extends Operations = Operations, Else extends Operations = Operations> {
  readonly if: readonly Compare[];
  readonly then: Then;
  readonly else: Else;
}

/** A transaction inside a transaction. Made by {@link txn}. */
export interface TxnOperation<
  Then extends Operations = Operations,
  Else extends Operations = Operations,
> extends TxnSpec<Then, Else> {
  readonly kind: 'txn';
}

/** One operation of a transaction. */
export type Operation = GetOperation | PutOperation | DeleteOperation | TxnOperation;

/** The operations of one branch, run in this order. */
export type Operations = readonly Operation[];

/** Options of {@link del}. */
export interface DeleteDetails {
  /**
   * Returns the keys as they were before.
   *
   * @default false
   * @remarks Go: `WithPrevKV`.
   */
  readonly prevKv?: boolean | undefined;
}

/** The parts of a nested transaction; what is left out is empty. */
export interface TxnParts<Then extends Operations, Else extends Operations> {
  readonly if?: readonly Compare[] | undefined;
  readonly then?: Then | undefined;
  readonly else?: Else | undefined;
}

/**
 * Reads a key, or a range of keys, with every option of `kv.range`.
 *
 * @throws {EtcdInvalidArgumentError} when the key is empty, a number is not one, or options contradict each other.
 * @see etcd `clientv3.OpGet`
 *
 * @example
 * await etcd.kv.txn().then(get('a'), get(prefix('u/'), { keysOnly: true, limit: 10 })).commit();
 */
export function get(range: KeyRangeLike, query: RangeQuery = {}): GetOperation {
  return { kind: 'get', request: toRangeRequest(ownRange(range), query) };
}

/**
 * Writes a key: `put(key, value, details)`, or `put(key, { ignoreValue: true, lease })` to keep the value it has.
 *
 * @throws {EtcdInvalidArgumentError} when the key is empty, the value is neither text nor bytes, or options contradict each other.
 * @see etcd `clientv3.OpPut`
 *
 * @example
 * await etcd.kv.txn().then(put('a', 'x'), put('b', 'y', { prevKv: true })).commit();
 */
export function put(key: Key, ...args: PutArguments): PutOperation {
  const request = toPutRequest(ownKey(key), args);
  const value = request.value === undefined ? undefined : ownBytes(args[0], request.value);
  return { kind: 'put', request: { ...request, value } };
}

/**
 * Deletes a key, or a range of keys. (`delete` is a word of the language.)
 *
 * @throws {EtcdInvalidArgumentError} when the key is empty.
 * @see etcd `clientv3.OpDelete`
 *
 * @example
 * await etcd.kv.txn().then(del('a'), del(prefix('tmp/'), { prevKv: true })).commit();
 */
export function del(range: KeyRangeLike, { prevKv }: DeleteDetails = {}): DeleteOperation {
  const { key, rangeEnd } = ownRange(range);
  return { kind: 'delete', request: { key, rangeEnd, prevKv } };
}

/**
 * A transaction inside a transaction: its compares see the store as it was before the outermost one began.
 *
 * @see etcd `clientv3.OpTxn`
 *
 * @example
 * await etcd.kv.txn()
 *   .if(keyExists('a'))
 *   .then(txn({ if: [compare('b').value('=', 'on')], then: [put('c', '1')], else: [del('c')] }))
 *   .commit();
 */
export function txn<const Then extends Operations = readonly [], const Else extends Operations = readonly []>(
  parts: TxnParts<Then, Else>,
): TxnOperation<Then, Else> {
  return {
    kind: 'txn',
    if: parts.if ?? [],
    then: parts.then ?? ([] as unknown as Then),
    else: parts.else ?? ([] as unknown as Else),
  };
}
