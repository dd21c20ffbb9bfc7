/** Writes that happen only if nobody else wrote in between. */
import { getEventListeners } from 'node:events';
import { describe, expect, it, jest } from '@jest/globals';
import {
  EtcdAbortedError,
  EtcdConflictError,
  EtcdDeadlineExceededError,
  EtcdInvalidArgumentError,
  EtcdUnavailableError,
} from '../../../lib/client/errors.js';
import type { Change } from '../../../lib/client/kv/cas.js';
import { RANGE, TXN } from '../../../lib/client/rpc/methods.js';
import type * as wire from '../../../lib/client/rpc/generated/messages.js';
import { settle } from '../../support/fake-clock.js';
import { bytes, fakeKv, putAnswer, rangeAnswer, stored, text, txnAnswer } from './answers.js';

const won = (revision = 8): wire.TxnResponse => txnAnswer(true, [{ responsePut: putAnswer(revision) }], revision);
const lost = (...kvs: wire.KeyValue[]): wire.TxnResponse => txnAnswer(false, [{ responseRange: rangeAnswer(kvs) }], 9);
const lostOutcome = new EtcdUnavailableError('the connection broke', [], { method: 'KV.Txn', outcome: 'unknown' });

describe('EtcdKv.create', () => {
  it('writes a key that does not exist', async () => {
    const { kv, rpc } = fakeKv();
    rpc.answer(TXN, won(8));

    const result = await kv.create('a', 'x', { lease: '1f' });

    expect(result).toMatchObject({ succeeded: true, revision: 8 });
    expect(rpc.requests(TXN)).toEqual([
      {
        compare: [{ key: bytes('a'), target: 'MOD', result: 'EQUAL', modRevision: 0 }],
        success: [{ requestPut: { key: bytes('a'), value: bytes('x'), lease: '1f' } }],
        failure: [{ requestRange: { key: bytes('a') } }],
      },
    ]);
  });

  it('gives the key that is there already', async () => {
    const { kv, rpc } = fakeKv();
    rpc.answer(TXN, lost(stored('a', 'first')));

    const result = await kv.create('a', 'x');

    expect(result).toMatchObject({ succeeded: false, current: { modRevision: 2 } });
  });
});

describe('EtcdKv.update with a value', () => {
  it('writes a key that still has the revision', async () => {
    const { kv, rpc } = fakeKv();
    rpc.answer(TXN, won(12));

    const result = await kv.update('a', 'y', { revision: 7, ignoreLease: true });

    expect(result).toMatchObject({ succeeded: true, revision: 12, header: { revision: 12 } });
    expect(rpc.requests(TXN)).toMatchObject([
      {
        compare: [{ target: 'MOD', result: 'EQUAL', modRevision: 7 }],
        success: [{ requestPut: { value: bytes('y'), ignoreLease: true } }],
      },
    ]);
  });

  it('gives the key as it is, or that it is gone', async () => {
    const { kv, rpc } = fakeKv();
    rpc.answer(TXN, lost(stored('a', 'other', { modRevision: 9 })), lost());

    const changed = await kv.update('a', 'y', { revision: 7 });
    const gone = await kv.update('a', 'y', { revision: 7 });

    expect(changed).toMatchObject({ succeeded: false, current: { modRevision: 9 } });
    expect(gone).toMatchObject({ succeeded: false, current: undefined });
  });
});

describe('EtcdKv.deleteIfUnchanged', () => {
  it('deletes a key that still has the revision', async () => {
    const { kv, rpc } = fakeKv();
    rpc.answer(TXN, won(12), lost(stored('a')));

    const deleted = await kv.deleteIfUnchanged('a', { revision: 7 });
    const kept = await kv.deleteIfUnchanged('a', { revision: 7 });

    expect(deleted).toMatchObject({ succeeded: true, revision: 12 });
    expect(kept).toMatchObject({ succeeded: false, current: { modRevision: 2 } });
    expect(rpc.requests(TXN)[0]).toMatchObject({
      compare: [{ target: 'MOD', result: 'EQUAL', modRevision: 7 }],
      success: [{ requestDeleteRange: { key: bytes('a') } }],
    });
  });
});

