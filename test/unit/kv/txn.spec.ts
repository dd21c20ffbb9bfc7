/** How a transaction is built, sent and answered. */
import { describe, expect, it } from '@jest/globals';
import { EtcdInvalidArgumentError, EtcdProtocolError } from '../../../lib/client/errors.js';
import { prefix } from '../../../lib/client/key-range.js';
import { compare, keyExists, keyMissing, type Comparison } from '../../../lib/client/kv/compare.js';
import { del, get, put, txn, type Operation } from '../../../lib/client/kv/operations.js';
import { TXN } from '../../../lib/client/rpc/methods.js';
import { bytes, fakeKv, header, putAnswer, rangeAnswer, stored, txnAnswer } from './answers.js';

const NO_END = bytes('');

describe('A transaction', () => {
  it('sends compares, operations and alternatives in their order', async () => {
    const { kv, rpc } = fakeKv();
    rpc.answer(TXN, txnAnswer(true, []));

    await kv
      .txn()
      .if(compare('a').modRevision('=', 5), keyMissing('b'))
      .then(put('a', 'y', { prevKv: true }), get('b'))
      .else(get(prefix('a/'), { limit: 3, keysOnly: true }), del(prefix('a/'), { prevKv: true }))
      .commit();

    expect(rpc.requests(TXN)).toEqual([
      {
        compare: [
          { key: bytes('a'), rangeEnd: NO_END, target: 'MOD', result: 'EQUAL', modRevision: 5 },
          { key: bytes('b'), rangeEnd: NO_END, target: 'VERSION', result: 'EQUAL', version: 0 },
        ],
        success: [
          { requestPut: { key: bytes('a'), value: bytes('y'), prevKv: true } },
          { requestRange: { key: bytes('b'), rangeEnd: NO_END } },
        ],
        failure: [
          { requestRange: { key: bytes('a/'), rangeEnd: bytes('a0'), limit: 3, keysOnly: true } },
          { requestDeleteRange: { key: bytes('a/'), rangeEnd: bytes('a0'), prevKv: true } },
        ],
      },
    ]);
  });

  it('needs no condition, and no operation', async () => {
    const { kv, rpc } = fakeKv();
    rpc.answerAlways(TXN, txnAnswer(true, []));

    await kv.txn().then(put('a', 'x')).commit();
    await kv.txn().if(keyExists('a')).commit();
    await kv.txn().if(keyExists('a')).else(del('a')).commit();

    expect(rpc.requests(TXN)).toMatchObject([
      { compare: [], success: [{}], failure: [] },
      { compare: [{}], success: [], failure: [] },
      { compare: [{}], success: [], failure: [{}] },
    ]);
  });

  it('gives each answer the kind of its operation, nested ones too', async () => {
    const { kv, rpc } = fakeKv();
    const inner = txnAnswer(false, [{ responseDeleteRange: { header: null, deleted: 2, prevKvs: [stored('n')] } }]);
    rpc.answer(
      TXN,
      txnAnswer(true, [
        { responsePut: { ...putAnswer(), prevKv: stored('a', 'before') } },
        { responseRange: rangeAnswer([stored('b')], { count: 4, more: true }) },
        { responseTxn: { ...inner, header: null } },
      ]),
    );

    const answer = await kv
      .txn()
      .then(put('a', 'x', { prevKv: true }), get('b'), txn({ if: [keyExists('n')], else: [del('n')] }))
      .commit();

    expect(answer).toMatchObject({
      succeeded: true,
      header: header(8),
      responses: [
        { kind: 'put', prevKv: { modRevision: 2 } },
        { kind: 'get', count: 4, more: true },
        { kind: 'txn', succeeded: false, responses: [{ kind: 'delete', deleted: 2 }] },
      ],
    });
    const [written, read] = answer.responses;
    expect(written?.prevKv?.value).toBe('before');
    expect(read?.kvs[0]?.key).toBe('b');
  });

  it('tells an answer of no known kind', async () => {
    const { kv, rpc } = fakeKv();
    rpc.answer(TXN, txnAnswer(true, [{}]));

    await expect(kv.txn().then(get('a')).commit()).rejects.toThrow(EtcdProtocolError);
  });

  it('sends nested transactions', async () => {
    const { kv, rpc } = fakeKv();
    rpc.answer(TXN, txnAnswer(true, []));

    await kv
      .txn()
      .then(txn({ if: [keyExists('a')], then: [put('a', '1')], else: [txn({ else: [get('b')] })] }))
      .commit();

    expect(rpc.requests(TXN)).toMatchObject([
      {
        success: [
          {
            requestTxn: {
              compare: [{ key: bytes('a') }],
              success: [{ requestPut: { key: bytes('a') } }],
              failure: [{ requestTxn: { compare: [], success: [], failure: [{ requestRange: { key: bytes('b') } }] } }],
            },
          },
        ],
      },
    ]);
  });

  it('can be begun once and ended several ways, and sent again', async () => {
    const { kv, rpc } = fakeKv();
    rpc.answerAlways(TXN, txnAnswer(true, []));

    const guarded = kv.txn().if(keyExists('lock'));
    const writeA = guarded.then(put('a', '1'));
    await writeA.commit();
    await guarded.then(put('b', '1')).commit();
    await writeA.commit();

    const keys = rpc.requests(TXN).map(({ success }) => success?.map((op) => op.requestPut?.key));
    expect(keys).toEqual([[bytes('a')], [bytes('b')], [bytes('a')]]);
  });

  it('keeps what it was given when the caller reuses his arrays', async () => {
    const { kv, rpc } = fakeKv();
    rpc.answerAlways(TXN, txnAnswer(true, []));
    const reused = bytes('a');

    const ready = kv
      .txn()
      .if(compare(reused).value('=', reused))
      .then(put(reused, reused), get(reused))
      .else(del(reused));
    reused[0] = 0;
    await ready.commit();

    const [request] = rpc.requests(TXN);
    expect(request?.compare).toMatchObject([{ key: bytes('a'), value: bytes('a') }]);
    expect(request?.success).toMatchObject([
      { requestPut: { key: bytes('a'), value: bytes('a') } },
      { requestRange: { key: bytes('a') } },
    ]);
    expect(request?.failure).toMatchObject([{ requestDeleteRange: { key: bytes('a') } }]);
  });

  it('passes on signal, time and idempotence', async () => {
    const { kv, rpc } = fakeKv();
    rpc.answer(TXN, txnAnswer(true, []));
    const { signal } = new AbortController();

    await kv.txn().then(put('a', 'x')).commit({ signal, timeoutMs: 90, idempotent: true });

    expect(rpc.calls[0]?.options).toEqual({ signal, timeoutMs: 90, idempotent: true, effect: 'write' });
  });

  it.each<[string, 'read' | 'write', Operation[], Operation[]]>([
    ['reads on both sides', 'read', [get('a')], [get('b')]],
    ['reads inside a nested one', 'read', [txn({ then: [get('a')], else: [txn({ then: [get('b')] })] })], []],
    ['nothing', 'read', [], []],
    ['a put', 'write', [put('a', 'x')], []],
    ['a deletion in else', 'write', [get('a')], [del('b')]],
    ['a put deep inside', 'write', [get('a')], [txn({ else: [txn({ then: [put('b', 'x')] })] })]],
  ])('counts as read only if no branch writes (C3): %s', async (_name, effect, then, otherwise) => {
    const { kv, rpc } = fakeKv();
    rpc.answer(TXN, txnAnswer(true, []));

    await kv
      .txn()
      .if()
      .then(...then)
      .else(...otherwise)
      .commit();

    expect(rpc.calls[0]?.options.effect).toBe(effect);
  });
});

