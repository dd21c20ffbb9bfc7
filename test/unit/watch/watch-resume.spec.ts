/** W1: nothing lost, nothing doubled, in order, whole revisions, whatever happens to the stream. */
import { describe, expect, it } from '@jest/globals';
import { prefix } from '../../../lib/client/key-range.js';
import {
  canceled,
  collect,
  created,
  CUT,
  FakeEtcd,
  piece,
  progress,
  put,
  revisionsOf,
  sent,
  shown,
  typesOf,
} from './fake-etcd.js';
import { settle } from '../../support/fake-clock.js';

const startOf = (etcd: FakeEtcd): number | undefined => etcd.creates()[0]?.startRevision;

describe('Where a watch goes on after a break (W1)', () => {
  it('follows the worked sequence: created, event, progress, break, a lagging member, compaction', async () => {
    const etcd = new FakeEtcd();
    const watcher = etcd.watch.watch('a');
    const loop = collect(watcher);
    await etcd.answer(created(1, 10));
    expect(watcher.nextRevision).toBe(11);
    await etcd.answer(sent(1, [put('a', 11)]));
    expect(watcher.nextRevision).toBe(12);
    await etcd.answer(progress(1, 15));
    expect(watcher.nextRevision).toBe(16);

    await etcd.breakStream();
    expect(startOf(etcd)).toBe(16);
    await etcd.answer(created(1, 14));
    expect(watcher.nextRevision).toBe(16);
    await etcd.answer(progress(1, 14));
    expect(watcher.nextRevision).toBe(16);
    await etcd.answer(canceled(1, { compactRevision: 20 }));

    expect(loop.items.map(shown)).toEqual(['put a@11']);
    expect(loop.error).toMatchObject({ code: 'ETCD_COMPACTED', compactRevision: 20 });
  });

  it('is one past the last event, not past the store: history comes in batches', async () => {
    const etcd = new FakeEtcd();
    const watcher = etcd.watch.watch('a', { startRevision: 1 });
    const { items } = collect(watcher);
    await etcd.answer(created(1, 6000), sent(1, [put('a', 2), put('a', 3)], 6000));

    await etcd.breakStream();
    expect(startOf(etcd)).toBe(4);
    await etcd.answer(created(1, 6000), sent(1, [put('a', 4)], 6000));

    expect(revisionsOf(items)).toEqual([2, 3, 4]);
  });

  it('is the asked revision when the stream breaks right after the creation', async () => {
    const etcd = new FakeEtcd();
    etcd.watch.watch('a', { startRevision: 5 });
    await etcd.answer(created(1, 100));

    await etcd.breakStream();

    expect(startOf(etcd)).toBe(5);
  });

  it('is the revision after the creation for a watch from now on: a write while away is reported once (C16)', async () => {
    const etcd = new FakeEtcd();
    const { items } = collect(etcd.watch.watch('a'));
    await etcd.answer(created(1, 10));

    await etcd.breakStream();
    expect(startOf(etcd)).toBe(11);
    await etcd.answer(created(1, 11), sent(1, [put('a', 11)]), sent(1, [put('a', 11)]));

    expect(revisionsOf(items)).toEqual([11]);
  });

  it('leaves out an event that is as old as the creation: the watch begins after it', async () => {
    const etcd = new FakeEtcd();
    const { items } = collect(etcd.watch.watch('a'));
    await etcd.answer(created(1, 10), sent(1, [put('a', 10)]), sent(1, [put('a', 11)]));

    expect(revisionsOf(items)).toEqual([11]);
  });

  it('is still "now" when the stream breaks before the watch was created', async () => {
    const etcd = new FakeEtcd();
    const watcher = etcd.watch.watch('a');
    await settle();

    await etcd.breakStream();
    expect(startOf(etcd)).toBe(0);
    await etcd.answer(created(1, 30));

    expect(await watcher.created).toBe(30);
    expect(watcher.nextRevision).toBe(31);
  });

  it('lies behind what was received and not read yet', async () => {
    const etcd = new FakeEtcd();
    const watcher = etcd.watch.watch('a');
    await etcd.answer(created(1, 10), sent(1, [put('a', 11)]));

    await etcd.breakStream();
    expect(startOf(etcd)).toBe(12);
    await etcd.answer(created(1, 12), sent(1, [put('a', 12)]));
    const { items } = collect(watcher);
    await settle();

    expect(revisionsOf(items)).toEqual([11, 12]);
  });

  it("is each watch's own, and keeps what it asked for (C23)", async () => {
    const etcd = new FakeEtcd();
    etcd.watch.watch('a', { only: 'put', prevKv: true });
    etcd.watch.watch('b', { startRevision: 3, only: 'delete' });
    await etcd.answer(created(1, 10), created(2, 10), sent(1, [put('a', 20)]));

    await etcd.breakStream();
    await etcd.answer(created(1, 20));

    expect(etcd.creates()).toMatchObject([
      { startRevision: 21, filters: ['NODELETE'], prevKv: true },
      { startRevision: 3, filters: ['NOPUT'] },
    ]);
  });

  it('holds for a revision in the future: nothing before it is reported, after a break neither (C15)', async () => {
    const etcd = new FakeEtcd();
    const watcher = etcd.watch.watch('a', { startRevision: 100 });
    const { items } = collect(watcher);
    await etcd.answer(created(1, 10), sent(1, [put('a', 11)]), progress(1, 12));

    await etcd.breakStream();
    expect(startOf(etcd)).toBe(100);
    await etcd.answer(created(1, 12), sent(1, [put('a', 99), put('a', 100)]));

    expect(revisionsOf(items)).toEqual([100]);
  });
});

