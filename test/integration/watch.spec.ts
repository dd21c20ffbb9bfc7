/** Watches on real etcd: what they report, how they end, and the breaks they survive. Promises W1 to W6. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EtcdClient, type EtcdClientOptions } from '../../lib/client/client.js';
import { EtcdClosedError } from '../../lib/client/errors.js';
import { prefix } from '../../lib/client/key-range.js';
import { put } from '../../lib/client/kv/operations.js';
import type { WatchEvent } from '../../lib/client/watch/event.js';
import type { FollowChange } from '../../lib/client/watch/follow.js';
import type { Watcher } from '../../lib/client/watch/watcher.js';
import { answersInOrder } from '../../lib/client/watch/progress-trust.js';
import { keptBytes } from '../support/heap.js';
import { eventually, startCluster, startEtcd, startProxy, type Etcd, type TcpProxy } from '../support/index.js';

const cleanUps: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

function connect(etcd: Etcd, options: Partial<EtcdClientOptions> = {}): EtcdClient {
  const client = new EtcdClient({ endpoints: etcd.endpoints, ...options });
  cleanUps.push(() => client.close());
  return client;
}

async function proxyTo(etcd: Etcd, index = 0): Promise<TcpProxy> {
  const proxy = await startProxy({ targetPort: Number(new URL(etcd.endpoints[index]!).port) });
  cleanUps.push(() => proxy.close());
  return proxy;
}

/** Reads so many items, then leaves the loop, which closes the watch. */
async function take<T>(source: AsyncIterable<T>, count: number): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) {
    items.push(item);
    if (items.length === count) break;
  }
  return items;
}

/** The error that a loop ends with. */
async function endOf(source: AsyncIterable<unknown>): Promise<unknown> {
  try {
    await take(source, Infinity);
    return undefined;
  } catch (error) {
    return error;
  }
}

const shown = ({ type, kv, revision }: WatchEvent): string => `${type} ${kv.key}=${kv.value}@${revision}`;

/** Everything that happened, seen without our client, as {@link shown}. */
async function truth(etcd: Etcd, start: string, fromRevision: number): Promise<string[]> {
  const history = await etcd.gateway.history(start, fromRevision);
  return history.map(({ type, kv }) => `${type} ${kv.key}=${kv.value}@${kv.modRevision}`);
}

