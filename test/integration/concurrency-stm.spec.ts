/** Software transactions on a real etcd, at the same time as others: each history is one that could have happened one by one; promise K4. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { EtcdClient } from '../../lib/client/client.js';
import type { Isolation } from '../../lib/client/concurrency/stm-attempt.js';
import { startEtcd, type Etcd, type StoredEvent } from '../support/index.js';

const KEYS = ['a', 'b', 'c'] as const;
type Key = (typeof KEYS)[number];

/** One step of a transaction. What is written depends on all that was read before, so that a wrong read shows. */
type Step = { readonly do: 'read' | 'write' | 'delete'; readonly key: Key } | { readonly do: 'pause' };

/** What was seen by a transaction that was committed. */
interface Committed {
  readonly revision: number;
  /** Whether it made its revision. `maybe`: it only deleted, perhaps what was not there. */
  readonly writes: 'yes' | 'maybe' | 'no';
  /** The first read of each key from the store: its value, `undefined` where there was none. */
  readonly reads: ReadonlyMap<Key, string | undefined>;
  /** What it left, of each key it wrote. */
  readonly written: ReadonlyMap<Key, string | undefined>;
  /** The reads of each time it was run, also of those that were not committed. */
  readonly attempts: readonly ReadonlyMap<Key, string | undefined>[];
}

const SEED = Number(process.env['TEST_SEED'] ?? Date.now() % 2 ** 31);
const RUNS = Number(process.env['STM_RUNS'] ?? 12);

let etcd: Etcd;
let clients: EtcdClient[];
let histories = 0;

beforeAll(async () => {
  etcd = await startEtcd();
  clients = [1, 2, 3].map(() => new EtcdClient({ endpoints: etcd.endpoints }));
});

afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await etcd.stop();
});

const key = fc.constantFrom(...KEYS);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('read' as const), key }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('write' as const), key }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delete' as const), key }) },
  { weight: 2, arbitrary: fc.constant({ do: 'pause' as const }) },
);
/** Several workers, each with several transactions one after the other. */
const workload = fc.array(fc.array(fc.array(step, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 4 }), {
  minLength: 2,
  maxLength: 5,
});

/** Runs one transaction, and keeps what it saw when it was run for the last time. */
async function perform(
  client: EtcdClient,
  prefix: string,
  id: string,
  steps: readonly Step[],
  isolation: Isolation,
): Promise<Committed> {
  const attempts: Map<Key, string | undefined>[] = [];
  let reads = new Map<Key, string | undefined>();
  let written = new Map<Key, string | undefined>();
  const { header } = await client.concurrency.stm(
    async (tx) => {
      attempts.push((reads = new Map()));
      written = new Map();
      for (const [index, one] of steps.entries()) {
        if (one.do === 'pause') await new Promise((resolve) => setTimeout(resolve, 1));
        if (one.do === 'read') {
          const value = (await tx.get(prefix + one.key))?.value;
          if (written.has(one.key)) expect(value).toBe(written.get(one.key));
          else if (reads.has(one.key)) expect(value).toBe(reads.get(one.key));
          else reads.set(one.key, value);
        }
        if (one.do === 'write') {
          const value = `${id}.${index}`;
          tx.put(prefix + one.key, value);
          written.set(one.key, value);
        }
        if (one.do === 'delete') {
          tx.delete(prefix + one.key);
          written.set(one.key, undefined);
        }
      }
    },
    { isolation, maxTries: 10_000, timeoutMs: 30_000 },
  );
  const puts = [...written.values()].some((value) => value !== undefined);
  const writes = puts ? 'yes' : written.size > 0 ? 'maybe' : 'no';
  return { revision: header.revision, writes, reads, written, attempts };
}

/** All transactions of a workload, at the same time, and what the store remembers of it. */
async function play(work: readonly (readonly (readonly Step[])[])[], isolation: Isolation) {
  const prefix = `stm/${process.pid}/${++histories}/`;
  const from = (await etcd.gateway.revision()) + 1;
  const done = await Promise.all(
    work.map(async (transactions, worker) => {
      const own: Committed[] = [];
      for (const [index, steps] of transactions.entries()) {
        own.push(await perform(clients[worker % clients.length]!, prefix, `${worker}.${index}`, steps, isolation));
      }
      return own;
    }),
  );
  return { prefix, from, committed: done.flat(), truth: await etcd.gateway.history(prefix, from) };
}

