/** What the KV service sends for each call, what it makes of the answer, and what it refuses to send. */
import { describe, expect, it } from '@jest/globals';
import { EtcdInvalidArgumentError, EtcdProtocolError } from '../../../lib/client/errors.js';
import { allKeys, fromKey, prefix, range } from '../../../lib/client/key-range.js';
import { KeyValue } from '../../../lib/client/key-value.js';
import type { EtcdKv } from '../../../lib/client/kv/kv.js';
import type { SortBy } from '../../../lib/client/kv/range-request.js';
import { COMPACT, DELETE_RANGE, PUT, RANGE } from '../../../lib/client/rpc/methods.js';
import { bytes, fakeKv, header, putAnswer, rangeAnswer, stored } from './answers.js';

describe('EtcdKv.get', () => {
  it('asks for one key and gives it', async () => {
    const { kv, rpc } = fakeKv();
    rpc.answer(RANGE, rangeAnswer([stored('a', 'x')]));

    const found = await kv.get('a');

    expect(found).toBeInstanceOf(KeyValue);
    expect(found?.value).toBe('x');
    expect(rpc.requests(RANGE)).toEqual([{ key: bytes('a') }]);
  });

  it('gives undefined for a key that does not exist', async () => {
    const { kv, rpc } = fakeKv();
    rpc.answer(RANGE, rangeAnswer([]));

    expect(await kv.get('a')).toBeUndefined();
  });

  it('passes on every option, and the signal and time of the call', async () => {
    const { kv, rpc } = fakeKv();
    rpc.answer(RANGE, rangeAnswer([]));
    const { signal } = new AbortController();

    await kv.get(Uint8Array.of(0, 255), { revision: 5, serializable: true, keysOnly: true, signal, timeoutMs: 90 });

    expect(rpc.requests(RANGE)).toEqual([
      { key: Uint8Array.of(0, 255), revision: 5, serializable: true, keysOnly: true },
    ]);
    expect(rpc.calls[0]?.options).toMatchObject({ signal, timeoutMs: 90 });
  });
});

describe('EtcdKv.range', () => {
  it.each([
    ['a key', 'a', { key: bytes('a'), rangeEnd: bytes('') }],
    ['a prefix', prefix('a/'), { key: bytes('a/'), rangeEnd: bytes('a0') }],
    ['a range', range('a', 'm'), { key: bytes('a'), rangeEnd: bytes('m') }],
    ['everything from a key on', fromKey('a'), { key: bytes('a'), rangeEnd: bytes('\0') }],
    ['all keys', allKeys(), { key: bytes('\0'), rangeEnd: bytes('\0') }],
  ])('asks for %s', async (_name, input, request) => {
    const { kv, rpc } = fakeKv();
    rpc.answer(RANGE, rangeAnswer([]));

    await kv.range(input);

    expect(rpc.requests(RANGE)).toEqual([request]);
  });

  it('gives keys, count, more and header', async () => {
    const { kv, rpc } = fakeKv();
    rpc.answer(RANGE, rangeAnswer([stored('a/1'), stored('a/2')], { count: 9, more: true, header: header(70) }));

    const { kvs, ...rest } = await kv.range(prefix('a/'), { limit: 2 });

    expect(kvs.map(({ key }) => key)).toEqual(['a/1', 'a/2']);
    expect(rest).toEqual({ count: 9, more: true, header: header(70) });
  });

  it('sends every option of etcd', async () => {
    const { kv, rpc } = fakeKv();
    rpc.answer(RANGE, rangeAnswer([]));
    const numbers = { minModRevision: 1, maxModRevision: 2, minCreateRevision: 3, maxCreateRevision: 4 };
    const rest = { limit: 10, revision: 20, serializable: true, keysOnly: true, ...numbers };

    await kv.range('a', { ...rest, sort: { by: 'mod', order: 'descend' } });

    expect(rpc.requests(RANGE)).toEqual([
      { key: bytes('a'), rangeEnd: bytes(''), ...rest, sortTarget: 'MOD', sortOrder: 'DESCEND' },
    ]);
  });

  it.each<[SortBy, string]>([
    ['version', 'VERSION'],
    ['create', 'CREATE'],
    ['mod', 'MOD'],
    ['value', 'VALUE'],
  ])('sorts by %s, both ways', async (by, target) => {
    const { kv, rpc } = fakeKv();
    rpc.answerAlways(RANGE, rangeAnswer([]));

    await kv.range(allKeys(), { sort: { by, order: 'ascend' } });
    await kv.range(allKeys(), { sort: { by, order: 'descend' } });

    expect(rpc.requests(RANGE)).toMatchObject([
      { sortTarget: target, sortOrder: 'ASCEND' },
      { sortTarget: target, sortOrder: 'DESCEND' },
    ]);
  });

  it('asks for the natural order as no order, so that the server stops at the limit', async () => {
    const { kv, rpc } = fakeKv();
    rpc.answerAlways(RANGE, rangeAnswer([]));

    await kv.range(allKeys(), { limit: 1, sort: { by: 'key', order: 'ascend' } });
    await kv.range(allKeys(), { limit: 1, sort: { by: 'key', order: 'descend' } });

    const [natural, reverse] = rpc.requests(RANGE);
    expect(natural?.sortOrder ?? 'NONE').toBe('NONE');
    expect(reverse).toMatchObject({ sortTarget: 'KEY', sortOrder: 'DESCEND' });
  });

  it('counts without keys', async () => {
    const { kv, rpc } = fakeKv();
    rpc.answerAlways(RANGE, rangeAnswer([], { count: 12 }));

    expect((await kv.range(prefix('a'), { countOnly: true })).count).toBe(12);
    expect(await kv.count(prefix('a'), { revision: 4, serializable: true })).toBe(12);
    expect(rpc.requests(RANGE)).toMatchObject([
      { countOnly: true },
      { countOnly: true, revision: 4, serializable: true },
    ]);
  });

  it('tells an answer without a header from one with', async () => {
    const { kv, rpc } = fakeKv();
    rpc.answer(RANGE, rangeAnswer([], { header: null }));

    await expect(kv.range('a')).rejects.toThrow(EtcdProtocolError);
  });
});