describe('A watch on one member', () => {
  let etcd: Etcd;

  beforeAll(async () => {
    etcd = await startEtcd({ own: true, flags: { 'max-request-bytes': 10 * 1024 * 1024 } });
  });

  afterAll(() => etcd.stop());

  it('reports what happens after it was created: writes, deletions, what was before', async () => {
    const { watch, kv } = connect(etcd);
    await kv.put('basic/a', 'old');
    const watcher = watch.watch(prefix('basic/'), { prevKv: true });
    const revision = await watcher.created;

    await kv.put('basic/a', 'new');
    await kv.put('basic/b', '1');
    await kv.delete(prefix('basic/'));
    const events = await take(watcher, 4);

    expect(events.map(shown)).toEqual([
      `put basic/a=new@${revision + 1}`,
      `put basic/b=1@${revision + 2}`,
      `delete basic/a=@${revision + 3}`,
      `delete basic/b=@${revision + 3}`,
    ]);
    expect(events.map(({ prevKv }) => prevKv?.value)).toEqual(['old', undefined, 'new', '1']);
    expect(events.slice(0, 2)).toMatchObject([{ isCreate: false }, { isCreate: true }]);
  });

  it('reports history from a start revision, and only what it was asked for', async () => {
    const { watch, kv } = connect(etcd);
    const { header } = await kv.put('history/a', '1');
    await kv.delete('history/a');
    await kv.put('history/a', '2');
    const startRevision = header.revision;

    const all = await take(watch.watch('history/a', { startRevision }), 3);
    const puts = await take(watch.watch('history/a', { startRevision, only: 'put' }), 2);
    const deletes = await take(watch.watch('history/a', { startRevision, only: 'delete' }), 1);

    expect(all.map(({ type }) => type)).toEqual(['put', 'delete', 'put']);
    expect(puts.map(({ kv: { value } }) => value)).toEqual(['1', '2']);
    expect(deletes.map(({ type }) => type)).toEqual(['delete']);
  });

  it('delivers a transaction in one piece', async () => {
    const { watch, kv } = connect(etcd);
    const watcher = watch.watch(prefix('txn/'));
    await watcher.created;

    await kv.txn().then(put('txn/a', '1'), put('txn/b', '2'), put('txn/c', '3')).commit();
    const [response] = await take(watcher.responses(), 1);

    expect(response?.events.map(({ kv: { key } }) => key)).toEqual(['txn/a', 'txn/b', 'txn/c']);
  });

  it('delivers one revision of 6 MB in one piece (C6, W3)', async () => {
    const { watch, kv } = connect(etcd);
    for (let index = 0; index < 100; index++) await kv.put(`large/${index}`, 'x'.repeat(60_000));
    const watcher = watch.watch(prefix('large/'), { prevKv: true });
    await watcher.created;

    await kv.delete(prefix('large/'));
    const [response] = await take(watcher.responses(), 1);

    expect(response?.events).toHaveLength(100);
    expect(response?.events.every(({ prevKv }) => prevKv?.valueBytes.byteLength === 60_000)).toBe(true);
  });

  it('reports the deletion of a key whose lease ended', async () => {
    const { watch, kv, lease } = connect(etcd);
    const { id } = await lease.grant(60);
    await kv.put('leased', 'x', { lease: id });
    const watcher = watch.watch('leased');
    await watcher.created;

    await lease.revoke(id);

    expect((await take(watcher, 1)).map(({ type }) => type)).toEqual(['delete']);
  });

  it('ends with EtcdCompactedError and the oldest revision kept (W2)', async () => {
    const { watch, kv } = connect(etcd);
    const { header } = await kv.put('compact/a', '1');
    await kv.put('compact/a', '2');
    await kv.put('compact/a', '3');
    const compactRevision = header.revision + 2;
    await kv.compact(compactRevision);

    const error = await endOf(watch.watch('compact/a', { startRevision: header.revision }));

    expect(error).toMatchObject({ code: 'ETCD_COMPACTED', compactRevision });
    expect(await take(watch.watch('compact/a', { startRevision: compactRevision }), 1)).toHaveLength(1);
  });

  it('waits for a revision in the future and reports nothing before it (C15)', async () => {
    const { watch, kv } = connect(etcd);
    const { header } = await kv.put('future', '0');
    const watcher = watch.watch('future', { startRevision: header.revision + 3 });
    await watcher.created;

    for (const value of ['1', '2', '3']) await kv.put('future', value);

    expect((await take(watcher, 1)).map(({ kv: { value } }) => value)).toEqual(['3']);
  });

  it('leaves nothing on the server when it is closed, however early (C18)', async () => {
    const { watch, kv } = connect(etcd);
    const keeper = watch.watch('keeper');
    await keeper.created;
    const before = await watchersOn(etcd);

    const watchers = Array.from({ length: 200 }, (_, index) => watch.watch(`closed/${index}`));
    await watchers[0]?.created;
    await Promise.all(watchers.map((watcher) => watcher.close()));

    await eventually(async () => (await watchersOn(etcd)) === before, { what: 'no watch left on the server' });
    await kv.put('keeper', '1');
    expect(await take(keeper, 1)).toHaveLength(1);
    await eventually(async () => (await watchersOn(etcd)) === before - 1, { what: 'the last watch gone' });
  });

  it('moves its resume point by requested progress, where the release answers in order (W3)', async () => {
    const { watch, kv } = connect(etcd);
    const watcher = watch.watch('quiet', { progressNotify: true });
    await watcher.created;
    const { header } = await kv.put('elsewhere', '1');
    const expected = answersInOrder(etcd.version) ? header.revision + 1 : header.revision;

    watcher.requestProgress();
    await eventually(() => watcher.nextRevision === expected, { what: `next revision ${expected}` });

    await kv.put('quiet', 'x');
    const responses = await take(watcher.responses(), answersInOrder(etcd.version) ? 2 : 1);
    expect(responses.at(-1)?.revision).toBe(header.revision + 1);
  });
});

