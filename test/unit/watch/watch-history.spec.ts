/** W2: a store that went back, or was replaced, is told; a member that lags behind is not mistaken for one. */
import { describe, expect, it } from '@jest/globals';
import { EtcdUnavailableError } from '../../../lib/client/errors.js';
import type * as wire from '../../../lib/client/rpc/generated/messages.js';
import { RANGE } from '../../../lib/client/rpc/methods.js';
import { EtcdPermissionDeniedError } from '../../../lib/client/server-errors.js';
import { settle } from '../../support/fake-clock.js';
import { collect, created, FakeEtcd, header, progress, put, revisionsOf, sent } from './fake-etcd.js';

function storeAt(revision: number): wire.RangeResponse {
  return { header: header(revision), kvs: [], more: false, count: 0 };
}

/** A watch that has seen revision 20, on a stream to a member that is only at 8. */
async function behind(etcd: FakeEtcd): Promise<ReturnType<typeof collect<{ revision: number }>>> {
  const loop = collect(etcd.watch.watch('a'));
  await etcd.answer(created(1, 10), sent(1, [put('a', 20)]));
  await etcd.breakStream();
  await etcd.answer(created(1, 8));
  return loop;
}

describe('A store that went back (C19)', () => {
  it('ends the watch with EtcdHistoryLostError, once a second look confirmed it', async () => {
    const etcd = new FakeEtcd();
    etcd.rpc.answer(RANGE, storeAt(8), storeAt(9));
    const loop = await behind(etcd);
    expect(loop.isDone).toBe(false);

    await etcd.clock.advance(1_000);

    expect(revisionsOf(loop.items)).toEqual([20]);
    expect(loop.error).toMatchObject({
      code: 'ETCD_HISTORY_LOST',
      reason: 'revision-went-back',
      seenRevision: 20,
      currentRevision: 9,
    });
    expect(loop.error?.message).toContain('went back to revision 9 after 20 was seen');
    expect(etcd.clock.pending()).toEqual([]);
  });

  it('is looked for with few reads of a key that a watch may see, for all watches', async () => {
    const etcd = new FakeEtcd();
    etcd.rpc.answerAlways(RANGE, storeAt(8));
    const loops = ['a', 'b', 'c'].map((key) => collect(etcd.watch.watch(key, { startRevision: 20 })));
    await etcd.answer(created(1, 30), created(2, 30), created(3, 30));
    await etcd.breakStream();
    await etcd.answer(created(1, 8), created(2, 8), created(3, 8));
    await etcd.clock.advance(5_000);

    expect(loops.map(({ error }) => error?.code)).toEqual(Array(3).fill('ETCD_HISTORY_LOST'));
    expect(etcd.rpc.requests(RANGE).length).toBeLessThanOrEqual(3);
    expect(etcd.rpc.requests(RANGE)[0]).toMatchObject({ key: Buffer.from('a'), countOnly: true });
  });

  it('leaves a watch alone that had not come further than the store is now', async () => {
    const etcd = new FakeEtcd();
    etcd.rpc.answerAlways(RANGE, storeAt(8));
    const watcher = etcd.watch.watch('a', { startRevision: 5 });
    await etcd.answer(created(1, 20));
    await etcd.breakStream();
    await etcd.answer(created(1, 8));
    await etcd.clock.advance(5_000);

    expect(watcher.state).toBe('active');
  });

  it('is found out by a watch that goes on after a revision which an earlier run had seen', async () => {
    const etcd = new FakeEtcd();
    etcd.rpc.answerAlways(RANGE, storeAt(8));
    const loop = collect(etcd.watch.watch('a', { afterRevision: 20 }));
    await settle();
    expect(etcd.creates()).toMatchObject([{ startRevision: 21 }]);

    await etcd.answer(created(1, 8));
    await etcd.clock.advance(1_000);

    expect(loop.error).toMatchObject({ code: 'ETCD_HISTORY_LOST', seenRevision: 20, currentRevision: 8 });
  });

  it('does not exist for a watch from a future revision that was never told of it', async () => {
    const etcd = new FakeEtcd();
    const watcher = etcd.watch.watch('a', { startRevision: 1_000 });
    await etcd.answer(created(1, 10));
    await etcd.breakStream();
    await etcd.answer(created(1, 12));

    expect(watcher.state).toBe('active');
    expect(etcd.rpc.calls).toEqual([]);
  });
});

