/** Reads that travel together against reads that travel alone, on a real etcd: the same but for speed. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { EtcdClient, type EtcdClientOptions } from '../../lib/client/client.js';
import { EtcdError } from '../../lib/client/errors.js';
import { allKeys, fromKey, prefix, range, type KeyRangeLike } from '../../lib/client/key-range.js';
import type { RangeOptions } from '../../lib/client/kv/range-request.js';
import type { RangeResponse } from '../../lib/client/kv/responses.js';
import type { EtcdInterceptor } from '../../lib/client/rpc/interceptor.js';
import { startEtcd, type Etcd } from '../support/index.js';
import { seeded } from '../support/seed.js';

const { seed, random } = seeded();
/** Rounds of the comparison; a nightly run sets more. */
const ROUNDS = Number(process.env['TEST_COALESCED_ROUNDS'] ?? 50);
const MAX_TXN_OPS = 16;
const USER = { username: 'reader', password: 'correct horse' };

let etcd: Etcd;
let alone: EtcdClient;
const clients: EtcdClient[] = [];

beforeAll(async () => {
  etcd = await startEtcd({ own: true });
  alone = connect(etcd, { coalesceReads: false });
});

afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await etcd.stop();
});

function connect({ endpoints }: Etcd, options: Partial<EtcdClientOptions> = {}): EtcdClient {
  const client = new EtcdClient({ endpoints, ...options });
  clients.push(client);
  return client;
}

/** Counts calls by the name of their method, and those that failed. */
class CallCounter implements EtcdInterceptor {
  readonly started: string[] = [];
  failed = 0;

  async unary(call: Parameters<NonNullable<EtcdInterceptor['unary']>>[0], next: () => Promise<unknown>) {
    this.started.push(call.method.name);
    try {
      return await next();
    } catch (error) {
      this.failed += 1;
      throw error;
    }
  }

  reset(): void {
    this.started.length = 0;
    this.failed = 0;
  }
}

/** What a caller gets of a read: all of the answer but the header, or the code of the error. */
async function outcomeOf(answer: Promise<RangeResponse>): Promise<unknown> {
  try {
    const { kvs, count, more } = await answer;
    return { kvs: kvs.map((kv) => kv.toJSON()), count, more };
  } catch (error) {
    if (!(error instanceof EtcdError)) throw error;
    return { code: error.code, method: error.method };
  }
}

describe('The header of a read that travels with others', () => {
  it.each([
    ['of now', {}],
    ['of the past', { revision: 2 }],
    ['from the member at hand', { serializable: true }],
  ])('is that of a read alone: a read %s', async (_, options) => {
    const calls = new CallCounter();
    const together = connect(etcd, { interceptors: [calls] });
    await alone.kv.put('header/a', '1');
    await alone.kv.put('header/a', '2');

    const expected = await alone.kv.range('header/a', options);
    const answers = await Promise.all(['header/a', 'header/b'].map((key) => together.kv.range(key, options)));

    expect(calls.started).toEqual(['Txn']);
    for (const { header } of answers) expect(header).toEqual(expected.header);
  });
});

