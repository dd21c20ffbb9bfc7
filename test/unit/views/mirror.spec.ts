/** A mirror: the whole range in pages, a marker, then every change, whatever happens in between. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { EtcdUnavailableError, EtcdUnsupportedError } from '../../../lib/client/errors.js';
import { allKeys, fromKey, KeyRange, prefix, range, type KeyRangeLike } from '../../../lib/client/key-range.js';
import { EtcdKv } from '../../../lib/client/kv/kv.js';
import { RANGE, RANGE_STREAM } from '../../../lib/client/rpc/methods.js';
import {
  EtcdCompactedError,
  EtcdFutureRevisionError,
  EtcdPermissionDeniedError,
} from '../../../lib/client/server-errors.js';
import {
  Mirror,
  mirror,
  type MirrorOptions,
  type MirrorPage,
  type MirrorStep,
} from '../../../lib/client/views/mirror.js';
import { settle } from '../../support/fake-clock.js';
import { bytes, rangeAnswer, stored as storedKey, text } from '../kv/answers.js';
import {
  canceled,
  collect,
  created,
  deleted,
  FakeEtcd,
  header,
  progress,
  put,
  sent,
  shown,
} from '../watch/fake-etcd.js';

interface Rig {
  readonly etcd: FakeEtcd;
  readonly kv: EtcdKv;
  readonly mirror: (range: KeyRangeLike, options?: MirrorOptions) => Mirror;
}

function connect(): Rig {
  const etcd = new FakeEtcd();
  etcd.rpc.onStream(RANGE_STREAM, (stream) => stream.fail(new EtcdUnsupportedError('KV.RangeStream', '3.7')));
  const time = { clock: etcd.clock, random: () => 0.5 };
  const kv = new EtcdKv(etcd.rpc, { maxTxnOperations: 128, callTimeoutMs: 5_000 }, time);
  const store = { kv, watch: etcd.watch };
  return { etcd, kv, mirror: (range, options = {}) => new Mirror(store, range, options, time) };
}

const compacted = new EtcdCompactedError({
  reason: 'Compacted',
  serverMessage: 'etcdserver: mvcc: required revision has been compacted',
});
const futureRevision = new EtcdFutureRevisionError({
  reason: 'FutureRev',
  serverMessage: 'required revision is a future one',
});
const denied = new EtcdPermissionDeniedError({
  reason: 'PermissionDenied',
  serverMessage: 'etcdserver: permission denied',
});

/** Answers reads of a store with these keys, at this revision. */
function serve({ rpc }: FakeEtcd, keys: readonly string[], revision = 5): void {
  rpc.answerAlways(RANGE, (request) => {
    const asked = new KeyRange(request.key!, request.rangeEnd ?? new Uint8Array(0));
    const found = keys.filter((key) => asked.contains(bytes(key)));
    const kvs = found.slice(0, request.limit || undefined).map((key) => storedKey(key));
    return rangeAnswer(kvs, { count: found.length, more: kvs.length < found.length, header: header(revision) });
  });
}

function show(step: MirrorStep): string {
  if (step.type === 'page')
    return `page [${text(step.range.key)},${text(step.range.rangeEnd)}) ${step.kvs.map(({ key }) => key).join()}`;
  if (step.type === 'changes') return `${step.events.map(shown).join()} @${step.revision}`;
  return step.type === 'synced' ? `synced ${step.reason} @${step.revision}` : `progress @${step.revision}`;
}

const revisionsAsked = ({ rpc }: FakeEtcd): (number | undefined)[] =>
  rpc.requests(RANGE).map(({ revision }) => revision);

