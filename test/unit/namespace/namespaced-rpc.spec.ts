/** The seam inside a namespace: all keys of all requests and answers are changed, and nothing else of them. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { EtcdInvalidArgumentError, EtcdProtocolError } from '../../../lib/client/errors.js';
import { prefix } from '../../../lib/client/key-range.js';
import { EtcdKv } from '../../../lib/client/kv/kv.js';
import { compare, keyExists } from '../../../lib/client/kv/compare.js';
import { del, get, put, txn, type Operation } from '../../../lib/client/kv/operations.js';
import { EtcdLease } from '../../../lib/client/lease/lease.js';
import { Keyspace } from '../../../lib/client/namespace/keyspace.js';
import { NamespacedRpc } from '../../../lib/client/namespace/namespaced-rpc.js';
import type * as wire from '../../../lib/client/rpc/generated/messages.js';
import * as methods from '../../../lib/client/rpc/methods.js';
import type { MethodInfo, UnaryMethod } from '../../../lib/client/rpc/rpc.js';
import { FakeRpc } from '../../support/fake-rpc.js';
import { bytes, header, putAnswer, rangeAnswer, stored, text, txnAnswer } from '../kv/answers.js';

const { COMPACT, DELETE_RANGE, LEASE_TIME_TO_LIVE, PUT, RANGE, RANGE_STREAM, TXN } = methods;

const AT = 'secret/';

function inside(at = AT): { rpc: FakeRpc; seam: NamespacedRpc; kv: EtcdKv } {
  const rpc = new FakeRpc();
  const seam = new NamespacedRpc(rpc, new Keyspace(at));
  return { rpc, seam, kv: new EtcdKv(seam, { maxTxnOperations: 128, callTimeoutMs: 5_000 }) };
}

/** Every key and end of a range in a message, wherever it is: what bytes there are but values. */
function keysIn(message: unknown, name = ''): string[] {
  if (message instanceof Uint8Array) return name === 'value' ? [] : [text(message)];
  if (Array.isArray(message)) return message.flatMap((item) => keysIn(item, name));
  if (typeof message !== 'object' || message === null) return [];
  return Object.entries(message).flatMap(([field, value]) => keysIn(value, field));
}

/** What etcd would answer if each key that an operation names existed: it is told of everything that was asked for. */
function echo({ requestRange, requestPut, requestDeleteRange, requestTxn }: wire.RequestOp): wire.ResponseOp {
  const kv = (key: Uint8Array | undefined): wire.KeyValue => ({ ...stored('', 'x'), key: key! });
  if (requestRange !== undefined) return { responseRange: rangeAnswer([kv(requestRange.key)]) };
  if (requestPut !== undefined) return { responsePut: { header: null, prevKv: kv(requestPut.key) } };
  if (requestDeleteRange !== undefined) {
    return { responseDeleteRange: { header: null, deleted: 1, prevKvs: [kv(requestDeleteRange.key)] } };
  }
  const responses = requestTxn!.success!.map(echo);
  return { responseTxn: { header: null, succeeded: true, responses } };
}

