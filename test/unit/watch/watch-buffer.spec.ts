/** W4: what waits for a reader is bounded, nothing is lost by it, and nobody else waits. */
import { describe, expect, it } from '@jest/globals';
import { prefix } from '../../../lib/client/key-range.js';
import { settle } from '../../support/fake-clock.js';
import { canceled, collect, created, CUT, FakeEtcd, progress, put, revisionsOf, sent, typesOf } from './fake-etcd.js';
import type { Watcher } from '../../../lib/client/watch/watcher.js';

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);
const puts = (from: number, to: number): ReturnType<typeof put>[] => range(from, to).map((rev) => put('a', rev));

/** Reads this many events. */
async function read(loop: AsyncIterator<{ revision: number }>, count: number): Promise<number[]> {
  const revisions: number[] = [];
  for (let index = 0; index < count; index++) {
    const { value } = (await loop.next()) as IteratorYieldResult<{ revision: number }>;
    revisions.push(value.revision);
  }
  await settle();
  return revisions;
}

async function started(etcd: FakeEtcd, options: Parameters<FakeEtcd['watch']['watch']>[1]): Promise<Watcher> {
  const watcher = etcd.watch.watch(prefix('a'), options);
  await etcd.answer(created(1, 10));
  return watcher;
}

describe('A reader that is behind (W4)', () => {
  it('has its watch cancelled on the server at the limit, and created anew where it stands once it has caught up', async () => {
    const etcd = new FakeEtcd();
    const watcher = await started(etcd, { maxBufferedRevisions: 4 });

    await etcd.answer(sent(1, puts(11, 13)), sent(1, puts(14, 16)), sent(1, puts(17, 18)));
    expect([watcher.state, watcher.bufferedRevisions, watcher.nextRevision]).toEqual(['paused', 4, 15]);
    expect(etcd.cancels()).toEqual([1]);
    const loop = watcher[Symbol.asyncIterator]();
    expect(await read(loop, 1)).toEqual([11]);
    expect(watcher.state).toBe('paused');
    expect(await read(loop, 1)).toEqual([12]);
    expect(etcd.creates().at(-1)).toMatchObject({ watchId: 2, startRevision: 15 });
    await etcd.answer(canceled(1), created(2, 18), sent(2, puts(15, 16)));

    expect(await read(loop, 4)).toEqual([13, 14, 15, 16]);
    expect(etcd.streams).toHaveLength(1);
  });

  it('and asked for several events at once gets them all', async () => {
    const etcd = new FakeEtcd();
    const watcher = await started(etcd, { maxBufferedRevisions: 1 });
    const loop = watcher[Symbol.asyncIterator]();
    const waiting = Promise.all([loop.next(), loop.next()]);

    await etcd.answer(sent(1, puts(11, 12)));
    await etcd.answer(created(2, 12), sent(2, puts(12, 12)));

    expect((await waiting).map(({ value }) => value?.revision)).toEqual([11, 12]);
  });

  it('is given whole revisions only', async () => {
    const etcd = new FakeEtcd();
    const watcher = await started(etcd, { maxBufferedRevisions: 1 });

    await etcd.answer(sent(1, [put('a1', 11), put('a2', 11), put('a1', 12), put('a2', 12)]));
    const { items } = collect(watcher.responses());
    await settle();
    await etcd.answer(created(2, 12), sent(2, [put('a1', 12), put('a2', 12)]));

    expect(items.map(({ events }) => revisionsOf(events))).toEqual([
      [11, 11],
      [12, 12],
    ]);
  });

  it('is not one that waits: it gets all of what comes at once, and is behind only when more comes before it has read', async () => {
    const etcd = new FakeEtcd();
    const watcher = await started(etcd, { maxBufferedRevisions: 2 });
    const loop = watcher[Symbol.asyncIterator]();
    const first = loop.next();

    await etcd.answer(sent(1, puts(11, 15)));
    expect([watcher.state, watcher.bufferedRevisions, watcher.nextRevision]).toEqual(['active', 4, 16]);
    await etcd.answer(sent(1, puts(16, 16)));
    expect([watcher.state, watcher.bufferedRevisions, watcher.nextRevision]).toEqual(['paused', 4, 16]);

    expect((await first).value).toMatchObject({ revision: 11 });
    expect(await read(loop, 4)).toEqual([12, 13, 14, 15]);
    expect(etcd.creates().at(-1)).toMatchObject({ startRevision: 16 });
  });

  it('is not asked for again while its reader works on what it has, though the buffer is nearly empty', async () => {
    const etcd = new FakeEtcd();
    const watcher = await started(etcd, { maxBufferedBytes: 10_000 });
    await etcd.answer(sent(1, puts(11, 11)));

    await etcd.answer(sent(1, [put('a', 12, 'x'.repeat(50_000))]));
    const whileItWorks = [watcher.state, etcd.creates().length];
    await read(watcher[Symbol.asyncIterator](), 1);

    expect(whileItWorks).toEqual(['paused', 1]);
    expect(etcd.creates()).toHaveLength(2);
    expect(etcd.creates().at(-1)).toMatchObject({ startRevision: 12 });
  });

  it('is measured in bytes too, and takes one revision whatever its size', async () => {
    const etcd = new FakeEtcd();
    const watcher = await started(etcd, { maxBufferedBytes: 1_000 });

    await etcd.answer(sent(1, [put('a', 11, 'x'.repeat(5_000))]));
    expect(watcher.state).toBe('active');
    await etcd.answer(sent(1, [put('a', 12, 'x')]));

    expect([watcher.state, watcher.bufferedRevisions]).toEqual(['paused', 1]);
    expect(etcd.watch.stats()).toMatchObject({ paused: 1, pauses: 1, lag: 1, bufferedRevisions: 1 });
    expect(etcd.watch.stats().bufferedBytes).toBeGreaterThan(5_000);
  });

  it('counts nothing once all is read, by event or by response', async () => {
    const etcd = new FakeEtcd();
    const byEvent = await started(etcd, {});
    const byResponse = etcd.watch.watch(prefix('a'));
    const both = [put('a', 11), put('ab', 11), put('a', 12)];
    await etcd.answer(created(2, 10), sent(1, both), sent(2, both));
    expect(etcd.watch.stats()).toMatchObject({ bufferedRevisions: 4 });

    await read(byEvent[Symbol.asyncIterator](), 3);
    await byResponse.responses().next();

    expect(etcd.watch.stats()).toMatchObject({ bufferedRevisions: 0, bufferedBytes: 0, lag: 0 });
  });

  it('holds up no other watch', async () => {
    const etcd = new FakeEtcd();
    await started(etcd, { maxBufferedRevisions: 1 });
    const quick = collect(etcd.watch.watch('quick'));
    await etcd.answer(created(2, 10));

    await etcd.answer(
      sent(1, puts(11, 12)),
      sent(2, [put('quick', 13)]),
      sent(1, puts(12, 12)),
      sent(2, [put('quick', 14)]),
    );

    expect(revisionsOf(quick.items)).toEqual([13, 14]);
  });

  it('stays paused over a break, and goes on from its position on the new stream', async () => {
    const etcd = new FakeEtcd();
    const watcher = await started(etcd, { maxBufferedRevisions: 2 });
    const other = etcd.watch.watch('other');
    await etcd.answer(created(2, 10), sent(1, puts(11, 13)));

    await etcd.breakStream();
    await etcd.answer(created(1, 13));
    expect([watcher.state, other.state, etcd.creates().length]).toEqual(['paused', 'active', 1]);
    await read(watcher[Symbol.asyncIterator](), 1);

    expect(etcd.creates().at(-1)).toMatchObject({ startRevision: 13 });
  });

  it('needs no stream while it is the only watch, and the stream breaks', async () => {
    const etcd = new FakeEtcd();
    const watcher = await started(etcd, { maxBufferedRevisions: 2 });
    await etcd.answer(sent(1, puts(11, 13)));
    etcd.stream.fail(CUT);
    await settle();

    await etcd.clock.advance(10_000);
    expect(etcd.streams).toHaveLength(1);
    await read(watcher[Symbol.asyncIterator](), 1);

    expect(etcd.creates()).toMatchObject([{ startRevision: 13 }]);
  });

  it('whose history is compacted meanwhile reads what it has, then the typed error (C17)', async () => {
    const etcd = new FakeEtcd();
    const watcher = await started(etcd, { maxBufferedRevisions: 2 });
    await etcd.answer(sent(1, puts(11, 13)));
    const loop = watcher[Symbol.asyncIterator]();
    await read(loop, 1);
    await etcd.answer(created(2, 90), canceled(2, { compactRevision: 80 }));

    expect(await read(loop, 1)).toEqual([12]);
    await expect(loop.next()).rejects.toMatchObject({ code: 'ETCD_COMPACTED', compactRevision: 80 });
  });

  it('and is closed leaves nothing behind', async () => {
    const etcd = new FakeEtcd();
    const watcher = await started(etcd, { maxBufferedRevisions: 2 });
    await etcd.answer(sent(1, puts(11, 13)));

    await watcher.close();

    expect(etcd.watch.stats()).toMatchObject({ watches: 0, paused: 0, bufferedRevisions: 0 });
    expect(etcd.stream.isClosed).toBe(true);
  });

  it('is told of (W6)', async () => {
    const etcd = new FakeEtcd();
    const watcher = await started(etcd, { maxBufferedRevisions: 2 });
    await etcd.answer(sent(1, puts(11, 13)));
    await read(watcher[Symbol.asyncIterator](), 1);

    expect(etcd.statuses).toMatchObject([{ type: 'watch-paused', bufferedRevisions: 2 }, { type: 'watch-continued' }]);
  });

  it('keeps but the newest of several progress notices', async () => {
    const etcd = new FakeEtcd();
    const watcher = await started(etcd, { progressNotify: true });

    await etcd.answer(progress(1, 12), progress(1, 13), sent(1, puts(14, 14)), progress(1, 15), progress(1, 16));
    const { items } = collect(watcher.responses());
    await settle();

    expect(typesOf(items)).toEqual(['progress@13', 'events@14', 'progress@16']);
  });
});
