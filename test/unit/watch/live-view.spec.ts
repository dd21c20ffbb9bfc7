/** A live view: a range in memory, up to date, that says so when it no longer is. */
import { describe, expect, it } from '@jest/globals';
import { EtcdAbortedError, EtcdDeadlineExceededError, EtcdUnavailableError } from '../../../lib/client/errors.js';
import { prefix } from '../../../lib/client/key-range.js';
import type * as wire from '../../../lib/client/rpc/generated/messages.js';
import { RANGE, STATUS } from '../../../lib/client/rpc/methods.js';
import { EtcdPermissionDeniedError } from '../../../lib/client/server-errors.js';
import type { LiveView } from '../../../lib/client/watch/live-view.js';
import type { ViewChange } from '../../../lib/client/watch/view-changes.js';
import { settle } from '../../support/fake-clock.js';
import {
  canceled,
  collect,
  created,
  deleted,
  FakeEtcd,
  header,
  page,
  progress,
  put,
  sent,
  shown,
} from './fake-etcd.js';

/** A view of what the first answer tells, with its watch in place. */
async function live(etcd: FakeEtcd, revision = 20, keys: readonly string[] = ['c/a', 'c/b']): Promise<LiveView> {
  etcd.rpc.answer(RANGE, page(revision, keys));
  const view = etcd.watch.view(prefix('c/'));
  await settle();
  await etcd.answer(created(1, revision));
  return view;
}

/** The error of a promise; handled from the start. */
const outcomeOf = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error);

const shownView = (view: LiveView): string[] => [...view].map(([key, kv]) => `${key}=${kv.value}`);

describe('A live view', () => {
  it('is empty until it is ready, then holds the range', async () => {
    const etcd = new FakeEtcd();
    etcd.rpc.answer(RANGE, page(20, ['c/b', 'c/a']));
    const view = etcd.watch.view(prefix('c/'));
    expect([view.size, view.get('c/a'), view.revision]).toEqual([0, undefined, 0]);

    await view.ready;

    expect([view.size, view.revision, view.has('c/a'), view.has('c/x')]).toEqual([2, 20, true, false]);
    expect(view.get('c/a')).toMatchObject({ key: 'c/a', value: 'v2', modRevision: 2 });
  });

  it('follows changes without a round trip, in the order of the keys', async () => {
    const etcd = new FakeEtcd();
    const view = await live(etcd);

    await etcd.answer(sent(1, [put('c/c', 21), put('c/a', 22, 'new')]), sent(1, [deleted('c/b', 23)]));

    expect(shownView(view)).toEqual(['c/a=new', 'c/c=v21']);
    expect([[...view.keys()], [...view.values()].map(({ modRevision }) => modRevision)]).toEqual([
      ['c/a', 'c/c'],
      [22, 21],
    ]);
    expect([view.revision, view.size]).toEqual([23, 2]);
    expect(etcd.rpc.calls).toHaveLength(1);
  });

  it('tells keys apart that are no text', async () => {
    const etcd = new FakeEtcd();
    const view = await live(etcd, 20, []);
    const key = (byte: number): Uint8Array => Buffer.from([0x63, 0x2f, byte]);
    const binary = (byte: number, revision: number): wire.Event => {
      const event = put('x', revision);
      return { ...event, kv: { ...event.kv!, key: key(byte) } };
    };

    await etcd.answer(sent(1, [binary(0xff, 21), binary(0xfe, 22)]));

    expect(view.size).toBe(2);
    expect([view.get(key(0xff))?.modRevision, view.get(key(0xfe))?.modRevision]).toEqual([21, 22]);
    expect([...view.values()].map(({ modRevision }) => modRevision)).toEqual([22, 21]);
  });

  it('replaces everything when it had to read anew: nothing that was deleted meanwhile stays', async () => {
    const etcd = new FakeEtcd();
    const view = await live(etcd);
    etcd.rpc.answer(RANGE, page(90, ['c/b', 'c/n']));

    await etcd.answer(canceled(1, { compactRevision: 80 }));
    await etcd.clock.advance(2_000);

    expect([[...view.keys()], view.revision]).toEqual([['c/b', 'c/n'], 90]);
  });

  it('keeps what it knew during an outage', async () => {
    const etcd = new FakeEtcd();
    const view = await live(etcd);
    etcd.stream.fail(new EtcdUnavailableError('cut'));
    await settle();

    expect([...view.keys()]).toEqual(['c/a', 'c/b']);
  });

  it('keeps no message alive over one of its values', async () => {
    const etcd = new FakeEtcd();
    const message = Buffer.alloc(100_000, 'x');
    const event = put('c/z', 21);
    const view = await live(etcd);
    await etcd.answer(sent(1, [{ ...event, kv: { ...event.kv!, value: message.subarray(0, 3) } }]));

    expect(view.get('c/z')?.value).toBe('xxx');
    expect(view.get('c/z')?.valueBytes.buffer.byteLength).toBe(3);
  });

  it('throws why, rather than tell what is no longer true, once it cannot be kept up to date', async () => {
    const etcd = new FakeEtcd();
    const view = await live(etcd);
    await etcd.answer(
      canceled(1, { cancelReason: 'rpc error: code = PermissionDenied desc = etcdserver: permission denied' }),
    );

    const code = { code: 'ETCD_PERMISSION_DENIED' };
    for (const read of [() => view.get('c/a'), () => view.has('c/a'), () => view.size, () => [...view]]) {
      expect(read).toThrow(expect.objectContaining(code));
    }
    await expect(view.waitForRevision(1)).rejects.toMatchObject(code);
    const loop = collect(view);
    await settle();
    expect(loop.error).toMatchObject(code);
  });

  it('rejects `ready` when the range cannot be read', async () => {
    const etcd = new FakeEtcd();
    etcd.rpc.answer(RANGE, new EtcdPermissionDeniedError({ reason: 'PermissionDenied', serverMessage: 'denied' }));

    await expect(etcd.watch.view(prefix('c/')).ready).rejects.toMatchObject({ code: 'ETCD_PERMISSION_DENIED' });
  });

  it('can be read after it was closed, and leaves nothing behind', async () => {
    const etcd = new FakeEtcd();
    const view = await live(etcd);
    const loop = collect(view);

    await view.close();
    await view[Symbol.asyncDispose]();
    await settle();

    expect(view.get('c/a')?.value).toBe('v2');
    expect([loop.isDone, loop.error]).toEqual([true, undefined]);
    await expect(view.waitForRevision(50)).rejects.toThrow('the view was closed');
    expect([etcd.watch.stats().watches, etcd.clock.pending()]).toEqual([0, []]);
  });

  it('rejects `ready` when it is closed before', async () => {
    const etcd = new FakeEtcd();
    etcd.rpc.answer(RANGE, () => new Promise(() => undefined));
    const view = etcd.watch.view(prefix('c/'));

    await view.close();

    await expect(view.ready).rejects.toBeInstanceOf(EtcdAbortedError);
  });
});