describe('What a lagging or faulty member repeats (W1)', () => {
  it('is dropped, by whole revisions', async () => {
    const etcd = new FakeEtcd();
    const { items } = collect(etcd.watch.watch(prefix('a')).responses());
    await etcd.answer(created(1, 10), sent(1, [put('a', 11), put('ab', 11)]));

    await etcd.answer(sent(1, [put('a', 11), put('ab', 11), put('ac', 12)]));

    expect(items.map(({ events }) => events.map(shown))).toEqual([['put a@11', 'put ab@11'], ['put ac@12']]);
  });

  it('is dropped inside one answer too', async () => {
    const etcd = new FakeEtcd();
    const { items } = collect(etcd.watch.watch('a'));

    await etcd.answer(created(1, 10), sent(1, [put('a', 12), put('a', 11), put('a', 13)]));

    expect(revisionsOf(items)).toEqual([12, 13]);
  });

  it('makes no delivery when nothing is left of it', async () => {
    const etcd = new FakeEtcd();
    const { items } = collect(etcd.watch.watch('a').responses());
    await etcd.answer(created(1, 10), sent(1, [put('a', 11)]), sent(1, [put('a', 11)]));

    expect(typesOf(items)).toEqual(['events@11']);
  });
});

describe('Fragments (W3)', () => {
  it('are joined: a revision is delivered in one piece', async () => {
    const etcd = new FakeEtcd();
    const { items } = collect(etcd.watch.watch(prefix('a')).responses());
    await etcd.answer(created(1, 10));

    await etcd.answer(piece(1, [put('a1', 11)]), piece(1, [put('a2', 11)]), sent(1, [put('a3', 11)]));

    expect(items.map(({ events }) => events.map(shown))).toEqual([['put a1@11', 'put a2@11', 'put a3@11']]);
  });

  it('are not kept longer than needed: revisions that are complete go on at once', async () => {
    const etcd = new FakeEtcd();
    const { items } = collect(etcd.watch.watch(prefix('a')).responses());
    await etcd.answer(created(1, 10));

    await etcd.answer(piece(1, [put('a', 11), put('b', 12), put('c', 13)]));
    expect(items.map(({ events }) => revisionsOf(events))).toEqual([[11, 12]]);
    await etcd.answer(sent(1, [put('d', 13), put('e', 14)]));

    expect(items.map(({ events }) => revisionsOf(events))).toEqual([
      [11, 12],
      [13, 13, 14],
    ]);
  });

  it('of one revision each go on as soon as the next revision begins', async () => {
    const etcd = new FakeEtcd();
    const { items } = collect(etcd.watch.watch(prefix('a')).responses());
    await etcd.answer(created(1, 10));

    await etcd.answer(piece(1, [put('a', 11)]), piece(1, [put('b', 11)]), piece(1, [put('c', 12)]));

    expect(items.map(({ events }) => revisionsOf(events))).toEqual([[11, 11]]);
  });

  it('that are half there when the stream breaks are asked for again', async () => {
    const etcd = new FakeEtcd();
    const { items } = collect(etcd.watch.watch(prefix('a')).responses());
    await etcd.answer(created(1, 10), piece(1, [put('a', 11), put('a', 12)]));

    await etcd.breakStream();
    expect(startOf(etcd)).toBe(12);
    await etcd.answer(created(1, 12), sent(1, [put('a', 12), put('b', 12)]));

    expect(items.map(({ events }) => events.map(shown))).toEqual([['put a@11'], ['put a@12', 'put b@12']]);
  });

  it('hold up progress: nothing is confirmed over a piece that waits', async () => {
    const etcd = new FakeEtcd();
    const watcher = etcd.watch.watch(prefix('a'));
    await etcd.answer(created(1, 10), piece(1, [put('a', 11)]), progress(1, 15));

    expect(watcher.nextRevision).toBe(11);
  });

  it('of one revision that is larger than memory should hold end that watch alone, with a typed error', async () => {
    const etcd = new FakeEtcd({ maxRevisionBytes: 2_000 });
    const large = collect(etcd.watch.watch(prefix('a')));
    const other = etcd.watch.watch('b');
    await etcd.answer(created(1, 10), created(2, 10));

    const big = (key: string): ReturnType<typeof put> => put(key, 11, 'x'.repeat(900));
    await etcd.answer(piece(1, [big('a')]), piece(1, [big('b')]), sent(1, [big('c')]));

    expect(large.error).toMatchObject({ code: 'ETCD_MESSAGE_TOO_LARGE', limitBytes: 2_000 });
    expect(large.items).toEqual([]);
    expect(etcd.cancels()).toEqual([1]);
    expect(other.state).toBe('active');
  });
});