describe('The seam in a namespace', () => {
  it('puts the prefix in front of the keys of a read, and takes it off those of the answer (peers 23)', async () => {
    const { rpc, kv } = inside();
    rpc.answer(
      RANGE,
      rangeAnswer([stored('secret/a/1', 'one', { lease: '7b', version: 3 })], { more: true, count: 9 }),
    );

    const { kvs, more, count, header: answered } = await kv.range(prefix('a/'), { limit: 1, serializable: true });

    expect(rpc.requests(RANGE)).toMatchObject([{ key: bytes('secret/a/'), rangeEnd: bytes('secret/a0') }]);
    expect(rpc.requests(RANGE)).toMatchObject([{ limit: 1, serializable: true }]);
    expect(kvs[0]).toMatchObject({ key: 'a/1', value: 'one', lease: '7b', version: 3 });
    expect([more, count, answered]).toEqual([true, 9, header()]);
  });

  it('leaves no prefix on what a put and a delete return (peers 23)', async () => {
    const { rpc, kv } = inside();
    rpc.answer(PUT, { ...putAnswer(), prevKv: stored('secret/a') });
    rpc.answer(DELETE_RANGE, { header: header(), deleted: 2, prevKvs: [stored('secret/a'), stored('secret/b')] });

    const { prevKv } = await kv.put('a', 'x', { prevKv: true });
    const { prevKvs } = await kv.delete(prefix('a'), { prevKv: true });

    expect(prevKv?.key).toBe('a');
    expect(prevKvs.map(({ key }) => key)).toEqual(['a', 'b']);
    expect(keysIn(rpc.calls.map(({ request }) => request))).toEqual(['secret/a', 'secret/a', 'secret/b']);
  });

  it('changes every key of a transaction, of compares and of transactions inside it', async () => {
    const { rpc, kv } = inside();
    rpc.answer(TXN, ({ success }) => txnAnswer(true, success!.map(echo)));

    const { succeeded, responses } = await kv
      .txn()
      .if(compare('a').version('=', 1), compare(prefix('b/')).modRevision('<', 9))
      .then(get('c'), put('d', 'secret/', { prevKv: true }), txn({ if: [keyExists('e')], then: [del('f')] }))
      .else(get(prefix('g')))
      .commit();

    expect(keysIn(rpc.requests(TXN)).every((key) => key === '' || key.startsWith(AT))).toBe(true);
    expect(keysIn(rpc.requests(TXN))).toEqual(
      expect.arrayContaining(['secret/b/', 'secret/b0', 'secret/e', 'secret/g']),
    );
    expect(succeeded && [responses[0].kvs[0]?.key, responses[1].prevKv?.key]).toEqual(['c', 'd']);
    expect(succeeded && responses[2].responses).toMatchObject([{ prevKvs: [{ key: 'f' }] }]);
    expect(rpc.requests(TXN)[0]?.success?.[1]?.requestPut?.value).toEqual(bytes('secret/'));
  });

  it('lets no prefix through in either direction, whatever a transaction is made of', async () => {
    const name = fc.constantFrom('a', 'b/', '\u0000', 'ÿ', 'secret/');
    const { operations } = fc.letrec<{ operation: Operation; operations: Operation[] }>((tie) => ({
      operation: fc.oneof(
        { maxDepth: 3 },
        name.map((key) => get(key)),
        name.map((key) => get(prefix(key))),
        name.map((key) => put(key, 'x', { prevKv: true })),
        name.map((key) => del(prefix(key), { prevKv: true })),
        tie('operations').map((then) => txn({ if: [keyExists('a')], then })),
      ),
      operations: fc.array(tie('operation'), { maxLength: 4 }),
    }));
    const isStored = (key: string): boolean => key === '' || key.startsWith(AT) || key === 'secret0';

    await fc.assert(
      fc.asyncProperty(operations, async (then) => {
        const { rpc, seam } = inside();
        const request = { compare: [], success: then.map(toRequest), failure: [] };
        rpc.answer(TXN, ({ success }) => txnAnswer(true, success!.map(echo)));

        const answer = await seam.unary(TXN, request);

        expect(keysIn(rpc.requests(TXN)).filter((key) => !isStored(key))).toEqual([]);
        expect(keysIn(answer)).toEqual(keysIn(request.success.map(echo)));
      }),
    );
  });

  it('never throws a key away that is not of the namespace: the read fails (F11)', async () => {
    const { rpc, kv } = inside();
    rpc.answer(RANGE, rangeAnswer([stored('secret/a'), stored('other/b')]));

    const reading = kv.range(prefix('a'));

    await expect(reading).rejects.toBeInstanceOf(EtcdProtocolError);
    await expect(reading).rejects.toMatchObject({ method: 'KV.Range', outcome: undefined });
    await expect(reading).rejects.not.toThrow(/secret|other/);
  });

  it('says of a write with such an answer that it may have been applied (C2)', async () => {
    const { rpc, kv } = inside();
    rpc.answer(PUT, { ...putAnswer(), prevKv: stored('other/b') });

    await expect(kv.put('b', 'x', { prevKv: true })).rejects.toMatchObject({
      code: 'ETCD_PROTOCOL',
      outcome: 'unknown',
    });
  });

  it('refuses an empty key before anything is sent', async () => {
    const { rpc, seam } = inside();

    await expect(seam.unary(RANGE, {})).rejects.toBeInstanceOf(EtcdInvalidArgumentError);
    await expect(seam.unary(TXN, { compare: [{ key: bytes('') }] })).rejects.toBeInstanceOf(EtcdInvalidArgumentError);
    expect(rpc.calls).toEqual([]);
  });

  it('names keys in errors as the caller does', async () => {
    const { rpc, kv } = inside();
    rpc.answerAlways(RANGE, rangeAnswer([stored('secret/n')]));
    rpc.answerAlways(TXN, txnAnswer(false, [{ responseRange: rangeAnswer([stored('secret/n')]) }]));

    const failing = kv.update('n', () => 'x', { maxTries: 1 });
    const doubled = kv.txn().then(put('n', '1'), put('n', '2')).commit();

    await expect(failing).rejects.toMatchObject({ key: 'n', message: expect.not.stringContaining(AT) });
    await expect(doubled).rejects.toMatchObject({ key: 'n', message: expect.not.stringContaining(AT) });
  });

  it('passes on what the call was given', async () => {
    const { rpc, seam } = inside();
    rpc.answerAlways(PUT, putAnswer());
    const { signal } = new AbortController();

    await seam.unary(PUT, { key: bytes('a') }, { signal, timeoutMs: 7, idempotent: true, requireLeader: true });

    expect(rpc.calls[0]?.options).toEqual({ signal, timeoutMs: 7, idempotent: true, requireLeader: true });
  });

  it('lets what names no key through as it is', async () => {
    const { rpc, kv } = inside();
    rpc.answer(COMPACT, { header: header(8) });

    await expect(kv.compact(5, { physical: true })).resolves.toEqual({ header: header(8) });

    expect(rpc.requests(COMPACT)).toEqual([{ revision: 5, physical: true }]);
  });

  it('shows of the keys of a lease those of the namespace, under their names in it', async () => {
    const { rpc, seam } = inside();
    const keys = ['other/x', 'secret/a', 'secret/', 'secret/b', 'z'].map(bytes);
    rpc.answer(LEASE_TIME_TO_LIVE, { header: header(), ID: '7b', TTL: 9, grantedTTL: 10, keys });

    const answer = await new EtcdLease(seam, { callTimeoutMs: 5_000 }).timeToLive('7b', { keys: true });

    expect(answer).toMatchObject({ id: '7b', ttlSeconds: 9, grantedTtlSeconds: 10, keys: ['a', 'b'] });
  });

  it('works inside another namespace', async () => {
    const { rpc, seam } = inside('a/');
    const kv = new EtcdKv(new NamespacedRpc(seam, new Keyspace('b/')), { maxTxnOperations: 1, callTimeoutMs: 5_000 });
    rpc.answer(RANGE, rangeAnswer([stored('a/b/k')]));

    expect((await kv.get('k'))?.key).toBe('k');
    expect(keysIn(rpc.requests(RANGE))).toEqual(['a/b/k']);
  });
});

