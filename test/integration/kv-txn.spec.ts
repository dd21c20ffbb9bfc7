/** Transactions on a real etcd: compares, branches, nesting, and that this client refuses just what etcd refuses. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { EtcdClient } from '../../lib/client/client.js';
import { EtcdDuplicateKeyError, EtcdTooManyOperationsError } from '../../lib/client/errors.js';
import { allKeys, fromKey, prefix, range, type KeyRange } from '../../lib/client/key-range.js';
import { compare, keyExists, keyMissing, type Compare } from '../../lib/client/kv/compare.js';
import type { EtcdKv } from '../../lib/client/kv/kv.js';
import { del, get, put, txn, type Operation } from '../../lib/client/kv/operations.js';
import { refuseDuplicateKeys } from '../../lib/client/kv/txn-limits.js';
import { EtcdCompactedError, EtcdLeaseNotFoundError } from '../../lib/client/server-errors.js';
import { startEtcd, type Etcd, type GatewayError } from '../support/index.js';

let etcd: Etcd;
let client: EtcdClient;
let kv: EtcdKv;
/** A place of its own for each test. */
let at: string;
let tests = 0;

beforeAll(async () => {
  etcd = await startEtcd();
  client = new EtcdClient({ endpoints: etcd.endpoints });
  kv = client.kv;
});

beforeEach(() => {
  at = `kv-txn-spec/${process.pid}/${++tests}/`;
});

afterAll(async () => {
  await client.close();
  await etcd.stop();
});

async function holds(...conditions: Compare[]): Promise<boolean> {
  return (
    await kv
      .txn()
      .if(...conditions)
      .commit()
  ).succeeded;
}

describe('A transaction', () => {
  it('runs then if every condition holds, and else if not', async () => {
    await kv.put(`${at}a`, 'x');

    const held = await kv
      .txn()
      .if(keyExists(`${at}a`))
      .then(put(`${at}b`, '1'))
      .else(put(`${at}c`, '1'))
      .commit();
    const failed = await kv
      .txn()
      .if(keyExists(`${at}a`), keyMissing(`${at}a`))
      .then(put(`${at}d`, '1'))
      .else(get(`${at}a`))
      .commit();

    expect([held.succeeded, held.responses]).toEqual([true, [{ kind: 'put', prevKv: undefined }]]);
    expect(failed.succeeded).toBe(false);
    expect(failed.responses).toMatchObject([{ kind: 'get', count: 1, more: false }]);
    expect((await etcd.gateway.getPrefix(at)).map(({ key }) => key.slice(at.length))).toEqual(['a', 'b']);
  });

  it('writes at one revision, which its header tells', async () => {
    const { header } = await kv
      .txn()
      .then(put(`${at}a`, '1'), put(`${at}b`, '2'))
      .commit();

    const { kvs } = await kv.range(prefix(at));
    expect(kvs.map(({ modRevision }) => modRevision)).toEqual([header.revision, header.revision]);
  });

  it('makes no revision when it only reads', async () => {
    const { header: before } = await kv.put(`${at}a`, '1');

    const { header, responses } = await kv
      .txn()
      .then(get(`${at}a`), get(prefix(at), { countOnly: true }))
      .commit();

    expect(header.revision).toBe(before.revision);
    expect(responses[0]?.kvs[0]?.value).toBe('1');
    expect(responses[1]).toEqual({ kind: 'get', kvs: [], count: 1, more: false });
  });

  it('takes every option of its operations', async () => {
    const { header } = await kv.put(`${at}1`, 'one');
    await kv.put(`${at}1`, 'two');
    await kv.put(`${at}2`, 'x');
    const lease = await etcd.gateway.grantLease(600);

    const { responses } = await kv
      .txn()
      .then(
        get(`${at}1`, { revision: header.revision }),
        get(prefix(at), { sort: { by: 'mod', order: 'descend' }, limit: 1, keysOnly: true }),
        get(prefix(at), { maxCreateRevision: header.revision, serializable: true }),
        put(`${at}1`, { ignoreValue: true, lease, prevKv: true }),
        put(`${at}3`, 'new', { lease }),
        del(`${at}2`, { prevKv: true }),
      )
      .commit();

    expect(responses[0]?.kvs[0]?.value).toBe('one');
    expect(responses[1]).toMatchObject({ count: 2, more: true });
    expect(responses[1]?.kvs.map(({ key, value }) => [key, value])).toEqual([[`${at}2`, '']]);
    expect(responses[2]?.kvs.map(({ key }) => key)).toEqual([`${at}1`]);
    expect([responses[3]?.prevKv?.value, responses[3]?.prevKv?.lease]).toEqual(['two', undefined]);
    expect(responses[5]?.deleted).toBe(1);
    expect(responses[5]?.prevKvs[0]?.value).toBe('x');
    const { kvs } = await kv.range(prefix(at));
    expect(kvs.map((one) => [one.key.slice(at.length), one.value, one.lease])).toEqual([
      ['1', 'two', lease],
      ['3', 'new', lease],
    ]);
  });

  it('sees its own writes in later reads', async () => {
    const { responses } = await kv
      .txn()
      .then(get(`${at}a`), put(`${at}a`, 'x'), get(`${at}a`))
      .commit();

    expect(responses[0]?.kvs).toEqual([]);
    expect(responses[2]?.kvs[0]?.value).toBe('x');
  });

  it('applies nothing when one operation fails', async () => {
    const { header } = await kv.put(`${at}a`, 'x');
    await kv.put(`${at}a`, 'y');
    await kv.compact(header.revision + 1);

    const withoutLease = kv
      .txn()
      .then(put(`${at}b`, '1'), put(`${at}c`, '1', { lease: 'abcdef' }))
      .commit();
    const withoutHistory = kv
      .txn()
      .then(put(`${at}b`, '1'), get(`${at}a`, { revision: header.revision }))
      .commit();

    await expect(withoutLease).rejects.toBeInstanceOf(EtcdLeaseNotFoundError);
    await expect(withoutLease).rejects.toMatchObject({ outcome: 'not-applied', method: 'KV.Txn' });
    await expect(withoutHistory).rejects.toBeInstanceOf(EtcdCompactedError);
    expect(await kv.get(`${at}b`)).toBeUndefined();
  });

  it('takes any key and value', async () => {
    const key = Buffer.concat([Buffer.from(at), Buffer.of(0, 255)]);

    const { succeeded } = await kv
      .txn()
      .if(keyMissing(key), keyMissing(`${at}__proto__`))
      .then(put(key, Uint8Array.of(0, 255)), put(`${at}__proto__`, ''))
      .commit();
    const { responses } = await kv
      .txn()
      .then(get(key), get(`${at}__proto__`))
      .commit();

    expect(succeeded).toBe(true);
    expect([...responses[0]!.kvs[0]!.valueBytes]).toEqual([0, 255]);
    expect(responses[1]?.kvs[0]?.value).toBe('');
  });
});

