/** W3: progress notices move the resume point, so that a quiet watch survives a compaction; only where they can be relied on. */
import { describe, expect, it } from '@jest/globals';
import type * as wire from '../../../lib/client/rpc/generated/messages.js';
import { STATUS } from '../../../lib/client/rpc/methods.js';
import { EtcdPermissionDeniedError } from '../../../lib/client/server-errors.js';
import { answersInOrder } from '../../../lib/client/watch/progress-trust.js';
import { collect, created, FakeEtcd, header, piece, progress, put, sent, typesOf } from './fake-etcd.js';

const ALL = -1;

function statusOf(version: string, memberId = 'm1'): wire.StatusResponse {
  return { header: { ...header(10), memberId }, version } as wire.StatusResponse;
}

/** A server of this release. */
function serverOf(version: string): FakeEtcd {
  const etcd = new FakeEtcd();
  etcd.rpc.answerAlways(STATUS, statusOf(version));
  return etcd;
}

describe('A progress notice to one watch (W3)', () => {
  it('moves the resume point: a quiet watch goes on after it', async () => {
    const etcd = new FakeEtcd();
    const watcher = etcd.watch.watch('a', { startRevision: 5 });
    await etcd.answer(created(1, 10), progress(1, 40));

    await etcd.breakStream();

    expect(watcher.nextRevision).toBe(41);
    expect(etcd.creates()).toMatchObject([{ startRevision: 41 }]);
  });

  it('is handed over in `responses()` to who asked for it, and no event at or below it follows (C21)', async () => {
    const etcd = new FakeEtcd();
    const { items } = collect(etcd.watch.watch('a', { progressNotify: true }).responses());

    await etcd.answer(created(1, 10), progress(1, 12), sent(1, [put('a', 12)]), sent(1, [put('a', 13)]));

    expect(typesOf(items)).toEqual(['progress@12', 'events@13']);
    expect(items[0]).toMatchObject({ events: [], header: { revision: 12 } });
  });

  it('is kept from who did not ask, and from loops over events', async () => {
    const etcd = new FakeEtcd();
    const quiet = collect(etcd.watch.watch('a').responses());
    const events = collect(etcd.watch.watch('a', { progressNotify: true }));
    await etcd.answer(created(1, 10), created(2, 10), progress(1, 12), progress(2, 12), sent(2, [put('a', 13)]));

    expect(quiet.items).toEqual([]);
    expect(events.items).toHaveLength(1);
  });

  it('of a member that lags behind is no progress', async () => {
    const etcd = new FakeEtcd();
    const watcher = etcd.watch.watch('a', { progressNotify: true });
    const { items } = collect(watcher.responses());
    await etcd.answer(created(1, 10), sent(1, [put('a', 20)]), progress(1, 15));

    expect(watcher.nextRevision).toBe(21);
    expect(typesOf(items)).toEqual(['events@20']);
  });
});

describe('A requested notice to all watches (W3)', () => {
  it('is asked for every minute, and moves all quiet watches', async () => {
    const etcd = serverOf('3.5.16');
    const watchers = [etcd.watch.watch('a'), etcd.watch.watch('b', { startRevision: 3 })];
    await etcd.answer(created(1, 10), created(2, 10));

    await etcd.clock.advance(60_000);
    expect(etcd.progressRequests()).toBe(1);
    await etcd.answer(progress(ALL, 50));
    expect(watchers.map(({ nextRevision }) => nextRevision)).toEqual([51, 51]);
    await etcd.clock.advance(60_000);

    expect(etcd.progressRequests()).toBe(2);
    expect(etcd.rpc.requests(STATUS)).toHaveLength(1);
    expect(etcd.rpc.calls[0]?.options.endpoint).toBe('http://fake:2379');
  });

  it('comes when the user asks, to who wants to see it', async () => {
    const etcd = serverOf('3.7.1');
    const watcher = etcd.watch.watch('a', { progressNotify: true });
    const { items } = collect(watcher.responses());
    await etcd.answer(created(1, 10));

    etcd.watch.requestProgress();
    watcher.requestProgress();
    await etcd.answer();
    expect(etcd.progressRequests()).toBe(2);
    await etcd.answer(progress(ALL, 50));

    expect(typesOf(items)).toEqual(['progress@50']);
  });

  it('says nothing about a watch that was created after it was given: that one may still read history', async () => {
    const etcd = serverOf('3.5.16');
    const old = etcd.watch.watch('a', { startRevision: 2 });
    await etcd.answer(created(1, 40));
    etcd.watch.requestProgress();
    await etcd.answer();
    const young = etcd.watch.watch('b', { startRevision: 2 });

    await etcd.answer(created(2, 50), progress(ALL, 50), sent(2, [put('b', 7)], 50));

    expect(old.nextRevision).toBe(51);
    expect(young.nextRevision).toBe(8);
  });

  it('passes over a watch with half a revision', async () => {
    const etcd = serverOf('3.5.16');
    const watcher = etcd.watch.watch('a');
    await etcd.answer(created(1, 10), piece(1, [put('a', 11)]));
    etcd.watch.requestProgress();
    await etcd.answer();
    expect(etcd.progressRequests()).toBe(1);
    await etcd.answer(progress(ALL, 50));

    expect(watcher.nextRevision).toBe(11);
  });

  it.each(['3.4.23', '3.5.7', 'unreadable'])('is neither asked for nor believed of release %s', async (version) => {
    const etcd = serverOf(version);
    const watcher = etcd.watch.watch('a');
    await etcd.answer(created(1, 10));

    await etcd.clock.advance(180_000);
    await etcd.answer(progress(ALL, 50));

    expect([etcd.progressRequests(), watcher.nextRevision]).toEqual([0, 11]);
    expect(etcd.rpc.requests(STATUS)).toHaveLength(1);
  });

  it('is not believed when another member told the release', async () => {
    const etcd = new FakeEtcd();
    etcd.rpc.answerAlways(STATUS, statusOf('3.5.30', 'm2'));
    etcd.watch.watch('a');
    await etcd.answer(created(1, 10));

    await etcd.clock.advance(60_000);

    expect(etcd.progressRequests()).toBe(0);
  });

  it('is believed of a server that needs a permission to tell its release: only newer ones do', async () => {
    const etcd = new FakeEtcd();
    const denied = { reason: 'PermissionDenied', serverMessage: 'etcdserver: permission denied' };
    etcd.rpc.answerAlways(STATUS, new EtcdPermissionDeniedError(denied));
    etcd.watch.watch('a');
    await etcd.answer(created(1, 10));

    await etcd.clock.advance(60_000);

    expect(etcd.progressRequests()).toBe(1);
  });
});

describe('Releases that answer in order', () => {
  it.each(['3.4.25', '3.5.8', '3.5.30', '3.6.0', '3.6.0-rc.1', '3.10.0', '4.0.0'])('%s does', (version) => {
    expect(answersInOrder(version)).toBe(true);
  });

  it.each(['3.3.27', '3.4.0', '3.4.24', '3.5.0', '3.5.7', '', 'not decided'])('%j does not', (version) => {
    expect(answersInOrder(version)).toBe(false);
  });
});
