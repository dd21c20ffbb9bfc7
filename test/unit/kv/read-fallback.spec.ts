/** What becomes of reads whose transaction is refused as a whole, and what is learnt from it. */
import { describe, expect, it } from '@jest/globals';
import {
  EtcdClosedError,
  EtcdDeadlineExceededError,
  EtcdMessageTooLargeError,
  EtcdTooManyOperationsError,
  EtcdUnavailableError,
} from '../../../lib/client/errors.js';
import { BatchWidth } from '../../../lib/client/kv/batch-width.js';
import { TXN } from '../../../lib/client/rpc/methods.js';
import {
  EtcdCompactedError,
  EtcdFutureRevisionError,
  EtcdPermissionDeniedError,
} from '../../../lib/client/server-errors.js';
import { settle } from '../../support/fake-clock.js';
import { txnAnswer } from './answers.js';
import { CoalescedReads } from './coalesced.js';

const FACTS = { reason: 'Any', serverMessage: 'etcdserver: no' };
const denied = (): Error => new EtcdPermissionDeniedError(FACTS, { method: 'KV.Range' });
const compacted = (): Error => new EtcdCompactedError(FACTS, { method: 'KV.Range' });

/** Asks for these keys in one turn; errors stand for the values that could not be had. */
async function outcomes(reads: CoalescedReads, keys: readonly string[]): Promise<unknown[]> {
  const all = await Promise.allSettled(keys.map((key) => reads.read(key)));
  return all.map((one) => (one.status === 'fulfilled' ? one.value : (one.reason as unknown)));
}

const keysOf = (count: number): string[] => Array.from({ length: count }, (_, index) => `k${index}`);

describe('A transaction that is refused', () => {
  it('is followed by a call for each of its reads, so that only the guilty one fails, with its own error', async () => {
    const reads = new CoalescedReads();
    reads.refusals.set('b', denied);

    const [a, b, c] = await outcomes(reads, ['a', 'b', 'c']);

    expect([a, c]).toEqual(['a', 'c']);
    expect(b).toBeInstanceOf(EtcdPermissionDeniedError);
    expect(b).toMatchObject({ method: 'KV.Range' });
    expect(reads.sent()).toEqual(['Txn a b c', 'Range a', 'Range b', 'Range c']);
  });

  it('is followed by one call for each caller, also of reads that are equal', async () => {
    const reads = new CoalescedReads();
    reads.refusals.set('b', denied);

    const [, one, two] = await outcomes(reads, ['a', 'b', 'b']);

    expect(one).toBeInstanceOf(EtcdPermissionDeniedError);
    expect(one).not.toBe(two);
  });

  it('leaves each read the rest of its time, and an error that names all of it', async () => {
    const reads = new CoalescedReads();
    reads.hold();
    const read = reads.read('a', {}, { timeoutMs: 1_000 }).catch((error: unknown) => error);
    void reads.read('b');
    await settle();
    await reads.clock.advance(600);

    await reads.held[0]?.fail(denied());
    expect(reads.held[1]?.options.timeoutMs).toBe(400);
    const context = { method: 'KV.Range', endpoint: 'http://a:1' };
    await reads.held[1]?.fail(new EtcdDeadlineExceededError(400, 'waiting for a', [], context));

    expect(await read).toMatchObject({
      timeoutMs: 1_000,
      message: 'KV.Range: no result within 1000 ms: waiting for a (endpoint http://a:1)',
    });
  });

  it('leaves a read its signal', async () => {
    const reads = new CoalescedReads();
    reads.hold();
    const { signal } = new AbortController();
    void reads.read('a', {}, { signal });
    void reads.read('b');
    await settle();

    await reads.held[0]?.fail(denied());

    expect(reads.held[1]?.options.signal).toBe(signal);
  });

  it('is not followed by calls for reads that nobody waits for any more', async () => {
    const reads = new CoalescedReads();
    reads.hold();
    const controller = new AbortController();
    const given = reads.read('a', {}, { signal: controller.signal }).catch(() => 'given up');
    void reads.read('b');
    await settle();

    controller.abort();
    expect(await given).toBe('given up');
    await reads.held[0]?.fail(denied());

    expect(reads.sent()).toEqual(['Txn a b', 'Range b']);
  });

  it('for want of an endpoint that can ever be used fails each of its reads by itself', async () => {
    const reads = new CoalescedReads();
    const hopeless = (): Error => new EtcdUnavailableError('no endpoint can be used: certificate', []);
    reads.txnRefusal = hopeless;
    for (const key of ['a', 'b']) reads.refusals.set(key, hopeless);

    const errors = await outcomes(reads, ['a', 'b']);

    expect(errors).toEqual([expect.any(EtcdUnavailableError), expect.any(EtcdUnavailableError)]);
    reads.txnRefusal = undefined;
    reads.refusals.clear();
    expect(await outcomes(reads, ['a', 'b'])).toEqual(['a', 'b']);
    expect(reads.sent().at(-1)).toBe('Txn a b');
  });

  it('by a client that closes ends each of its reads with that (C8)', async () => {
    const reads = new CoalescedReads();
    reads.txnRefusal = () => new EtcdClosedError({ method: 'KV.Txn' });
    for (const key of ['a', 'b']) reads.refusals.set(key, () => new EtcdClosedError({ method: 'KV.Range' }));

    for (const error of await outcomes(reads, ['a', 'b'])) {
      expect(error).toMatchObject({ code: 'ETCD_CLOSED', method: 'KV.Range' });
    }
  });

  it.each<[string, (count: number) => ReturnType<typeof txnAnswer>]>([
    ['has no header', () => ({ ...txnAnswer(true, []), header: null })],
    [
      'has an answer too few',
      (count) =>
        txnAnswer(
          true,
          Array.from({ length: count - 1 }, () => ({})),
        ),
    ],
    [
      'has answers of another kind',
      (count) =>
        txnAnswer(
          true,
          Array.from({ length: count }, () => ({})),
        ),
    ],
  ])('or whose answer %s is followed by a call for each read', async (_, answer) => {
    const reads = new CoalescedReads();
    reads.rpc.answer(TXN, (request) => answer(request.success?.length ?? 0));

    expect(await outcomes(reads, ['a', 'b'])).toEqual(['a', 'b']);

    expect(reads.sent()).toEqual(['Txn a b', 'Range a', 'Range b']);
  });
});

