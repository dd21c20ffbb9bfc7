/** A namespace as a whole: its services see its keys only, and share what is open with the client they are a view of. */
import { describe, expect, it } from '@jest/globals';
import { EtcdConcurrency } from '../../../lib/client/concurrency/concurrency.js';
import { EtcdInvalidArgumentError } from '../../../lib/client/errors.js';
import { prefix, type Key } from '../../../lib/client/key-range.js';
import { EtcdKv } from '../../../lib/client/kv/kv.js';
import { EtcdLease } from '../../../lib/client/lease/lease.js';
import { Keyspace } from '../../../lib/client/namespace/keyspace.js';
import { EtcdNamespace } from '../../../lib/client/namespace/namespace.js';
import { LEASE_GRANT, LEASE_KEEP_ALIVE, PUT, RANGE } from '../../../lib/client/rpc/methods.js';
import { settle } from '../../support/fake-clock.js';
import { bytes, putAnswer, rangeAnswer, stored as storedKey, text } from '../kv/answers.js';
import { collect, created, deleted, FakeEtcd, header, put, sent, shown, stored } from '../watch/fake-etcd.js';

interface Rig {
  readonly etcd: FakeEtcd;
  readonly kv: EtcdKv;
  readonly lease: EtcdLease;
  readonly namespace: (prefix: Key) => EtcdNamespace;
}

/** A client on a scripted server. */
function connect(): Rig {
  const etcd = new FakeEtcd();
  const { rpc, clock, watch } = etcd;
  const time = { clock, random: () => 0.5 };
  const kv = new EtcdKv(rpc, { maxTxnOperations: 128, callTimeoutMs: 5_000 }, time);
  const lease = new EtcdLease(rpc, { callTimeoutMs: 5_000 }, time);
  const limits = { callTimeoutMs: 5_000, maxTxnOperations: 128 };
  const concurrency = new EtcdConcurrency({ kv, lease, watch }, limits, time);
  const parts = { rpc, kv, lease, watch, concurrency, ...time, ...limits, endpoints: () => ['http://a:1'] };
  return { etcd, kv, lease, namespace: (start) => new EtcdNamespace(parts, new Keyspace(start)) };
}

describe('A watch in a namespace', () => {
  it('is asked for with the prefix, and reports keys without it, also as they were before', async () => {
    const { etcd, namespace } = connect();
    const watcher = collect(namespace('app/').watch.watch(prefix('jobs/'), { prevKv: true }));

    await etcd.answer(created(1, 5));
    await etcd.answer(
      sent(1, [{ ...put('app/jobs/1', 6), prevKv: stored('app/jobs/1', 3) }, deleted('app/jobs/2', 7)]),
    );

    expect(etcd.creates().map(({ key, rangeEnd }) => [text(key), text(rangeEnd)])).toEqual([
      ['app/jobs/', 'app/jobs0'],
    ]);
    expect(watcher.items.map(shown)).toEqual(['put jobs/1@6', 'delete jobs/2@7']);
    expect(watcher.items[0]?.prevKv).toMatchObject({ key: 'jobs/1', modRevision: 3 });
  });

  it('goes over the one stream that the client has for all watches, and counts with them (W3, peers 20)', async () => {
    const { etcd, namespace } = connect();
    const mine = collect(namespace('a/').watch.watch('k'));
    const nested = collect(namespace('b/').namespace('c/').watch.watch('k'));
    const own = collect(etcd.watch.watch('k'));

    await etcd.answer(created(1, 5));
    await etcd.answer(created(2, 5), created(3, 5));
    await etcd.answer(sent(1, [put('a/k', 6)]), sent(2, [put('b/c/k', 7)]), sent(3, [put('k', 8)]));

    expect(etcd.streams).toHaveLength(1);
    expect(etcd.watch.stats()).toMatchObject({ watches: 3, streams: 1 });
    expect(namespace('a/').watch.stats()).toEqual(etcd.watch.stats());
    expect([mine, nested, own].map(({ items }) => items.map(shown))).toEqual([['put k@6'], ['put k@7'], ['put k@8']]);
  });

  it('is resumed with the prefix after a break, from its own position (W1)', async () => {
    const { etcd, namespace } = connect();
    const watcher = collect(namespace('app/').watch.watch('k'));
    await etcd.answer(created(1, 5), sent(1, [put('app/k', 6)]));

    await etcd.breakStream();
    await etcd.answer(created(1, 9), sent(1, [put('app/k', 8)]));

    expect(etcd.creates()).toMatchObject([{ key: bytes('app/k'), startRevision: 7 }]);
    expect(watcher.items.map(shown)).toEqual(['put k@6', 'put k@8']);
  });

  it('looks at a key of its own when the store seems to have gone back: the user may see no other', async () => {
    const { etcd, namespace } = connect();
    etcd.rpc.answerAlways(RANGE, rangeAnswer([], { header: header(9) }));
    collect(namespace('app/').watch.watch('k'));
    await etcd.answer(created(1, 9), sent(1, [put('app/k', 9)]));

    await etcd.breakStream();
    await etcd.answer(created(1, 4));

    expect(etcd.rpc.requests(RANGE)).toMatchObject([{ key: bytes('app/k') }]);
  });

  it('fails when a key is not of the namespace, rather than throw it away (F11)', async () => {
    const { etcd, namespace } = connect();
    const watcher = collect(namespace('app/').watch.watch('k'));

    await etcd.answer(created(1, 5), sent(1, [put('apq/k', 6)]));

    expect(watcher.error).toMatchObject({ code: 'ETCD_PROTOCOL' });
    expect(watcher.items).toEqual([]);
  });

  it('ends with the client', async () => {
    const { etcd, namespace } = connect();
    const watcher = collect(namespace('app/').watch.watch('k'));

    etcd.watch.close();
    await settle();

    expect(watcher.error).toMatchObject({ code: 'ETCD_CLOSED' });
    const later = collect(namespace('app/').watch.watch('k'));
    await settle();
    expect(later.error).toMatchObject({ code: 'ETCD_CLOSED' });
  });
});