describe('Many watches (W3)', () => {
  it('10,000 over one stream: created within 5 s, less than 2 KiB each, all hear, all resumed within 5 s of a cut', async () => {
    const etcd = await startEtcd();
    cleanUps.push(() => etcd.stop());
    const proxy = await proxyTo(etcd);
    const { watch } = connect(etcd, { endpoints: proxy.endpoint });
    const count = 10_000;
    const heard: number[] = new Array<number>(count).fill(0);
    const first = watch.watch('many');
    await first.created;
    const keptBefore = keptBytes();

    const creating = process.cpuUsage();
    const watchers = heard.map((_, index) => watch.watch(prefix(`many/${index % 100}/`)));
    await Promise.all(watchers.map((watcher) => watcher.created));
    expect(cpuMsSince(creating)).toBeLessThan(5_000);
    expect((keptBytes() - keptBefore) / count).toBeLessThan(2_048);
    await first.close();
    expect(watch.stats()).toMatchObject({ watches: count, streams: 1 });
    watchers.forEach((watcher, index) => void onEach(watcher, () => (heard[index]! += 1)));
    for (let index = 0; index < 100; index++) await etcd.gateway.put(`many/${index}/x`, '1');
    await eventually(() => heard.every((events) => events === 1), { what: 'one event each', timeoutMs: 30_000 });

    const resuming = process.cpuUsage();
    proxy.reset();
    await eventually(() => watch.stats().resumes >= count, { what: 'all watches resumed', timeoutMs: 60_000 });
    expect(cpuMsSince(resuming)).toBeLessThan(5_000);
    for (let index = 0; index < 100; index++) await etcd.gateway.put(`many/${index}/y`, '2');
    await eventually(() => heard.every((events) => events === 2), { what: 'two events each', timeoutMs: 30_000 });
  }, 120_000);
});

