/** Software transactions: what they read, when they conflict, and how often they try; promise K4. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { EtcdConcurrency } from '../../../lib/client/concurrency/concurrency.js';
import type { Isolation, StmTransaction } from '../../../lib/client/concurrency/stm-attempt.js';
import {
  EtcdAbortedError,
  EtcdConflictError,
  EtcdDeadlineExceededError,
  EtcdInvalidArgumentError,
  EtcdTooManyOperationsError,
} from '../../../lib/client/errors.js';
import { TXN } from '../../../lib/client/rpc/methods.js';
import { EtcdFutureRevisionError } from '../../../lib/client/server-errors.js';
import { MemoryEtcd, quiet, watchOver } from './memory-etcd.js';

let etcd: MemoryEtcd;
let concurrency: EtcdConcurrency;

beforeEach(() => {
  etcd = new MemoryEtcd();
  ({ concurrency } = etcd.client());
});

const ALL: readonly Isolation[] = ['serializable-snapshot', 'serializable', 'repeatable-reads', 'read-committed'];
const CHECKED = ALL.filter((isolation) => isolation !== 'read-committed');

const valueOf = (key: string): string | undefined => {
  const kv = etcd.store.get(key);
  return kv === undefined ? undefined : Buffer.from(kv.value).toString();
};

/** Runs it with somebody else writing between its reads and its commit, once. */
async function withIntruder(isolation: Isolation, apply: (tx: StmTransaction) => Promise<void>, key: string) {
  let runs = 0;
  const done = concurrency.stm(
    async (tx) => {
      await apply(tx);
      if (++runs === 1) await etcd.put(key, 'intruder');
    },
    { isolation },
  );
  await etcd.pass(1_000);
  await done;
  return runs;
}

describe('A transaction', () => {
  it('commits what it wrote at one revision, and returns what its function returned', async () => {
    const { result, header, tries } = await concurrency.stm((tx) => {
      tx.put('a', '1');
      tx.put('b', Uint8Array.of(0, 255));
      tx.delete('c');
      return 'done';
    });

    expect([result, tries, header.revision]).toEqual(['done', 1, 2]);
    expect(etcd.store.get('a')).toMatchObject({ modRevision: 2 });
    expect(etcd.store.get('b')).toMatchObject({ modRevision: 2, value: Uint8Array.of(0, 255) });
  });

  it('tells a key that is missing from one that is empty', async () => {
    await etcd.put('empty', '');

    const { result } = await concurrency.stm(async (tx) =>
      (await tx.getAll(['missing', 'empty'])).map((kv) => kv?.value),
    );

    expect(result).toEqual([undefined, '']);
  });

  it('reads what it has written itself', async () => {
    await etcd.put('a', 'old');
    await etcd.put('b', 'old');

    const { result } = await concurrency.stm(async (tx) => {
      tx.put('a', 'new');
      tx.delete('b');
      const [a, b] = await tx.getAll(['a', 'b']);
      return [a?.value, a?.modRevision, b, await tx.modRevision('a')];
    });

    expect(result).toEqual(['new', 0, undefined, 2]);
  });

  it('of several writes of a key keeps the last', async () => {
    await concurrency.stm((tx) => {
      tx.put('a', '1');
      tx.delete('a');
      tx.put('a', '2');
      tx.put('b', '1');
      tx.delete('b');
    });

    expect([valueOf('a'), valueOf('b')]).toEqual(['2', undefined]);
  });

  it('puts with a lease', async () => {
    const session = await concurrency.session();

    await concurrency.stm((tx) => tx.put('a', '1', { lease: session.leaseId }));

    expect(etcd.store.get('a')?.lease).toBe(session.leaseId);
  });

  it('asks for a key once, also when it is asked for twice at the same time', async () => {
    await concurrency.stm(async (tx) => {
      await Promise.all([tx.get('a'), tx.get('a'), tx.getAll(['a', 'b'])]);
      await tx.get('b');
    });

    const read = etcd
      .requestsOf(TXN)
      .flatMap(({ success = [] }) => success.map(({ requestRange }) => Buffer.from(requestRange!.key!).toString()));
    expect(read).toEqual(['a', 'b']);
  });

  it('reads many keys in few requests: all of them, not only up to the first that is known (etcd STM.fetch)', async () => {
    for (const key of ['a', 'b', 'c']) await etcd.put(key, key);

    const { result } = await concurrency.stm(async (tx) => {
      await tx.get('a');
      return (await tx.getAll(['a', 'b', 'c'])).map((kv) => kv?.value);
    });

    expect(result).toEqual(['a', 'b', 'c']);
    expect(etcd.requestsOf(TXN)).toHaveLength(3); // a; b and c; the commit
  });

  it('writes nothing when its function throws, and is not run again', async () => {
    let runs = 0;

    const failed = concurrency.stm((tx) => {
      runs += 1;
      tx.put('a', '1');
      throw new Error('changed my mind');
    });

    await expect(failed).rejects.toThrow('changed my mind');
    expect([runs, valueOf('a'), etcd.requests.length]).toEqual([1, undefined, 0]);
  });

  it('cannot be used once its function has ended', async () => {
    let leaked: StmTransaction | undefined;
    await concurrency.stm((tx) => void (leaked = tx));

    expect(() => leaked!.put('a', '1')).toThrow(EtcdInvalidArgumentError);
    await expect(leaked!.get('a')).rejects.toThrow(/is over/);
  });

  it('is not run again when its fate is unknown (C2)', async () => {
    etcd.next(TXN, 'lose-answer');

    await expect(concurrency.stm((tx) => tx.put('a', '1'))).rejects.toMatchObject({ outcome: 'unknown' });

    expect(valueOf('a')).toBe('1');
    expect(etcd.requestsOf(TXN)).toHaveLength(1);
  });
});