/** The store as it was after each revision, worked out from its own history. */
function statesOf(truth: readonly StoredEvent[], prefix: string) {
  const revisions = truth.map(({ kv }) => kv.modRevision);
  return (revision: number): Map<Key, string | undefined> => {
    const state = new Map<Key, string | undefined>(KEYS.map((name) => [name, undefined]));
    for (const [index, { type, kv }] of truth.entries()) {
      if (revisions[index]! > revision) break;
      state.set(kv.key.slice(prefix.length) as Key, type === 'put' ? kv.value : undefined);
    }
    return state;
  };
}

describe('Transactions that run at the same time', () => {
  it.each(['serializable-snapshot', 'serializable'] as const)(
    `with %s see the store at one revision each time they are run, also when that comes to nothing (seed ${SEED})`,
    async (isolation) => {
      await fc.assert(
        fc.asyncProperty(workload, async (work) => {
          const { prefix, from, committed, truth } = await play(work, isolation);
          const stateAt = statesOf(truth, prefix);
          const states = [from - 1, ...truth.map(({ kv }) => kv.modRevision)].map(stateAt);

          for (const reads of committed.flatMap(({ attempts }) => attempts)) {
            const possible = states.map((state) => [...reads.keys()].map((name) => state.get(name)));
            expect(possible).toContainEqual([...reads.values()]);
          }
        }),
        { seed: SEED, numRuns: RUNS, endOnFailure: true },
      );
    },
    120_000,
  );

  it.each(['serializable-snapshot', 'serializable', 'repeatable-reads'] as const)(
    `with %s are as if they had run one by one, in the order of their revisions (seed ${SEED})`,
    async (isolation) => {
      await fc.assert(
        fc.asyncProperty(workload, async (work) => {
          const { prefix, committed, truth } = await play(work, isolation);
          const stateAt = statesOf(truth, prefix);

          for (const { revision, writes, reads, written } of committed) {
            const seen = (state: ReadonlyMap<Key, string | undefined>) =>
              [...reads.keys()].map((name) => state.get(name));
            const possible = [
              ...(writes === 'no' ? [] : [seen(stateAt(revision - 1))]),
              ...(writes === 'yes' ? [] : [seen(stateAt(revision))]),
            ];
            expect(possible).toContainEqual([...reads.values()]);
            const after = stateAt(revision);
            for (const [name, value] of written)
              expect([revision, name, after.get(name)]).toEqual([revision, name, value]);
          }
        }),
        { seed: SEED, numRuns: RUNS, endOnFailure: true },
      );
    },
    120_000,
  );

  it(`with read-committed write all or nothing, and read only what was committed (seed ${SEED})`, async () => {
    await fc.assert(
      fc.asyncProperty(workload, async (work) => {
        const { prefix, committed, truth } = await play(work, 'read-committed');
        const stateAt = statesOf(truth, prefix);
        const ever = new Set<string | undefined>([undefined, ...truth.map(({ kv }) => kv.value)]);

        for (const { revision, writes, reads, written } of committed) {
          for (const value of reads.values()) expect(ever).toContain(value);
          if (writes === 'no') continue;
          const after = stateAt(revision);
          for (const [name, value] of written)
            expect([revision, name, after.get(name)]).toEqual([revision, name, value]);
        }
      }),
      { seed: SEED, numRuns: RUNS, endOnFailure: true },
    );
  }, 120_000);

  it('lose none of 100 increments of five workers', async () => {
    const counter = `stm/${process.pid}/counter`;
    const increment = (client: EtcdClient) =>
      client.concurrency.stm(async (tx) => tx.put(counter, String(Number((await tx.get(counter))?.value ?? 0) + 1)), {
        maxTries: 10_000,
        timeoutMs: 60_000,
      });

    await Promise.all(
      Array.from({ length: 5 }, async (_, worker) => {
        for (let count = 0; count < 20; count++) await increment(clients[worker % clients.length]!);
      }),
    );

    expect(await etcd.gateway.get(counter)).toMatchObject({ value: '100', version: 100 });
  }, 60_000);

  it('keep a sum, also of accounts that come and go', async () => {
    const accounts = ['x', 'y', 'z'].map((name) => `stm/${process.pid}/account/${name}`);
    await etcd.gateway.put(accounts[0]!, '90');
    const move = (client: EtcdClient, from: string, to: string) =>
      client.concurrency.stm(
        async (tx) => {
          const [source, target] = (await tx.getAll([from, to])).map((kv) => Number(kv?.value ?? 0));
          const amount = Math.min(10, source!);
          if (source === amount) tx.delete(from);
          else tx.put(from, String(source! - amount));
          tx.put(to, String(target! + amount));
        },
        { maxTries: 10_000, timeoutMs: 60_000 },
      );

    await Promise.all(
      [0, 1, 2].map(async (worker) => {
        for (let count = 0; count < 10; count++) {
          await move(clients[worker]!, accounts[(worker + count) % 3]!, accounts[(worker + count + 1) % 3]!);
        }
      }),
    );

    const balances = await etcd.gateway.getPrefix(`stm/${process.pid}/account/`);
    expect(balances.reduce((sum, { value }) => sum + Number(value), 0)).toBe(90);
  }, 60_000);
});