describe('A loop over the changes of a view', () => {
  it('begins with the whole content', async () => {
    const etcd = new FakeEtcd();
    const view = await live(etcd);
    const first = collect(view);
    await etcd.answer(sent(1, [put('c/c', 21)]));
    const second = collect(view);
    await etcd.answer(sent(1, [deleted('c/a', 22)]));

    expect(first.items.map(shown)).toEqual(['reset(start)@20 c/a,c/b', 'put c/c@21', 'delete c/a@22']);
    expect(second.items.map(shown)).toEqual(['reset(start)@21 c/a,c/b,c/c', 'delete c/a@22']);
  });

  it('that begins before the view is ready gets the content once', async () => {
    const etcd = new FakeEtcd();
    etcd.rpc.answer(RANGE, page(20, ['c/a']));
    const { items } = collect(etcd.watch.view(prefix('c/')));
    await settle();

    expect(items.map(shown)).toEqual(['reset(start)@20 c/a']);
  });

  it('sees the content as new as the change it gets', async () => {
    const etcd = new FakeEtcd();
    const view = await live(etcd);
    const loop = view[Symbol.asyncIterator]();
    await loop.next();
    const waiting = loop.next();

    await etcd.answer(sent(1, [put('c/x', 21), put('c/y', 21)]));
    await waiting;

    expect([view.has('c/x'), view.has('c/y'), view.revision]).toEqual([true, true, 21]);
  });

  it('that falls behind gets the content as a whole instead (W4)', async () => {
    const etcd = new FakeEtcd();
    const view = await live(etcd);
    const loop = view[Symbol.asyncIterator]();
    for (let revision = 21; revision < 1_100; revision++) await etcd.answer(sent(1, [put('c/a', revision)]));

    const { value: first } = (await loop.next()) as IteratorYieldResult<ViewChange>;
    await etcd.answer(sent(1, [put('c/b', 1_100)]));
    const { value: second } = (await loop.next()) as IteratorYieldResult<ViewChange>;

    expect([shown(first), shown(second)]).toEqual(['reset(behind)@1099 c/a,c/b', 'put c/b@1100']);
  });

  it('can be left without ending the view', async () => {
    const etcd = new FakeEtcd();
    const view = await live(etcd);
    const waitingLoop = view[Symbol.asyncIterator]();
    await waitingLoop.next();
    const waiting = waitingLoop.next();
    for await (const change of view) {
      expect(change.type).toBe('reset');
      break;
    }

    await waitingLoop.return?.();
    await etcd.answer(sent(1, [put('c/z', 21)]));

    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(view.has('c/z')).toBe(true);
  });
});

