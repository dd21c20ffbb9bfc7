/** Our locks, elections and recipes beside those of Go's own packages, in both directions; promise K1. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { EtcdClient } from '../../lib/client/client.js';
import { besideOthers } from '../support/beside-others.js';
import { eventually, type Child, type Etcd } from '../support/index.js';
import { goProgram, MISSING } from './go-program.js';

const program = await goProgram('concurrency-go');

describe('Locks, elections and recipes beside Go', () => {
  if (program.missing !== undefined) {
    it(`is not tried on this machine: ${program.missing}`, () => {
      expect(program.missing).toMatch(MISSING);
    });
    return;
  }
  const { path } = program;
  const stage = besideOthers('interop');
  const { run, keys, untilQueued } = stage;
  let etcd: Etcd;
  let client: EtcdClient;
  let name: string;

  beforeEach(() => {
    ({ etcd, client, name } = stage);
  });

  const runGo = (what: string, value = ''): Promise<Child> => run(path, [etcd.endpoint, what, name, value]);

  describe('Mutex', () => {
    it('of Go keeps ours waiting, and hands over to it', async () => {
      const theirs = await runGo('lock');
      const [, theirKey] = await theirs.waitForOutput(/locked (\S+) (\d+)/);
      expect(await client.concurrency.tryAcquire(name)).toBeUndefined();
      const waiting = client.concurrency.acquire(name, { ttlSeconds: 5 });
      await untilQueued(2);

      await theirs.stop();
      const ours = await waiting;

      expect(await keys()).toEqual([ours.key]);
      expect(theirKey).toMatch(new RegExp(`^${name}/[0-9a-f]+$`));
      await ours.release();
    });

    it('of ours keeps Go waiting, and hands over to it', async () => {
      const ours = await client.concurrency.acquire(name, { ttlSeconds: 5 });
      await (await runGo('trylock')).waitForOutput(/busy/);
      const theirs = await runGo('lock');
      await untilQueued(2);
      expect(theirs.output).not.toContain('locked');

      await ours.release();

      const [, theirKey] = await theirs.waitForOutput(/locked (\S+)/);
      expect(await keys()).toEqual([theirKey]);
    });

    it('queues up ours and theirs in the order in which they came', async () => {
      const first = await client.concurrency.acquire(name, { ttlSeconds: 5 });
      const second = await runGo('lock');
      await untilQueued(2);
      let isThirdIn = false;
      const third = client.concurrency.acquire(name, { ttlSeconds: 5 }).finally(() => (isThirdIn = true));
      await untilQueued(3);

      await first.release();
      await second.waitForOutput(/locked/);
      expect(isThirdIn).toBe(false);
      await second.stop();

      expect((await third).isHeld).toBe(true);
      await (await third).release();
    });
  });

  describe('RWMutex', () => {
    it('lets readers of both in together, and a writer of either alone', async () => {
      const { read, write } = client.concurrency.rwMutex(name);
      const ourReader = await read.acquire({ ttlSeconds: 5 });
      const theirReader = await runGo('rlock');
      await theirReader.waitForOutput(/locked/);
      expect(await write.tryAcquire()).toBeUndefined();

      const theirWriter = await runGo('wlock');
      await untilQueued(3);
      const lateReader = read.acquire({ ttlSeconds: 5 });
      await untilQueued(4);
      await ourReader.release();
      await theirReader.stop();
      await theirWriter.waitForOutput(/locked/);
      expect(await write.tryAcquire()).toBeUndefined();
      await theirWriter.stop();

      const ours = await lateReader;
      expect(ours.isHeld).toBe(true);
      await ours.release();
    });

    it('of ours, for writing, keeps a reader of Go out', async () => {
      const ours = await client.concurrency.rwMutex(name).write.acquire({ ttlSeconds: 5 });
      const theirs = await runGo('rlock');
      await untilQueued(2);
      expect(theirs.output).not.toContain('locked');

      await ours.release();

      await theirs.waitForOutput(/locked/);
    });
  });

  describe('Election', () => {
    it('of Go is led by theirs until it resigns, then by ours', async () => {
      const theirs = await runGo('elect', 'go');
      await theirs.waitForOutput(/elected/);
      expect((await client.concurrency.leader(name))?.value).toBe('go');
      const campaign = client.concurrency.campaign(name, 'ours', { ttlSeconds: 5 });
      await untilQueued(2);

      await theirs.stop();
      const ours = await campaign;

      expect(ours.isLeader).toBe(true);
      await ours.resign();
    });

    it('of ours keeps Go waiting, and Go observes what ours says', async () => {
      const ours = await client.concurrency.campaign(name, 'ours', { ttlSeconds: 5 });
      const observer = await runGo('observe');
      await observer.waitForOutput(/leader ours\n/);
      const theirs = await runGo('elect', 'go');
      await untilQueued(2);

      await ours.proclaim('ours, still');
      await observer.waitForOutput(/leader ours, still\n/);
      expect(theirs.output).not.toContain('elected');
      await ours.resign();

      await theirs.waitForOutput(/elected/);
      await observer.waitForOutput(/leader go\n/);
    });

    it('is observed by ours when theirs lead', async () => {
      const seen: (string | undefined)[] = [];
      const observer = client.concurrency.observe(name);
      const observed = (async () => {
        for await (const leader of observer) seen.push(leader?.value);
      })();

      const one = await runGo('elect', 'one');
      await one.waitForOutput(/elected/);
      const two = await runGo('elect', 'two');
      await untilQueued(2);
      await one.stop();
      await two.waitForOutput(/elected/);
      await two.stop();
      await eventually(() => seen.length === 4, { what: 'four leaders' });
      await observer.close();
      await observed;

      expect(seen).toEqual([undefined, 'one', 'two', undefined]);
    });
  });

  describe('STM', () => {
    it('loses no update of ours and theirs', async () => {
      const theirs = await runGo('increment', '30');

      for (let count = 0; count < 30; count++) {
        await client.concurrency.stm(async (tx) => tx.put(name, String(Number((await tx.get(name))?.value ?? 0) + 1)), {
          maxTries: 1_000,
          timeoutMs: 30_000,
        });
      }
      await theirs.waitForOutput(/incremented/);

      expect((await etcd.gateway.get(name))?.value).toBe('60');
    });
  });

  describe('Queues', () => {
    it('pass values on between ours and theirs, in their order', async () => {
      const queue = client.concurrency.queue(name);
      await (await runGo('enqueue', 'of go')).waitForOutput(/enqueued/);
      await queue.enqueue('of ours');

      expect((await queue.dequeue()).value).toBe('of go');
      await (await runGo('dequeue')).waitForOutput(/dequeued of ours/);
    });

    it('with priorities do, too, with numbers that go on', async () => {
      const queue = client.concurrency.priorityQueue(name);
      await (await runGo('enqueue5', 'second')).waitForOutput(/enqueued/);
      await queue.enqueue('third', 5);
      await queue.enqueue('first', 4);

      await (await runGo('dequeue-first')).waitForOutput(/dequeued first/);
      expect([(await queue.dequeue()).value, (await queue.dequeue()).value]).toEqual(['second', 'third']);
    });
  });

  describe('Barriers', () => {
    it('of ours hold Go back', async () => {
      const barrier = client.concurrency.barrier(name);
      await barrier.hold();
      const theirs = await runGo('barrier');
      expect(theirs.output).toBe('');

      await barrier.release();

      await theirs.waitForOutput(/through/);
    });

    it('of two sides are entered and left by ours and theirs together', async () => {
      await using session = await client.concurrency.session({ ttlSeconds: 5 });
      const ours = client.concurrency.doubleBarrier(name, 2, { session });
      const theirs = await runGo('double-barrier', '2');
      await untilQueued(1);
      expect(theirs.output).toBe('');

      await ours.enter();
      await theirs.waitForOutput(/entered/);
      theirs.signal('SIGTERM');
      await ours.leave();

      await theirs.waitForOutput(/left/);
      expect(await keys()).toEqual([]);
    });
  });
});
