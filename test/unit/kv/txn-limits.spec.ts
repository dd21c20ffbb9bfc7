/** Which transactions are refused before they are sent: those that etcd would refuse, and no other. */
import { describe, expect, it } from '@jest/globals';
import { EtcdDuplicateKeyError, EtcdTooManyOperationsError } from '../../../lib/client/errors.js';
import { allKeys, fromKey, prefix, range } from '../../../lib/client/key-range.js';
import { keyExists } from '../../../lib/client/kv/compare.js';
import { del, get, put, txn, type Operation } from '../../../lib/client/kv/operations.js';
import { TXN } from '../../../lib/client/rpc/methods.js';
import { fakeKv, txnAnswer } from './answers.js';

const gets = (count: number): Operation[] => Array.from({ length: count }, (_, index) => get(`k${index}`));

describe('The number of operations (C7)', () => {
  async function commit(then: Operation[], otherwise: Operation[] = [], conditions = 0, limit = 10): Promise<number> {
    const { kv, rpc } = fakeKv({ maxTxnOperations: limit });
    rpc.answerAlways(TXN, txnAnswer(true, []));
    const compares = Array.from({ length: conditions }, () => keyExists('a'));
    await kv
      .txn()
      .if(...compares)
      .then(...then)
      .else(...otherwise)
      .commit();
    return rpc.calls.length;
  }

  it('may be the limit in each list', async () => {
    expect(await commit(gets(10), gets(10), 10)).toBe(1);
  });

  it.each<[string, Operation[], Operation[], number]>([
    ['if has 11', [], [], 11],
    ['then has 11', gets(11), [], 0],
    ['else has 11', [], gets(11), 0],
  ])('may not be more: %s', async (words, then, otherwise, conditions) => {
    const refusal = commit(then, otherwise, conditions);

    await expect(refusal).rejects.toThrow(EtcdTooManyOperationsError);
    await expect(refusal).rejects.toMatchObject({ limit: 10, outcome: 'not-applied', method: 'KV.Txn' });
    await expect(refusal).rejects.toThrow(`${words}; maxTxnOperations allows 10`);
  });

  it('leaves a nested transaction what the one around it does not use', async () => {
    const fits = txn({ then: gets(7) });
    const tooLong = txn({ else: gets(8) });

    expect(await commit([fits, ...gets(2)])).toBe(1);
    await expect(commit([get('a'), tooLong], gets(2))).resolves.toBe(1);
    await expect(commit([get('a'), tooLong], gets(3))).rejects.toThrow(
      'then[1].else has 8; maxTxnOperations allows 10, of which the transactions around this one leave 7',
    );
  });

  it('refuses before it looks at keys, which takes longer', async () => {
    await expect(commit(Array.from({ length: 11 }, () => put('a', 'x')))).rejects.toThrow(EtcdTooManyOperationsError);
  });
});

describe('A key written twice in one branch', () => {
  async function commit(then: Operation[], otherwise: Operation[] = []): Promise<number> {
    const { kv, rpc } = fakeKv();
    rpc.answerAlways(TXN, txnAnswer(true, []));
    await kv
      .txn()
      .if(keyExists('x'))
      .then(...then)
      .else(...otherwise)
      .commit();
    return rpc.calls.length;
  }

  const A = put('a', '1');
  const KEEPS = put('b', 'x', { ignoreLease: true });

  it.each<[string, Operation[], Operation[]]>([
    ['two puts', [A, put('a', '2')], []],
    ['two puts in else', [], [A, put('a', '2')]],
    ['a put and a deletion', [A, del('a')], []],
    ['a deletion and a put', [del('a'), A], []],
    ['a put inside a deleted prefix', [del(prefix('a')), put('a/1', '1')], []],
    ['a put inside a deleted range', [put('b', '1'), del(range('a', 'c'))], []],
    ['a put and a nested put', [A, txn({ then: [A] })], []],
    ['a put and a put deep inside', [txn({ else: [txn({ then: [A] })] }), A], []],
    ['a put and a nested deletion', [A, txn({ else: [del('a')] })], []],
    ['a deletion and a nested put', [del('a'), txn({ then: [A] })], []],
    ['a deletion and a nested put in else', [del('a'), txn({ else: [A] })], []],
    ['two nested puts', [txn({ then: [A] }), txn({ else: [A] })], []],
    ['a nested deletion and a nested put after it', [txn({ then: [del('a')] }), txn({ then: [A] })], []],
    ['a nested deletion in else and a nested put after it', [txn({ else: [del('a')] }), txn({ else: [A] })], []],
    ['two puts inside a nested branch', [txn({ then: [A, A] })], []],
  ])('is refused: %s', async (_name, then, otherwise) => {
    const refusal = commit(then, otherwise);

    await expect(refusal).rejects.toThrow(EtcdDuplicateKeyError);
    await expect(refusal).rejects.toMatchObject({ outcome: 'not-applied', method: 'KV.Txn' });
  });

  it('is named', async () => {
    await expect(commit([put('schlüssel', '1'), put('schlüssel', '2')])).rejects.toMatchObject({ key: 'schlüssel' });
  });

  it.each<[string, Operation[], Operation[]]>([
    ['different keys', [A, put('b', '1'), del('c')], []],
    ['one in each branch', [A], [A, del('b')]],
    ['one in each branch of a nested one', [txn({ then: [A], else: [A] })], []],
    ['put here and deleted there in a nested one', [txn({ then: [A], else: [del('a')] })], []],
    ['two deletions', [del('a'), del('a'), del(prefix('a'))], []],
    ['read and written', [get('a'), A, get('a')], []],
    ['put next to a deleted range', [del(range('a', 'b')), put('b', '1')], []],
    ['a nested deletion after a nested put, which etcd takes', [txn({ then: [A] }), txn({ then: [del('a')] })], []],
    ['under a deletion without end, of which etcd takes no notice', [del(fromKey('a')), put('b', '1')], []],
    ['under the deletion of all keys', [del(allKeys()), A, txn({ then: [put('c', '1')] })], []],
    ['keeping a value below a deletion without end', [del(fromKey('b')), put('a', { ignoreValue: true })], []],
  ])('is no matter: %s', async (_name, then, otherwise) => {
    expect(await commit(then, otherwise)).toBe(1);
  });

  it.each<[string, Operation[]]>([
    ['a kept value', [del(fromKey('a')), put('b', { ignoreValue: true, lease: '1' })]],
    ['a kept lease', [del(allKeys()), KEEPS]],
    ['deep inside', [txn({ then: [del(allKeys())] }), txn({ then: [KEEPS] })]],
    ['in one of two branches inside', [del(allKeys()), txn({ then: [txn({ then: [KEEPS], else: [put('b', 'x')] })] })]],
    ['inside, below a deletion', [del(allKeys()), txn({ else: [KEEPS] })]],
  ])('is refused where it would make etcd crash: %s under a deletion without end', async (_name, then) => {
    await expect(commit(then)).rejects.toThrow(EtcdDuplicateKeyError);
  });
});
