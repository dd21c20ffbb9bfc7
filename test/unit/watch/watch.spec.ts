/** A watch over a stream that holds: how it is asked for, what it delivers, how it is closed. */
import { getEventListeners } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { EtcdAbortedError, EtcdClosedError, EtcdInvalidArgumentError } from '../../../lib/client/errors.js';
import { allKeys, prefix } from '../../../lib/client/key-range.js';
import { settle } from '../../support/fake-clock.js';
import { canceled, collect, CUT, created, deleted, FakeEtcd, progress, put, sent, shown, stored } from './fake-etcd.js';

const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString();

describe('A watch', () => {
  it('is asked for at once, under ID 1, from now on, in whole answers, where there is a leader', async () => {
    const etcd = new FakeEtcd();

    etcd.watch.watch(prefix('jobs/'));
    await settle();

    const [create] = etcd.creates();
    expect(create).toMatchObject({
      watchId: 1,
      startRevision: 0,
      fragment: false,
      prevKv: false,
      progressNotify: false,
    });
    expect([text(create?.key), text(create?.rangeEnd)]).toEqual(['jobs/', 'jobs0']);
    expect(create?.filters).toBeUndefined();
  });

  it('sends every option over the wire', async () => {
    const etcd = new FakeEtcd();

    etcd.watch.watch('a', { startRevision: 7, prevKv: true, only: 'put', progressNotify: true, fragment: false });
    etcd.watch.watch('a', { only: 'delete', requireLeader: false });
    await settle();

    expect(etcd.creates(etcd.streams[0])).toMatchObject([
      { startRevision: 7, prevKv: true, filters: ['NODELETE'], progressNotify: true, fragment: false },
    ]);
    expect(etcd.creates(etcd.streams[1])).toMatchObject([{ filters: ['NOPUT'] }]);
  });

  it('resolves `created` with the revision after which everything is reported', async () => {
    const etcd = new FakeEtcd();
    const watcher = etcd.watch.watch('a');
    const asked = watcher.created;

    expect([watcher.state, watcher.nextRevision]).toEqual(['creating', 0]);
    await etcd.answer(created(1, 10));

    expect(await asked).toBe(10);
    expect(await watcher.created).toBe(10);
    expect([watcher.state, watcher.nextRevision]).toEqual(['active', 11]);
  });

  it('delivers events one by one, with their kind, key, value and revision', async () => {
    const etcd = new FakeEtcd();
    const watcher = etcd.watch.watch(prefix('a'));
    const { items } = collect(watcher);

    await etcd.answer(created(1, 10), sent(1, [put('a', 11, 'x'), deleted('ab', 11)]), sent(1, [put('ac', 13)]));

    expect(items.map(shown)).toEqual(['put a@11', 'delete ab@11', 'put ac@13']);
    expect(items[0]).toMatchObject({ type: 'put', isCreate: true, kv: { value: 'x' }, prevKv: undefined });
    expect(items[1]).not.toHaveProperty('isCreate');
  });

  it('tells a write of a key that existed from one that created it, and shows what was before', async () => {
    const etcd = new FakeEtcd();
    const { items } = collect(etcd.watch.watch('a', { prevKv: true }));
    const overwritten = {
      ...put('a', 12),
      kv: { ...stored('a', 12), createRevision: 5 },
      prevKv: stored('a', 5, 'old'),
    };

    await etcd.answer(created(1, 10), sent(1, [overwritten]));

    expect(items[0]).toMatchObject({ type: 'put', isCreate: false, prevKv: { value: 'old', modRevision: 5 } });
  });

  it('delivers whole revisions by `responses()`, with the header they came with', async () => {
    const etcd = new FakeEtcd();
    const { items } = collect(etcd.watch.watch(prefix('a')).responses());

    await etcd.answer(created(1, 10), sent(1, [put('a', 11), put('b', 11), put('c', 12)], 40));

    expect(items).toHaveLength(1);
    expect(items[0]).toMatchObject({ type: 'events', revision: 12, header: { revision: 40 } });
    expect(items[0]?.events.map(shown)).toEqual(['put a@11', 'put b@11', 'put c@12']);
  });

  it('keeps what comes before somebody reads', async () => {
    const etcd = new FakeEtcd();
    const watcher = etcd.watch.watch('a');
    await etcd.answer(created(1, 10), sent(1, [put('a', 11)]), sent(1, [put('a', 12)]));

    const { items } = collect(watcher);
    await settle();

    expect(items.map(shown)).toEqual(['put a@11', 'put a@12']);
  });

  it('answers several `next()` that wait at once, each with its own event', async () => {
    const etcd = new FakeEtcd();
    const loop = etcd.watch.watch('a')[Symbol.asyncIterator]();
    const waiting = [loop.next(), loop.next()];

    await etcd.answer(created(1, 10), sent(1, [put('a', 11), put('a', 12)]));

    const results = await Promise.all(waiting);
    expect(results.map(({ value }) => value?.revision)).toEqual([11, 12]);
  });

  it('refuses a second loop', () => {
    const watcher = new FakeEtcd().watch.watch('a');
    watcher.responses();

    expect(() => watcher[Symbol.asyncIterator]()).toThrow(EtcdInvalidArgumentError);
  });

  it.each([
    ['a negative revision', { startRevision: -1 }],
    ['a revision that is no whole number', { startRevision: 1.5 }],
    ['a revision no number can hold', { startRevision: 2 ** 53 }],
    ['a revision to go on after that is none', { afterRevision: 0 }],
    ['a revision to go on after that has no next one', { afterRevision: Number.MAX_SAFE_INTEGER }],
    ['two places to start at', { startRevision: 5, afterRevision: 4 }],
    ['an empty buffer', { maxBufferedRevisions: 0 }],
    ['a filter that does not exist', { only: 'lease' as 'put' }],
  ])('refuses %s before anything is sent', (_what, options) => {
    const etcd = new FakeEtcd();

    expect(() => etcd.watch.watch('a', options)).toThrow(EtcdInvalidArgumentError);
    expect(etcd.streams).toEqual([]);
  });

  it('keeps its key although the caller changes the array it came in', async () => {
    const etcd = new FakeEtcd();
    const key = new Uint8Array([97]);

    etcd.watch.watch(key);
    key[0] = 98;
    await etcd.breakStream();

    expect(text(etcd.creates()[0]?.key)).toBe('a');
  });

  it('reads no more than the range has: a range to the end goes over as one zero byte', async () => {
    const etcd = new FakeEtcd();
    etcd.watch.watch(allKeys());
    await settle();

    expect([...(etcd.creates()[0]?.rangeEnd ?? [])]).toEqual([0]);
  });
});