describe('A write whose outcome is not known (C2)', () => {
  it.each<[string, (kv: ReturnType<typeof fakeKv>['kv']) => Promise<unknown>]>([
    ['create', (kv) => kv.create('a', 'x')],
    ['update', (kv) => kv.update('a', 'x', { revision: 7 })],
    ['update with a function', (kv) => kv.update('a', () => 'x')],
    ['deleteIfUnchanged', (kv) => kv.deleteIfUnchanged('a', { revision: 7 })],
  ])('is an error, and not tried again: %s', async (_name, write) => {
    const { kv, rpc } = fakeKv();
    rpc.answerAlways(RANGE, rangeAnswer([])).answerAlways(TXN, lostOutcome);

    await expect(write(kv)).rejects.toBe(lostOutcome);

    expect(rpc.requests(TXN)).toHaveLength(1);
    expect(rpc.calls.every(({ options }) => options.idempotent === undefined)).toBe(true);
  });
});

describe('EtcdKv.update with a function', () => {
  const increment: Change = (current) => String(Number(current?.value ?? 0) + 1);

  it('writes what the function makes of the current key', async () => {
    const { kv, rpc } = fakeKv();
    rpc.answer(RANGE, rangeAnswer([stored('n', '4', { modRevision: 33 })])).answer(TXN, won(34));

    const result = await kv.update('n', increment);

    expect(result).toMatchObject({ succeeded: true, revision: 34 });
    expect(rpc.requests(TXN)).toMatchObject([
      { compare: [{ modRevision: 33 }], success: [{ requestPut: { key: bytes('n'), value: bytes('5') } }] },
    ]);
  });

  it('creates a key that does not exist', async () => {
    const { kv, rpc } = fakeKv();
    rpc.answer(RANGE, rangeAnswer([])).answer(TXN, won());
    const change = jest.fn<Change>(() => Promise.resolve('1'));

    await kv.update('n', change, { ignoreLease: true });

    expect(change).toHaveBeenCalledWith(undefined);
    const [request] = rpc.requests(TXN);
    expect(request?.compare).toMatchObject([{ modRevision: 0 }]);
    // There is no lease to keep, and etcd would refuse to look for one.
    expect(request?.success?.[0]?.requestPut?.ignoreLease).toBeUndefined();
  });

  it('leaves the key as it is when the function returns undefined', async () => {
    const { kv, rpc } = fakeKv();
    rpc.answer(RANGE, rangeAnswer([stored('n', '4')]));

    const result = await kv.update('n', () => undefined);

    expect(result).toMatchObject({ succeeded: false, current: { modRevision: 2 } });
    expect(rpc.requests(TXN)).toEqual([]);
  });

  it('pauses, reads again and tries again when another writer came first', async () => {
    const { kv, rpc, clock } = fakeKv();
    rpc
      .answer(RANGE, rangeAnswer([stored('n', '1')]), rangeAnswer([stored('n', '5', { modRevision: 30 })]))
      .answer(TXN, lost(stored('n', '2')), won(31));

    const updated = kv.update('n', increment, { lease: '1f' });
    await settle();
    expect(clock.pending()).toEqual([10]);
    await clock.advanceToNext();

    expect(await updated).toMatchObject({ succeeded: true, revision: 31 });
    expect(rpc.requests(TXN)).toMatchObject([
      { compare: [{ modRevision: 2 }], success: [{ requestPut: { value: bytes('2'), lease: '1f' } }] },
      { compare: [{ modRevision: 30 }], success: [{ requestPut: { value: bytes('6'), lease: '1f' } }] },
    ]);
  });

  it('gives up after maxTries, with growing pauses before', async () => {
    const { kv, rpc, clock } = fakeKv();
    rpc.answerAlways(RANGE, rangeAnswer([stored('n', '1')])).answerAlways(TXN, lost(stored('n', '2')));

    const failed = kv.update('n', increment, { maxTries: 8 }).catch((error: unknown) => error);
    const pauses: number[] = [];
    for (let pause = 1; pause < 8; pause++) {
      await settle();
      pauses.push(...clock.pending());
      await clock.advanceToNext();
    }
    const error = await failed;

    expect(pauses).toEqual([10, 20, 40, 80, 160, 250, 250]);
    expect(error).toBeInstanceOf(EtcdConflictError);
    expect(error).toMatchObject({ key: 'n', attempts: 8, outcome: 'not-applied', method: 'KV.Txn' });
    expect((error as Error).message).toContain('key "n" was changed by others 8 times in a row');
  });

  it('bounds all tries together by its time, which each call gets what is left of', async () => {
    const { kv, rpc, clock } = fakeKv();
    rpc.answerAlways(RANGE, rangeAnswer([stored('n', '1')])).answerAlways(TXN, lost(stored('n', '2')));

    const failed = kv.update('n', increment, { timeoutMs: 25 }).catch((error: unknown) => error);
    await clock.advance(25);
    const error = await failed;

    expect(error).toBeInstanceOf(EtcdDeadlineExceededError);
    expect(error).toMatchObject({ timeoutMs: 25, outcome: 'not-applied', attempts: 2 });
    expect((error as Error).message).toContain('others changed key "n" first, 2 times');
    expect(rpc.calls.map(({ options }) => options.timeoutMs)).toEqual([25, 25, 15, 15]);
    expect(clock.pending()).toEqual([]);
  });

  it('has the time of the client unless told otherwise (C1)', async () => {
    const { kv, rpc } = fakeKv({ callTimeoutMs: 1_234 });
    rpc.answer(RANGE, rangeAnswer([])).answer(TXN, won());

    await kv.update('n', increment);

    expect(rpc.calls.map(({ options }) => options.timeoutMs)).toEqual([1_234, 1_234]);
  });

  it('does not write once its time is over, however long the function took', async () => {
    const { kv, rpc, clock } = fakeKv();
    rpc.answer(RANGE, rangeAnswer([]));

    const updated = kv.update(
      'n',
      async () => {
        await clock.advance(100);
        return 'x';
      },
      { timeoutMs: 50 },
    );

    await expect(updated).rejects.toMatchObject({
      code: 'ETCD_DEADLINE_EXCEEDED',
      outcome: 'not-applied',
      attempts: 0,
    });
    expect(rpc.requests(TXN)).toEqual([]);
  });

  it('ends in its time when the function never answers, and leaves nothing behind (C1)', async () => {
    const { kv, rpc, clock } = fakeKv();
    rpc.answer(RANGE, rangeAnswer([]));
    const { signal } = new AbortController();
    const never: Change = () => new Promise(() => undefined);

    const updated = kv.update('n', never, { timeoutMs: 50, signal });
    const failure = updated.catch((error: unknown) => error);
    await clock.advance(50);

    expect(await failure).toMatchObject({ code: 'ETCD_DEADLINE_EXCEEDED', outcome: 'not-applied', attempts: 0 });
    expect(((await failure) as Error).message).toContain('waiting for the change of key "n"');
    expect([clock.pending(), getEventListeners(signal, 'abort')]).toEqual([[], []]);
    expect(rpc.requests(TXN)).toEqual([]);
  });

  it('ends when the signal aborts while the function works, and writes nothing for what it says later (C1)', async () => {
    const { kv, rpc, clock } = fakeKv();
    rpc.answer(RANGE, rangeAnswer([]));
    const controller = new AbortController();
    let answer: ((value: string) => void) | undefined;

    const change: Change = () => new Promise((resolve) => (answer = resolve));
    const failure = kv.update('n', change, { signal: controller.signal }).catch((error: unknown) => error);
    await settle();
    controller.abort('enough');
    answer?.('late');
    await settle();

    expect(await failure).toMatchObject({ code: 'ETCD_ABORTED', outcome: 'not-applied', cause: 'enough' });
    expect(clock.pending()).toEqual([]);
    expect(rpc.requests(TXN)).toEqual([]);
  });

  it('ends its pause when the signal aborts, and leaves nothing behind', async () => {
    const { kv, rpc, clock } = fakeKv();
    rpc.answerAlways(RANGE, rangeAnswer([])).answerAlways(TXN, lost());
    const controller = new AbortController();

    const updated = kv.update('n', increment, { signal: controller.signal });
    await settle();
    await clock.advanceToNext();
    const reason = new Error('enough');
    controller.abort(reason);

    await expect(updated).rejects.toBeInstanceOf(EtcdAbortedError);
    await expect(updated).rejects.toMatchObject({ outcome: 'not-applied', attempts: 2, cause: reason });
    expect(clock.pending()).toEqual([]);
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });

  it('hands an error of the function to the caller, and writes nothing', async () => {
    const { kv, rpc } = fakeKv();
    rpc.answerAlways(RANGE, rangeAnswer([]));
    const failure = new Error('not a number');

    await expect(
      kv.update('n', () => {
        throw failure;
      }),
    ).rejects.toBe(failure);
    await expect(kv.update('n', () => 5 as unknown as string)).rejects.toBeInstanceOf(EtcdInvalidArgumentError);
    expect(rpc.requests(TXN)).toEqual([]);
  });

  it('keeps to its key when the caller reuses the array', async () => {
    const { kv, rpc } = fakeKv();
    rpc.answer(RANGE, rangeAnswer([])).answer(TXN, won());
    const key = bytes('n');

    const updated = kv.update(key, increment);
    key[0] = 0;
    await updated;

    expect(text(rpc.requests(TXN)[0]?.compare?.[0]?.key)).toBe('n');
  });
});
