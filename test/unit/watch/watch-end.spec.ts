/** W2: the end of a watch has a reason, and is its own. */
import { describe, expect, it } from '@jest/globals';
import {
  EtcdClosedError,
  type EtcdError,
  EtcdMessageTooLargeError,
  EtcdProtocolError,
  EtcdUnavailableError,
} from '../../../lib/client/errors.js';
import { prefix } from '../../../lib/client/key-range.js';
import { WATCH } from '../../../lib/client/rpc/methods.js';
import { readFailure } from '../../../lib/client/rpc/status.js';
import { settle } from '../../support/fake-clock.js';
import {
  canceled,
  collect,
  created,
  FakeEtcd,
  piece,
  put,
  refused,
  revisionsOf,
  sent,
  type Collected,
} from './fake-etcd.js';

const DENIED = 'rpc error: code = PermissionDenied desc = etcdserver: permission denied';
const BAD_TOKEN = 'rpc error: code = Unauthenticated desc = etcdserver: invalid auth token';
const TOO_LARGE = new EtcdMessageTooLargeError('response', 100, 'Received message larger than max');

/** The error that the seam makes of a status. */
function status(code: number, details: string): EtcdError {
  return readFailure(WATCH, { code, details }).toError({ method: WATCH.label });
}

function endOf({ error, isDone }: Collected<unknown>): string | undefined {
  return isDone ? (error?.code ?? 'no error') : undefined;
}

describe('Compaction (W2)', () => {
  it('of events still to come ends the watch with the oldest revision kept', async () => {
    const etcd = new FakeEtcd();
    const loop = collect(etcd.watch.watch('a', { startRevision: 3 }));

    await etcd.answer(created(1, 50), canceled(1, { compactRevision: 20 }));

    expect(loop.error).toMatchObject({ code: 'ETCD_COMPACTED', compactRevision: 20, method: 'Watch.Watch' });
    expect(loop.error?.message).toContain('the oldest revision still kept is 20');
  });

  it('ends it after a reconnect too (C5), and after what was received before', async () => {
    const etcd = new FakeEtcd();
    const watcher = etcd.watch.watch('a');
    await etcd.answer(created(1, 10), sent(1, [put('a', 11)]));
    await etcd.breakStream();
    await etcd.answer(created(1, 50), canceled(1, { compactRevision: 20 }));

    const loop = collect(watcher);
    await settle();

    expect(revisionsOf(loop.items)).toEqual([11]);
    expect(endOf(loop)).toBe('ETCD_COMPACTED');
  });

  it('is understood in the answer to the creation', async () => {
    const etcd = new FakeEtcd();
    const loop = collect(etcd.watch.watch('a', { startRevision: 3 }));
    await etcd.answer({ ...created(1, 50), canceled: true, compactRevision: 20 });

    expect(loop.error).toMatchObject({ code: 'ETCD_COMPACTED', compactRevision: 20 });
  });

  it('is thrown once; the loop is over then', async () => {
    const etcd = new FakeEtcd();
    const loop = etcd.watch.watch('a', { startRevision: 3 })[Symbol.asyncIterator]();
    await etcd.answer(created(1, 50), canceled(1, { compactRevision: 20 }));

    await expect(loop.next()).rejects.toMatchObject({ code: 'ETCD_COMPACTED' });
    expect(await loop.next()).toEqual({ done: true, value: undefined });
  });
});

