/** What the types of the KV service allow and refuse. Nothing here runs: that it compiles is the test. */
/* eslint-disable @typescript-eslint/no-unsafe-call, @typescript-eslint/await-thenable -- lines that must not compile have no types to go by */
/* eslint-disable @typescript-eslint/no-unused-vars, @typescript-eslint/no-unnecessary-type-parameters -- claims about types use names as types only */
import type { KeyValue } from '../../lib/client/key-value.js';
import { prefix } from '../../lib/client/key-range.js';
import { compare, keyExists, keyMissing } from '../../lib/client/kv/compare.js';
import type { EtcdKv } from '../../lib/client/kv/kv.js';
import { del, get, put, txn, type Operation } from '../../lib/client/kv/operations.js';
import type {
  DeleteResult,
  GetResult,
  OperationResult,
  PutResult,
  TxnResult,
} from '../../lib/client/kv/txn-response.js';

/** True if both are the same type, and neither is `any`, which would be the same as everything. */
type Equals<A, B> = 0 extends 1 & A ? false : [A] extends [B] ? ([B] extends [A] ? true : false) : false;

/** Compiles for a `true` only. */
function assertType<Claim extends true>(_claim?: Claim): void {
  // the claim is checked by the compiler
}

declare const kv: EtcdKv;
declare const lease: string;

/* Each step of a transaction allows only what may follow it: saying something twice does not compile. */
export function transactionsAreBuiltInOrder(): void {
  const exists = keyExists('a');
  void kv.txn().if(exists).then(put('a', 'x')).else(get('a')).commit();
  void kv.txn().if(exists).else(get('a')).commit();
  void kv.txn().if(exists).commit();
  void kv.txn().then(put('a', 'x')).commit();
  // @ts-expect-error a second if
  kv.txn().if(exists).if(exists);
  // @ts-expect-error if after then
  kv.txn().then(put('a', 'x')).if(exists);
  // @ts-expect-error a second then
  kv.txn().if(exists).then(put('a', 'x')).then(put('b', 'x'));
  // @ts-expect-error then after else
  kv.txn().if(exists).else(get('a')).then(put('b', 'x'));
  // @ts-expect-error a second else
  kv.txn().if(exists).else(get('a')).else(get('b'));
  // @ts-expect-error else can never run without a condition
  kv.txn().then(put('a', 'x')).else(get('b'));
  // @ts-expect-error there is nothing to send yet
  void kv.txn().commit();
}

/* A step with `then` looks like a promise to JavaScript; TypeScript says that it is none. */
export async function transactionsCannotBeAwaited(): Promise<void> {
  // @ts-expect-error not sent: commit() is missing
  await kv.txn();
  // @ts-expect-error not sent: commit() is missing
  await kv.txn().if(keyExists('a'));
}

// @ts-expect-error an async function cannot hand over an unfinished transaction
export async function startTransaction(): Promise<ReturnType<EtcdKv['txn']>> {
  return Promise.reject(new Error('never'));
}

/* Compares and operations are not mixed up, and a bare range is neither. */
export function partsHaveTheirPlaces(): void {
  // @ts-expect-error an operation is no condition
  kv.txn().if(get('a'));
  // @ts-expect-error a range is no condition
  kv.txn().if(prefix('a'));
  // @ts-expect-error a condition is no operation
  kv.txn().then(keyExists('a'));
  // @ts-expect-error a subject without its comparison is no condition
  kv.txn().if(compare('a'));
  // @ts-expect-error a transaction being built is no operation: nested ones are txn({ … })
  kv.txn().then(kv.txn().if(keyExists('a')));
}

export function comparisonsKnowTheirOperands(): void {
  compare('a').modRevision('=', 7);
  compare(prefix('a')).value('!=', new Uint8Array());
  compare('a').lease('=', lease);
  keyMissing(prefix('a'));
  // @ts-expect-error a revision is a number
  compare('a').modRevision('=', '7');
  // @ts-expect-error a value is text or bytes
  compare('a').value('=', 7);
  // @ts-expect-error a lease is the text of its ID: a number would round it
  compare('a').lease('=', 7);
  // @ts-expect-error not a comparison of etcd
  compare('a').version('>=', 1);
}

/* The answers have the types of the operations that were asked for, branch by branch, nested ones too. */
export async function answersFollowTheQuestions(): Promise<unknown> {
  const nested = txn({ if: [keyExists('n')], then: [del('n')], else: [put('n', '1'), get('n')] });
  const answer = await kv.txn().if(keyExists('a')).then(put('a', 'x'), get('b'), nested).else(del('a')).commit();
  if (answer.succeeded) {
    const [written, read, inner] = answer.responses;
    assertType<Equals<typeof written, PutResult>>();
    assertType<Equals<typeof read, GetResult>>();
    if (inner.succeeded) assertType<Equals<typeof inner.responses, readonly [DeleteResult]>>();
    else assertType<Equals<typeof inner.responses, readonly [PutResult, GetResult]>>();
    // @ts-expect-error there is no fourth operation
    return answer.responses[3];
  } else {
    assertType<Equals<typeof answer.responses, readonly [DeleteResult]>>();
  }
  return answer.header;
}

