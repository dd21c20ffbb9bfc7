/** Reads that never go back in time: who is asked next when an answer is too old, and when it is given up. */
import { describe, expect, it } from '@jest/globals';
import { EtcdAbortedError, EtcdDeadlineExceededError, EtcdUnavailableError } from '../../../lib/client/errors.js';
import { get, put } from '../../../lib/client/kv/operations.js';
import type * as wire from '../../../lib/client/rpc/generated/messages.js';
import { PUT, RANGE, TXN } from '../../../lib/client/rpc/methods.js';
import { EtcdFutureRevisionError, EtcdPermissionDeniedError } from '../../../lib/client/server-errors.js';
import { OrderedView, type OrderedOptions } from '../../../lib/client/views/ordered-view.js';
import { EtcdStaleReadError } from '../../../lib/client/views/stale-read-error.js';
import { type FakeClock, settle } from '../../support/fake-clock.js';
import type { FakeRpc } from '../../support/fake-rpc.js';
import { fakeKv, header, putAnswer, rangeAnswer, stored, txnAnswer } from '../kv/answers.js';

interface Rig {
  readonly rpc: FakeRpc;
  readonly clock: FakeClock;
  readonly view: OrderedView;
}

const ENDPOINTS = ['http://a:1', 'http://b:1', 'http://c:1'];

/** A view of a cluster of three. */
function watchTheOrder(options: OrderedOptions = {}): Rig {
  const { rpc, kv, clock } = fakeKv();
  const parts = { rpc, kv, clock, random: () => 1, callTimeoutMs: 5_000, endpoints: () => ENDPOINTS };
  return { rpc, clock, view: new OrderedView(parts, options) };
}

const at = (revision: number): wire.RangeResponse =>
  rangeAnswer([stored('a', `as of ${revision}`)], { header: header(revision) });

/** How each read was asked for, and at which endpoint, if at one by name. */
const readModes = (rpc: FakeRpc): string[] =>
  rpc.calls.map(({ request, options: { endpoint } }) => {
    const { serializable } = request as wire.RangeRequest;
    const mode = serializable === true ? 'serializable' : 'linearizable';
    return endpoint === undefined ? mode : `${mode} at ${endpoint}`;
  });

const futureRevision = new EtcdFutureRevisionError({
  reason: 'FutureRev',
  serverMessage: 'required revision is a future one',
});

