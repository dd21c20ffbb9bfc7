/** Which reads travel together, how they are answered, and how each ends by itself. */
import { describe, expect, it, jest } from '@jest/globals';
import { AsyncLocalStorage } from 'node:async_hooks';
import {
  EtcdAbortedError,
  EtcdDeadlineExceededError,
  type EtcdError,
  EtcdOverloadedError,
  EtcdUnavailableError,
} from '../../../lib/client/errors.js';
import { EtcdKv } from '../../../lib/client/kv/kv.js';
import type * as wire from '../../../lib/client/rpc/generated/messages.js';
import { PUT, RANGE, TXN } from '../../../lib/client/rpc/methods.js';
import type { RpcCallOptions } from '../../../lib/client/rpc/rpc.js';
import { settle } from '../../support/fake-clock.js';
import { bytes, header } from './answers.js';
import { CoalescedReads } from './coalesced.js';

const NO_ENDPOINT = [{ endpoint: 'http://a:1', reason: 'connect ECONNREFUSED' }];

function caught(promise: Promise<unknown>): Promise<EtcdError> {
  return promise.then(
    () => {
      throw new Error('it was answered');
    },
    (error: unknown) => error as EtcdError,
  );
}

/** Whether a promise has settled, without waiting for it. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  await settle();
  return (await Promise.race([promise.catch(() => undefined), Promise.resolve('pending')])) !== 'pending';
}

describe('A read that is alone in its turn', () => {
  it('is the plain call it would be without others', async () => {
    const reads = new CoalescedReads();
    const options = { timeoutMs: 300, signal: new AbortController().signal };

    expect(await reads.read('a', {}, options)).toBe('a');

    expect(reads.rpc.calls).toEqual([{ method: RANGE, request: { key: bytes('a') }, options }]);
    expect(reads.clock.pending()).toEqual([]);
  });

  it('is a plain call too when the others of its turn are of other kinds', async () => {
    const reads = new CoalescedReads();

    await Promise.all([reads.read('a'), reads.read('b', { serializable: true })]);

    expect(reads.sent()).toEqual(['Range a', 'Range b']);
  });
});

describe('Reads of one turn', () => {
  it('travel as one transaction that only reads, and each gets its own answer', async () => {
    const reads = new CoalescedReads();

    expect(await reads.readAll(['a', 'b', 'c'])).toEqual(['a', 'b', 'c']);

    expect(reads.sent()).toEqual(['Txn a b c']);
    expect(reads.rpc.calls[0]?.options.effect).toBe('read');
  });

  it('have each the header of the whole, as an object of its own', async () => {
    const reads = new CoalescedReads();

    const [one, two] = await Promise.all(['a', 'b'].map((key) => reads.coalescer.unary(RANGE, { key: bytes(key) })));

    expect(one?.header).toEqual(header(7));
    expect(two?.header).toEqual(header(7));
    expect(one?.header).not.toBe(two?.header);
  });

  it('travel together even when some are asked for a few promises later', async () => {
    const reads = new CoalescedReads();
    const later = async (key: string, promises: number): Promise<string> => {
      for (let step = 0; step < promises; step++) await Promise.resolve();
      return reads.read(key);
    };

    await Promise.all([reads.read('a'), later('b', 1), later('c', 7)]);

    expect(reads.sent()).toEqual(['Txn a b c']);
  });

  it('that are equal are sent once, and share nothing of the answer', async () => {
    const reads = new CoalescedReads();
    const ask = (): Promise<wire.RangeResponse> => reads.coalescer.unary(RANGE, { key: bytes('a') });

    const [one, two] = await Promise.all([ask(), ask(), reads.read('b')]);
    one.kvs[0]?.value.fill(0);

    expect(reads.sent()).toEqual(['Txn a b']);
    expect(two.kvs[0]?.value).toEqual(Buffer.from('a'));
  });

  it('that are all equal are one plain call', async () => {
    const reads = new CoalescedReads();

    expect(await reads.readAll(['a', 'a', 'a'])).toEqual(['a', 'a', 'a']);

    expect(reads.sent()).toEqual(['Range a']);
  });

  it.each<[string, wire.RangeRequest]>([
    ['keysOnly', { keysOnly: true }],
    ['countOnly', { countOnly: true }],
    ['limit', { limit: 3 }],
    ['sortTarget', { sortTarget: 'MOD' }],
    ['sortOrder', { sortOrder: 'DESCEND' }],
    ['minModRevision', { minModRevision: 3 }],
    ['maxModRevision', { maxModRevision: 3 }],
    ['minCreateRevision', { minCreateRevision: 3 }],
    ['maxCreateRevision', { maxCreateRevision: 3 }],
  ])('are not equal when they differ by %s', async (_, request) => {
    const reads = new CoalescedReads();

    await Promise.all([reads.read('a'), reads.read('a', request), reads.read('a', request)]);

    expect(reads.sent()).toEqual(['Txn a a']);
    expect(reads.rpc.requests(TXN)[0]?.success?.[1]?.requestRange).toEqual({ key: bytes('a'), ...request });
  });

  it('are not equal when key and range end differ, even where both are the same bytes in a row', async () => {
    const reads = new CoalescedReads();
    const range = (key: string, rangeEnd: string): Promise<string> =>
      reads.read(key, { rangeEnd: bytes(rangeEnd), limit: 1 });

    await Promise.all([range('a', 'bc'), range('ab', 'c')]);

    expect(reads.sent()).toEqual(['Txn a ab']);
  });

  it.each<[string, wire.RangeRequest, RpcCallOptions]>([
    ['serializable', { serializable: true }, {}],
    ['at a revision', { revision: 5 }, {}],
    ['of a range', { rangeEnd: bytes('z'), limit: 2 }, {}],
    ['that require a leader', {}, { requireLeader: true }],
  ])('%s travel apart from plain ones, and with their like', async (_, request, options) => {
    const reads = new CoalescedReads();

    const plain = reads.readAll(['a', 'b']);
    await Promise.all([plain, ...['c', 'd'].map((key) => reads.read(key, request, options))]);

    expect(reads.sent()).toEqual(['Txn a b', 'Txn c d']);
    expect(reads.rpc.calls[1]?.options.requireLeader).toBe(options.requireLeader);
  });

  it('are at most 128 to a transaction', async () => {
    const reads = new CoalescedReads();

    await reads.readAll(Array.from({ length: 300 }, (_, index) => `k${index}`));

    expect(reads.rpc.requests(TXN).map(({ success }) => success?.length)).toEqual([128, 128, 44]);
  });

  it('are at most as many as maxTxnOperations allows', async () => {
    const reads = new CoalescedReads({ maxTxnOperations: 3 });

    await reads.readAll(['a', 'b', 'c', 'd']);

    expect(reads.sent()).toEqual(['Txn a b c', 'Range d']);
  });

  it('all leave alone, without waiting for one another, where a transaction may have one operation only', async () => {
    const reads = new CoalescedReads({ maxTxnOperations: 1 });
    await reads.keepBusy();

    void reads.readAll(['a', 'b']);
    await settle();

    expect(reads.sent().slice(4)).toEqual(['Range a', 'Range b']);
  });

  it('make no request larger than maxRequestBytes', async () => {
    const reads = new CoalescedReads({ maxRequestBytes: 2_048 });

    await reads.readAll(['a', 'b', 'c'].map((letter) => letter.repeat(900)));

    expect(reads.sent().map((call) => call.slice(0, 5))).toEqual(['Txn a', 'Range']);
  });
});

describe('A read that travels with nobody', () => {
  it.each<[string, wire.RangeRequest, RpcCallOptions]>([
    ['a range without a limit', { rangeEnd: bytes('z') }, {}],
    ['a range with a limit above 32', { rangeEnd: bytes('z'), limit: 33 }, {}],
    ['a range of keys only without a limit', { rangeEnd: bytes('z'), keysOnly: true }, {}],
    ['one with a long key', { key: Buffer.alloc(1_025, 'k') }, {}],
    ['one for one endpoint', {}, { endpoint: 'http://a:1' }],
    ['one whose signal has aborted', {}, { signal: AbortSignal.abort() }],
    ['one with a timeout that is none', {}, { timeoutMs: 0 }],
    ['one with a timeout that no timer can hold', {}, { timeoutMs: 2 ** 31 }],
  ])('is %s', async (_, request, options) => {
    const reads = new CoalescedReads();

    const odd = reads.read('odd', request, options).catch(() => undefined);
    await Promise.all([odd, reads.read('odd', request, options).catch(() => undefined)]);

    expect(reads.rpc.calls.map(({ method }) => method.name)).toEqual(['Range', 'Range']);
    expect(reads.rpc.calls[0]?.options).toBe(options);
  });

  it.each<[string, wire.RangeRequest]>([
    ['a range with a limit of 32', { rangeEnd: bytes('z'), limit: 32 }],
    ['a count of a range', { rangeEnd: bytes('z'), countOnly: true }],
    ['a single key without its value', { keysOnly: true }],
  ])('is not %s', async (_, request) => {
    const reads = new CoalescedReads();

    await Promise.all([reads.read('a', request), reads.read('b', request)]);

    expect(reads.sent()).toEqual(['Txn a b']);
  });

  it('is anything that is no read of keys, which goes out at once', () => {
    const reads = new CoalescedReads();

    void reads.coalescer.unary(PUT, { key: bytes('a') });
    void reads.coalescer.unary(TXN, { success: [{ requestRange: { key: bytes('a') } }] });

    expect(reads.sent()).toEqual(['Put a', 'Txn a']);
  });
});

describe('Keys and ranges given as bytes', () => {
  it('may be changed as soon as the call has returned', async () => {
    const reads = new CoalescedReads();
    const kv = new EtcdKv(reads.coalescer, { maxTxnOperations: 128, callTimeoutMs: 5_000 });
    const key = Buffer.from('aaa');

    const all = [kv.get(key), kv.range(key), kv.count(key)];
    key.fill('b');
    await Promise.all(all);

    expect(reads.sent()).toEqual(['Txn aaa aaa']);
  });
});

describe('While four calls are on their way', () => {
  it('what is asked for waits, and leaves together when one of them is answered', async () => {
    const reads = new CoalescedReads();
    await reads.keepBusy();

    void reads.read('a');
    await settle();
    void reads.read('b');
    await settle();
    expect(reads.held).toHaveLength(4);
    await reads.held[0]?.answer();

    expect(reads.sent().slice(4)).toEqual(['Txn a b']);
    expect(reads.clock.pending()).toEqual([]);
  });

  it('what is asked for by those who got an answer leaves with it', async () => {
    const reads = new CoalescedReads();
    reads.hold();
    for (const key of ['1', '2', '3', '4']) {
      void reads.read(key).then(() => reads.read(`after ${key}`));
      await settle();
    }
    void reads.read('waiting');
    await settle();

    await reads.held[2]?.answer();

    expect(reads.sent().slice(4)).toEqual(['Txn waiting after 3']);
  });

  it('waiting ends after 2 ms, so that members that do not answer hold up nobody', async () => {
    const reads = new CoalescedReads();
    await reads.keepBusy();

    void reads.read('a');
    await reads.clock.advance(1);
    void reads.read('b');
    await reads.clock.advance(1);
    expect(reads.sent().slice(4)).toEqual(['Txn a b']);
    void reads.read('c');
    await reads.clock.advance(2);

    expect(reads.sent().slice(5)).toEqual(['Range c']);
  });

  it('one with little time waits a twentieth of it only', async () => {
    const reads = new CoalescedReads();
    await reads.keepBusy();

    void reads.read('patient');
    void reads.read('hurried', {}, { timeoutMs: 10 });
    await reads.clock.advance(0.5);

    expect(reads.sent().slice(4)).toEqual(['Txn patient hurried']);
  });

  it('more than one transaction leaves if more wait than one may carry', async () => {
    const reads = new CoalescedReads({ maxTxnOperations: 2 });
    await reads.keepBusy();

    void reads.readAll(['a', 'b', 'c', 'd', 'e']);
    await settle();
    await reads.held[0]?.answer();
    expect(reads.sent().slice(4)).toEqual(['Txn a b']);
    await reads.clock.advance(2);

    expect(reads.sent().slice(5)).toEqual(['Txn c d', 'Range e']);
  });

  it('reads of another kind do not wait for them', async () => {
    const reads = new CoalescedReads();
    await reads.keepBusy();

    void reads.read('a', { serializable: true });
    await settle();

    expect(reads.sent().slice(4)).toEqual(['Range a']);
  });

  it('the next transaction leaves in the async context of a read that it carries', async () => {
    const request = new AsyncLocalStorage<string>();
    const reads = new CoalescedReads();
    await request.run('busy', () => reads.keepBusy());
    const contexts: unknown[] = [];
    const sent = jest.spyOn(reads.rpc, 'unary');
    sent.mockImplementation(() => {
      contexts.push(request.getStore());
      return new Promise(() => undefined);
    });

    request.run('mine', () => void reads.readAll(['a', 'b']));
    await settle();
    await reads.held[0]?.answer();

    expect(contexts).toEqual(['mine']);
  });

  it('what waits is counted, until it is sent', async () => {
    const reads = new CoalescedReads();
    await reads.keepBusy();
    void reads.readAll(['a', 'b']);

    expect(reads.coalescer.waiting).toBe(2);
    await reads.clock.advance(2);

    expect(reads.coalescer.waiting).toBe(0);
  });

  it('what waits is sent at once by flush(), as a client does that ends', async () => {
    const reads = new CoalescedReads();
    await reads.keepBusy();
    void reads.readAll(['a', 'b']);
    await settle();

    reads.coalescer.flush();

    expect(reads.sent().slice(4)).toEqual(['Txn a b']);
    expect(reads.clock.pending()).toEqual([]);
  });
});

describe('A deadline', () => {
  it('is that of the most patient read for the call', async () => {
    const reads = new CoalescedReads();

    await Promise.all([
      reads.read('a', {}, { timeoutMs: 300 }),
      reads.read('b'),
      reads.read('c', {}, { timeoutMs: 800 }),
    ]);

    expect(reads.rpc.calls[0]?.options.timeoutMs).toBe(5_000);
    expect(reads.clock.pending()).toEqual([]);
  });

  it('of one read ends that read, and the others get their answer (C1)', async () => {
    const reads = new CoalescedReads();
    reads.hold();
    const short = caught(reads.read('a', {}, { timeoutMs: 300 }));
    const middle = caught(reads.read('b', {}, { timeoutMs: 400 }));
    const long = reads.read('c');

    await reads.clock.advance(300);
    expect(await isSettled(middle)).toBe(false);
    await reads.clock.advance(100);
    await reads.held[0]?.answer();

    const error = await short;
    expect(error).toBeInstanceOf(EtcdDeadlineExceededError);
    expect(error).toMatchObject({ timeoutMs: 300, method: 'KV.Range', outcome: undefined });
    expect(error.message).toBe('KV.Range: no result within 300 ms: waiting for an answer');
    expect(await middle).toMatchObject({ timeoutMs: 400 });
    expect(await long).toBe('c');
    expect(reads.clock.pending()).toEqual([]);
  });

  it('of one read names the endpoints that cannot be used, with their reasons (C1)', async () => {
    const reads = new CoalescedReads();
    reads.hold();
    const both = [reads.read('a', {}, { timeoutMs: 300 }), reads.read('b', {}, { timeoutMs: 600 })].map(caught);
    void reads.read('c');

    reads.reach = { isConnected: true, canSend: true, failures: NO_ENDPOINT };
    await reads.clock.advance(300);
    reads.reach = { isConnected: false, canSend: false, failures: NO_ENDPOINT };
    await reads.clock.advance(300);

    const [first, second] = await Promise.all(both);
    expect(first?.message).toContain('waiting for an answer: http://a:1: connect ECONNREFUSED');
    expect(second).toBeInstanceOf(EtcdUnavailableError);
    expect(second?.message).toBe(
      'KV.Range: no endpoint could be reached within 600 ms: http://a:1: connect ECONNREFUSED',
    );
  });

  it('of the call is that of its reads: each says its own time, and what the call has seen (C1)', async () => {
    const reads = new CoalescedReads();
    reads.hold();
    const both = ['a', 'b'].map((key) => caught(reads.read(key, {}, { timeoutMs: 700 })));
    await settle();
    await reads.clock.advance(700);
    const context = { method: 'KV.Txn', endpoint: 'http://b:1', attempts: 3 };
    await reads.held[0]?.fail(new EtcdDeadlineExceededError(700, 'waiting for b', NO_ENDPOINT, context));

    for (const error of await Promise.all(both)) {
      expect(error).toBeInstanceOf(EtcdDeadlineExceededError);
      expect(error).toMatchObject({ timeoutMs: 700, endpoints: NO_ENDPOINT, endpoint: 'http://b:1', attempts: 3 });
      expect(error.message).toBe('KV.Range: no result within 700 ms: waiting for b (endpoint http://b:1; 3 attempts)');
    }
    expect(reads.held).toHaveLength(1);
  });

  it('that nobody could be reached before is one of no endpoint, for each read (C1)', async () => {
    const reads = new CoalescedReads();
    reads.hold();
    const both = ['a', 'b'].map((key) => caught(reads.read(key, {}, { timeoutMs: 700 })));
    await settle();
    await reads.clock.advance(700);
    await reads.held[0]?.fail(new EtcdUnavailableError('nobody there', NO_ENDPOINT, { method: 'KV.Txn' }));

    for (const error of await Promise.all(both)) {
      expect(error).toBeInstanceOf(EtcdUnavailableError);
      expect(error.message).toBe(
        'KV.Range: no endpoint could be reached within 700 ms: http://a:1: connect ECONNREFUSED',
      );
    }
  });
});

describe('A signal', () => {
  it('ends its own read, and the others get their answer (C1)', async () => {
    const reads = new CoalescedReads();
    reads.hold();
    const controller = new AbortController();
    const given = caught(reads.read('a', {}, { signal: controller.signal }));
    const other = reads.read('b', {}, { signal: new AbortController().signal });
    await settle();

    controller.abort('enough');
    const error = await given;
    await reads.held[0]?.answer();

    expect(error).toBeInstanceOf(EtcdAbortedError);
    expect(error).toMatchObject({ method: 'KV.Range', cause: 'enough' });
    expect(await other).toBe('b');
  });

  it('cancels the call when it was the last that somebody waited for (C1)', async () => {
    const reads = new CoalescedReads();
    reads.hold();
    const controllers = [new AbortController(), new AbortController()];
    const given = controllers.map(({ signal }, index) => caught(reads.read(`${index}`, {}, { signal })));
    const hurried = caught(reads.read('hurried', {}, { timeoutMs: 50 }));
    await settle();
    const { signal } = reads.held[0]!.options;

    controllers[0]?.abort();
    await reads.clock.advance(50);
    expect(signal?.aborted).toBe(false);
    controllers[1]?.abort();
    await settle();

    expect(signal?.aborted).toBe(true);
    expect(await Promise.all([...given, hurried])).toHaveLength(3);
    expect(reads.held).toHaveLength(1);
    expect(reads.clock.pending()).toEqual([]);
  });

  it('ends a read that still waits for others', async () => {
    const reads = new CoalescedReads();
    await reads.keepBusy();
    const controller = new AbortController();
    const given = caught(reads.read('a', {}, { signal: controller.signal }));
    void reads.readAll(['b', 'c']);
    await settle();

    controller.abort();

    expect(await given).toMatchObject({ code: 'ETCD_ABORTED', method: 'KV.Range', attempts: 0 });
    await reads.held[0]?.answer();
    expect(reads.sent().slice(4)).toEqual(['Txn b c']);
  });

  it('that aborts in the turn of the call ends it before it is sent', async () => {
    const reads = new CoalescedReads();
    const controller = new AbortController();
    const given = caught(reads.read('a', {}, { signal: controller.signal }));
    const others = reads.readAll(['b', 'c']);

    controller.abort();

    expect(await given).toMatchObject({ code: 'ETCD_ABORTED', attempts: 0 });
    await others;
    expect(reads.sent()).toEqual(['Txn b c']);
  });

  it.each([null, new AbortController()])(
    'that is none, %p, keeps a read from the others, whom it could harm',
    async (signal) => {
      const reads = new CoalescedReads();
      const others = reads.readAll(['a', 'c']);

      await reads.read('b', {}, { signal: signal as unknown as AbortSignal });

      expect(await others).toEqual(['a', 'c']);
      expect(reads.sent()).toEqual(['Range b', 'Txn a c']);
    },
  );

  it('shared by a thousand reads is listened to once, and not at all afterwards', async () => {
    const reads = new CoalescedReads();
    const { signal } = new AbortController();
    const [added, removed] = [jest.spyOn(signal, 'addEventListener'), jest.spyOn(signal, 'removeEventListener')];

    await Promise.all(Array.from({ length: 1_000 }, (_, index) => reads.read(`${index}`, {}, { signal })));

    expect(added.mock.calls.length).toBeLessThan(20);
    expect(removed).toHaveBeenCalledTimes(added.mock.calls.length);
  });
});

describe('While no endpoint can be had', () => {
  it('at most maxPendingCalls reads are kept, and the next one is refused', async () => {
    const reads = new CoalescedReads({ maxPendingCalls: 4 });
    reads.hold();
    reads.reach = { isConnected: false, canSend: false, failures: NO_ENDPOINT };
    void reads.readAll(['a', 'b']);
    for (const key of ['c', 'd']) void reads.read(key, { serializable: true });
    await settle();

    const refused = await caught(reads.read('e'));

    expect(refused).toBeInstanceOf(EtcdOverloadedError);
    expect(refused).toMatchObject({ method: 'KV.Range', limit: 4, endpoints: NO_ENDPOINT });
    reads.reach = { isConnected: true, canSend: true, failures: [] };
    void reads.read('f');
    await settle();
    expect(reads.sent()).toEqual(['Txn a b', 'Txn c d', 'Range f']);
  });

  it('reads that are over have left their room to others, whatever became of them', async () => {
    const reads = new CoalescedReads({ maxPendingCalls: 4 });
    const controller = new AbortController();
    await reads.readAll(['answered/1', 'answered/2']);
    reads.txnRefusal = () => new EtcdUnavailableError('the connection broke');
    await Promise.allSettled([reads.read('refused/1'), reads.read('refused/2')]);
    await reads.keepBusy();
    const left = caught(reads.read('left', {}, { signal: controller.signal }));
    await settle();
    controller.abort();
    await left;
    for (const call of reads.held) await call.answer();
    reads.reach = { isConnected: false, canSend: false, failures: NO_ENDPOINT };

    const kept = reads.readAll(['a', 'b', 'c', 'd']);
    const refused = caught(reads.read('e'));

    expect(await Promise.race([kept, settle().then(() => 'kept')])).toBe('kept');
    expect(await refused).toBeInstanceOf(EtcdOverloadedError);
  });

  it('nothing changes while one is connected and no token can be had', async () => {
    const reads = new CoalescedReads({ maxPendingCalls: 2 });
    reads.hold();
    reads.reach = { isConnected: true, canSend: false, failures: [] };
    void reads.readAll(['a', 'b']);
    await settle();

    expect(await caught(reads.read('c'))).toBeInstanceOf(EtcdOverloadedError);
  });
});