describe('Reads that travel together', () => {
  const NAMES = ['a', 'b', 'b/1', 'b/2', 'c', 'd'] as const;
  const at = 'together/';
  let writing: Promise<void> | undefined;

  afterEach(async () => {
    await writing;
  });

  const anyPlace: fc.Arbitrary<KeyRangeLike> = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...NAMES).map((name) => at + name) },
    fc.constantFrom(prefix(at), prefix(`${at}b`), range(`${at}a`, `${at}c`), fromKey(`${at}c`), allKeys()),
  );
  const revision = fc.integer({ min: -30, max: 0 });
  const bound = fc.option(fc.integer({ min: 1, max: 400 }), { nil: undefined });
  const keysQuery = fc.record({
    limit: fc.constantFrom(undefined, 1, 2, 32, 33),
    sort: fc.option(
      fc.record({
        by: fc.constantFrom('key', 'version', 'create', 'mod', 'value'),
        order: fc.constantFrom('ascend', 'descend'),
      } as const),
      { nil: undefined },
    ),
    keysOnly: fc.boolean(),
    minModRevision: bound,
    maxModRevision: bound,
    minCreateRevision: bound,
    maxCreateRevision: bound,
  });
  const anyQuery = fc.oneof(
    { weight: 2, arbitrary: fc.constant({}) },
    { weight: 3, arbitrary: keysQuery },
    fc.constant({ countOnly: true } as const),
  );
  /** `back`: how many revisions before the newest; a positive one is yet to come. */
  const anyRead = fc.record({
    place: anyPlace,
    query: anyQuery,
    back: fc.option(fc.oneof(revision, fc.constant(1_000_000)), { nil: undefined }),
    serializable: fc.boolean(),
  });

  type Read = typeof anyRead extends fc.Arbitrary<infer Value> ? Value : never;

  function optionsOf({ query, back, serializable }: Read, newest: number): RangeOptions {
    const revision = back === undefined ? undefined : Math.max(1, newest + back);
    return { ...query, serializable, revision } as RangeOptions;
  }

  const isCompacted = (outcome: unknown): boolean => (outcome as { code?: string }).code === 'ETCD_COMPACTED';

  /** Writes and deletes without a pause, and drops old history now and then. */
  async function write(client: EtcdClient, until: () => boolean): Promise<void> {
    for (let count = 0; !until(); count++) {
      const key = at + NAMES[Math.floor(random() * NAMES.length)]!;
      const { header } = random() < 0.2 ? await client.kv.delete(key) : await client.kv.put(key, `value ${count}`);
      if (count % 100 === 99) await client.kv.compact(header.revision - 20);
    }
  }

  it(`answer as they do alone, at the revision that their header tells, and never go back (C3; seed ${seed})`, async () => {
    const calls = new CallCounter();
    const together = connect(etcd, { interceptors: [calls] });
    const writer = connect(etcd);
    let isOver = false;
    writing = write(writer, () => isOver);
    let newest = (await writer.kv.put(`${at}a`, 'first')).header.revision;

    const agree = async (reads: readonly Read[]): Promise<void> => {
      const floor = newest;
      const asked = reads.map((read) => ({ read, options: optionsOf(read, floor) }));
      const answers = asked.map(({ read, options }) => together.kv.range(read.place, options));
      await Promise.allSettled(answers);

      for (const [index, { read, options }] of asked.entries()) {
        const answer = answers[index]!;
        const readAt = await answer.then(({ header }) => header.revision).catch(() => undefined);
        const again = { ...options, revision: options.revision ?? readAt };
        const expected = await outcomeOf(alone.kv.range(read.place, again));
        // Compaction may have come between the two: what was read before it is no less true.
        const isComparable = readAt === undefined || !isCompacted(expected);

        expect(readAt ?? floor).toBeGreaterThanOrEqual(floor);
        expect(isComparable ? await outcomeOf(answer) : expected).toEqual(expected);
        newest = Math.max(newest, readAt ?? 0);
      }
    };

    try {
      const runs = { numRuns: ROUNDS, seed };
      await fc.assert(fc.asyncProperty(fc.array(anyRead, { minLength: 2, maxLength: 12 }), agree), runs);
    } finally {
      isOver = true;
    }
    expect(calls.started.filter((name) => name === 'Txn').length).toBeGreaterThan(ROUNDS / 2);
  }, 120_000);

  it('of a client that is closed end with that, those that wait and those on their way (C8)', async () => {
    const closing = connect(etcd);
    await closing.ready();

    const reads = Array.from({ length: 1_000 }, (_, index) => closing.kv.get(`${at}${index}`));
    const outcomes = Promise.allSettled(reads);
    await closing.close();

    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'ETCD_CLOSED', method: 'KV.Range' } });
    }
    expect(closing.stats().inFlight).toBe(0);
  });

  it('are one call, also when they come from several namespaces', async () => {
    const calls = new CallCounter();
    const client = connect(etcd, { interceptors: [calls] });
    await alone.kv.put('spaces/one/a', '1');
    await alone.kv.put('spaces/two/a', '2');

    const values = await Promise.all([
      client.namespace('spaces/one/').kv.get('a'),
      client.namespace('spaces/two/').kv.get('a'),
      client.kv.get('spaces/two/a'),
    ]);

    expect(values.map((kv) => [kv?.key, kv?.value])).toEqual([
      ['a', '1'],
      ['a', '2'],
      ['spaces/two/a', '2'],
    ]);
    expect(calls.started).toEqual(['Txn']);
  });

  it('are a call each where coalesceReads is false', async () => {
    const calls = new CallCounter();
    const client = connect(etcd, { interceptors: [calls], coalesceReads: false });

    await Promise.all([client.kv.get('a'), client.namespace('a/').kv.get('b'), client.ordered().kv.get('c')]);

    expect(calls.started).toEqual(['Range', 'Range', 'Range']);
  });

  it('whose values pass maxResponseBytes together are all answered', async () => {
    const calls = new CallCounter();
    const client = connect(etcd, { interceptors: [calls], maxResponseBytes: 512 * 1024 });
    const keys = Array.from({ length: 20 }, (_, index) => `sizes/${index}`);
    for (const key of keys) await alone.kv.put(key, 'x'.repeat(50 * 1024));

    for (let round = 0; round < 3; round++) {
      const found = await Promise.all(keys.map((key) => client.kv.get(key)));
      expect(found.map((kv) => kv?.valueBytes.byteLength)).toEqual(keys.map(() => 50 * 1024));
    }

    expect(calls.failed).toBeGreaterThan(0);
  });
});