describe('Isolation', () => {
  it.each(CHECKED)('%s runs again when what it read was changed: no update is lost', async (isolation) => {
    await etcd.put('counter', '1');
    const runs = await withIntruder(
      isolation,
      async (tx) => tx.put('counter', `${(await tx.get('counter'))!.value}+1`),
      'counter',
    );

    expect([runs, valueOf('counter')]).toEqual([2, 'intruder+1']);
  });

  it('read-committed loses the update of the other', async () => {
    await etcd.put('counter', '1');
    const runs = await withIntruder(
      'read-committed',
      async (tx) => tx.put('counter', `${(await tx.get('counter'))!.value}+1`),
      'counter',
    );

    expect([runs, valueOf('counter')]).toEqual([1, '1+1']);
  });

  it.each(CHECKED)('%s runs again when a key it did not find came into being', async (isolation) => {
    const runs = await withIntruder(
      isolation,
      async (tx) => tx.put('other', (await tx.get('missing')) === undefined ? 'alone' : 'not alone'),
      'missing',
    );

    expect([runs, valueOf('other')]).toEqual([2, 'not alone']);
  });

  it.each(ALL)('%s does not conflict with what was written before it began (peers 2.8 #2)', async (isolation) => {
    await etcd.put('a', 'old');
    for (let count = 0; count < 5; count++) await etcd.put('b', String(count));

    const { tries } = await concurrency.stm(
      async (tx) => {
        await tx.get('a');
        tx.put('b', 'mine');
      },
      { isolation },
    );

    expect([tries, valueOf('b')]).toEqual([1, 'mine']);
  });

  it.each([
    ['serializable-snapshot', 2],
    ['serializable', 1],
    ['repeatable-reads', 1],
    ['read-committed', 1],
  ] as const)(
    '%s, having read one key, is tried %d times when another wrote the key it only writes (peers 2.8 #3)',
    async (isolation, tries) => {
      const runs = await withIntruder(
        isolation,
        async (tx) => {
          await tx.get('missing');
          tx.put('b', 'mine');
        },
        'b',
      );

      expect([runs, valueOf('b')]).toEqual([tries, 'mine']);
    },
  );

  it.each(['serializable-snapshot', 'serializable'] as const)('%s sees all keys at one revision', async (isolation) => {
    await etcd.put('a', '1');
    await etcd.put('b', '1');
    const seen: unknown[] = [];

    const done = concurrency.stm(
      async (tx) => {
        const a = await tx.get('a');
        if (seen.length === 0) {
          await etcd.put('a', '2');
          await etcd.put('b', '2');
        }
        seen.push([a?.value, (await tx.get('b'))?.value]);
      },
      { isolation },
    );
    await etcd.pass(1_000);
    await done;

    expect(seen).toEqual([
      ['1', '1'],
      ['2', '2'],
    ]);
  });

  it.each(['repeatable-reads', 'read-committed'] as const)(
    '%s reads a key once and sticks to that',
    async (isolation) => {
      await etcd.put('a', '1');

      const { result } = await concurrency.stm(
        async (tx) => {
          const first = await tx.get('a');
          if (valueOf('a') === '1') await etcd.put('other', 'x');
          return [first?.value, (await tx.get('a'))?.value];
        },
        { isolation },
      );

      expect(result).toEqual(['1', '1']);
      expect(etcd.requestsOf(TXN)).toHaveLength(2);
    },
  );

  it('reads at one revision also what is asked for at the same time', async () => {
    await concurrency.stm((tx) => Promise.all([tx.get('a'), tx.get('b')]));

    const revisions = etcd.requestsOf(TXN).map(({ success }) => success?.[0]?.requestRange?.revision);
    expect(revisions).toEqual([undefined, 1, undefined]);
  });

  it('asks a leader when the member that was asked is behind (etcd #12561)', async () => {
    await etcd.put('b', 'x');
    const future = new EtcdFutureRevisionError({
      reason: 'FutureRev',
      serverMessage: 'mvcc: required revision is a future revision',
    });
    const value = concurrency.stm(async (tx) => {
      await tx.get('a');
      etcd.next(TXN, future);
      return (await tx.get('b'))?.value;
    });

    expect((await value).result).toBe('x');
    const reads = etcd.requestsOf(TXN).map(({ success }) => success?.[0]?.requestRange?.serializable);
    expect(reads.slice(0, 3)).toEqual([undefined, true, undefined]);
  });

  it('begins again when its revision was compacted away', async () => {
    await etcd.put('b', '1');
    let runs = 0;
    const done = watchOver(
      concurrency.stm(async (tx) => {
        await tx.get('a');
        if (++runs === 1) {
          await etcd.put('b', '2');
          await etcd.put('b', '3');
          etcd.compactAll();
        }
        // Whatever the function makes of the failed read does not count.
        return tx.get('b').then(
          (kv) => kv?.value,
          () => 'failed',
        );
      }),
    );

    await etcd.pass(1_000);

    expect(done.value).toMatchObject({ result: '3', tries: 2 });
  });

  it('is refused when there is none of that name', async () => {
    await expect(concurrency.stm(() => 1, { isolation: 'chaos' as Isolation })).rejects.toThrow(
      /isolation must be one of 'serializable-snapshot'/,
    );
    await expect(concurrency.stm(() => 1, { isolation: 'toString' as Isolation })).rejects.toBeInstanceOf(
      EtcdInvalidArgumentError,
    );
  });
});