describe('A read that is refused alone', () => {
  it('goes alone from then on, until it is answered', async () => {
    const reads = new CoalescedReads();
    reads.refusals.set('b', denied);
    await outcomes(reads, ['a', 'b', 'c']);
    reads.rpc.calls.length = 0;

    await outcomes(reads, ['a', 'b', 'c']);
    expect(reads.sent()).toEqual(['Range b', 'Txn a c']);
    reads.refusals.clear();
    await outcomes(reads, ['a', 'b', 'c']);
    reads.rpc.calls.length = 0;
    await outcomes(reads, ['a', 'b', 'c']);

    expect(reads.sent()).toEqual(['Txn a b c']);
  });

  it('is remembered wherever it was alone, and whatever else it asks', async () => {
    const reads = new CoalescedReads();
    reads.refusals.set('b', denied);
    await outcomes(reads, ['b']);
    reads.rpc.calls.length = 0;

    await Promise.allSettled([reads.read('a'), reads.read('b', { keysOnly: true }), reads.read('c')]);

    expect(reads.sent()).toEqual(['Range b', 'Txn a c']);
  });

  it('for its revision makes reads of this and older ones go alone, and no others', async () => {
    const reads = new CoalescedReads();
    reads.refusals.set('old', compacted);
    const at = (key: string, revision: number): Promise<unknown> =>
      reads.read(key, { revision }).catch(() => undefined);
    await Promise.all([at('old', 5), at('new', 9)]);
    reads.rpc.calls.length = 0;

    await Promise.all([at('a', 4), at('b', 5), at('c', 6), at('old', 7), reads.read('old').catch(() => undefined)]);

    expect(reads.sent().slice(0, 3)).toEqual(['Range a', 'Range b', 'Txn c old']);
  });

  it.each([
    ['a revision that is yet to come', () => new EtcdFutureRevisionError(FACTS)],
    ['a deadline', () => new EtcdDeadlineExceededError(1, 'b')],
    ['want of an endpoint', () => new EtcdUnavailableError('none')],
  ])('for %s is not remembered', async (_, refusal) => {
    const reads = new CoalescedReads();
    reads.refusals.set('b', refusal);
    await outcomes(reads, ['b']);
    reads.refusals.clear();
    reads.rpc.calls.length = 0;

    await outcomes(reads, ['a', 'b']);

    expect(reads.sent()).toEqual(['Txn a b']);
  });

  it('is forgotten when a thousand others came after it', async () => {
    const reads = new CoalescedReads();
    const keys = keysOf(1_025);
    for (const key of keys) reads.refusals.set(key, denied);
    for (const key of keys) await outcomes(reads, [key]);
    reads.rpc.calls.length = 0;

    await outcomes(reads, ['k0', 'k1', 'a']);

    expect(reads.sent().slice(0, 2)).toEqual(['Range k1', 'Txn k0 a']);
  });
});