describe('A refusal (W2)', () => {
  it('ends the watch it is about with the typed error, at once, and no other (C24)', async () => {
    const etcd = new FakeEtcd();
    const loops = Array.from({ length: 100 }, (_, index) => collect(etcd.watch.watch(`k${index}`)));
    await etcd.answer(created(1, 10));

    const answers = loops.slice(1).map((_, index) => (index === 41 ? refused(DENIED) : created(index + 2, 10)));
    await etcd.answer(...answers);

    const ended = loops.map((loop) => endOf(loop)).filter((end) => end !== undefined);
    expect(ended).toEqual(['ETCD_PERMISSION_DENIED']);
    expect(loops[42]?.error).toMatchObject({ grpcCode: 7, endpoint: 'http://fake:2379', reason: 'PermissionDenied' });
    expect(etcd.watch.stats().watches).toBe(99);
    expect(etcd.streams).toHaveLength(1);
  });

  it('rejects `created` with it', async () => {
    const etcd = new FakeEtcd();
    const watcher = etcd.watch.watch('a');
    const asked = watcher.created;
    etcd.stream.deliver(refused(DENIED));

    await expect(asked).rejects.toMatchObject({ code: 'ETCD_PERMISSION_DENIED' });
    await expect(watcher.created).rejects.toMatchObject({ code: 'ETCD_PERMISSION_DENIED' });
  });

  it('does not spoil later watches on the same stream', async () => {
    const etcd = new FakeEtcd();
    const first = collect(etcd.watch.watch('a'));
    const second = etcd.watch.watch('b');
    await etcd.answer(refused(DENIED), created(2, 10));

    expect(endOf(first)).toBe('ETCD_PERMISSION_DENIED');
    expect(second.state).toBe('active');
  });

  it.each([
    ['mvcc: watcher range is empty', 'ETCD_WATCH_CANCELED'],
    ['mvcc: required revision has been compacted', 'ETCD_COMPACTED'],
    ['rpc error: code = PermissionDenied desc = a text of tomorrow', 'ETCD_PERMISSION_DENIED'],
    ['rpc error: code = DataLoss desc = a text of tomorrow', 'ETCD_SERVER'],
    ['etcdserver: request is too large', 'ETCD_MESSAGE_TOO_LARGE'],
  ])('for %j is %s', async (reason, code) => {
    const etcd = new FakeEtcd();
    const loop = collect(etcd.watch.watch('a'));

    await etcd.answer(refused(reason));

    expect(endOf(loop)).toBe(code);
    expect(loop.error?.message).not.toContain('rpc error');
  });
});

describe('A watch that the server ends (W2)', () => {
  it('without a reason ends with a typed error that says so', async () => {
    const etcd = new FakeEtcd();
    const loop = collect(etcd.watch.watch('a'));

    await etcd.answer(created(1, 10), canceled(1));

    expect(endOf(loop)).toBe('ETCD_WATCH_CANCELED');
    expect(loop.error?.message).toContain('gave no reason');
  });

  it('after half a revision loses that half', async () => {
    const etcd = new FakeEtcd();
    const loop = collect(etcd.watch.watch(prefix('a')));

    await etcd.answer(created(1, 10), piece(1, [put('a', 11)]), canceled(1));

    expect([loop.items, endOf(loop)]).toEqual([[], 'ETCD_WATCH_CANCELED']);
  });
});