describe('A nested transaction', () => {
  it('branches by itself, two levels deep', async () => {
    await kv.put(`${at}a`, 'on');

    const { responses } = await kv
      .txn()
      .then(
        txn({
          if: [compare(`${at}a`).value('=', 'on')],
          then: [put(`${at}b`, '1'), txn({ if: [keyExists(`${at}x`)], then: [del(`${at}a`)], else: [get(`${at}a`)] })],
          else: [del(`${at}b`)],
        }),
        get(`${at}b`),
      )
      .commit();

    expect(responses).toMatchObject([
      {
        kind: 'txn',
        succeeded: true,
        responses: [{ kind: 'put' }, { kind: 'txn', succeeded: false, responses: [{ kind: 'get', count: 1 }] }],
      },
      { kind: 'get', count: 1 },
    ]);
  });

  it('compares the store as it was before the whole began', async () => {
    const { responses } = await kv
      .txn()
      .then(put(`${at}a`, 'x'), txn({ if: [keyExists(`${at}a`)], then: [get(`${at}a`)], else: [] }))
      .commit();

    expect(responses[1]?.succeeded).toBe(false);
  });

  it('that only reads reads', async () => {
    const { header: before } = await kv.put(`${at}a`, '1');

    const { header, responses } = await kv
      .txn()
      .then(txn({ then: [get(`${at}a`)] }))
      .commit();

    expect(header.revision).toBe(before.revision);
    expect(responses[0]).toMatchObject({ succeeded: true, responses: [{ count: 1 }] });
  });
});