describe('Watches that share a stream (W3)', () => {
  it('are created without waiting for each other, once the server has shown that it takes our IDs', async () => {
    const etcd = new FakeEtcd();
    const watchers = ['a', 'b', 'c', 'd'].map((key) => etcd.watch.watch(key));
    await settle();
    expect(etcd.creates().map(({ watchId }) => watchId)).toEqual([1]);

    await etcd.answer(created(1, 10));
    expect(etcd.creates().map(({ watchId }) => watchId)).toEqual([1, 2, 3, 4]);
    await etcd.answer(created(2, 10), created(3, 10), created(4, 10));

    expect(etcd.streams).toHaveLength(1);
    expect(watchers.map(({ state }) => state)).toEqual(['active', 'active', 'active', 'active']);
  });

  it('each get their own events (C25)', async () => {
    const etcd = new FakeEtcd();
    const one = collect(etcd.watch.watch(prefix('a')));
    const other = collect(etcd.watch.watch(prefix('ab')));

    await etcd.answer(created(1, 10), created(2, 10));
    await etcd.answer(sent(1, [put('abc', 11)]), sent(2, [put('abc', 11)]), sent(1, [put('ax', 12)]));

    expect(one.items.map(shown)).toEqual(['put abc@11', 'put ax@12']);
    expect(other.items.map(shown)).toEqual(['put abc@11']);
  });

  it('never wait for the reader of another one', async () => {
    const etcd = new FakeEtcd();
    etcd.watch.watch('slow');
    const quick = collect(etcd.watch.watch('quick'));
    await etcd.answer(created(1, 10), created(2, 10));

    await etcd.answer(sent(1, [put('slow', 11)]), sent(1, [put('slow', 12)]), sent(2, [put('quick', 13)]));

    expect(quick.items.map(shown)).toEqual(['put quick@13']);
  });

  it('take the IDs that a proxy gives instead of ours, one watch at a time', async () => {
    const etcd = new FakeEtcd();
    const watchers = ['a', 'b'].map((key) => collect(etcd.watch.watch(key)));
    await etcd.answer(created(0, 10));
    expect(etcd.creates()).toHaveLength(2);
    await etcd.answer(created(1, 10));

    await etcd.answer(sent(0, [put('a', 11)]), sent(1, [put('b', 12)]));

    expect(watchers.map(({ items }) => items.map(shown))).toEqual([['put a@11'], ['put b@12']]);
  });

  it('use a stream of another kind where no leader is required, and one of their own where it is asked for', async () => {
    const etcd = new FakeEtcd();
    const opened: boolean[] = [];
    const open = etcd.rpc.duplex.bind(etcd.rpc);
    etcd.rpc.duplex = (method, options) => {
      opened.push(options?.requireLeader === true);
      return open(method, options);
    };

    etcd.watch.watch('a');
    etcd.watch.watch('b');
    etcd.watch.watch('c', { requireLeader: false });
    etcd.watch.watch('d', { ownStream: true });
    await settle();

    expect(opened).toEqual([true, false, true]);
  });

  it('cancels, once, what comes for an ID it does not know', async () => {
    const etcd = new FakeEtcd();
    etcd.watch.watch('a');
    await etcd.answer(created(1, 10), sent(99, [put('x', 11)]), sent(99, [put('x', 12)]), canceled(99));

    expect(etcd.cancels()).toEqual([99]);
  });
});

