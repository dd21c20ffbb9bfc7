/** Compare and set on a real etcd: nobody's write is lost. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { EtcdClient } from '../../lib/client/client.js';
import { EtcdConflictError } from '../../lib/client/errors.js';
import type { Change } from '../../lib/client/kv/cas.js';
import type { EtcdKv } from '../../lib/client/kv/kv.js';
import { EtcdLeaseNotFoundError } from '../../lib/client/server-errors.js';
import { startEtcd, type Etcd } from '../support/index.js';

let etcd: Etcd;
let client: EtcdClient;
let kv: EtcdKv;
/** A key of its own for each test. */
let key: string;
let tests = 0;

beforeAll(async () => {
  etcd = await startEtcd();
  client = new EtcdClient({ endpoints: etcd.endpoints });
  kv = client.kv;
});

beforeEach(() => {
  key = `kv-cas-spec/${process.pid}/${++tests}`;
});

afterAll(async () => {
  await client.close();
  await etcd.stop();
});

const increment: Change = (current) => String(Number(current?.value ?? 0) + 1);

describe('create', () => {
  it('writes only where nothing is', async () => {
    const lease = await etcd.gateway.grantLease(600);

    const first = await kv.create(key, 'first', { lease });
    const second = await kv.create(key, 'second');

    expect(first).toMatchObject({ succeeded: true, revision: first.header.revision });
    expect(second).toMatchObject({ succeeded: false, current: { modRevision: first.header.revision, lease } });
    expect(second.succeeded || second.current?.value).toBe('first');
    expect(await etcd.gateway.get(key)).toMatchObject({ value: 'first', version: 1 });
  });

  it('lets one of many win', async () => {
    const results = await Promise.all(Array.from({ length: 20 }, (_, index) => kv.create(key, String(index))));

    const winners = results.flatMap((result, index) => (result.succeeded ? [String(index)] : []));
    expect(winners).toHaveLength(1);
    expect((await etcd.gateway.get(key))?.value).toBe(winners[0]);
  });

  it('tells that the lease does not exist', async () => {
    await expect(kv.create(key, 'x', { lease: 'abcdef' })).rejects.toBeInstanceOf(EtcdLeaseNotFoundError);
  });
});

describe('update at a revision', () => {
  it('writes only what nobody changed, and hands on the revision', async () => {
    const created = await kv.create(key, '1');
    if (!created.succeeded) throw new Error('the key is new');

    const updated = await kv.update(key, '2', { revision: created.revision });
    const late = await kv.update(key, '3', { revision: created.revision });
    const again = await kv.update(key, '4', { revision: updated.succeeded ? updated.revision : 0 });

    expect([updated.succeeded, late.succeeded, again.succeeded]).toEqual([true, false, true]);
    expect(late.succeeded || late.current?.value).toBe('2');
    expect(await etcd.gateway.get(key)).toMatchObject({ value: '4', version: 3 });
  });

  it('of 0 creates, and tells when the key is gone', async () => {
    const created = await kv.update(key, 'x', { revision: 0 });
    await kv.delete(key);
    const gone = await kv.update(key, 'y', { revision: created.header.revision });

    expect(created.succeeded).toBe(true);
    expect(gone).toMatchObject({ succeeded: false, current: undefined });
    expect(await etcd.gateway.get(key)).toBeUndefined();
  });

  it('detaches the lease unless told to keep it', async () => {
    const lease = await etcd.gateway.grantLease(600);
    const { header } = await kv.put(key, 'x', { lease });

    const kept = await kv.update(key, 'y', { revision: header.revision, ignoreLease: true });
    expect((await kv.get(key))?.lease).toBe(lease);

    await kv.update(key, 'z', { revision: kept.header.revision });
    expect((await kv.get(key))?.lease).toBeUndefined();
  });
});

describe('deleteIfUnchanged', () => {
  it('deletes only what nobody changed', async () => {
    const { header } = await kv.put(key, 'x');
    await kv.put(key, 'y');

    const late = await kv.deleteIfUnchanged(key, { revision: header.revision });
    const deleted = await kv.deleteIfUnchanged(key, { revision: header.revision + 1 });
    const gone = await kv.deleteIfUnchanged(key, { revision: header.revision + 1 });

    expect(late.succeeded || late.current?.value).toBe('y');
    expect(deleted).toMatchObject({ succeeded: true, revision: header.revision + 2 });
    expect(gone).toMatchObject({ succeeded: false, current: undefined });
  });
});

describe('update with a function', () => {
  it('loses none of 50 updates that run at once (C2)', async () => {
    const results = await Promise.all(
      Array.from({ length: 50 }, () => kv.update(key, increment, { timeoutMs: 30_000, maxTries: 1_000 })),
    );

    expect(results.every(({ succeeded }) => succeeded)).toBe(true);
    expect(await etcd.gateway.get(key)).toMatchObject({ value: '50', version: 50 });
    const revisions = results.map((result) => (result.succeeded ? result.revision : 0));
    expect(new Set(revisions).size).toBe(50);
  });

  it('loses none of those of several clients', async () => {
    const others = Array.from({ length: 3 }, () => new EtcdClient({ endpoints: etcd.endpoints }));
    try {
      const each = others.map(async (other) => {
        for (let count = 0; count < 10; count++) {
          await other.kv.update(key, increment, { timeoutMs: 30_000, maxTries: 1_000 });
        }
      });
      await Promise.all(each);

      expect(await etcd.gateway.get(key)).toMatchObject({ value: '30', version: 30 });
    } finally {
      await Promise.all(others.map((other) => other.close()));
    }
  });

  it('leaves the key alone when the function says so', async () => {
    const { header } = await kv.put(key, 'x');

    const result = await kv.update(key, () => undefined);

    expect(result).toMatchObject({ succeeded: false, current: { modRevision: header.revision } });
    expect(await etcd.gateway.get(key)).toMatchObject({ version: 1 });
  });

  it('may wait, and sees what others wrote meanwhile', async () => {
    await kv.put(key, '1');
    const seen: (string | undefined)[] = [];

    await kv.update(key, async (current) => {
      seen.push(current?.value);
      if (seen.length === 1) await kv.put(key, '10');
      return increment(current);
    });

    expect(seen).toEqual(['1', '10']);
    expect((await etcd.gateway.get(key))?.value).toBe('11');
  });

  it('gives up when others are always first', async () => {
    let others = 0;

    const updated = kv.update(
      key,
      async () => {
        await kv.put(key, `other ${++others}`);
        return 'mine';
      },
      { maxTries: 3 },
    );

    await expect(updated).rejects.toBeInstanceOf(EtcdConflictError);
    await expect(updated).rejects.toMatchObject({ key, attempts: 3, outcome: 'not-applied' });
    expect((await etcd.gateway.get(key))?.value).toBe('other 3');
  });

  it('keeps binary values and odd keys', async () => {
    const odd = Buffer.concat([Buffer.from(`${key}/__proto__/`), Buffer.of(0, 255)]);

    await kv.update(odd, () => Uint8Array.of(1, 0, 255));
    await kv.update(odd, (current) => Uint8Array.from([...current!.valueBytes].reverse()));

    expect((await etcd.gateway.get(odd))?.valueBytes).toEqual(Buffer.of(255, 0, 1));
  });
});