describe('A compare', () => {
  it.each<[Comparison, string]>([
    ['=', 'EQUAL'],
    ['!=', 'NOT_EQUAL'],
    ['>', 'GREATER'],
    ['<', 'LESS'],
  ])('can be %s', (comparison, result) => {
    expect(compare('a').version(comparison, 1).request.result).toBe(result);
  });

  it('can be about version, revisions, value and lease', () => {
    const subject = compare('a');

    expect(subject.version('=', 1).request).toMatchObject({ target: 'VERSION', version: 1 });
    expect(subject.createRevision('=', 2).request).toMatchObject({ target: 'CREATE', createRevision: 2 });
    expect(subject.modRevision('=', 3).request).toMatchObject({ target: 'MOD', modRevision: 3 });
    expect(subject.value('=', 'x').request).toMatchObject({ target: 'VALUE', value: bytes('x') });
    expect(subject.lease('=', '1f').request).toMatchObject({ target: 'LEASE', lease: '1f' });
  });

  it('can be about every key of a range', () => {
    expect(compare(prefix('a/')).version('>', 0).request).toMatchObject({ key: bytes('a/'), rangeEnd: bytes('a0') });
  });

  it.each<[string, () => unknown]>([
    ['key', () => compare('')],
    ['comparison', () => compare('a').version('>=' as Comparison, 1)],
    ['comparison', () => compare('a').version('constructor' as Comparison, 1)],
    ['version', () => compare('a').version('=', -1)],
    ['createRevision', () => compare('a').createRevision('=', 1.5)],
    ['modRevision', () => compare('a').modRevision('=', 2 ** 53)],
    ['value', () => compare('a').value('=', 5 as unknown as string)],
    ['lease', () => compare('a').lease('=', 'lease')],
    ['key', () => get('')],
    ['limit', () => get('a', { limit: -1 })],
    ['key', () => put('', 'x')],
    ['value', () => put('a', undefined as unknown as string)],
    ['key', () => del('')],
  ])('and operations refuse a bad %s where it is written', (argument, make) => {
    expect(make).toThrow(expect.objectContaining({ code: 'ETCD_INVALID_ARGUMENT', argument }));
  });
});

describe('A transaction that is awaited before commit()', () => {
  const HINT = /cannot be awaited or returned from an async function before commit\(\)/;
  /** Hides from the compiler what it would refuse. */
  const untyped = (step: unknown): Promise<unknown> => step as Promise<unknown>;

  it.each<[string, (step: unknown) => Promise<unknown>]>([
    ['await', async (step) => [await untyped(step)]],
    ['an async function that returns it', async (step) => untyped(step)],
    ['Promise.resolve', (step) => Promise.resolve(untyped(step))],
    ['Promise.all', (step) => Promise.all([untyped(step)])],
  ])('rejects and does not hang: %s', async (_name, use) => {
    const { kv, rpc } = fakeKv();

    await expect(use(kv.txn())).rejects.toThrow(HINT);
    await expect(use(kv.txn().if(keyExists('a')))).rejects.toThrow(EtcdInvalidArgumentError);
    expect(rpc.calls).toEqual([]);
  });

  it('is no promise any more once it has its operations', async () => {
    const { kv } = fakeKv();
    const ready = kv.txn().if(keyExists('a')).then(put('a', 'x'));

    expect(await Promise.resolve(ready)).toBe(ready);
  });
});