describe('Waiting for a revision', () => {
  it('ends at once when the view is as new, and with the change that makes it so', async () => {
    const etcd = new FakeEtcd();
    const view = await live(etcd);
    await view.waitForRevision(20);
    const waiting = view.waitForRevision(22);

    await etcd.answer(sent(1, [put('c/z', 23)]));
    await waiting;

    expect(view.has('c/z')).toBe(true);
  });

  it('waits for a view that is not ready yet', async () => {
    const etcd = new FakeEtcd();
    etcd.rpc.answer(RANGE, page(20, ['c/a']));
    const view = etcd.watch.view(prefix('c/'));

    await view.waitForRevision(0);

    expect(view.size).toBe(1);
  });

  it('asks for progress when nothing changes in the range', async () => {
    const etcd = new FakeEtcd();
    etcd.rpc.answerAlways(STATUS, { header: header(10), version: '3.5.30' } as wire.StatusResponse);
    const view = await live(etcd);

    const waiting = view.waitForRevision(22);
    await settle();
    expect(etcd.progressRequests()).toBe(1);
    await etcd.answer(progress(-1, 30));
    await waiting;

    expect(view.revision).toBe(30);
  });

  it('reads where progress cannot be had: no key written since, and as many keys, is no change', async () => {
    const etcd = new FakeEtcd();
    etcd.rpc.answerAlways(STATUS, { header: header(10), version: '3.4.23' } as wire.StatusResponse);
    const view = await live(etcd);
    etcd.rpc.answer(RANGE, page(30, [], { count: 2 }));

    const waiting = view.waitForRevision(22);
    await etcd.clock.advance(300);
    await waiting;

    expect(view.revision).toBe(30);
    expect(etcd.rpc.requests(RANGE).at(-1)).toMatchObject({ minModRevision: 21, limit: 1, keysOnly: true });
  });

  it.each([
    ['a key was deleted', page(30, [], { count: 1 })],
    ['a key was written', page(30, ['c/a'], { count: 2 })],
  ])('is not fooled when %s', async (_what, answer) => {
    const etcd = new FakeEtcd();
    etcd.rpc.answerAlways(STATUS, { header: header(10), version: '3.4.23' } as wire.StatusResponse);
    const view = await live(etcd);
    etcd.rpc.answerAlways(RANGE, answer);

    const waiting = outcomeOf(view.waitForRevision(22, { timeoutMs: 1_000 }));
    await etcd.clock.advance(1_000);

    expect(await waiting).toBeInstanceOf(EtcdDeadlineExceededError);
    expect(view.revision).toBe(20);
  });

  it('ends with an error that tells how far the view is, and leaves no timer of its own', async () => {
    const etcd = new FakeEtcd({ callTimeoutMs: 400 });
    etcd.rpc.answerAlways(STATUS, { header: header(10), version: '3.5.30' } as wire.StatusResponse);
    const view = await live(etcd);
    etcd.rpc.answerAlways(RANGE, new EtcdUnavailableError('no endpoint can be used'));
    const timers = etcd.clock.pending().length;

    const waiting = outcomeOf(view.waitForRevision(99));
    await etcd.clock.advance(400);

    expect(String(await waiting)).toContain('waiting for the view to reach revision 99; it is at 20');
    expect(etcd.clock.pending()).toHaveLength(timers);
  });

  it('ends with its signal', async () => {
    const etcd = new FakeEtcd();
    const view = await live(etcd);
    const abort = new AbortController();
    const waiting = view.waitForRevision(99, { signal: abort.signal });

    abort.abort('enough');

    await expect(waiting).rejects.toMatchObject({ code: 'ETCD_ABORTED', cause: 'enough' });
    await expect(view.waitForRevision(99, { signal: abort.signal })).rejects.toThrow(EtcdAbortedError);
  });
});