describe('A stream in a namespace', () => {
  it('has its keys changed in both directions', async () => {
    const { rpc, seam } = inside();
    rpc.onStream(RANGE_STREAM, (stream) => {
      stream.deliver({ rangeResponse: rangeAnswer([stored('secret/a')]) }, { rangeResponse: null }).end();
    });

    const stream = seam.duplex(RANGE_STREAM);
    stream.send({ key: bytes('a'), rangeEnd: bytes('b') });
    stream.halfClose();
    const answers: wire.RangeStreamResponse[] = [];
    for await (const answer of stream) answers.push(answer);

    expect(keysIn(rpc.streams[0]?.sent)).toEqual(['secret/a', 'secret/b']);
    expect(rpc.streams[0]?.isHalfClosed).toBe(true);
    expect(keysIn(answers)).toEqual(['a']);
    expect(stream.endpoint).toBe('http://fake:2379');
  });

  it('ends with an error when a key is not of the namespace, and is closed on the server', async () => {
    const { rpc, seam } = inside();
    rpc.onStream(RANGE_STREAM, (stream) => stream.deliver({ rangeResponse: rangeAnswer([stored('other')]) }));

    const reading = seam.duplex(RANGE_STREAM)[Symbol.asyncIterator]().next();

    await expect(reading).rejects.toMatchObject({ code: 'ETCD_PROTOCOL', method: 'KV.RangeStream' });
    expect(rpc.streams[0]?.isClosed).toBe(true);
  });

  it('tells of refusals, and closes, as the one it is made of', () => {
    const { rpc, seam } = inside();

    const stream = seam.duplex(RANGE_STREAM);
    const mayHelp = stream.refused('etcdserver: invalid auth token');
    stream.close('no answer');

    expect(mayHelp).toBe(true);
    expect(rpc.streams[0]?.refusals).toEqual(['etcdserver: invalid auth token']);
    expect(rpc.streams[0]?.isClosed).toBe(true);
  });
});

describe('An RPC of which nobody has decided what becomes of its keys', () => {
  it('is refused, lest it reach outside', async () => {
    const { COMPACT: compact, LEASE_GRANT, LEASE_REVOKE, LEASE_LEASES, LEASE_KEEP_ALIVE } = methods;
    const known = [RANGE, RANGE_STREAM, PUT, DELETE_RANGE, TXN, LEASE_TIME_TO_LIVE];
    const decided = new Set<MethodInfo>([...known, compact, LEASE_GRANT, LEASE_REVOKE, LEASE_LEASES, LEASE_KEEP_ALIVE]);
    const { rpc, seam } = inside();

    const others = Object.values<MethodInfo>(methods).filter((method) => !decided.has(method));
    const calls = others.map((method) => seam.unary(method as UnaryMethod<object, unknown>, { key: bytes('a') }));

    for (const call of calls) await expect(call).rejects.toThrow(/^bug: .* is not known in namespaces$/);
    expect([others.length, rpc.calls.length]).toEqual([42 - decided.size, 0]);
  });
});

function toRequest(operation: Operation): wire.RequestOp {
  if (operation.kind === 'get') return { requestRange: operation.request };
  if (operation.kind === 'put') return { requestPut: operation.request };
  if (operation.kind === 'delete') return { requestDeleteRange: operation.request };
  return {
    requestTxn: {
      compare: operation.if.map(({ request }) => request),
      success: operation.then.map(toRequest),
      failure: [],
    },
  };
}