describe('An ordered read', () => {
  it('hands over what is as new as anything seen before', async () => {
    const { rpc, view } = watchTheOrder();
    rpc.answer(RANGE, at(5), at(5), at(7));

    for (const revision of [5, 5, 7]) {
      expect((await view.kv.get('a', { serializable: true }))?.value).toBe(`as of ${revision}`);
      expect(view.revision).toBe(revision);
    }
  });

  it('asks one member after the other, by name, when an answer is too old', async () => {
    const { rpc, view } = watchTheOrder({ revision: 9 });
    rpc.answer(RANGE, at(4), at(4), at(9));

    expect((await view.kv.get('a', { serializable: true }))?.value).toBe('as of 9');
    expect(readModes(rpc)).toEqual(['serializable', 'serializable at http://a:1', 'serializable at http://b:1']);
  });

  it('reads linearizably when all of them are behind', async () => {
    const { rpc, view } = watchTheOrder({ revision: 9 });
    rpc.answer(RANGE, at(4), at(8), at(4), at(5), at(10));

    expect((await view.kv.get('a', { serializable: true }))?.value).toBe('as of 10');
    expect(readModes(rpc).slice(3)).toEqual(['serializable at http://c:1', 'linearizable']);
    expect(view.revision).toBe(10);
  });

  it('goes past members that fail, and gives none of them much time', async () => {
    const { rpc, view } = watchTheOrder({ revision: 9 });
    const late = new EtcdDeadlineExceededError(500, 'waiting for the answer of http://a:1');
    rpc.answer(RANGE, at(4), late, new EtcdUnavailableError('the connection failed'), at(9));

    expect((await view.kv.get('a', { serializable: true, timeoutMs: 60_000 }))?.value).toBe('as of 9');
    expect(rpc.calls.map(({ options }) => options.timeoutMs)).toEqual([60_000, 500, 500, 500]);
  });

  it('begins another round, with more patience, when a cluster without a quorum has left it without an answer', async () => {
    const { rpc, clock, view } = watchTheOrder({ revision: 9 });
    const late = new EtcdDeadlineExceededError(500, 'waiting for the answer of http://a:1');
    rpc.answer(RANGE, at(4), at(4), at(4), at(4), late, at(9));

    const found = await view.kv.get('a', { serializable: true });

    expect(found?.value).toBe('as of 9');
    expect(rpc.calls.slice(4).map(({ options }) => options.timeoutMs)).toEqual([500, 1_000]);
    expect(clock.pending()).toEqual([]);
  });

  it('sees its own writes: theirs count as revisions seen', async () => {
    const { rpc, view } = watchTheOrder();
    rpc.answer(PUT, putAnswer(12));
    rpc.answer(TXN, txnAnswer(true, [{ responsePut: { header: null, prevKv: null } }], 14));
    rpc.answer(RANGE, at(11), at(12), at(13), at(14));

    await view.kv.put('a', 'x');
    const afterPut = await view.kv.get('a', { serializable: true });
    await view.kv.txn().then(put('a', 'y')).commit();
    const afterTxn = await view.kv.get('a', { serializable: true });

    expect([afterPut?.value, afterTxn?.value]).toEqual(['as of 12', 'as of 14']);
  });

  it('sees what was seen elsewhere', async () => {
    const { rpc, view } = watchTheOrder();
    rpc.answer(RANGE, at(5), at(8));

    view.observe(8);
    view.observe(3);

    expect((await view.kv.get('a', { serializable: true }))?.value).toBe('as of 8');
  });

  it('counts what was seen when it began: an answer that another one overtook is not stale', async () => {
    const { rpc, view } = watchTheOrder({ revision: 5 });
    let answer!: (response: wire.RangeResponse) => void;
    rpc.answer(RANGE, () => new Promise<wire.RangeResponse>((resolve) => (answer = resolve)), at(10));

    const slow = view.kv.get('a', { serializable: true });
    await view.kv.get('a', { serializable: true });
    answer(at(6));

    expect((await slow)?.value).toBe('as of 6');
    expect([view.revision, rpc.requests(RANGE).length]).toEqual([10, 2]);
  });

  it('lets reads of the past pass, which are the same on every member', async () => {
    const { rpc, view } = watchTheOrder({ revision: 9 });
    rpc.answer(RANGE, at(6));

    expect((await view.kv.get('a', { serializable: true, revision: 5 }))?.value).toBe('as of 6');
  });

  it('asks the next member when for one a revision of the past is yet to come', async () => {
    const { rpc, view } = watchTheOrder({ revision: 9 });
    rpc.answer(RANGE, futureRevision, at(9));

    expect((await view.kv.get('a', { serializable: true, revision: 8 }))?.value).toBe('as of 9');
  });

  it('fails for a revision that nobody has seen yet, as anywhere', async () => {
    const { rpc, view } = watchTheOrder({ revision: 9 });
    rpc.answer(RANGE, futureRevision);

    await expect(view.kv.get('a', { revision: 10 })).rejects.toBe(futureRevision);
  });

  it('is tried again after a pause when even a linearizable answer is old (etcd #21417)', async () => {
    const { rpc, clock, view } = watchTheOrder({ revision: 9 });
    rpc.answer(RANGE, at(4), at(9));

    const reading = view.kv.get('a');
    await settle();
    expect(rpc.requests(RANGE)).toHaveLength(1);
    await clock.advanceToNext();

    expect((await reading)?.value).toBe('as of 9');
  });
});

describe('An ordered transaction that only reads', () => {
  it('is repeated linearizably as a whole, those inside it too', async () => {
    const { rpc, view } = watchTheOrder({ revision: 9 });
    const answer = (revision: number): wire.TxnResponse => txnAnswer(true, [{ responseRange: at(revision) }], revision);
    rpc.answer(TXN, answer(4), answer(5), answer(6), answer(7), answer(9));

    const { header: answered } = await view.kv
      .txn()
      .then(get('a', { serializable: true }))
      .commit();

    const modes = rpc.requests(TXN).map(({ success }) => success?.[0]?.requestRange?.serializable);
    expect([answered.revision, modes]).toEqual([9, [true, true, true, true, false]]);
  });

  it('is not repeated when it writes: what it answers is the newest there is', async () => {
    const { rpc, view } = watchTheOrder({ revision: 9 });
    rpc.answer(TXN, txnAnswer(true, [{ responsePut: { header: null, prevKv: null } }], 4));

    await view.kv.txn().then(put('a', 'x')).commit();

    expect([rpc.requests(TXN).length, view.revision]).toEqual([1, 9]);
  });
});

