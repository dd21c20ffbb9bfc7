/** W5: a snapshot, then every change, and a new snapshot where the history between is gone. */
import { describe, expect, it } from '@jest/globals';
import {
  EtcdAbortedError,
  EtcdClosedError,
  EtcdInvalidArgumentError,
  EtcdMessageTooLargeError,
  EtcdUnavailableError,
} from '../../../lib/client/errors.js';
import { prefix } from '../../../lib/client/key-range.js';
import { RANGE } from '../../../lib/client/rpc/methods.js';
import { EtcdCompactedError, EtcdPermissionDeniedError } from '../../../lib/client/server-errors.js';
import type { FollowBatch } from '../../../lib/client/watch/follow.js';
import { settle } from '../../support/fake-clock.js';
import { canceled, collect, created, deleted, FakeEtcd, page, progress, put, sent, shown } from './fake-etcd.js';

const compacted = new EtcdCompactedError({ reason: 'Compacted', serverMessage: 'compacted' });
const denied = new EtcdPermissionDeniedError({ reason: 'PermissionDenied', serverMessage: 'permission denied' });

describe('Following a range (W5)', () => {
  it('gives the whole range at one revision, then every change from the next revision on', async () => {
    const etcd = new FakeEtcd();
    etcd.rpc.answer(RANGE, page(20, ['c/a', 'c/b']));
    const { items } = collect(etcd.watch.follow(prefix('c/')));
    await settle();

    expect(etcd.creates()).toMatchObject([{ startRevision: 21, progressNotify: true }]);
    await etcd.answer(created(1, 25), sent(1, [put('c/c', 21), deleted('c/a', 22)], 25));

    expect(items.map(shown)).toEqual(['reset(start)@20 c/a,c/b', 'put c/c@21', 'delete c/a@22']);
  });

  it('asks for nothing before somebody reads', async () => {
    const etcd = new FakeEtcd();
    const follower = etcd.watch.follow(prefix('c/'));
    await settle();

    expect(etcd.rpc.calls).toEqual([]);
    await follower.close();
  });

  it('reads large ranges in pages, all at the revision of the first', async () => {
    const etcd = new FakeEtcd();
    etcd.rpc.answer(RANGE, page(20, ['c/a'], { more: true }), page(90, ['c/b'], { more: true }), page(95, ['c/c']));
    const { items } = collect(etcd.watch.follow(prefix('c/')));
    await settle();

    expect(items.map(shown)).toEqual(['reset(start)@20 c/a,c/b,c/c']);
    const asked = etcd.rpc.requests(RANGE).map(({ key, revision }) => [Buffer.from(key!).toString(), revision]);
    expect(asked).toEqual([
      ['c/', undefined],
      ['c/a\0', 20],
      ['c/b\0', 20],
    ]);
    expect(etcd.creates()).toMatchObject([{ startRevision: 21 }]);
  });

  it('asks for half of a page that is too large, down to one key', async () => {
    const etcd = new FakeEtcd();
    const tooLarge = new EtcdMessageTooLargeError('response', 100, 'too large');
    etcd.rpc.answer(RANGE, tooLarge, tooLarge, page(20, ['c/a']));
    const { items } = collect(etcd.watch.follow(prefix('c/')));
    await settle();

    expect(items.map(shown)).toEqual(['reset(start)@20 c/a']);
    expect(etcd.rpc.requests(RANGE).map(({ limit }) => limit)).toEqual([100, 50, 25]);
  });

  it('begins the pages anew when their revision is compacted between two of them', async () => {
    const etcd = new FakeEtcd();
    etcd.rpc.answer(RANGE, page(20, ['c/a'], { more: true }), compacted, page(50, ['c/z']));
    const { items } = collect(etcd.watch.follow(prefix('c/')));
    await etcd.clock.advance(1_000);

    expect(items.map(shown)).toEqual(['reset(start)@50 c/z']);
  });

  it('waits out an outage before the first snapshot', async () => {
    const etcd = new FakeEtcd();
    const away = new EtcdUnavailableError('no endpoint can be used');
    etcd.rpc.answer(RANGE, away, away, away, page(20, ['c/a']));
    const loop = collect(etcd.watch.follow(prefix('c/')));
    await etcd.clock.advance(5_000);

    expect([loop.items.map(shown), loop.isDone]).toEqual([['reset(start)@20 c/a'], false]);
  });

  it('reads the range anew when changes were compacted: a key that went away meanwhile is not in it', async () => {
    const etcd = new FakeEtcd();
    etcd.rpc.answer(RANGE, page(20, ['c/a', 'c/b']), page(90, ['c/b', 'c/n']));
    const { items } = collect(etcd.watch.follow(prefix('c/')));
    await settle();
    await etcd.answer(created(1, 20));
    await etcd.breakStream();

    await etcd.answer(created(1, 90), canceled(1, { compactRevision: 80 }));
    await etcd.clock.advance(2_000);
    expect(etcd.creates().at(-1)).toMatchObject({ startRevision: 91 });
    await etcd.answer(created(1, 91), sent(1, [put('c/x', 91)]));

    expect(items.map(shown)).toEqual(['reset(start)@20 c/a,c/b', 'reset(compacted)@90 c/b,c/n', 'put c/x@91']);
  });

  it('reads the range anew when another cluster answers', async () => {
    const etcd = new FakeEtcd();
    etcd.rpc.answer(RANGE, page(20, ['c/a']), page(5, ['c/r']));
    const { items } = collect(etcd.watch.follow(prefix('c/')));
    await settle();

    await etcd.answer(created(1, 5, 'other'));
    await etcd.clock.advance(2_000);

    expect(items.map(shown)).toEqual(['reset(start)@20 c/a', 'reset(history-lost)@5 c/r']);
  });

  it('reads the range anew when the store went back between the snapshot and the watch', async () => {
    const etcd = new FakeEtcd();
    etcd.rpc.answer(RANGE, page(20, ['c/a'])).answerAlways(RANGE, page(5, ['c/r']));
    const { items } = collect(etcd.watch.follow(prefix('c/')));
    await settle();

    await etcd.answer(created(1, 5));
    await etcd.clock.advance(5_000);

    expect(items.map(shown)).toEqual(['reset(start)@20 c/a', 'reset(history-lost)@5 c/r']);
  });

  it('is not read in a rush when compaction is quicker', async () => {
    const etcd = new FakeEtcd({ random: () => 1 });
    etcd.rpc.answerAlways(RANGE, page(20, ['c/a']));
    const loop = collect(etcd.watch.follow(prefix('c/')));
    for (let round = 0; round < 20; round++) {
      await settle();
      if (etcd.watch.stats().watches > 0) await etcd.answer(created(1, 30), canceled(1, { compactRevision: 25 }));
      await etcd.clock.advance(250);
    }

    expect(loop.items.length).toBeLessThan(10);
    expect(loop.isDone).toBe(false);
  });

  it('is read anew without much of a pause when changes had come in between', async () => {
    const etcd = new FakeEtcd({ random: () => 1 });
    etcd.rpc.answerAlways(RANGE, page(20, ['c/a']));
    const loop = collect(etcd.watch.follow(prefix('c/')));
    for (let round = 0; round < 5; round++) {
      await settle();
      await etcd.answer(created(1, 30), sent(1, [put('c/a', 21)]), canceled(1, { compactRevision: 25 }));
      await etcd.clock.advance(50);
    }

    expect(loop.items.filter(({ type }) => type === 'reset')).toHaveLength(6);
  });

  it('gives whole revisions and progress by `batches()`', async () => {
    const etcd = new FakeEtcd();
    etcd.rpc.answer(RANGE, page(20, []));
    const { items } = collect(etcd.watch.follow(prefix('c/')).batches());
    await settle();

    await etcd.answer(created(1, 20), sent(1, [put('c/a', 21), put('c/b', 21)]), progress(1, 30));

    const seen = items.map((batch: FollowBatch) => `${batch.type}@${batch.revision}`);
    expect(seen).toEqual(['reset@20', 'events@21', 'progress@30']);
  });

  it('passes options on', async () => {
    const etcd = new FakeEtcd();
    etcd.rpc.answer(RANGE, page(20, []));
    collect(etcd.watch.follow('c', { prevKv: true, maxBufferedRevisions: 1 }));
    await settle();

    expect(etcd.creates()).toMatchObject([{ prevKv: true, startRevision: 21 }]);
  });
});