describe('A member that lags behind', () => {
  it('is no store that went back: the watch goes on, and repeats nothing', async () => {
    const etcd = new FakeEtcd();
    etcd.rpc.answer(RANGE, storeAt(22));
    const loop = await behind(etcd);

    await etcd.answer(sent(1, [put('a', 20)]), progress(1, 20), sent(1, [put('a', 21)]));
    await etcd.clock.advance(10_000);

    expect(revisionsOf(loop.items)).toEqual([20, 21]);
    expect([loop.isDone, etcd.rpc.calls.length]).toEqual([false, 1]);
  });

  it('is forgiven when the first look was answered from the past', async () => {
    const etcd = new FakeEtcd();
    etcd.rpc.answer(RANGE, storeAt(8), storeAt(22));
    const loop = await behind(etcd);

    await etcd.clock.advance(10_000);

    expect([loop.isDone, etcd.rpc.calls.length]).toEqual([false, 2]);
  });

  it('is judged as soon as the cluster can be read', async () => {
    const etcd = new FakeEtcd();
    etcd.rpc.answer(RANGE, new EtcdUnavailableError('no endpoint can be used'), storeAt(8), storeAt(8));
    const loop = await behind(etcd);

    await etcd.clock.advance(1_000);
    expect(loop.isDone).toBe(false);
    await etcd.clock.advance(1_000);

    expect(loop.error?.code).toBe('ETCD_HISTORY_LOST');
  });

  it('is left alone when nobody may look', async () => {
    const etcd = new FakeEtcd();
    const denied = { reason: 'PermissionDenied', serverMessage: 'etcdserver: permission denied' };
    etcd.rpc.answer(RANGE, new EtcdPermissionDeniedError(denied));
    const loop = await behind(etcd);

    await etcd.clock.advance(10_000);

    expect([loop.isDone, etcd.rpc.calls.length]).toEqual([false, 1]);
  });

  it('is not looked at any more once the watch is closed', async () => {
    const etcd = new FakeEtcd();
    etcd.rpc.answer(RANGE, new EtcdUnavailableError('no endpoint can be used'));
    const watcher = etcd.watch.watch('a');
    await etcd.answer(created(1, 10), sent(1, [put('a', 20)]));
    await etcd.breakStream();
    await etcd.answer(created(1, 8));

    await watcher.close();

    expect(etcd.clock.pending()).toEqual([]);
  });
});

describe('Another cluster behind the same endpoints (C20)', () => {
  it('ends the watch with EtcdHistoryLostError, and is fine for watches that are new', async () => {
    const etcd = new FakeEtcd();
    const loop = collect(etcd.watch.watch('a'));
    await etcd.answer(created(1, 10, 'c1'));
    await etcd.breakStream();
    const young = etcd.watch.watch('b');

    await etcd.answer(created(1, 90, 'c2'), created(2, 90, 'c2'));

    expect(loop.error).toMatchObject({ code: 'ETCD_HISTORY_LOST', reason: 'other-cluster', currentRevision: 90 });
    expect(young.state).toBe('active');
  });

  it('is not seen in an answer of a proxy that names none', async () => {
    const etcd = new FakeEtcd();
    const watcher = etcd.watch.watch('a');
    await etcd.answer(created(1, 10, 'c1'));
    await etcd.breakStream();
    await etcd.answer(created(1, 10, '0'));

    expect(watcher.state).toBe('active');
  });
});
