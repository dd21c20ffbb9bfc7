/** Scans on a real etcd: every key at one revision, in pieces of bounded size. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { EtcdClient, type EtcdClientOptions } from '../../lib/client/client.js';
import { allKeys, fromKey, prefix } from '../../lib/client/key-range.js';
import type { EtcdKv } from '../../lib/client/kv/kv.js';
import { put } from '../../lib/client/kv/operations.js';
import type { Scan } from '../../lib/client/kv/scan.js';
import { EtcdCompactedError } from '../../lib/client/server-errors.js';
import { startEtcd, type Etcd } from '../support/index.js';

let etcd: Etcd;
let client: EtcdClient;
let kv: EtcdKv;
/** The RPCs the client made, by name. */
let calls: string[];
/** A place of its own for each test. */
let at: string;
let tests = 0;

/** A client that notes its RPCs. */
function connect(options: Partial<EtcdClientOptions> = {}): EtcdClient {
  const interceptor = {
    unary: (call: { method: { name: string } }, next: () => Promise<unknown>) => {
      calls.push(call.method.name);
      return next();
    },
    stream: (call: { method: { name: string } }) => {
      calls.push(call.method.name);
      return undefined;
    },
  };
  return new EtcdClient({ endpoints: etcd.endpoints, interceptors: [interceptor], ...options });
}

beforeAll(async () => {
  etcd = await startEtcd();
  client = connect();
  kv = client.kv;
});

beforeEach(() => {
  calls = [];
  at = `kv-scan-spec/${process.pid}/${++tests}/`;
});

afterAll(async () => {
  await client.close();
  await etcd.stop();
});

const hasRangeStream = (): boolean => {
  const [major = 0, minor = 0] = etcd.version.split('.').map(Number);
  return major > 3 || (major === 3 && minor >= 7);
};

/** Writes `count` keys with values of `valueBytes` bytes. */
async function fill(count: number, valueBytes = 8, atOnce = 100): Promise<string[]> {
  const keys = Array.from({ length: count }, (_, index) => `${at}${String(index).padStart(6, '0')}`);
  for (let done = 0; done < count; done += atOnce) {
    const value = 'v'.repeat(valueBytes);
    await kv
      .txn()
      .then(...keys.slice(done, done + atOnce).map((key) => put(key, value)))
      .commit();
  }
  calls = [];
  return keys;
}

async function keysOf(scan: Scan): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of scan) keys.push(key);
  return keys;
}