describe('A mirror', () => {
  it('copies in pages at one revision, says when that is done, and goes on with the next one', async () => {
    const { etcd, mirror } = connect();
    serve(etcd, ['a/1', 'a/2', 'a/3']);
    const steps = collect(mirror(prefix('a/'), { pageSize: 2 }));
    await settle();

    await etcd.answer(created(1, 9), sent(1, [put('a/4', 6), deleted('a/1', 6), put('a/2', 7)]), progress(1, 9));

    expect(steps.items.map(show)).toEqual([
      'page [a/,a/2\0) a/1,a/2',
      'page [a/2\0,a/3\0) a/3',
      'page [a/3\0,a0) ',
      'synced start @5',
      'put a/4@6,delete a/1@6,put a/2@7 @7',
      'progress @9',
    ]);
    expect(revisionsAsked(etcd)).toEqual([0, 5]);
    expect(etcd.creates()).toMatchObject([{ startRevision: 6, progressNotify: true, key: bytes('a/') }]);
  });

  it('sends nothing before its loop begins', async () => {
    const { etcd, kv } = connect();

    mirror({ kv, watch: etcd.watch }, prefix('a/'));
    await settle();

    expect(etcd.rpc.calls).toEqual([]);
  });

  it.each<[string, KeyRangeLike]>([
    ['one key', 'a/2'],
    ['a key that is not there', 'a/9'],
  ])('of %s has one page, which is about that key', async (_what, key) => {
    const { etcd, mirror } = connect();
    serve(etcd, ['a/1', 'a/2']);

    const steps = collect(mirror(key));
    await settle();

    expect(steps.items).toMatchObject([
      { type: 'page', range: { key: bytes(key as string), isSingleKey: true } },
      { type: 'synced' },
    ]);
    expect((steps.items[0] as MirrorPage).kvs.map((kv) => kv.key)).toEqual(key === 'a/2' ? ['a/2'] : []);
  });

  it('covers its range with pages, without a gap and without touching anything else, whatever there is', async () => {
    const key = fc
      .array(fc.constantFrom('\0', 'a', 'b', 'ÿ'), { minLength: 1, maxLength: 3 })
      .map((parts) => parts.join(''));
    const anyRange = fc.oneof(key.map(prefix), key.map(fromKey), fc.constant(allKeys()), fc.constant(range('a', 'b')));

    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(key, { maxLength: 12 }),
        anyRange,
        fc.integer({ min: 1, max: 5 }),
        async (keys, asked, pageSize) => {
          const { etcd, mirror } = connect();
          const sorted = keys.map(bytes).sort(Buffer.compare).map(text);
          serve(etcd, sorted);
          const steps = collect(mirror(asked, { pageSize }));
          while (!steps.items.some(({ type }) => type === 'synced')) await settle();

          const pages = steps.items.filter((step): step is MirrorPage => step.type === 'page');
          expect(pages.flatMap(({ kvs }) => kvs.map((kv) => kv.key))).toEqual(
            sorted.filter((one) => asked.contains(bytes(one))),
          );
          for (const one of sorted) {
            expect(pages.filter((page) => page.range.contains(bytes(one)))).toHaveLength(
              asked.contains(bytes(one)) ? 1 : 0,
            );
          }
          for (const page of pages) expect(page.kvs.every((kv) => page.range.contains(kv.keyBytes))).toBe(true);
          expect([pages[0]?.range.key, pages.at(-1)?.range.rangeEnd]).toEqual([asked.key, asked.rangeEnd]);
          etcd.watch.close();
        },
      ),
    );
  });

  it('waits for the end of an outage, and goes on where it was, at the same revision', async () => {
    const { etcd, mirror } = connect();
    const page = (key: string, more: boolean): void => {
      etcd.rpc.answer(RANGE, rangeAnswer([storedKey(key)], { more, header: header(5) }));
    };
    page('a/1', true);
    etcd.rpc.answer(RANGE, new EtcdUnavailableError('no endpoint'), new EtcdUnavailableError('no endpoint'));
    page('a/2', false);

    const steps = collect(mirror(prefix('a/'), { pageSize: 1 }));
    await etcd.clock.advance(1_000);

    expect(steps.items.map(show)).toEqual([
      'page [a/,a/1\0) a/1',
      'page [a/1\0,a/2\0) a/2',
      'page [a/2\0,a0) ',
      'synced start @5',
    ]);
    expect(etcd.rpc.requests(RANGE).map(({ key, revision }) => [text(key), revision])).toEqual([
      ['a/', 0],
      ['a/1\0', 5],
      ['a/1\0', 5],
      ['a/1\0', 5],
    ]);
  });

  it.each([
    ['compacted meanwhile', compacted],
    ['unknown to a store that was restored meanwhile', futureRevision],
  ])('copies anew when its revision is %s', async (_what, gone) => {
    const { etcd, mirror } = connect();
    etcd.rpc.answer(RANGE, rangeAnswer([storedKey('a/1')], { more: true, header: header(5) }), gone);
    serve(etcd, ['a/2'], 8);

    const steps = collect(mirror(prefix('a/'), { pageSize: 1 }));
    await etcd.clock.advance(1_000);

    expect(steps.items.map(show)).toEqual([
      'page [a/,a/1\0) a/1',
      'page [a/,a/2\0) a/2',
      'page [a/2\0,a0) ',
      'synced start @8',
    ]);
  });

  it('copies anew, and says so, when changes were compacted before it could tell them (W2)', async () => {
    const { etcd, mirror } = connect();
    serve(etcd, ['a/1'], 5);
    const steps = collect(mirror(prefix('a/')));
    await settle();

    serve(etcd, ['a/2'], 20);
    await etcd.answer(created(1, 19), canceled(1, { compactRevision: 18 }));
    await etcd.clock.advance(1_000);

    expect(steps.items.slice(3).map(show)).toEqual(['page [a/,a/2\0) a/2', 'page [a/2\0,a0) ', 'synced compacted @20']);
    expect(etcd.creates()).toMatchObject([{ startRevision: 21 }]);
  });

  it('goes on with what an earlier run had, without copying', async () => {
    const { etcd, mirror } = connect();
    serve(etcd, ['a/1'], 30);
    const steps = collect(mirror(prefix('a/'), { afterRevision: 20 }));
    await settle();

    await etcd.answer(created(1, 30), sent(1, [put('a/1', 21)]));

    expect(steps.items.map(show)).toEqual(['put a/1@21 @21']);
    expect(etcd.creates()).toMatchObject([{ startRevision: 21 }]);
  });

  it('copies anew when the store is not as far as the earlier run was: it was restored', async () => {
    const { etcd, mirror } = connect();
    serve(etcd, ['a/1'], 19);
    const steps = collect(mirror(prefix('a/'), { afterRevision: 20 }));
    await settle();

    await etcd.answer(created(1, 19));
    await etcd.clock.advance(5_000);

    expect(steps.items.map(show)).toEqual(['page [a/,a/1\0) a/1', 'page [a/1\0,a0) ', 'synced history-lost @19']);
  });

  it('fails for what no repetition changes', async () => {
    const { etcd, mirror } = connect();
    etcd.rpc.answer(RANGE, denied);

    const steps = collect(mirror(prefix('a/')));
    await settle();

    expect(steps.error).toBe(denied);
  });

  it('passes on how to watch', async () => {
    const { etcd, mirror } = connect();
    serve(etcd, []);

    collect(mirror(prefix('a/'), { prevKv: true, requireLeader: false }));
    await settle();

    expect(etcd.creates()).toMatchObject([{ prevKv: true }]);
    expect(etcd.stream.sent).toHaveLength(1);
  });
});