/* Operations put together at run time have answers of any kind, told apart by `kind`. */
export async function answersOfListsAreTagged(operations: Operation[]): Promise<number> {
  const answer = await kv
    .txn()
    .then(...operations)
    .commit();
  assertType<Equals<(typeof answer.responses)[number], OperationResult>>();
  const [first] = answer.responses;
  switch (first?.kind) {
    case 'get':
      return first.count;
    case 'put':
      return first.prevKv?.version ?? 0;
    case 'delete':
      return first.deleted;
    case 'txn':
      assertType<Equals<typeof first, TxnResult>>();
      return first.responses.length;
    case undefined:
      return 0;
  }
}

/* Options that contradict each other do not compile. */
export function contradictionsDoNotCompile(): void {
  void kv.range(prefix('a'), { countOnly: true, revision: 7, serializable: true });
  // @ts-expect-error the count is that of the whole range
  void kv.range(prefix('a'), { countOnly: true, limit: 10 });
  // @ts-expect-error there is nothing to sort
  void kv.range(prefix('a'), { countOnly: true, sort: { by: 'key', order: 'descend' } });
  // @ts-expect-error there are no keys
  void kv.range(prefix('a'), { countOnly: true, keysOnly: true });
  // @ts-expect-error the server counts without looking at revisions
  void kv.range(prefix('a'), { countOnly: true, minModRevision: 2 });
  // @ts-expect-error the same in a transaction
  get(prefix('a'), { countOnly: true, limit: 10 });
  // @ts-expect-error the order is not one of etcd's
  void kv.range(prefix('a'), { sort: { by: 'key', order: 'desc' } });
  // @ts-expect-error a scan has the natural order only
  kv.scan(prefix('a'), { sort: { by: 'mod', order: 'descend' } });
  // @ts-expect-error get reads one key
  void kv.get(prefix('a'));
  // @ts-expect-error put writes one key
  void kv.put(prefix('a'), 'x');
}

/* Keeping the value means giving none, and keeping the lease means giving none. */
export function putsGiveOrKeep(): void {
  void kv.put('a', 'x', { lease, prevKv: true, idempotent: true, timeoutMs: 100 });
  void kv.put('a', { ignoreValue: true, lease });
  void kv.put('a', { ignoreValue: true, ignoreLease: true });
  put('a', { ignoreValue: true, lease });
  // @ts-expect-error a value is given and kept
  void kv.put('a', 'x', { ignoreValue: true });
  // @ts-expect-error neither given nor kept
  void kv.put('a');
  // @ts-expect-error neither given nor kept
  void kv.put('a', { lease });
  // @ts-expect-error a lease is given and kept
  void kv.put('a', 'x', { lease, ignoreLease: true });
  // @ts-expect-error the same in a transaction
  put('a', 'x', { ignoreValue: true });
  // @ts-expect-error leases are text: a number would round them
  void kv.put('a', 'x', { lease: 7 });
  // @ts-expect-error calls have options of their own, operations inside a transaction have none
  put('a', 'x', { timeoutMs: 100 });
}

/* Compare-and-set: the result says which way it went, and what is known then. */
export async function casResultsAreUnions(): Promise<number | KeyValue | undefined> {
  await kv.create('a', 'x', { lease });
  await kv.deleteIfUnchanged('a', { revision: 7 });
  await kv.update('a', (current) => current?.value, { maxTries: 3 });
  await kv.update('a', async (current) => Promise.resolve(current?.valueBytes));
  // @ts-expect-error which revision is expected has to be said
  await kv.update('a', 'x');
  // @ts-expect-error a function reads the revision itself
  await kv.update('a', () => 'x', { revision: 7 });
  // @ts-expect-error a value is tried once
  await kv.update('a', 'x', { revision: 7, maxTries: 3 });
  // @ts-expect-error repeating one after an unknown outcome would report its own write as a conflict
  await kv.update('a', 'x', { revision: 7, idempotent: true });
  const result = await kv.update('a', 'x', { revision: 7 });
  if (result.succeeded) return result.revision;
  // @ts-expect-error nothing was written, so there is no revision of it
  assertType<Equals<typeof result.revision, number>>();
  return result.current;
}

/* Numbers and identifiers are what design decides: revisions numbers, leases text or nothing. */
export function keyValuesAreExact(one: KeyValue): void {
  assertType<Equals<typeof one.modRevision, number>>();
  assertType<Equals<typeof one.lease, string | undefined>>();
  assertType<Equals<typeof one.valueBytes, Uint8Array>>();
  assertType<Equals<ReturnType<typeof one.json>, unknown>>();
  // @ts-expect-error what was read cannot be changed
  one.version = 2;
}