describe('Prefetching', () => {
  it('reads all in one request, and counts as read only what was asked for', async () => {
    let runs = 0;

    const { tries } = await concurrency.stm(
      async (tx) => {
        runs += 1;
        const a = await tx.get('a');
        await etcd.put('b', 'intruder');
        tx.put('c', a?.value ?? 'none');
      },
      { prefetch: ['a', 'b'] },
    );

    expect([runs, tries]).toEqual([1, 1]);
    expect(etcd.requestsOf(TXN)).toHaveLength(2);
    expect(etcd.requestsOf(TXN)[0]!.success).toHaveLength(2);
  });

  it('is done from the second try on with what the first has read', async () => {
    await withIntruder(
      'serializable',
      async (tx) => {
        await tx.get('a');
        await tx.get('b');
      },
      'a',
    );

    const sizes = etcd.requestsOf(TXN).map(({ compare = [], success = [] }) => [compare.length, success.length]);
    expect(sizes).toEqual([
      [0, 1],
      [0, 1],
      [2, 0],
      [0, 2],
      [2, 0],
    ]);
  });

  it('of more keys than fit into one request uses several, at one revision', async () => {
    const keys = Array.from({ length: 200 }, (_, index) => `k${index}`);

    await concurrency.stm((tx) => tx.get('k199'), { prefetch: keys });

    const requests = etcd.requestsOf(TXN);
    expect(requests.map(({ success }) => success?.length ?? 0)).toEqual([128, 72, 0]);
    expect(requests[1]!.success![0]!.requestRange!.revision).toBe(1);
  });
});