describe('A transaction into which another one comes', () => {
  const ALL = ['serializable-snapshot', 'serializable', 'repeatable-reads', 'read-committed'] as const;
  let prefix: string;
  const valueOf = async (name: string) => (await etcd.gateway.get(prefix + name))?.value;

  beforeEach(() => {
    prefix = `stm/${process.pid}/case-${++histories}/`;
  });

  /** Runs it, and has another one write a key once it has read. @returns how often it was run. */
  async function disturbed(isolation: Isolation, reads: string, writes: string, intruder: string): Promise<number> {
    let runs = 0;
    await clients[0]!.concurrency.stm(
      async (tx) => {
        const before = (await tx.get(prefix + reads))?.value;
        if (++runs === 1) await etcd.gateway.put(prefix + intruder, 'theirs');
        tx.put(prefix + writes, `${before ?? 'nothing'}, then mine`);
      },
      { isolation },
    );
    return runs;
  }

  it.each([
    ['serializable-snapshot', 2, 'theirs, then mine'],
    ['serializable', 2, 'theirs, then mine'],
    ['repeatable-reads', 2, 'theirs, then mine'],
    ['read-committed', 1, 'old, then mine'],
  ] as const)('of what it read and writes is, with %s, run %d times', async (isolation, runs, value) => {
    await etcd.gateway.put(`${prefix}a`, 'old');

    expect(await disturbed(isolation, 'a', 'a', 'a')).toBe(runs);
    expect(await valueOf('a')).toBe(value);
  });

  it.each([
    ['serializable-snapshot', 2],
    ['serializable', 1],
    ['repeatable-reads', 1],
    ['read-committed', 1],
  ] as const)(
    'of what it only writes, having found nothing where it read, is, with %s, run %d times (peers 2.8 #3)',
    async (isolation, runs) => {
      expect(await disturbed(isolation, 'missing', 'b', 'b')).toBe(runs);
      expect(await valueOf('b')).toBe('nothing, then mine');
    },
  );

  it.each([
    ['serializable-snapshot', 2, 'theirs, then mine'],
    ['serializable', 2, 'theirs, then mine'],
    ['repeatable-reads', 2, 'theirs, then mine'],
    ['read-committed', 1, 'nothing, then mine'],
  ] as const)('of a key that was missing when it looked is, with %s, run %d times', async (isolation, runs, value) => {
    expect(await disturbed(isolation, 'missing', 'b', 'missing')).toBe(runs);
    expect(await valueOf('b')).toBe(value);
  });

  it.each(ALL)('before it begins, is, with %s, run once: that is no conflict (peers 2.8 #2)', async (isolation) => {
    await etcd.gateway.put(`${prefix}a`, 'old');
    for (let write = 0; write < 3; write++) await etcd.gateway.put(`${prefix}b`, String(write));

    expect(await disturbed(isolation, 'a', 'b', 'elsewhere')).toBe(1);
    expect(await valueOf('b')).toBe('old, then mine');
  });
});