describe('EtcdKv.put', () => {
  it('writes text and bytes', async () => {
    const { kv, rpc } = fakeKv();
    rpc.answerAlways(PUT, putAnswer(9));

    const { header: answered, prevKv } = await kv.put('a', 'x');
    await kv.put(Uint8Array.of(1), Uint8Array.of(2));
    await kv.put('empty', '');

    expect(answered.revision).toBe(9);
    expect(prevKv).toBeUndefined();
    expect(rpc.requests(PUT)).toEqual([
      { key: bytes('a'), value: bytes('x') },
      { key: Uint8Array.of(1), value: Uint8Array.of(2) },
      { key: bytes('empty'), value: bytes('') },
    ]);
  });

  it('sends every option of etcd, and gives the key as it was', async () => {
    const { kv, rpc } = fakeKv();
    rpc.answer(PUT, { ...putAnswer(), prevKv: stored('a', 'before') });

    const { prevKv } = await kv.put('a', 'x', { lease: 'F00', prevKv: true, idempotent: true, timeoutMs: 90 });

    expect(prevKv?.value).toBe('before');
    expect(rpc.requests(PUT)).toEqual([{ key: bytes('a'), value: bytes('x'), lease: 'F00', prevKv: true }]);
    expect(rpc.calls[0]?.options).toMatchObject({ idempotent: true, timeoutMs: 90 });
  });

  it('keeps the value, or the lease, that the key has', async () => {
    const { kv, rpc } = fakeKv();
    rpc.answerAlways(PUT, putAnswer());

    await kv.put('a', { ignoreValue: true, lease: '1f', timeoutMs: 90 });
    await kv.put('a', 'x', { ignoreLease: true });

    expect(rpc.requests(PUT)).toEqual([
      { key: bytes('a'), ignoreValue: true, lease: '1f' },
      { key: bytes('a'), value: bytes('x'), ignoreLease: true },
    ]);
    expect(rpc.calls[0]?.options).toMatchObject({ timeoutMs: 90 });
  });
});