describe('A watch whose connection breaks (W1)', () => {
  let etcd: Etcd;

  beforeAll(async () => {
    etcd = await startEtcd();
  });

  afterAll(() => etcd.stop());

  it('reports what happened meanwhile, once, and tells of it (W6)', async () => {
    const proxy = await proxyTo(etcd);
    const client = connect(etcd, { endpoints: proxy.endpoint });
    const watcher = client.watch.watch(prefix('away/'));
    const seen: string[] = [];
    void readStatus(client, seen);
    await watcher.created;
    await etcd.gateway.put('away/1', 'x');

    await proxy.cut();
    await etcd.gateway.put('away/2', 'x');
    await proxy.mend();
    await eventually(() => client.watch.stats().resumes === 1, { what: 'the watch resumed' });
    await etcd.gateway.put('away/3', 'x');

    const events = await take(watcher, 3);
    expect(events.map(({ kv }) => kv.key)).toEqual(['away/1', 'away/2', 'away/3']);
    expect(seen).toEqual(expect.arrayContaining(['watch-reconnecting', 'watch-resumed']));
  });

  it('over an answer that is larger than the client takes goes on in pieces (W2, W3)', async () => {
    const { watch, kv } = connect(etcd, { maxResponseBytes: 3 * 1024 * 1024 });
    const { header } = await kv.put('pieces/0', 'x'.repeat(200_000));
    for (let index = 1; index < 30; index++) await kv.put(`pieces/${index}`, 'x'.repeat(200_000));

    const events = await take(watch.watch(prefix('pieces/'), { startRevision: header.revision }), 30);

    expect(events.map(({ revision }) => revision)).toEqual(events.map((_, index) => header.revision + index));
    expect(watch.stats()).toMatchObject({ reconnects: 1 });
  });

  it('before its first event reports the write of that time (C16)', async () => {
    const proxy = await proxyTo(etcd);
    const { watch } = connect(etcd, { endpoints: proxy.endpoint });
    await etcd.gateway.put('first/a', 'before');
    const watcher = watch.watch('first/a');
    await watcher.created;

    await proxy.cut();
    await etcd.gateway.put('first/a', 'while away');
    await proxy.mend();

    expect((await take(watcher, 1)).map(({ kv }) => kv.value)).toEqual(['while away']);
  });

  it('in the middle of history reports all of it, once, in order (C2)', async () => {
    const { kv } = connect(etcd);
    const { header } = await kv.put('deep/start', 'x');
    for (let batch = 0; batch < 30; batch++) {
      await Promise.all(Array.from({ length: 100 }, (_, index) => kv.put(`deep/${index}`, `${batch}`)));
    }
    const proxy = await proxyTo(etcd);
    const { watch } = connect(etcd, { endpoints: proxy.endpoint });

    void resetEach(proxy, [40_000, 30_000, 20_000]);
    const events = await take(watch.watch(prefix('deep/'), { startRevision: header.revision }), 3_001);

    expect(events.map(shown)).toEqual(await truth(etcd, 'deep/', header.revision));
    expect(watch.stats().reconnects).toBeGreaterThanOrEqual(3);
  });

  it('again and again under live writes reports each write once, in order (C1)', async () => {
    const proxy = await proxyTo(etcd);
    const { watch } = connect(etcd, { endpoints: proxy.endpoint });
    const { kv } = connect(etcd);
    const watcher = watch.watch(prefix('live/'));
    const startRevision = (await watcher.created) + 1;
    const reading = take(watcher, 400);

    for (let index = 0; index < 400; index++) {
      if (index % 50 === 25) proxy.reset();
      await kv.put(`live/${index % 7}`, `${index}`);
    }

    expect((await reading).map(shown)).toEqual(await truth(etcd, 'live/', startRevision));
  });

  it('when another cluster is there afterwards ends with EtcdHistoryLostError (C20)', async () => {
    const other = await startEtcd({ own: true });
    cleanUps.push(() => other.stop());
    const proxy = await proxyTo(etcd);
    const { watch } = connect(etcd, { endpoints: proxy.endpoint });
    const watcher = watch.watch('any');
    await watcher.created;

    proxy.moveTo(Number(new URL(other.endpoint).port));
    proxy.reset();

    expect(await endOf(watcher)).toMatchObject({ code: 'ETCD_HISTORY_LOST', reason: 'other-cluster' });
  });

  it('when the store went back to an older revision ends with EtcdHistoryLostError (C19)', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'watch-restore-'));
    cleanUps.push(() => rm(folder, { recursive: true, force: true }));
    const data = join(folder, 'data');
    const backup = join(folder, 'backup');
    const single = await startEtcd({ own: true, flags: { 'data-dir': data } });
    cleanUps.push(() => single.stop());
    const [member] = single.members;
    await single.gateway.put('restored', '1');
    await member!.stop();
    await cp(data, backup, { recursive: true });
    await member!.restart();
    const { watch } = connect(single);
    const watcher = watch.watch('restored');
    const ended = endOf(watcher);
    await watcher.created;
    for (const value of ['2', '3', '4']) await single.gateway.put('restored', value);
    const seenRevision = await single.gateway.revision();
    await eventually(() => watcher.nextRevision > seenRevision, { what: 'all seen' });

    await member!.stop();
    await rm(data, { recursive: true });
    await cp(backup, data, { recursive: true });
    await member!.restart();

    expect(await ended).toMatchObject({ code: 'ETCD_HISTORY_LOST', reason: 'revision-went-back', seenRevision });
  });

  it('and whose history is compacted meanwhile ends with EtcdCompactedError; `follow` reads anew (C5, W5)', async () => {
    const proxy = await proxyTo(etcd);
    const { watch } = connect(etcd, { endpoints: proxy.endpoint });
    await etcd.gateway.put('gone/kept', '1');
    await etcd.gateway.put('gone/deleted', '1');
    const watcher = watch.watch(prefix('gone/'));
    const following = watch.follow(prefix('gone/'))[Symbol.asyncIterator]();
    const next = async (): Promise<FollowChange> =>
      ((await following.next()) as IteratorYieldResult<FollowChange>).value;
    expect(await next()).toMatchObject({ type: 'reset', reason: 'start' });
    await watcher.created;
    await eventually(() => watch.stats().streams === 1, { what: 'both watches in place' });

    await proxy.cut();
    await etcd.gateway.delete('gone/deleted');
    const newest = await etcd.gateway.put('gone/new', '1');
    await etcd.gateway.compact(newest);
    await proxy.mend();

    expect(await endOf(watcher)).toMatchObject({ code: 'ETCD_COMPACTED', compactRevision: newest });
    const reset = await next();
    expect(reset).toMatchObject({ type: 'reset', reason: 'compacted' });
    expect(reset.type === 'reset' && reset.kvs.map(({ key }) => key)).toEqual(['gone/kept', 'gone/new']);
    await etcd.gateway.put('gone/kept', '2');
    expect(await next()).toMatchObject({ type: 'put', kv: { key: 'gone/kept', value: '2' } });
    await following.return?.();
  });
});