describe('The end of a mirror', () => {
  it.each(['close', 'leave'] as const)(
    'comes at once by %s, also while it waits, and closes the watch',
    async (how) => {
      const { etcd, mirror } = connect();
      serve(etcd, []);
      const mirrored = mirror(prefix('a/'));
      const loop = mirrored[Symbol.asyncIterator]();
      await loop.next();
      await loop.next();
      const waiting = loop.next();
      await settle();

      await (how === 'close' ? mirrored.close() : loop.return?.());

      expect(await waiting).toEqual({ done: true, value: undefined });
      expect(etcd.watch.stats().watches).toBe(0);
      expect(etcd.clock.pending()).toEqual([]);
    },
  );

  it.each(['before', 'while it waits'])('comes with the signal, with its reason: %s', async (when) => {
    const { etcd, mirror } = connect();
    serve(etcd, []);
    const controller = new AbortController();
    if (when === 'before') controller.abort('enough');

    const steps = collect(mirror(prefix('a/'), { signal: controller.signal }));
    await settle();
    controller.abort('enough');
    await settle();

    expect(steps.error).toMatchObject({ code: 'ETCD_ABORTED', cause: 'enough' });
    expect(etcd.watch.stats().watches).toBe(0);
  });

  it('comes with the client', async () => {
    const { etcd, mirror } = connect();
    serve(etcd, []);
    const steps = collect(mirror(prefix('a/')));
    await settle();

    etcd.watch.close();
    await settle();

    expect(steps.error).toMatchObject({ code: 'ETCD_CLOSED' });
  });

  it('comes in a pause, too', async () => {
    const { etcd, mirror } = connect();
    etcd.rpc.answerAlways(RANGE, new EtcdUnavailableError('no endpoint'));
    const mirrored = mirror(prefix('a/'));
    const steps = collect(mirrored);
    await settle();

    etcd.rpc.answerAlways(RANGE, (_request, { signal }) => {
      throw signal?.reason;
    });
    await mirrored.close();
    await settle();

    expect([steps.isDone, steps.error, etcd.clock.pending()]).toEqual([true, undefined, []]);
  });
});

describe('A mirror refuses', () => {
  it('a second loop', () => {
    const { mirror } = connect();
    const mirrored = mirror(prefix('a/'));
    mirrored[Symbol.asyncIterator]();

    expect(() => mirrored[Symbol.asyncIterator]()).toThrow('can be read by one loop only');
  });

  it.each([
    ['afterRevision', { afterRevision: 0 }],
    ['afterRevision', { afterRevision: 1.5 }],
    ['pageSize', { pageSize: 0 }],
  ])('a wrong %s, at once: %p', (argument, options) => {
    const { mirror } = connect();

    expect(() => mirror(prefix('a/'), options)).toThrow(`argument ${argument} must be a whole number from 1`);
    expect(() => mirror('')).toThrow('argument range must not be empty');
  });
});