describe('Tokens (C5)', () => {
  it('that are refused for one watch make the stream be opened anew, with all watches', async () => {
    const etcd = new FakeEtcd();
    const loop = collect(etcd.watch.watch('a'));
    const late = etcd.watch.watch('b');
    await etcd.answer(created(1, 10), refused(BAD_TOKEN));

    expect(etcd.stream.refusals).toEqual([BAD_TOKEN]);
    expect(etcd.stream.isClosed).toBe(true);
    await etcd.clock.advance(2_000);
    await etcd.answer(created(1, 10), created(2, 10), sent(1, [put('a', 11)]));

    expect(late.state).toBe('active');
    expect(revisionsOf(loop.items)).toEqual([11]);
    expect(etcd.statuses.map(({ type }) => type)).toEqual(['watch-reconnecting', 'watch-resumed']);
  });

  it('that are refused for the first watch do not strand those whose turn had not come', async () => {
    const etcd = new FakeEtcd();
    const watchers = ['a', 'b', 'c'].map((key) => etcd.watch.watch(key));
    await etcd.answer(refused(BAD_TOKEN));
    await etcd.clock.advance(2_000);

    await etcd.answer(created(1, 10));
    await etcd.answer(created(2, 10), created(3, 10));

    expect(watchers.map(({ state }) => state)).toEqual(['active', 'active', 'active']);
  });

  it('that are refused leave what still comes on that stream to the next one', async () => {
    const etcd = new FakeEtcd();
    const loop = collect(etcd.watch.watch('a'));
    etcd.watch.watch('b');
    await etcd.answer(created(1, 10));
    await etcd.answer(refused(BAD_TOKEN), sent(1, [put('a', 11)]));
    expect(loop.items).toEqual([]);

    await etcd.clock.advance(2_000);
    expect(etcd.creates()[0]).toMatchObject({ startRevision: 11 });
    await etcd.answer(created(1, 11), created(2, 11), sent(1, [put('a', 11)]));

    expect(revisionsOf(loop.items)).toEqual([11]);
  });

  it('that are refused for 10 s, over and over, end the watch with the typed error', async () => {
    const etcd = new FakeEtcd();
    const loop = collect(etcd.watch.watch('a'));
    for (let round = 0; round < 10; round++) {
      await etcd.answer(refused(BAD_TOKEN));
      expect(loop.isDone).toBe(false);
      await etcd.clock.advance(1_000);
    }
    await etcd.answer(refused(BAD_TOKEN));

    expect(endOf(loop)).toBe('ETCD_AUTHENTICATION');
    expect(etcd.clock.pending()).toEqual([]);
  });

  it('that a member does not know yet are no reason to end: it may have been away', async () => {
    const etcd = new FakeEtcd();
    const watcher = etcd.watch.watch('a');
    for (let round = 0; round < 9; round++) {
      await etcd.answer(refused(BAD_TOKEN));
      await etcd.clock.advance(1_000);
    }
    await etcd.answer(created(1, 10));
    await etcd.breakStream();
    await etcd.clock.advance(5_000);
    await etcd.answer(refused(BAD_TOKEN));
    await etcd.clock.advance(1_000);

    await etcd.answer(created(1, 10));

    expect(watcher.state).toBe('active');
  });

  it('that no one can renew end it at once', async () => {
    const etcd = new FakeEtcd();
    const loop = collect(etcd.watch.watch('a'));
    etcd.stream.refusalsHelp = false;

    await etcd.answer(refused('rpc error: code = InvalidArgument desc = etcdserver: user name is empty'));

    expect(endOf(loop)).toBe('ETCD_AUTHENTICATION');
  });
});