describe('A watch with authentication (C5, W2)', () => {
  let etcd: Etcd;

  beforeAll(async () => {
    etcd = await startEtcd({ own: true, auth: { token: 'simple', tokenTtlSeconds: 1 } });
    await etcd.auth.addRole('reader', [{ type: 'readwrite', prefix: 'mine/' }]);
    await etcd.auth.addUser('ann', 'secret', ['reader']);
  });

  afterAll(() => etcd.stop());

  const asAnn = (): EtcdClient => connect(etcd, { auth: { username: 'ann', password: 'secret' } });

  it('that is forbidden fails alone among 100, at once, with the typed error (C24)', async () => {
    const { watch } = asAnn();
    const watchers = Array.from({ length: 100 }, (_, index) => watch.watch(index === 42 ? 'theirs' : `mine/${index}`));
    const forbidden = watchers[42] as Watcher;

    expect(await endOf(forbidden)).toMatchObject({ code: 'ETCD_PERMISSION_DENIED', method: 'Watch.Watch' });
    const others = watchers.filter((watcher) => watcher !== forbidden);
    await Promise.all(others.map((watcher) => watcher.created));
    await etcd.gateway.put('mine/7', 'x');

    expect(await take(watchers[7] as Watcher, 1)).toHaveLength(1);
    expect(watch.stats()).toMatchObject({ watches: 98, reconnects: 0 });
  });

  it('is created after the token was lost, on a stream with a fresh one; the watches of the old stream lose nothing', async () => {
    const client = asAnn();
    const old = client.watch.watch('mine/old');
    await old.created;
    const before = client.stats().tokenRefreshes;
    await loseTokens(etcd);

    const young = client.watch.watch('mine/young');
    await young.created;
    await etcd.gateway.put('mine/old', '1');
    await etcd.gateway.put('mine/young', '1');

    expect(await take(old, 1)).toHaveLength(1);
    expect(await take(young, 1)).toHaveLength(1);
    expect(client.stats().tokenRefreshes).toBeGreaterThan(before);
  });
});

describe('A watch on three members', () => {
  it('leaves a member that dies, and one that is frozen, and misses nothing', async () => {
    const etcd = await startCluster({ members: 3 });
    cleanUps.push(() => etcd.stop());
    const { watch } = connect(etcd);
    const { kv } = connect(etcd);
    const watcher = watch.watch(prefix('ha/'));
    const startRevision = (await watcher.created) + 1;
    const events: WatchEvent[] = [];
    void onEach(watcher, (event) => events.push(event));
    const stop = new AbortController();
    const writing = (async () => {
      for (let index = 0; !stop.signal.aborted; index++) {
        await kv.put(`ha/${index % 5}`, `${index}`, { idempotent: true }).catch(String);
      }
    })();

    const leader = await etcd.leaderIndex();
    await etcd.members[leader]!.kill();
    await eventually(() => events.length > 50, { what: 'events without the leader' });
    await etcd.members[leader]!.restart();
    const frozen = etcd.members[(leader + 1) % 3]!;
    await frozen.freeze();
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await frozen.resume();
    stop.abort();
    await writing;

    const expected = await truth(etcd, 'ha/', startRevision);
    await eventually(() => events.length >= expected.length, { what: `${expected.length} events` });
    expect(events.map(shown)).toEqual(expected);
  }, 60_000);
});

describe('A live view (W5)', () => {
  it('reads its own writes by waiting for their revision, also where nothing in it changed', async () => {
    const etcd = await startEtcd();
    cleanUps.push(() => etcd.stop());
    const { watch, kv } = connect(etcd);
    await kv.put('view/a', '1');
    const view = watch.view(prefix('view/'));
    await view.ready;

    const written = await kv.put('view/b', '2');
    await view.waitForRevision(written.header.revision);
    expect([...view].map(([key, { value }]) => `${key}=${value}`)).toEqual(['view/a=1', 'view/b=2']);
    const elsewhere = await kv.put('not/in/it', 'x');
    await view.waitForRevision(elsewhere.header.revision);

    expect(view.revision).toBeGreaterThanOrEqual(elsewhere.header.revision);
    await view.close();
  });
});

/** Reads in the background until the watch ends; the client's end is the end of the test. */
async function onEach(watcher: Watcher, onEvent: (event: WatchEvent) => void): Promise<void> {
  try {
    for await (const event of watcher) onEvent(event);
  } catch (error) {
    if (!(error instanceof EtcdClosedError)) throw error;
  }
}

/** Cuts one connection after the other after so many bytes. */
async function resetEach(proxy: TcpProxy, bytesOfEach: readonly number[]): Promise<void> {
  for (const bytes of bytesOfEach) {
    await proxy.nextConnection();
    proxy.resetAfter('s2c', bytes);
  }
}

async function readStatus(client: EtcdClient, seen: string[]): Promise<void> {
  for await (const { type } of client.status()) seen.push(type);
}

/** What this process needed itself: the machine may be busy with other tests. */
function cpuMsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

/** How many watches the server has, by its own count. */
async function watchersOn(etcd: Etcd): Promise<number> {
  const metrics = await (await fetch(`${etcd.endpoint}/metrics`)).text();
  return Number(/^etcd_debugging_mvcc_watcher_total (\S+)$/m.exec(metrics)?.[1]);
}

/** etcd forgets every token of a user whose password is set, at once, even to the same one. */
async function loseTokens(etcd: Etcd): Promise<void> {
  await etcd.auth.changePassword('ann', 'secret');
}