describe('Closing a watch (C18)', () => {
  it('ends its loop, and the watch on the server', async () => {
    const etcd = new FakeEtcd();
    const watcher = etcd.watch.watch('a');
    etcd.watch.watch('other');
    const loop = collect(watcher);
    await etcd.answer(created(1, 10), created(2, 10));

    await watcher.close();
    await settle();

    expect([loop.isDone, loop.error, watcher.state]).toEqual([true, undefined, 'ended']);
    expect(etcd.cancels()).toEqual([1]);
  });

  it('drops what the server sends until it has heard of it', async () => {
    const etcd = new FakeEtcd();
    const watcher = etcd.watch.watch('a');
    etcd.watch.watch('other');
    const { items } = collect(watcher);
    await etcd.answer(created(1, 10), created(2, 10));

    await watcher.close();
    await etcd.answer(sent(1, [put('a', 11)]), progress(1, 12), canceled(1));

    expect(items).toEqual([]);
    expect(etcd.cancels()).toEqual([1]);
  });

  it('twice is fine', async () => {
    const etcd = new FakeEtcd();
    const watcher = etcd.watch.watch('a');
    await etcd.answer(created(1, 10));

    await watcher.close();
    await watcher.close();
    await watcher[Symbol.asyncDispose]();

    expect(etcd.watch.stats().watches).toBe(0);
  });

  it('happens when its loop is left', async () => {
    const etcd = new FakeEtcd();
    const watcher = etcd.watch.watch('a');
    await etcd.answer(created(1, 10), sent(1, [put('a', 11), put('a', 12)]));

    for await (const event of watcher) {
      expect(event.revision).toBe(11);
      break;
    }

    expect(watcher.state).toBe('ended');
    expect(etcd.stream.isClosed).toBe(true);
  });

  it('ends a loop that waits, although nothing comes', async () => {
    const loop = new FakeEtcd().watch.watch('a')[Symbol.asyncIterator]();
    const waiting = loop.next();

    await loop.return?.();

    expect(await waiting).toEqual({ done: true, value: undefined });
  });

  it('before it is created rejects `created`, and cancels it as soon as its ID is known', async () => {
    const etcd = new FakeEtcd();
    const watcher = etcd.watch.watch('a');
    const other = etcd.watch.watch('other');
    const created1 = watcher.created;
    await settle();

    await watcher.close();
    await expect(created1).rejects.toThrow('closed before the server had created it');
    await etcd.answer(created(1, 10), created(2, 10));

    expect(etcd.cancels()).toEqual([1]);
    expect(other.state).toBe('active');
  });

  it('before its turn came sends nothing for it', async () => {
    const etcd = new FakeEtcd();
    etcd.watch.watch('first');
    const watcher = etcd.watch.watch('second');
    await settle();

    await watcher.close();
    await etcd.answer(created(1, 10));

    expect(etcd.creates()).toHaveLength(1);
  });

  it('closes the stream with the last of its watches, and leaves no timer', async () => {
    const etcd = new FakeEtcd();
    const [one, other] = [etcd.watch.watch('a'), etcd.watch.watch('b')];
    await etcd.answer(created(1, 10), created(2, 10));

    await one.close();
    expect(etcd.stream.isClosed).toBe(false);
    await other.close();

    expect(etcd.stream.isClosed).toBe(true);
    expect(etcd.clock.pending()).toEqual([]);
    expect(etcd.watch.stats()).toMatchObject({ watches: 0, streams: 0 });
  });

  it('makes the next watch open a stream of its own again', async () => {
    const etcd = new FakeEtcd();
    await etcd.watch.watch('a').close();

    const watcher = etcd.watch.watch('b');
    await etcd.answer(created(1, 10));

    expect([etcd.streams.length, watcher.state]).toEqual([2, 'active']);
  });

  it('by its signal throws EtcdAbortedError with the reason, and drops what was not read', async () => {
    const etcd = new FakeEtcd();
    const abort = new AbortController();
    const watcher = etcd.watch.watch('a', { signal: abort.signal });
    await etcd.answer(created(1, 10), sent(1, [put('a', 11)]));

    abort.abort('enough');
    const loop = collect(watcher);
    await settle();

    expect(loop.items).toEqual([]);
    expect(loop.error).toBeInstanceOf(EtcdAbortedError);
    expect(loop.error?.cause).toBe('enough');
  });

  it('leaves no listener on its signal, and many watches put one there', async () => {
    const etcd = new FakeEtcd();
    const { signal } = new AbortController();
    const watchers = ['a', 'b', 'c'].map((key) => etcd.watch.watch(key, { signal }));
    const listeners = getEventListeners(signal, 'abort').length;

    await Promise.all(watchers.map((watcher) => watcher.close()));

    expect([listeners, getEventListeners(signal, 'abort').length]).toEqual([1, 0]);
  });

  it('by a signal that had aborted before asks for nothing', async () => {
    const etcd = new FakeEtcd();
    const watcher = etcd.watch.watch('a', { signal: AbortSignal.abort() });

    await expect(watcher.created).rejects.toThrow(EtcdAbortedError);
    expect(etcd.streams).toEqual([]);
  });
});

describe('Closing the service (C8)', () => {
  it('ends all watches with EtcdClosedError, whatever they are doing, and leaves no timer', async () => {
    const etcd = new FakeEtcd();
    const loops = [collect(etcd.watch.watch('a')), collect(etcd.watch.watch('b', { requireLeader: false }))];
    const unread = etcd.watch.watch('c');
    await settle();
    await etcd.answer(created(1, 10));
    etcd.streams[0]!.fail(CUT);
    await settle();

    etcd.watch.close();
    await settle();

    expect(loops.map(({ error }) => error)).toEqual([expect.any(EtcdClosedError), expect.any(EtcdClosedError)]);
    await expect(unread.created).rejects.toThrow(EtcdClosedError);
    expect(etcd.streams.every(({ isClosed }, index) => isClosed || index === 0)).toBe(true);
    expect(etcd.clock.pending()).toEqual([]);
  });

  it('makes later watches end at once', async () => {
    const etcd = new FakeEtcd();
    etcd.watch.close();

    const loop = collect(etcd.watch.watch('a'));
    await settle();

    expect(loop.error).toBeInstanceOf(EtcdClosedError);
    expect(etcd.streams).toEqual([]);
  });
});