describe('A compare', () => {
  it('knows equal, different, greater and less, of every number', async () => {
    await kv.put(`${at}a`, '1');
    await kv.put(`${at}a`, '2');
    const { createRevision, modRevision } = (await kv.get(`${at}a`))!;
    const a = compare(`${at}a`);
    const targets = [
      { of: a.version.bind(a), is: 2 },
      { of: a.createRevision.bind(a), is: createRevision },
      { of: a.modRevision.bind(a), is: modRevision },
    ];

    for (const { of: about, is } of targets) {
      expect(await holds(about('=', is), about('!=', is - 1), about('>', is - 1), about('<', is + 1))).toBe(true);
      for (const wrong of [about('=', is + 1), about('!=', is), about('>', is), about('<', is)]) {
        expect(await holds(wrong)).toBe(false);
      }
    }
  });

  it('knows values, byte by byte', async () => {
    await kv.put(`${at}a`, 'm');
    await kv.put(`${at}empty`, '');
    const a = compare(`${at}a`);

    expect(await holds(a.value('=', 'm'), a.value('!=', 'M'), a.value('>', 'l'), a.value('<', 'ma'))).toBe(true);
    expect(await holds(a.value('=', Uint8Array.of(0x6d)))).toBe(true);
    expect(await holds(compare(`${at}empty`).value('=', ''))).toBe(true);
    expect(await holds(a.value('=', ''))).toBe(false);
  });

  it('knows leases', async () => {
    const lease = await etcd.gateway.grantLease(600);
    await kv.put(`${at}with`, 'x', { lease });
    await kv.put(`${at}without`, 'x');

    expect(await holds(compare(`${at}with`).lease('=', lease), compare(`${at}without`).lease('=', '0'))).toBe(true);
    expect(await holds(compare(`${at}with`).lease('!=', lease))).toBe(false);
    expect(await holds(compare(`${at}without`).lease('=', lease))).toBe(false);
  });

  it('takes a key that does not exist as 0, and its value as none', async () => {
    const missing = compare(`${at}missing`);

    expect(await holds(missing.version('=', 0), missing.createRevision('=', 0), missing.modRevision('<', 1))).toBe(
      true,
    );
    expect(await holds(missing.lease('=', '0'), keyMissing(`${at}missing`))).toBe(true);
    expect(await holds(missing.value('=', ''))).toBe(false);
    expect(await holds(missing.value('!=', 'x'))).toBe(false);
    expect(await holds(keyExists(`${at}missing`))).toBe(false);
  });

  it('is about the one key it names, and not about those after it', async () => {
    await kv.put(`${at}a`, '1');
    await kv.put(`${at}a1`, '2');

    expect(await holds(compare(`${at}a`).value('=', '1'))).toBe(true);
    expect(
      (
        await kv
          .txn()
          .then(get(`${at}a`))
          .commit()
      ).responses[0]?.count,
    ).toBe(1);
  });

  it('of a range holds if it holds for each key in it', async () => {
    const { header } = await kv
      .txn()
      .then(put(`${at}a/1`, 'x'), put(`${at}a/2`, 'x'), put(`${at}b`, 'y'))
      .commit();
    const last = header.revision;

    expect(await holds(compare(prefix(`${at}a/`)).value('=', 'x'))).toBe(true);
    expect(await holds(compare(prefix(at)).value('=', 'x'))).toBe(false);
    expect(await holds(compare(range(`${at}a/1`, `${at}b`)).modRevision('=', last))).toBe(true);
    await kv.put(`${at}a/2`, 'x');
    expect(await holds(compare(range(`${at}a/1`, `${at}b`)).modRevision('=', last))).toBe(false);
    expect(await holds(compare(fromKey(`${at}b`)).modRevision('>', 0), compare(allKeys()).version('>', 0))).toBe(true);
  });

  it('of a range without keys is one of 0', async () => {
    await kv.put(`${at}a/1`, 'x');

    expect(await holds(keyExists(prefix(`${at}a/`)), keyMissing(prefix(`${at}b/`)))).toBe(true);
    expect(await holds(keyMissing(prefix(`${at}a/`)))).toBe(false);
    expect(await holds(compare(prefix(`${at}b/`)).modRevision('>', 0))).toBe(false);
  });
});

describe('The limit of operations (C7)', () => {
  const puts = (count: number): Operation[] => Array.from({ length: count }, (_, index) => put(`${at}${index}`, 'x'));

  it('is what etcd allows: 128 pass, 129 are refused here', async () => {
    await kv
      .txn()
      .then(...puts(128))
      .commit();
    expect(await kv.count(prefix(at))).toBe(128);

    const refused = kv
      .txn()
      .then(...puts(129))
      .commit();
    await expect(refused).rejects.toBeInstanceOf(EtcdTooManyOperationsError);
    await expect(refused).rejects.toMatchObject({ attempts: 0, outcome: 'not-applied', limit: 128 });
  });

  it('inside is what etcd allows: what the outside leaves', async () => {
    const outside = Array.from({ length: 27 }, () => get(`${at}a`));

    await kv
      .txn()
      .then(...outside, txn({ then: puts(100) }))
      .commit();
    expect(await kv.count(prefix(at))).toBe(100);

    await expect(
      kv
        .txn()
        .then(...outside, txn({ then: puts(101) }))
        .commit(),
    ).rejects.toMatchObject({ attempts: 0 });
  });

  it('is told by the server too, where the client has a larger one', async () => {
    const generous = new EtcdClient({ endpoints: etcd.endpoints, maxTxnOperations: 1_000 });
    try {
      const outside = Array.from({ length: 27 }, () => get(`${at}a`));

      const tooMany = generous.kv
        .txn()
        .then(...puts(129))
        .commit();
      await expect(tooMany).rejects.toBeInstanceOf(EtcdTooManyOperationsError);
      await expect(tooMany).rejects.toMatchObject({ attempts: 1, outcome: 'not-applied' });

      const tooManyInside = generous.kv
        .txn()
        .then(...outside, txn({ then: puts(101) }))
        .commit();
      await expect(tooManyInside).rejects.toBeInstanceOf(EtcdTooManyOperationsError);
    } finally {
      await generous.close();
    }
  });
});