describe('Limits', () => {
  it('gives up after as many tries as it may, naming the key that others changed', async () => {
    let count = 0;
    const failing = watchOver(
      concurrency.stm(
        async (tx) => {
          await tx.get('quiet');
          await tx.get('busy');
          await etcd.put('busy', String(++count));
        },
        { maxTries: 3 },
      ),
    );

    await etcd.pass(5_000);

    expect(failing.error).toBeInstanceOf(EtcdConflictError);
    expect(failing.error).toMatchObject({ key: 'busy', attempts: 3, outcome: 'not-applied' });
    expect(count).toBe(3);
  });

  it('pauses between tries, longer each time', async () => {
    const at: number[] = [];
    const failing = watchOver(
      concurrency.stm(
        async (tx) => {
          at.push(etcd.clock.now());
          await tx.get('busy');
          await etcd.put('busy');
        },
        { maxTries: 4 },
      ),
    );
    await etcd.pass(1_000);

    expect(failing.error).toBeInstanceOf(EtcdConflictError);
    const pauses = at.slice(1).map((time, index) => time - at[index]!);
    expect(pauses).toEqual([...pauses].sort((a, b) => a - b));
    expect(pauses[0]).toBeGreaterThanOrEqual(5);
  });

  it('gives up when its time is over', async () => {
    const failing = watchOver(
      concurrency.stm(
        async (tx) => {
          await tx.get('busy');
          await etcd.put('busy');
        },
        { timeoutMs: 100, maxTries: 1_000_000 },
      ),
    );

    await etcd.pass(1_000);

    expect(failing.error).toBeInstanceOf(EtcdDeadlineExceededError);
    expect((failing.error as Error).message).toContain('others came first');
  });

  it('ends with its signal, also in a pause', async () => {
    const abort = new AbortController();
    const failing = watchOver(
      concurrency.stm(
        async (tx) => {
          await tx.get('busy');
          await etcd.put('busy');
        },
        { signal: abort.signal },
      ),
    );
    await quiet();

    abort.abort();
    await quiet();

    expect(failing.error).toBeInstanceOf(EtcdAbortedError);
  });

  it.each([
    ['reads', (tx: StmTransaction, keys: string[]) => tx.getAll(keys), /checks 129 keys; maxTxnOperations allows 128/],
    ['writes', (tx: StmTransaction, keys: string[]) => keys.forEach((key) => tx.put(key, 'x')), /writes 129 keys/],
  ])('tells that a transaction %s more keys than one can, before it is sent (C7)', async (_, apply, message) => {
    const keys = Array.from({ length: 129 }, (__, index) => `k${index}`);

    const failing = concurrency.stm((tx) => apply(tx, keys));

    await expect(failing).rejects.toBeInstanceOf(EtcdTooManyOperationsError);
    await expect(failing).rejects.toThrow(message);
    expect(etcd.store.revision).toBe(1);
  });

  it('takes as many keys as fit: one that is read and written counts once', async () => {
    const keys = Array.from({ length: 128 }, (_, index) => `k${index}`);

    const { tries } = await concurrency.stm(async (tx) => {
      await tx.getAll(keys);
      for (const key of keys) tx.put(key, 'x');
    });

    expect(tries).toBe(1);
    expect(etcd.store.keysOf('k')).toHaveLength(128);
  });

  it.each([
    ['maxTries', { maxTries: 0 }],
    ['timeoutMs', { timeoutMs: -1 }],
    ['prefetch', { prefetch: [''] }],
  ])('refuses %s that cannot be', async (name, options) => {
    await expect(concurrency.stm(() => 1, options)).rejects.toMatchObject({ argument: name });
    expect(etcd.requests).toEqual([]);
  });
});