describe('A server that allows fewer operations', () => {
  it('gets narrower transactions after each refusal, and every read is answered', async () => {
    const reads = new CoalescedReads();
    reads.txnRefusal = ({ success = [] }) =>
      success.length > 20 ? new EtcdTooManyOperationsError(undefined, 'lower', { method: 'KV.Txn' }) : undefined;
    const keys = keysOf(100);

    for (let round = 0; round < 4; round++) expect(await outcomes(reads, keys)).toEqual(keys);
    reads.rpc.calls.length = 0;
    expect(await outcomes(reads, keys)).toEqual(keys);

    const widths = reads.rpc.requests(TXN).map(({ success }) => success?.length);
    expect(widths).toEqual([12, 12, 12, 12, 12, 12, 12, 12, 4]);
    expect(reads.rpc.calls).toHaveLength(widths.length);
  });

  it('gets no wider ones again when an older, wider one is refused late', () => {
    const width = new BatchWidth(128);
    const tooMany = new EtcdTooManyOperationsError(undefined, 'lower', { method: 'KV.Txn' });

    for (const refused of [128, 64, 128]) width.refused(tooMany, refused);

    expect(width.reads).toBe(32);
  });

  it('gets narrower transactions too when it finds one too large', async () => {
    const reads = new CoalescedReads();
    reads.txnRefusal = ({ success = [] }) =>
      success.length > 4
        ? new EtcdMessageTooLargeError('request', undefined, 'server', { method: 'KV.Txn' })
        : undefined;
    const keys = keysOf(8);

    expect(await outcomes(reads, keys)).toEqual(keys);
    reads.rpc.calls.length = 0;
    expect(await outcomes(reads, keys)).toEqual(keys);

    expect(reads.sent()).toEqual(['Txn k0 k1 k2 k3', 'Txn k4 k5 k6 k7']);
  });
});

describe('Large values', () => {
  it('are read alone once they are known, and with others again when they have become small', async () => {
    const reads = new CoalescedReads();
    reads.values.set('large', 'x'.repeat(64 * 1024));
    await outcomes(reads, ['a', 'large']);
    reads.rpc.calls.length = 0;

    await outcomes(reads, ['a', 'large', 'b']);
    expect(reads.sent()).toEqual(['Range large', 'Txn a b']);
    reads.values.clear();
    await outcomes(reads, ['a', 'large', 'b']);
    reads.rpc.calls.length = 0;
    await outcomes(reads, ['a', 'large', 'b']);

    expect(reads.sent()).toEqual(['Txn a large b']);
  });

  it('keep transactions narrow: about a megabyte of answer is expected of one', async () => {
    const reads = new CoalescedReads();
    const keys = keysOf(100);
    for (const key of keys) reads.values.set(key, 'x'.repeat(50 * 1024));
    await outcomes(reads, keys);
    reads.rpc.calls.length = 0;

    await outcomes(reads, keys);

    const widths = reads.rpc.requests(TXN).map(({ success }) => success?.length);
    expect(widths).toEqual([20, 20, 20, 20, 20]);
  });

  it('do not keep transactions narrow once they are gone', async () => {
    const reads = new CoalescedReads();
    reads.values.set('a', 'x'.repeat(60 * 1024));
    await outcomes(reads, ['a', 'a']);
    reads.values.clear();
    const keys = keysOf(128);

    for (let round = 0; round < 3; round++) await outcomes(reads, keys);
    reads.rpc.calls.length = 0;
    await outcomes(reads, keys);

    expect(reads.rpc.requests(TXN).map(({ success }) => success?.length)).toEqual([128]);
  });

  it('that pass the limit of answers together are read alone, and what follows is narrower', async () => {
    const reads = new CoalescedReads();
    const limit = 8 * 1024 * 1024;
    reads.txnRefusal = ({ success = [] }) =>
      success.length > 8
        ? new EtcdMessageTooLargeError('response', limit, 'too much', { method: 'KV.Txn' })
        : undefined;
    const keys = keysOf(64);

    expect(await outcomes(reads, keys)).toEqual(keys);
    reads.rpc.calls.length = 0;
    await outcomes(reads, keys.slice(32));

    expect(reads.rpc.requests(TXN).map(({ success }) => success?.length)).toEqual([8, 8, 8, 8]);
  });
});

describe('Ranges of many keys', () => {
  it('are read alone once it is known how many they hold, whatever the limit', async () => {
    const reads = new CoalescedReads();
    const count = { rangeEnd: Uint8Array.of(0), countOnly: true };
    const two = (): Promise<unknown> => Promise.all([reads.read('wide', count), reads.read('other', count)]);
    await two();
    reads.rpc.calls.length = 0;

    await two();

    expect(reads.sent()).toEqual(['Range wide', 'Range other']);
  });
});