describe('EtcdKv.delete', () => {
  it('deletes a key or a range, and gives what was there', async () => {
    const { kv, rpc } = fakeKv();
    rpc.answerAlways(DELETE_RANGE, { header: header(), deleted: 2, prevKvs: [stored('a/1'), stored('a/2')] });

    const { deleted, prevKvs } = await kv.delete(prefix('a/'), { prevKv: true });
    await kv.delete('a', { idempotent: true });

    expect(deleted).toBe(2);
    expect(prevKvs.map(({ key }) => key)).toEqual(['a/1', 'a/2']);
    expect(rpc.requests(DELETE_RANGE)).toEqual([
      { key: bytes('a/'), rangeEnd: bytes('a0'), prevKv: true },
      { key: bytes('a'), rangeEnd: bytes('') },
    ]);
    expect(rpc.calls[1]?.options).toMatchObject({ idempotent: true });
  });
});

describe('EtcdKv.compact', () => {
  it('drops history before a revision', async () => {
    const { kv, rpc } = fakeKv();
    rpc.answer(COMPACT, { header: header(30) });

    const answer = await kv.compact(20, { physical: true });

    expect(answer).toEqual({ header: header(30) });
    expect(rpc.requests(COMPACT)).toEqual([{ revision: 20, physical: true }]);
  });
});

/** Calls as JavaScript without types may make them. */
type Untyped = Record<keyof EtcdKv, (...args: unknown[]) => unknown>;

