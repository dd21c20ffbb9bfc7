/** Namespaces on a real etcd: what lies in them, what lies beside them, and who may use them. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { EtcdClient } from '../../lib/client/client.js';
import { allKeys, fromKey, prefix, range } from '../../lib/client/key-range.js';
import { compare } from '../../lib/client/kv/compare.js';
import { get, put } from '../../lib/client/kv/operations.js';
import { EtcdPermissionDeniedError } from '../../lib/client/server-errors.js';
import { eventually, startEtcd, type Etcd } from '../support/index.js';

let etcd: Etcd;
let client: EtcdClient;

beforeAll(async () => {
  etcd = await startEtcd({ own: true });
  client = new EtcdClient({ endpoints: etcd.endpoints });
});

beforeEach(() => etcd.gateway.deletePrefix(''));

afterAll(async () => {
  await client.close();
  await etcd.stop();
});

const keysOf = (kvs: readonly { readonly key: string }[]): string[] => kvs.map(({ key }) => key);

/** All there is, one character for each byte. */
async function everything(): Promise<string[]> {
  return (await etcd.gateway.getPrefix('')).map(({ keyBytes }) => keyBytes.toString('latin1'));
}

describe('A namespace', () => {
  it('has its keys under its prefix, and names them without', async () => {
    const app = client.namespace('app/');

    await app.kv.put('a', '1');
    await app.namespace('deep/').kv.put('b', '2');

    expect(await everything()).toEqual(['app/a', 'app/deep/b']);
    expect(keysOf((await app.kv.range(allKeys())).kvs)).toEqual(['a', 'deep/b']);
  });

  it.each([
    ['app/', ['app', 'app/', 'app.', 'app0', 'a', 'apq', '\xff']],
    ['\xff', ['\xfe', '\xfe\xff', '\xff', 'a']],
    ['a\xff\xff', ['a\xff', 'a\xfe\xff', 'a\xff\xff', 'b', 'b\0', '\xff']],
    ['\0', ['\0', '\x01']],
  ])('%j touches nothing beside itself, whatever is asked for (F10, F11)', async (start, neighbours) => {
    for (const key of neighbours) await etcd.gateway.put(Buffer.from(key, 'latin1'), 'theirs');
    const { kv } = client.namespace(Buffer.from(start, 'latin1'));
    const names = ['\0', 'a', 'm', Buffer.of(0xff), Buffer.of(0xff, 0xff)];
    for (const name of names) await kv.put(name, 'mine');

    expect(await kv.count(allKeys())).toBe(5);
    expect(await kv.count(fromKey('m'))).toBe(3);
    expect(await kv.count(prefix(Buffer.of(0xff)))).toBe(2);
    expect(await kv.count(range('a', 'n'))).toBe(2);
    expect((await kv.range(allKeys())).kvs.map(({ keyBytes }) => Buffer.from(keyBytes))).toEqual(
      names.map((name) => Buffer.from(name)),
    );
    expect((await kv.delete(fromKey('\0'), { prevKv: true })).prevKvs).toHaveLength(5);
    expect(await everything()).toEqual([...neighbours].sort());
  });

  it('compares ranges of its own keys only', async () => {
    const { kv } = client.namespace('app/');
    await kv.put('a', '1');
    await etcd.gateway.put('app0', 'theirs');

    const all = await kv.txn().if(compare(allKeys()).value('=', '1')).then(get(allKeys()), put('b', '2')).commit();

    expect(all.succeeded && keysOf(all.responses[0].kvs)).toEqual(['a']);
    expect(await everything()).toEqual(['app/a', 'app/b', 'app0']);
  });

  it('reads any number of keys in pieces', async () => {
    const { kv } = client.namespace('app/');
    const names = Array.from({ length: 300 }, (_, index) => `k/${String(index).padStart(3, '0')}`);
    await Promise.all(names.map((name) => kv.put(name, 'x')));
    await etcd.gateway.put('app0', 'theirs');

    const scanned: string[] = [];
    for await (const { key } of kv.scan(allKeys(), { pageSize: 60 })) scanned.push(key);

    expect(scanned).toEqual(names);
  });
});

