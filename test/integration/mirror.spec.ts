/** A mirror on a real etcd: the copy is exact at every revision it claims, whatever happened on the way. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { EtcdClient } from '../../lib/client/client.js';
import { prefix } from '../../lib/client/key-range.js';
import { del, put } from '../../lib/client/kv/operations.js';
import { mirror, type Mirror, type MirrorStep } from '../../lib/client/views/mirror.js';
import { eventually, startEtcd, startProxy, type Etcd, type TcpProxy } from '../support/index.js';
import { seeded } from '../support/seed.js';

let etcd: Etcd;
let proxy: TcpProxy;
let writer: EtcdClient;
let client: EtcdClient;

beforeAll(async () => {
  etcd = await startEtcd({ own: true });
  writer = new EtcdClient({ endpoints: etcd.endpoints });
});

beforeEach(async () => {
  await etcd.gateway.deletePrefix('');
  proxy = await startProxy({ targetPort: etcd.members[0]!.port });
  client = new EtcdClient({ endpoints: [proxy.endpoint], callTimeoutMs: 2_000 });
});

afterEach(async () => {
  await client.close();
  await proxy.close();
});

afterAll(async () => {
  await writer.close();
  await etcd.stop();
});

/** A copy that does what it is told. */
class Copy {
  readonly kvs = new Map<string, string>();
  readonly synced: string[] = [];
  pages = 0;
  revision = 0;
  error: unknown;

  constructor(private readonly source: Mirror) {
    void this.run();
  }

  toJSON(): string[] {
    return [...this.kvs].map(([key, value]) => `${key}=${value}`).sort();
  }

  private async run(): Promise<void> {
    try {
      for await (const step of this.source) this.apply(step);
    } catch (error) {
      this.error = error;
    }
  }

  private apply(step: MirrorStep): void {
    if (step.type === 'page') {
      this.pages += 1;
      for (const key of [...this.kvs.keys()]) if (step.range.contains(Buffer.from(key))) this.kvs.delete(key);
      for (const { key, value } of step.kvs) this.kvs.set(key, value);
      return;
    }
    if (step.type === 'synced') this.synced.push(step.reason);
    for (const { type, kv } of step.type === 'changes' ? step.events : []) {
      if (type === 'put') this.kvs.set(kv.key, kv.value);
      else this.kvs.delete(kv.key);
    }
    this.revision = step.revision;
  }
}

/** What the store has, seen without the client. */
async function stored(): Promise<string[]> {
  return (await etcd.gateway.getPrefix('a/')).map(({ key, value }) => `${key}=${value}`).sort();
}

/** Waits until the copy has come as far as the last write. */
async function caughtUp(copy: Copy, revision: number): Promise<void> {
  await eventually(
    () => {
      if (copy.error !== undefined) throw copy.error as Error;
      return copy.revision >= revision;
    },
    { what: `the copy at revision ${revision}`, timeoutMs: 20_000 },
  );
}

async function fill(count: number): Promise<void> {
  const names = Array.from({ length: count }, (_, index) => `a/${String(index).padStart(4, '0')}`);
  await Promise.all(names.map((name) => writer.kv.put(name, 'x')));
}

describe('A mirror', () => {
  it('copies page by page, and goes on without a gap while others write', async () => {
    await fill(500);
    const { random, seed } = seeded();
    const copy = new Copy(mirror(client, prefix('a/'), { pageSize: 50 }));

    let revision = 0;
    for (let write = 0; write < 300; write++) {
      const name = `a/${String(Math.floor(random() * 600)).padStart(4, '0')}`;
      const operation = random() < 0.4 ? del(name) : put(name, String(write));
      revision = (
        await writer.kv
          .txn()
          .then(operation, put('a/last', String(write)))
          .commit()
      ).header.revision;
    }
    await caughtUp(copy, revision);

    expect({ seed, kvs: copy.toJSON() }).toEqual({ seed, kvs: await stored() });
    expect([copy.synced, copy.pages > 10]).toEqual([['start'], true]);
  });

  it('is exact again after its connection was cut and the history in between compacted (W2)', async () => {
    await fill(20);
    const copy = new Copy(mirror(client, prefix('a/')));
    await eventually(() => copy.synced.length === 1, { what: 'the first copy' });

    await proxy.cut();
    await etcd.gateway.delete('a/0003');
    const revision = await etcd.gateway.put('a/0004', 'new');
    await etcd.gateway.compact(revision);
    await proxy.mend();
    await caughtUp(copy, revision);

    expect(copy.toJSON()).toEqual(await stored());
    expect(copy.synced).toEqual(['start', 'compacted']);
  });

  it('survives that the connection breaks again and again while it copies', async () => {
    await fill(400);
    const copy = new Copy(mirror(client, prefix('a/'), { pageSize: 20 }));

    for (let cut = 0; cut < 5; cut++) {
      proxy.resetAfter('s2c', 2_000);
      await Promise.race([proxy.nextConnection(), eventually(() => copy.synced.length === 1, { what: 'the copy' })]);
    }
    await eventually(() => copy.synced.length === 1, { what: 'the copy', timeoutMs: 20_000 });

    expect(copy.toJSON()).toEqual(await stored());
    expect(copy.error).toBeUndefined();
  });

  it('goes on where an earlier run ended, without copying', async () => {
    await fill(20);
    const first = mirror(client, prefix('a/'));
    const before = new Copy(first);
    await eventually(() => before.synced.length === 1, { what: 'the first copy' });
    await first.close();

    await etcd.gateway.delete('a/0007');
    const revision = await etcd.gateway.put('a/0008', 'new');
    const after = new Copy(mirror(client, prefix('a/'), { afterRevision: before.revision }));
    for (const [key, value] of before.kvs) after.kvs.set(key, value);
    await caughtUp(after, revision);

    expect(after.toJSON()).toEqual(await stored());
    expect(after.pages).toBe(0);
  });

  it('copies anew when what an earlier run had is compacted, or of a store that has been replaced', async () => {
    await fill(3);
    const newest = await etcd.gateway.revision();
    await etcd.gateway.compact(newest);

    const old = new Copy(mirror(client, prefix('a/'), { afterRevision: 1 }));
    const ofAnother = new Copy(mirror(client, prefix('a/'), { afterRevision: newest + 1_000 }));
    await eventually(() => old.synced.length === 1 && ofAnother.synced.length === 1, {
      what: 'both',
      timeoutMs: 20_000,
    });

    expect([old.synced, ofAnother.synced]).toEqual([['compacted'], ['history-lost']]);
    for (const copy of [old, ofAnother]) expect(copy.toJSON()).toEqual(await stored());
  });

  it('copies a namespace into another one', async () => {
    await fill(30);
    const target = client.namespace('copy/');
    const source = mirror(client.namespace('a/'), prefix('00'));

    for await (const step of source) {
      if (step.type !== 'page') break;
      await target.kv.delete(step.range);
      await Promise.all(step.kvs.map(({ key, value }) => target.kv.put(key, value)));
    }

    const copied = (await etcd.gateway.getPrefix('copy/')).map(
      ({ key, value }) => `${key.replace('copy/', 'a/')}=${value}`,
    );
    expect(copied).toEqual(await stored());
  });
});