describe('EtcdKv refuses before any I/O (C7)', () => {
  const WHOLE = /must be a whole number from 0 to 9007199254740991/;

  it.each<[string, string, RegExp, (kv: Untyped) => unknown]>([
    ['an empty key', 'key', /must not be empty/, (kv) => kv.get('')],
    ['an empty key of bytes', 'key', /must not be empty/, (kv) => kv.put(new Uint8Array(), 'x')],
    ['a range where one key is read', 'key', /must be a string or a Uint8Array/, (kv) => kv.get(prefix('a'))],
    ['a missing key', 'key', /must be a string or a Uint8Array/, (kv) => kv.range(undefined)],
    ['a missing value', 'value', /must be a string or a Uint8Array/, (kv) => kv.put('a')],
    ['null for a value', 'value', /must be a string or a Uint8Array/, (kv) => kv.put('a', null)],
    ['a number for a value', 'value', /must be a string or a Uint8Array/, (kv) => kv.put('a', 5)],
    ['an object for a value', 'value', /or be left out with \{ ignoreValue: true \}/, (kv) => kv.put('a', { b: 1 })],
    ['a negative revision', 'revision', WHOLE, (kv) => kv.get('a', { revision: -1 })],
    ['a fraction', 'revision', WHOLE, (kv) => kv.range('a', { revision: 1.5 })],
    ['a number beyond 2^53', 'revision', WHOLE, (kv) => kv.range('a', { revision: 2 ** 53 })],
    ['NaN', 'limit', WHOLE, (kv) => kv.range('a', { limit: NaN })],
    ['text for a number', 'limit', WHOLE, (kv) => kv.range('a', { limit: '10' })],
    ['a bigint', 'revision', WHOLE, (kv) => kv.count('a', { revision: 5n })],
    ['null for a number', 'limit', WHOLE, (kv) => kv.range('a', { limit: null })],
    ['minModRevision', 'minModRevision', WHOLE, (kv) => kv.range('a', { minModRevision: -5 })],
    ['maxModRevision', 'maxModRevision', WHOLE, (kv) => kv.range('a', { maxModRevision: Infinity })],
    ['minCreateRevision', 'minCreateRevision', WHOLE, (kv) => kv.range('a', { minCreateRevision: -5 })],
    ['maxCreateRevision', 'maxCreateRevision', WHOLE, (kv) => kv.range('a', { maxCreateRevision: 0.1 })],
    ['compaction at no revision', 'revision', WHOLE, (kv) => kv.compact(undefined)],
    [
      'an unknown order',
      'sort.order',
      /'ascend', 'descend'/,
      (kv) => kv.range('a', { sort: { by: 'key', order: 'x' } }),
    ],
    ['an inherited name as order', 'sort.by', /must be one of/, (kv) => kv.range('a', { sort: { by: 'constructor' } })],
    [
      'counting a part',
      'limit',
      /cannot be combined with countOnly/,
      (kv) => kv.range('a', { countOnly: true, limit: 1 }),
    ],
    [
      'counting in order',
      'sort',
      /countOnly/,
      (kv) => kv.range('a', { countOnly: true, sort: { by: 'mod', order: 'ascend' } }),
    ],
    ['counting keys only', 'keysOnly', /countOnly/, (kv) => kv.range('a', { countOnly: true, keysOnly: true })],
    [
      'counting by revision',
      'maxModRevision',
      /countOnly/,
      (kv) => kv.range('a', { countOnly: true, maxModRevision: 3 }),
    ],
    [
      'a value given and kept',
      'value',
      /cannot be combined with ignoreValue/,
      (kv) => kv.put('a', 'x', { ignoreValue: true }),
    ],
    [
      'a lease given and kept',
      'lease',
      /with ignoreLease/,
      (kv) => kv.put('a', 'x', { lease: '1', ignoreLease: true }),
    ],
    ['a lease that is no hex', 'lease', /signed 64-bit number in hex/, (kv) => kv.put('a', 'x', { lease: '0x1f' })],
    [
      'a lease of 65 bits',
      'lease',
      /signed 64-bit number in hex/,
      (kv) => kv.put('a', 'x', { lease: 'ffffffffffffffff' }),
    ],
    ['a lease as a number', 'lease', /signed 64-bit number in hex/, (kv) => kv.put('a', 'x', { lease: 31 })],
    ['an empty lease', 'lease', /signed 64-bit number in hex/, (kv) => kv.create('a', 'x', { lease: '' })],
    ['an update of nothing expected', 'revision', WHOLE, (kv) => kv.update('a', 'x')],
    ['no try at all', 'maxTries', /from 1 to/, (kv) => kv.update('a', () => 'x', { maxTries: 0 })],
    ['no time at all', 'timeoutMs', /from 1 to 2147483647/, (kv) => kv.update('a', () => 'x', { timeoutMs: 0 })],
    [
      'a bad lease of a function',
      'lease',
      /64-bit/,
      (kv) => kv.update('a', () => 'x', { lease: 'x', ignoreLease: true }),
    ],
    ['deleting what never was', 'revision', /from 1 to/, (kv) => kv.deleteIfUnchanged('a', { revision: 0 })],
  ])('%s', async (_name, argument, rule, call) => {
    const { kv, rpc } = fakeKv();

    const refusal = Promise.resolve(call(kv as unknown as Untyped));

    await expect(refusal).rejects.toBeInstanceOf(EtcdInvalidArgumentError);
    await expect(refusal).rejects.toMatchObject({ argument, outcome: 'not-applied' });
    await expect(refusal).rejects.toThrow(rule);
    expect(rpc.calls).toEqual([]);
  });

  it.each<[string, string, (kv: Untyped) => unknown]>([
    ['a page size of 0', 'pageSize', (kv) => kv.scan('a', { pageSize: 0 })],
    ['no time at all', 'timeoutMs', (kv) => kv.scan('a', { timeoutMs: 0 })],
    ['a negative revision', 'revision', (kv) => kv.scan('a', { revision: -1 })],
    ['a bad bound', 'minModRevision', (kv) => kv.scan('a', { minModRevision: 1.5 })],
    ['an empty key', 'key', (kv) => kv.scan('')],
  ])('a scan, at once: %s', (_name, argument, call) => {
    const { kv } = fakeKv();

    expect(() => call(kv as unknown as Untyped)).toThrow(
      expect.objectContaining({ code: 'ETCD_INVALID_ARGUMENT', argument }),
    );
  });

  it('names the value that was refused', async () => {
    const { kv } = fakeKv();

    await expect(kv.range('a', { limit: -3 })).rejects.toThrow(/argument limit .*, but is -3/);
  });

  it('takes what etcd takes: 0 for none, the largest number, a negative lease', async () => {
    const { kv, rpc } = fakeKv();
    rpc.answerAlways(RANGE, rangeAnswer([])).answerAlways(PUT, putAnswer());

    await kv.range('a', { limit: 0, revision: 0, maxModRevision: Number.MAX_SAFE_INTEGER });
    await kv.range('a', { countOnly: true, limit: 0 } as object);
    await kv.put('a', 'x', { lease: '-7fffffffffffffff' });

    expect(rpc.calls).toHaveLength(3);
  });
});