describe('A server that refuses a transaction as a whole', () => {
  let strict: Etcd;
  const calls = new CallCounter();
  let client: EtcdClient;

  beforeAll(async () => {
    strict = await startEtcd({ own: true, auth: true, flags: { 'max-txn-ops': MAX_TXN_OPS } });
    await strict.auth.addRole('reader', [{ type: 'read', prefix: 'mine/' }]);
    await strict.auth.addUser(USER.username, USER.password, ['reader']);
    client = connect(strict, { interceptors: [calls], auth: USER });
    await client.ready();
  });

  afterAll(async () => {
    await client.close();
    await strict.stop();
  });

  it('for one key that is forbidden fails the read of that key only, and learns (C5)', async () => {
    const keys = ['mine/a', 'other', 'mine/b'];
    const read = () => Promise.allSettled(keys.map((key) => client.kv.get(key)));

    const [a, other, b] = await read();
    calls.reset();
    await read();

    expect([a?.status, b?.status]).toEqual(['fulfilled', 'fulfilled']);
    expect(other).toMatchObject({
      reason: { code: 'ETCD_PERMISSION_DENIED', method: 'KV.Range', endpoint: strict.endpoint },
    });
    expect(calls.started.sort()).toEqual(['Range', 'Txn']);
  });

  it('for its number of operations answers all reads, and gets transactions that it takes from then on (C7)', async () => {
    const keys = Array.from({ length: 100 }, (_, index) => `mine/${index}`);
    for (let round = 0; round < 4; round++) await Promise.all(keys.map((key) => client.kv.get(key)));
    calls.reset();

    await Promise.all(keys.map((key) => client.kv.get(key)));

    expect(calls.failed).toBe(0);
    expect(calls.started.length).toBeLessThan(20);
  });

  it('for a revision that is gone or yet to come fails the reads at that revision only', async () => {
    const { header } = await client.kv.range('mine/a');
    const outcomes = await Promise.allSettled([
      client.kv.get('mine/a', { revision: header.revision }),
      client.kv.get('mine/b', { revision: header.revision + 1_000 }),
    ]);

    expect(outcomes[0]).toMatchObject({ status: 'fulfilled' });
    expect(outcomes[1]).toMatchObject({ reason: { code: 'ETCD_FUTURE_REVISION', method: 'KV.Range' } });
  });
});