describe('Opening the stream again', () => {
  it('creates all watches anew without waiting for each, and tells how long it took (W6)', async () => {
    const etcd = new FakeEtcd();
    for (const key of ['a', 'b', 'c']) etcd.watch.watch(key);
    await etcd.answer(created(1, 10), created(2, 10), created(3, 10));

    etcd.stream.fail(CUT);
    await settle();
    await etcd.clock.advance(25);
    await etcd.answer(created(1, 10));
    expect(etcd.creates()).toHaveLength(3);
    await etcd.answer(created(2, 10), created(3, 10));

    expect(etcd.statuses).toEqual([
      { type: 'watch-reconnecting', watches: 3, attempt: 1, delayMs: 25, error: CUT },
      { type: 'watch-resumed', watches: 3, endpoint: 'http://fake:2379', downMs: 25 },
    ]);
    expect(etcd.watch.stats()).toMatchObject({ watches: 3, streams: 1, reconnects: 1, resumes: 3 });
  });

  it('waits longer each time, up to a second, while streams do not live', async () => {
    const etcd = new FakeEtcd({ random: () => 1 });
    etcd.watch.watch('a');
    for (let attempt = 0; attempt < 8; attempt++) {
      await etcd.answer(created(1, 10));
      await etcd.breakStream();
    }

    const delays = etcd.statuses.flatMap((status) => (status.type === 'watch-reconnecting' ? status.delayMs : []));
    expect(delays).toEqual([50, 100, 200, 400, 800, 1000, 1000, 1000]);
  });

  it('begins with short pauses again after a stream that lived', async () => {
    const etcd = new FakeEtcd({ random: () => 1 });
    etcd.watch.watch('a');
    for (let attempt = 0; attempt < 5; attempt++) await etcd.breakStream();
    await etcd.answer(created(1, 10));
    await etcd.clock.advance(2_000);

    await etcd.breakStream();

    expect(etcd.statuses.at(-1)).toMatchObject({ type: 'watch-reconnecting', attempt: 1, delayMs: 50 });
  });

  it('happens too when the server ends the stream without an error', async () => {
    const etcd = new FakeEtcd();
    const watcher = etcd.watch.watch('a');
    await etcd.answer(created(1, 10));

    etcd.stream.end();
    await settle();
    await etcd.clock.advance(2_000);
    await etcd.answer(created(1, 10));

    expect(watcher.state).toBe('active');
  });

  it('happens when a member takes the stream and never answers', async () => {
    const etcd = new FakeEtcd();
    const watcher = etcd.watch.watch('a');
    await settle();

    await etcd.clock.advance(12_000);

    expect(etcd.streams).toHaveLength(2);
    expect(etcd.streams[0]).toMatchObject({ isClosed: true, silence: 'no answer to a watch for 5000 ms' });
    expect(watcher.state).toBe('creating');
  });

  it('waits for a connection as long as it takes', async () => {
    const etcd = new FakeEtcd();
    etcd.watch.watch('a');
    etcd.stream.endpoint = undefined;

    await etcd.clock.advance(3_600_000);

    expect(etcd.streams).toHaveLength(1);
    expect(etcd.clock.pending()).not.toEqual([]); // It keeps the process alive meanwhile.
  });

  it('does not happen for a watch that was closed during the pause (C18)', async () => {
    const etcd = new FakeEtcd();
    const watcher = etcd.watch.watch('a');
    await etcd.answer(created(1, 10));
    etcd.stream.fail(CUT);
    await settle();

    await watcher.close();

    expect(etcd.clock.pending()).toEqual([]);
    await etcd.clock.advance(5_000);
    expect(etcd.streams).toHaveLength(1);
  });
});