describe('A scan', () => {
  it('gives every key once, in order, by the means the server has', async () => {
    const keys = await fill(2_500);

    expect(await keysOf(kv.scan(prefix(at)))).toEqual(keys);
    const pages = calls.filter((name) => name === 'Range').length;
    expect(calls).toContain('RangeStream');
    expect(pages).toBe(hasRangeStream() ? 1 : 3);

    calls = [];
    expect(await keysOf(kv.scan(prefix(at), { pageSize: 100 }))).toEqual(keys);
    expect(calls.includes('RangeStream')).toBe(hasRangeStream());
  });

  it('sees one revision while others write, delete and add', async () => {
    const keys = await fill(1_000);
    const { header } = await kv.range(at);
    const pages: number[] = [];
    const values = new Set<string>();
    const seen: string[] = [];

    for await (const page of kv.scan(prefix(at), { pageSize: 50 }).pages()) {
      pages.push(page.revision);
      expect(page.kvs.length).toBeLessThanOrEqual(50);
      for (const one of page.kvs) seen.push(one.key);
      for (const one of page.kvs) values.add(one.value);
      await kv.put(keys.at(-1)!, 'changed');
      await kv.delete(keys[900 - pages.length]!);
      await kv.put(`${keys[500]!}/added`, 'new');
    }

    expect(seen).toEqual(keys);
    expect([...values]).toEqual(['vvvvvvvv']);
    expect(new Set(pages)).toEqual(new Set([header.revision]));
    expect(pages.length).toBeGreaterThan(3);
  });

  it('can be left, and the client goes on', async () => {
    await fill(500);
    let seen = 0;

    for await (const { key } of kv.scan(prefix(at))) {
      expect(key.startsWith(at)).toBe(true);
      if (++seen === 123) break;
    }

    expect(seen).toBe(123);
    expect(await kv.count(prefix(at))).toBe(500);
    expect(client.stats().inFlight).toBe(0);
  });

  it('reads in the past, keys only, by the limits of revisions, and what one member has', async () => {
    const keys = await fill(300);
    const { header } = await kv.range(at);
    await kv.put(`${at}later`, 'x');
    await kv.put(keys[7]!, 'x');

    expect(await keysOf(kv.scan(prefix(at), { revision: header.revision }))).toEqual(keys);
    expect(await keysOf(kv.scan(prefix(at), { minModRevision: header.revision + 1 }))).toEqual([keys[7], `${at}later`]);
    expect(await keysOf(kv.scan(prefix(at), { maxCreateRevision: header.revision }))).toEqual(keys);
    expect(await keysOf(kv.scan(prefix(at), { serializable: true }))).toHaveLength(301);
    for await (const { value } of kv.scan(prefix(at), { keysOnly: true })) expect(value).toBe('');
  });

  it('takes any range', async () => {
    const keys = await fill(60);

    expect(await keysOf(kv.scan(keys[3]!))).toEqual([keys[3]]);
    expect(await keysOf(kv.scan(`${at}missing`))).toEqual([]);
    expect((await keysOf(kv.scan(fromKey(keys[50]!)))).slice(0, 10)).toEqual(keys.slice(50));
    expect(await keysOf(kv.scan(allKeys()))).toEqual((await etcd.gateway.getPrefix('')).map(({ key }) => key));
  });

  it('gives binary keys, also where one page ends and the next begins', async () => {
    const keys = Array.from({ length: 256 }, (_, byte) => Buffer.concat([Buffer.from(at), Buffer.of(byte)]));
    for (const key of keys) await kv.put(Buffer.concat([key, Buffer.of(0)]), 'x');
    for (const key of keys) await kv.put(key, 'x');

    const found: Buffer[] = [];
    for await (const { keyBytes } of kv.scan(prefix(at), { pageSize: 5 })) found.push(Buffer.from(keyBytes));

    expect(found).toHaveLength(512);
    expect(found).toEqual([...found].sort((a, b) => Buffer.compare(a, b)));
  });

  it('keeps pages below what the client takes, where a range is too large (C7)', async () => {
    const keys = await fill(60, 100_000, 10);
    const small = connect({ maxResponseBytes: 300_000 });
    try {
      await expect(small.kv.range(prefix(at))).rejects.toMatchObject({
        code: 'ETCD_MESSAGE_TOO_LARGE',
        what: 'response',
      });

      expect(await keysOf(small.kv.scan(prefix(at)))).toEqual(keys);
    } finally {
      await small.close();
    }
  });

  it('ends with EtcdCompactedError when its revision is compacted meanwhile', async () => {
    await fill(1_000, 8_000);
    const small = connect({ maxResponseBytes: 1_000_000 });
    try {
      const reading = (async () => {
        let isFirst = true;
        for await (const page of small.kv.scan(prefix(at), { pageSize: 100 }).pages()) {
          const { header } = await kv.put(`${at}more`, 'x');
          if (isFirst) await kv.compact(header.revision);
          isFirst = false;
          expect(page.revision).toBeLessThan(header.revision);
        }
      })();

      await expect(reading).rejects.toBeInstanceOf(EtcdCompactedError);
    } finally {
      await small.close();
    }
  });

  it('ends when its signal aborts', async () => {
    await fill(500);
    const controller = new AbortController();

    const reading = (async () => {
      for await (const page of kv.scan(prefix(at), { signal: controller.signal, pageSize: 10 }).pages()) {
        expect(page.kvs.length).toBeGreaterThan(0);
        controller.abort();
      }
    })();

    await expect(reading).rejects.toMatchObject({ code: 'ETCD_ABORTED' });
    expect(client.stats().inFlight).toBe(0);
  });

  it('reads 5 MiB in values of 1 MiB', async () => {
    const keys = await fill(5, 1024 * 1024, 1);

    let bytes = 0;
    for await (const { valueBytes } of kv.scan(prefix(at))) bytes += valueBytes.byteLength;

    expect(bytes).toBe(keys.length * 1024 * 1024);
  });
});
