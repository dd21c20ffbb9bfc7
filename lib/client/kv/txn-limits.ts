/** Refuses a transaction that etcd would refuse for its size or for writing a key twice, before it is sent. */
import { EtcdDuplicateKeyError, EtcdTooManyOperationsError } from '../errors.js';
import { nameOfBytes } from '../key-name.js';
import { KeyRange } from '../key-range.js';
import type * as wire from '../rpc/generated/messages.js';
import type { Operations, TxnSpec } from './operations.js';

/**
 * Counts compares and operations as etcd does: the longest list of a transaction counts, and what it uses of the limit
 * is missing for the transactions inside.
 *
 * @throws {EtcdTooManyOperationsError} when a list is longer than what is left of `limit`.
 * @see etcd `server/etcdserver/api/v3rpc/key.go`, `checkTxnRequest`
 */
export function refuseTooManyOperations(spec: TxnSpec, limit: number, left = limit, path = ''): void {
  for (const list of ['if', 'then', 'else'] as const) {
    const { length } = spec[list];
    if (length > left) throw tooMany(`${path}${list}`, length, left, limit);
  }
  const leftInside = left - Math.max(spec.if.length, spec.then.length, spec.else.length);
  for (const list of ['then', 'else'] as const) {
    spec[list].forEach((operation, index) => {
      if (operation.kind !== 'txn') return;
      refuseTooManyOperations(operation, limit, leftInside, `${path}${list}[${index}].`);
    });
  }
}

function tooMany(list: string, length: number, left: number, limit: number): EtcdTooManyOperationsError {
  const inside = left === limit ? '' : ', of which the transactions around this one leave ' + String(left);
  const detail = `${list} has ${length}; maxTxnOperations allows ${limit}${inside}`;
  return new EtcdTooManyOperationsError(limit, detail, { method: 'KV.Txn' });
}

/**
 * Refuses two puts of one key, or a put of a key that is deleted, in operations that can run together.
 *
 * It follows etcd in what it lets pass: the two branches of a nested transaction never run together; a nested
 * transaction may delete what an earlier one beside it puts; and of deletions without an upper end (`fromKey`,
 * `allKeys`, some prefixes of 0xff) etcd takes no notice. One case of the last is refused all the same: a put with
 * `ignoreValue` or `ignoreLease` under such a deletion finds no key to take them from, and makes every member crash.
 *
 * @throws {EtcdDuplicateKeyError} with the key.
 * @see etcd `server/etcdserver/api/v3rpc/key.go`, `checkIntervals`
 */
export function refuseDuplicateKeys(spec: TxnSpec): void {
  collectWrites(spec.then);
  collectWrites(spec.else);
}

/** The keys that operations put. */
type Puts = Map<string, wire.PutRequest>;

interface Writes {
  readonly puts: Puts;
  readonly deletes: readonly KeyRange[];
}

const NO_WRITES: Writes = { puts: new Map(), deletes: [] };

/** The order is etcd's, and counts: deletions here, then what is inside, then puts here. */
function collectWrites(operations: Operations): Writes {
  if (operations.every(({ kind }) => kind === 'get')) return NO_WRITES;
  const puts: Puts = new Map();
  const deletes: KeyRange[] = [];
  for (const operation of operations) {
    if (operation.kind === 'delete') deletes.push(rangeOf(operation.request));
  }
  for (const operation of operations) {
    if (operation.kind !== 'txn') continue;
    const inThen = collectWrites(operation.then);
    const inElse = collectWrites(operation.else);
    for (const [key, request] of inThen.puts) addPut(puts, deletes, key, request, NO_WRITES.puts);
    for (const [key, request] of inElse.puts) addPut(puts, deletes, key, request, inThen.puts);
    deletes.push(...inThen.deletes, ...inElse.deletes);
  }
  for (const operation of operations) {
    if (operation.kind === 'put')
      addPut(puts, deletes, nameOfBytes(operation.request.key ?? NO_BYTES), operation.request, NO_WRITES.puts);
  }
  return { puts, deletes };
}

/** @param exclusive puts of the other branch, which never run together with this one. */
function addPut(
  puts: Puts,
  deletes: readonly KeyRange[],
  key: string,
  request: wire.PutRequest,
  exclusive: ReadonlyMap<string, unknown>,
): void {
  const isTwice = puts.has(key) && !exclusive.has(key);
  if (isTwice || deletes.some((range) => isRefusedUnder(range, request))) {
    throw new EtcdDuplicateKeyError(Buffer.from(key, 'latin1').toString('utf8'), { method: 'KV.Txn' });
  }
  if (!keepsSomething(puts.get(key))) puts.set(key, request);
}

function isRefusedUnder(deleted: KeyRange, put: wire.PutRequest): boolean {
  return deleted.contains(put.key ?? NO_BYTES) && (!isWithoutEnd(deleted) || keepsSomething(put));
}

function keepsSomething(put: wire.PutRequest | undefined): boolean {
  return put?.ignoreValue === true || put?.ignoreLease === true;
}

function isWithoutEnd({ rangeEnd }: KeyRange): boolean {
  return rangeEnd.byteLength === 1 && rangeEnd[0] === 0;
}

const NO_BYTES = new Uint8Array(0);

function rangeOf({ key = NO_BYTES, rangeEnd = NO_BYTES }: wire.DeleteRangeRequest): KeyRange {
  return new KeyRange(key, rangeEnd);
}