describe('An ordered read that finds nobody who has caught up', () => {
  it('fails within its time, and says how far it had seen and how far members are', async () => {
    const { rpc, clock, view } = watchTheOrder({ revision: 9 });
    rpc.answer(RANGE, at(3)).answerAlways(RANGE, at(4));

    const reading = view.kv.get('a', { serializable: true, timeoutMs: 1_000 });
    const failure = reading.catch((error: unknown) => error);
    await clock.advance(1_000);

    expect(await failure).toBeInstanceOf(EtcdStaleReadError);
    expect(await failure).toMatchObject({ code: 'ETCD_STALE_READ', method: 'KV.Range', outcome: undefined });
    expect(await failure).toMatchObject({
      seenRevision: 9,
      currentRevision: 4,
      message: expect.stringContaining('1000 ms'),
    });
    expect(clock.pending()).toEqual([]);
  });

  it('keeps what the last try saw', async () => {
    const { rpc, clock, view } = watchTheOrder({ revision: 9 });
    const reason = new EtcdUnavailableError('no endpoint');
    rpc.answer(RANGE, at(4)).answerAlways(RANGE, reason);

    const failure = view.kv.get('a', { serializable: true }).catch((error: unknown) => error);
    await clock.advance(5_000);

    expect(await failure).toMatchObject({ code: 'ETCD_STALE_READ', cause: reason, currentRevision: 4 });
  });

  it('fails as any read when nobody answers at all', async () => {
    const { rpc, view } = watchTheOrder({ revision: 9 });
    const reason = new EtcdUnavailableError('no endpoint');
    rpc.answer(RANGE, reason);

    await expect(view.kv.get('a', { serializable: true })).rejects.toBe(reason);
  });

  it('tells other failures as they are', async () => {
    const { rpc, view } = watchTheOrder({ revision: 9 });
    const denied = new EtcdPermissionDeniedError({ reason: 'PermissionDenied', serverMessage: 'permission denied' });
    rpc.answer(RANGE, at(4), denied);

    await expect(view.kv.get('a', { serializable: true })).rejects.toBe(denied);
  });

  it('leaves each try what is left of the time', async () => {
    const { rpc, clock, view } = watchTheOrder({ revision: 9 });
    const slowly = async (): Promise<wire.RangeResponse> => {
      await new Promise<void>((resolve) => clock.after(300, resolve));
      return at(4);
    };
    rpc.answerAlways(RANGE, slowly);

    const failure = view.kv.get('a', { serializable: true, timeoutMs: 700 }).catch((error: unknown) => error);
    await clock.advance(2_000);

    expect(rpc.calls.map(({ options }) => options.timeoutMs)).toEqual([700, 400, 100]);
    expect(await failure).toMatchObject({ code: 'ETCD_STALE_READ', attempts: 3 });
  });

  it('ends when its signal aborts, in a pause too', async () => {
    const { rpc, clock, view } = watchTheOrder({ revision: 9 });
    rpc.answerAlways(RANGE, at(4));
    const controller = new AbortController();

    const failure = view.kv.get('a', { signal: controller.signal }).catch((error: unknown) => error);
    await settle();
    controller.abort('enough');

    expect(await failure).toBeInstanceOf(EtcdAbortedError);
    expect(clock.pending()).toEqual([]);
  });
});

describe('An ordered view', () => {
  it.each([-1, 1.5, 2 ** 53, NaN])('refuses %p as a revision', (revision) => {
    expect(() => watchTheOrder({ revision })).toThrow('argument revision must be a whole number');
    expect(() => watchTheOrder().view.observe(revision)).toThrow('argument revision must be a whole number');
  });

  it('has a memory of its own', async () => {
    const { rpc, view } = watchTheOrder({ revision: 9 });
    const other = watchTheOrder();
    other.rpc.answer(RANGE, at(4));
    rpc.answer(RANGE, at(9));

    await view.kv.get('a');

    expect((await other.view.kv.get('a', { serializable: true }))?.value).toBe('as of 4');
  });
});
