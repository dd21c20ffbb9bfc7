/** Barriers and queues: with Go's keys, and without its traps. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { EtcdConcurrency } from '../../../lib/client/concurrency/concurrency.js';
import type { DoubleBarrier } from '../../../lib/client/concurrency/double-barrier.js';
import type { Session } from '../../../lib/client/concurrency/session.js';
import { EtcdAbortedError, EtcdInvalidArgumentError } from '../../../lib/client/errors.js';
import { MemoryEtcd, quiet, watchOver, type Watched } from './memory-etcd.js';

let etcd: MemoryEtcd;
let concurrency: EtcdConcurrency;

beforeEach(() => {
  etcd = new MemoryEtcd();
  ({ concurrency } = etcd.client());
});

describe('A barrier', () => {
  it('holds back who waits until it is released', async () => {
    const barrier = concurrency.barrier('migration');
    expect(await barrier.hold()).toBe(true);
    const waiting = watchOver(barrier.wait().then(() => 'through'));
    await quiet();
    expect([waiting.value, etcd.store.keysOf('')]).toEqual([undefined, ['migration']]);

    expect(await barrier.release()).toBe(true);
    await quiet();

    expect(waiting.value).toBe('through');
  });

  it('lets through at once when it is not held', async () => {
    await concurrency.barrier('migration').wait();
    expect(await concurrency.barrier('migration').release()).toBe(false);
  });

  it('tells who holds it second', async () => {
    const barrier = concurrency.barrier('migration');

    expect([await barrier.hold(), await barrier.hold()]).toEqual([true, false]);
  });

  it('is released by the end of the session it was held on', async () => {
    const session = await concurrency.session();
    const barrier = concurrency.barrier('migration');
    await barrier.hold({ session });
    const waiting = watchOver(barrier.wait().then(() => 'through'));

    await session.close();
    await quiet();

    expect(waiting.value).toBe('through');
  });

  it('survives compaction, and can be given up', async () => {
    const barrier = concurrency.barrier('migration');
    await barrier.hold();
    const abort = new AbortController();
    const patient = watchOver(barrier.wait().then(() => 'through'));
    const impatient = watchOver(barrier.wait({ signal: abort.signal }));
    await quiet();

    abort.abort();
    await etcd.breakWatches();
    await etcd.put('other');
    etcd.compactAll();
    await etcd.pass(10_000);
    expect(patient).toEqual({});
    await barrier.release();
    await etcd.pass(1_000);

    expect(patient.value).toBe('through');
    expect(impatient.error).toBeInstanceOf(EtcdAbortedError);
    expect(etcd.watchedKeys()).toEqual([]);
  });
});

describe('A double barrier', () => {
  let sessions: Session[];
  let participants: DoubleBarrier[];

  beforeEach(async () => {
    sessions = [];
    for (let count = 0; count < 3; count++) sessions.push(await concurrency.session({ ttlSeconds: 600 }));
    participants = sessions.map((session) => concurrency.doubleBarrier('round', 3, { session }));
  });

  async function begin(...moves: Promise<void>[]): Promise<Watched<string>[]> {
    const seen = moves.map((move) => watchOver(move.then(() => 'done')));
    await quiet();
    return seen;
  }

  const values = (seen: Watched<string>[]) => seen.map(({ value }) => value);

  it('lets nobody begin before all are there, and nobody go before all are done', async () => {
    const [one, two, three] = participants as [DoubleBarrier, DoubleBarrier, DoubleBarrier];
    const entering = await begin(one.enter(), two.enter());
    expect(values(entering)).toEqual([undefined, undefined]);
    expect(etcd.store.keysOf('round/waiters/')).toHaveLength(2);

    await begin(three.enter());
    expect(values(entering)).toEqual(['done', 'done']);
    expect(etcd.store.keysOf('round/ready')).toHaveLength(1);

    const leaving = await begin(one.leave(), two.leave());
    expect(values(leaving)).toEqual([undefined, undefined]);
    await begin(three.leave());
    await quiet();

    expect(values(leaving)).toEqual(['done', 'done']);
    expect(etcd.store.keysOf('round')).toEqual([]);
  });

  it('can be used for round after round', async () => {
    for (let round = 0; round < 3; round++) {
      const entering = await begin(...participants.map((one) => one.enter()));
      expect(values(entering)).toEqual(['done', 'done', 'done']);
      const leaving = await begin(...participants.map((one) => one.leave()));
      await quiet();
      expect(values(leaving)).toEqual(['done', 'done', 'done']);
    }
  });

  it('refuses who is too many, and leaves no key of theirs', async () => {
    await begin(...participants.map((one) => one.enter()));
    const session = await concurrency.session();
    const fourth = concurrency.doubleBarrier('round', 3, { session });

    await expect(fourth.enter()).rejects.toMatchObject({ code: 'ETCD_BARRIER_FULL', key: 'round', count: 3 });

    expect(etcd.store.keysOf('round/waiters/')).toHaveLength(3);
  });

  it('does not take a sign from the round before for one of this', async () => {
    await etcd.put('round/ready');

    const entering = await begin(participants[0]!.enter(), participants[1]!.enter());

    expect(values(entering)).toEqual([undefined, undefined]);
  });

  it('is opened by others when the last to come crashes before saying that all are there', async () => {
    const entering = await begin(participants[0]!.enter(), participants[1]!.enter());

    await etcd.put('round/waiters/1700000000000000000'); // of another program, which says nothing more
    await quiet();

    expect(values(entering)).toEqual(['done', 'done']);
  });

  it('holds nobody back for whose session has ended', async () => {
    await begin(...participants.map((one) => one.enter()));
    const leaving = await begin(participants[0]!.leave(), participants[1]!.leave());

    await sessions[2]!.close();
    await quiet();

    expect(values(leaving)).toEqual(['done', 'done']);
  });

  it('tells a participant that its own session has ended, and can be given up', async () => {
    const abort = new AbortController();
    const [lost, aborted] = await begin(participants[0]!.enter(), participants[1]!.enter({ signal: abort.signal }));

    await sessions[0]!.close();
    abort.abort();
    await quiet();

    expect(lost!.error).toMatchObject({ code: 'ETCD_BARRIER_LOST', reason: 'lease-lost' });
    expect(aborted!.error).toBeInstanceOf(EtcdAbortedError);
    expect(etcd.store.keysOf('round')).toEqual([]);
  });

  it('is entered and left in turn', async () => {
    await expect(participants[0]!.leave()).rejects.toBeInstanceOf(EtcdInvalidArgumentError);
    void participants[0]!.enter().catch(() => undefined);
    await expect(participants[0]!.enter()).rejects.toThrow(/entering or leaving/);
  });
});

describe('A queue', () => {
  it('gives values out in the order in which they came', async () => {
    const queue = concurrency.queue('mails');
    const keys = [await queue.enqueue('1'), await queue.enqueue('2'), await queue.enqueue(Uint8Array.of(0, 255))];

    const values = [await queue.dequeue(), await queue.dequeue(), await queue.tryDequeue()];

    expect(keys.every((key) => /^mails\/\d{19}$/.test(key))).toBe(true);
    expect(values.slice(0, 2).map((kv) => kv?.value)).toEqual(['1', '2']);
    expect(values[2]?.valueBytes).toEqual(Uint8Array.of(0, 255));
    expect([await queue.tryDequeue(), etcd.store.keysOf('')]).toEqual([undefined, []]);
  });

  it('gives out by the order of the store, not of clocks: keys of other programs may say what they want', async () => {
    await etcd.put('mails/9', 'first');
    await etcd.put('mails/1', 'second');
    await etcd.put('mailsandmore/1', 'of another queue');
    const queue = concurrency.queue('mails');

    expect([(await queue.dequeue()).value, (await queue.dequeue()).value]).toEqual(['first', 'second']);
    expect(await queue.tryDequeue()).toBeUndefined();
  });

  it('waits for a value, and gives it to one of those who wait', async () => {
    const queue = concurrency.queue('mails');
    const waiting = [watchOver(queue.dequeue()), watchOver(queue.dequeue())];
    await quiet();

    await queue.enqueue('one');
    await quiet();
    expect(waiting.filter(({ value }) => value?.value === 'one')).toHaveLength(1);
    await queue.enqueue('two');
    await quiet();

    expect(waiting.map(({ value }) => value?.value).sort()).toEqual(['one', 'two']);
  });

  it('gives each value out once, however many ask', async () => {
    const queue = concurrency.queue('mails');
    for (let count = 0; count < 20; count++) await queue.enqueue(String(count));

    const taken = await Promise.all(Array.from({ length: 25 }, () => queue.tryDequeue()));

    const values = taken.flatMap((kv) => (kv === undefined ? [] : [Number(kv.value)]));
    expect(values.sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, index) => index));
  });

  it('can be waited for in vain', async () => {
    const abort = new AbortController();
    const waiting = watchOver(concurrency.queue('mails').dequeue({ signal: abort.signal }));
    await quiet();

    abort.abort();
    await quiet();

    expect(waiting.error).toBeInstanceOf(EtcdAbortedError);
    expect(etcd.watchedKeys()).toEqual([]);
  });
});

describe('A priority queue', () => {
  it('gives the lowest number out first, and within a number what came first', async () => {
    const queue = concurrency.priorityQueue('jobs');
    for (const [value, priority] of [
      ['c', 7],
      ['a', 0],
      ['d', 7],
      ['e', 65_535],
      ['b', 3],
    ] as const) {
      await queue.enqueue(value, priority);
    }

    const values: string[] = [];
    for (let kv = await queue.tryDequeue(); kv !== undefined; kv = await queue.tryDequeue()) values.push(kv.value);

    expect(values).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('has the keys of Go’s recipe (K1)', async () => {
    const queue = concurrency.priorityQueue('jobs');

    const keys = [await queue.enqueue('a', 7), await queue.enqueue('b', 7)];

    expect(keys).toEqual(['jobs/00007/0000000000000000', 'jobs/00007/0000000000000001']);
    expect(etcd.store.keysOf('__')).toEqual(['__jobs/00007']);
  });

  it('gives two that come at the same time different numbers', async () => {
    const queue = concurrency.priorityQueue('jobs');

    const all = Promise.all(Array.from({ length: 8 }, (_, index) => queue.enqueue(String(index), 1)));
    await etcd.pass(5_000);

    expect(new Set(await all).size).toBe(8);
    expect(etcd.store.keysOf('jobs/')).toHaveLength(8);
  });

  it.each([-1, 1.5, 65_536, Number.NaN])('refuses the priority %d', async (priority) => {
    await expect(concurrency.priorityQueue('jobs').enqueue('x', priority)).rejects.toMatchObject({
      argument: 'priority',
    });
  });
});