describe('A stream that ends', () => {
  it.each([
    ['no leader', status(14, 'etcdserver: no leader')],
    ['a learner', status(9, 'etcdserver: rpc not supported for learner')],
    ['a token that expired', status(16, 'etcdserver: invalid auth token')],
    ['a stop of the server', status(14, 'etcdserver: server stopped')],
    ['a cancelled stream', status(1, 'etcdserver: watch canceled')],
    ['a reset by a proxy', status(14, 'the server reset the stream (INTERNAL_ERROR)')],
    ['no endpoint at all', new EtcdUnavailableError('no endpoint can be used')],
  ])('for %s is opened elsewhere, and no watch ends', async (_what, error) => {
    const etcd = new FakeEtcd();
    const loop = collect(etcd.watch.watch('a'));
    await etcd.answer(created(1, 10));

    await etcd.breakStream(error);
    await etcd.answer(created(1, 11), sent(1, [put('a', 11)]));

    expect(revisionsOf(loop.items)).toEqual([11]);
    expect(loop.isDone).toBe(false);
  });

  it.each([
    ['a wrong password', status(3, 'etcdserver: authentication failed, invalid user ID or password')],
    ['a permission', status(7, 'denied by a proxy')],
    ['a server without watches', status(12, 'unknown service')],
    ['an answer that is none', new EtcdProtocolError('12 bytes are no WatchResponse')],
  ])('for %s ends all its watches with the typed error', async (_what, error) => {
    const etcd = new FakeEtcd();
    const loops = [collect(etcd.watch.watch('a')), collect(etcd.watch.watch('b'))];
    await etcd.answer(created(1, 10));

    etcd.stream.fail(error);
    await settle();

    expect(loops.map(endOf)).toEqual([error.code, error.code]);
    expect(etcd.clock.pending()).toEqual([]);
  });

  it('with the client drops what was not read, and says so (C8)', async () => {
    const etcd = new FakeEtcd();
    const watcher = etcd.watch.watch('a');
    await etcd.answer(created(1, 10), sent(1, [put('a', 11)]));
    etcd.stream.fail(new EtcdClosedError());
    await settle();

    const loop = collect(watcher);
    await settle();

    expect([loop.items, endOf(loop)]).toEqual([[], 'ETCD_CLOSED']);
  });

  it('for an answer above the limit has the watches ask for pieces from then on, and ends none (W2)', async () => {
    const etcd = new FakeEtcd();
    const one = collect(etcd.watch.watch('a'));
    const other = collect(etcd.watch.watch('b'));
    await etcd.answer(created(1, 10), created(2, 10), sent(1, [put('a', 11)]));
    expect(etcd.creates().map(({ fragment }) => fragment)).toEqual([false, false]);

    await etcd.breakStream(TOO_LARGE);
    await etcd.answer(created(1, 10), created(2, 10));
    expect(etcd.creates()).toMatchObject([
      { startRevision: 12, fragment: true },
      { startRevision: 11, fragment: true },
    ]);
    await etcd.breakStream();
    await etcd.answer(created(1, 10), created(2, 10));

    expect(etcd.creates().map(({ fragment }) => fragment)).toEqual([true, true]);
    expect([endOf(one), endOf(other)]).toEqual([undefined, undefined]);
  });

  it('for an answer above the limit ends the watches that refuse pieces once it cannot be that of another', async () => {
    const etcd = new FakeEtcd();
    const whole = collect(etcd.watch.watch('a', { fragment: false }));
    const other = collect(etcd.watch.watch('b'));
    await etcd.answer(created(1, 10));

    await etcd.breakStream(TOO_LARGE);
    await etcd.answer(created(1, 10));
    expect([endOf(whole), endOf(other)]).toEqual([undefined, undefined]);
    await etcd.breakStream(TOO_LARGE);
    await etcd.answer(created(1, 10));

    expect([endOf(whole), endOf(other)]).toEqual(['ETCD_MESSAGE_TOO_LARGE', undefined]);
    expect(etcd.creates()).toMatchObject([{ fragment: true }]);
  });

  it('for a piece above the limit ends all watches: none of them can have it', async () => {
    const etcd = new FakeEtcd();
    const loop = collect(etcd.watch.watch('a', { fragment: true }));
    await etcd.answer(created(1, 10));

    etcd.stream.fail(TOO_LARGE);
    await settle();

    expect(endOf(loop)).toBe('ETCD_MESSAGE_TOO_LARGE');
  });

  it('over an answer for a watch that nobody asked for ends with a typed error rather than a guess', async () => {
    const etcd = new FakeEtcd();
    const loop = collect(etcd.watch.watch('a'));
    await etcd.answer(created(1, 10), created(7, 10));

    expect(endOf(loop)).toBe('ETCD_PROTOCOL');
  });
});

describe('A request that cannot be sent', () => {
  it('ends its watch, and no other', async () => {
    const etcd = new FakeEtcd();
    const other = etcd.watch.watch('b');
    await etcd.answer(created(1, 10));
    const send = etcd.stream.send.bind(etcd.stream);
    etcd.stream.send = (request) => {
      if (request.createRequest) throw new EtcdMessageTooLargeError('request', 10, 'too large');
      send(request);
    };

    const loop = collect(etcd.watch.watch('a'.repeat(100)));
    await settle();

    expect([endOf(loop), other.state]).toEqual(['ETCD_MESSAGE_TOO_LARGE', 'active']);
  });
});