describe('Following in a namespace', () => {
  it('begins with the keys of the namespace, and goes on with their changes (W5)', async () => {
    const { etcd, namespace } = connect();
    etcd.rpc.answer(RANGE, rangeAnswer([storedKey('app/a')], { header: header(5) }));
    const changes = collect(namespace('app/').watch.follow(prefix('a')));
    await settle();

    await etcd.answer(created(1, 5), sent(1, [put('app/ab', 6)]));

    expect(etcd.rpc.requests(RANGE)).toMatchObject([{ key: bytes('app/a'), rangeEnd: bytes('app/b') }]);
    expect(etcd.creates()).toMatchObject([{ key: bytes('app/a'), rangeEnd: bytes('app/b'), startRevision: 6 }]);
    expect(changes.items).toMatchObject([
      { type: 'reset', kvs: [{ key: 'a' }] },
      { type: 'put', kv: { key: 'ab' } },
    ]);
  });

  it('keeps a live view under the names of the namespace', async () => {
    const { etcd, namespace } = connect();
    etcd.rpc.answer(RANGE, rangeAnswer([storedKey('app/a', 'one')], { header: header(5) }));
    const view = namespace('app/').watch.view(prefix('a'));
    await view.ready;
    await settle();

    await etcd.answer(created(1, 5), sent(1, [put('app/ab', 6, 'two')]));

    expect([...view].map(([key, { value }]) => [key, value])).toEqual([
      ['a', 'one'],
      ['ab', 'two'],
    ]);
    await view.close();
  });
});

describe('A lease in a namespace', () => {
  it('is kept alive over the stream of the client, which counts it (L1, peers 20)', async () => {
    const { etcd, lease, namespace } = connect();
    etcd.rpc.answerAlways(LEASE_GRANT, ({ ID, TTL }) => ({ header: header(1), ID: ID!, TTL: TTL!, error: '' }));
    const first = await namespace('a/').lease.grant(10);
    const second = await lease.grant(10);

    namespace('b/').lease.keepAlive(first.id);
    lease.keepAlive(second.id);
    await etcd.clock.advance(4_000);

    expect(lease.stats()).toMatchObject({ keptAlive: 2 });
    expect(etcd.rpc.streams.filter(({ method }) => method.path === LEASE_KEEP_ALIVE.path)).toHaveLength(1);
    lease.close();
  });
});

describe('A namespace', () => {
  it('tells its prefix, as text and exactly', () => {
    const { namespace } = connect();

    expect(namespace('app/').prefix).toBe('app/');
    expect(namespace('a/').namespace(Uint8Array.of(0xff)).prefixBytes).toEqual(Uint8Array.of(0x61, 0x2f, 0xff));
  });

  it.each(['', new Uint8Array(0)])('is refused without a prefix: that would be the client itself (%p)', (empty) => {
    const { namespace } = connect();

    expect(() => namespace(empty)).toThrow(EtcdInvalidArgumentError);
    expect(() => namespace('a/').namespace(empty)).toThrow('argument prefix must not be empty');
  });

  it('reads in order, under the names of the namespace', async () => {
    const { etcd, namespace } = connect();
    etcd.rpc.answer(PUT, putAnswer(9));
    etcd.rpc.answer(
      RANGE,
      rangeAnswer([], { header: header(8) }),
      rangeAnswer([storedKey('app/a')], { header: header(9) }),
    );
    const ordered = namespace('app/').ordered();

    await ordered.kv.put('a', 'x');
    const found = await ordered.kv.get('a', { serializable: true });

    expect(found?.key).toBe('a');
    expect(etcd.rpc.requests(RANGE).map(({ key }) => text(key))).toEqual(['app/a', 'app/a']);
  });
});