describe('The end of following', () => {
  it('is what reading anew does not mend', async () => {
    const etcd = new FakeEtcd();
    etcd.rpc.answer(RANGE, denied);
    const loop = collect(etcd.watch.follow(prefix('c/')));
    await settle();

    expect(loop.error).toBe(denied);
  });

  it('comes with the loop: leaving it ends the watch', async () => {
    const etcd = new FakeEtcd();
    etcd.rpc.answer(RANGE, page(20, ['c/a']));
    const loop = etcd.watch.follow(prefix('c/'))[Symbol.asyncIterator]();
    await loop.next();
    const waiting = loop.next();
    await etcd.answer(created(1, 20));

    await loop.return?.();

    expect(await waiting).toEqual({ done: true, value: undefined });
    expect([etcd.watch.stats().watches, etcd.stream.isClosed, etcd.clock.pending()]).toEqual([0, true, []]);
  });

  it('comes with `close()` after the snapshot, before any watch', async () => {
    const etcd = new FakeEtcd();
    etcd.rpc.answer(RANGE, page(20, ['c/a']));
    const follower = etcd.watch.follow(prefix('c/'));
    const loop = follower[Symbol.asyncIterator]();
    await loop.next();

    await follower.close();

    expect(await loop.next()).toEqual({ done: true, value: undefined });
    expect([etcd.streams.length, etcd.watch.stats().watches]).toEqual([0, 0]);
  });

  it('comes with `close()`, also while it waits to try again', async () => {
    const etcd = new FakeEtcd();
    etcd.rpc.answerAlways(RANGE, new EtcdUnavailableError('no endpoint can be used'));
    const follower = etcd.watch.follow(prefix('c/'));
    const loop = collect(follower);
    await settle();

    await follower.close();
    await settle();

    expect([loop.isDone, loop.error, etcd.clock.pending()]).toEqual([true, undefined, []]);
  });

  it('comes with its signal, as EtcdAbortedError', async () => {
    const etcd = new FakeEtcd();
    etcd.rpc.answer(RANGE, page(20, []));
    const abort = new AbortController();
    const loop = collect(etcd.watch.follow(prefix('c/'), { signal: abort.signal }));
    await settle();

    abort.abort('enough');
    await settle();

    expect(loop.error).toBeInstanceOf(EtcdAbortedError);
    expect(loop.error?.cause).toBe('enough');
  });

  it('comes with the client, as EtcdClosedError', async () => {
    const etcd = new FakeEtcd();
    etcd.rpc.answerAlways(RANGE, new EtcdUnavailableError('no endpoint can be used'));
    const loop = collect(etcd.watch.follow(prefix('c/')));
    await settle();

    etcd.watch.close();
    await settle();
    const late = collect(etcd.watch.follow(prefix('c/')));
    await settle();

    expect([loop.error, late.error]).toEqual([expect.any(EtcdClosedError), expect.any(EtcdClosedError)]);
    expect(etcd.clock.pending()).toEqual([]);
  });

  it('refuses a second loop', () => {
    const follower = new FakeEtcd().watch.follow('c');
    follower.batches();

    expect(() => follower[Symbol.asyncIterator]()).toThrow(EtcdInvalidArgumentError);
  });
});