describe('A key written twice', () => {
  it('is refused, with the key and before anything is sent', async () => {
    const refused = kv
      .txn()
      .then(put(`${at}a`, '1'), put(`${at}a`, '2'))
      .commit();

    await expect(refused).rejects.toBeInstanceOf(EtcdDuplicateKeyError);
    await expect(refused).rejects.toMatchObject({ key: `${at}a`, attempts: 0, outcome: 'not-applied' });
    await expect(
      kv
        .txn()
        .then(put(`${at}a`, '1'), del(prefix(at)))
        .commit(),
    ).rejects.toBeInstanceOf(EtcdDuplicateKeyError);
  });

  it('is refused here exactly when etcd refuses it', async () => {
    const agree = async (then: Operation[]): Promise<void> => {
      expect([describeOperations(then), refusedHere(then)]).toEqual([
        describeOperations(then),
        await refusedByEtcd(then),
      ]);
    };

    await fc.assert(fc.asyncProperty(operations, agree), { numRuns: 400 });
  });
});

const NAMES = ['a', 'b', 'c'] as const;
const place = (name: string): string => `kv-txn-spec/random/${name}`;
const anyRange = fc.constantFrom<KeyRange | string>(
  ...NAMES.map(place),
  range(place('a'), place('b')),
  range(place('a'), place('c')),
  range(place('b'), place('d')),
  prefix(place('')),
  fromKey(place('b')),
  allKeys(),
);

/** Puts of three keys and deletions around them, nested up to twice. */
const { operations } = fc.letrec<{ operation: Operation; operations: Operation[] }>((tie) => ({
  operation: fc.oneof(
    { maxDepth: 2, depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(...NAMES).map((name): Operation => put(place(name), 'x')),
    anyRange.map((deleted): Operation => del(deleted)),
    fc
      .tuple(tie('operations'), tie('operations'))
      .map(([then, otherwise]): Operation => txn({ then, else: otherwise })),
  ),
  operations: fc.array(tie('operation'), { maxLength: 3 }),
}));

function refusedHere(then: readonly Operation[]): boolean {
  try {
    refuseDuplicateKeys({ if: [], then, else: [] });
    return false;
  } catch (error) {
    if (error instanceof EtcdDuplicateKeyError) return true;
    throw error;
  }
}

/** Asks etcd itself, by its JSON gateway, with a condition that never holds: it looks, and does nothing. */
async function refusedByEtcd(then: readonly Operation[]): Promise<boolean> {
  const never = { key: base64('kv-txn-spec/never'), target: 'VERSION', result: 'GREATER', version: 0 };
  try {
    await etcd.gateway.call('/v3/kv/txn', { compare: [never], success: then.map(toJson) });
    return false;
  } catch (error) {
    if (/duplicate key/.test((error as GatewayError).message)) return true;
    throw error;
  }
}

function toJson(operation: Operation): object {
  switch (operation.kind) {
    case 'get':
      return { request_range: { key: base64(operation.request.key!) } };
    case 'put':
      return { request_put: { key: base64(operation.request.key!), value: base64(operation.request.value!) } };
    case 'delete': {
      const { key, rangeEnd } = operation.request;
      return { request_delete_range: { key: base64(key!), range_end: base64(rangeEnd!) } };
    }
    case 'txn':
      return { request_txn: { success: operation.then.map(toJson), failure: operation.else.map(toJson) } };
  }
}

function describeOperations(list: readonly Operation[]): string {
  const shown = (bytes: Uint8Array | undefined): string => JSON.stringify(Buffer.from(bytes ?? []).toString());
  return list
    .map((operation) => {
      if (operation.kind === 'txn') {
        return `txn(${describeOperations(operation.then)} | ${describeOperations(operation.else)})`;
      }
      return `${operation.kind} ${shown(operation.request.key)}-${'rangeEnd' in operation.request ? shown(operation.request.rangeEnd) : ''}`;
    })
    .join(', ');
}

const base64 = (data: string | Uint8Array): string => Buffer.from(data).toString('base64');