describe('Watches in namespaces', () => {
  it('report the keys of each, all over one stream (W3, peers 20)', async () => {
    const reports: string[][] = [];
    const watchers = Array.from({ length: 20 }, (_, index) => {
      const watcher = client.namespace(`tenant-${index}/`).watch.watch(allKeys(), { prevKv: true });
      const seen: string[] = (reports[index] = []);
      void (async () => {
        for await (const { type, kv, prevKv } of watcher) seen.push(`${type} ${kv.key} ${prevKv?.key ?? ''}`);
      })();
      return watcher;
    });
    await Promise.all(watchers.map(({ created }) => created));

    for (const index of watchers.keys()) {
      await etcd.gateway.put(`tenant-${index}/k`, '1');
      await etcd.gateway.delete(`tenant-${index}/k`);
    }
    await eventually(() => reports.every(({ length }) => length === 2), { what: 'every watch has reported' });

    for (const seen of reports) expect(seen).toEqual(['put k ', 'delete k k']);
    expect(client.watch.stats()).toMatchObject({ streams: 1, watches: 20 });
    await Promise.all(watchers.map((watcher) => watcher.close()));
  });

  it('follow, and keep a live view, under the names of the namespace (W5)', async () => {
    const { kv, watch } = client.namespace('app/');
    await kv.put('flags/a', 'on');
    await using view = watch.view(prefix('flags/'));
    await view.ready;

    const { header } = await kv.put('flags/b', 'off');
    await view.waitForRevision(header.revision);

    expect([...view].map(([key, { value }]) => `${key}=${value}`)).toEqual(['flags/a=on', 'flags/b=off']);
  });
});

describe('Leases in namespaces', () => {
  it('hold keys anywhere, and show those of the namespace', async () => {
    const app = client.namespace('app/');
    const { id } = await app.lease.grant(60);
    await app.kv.put('a', '1', { lease: id });
    await client.kv.put('other', '2', { lease: id });

    expect((await app.lease.timeToLive(id, { keys: true }))?.keys).toEqual(['a']);
    expect((await client.lease.timeToLive(id, { keys: true }))?.keys.toSorted()).toEqual(['app/a', 'other']);
    await app.lease.revoke(id);
    expect(await everything()).toEqual([]);
  });
});

describe('Locks and elections in namespaces', () => {
  it('have their keys there, and nothing to do with those of the same name elsewhere', async () => {
    const [mine, theirs] = [client.namespace('mine/').concurrency, client.namespace('theirs/').concurrency];
    const lock = await mine.acquire('nightly');
    const other = await theirs.acquire('nightly');
    const leadership = await mine.campaign('leader', 'me');

    expect(await mine.tryAcquire('nightly')).toBeUndefined();
    expect(await everything()).toEqual([`mine/${leadership.key}`, `mine/${lock.key}`, `theirs/${other.key}`]);
    expect(lock.key).toMatch(/^nightly\/[0-9a-f]+$/);

    await Promise.all([lock.release(), other.release(), leadership.resign()]);
    expect(await everything()).toEqual([]);
  });

  it('guard transactions of the namespace (K2)', async () => {
    const { concurrency, kv } = client.namespace('app/');

    const { succeeded } = await concurrency.lock('nightly', ({ guard }) =>
      kv.txn().if(guard).then(put('done', 'yes')).commit(),
    );

    expect([succeeded, await everything()]).toEqual([true, ['app/done']]);
  });

  it('end with the client', async () => {
    const own = new EtcdClient({ endpoints: etcd.endpoints });
    const lock = await own.namespace('app/').concurrency.acquire('nightly');

    await own.close();

    expect(lock.signal.aborted).toBe(true);
    expect(await everything()).toEqual([]);
  });
});

describe('A user who may use one namespace', () => {
  it('works in it, and gets no further (C5)', async () => {
    await using own = await startEtcd({ own: true, auth: true });
    await own.auth.addRole('app', [{ type: 'readwrite', prefix: 'app/' }]);
    await own.auth.addUser('app', 'secret', ['app']);
    const asUser = new EtcdClient({ endpoints: own.endpoints, auth: { username: 'app', password: 'secret' } });
    const app = asUser.namespace('app/');

    await app.kv.put('a', '1');
    const watcher = app.watch.watch(allKeys());
    await watcher.created;

    expect(await app.kv.count(allKeys())).toBe(1);
    expect(await app.kv.update('a', () => '2')).toMatchObject({ succeeded: true });
    await expect(asUser.namespace('apq/').kv.put('a', '1')).rejects.toBeInstanceOf(EtcdPermissionDeniedError);
    await asUser.close();
  });
});
