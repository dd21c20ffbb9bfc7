/** Sessions, locks, elections and recipes on a real etcd: promises K1, K2 and K3. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { EtcdClient } from '../../lib/client/client.js';
import {
  EtcdCampaignTimeoutError,
  EtcdLockLostError,
  EtcdLockTimeoutError,
} from '../../lib/client/concurrency/concurrency-errors.js';
import type { Lock } from '../../lib/client/concurrency/lock.js';
import type { Locker } from '../../lib/client/concurrency/locker.js';
import { EtcdAbortedError } from '../../lib/client/errors.js';
import { prefix } from '../../lib/client/key-range.js';
import { put } from '../../lib/client/kv/operations.js';
import { EtcdPermissionDeniedError } from '../../lib/client/server-errors.js';
import {
  eventually,
  startChild,
  startEtcd,
  startProxy,
  type Child,
  type Etcd,
  type TcpProxy,
} from '../support/index.js';

let etcd: Etcd;
let client: EtcdClient;
/** A name of its own for each test. */
let name: string;
let tests = 0;

beforeAll(async () => {
  etcd = await startEtcd({ own: true });
  client = new EtcdClient({ endpoints: etcd.endpoints });
});

beforeEach(() => {
  name = `concurrency/${process.pid}/${++tests}`;
});

afterAll(async () => {
  await client.close();
  await etcd.stop();
});

const keys = async (): Promise<string[]> => (await etcd.gateway.getPrefix(`${name}/`)).map(({ key }) => key);
const untilQueued = (count: number) =>
  eventually(async () => (await keys()).length === count, { what: `${count} keys in the queue` });

async function elapsedMs(work: Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work;
  return performance.now() - startedAt;
}

const HOLDER_TTL_SECONDS = 2;
/** How late things may be on a machine that has much else to do. `npm run bench:reliability` measures how late they are. */
const LATE_MS = 3_000;
const CONTENDER = fileURLToPath(new URL('contenders/contender.ts', import.meta.url));
const CANDIDATE = fileURLToPath(new URL('contenders/candidate.ts', import.meta.url));

function program(path: string, ...args: string[]): Promise<Child> {
  return startChild(process.execPath, ['--import', 'tsx', path, etcd.endpoint, name, ...args]);
}

/** @returns a process that has the lock, and writes under its guard once it has lost it. */
async function slowHolder(): Promise<Child> {
  const child = await program(CONTENDER, '1', String(HOLDER_TTL_SECONDS));
  await child.waitForOutput(/"acquired"/);
  child.signal('SIGHUP');
  await child.waitForOutput(/"thinking"/);
  return child;
}

/** Lets many in at the same time, and keeps the most that were in at a time. */
async function crowd(size: number, lockerOf: (client: EtcdClient, index: number) => Locker): Promise<number> {
  const clients = Array.from({ length: 4 }, () => new EtcdClient({ endpoints: etcd.endpoints }));
  let inside = 0;
  let most = 0;
  const visit = async (index: number): Promise<void> => {
    const locker = lockerOf(clients[index % clients.length]!, index);
    await locker.lock({ ttlSeconds: 10 }, async () => {
      most = Math.max(most, ++inside);
      await delay(3);
      inside -= 1;
    });
  };
  await Promise.all(Array.from({ length: size }, (_, index) => visit(index)));
  await Promise.all(clients.map((one) => one.close()));
  return most;
}

describe('A lock', () => {
  it('is had by one at a time, of 40 in four clients', async () => {
    const most = await crowd(40, (one) => one.concurrency.mutex(name));

    expect(most).toBe(1);
    expect(await keys()).toEqual([]);
  }, 60_000);

  it('is had in the order of create revisions', async () => {
    const order: number[] = [];
    const first = await client.concurrency.acquire(name);
    const others = Array.from({ length: 10 }, () =>
      client.concurrency.lock(name, (lock) => void order.push(lock.fencingToken)),
    );
    await untilQueued(11);

    await first.release();
    await Promise.all(others);

    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(order).toHaveLength(10);
  });

  it('is shared by a session with others, without a lease for each', async () => {
    await using session = await client.concurrency.session({ ttlSeconds: 10 });

    const [one, two] = await Promise.all([
      client.concurrency.acquire(name, { session }),
      client.concurrency.acquire(`${name}-other`, { session }),
    ]);

    expect([one.leaseId, two.leaseId]).toEqual([session.leaseId, session.leaseId]);
    expect((await etcd.gateway.leases()).filter((id) => id === session.leaseId)).toHaveLength(1);
  });

  it('whose wait is aborted or times out leaves no key and no lease within a second (D10)', async () => {
    const holder = await client.concurrency.acquire(name);
    const leases = (await etcd.gateway.leases()).length;
    const abort = new AbortController();
    const aborted = client.concurrency.acquire(name, { signal: abort.signal });
    const late = client.concurrency.acquire(name, { waitMs: 200 });
    await untilQueued(3);

    abort.abort();
    await expect(aborted).rejects.toBeInstanceOf(EtcdAbortedError);
    await expect(late).rejects.toBeInstanceOf(EtcdLockTimeoutError);

    expect(await keys()).toEqual([holder.key]);
    expect(await etcd.gateway.leases()).toHaveLength(leases);
    await holder.release();
  });

  it('is broken by whoever deletes its key: the holder hears of it, and the next one gets it', async () => {
    const holder = await client.concurrency.acquire(name);
    const waiting = client.concurrency.acquire(name);
    await untilQueued(2);

    await etcd.gateway.delete(holder.key);

    expect(await holder.lost).toMatchObject({ reason: 'key-gone' });
    expect((await waiting).isHeld).toBe(true);
    await (await waiting).release();
  });

  it('of a process that was killed is free after the TTL, and no key is left (K2)', async () => {
    const child = await slowHolder();
    const startedAt = performance.now();
    child.signal('SIGKILL');
    await child.exited();

    await client.concurrency.lock(name, { waitMs: 20_000 }, () => undefined);

    expect(performance.now() - startedAt).toBeLessThan(HOLDER_TTL_SECONDS * 1_000 + LATE_MS);
    expect(await keys()).toEqual([]);
  });

  it('of a process that was stopped goes to another one, and its late write is refused, as it knows by its clock (K2, D3)', async () => {
    const child = await slowHolder();
    const [, token] = /"event":"thinking",.*"token":(\d+)/.exec(child.output)!;
    child.signal('SIGSTOP');
    const lock = await client.concurrency.acquire(name, { waitMs: 20_000 });
    await client.kv
      .txn()
      .if(lock.guard)
      .then(put(`${name}-counter`, `${lock.fencingToken}:1`))
      .commit();

    child.signal('SIGCONT');
    const [line] = await child.waitForOutput(/.*"refused".*/);

    expect(JSON.parse(line)).toMatchObject({ token: Number(token), isHeld: false });
    expect(lock.fencingToken).toBeGreaterThan(Number(token));
    expect((await etcd.gateway.get(`${name}-counter`))?.value).toBe(`${lock.fencingToken}:1`);
    await lock.release();
    await child.stop();
  });

  it('is given back by a client that closes, so that the next one need not wait for the TTL (M6)', async () => {
    const other = new EtcdClient({ endpoints: etcd.endpoints });
    const lock = await other.concurrency.acquire(name, { ttlSeconds: 60 });
    const waiting = client.concurrency.acquire(name);
    await untilQueued(2);

    const closedMs = await elapsedMs(other.close());
    const waitedMs = await elapsedMs(waiting);

    expect(closedMs + waitedMs).toBeLessThan(1_000 + LATE_MS);
    expect(lock.signal.aborted).toBe(true);
    await (await waiting).release();
  });
});

describe('A holder that was cut off', () => {
  let proxy: TcpProxy;
  let distant: EtcdClient;
  let lock: Lock;

  beforeEach(async () => {
    proxy = await startProxy({ targetPort: etcd.members[0]!.port });
    distant = new EtcdClient({ endpoints: [`http://127.0.0.1:${proxy.port}`], callTimeoutMs: 2_000 });
    lock = await distant.concurrency.acquire(name, { ttlSeconds: 2 });
  });

  const end = async (): Promise<void> => {
    await distant.close();
    await proxy.close();
  };

  it('hears of the loss before another has the lock, whose token is higher (K2, D4)', async () => {
    const waiting = client.concurrency.acquire(name);
    await untilQueued(2);
    let lostAtMs = Infinity;
    void lock.lost.then(() => (lostAtMs = performance.now()));

    proxy.blackHole();
    const next = await waiting;
    const acquiredAtMs = performance.now();

    expect(lostAtMs).toBeLessThan(acquiredAtMs);
    expect(next.fencingToken).toBeGreaterThan(lock.fencingToken);
    expect(lock.signal.reason).toBeInstanceOf(EtcdLockLostError);
    await proxy.mend({ held: 'drop' });
    await next.release();
    await end();
  });

  it('has its late write refused by the guard, and its release touches nobody’s key (K2)', async () => {
    proxy.blackHole();
    const next = await client.concurrency.acquire(name, { waitMs: 10_000 });
    await proxy.mend({ held: 'drop' });
    await eventually(() => distant.kv.count('reached').then(() => true));

    const late = await distant.kv
      .txn()
      .if(lock.guard)
      .then(put(`${name}-balance`, 'late'))
      .commit({ timeoutMs: 10_000 });
    const good = await client.kv
      .txn()
      .if(next.guard)
      .then(put(`${name}-balance`, 'good'))
      .commit();
    await lock.release();

    expect([late.succeeded, good.succeeded]).toEqual([false, true]);
    expect((await etcd.gateway.get(`${name}-balance`))?.value).toBe('good');
    expect(await keys()).toEqual([next.key]);
    await next.release();
    await end();
  });

  it('leaves no key when its wait ends while it is cut off, also if a request of it arrives late (D10)', async () => {
    await using session = await distant.concurrency.session({ ttlSeconds: 60 });
    await lock.release();
    const abort = new AbortController();
    proxy.hold('c2s');
    const waiting = distant.concurrency.acquire(name, { session, signal: abort.signal });
    await delay(100);
    abort.abort();
    await expect(waiting).rejects.toBeInstanceOf(EtcdAbortedError);

    proxy.release({ held: 'forward' });
    await distant.kv.get('reached', { timeoutMs: 10_000 });
    const proof = await client.concurrency.acquire(name, { waitMs: 5_000 });

    expect(await keys()).toEqual([proof.key]);
    await proof.release();
    await session.close({ timeoutMs: 5_000 });
    await end();
  });
});

describe('Locks that several have at a time', () => {
  it('let in no more than the semaphore has permits', async () => {
    const most = await crowd(30, (one) => one.concurrency.semaphore(name, 3));

    expect(most).toBe(3);
    expect(await keys()).toEqual([]);
  }, 60_000);

  it('let in readers together and writers alone', async () => {
    let readers = 0;
    let writers = 0;
    let mostReaders = 0;
    const wrong: string[] = [];
    const { read, write } = client.concurrency.rwMutex(name);
    const look = () => {
      mostReaders = Math.max(mostReaders, readers);
      if (writers > 1 || (writers === 1 && readers > 0)) wrong.push(`${writers} writers, ${readers} readers`);
    };
    const visitor = (index: number): Promise<void> =>
      index % 4 === 0
        ? write.lock(async () => {
            writers += 1;
            look();
            await delay(3);
            writers -= 1;
          })
        : read.lock(async () => {
            readers += 1;
            look();
            await delay(3);
            readers -= 1;
          });

    await Promise.all(Array.from({ length: 32 }, (_, index) => visitor(index)));

    expect(wrong).toEqual([]);
    expect(mostReaders).toBeGreaterThan(1);
    expect(await keys()).toEqual([]);
  }, 60_000);
});

describe('An election', () => {
  it('hands over at once after a resignation, and within the TTL and a second of a kill (K3)', async () => {
    const TTL_SECONDS = 2;
    const first = await program(CANDIDATE, 'first', String(TTL_SECONDS));
    await first.waitForOutput(/elected/);
    const second = await program(CANDIDATE, 'second', String(TTL_SECONDS));
    await untilQueued(2);
    const observer = client.concurrency.observe(name);
    const seen: { value: string | undefined; atMs: number }[] = [];
    const observed = (async () => {
      for await (const leader of observer) seen.push({ value: leader?.value, atMs: performance.now() });
    })();
    await eventually(() => seen.length === 1);

    first.signal('SIGKILL');
    const killedAtMs = performance.now();
    await eventually(() => seen.length === 2, { timeoutMs: 10_000 });
    const third = client.concurrency.campaign(name, 'third', { ttlSeconds: TTL_SECONDS });
    await untilQueued(2);
    second.signal('SIGTERM');
    const toldAtMs = performance.now();
    const leadership = await third;
    const resignedMs = performance.now() - toldAtMs;
    await leadership.resign();
    await eventually(() => seen.length === 4);
    await observer.close();
    await observed;

    const killedMs = seen[1]!.atMs - killedAtMs;
    process.stdout.write(
      `handed over ${Math.round(killedMs)} ms after a kill, ${Math.round(resignedMs)} ms after a resignation\n`,
    );
    expect(seen.map(({ value }) => value)).toEqual(['first', 'second', 'third', undefined]);
    expect(killedMs).toBeLessThan(TTL_SECONDS * 1_000 + 1_000 + LATE_MS);
    expect(resignedMs).toBeLessThan(200 + LATE_MS);
    await Promise.all([first.stop(), second.stop()]);
  }, 60_000);

  it('leaves no candidacy behind that timed out', async () => {
    const leader = await client.concurrency.campaign(name, 'leader');

    await expect(client.concurrency.campaign(name, 'late', { waitMs: 100 })).rejects.toBeInstanceOf(
      EtcdCampaignTimeoutError,
    );

    expect(await keys()).toEqual([leader.key]);
    await leader.resign();
  });

  it('goes on after a restart, on the session that was left to it', async () => {
    const before = new EtcdClient({ endpoints: etcd.endpoints });
    const leadership = await before.concurrency.campaign(name, 'me', { ttlSeconds: 10 });
    const leaseId = leadership.session.orphan();
    await before.close();

    await using session = await client.concurrency.session({ leaseId });
    const resumed = await client.concurrency.resume(name, { session });
    const { revision } = await resumed!.proclaim('me again');

    expect(resumed?.fencingToken).toBe(leadership.fencingToken);
    expect(await client.concurrency.leader(name)).toMatchObject({ modRevision: revision });
  });

  it('is observed across compaction and a restart of the member (D14)', async () => {
    const seen: (string | undefined)[] = [];
    const observer = client.concurrency.observe(name);
    const observed = (async () => {
      for await (const leader of observer) seen.push(leader?.value);
    })();
    const leadership = await client.concurrency.campaign(name, '1', { ttlSeconds: 60 });
    await eventually(() => seen.at(-1) === '1');

    await etcd.members[0]!.kill();
    await etcd.members[0]!.restart();
    await eventually(() => leadership.proclaim('2', { timeoutMs: 5_000 }), { timeoutMs: 20_000 });
    await etcd.gateway.compact(await etcd.gateway.revision());
    await leadership.proclaim('3');
    await eventually(() => seen.at(-1) === '3', { timeoutMs: 20_000 });
    await observer.close();
    await observed;

    expect(seen.filter((value, index) => seen.indexOf(value) === index)).toEqual(seen);
    expect(seen.slice(0, 2)).toEqual([undefined, '1']);
    await leadership.resign();
  }, 60_000);

  it('is won again and again by whileLeader, of whose bodies one runs at a time', async () => {
    const clients = [1, 2, 3].map(() => new EtcdClient({ endpoints: etcd.endpoints }));
    const stop = new AbortController();
    const terms: number[] = [];
    const running = [0, 0, 0];
    const wrong: string[] = [];
    const candidates = clients.map((one, index) =>
      one.concurrency.whileLeader(
        name,
        async ({ signal, key }) => {
          if (++running[index]! > 1) wrong.push(`${index} twice`);
          terms.push(index);
          setTimeout(() => void etcd.gateway.delete(key), 50); // an operator ends each term
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
          await delay(20);
          running[index]! -= 1;
        },
        { ttlSeconds: 5, signal: stop.signal },
      ),
    );
    await eventually(() => terms.length >= 9 && new Set(terms).size === clients.length, {
      what: 'nine terms, some of each candidate',
      timeoutMs: 40_000,
    });
    stop.abort();
    await Promise.all(candidates);
    await Promise.all(clients.map((one) => one.close()));

    expect(wrong).toEqual([]);
    expect(await keys()).toEqual([]);
  }, 60_000);
});

describe('A session', () => {
  it('takes what hangs on it along', async () => {
    const session = await client.concurrency.session({ ttlSeconds: 10 });
    await client.kv.put(`${name}/worker`, 'up', { lease: session.leaseId });

    await session.close();

    expect(await keys()).toEqual([]);
  });

  it('that is kept is replaced when somebody revokes it, with what was set up on it', async () => {
    const kept = await client.concurrency.keepSession(
      (session) => client.kv.put(`${name}/worker`, 'up', { lease: session.leaseId }).then(() => undefined),
      { ttlSeconds: 3 },
    );
    const first = kept.session.leaseId;

    await etcd.gateway.call('/v3/lease/revoke', { ID: BigInt(`0x${first}`).toString() });
    await eventually(() => kept.session.leaseId !== first, { timeoutMs: 10_000 });

    expect((await etcd.gateway.get(`${name}/worker`))?.lease).toBe(kept.session.leaseId);
    await kept.close();
    expect(await keys()).toEqual([]);
  });
});

describe('Queues and barriers', () => {
  it('give each of 60 values out once, to six who take them', async () => {
    const queue = client.concurrency.queue(name);
    const taken: string[] = [];
    const stop = new AbortController();
    const takers = Array.from({ length: 6 }, async () => {
      for (;;) {
        const kv = await queue.dequeue({ signal: stop.signal });
        taken.push(kv.value);
      }
    });

    for (let count = 0; count < 60; count++) await queue.enqueue(String(count));
    await eventually(() => taken.length >= 60);
    stop.abort();
    await Promise.allSettled(takers);

    expect(taken.map(Number).sort((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, index) => index));
    expect(await client.kv.count(prefix(`${name}/`))).toBe(0);
  });

  it('give values out by priority, also those that come at the same time', async () => {
    const queue = client.concurrency.priorityQueue(name);
    await Promise.all([5, 1, 3, 1, 5].map((priority, index) => queue.enqueue(`${priority}.${index}`, priority)));

    const values = [];
    for (let kv = await queue.tryDequeue(); kv !== undefined; kv = await queue.tryDequeue()) values.push(kv.value);

    expect(values.map((value) => value[0])).toEqual(['1', '1', '3', '5', '5']);
  });

  it('let five participants begin together and end together, three times', async () => {
    const sessions = await Promise.all(Array.from({ length: 5 }, () => client.concurrency.session({ ttlSeconds: 10 })));
    const participants = sessions.map((session) => client.concurrency.doubleBarrier(name, 5, { session }));
    let inside = 0;
    const seen: number[] = [];

    for (let round = 0; round < 3; round++) {
      await Promise.all(
        participants.map(async (participant) => {
          await participant.enter();
          inside += 1;
          await eventually(() => inside === 5);
          seen.push(inside);
          await participant.leave();
        }),
      );
      inside = 0;
    }

    expect(seen).toEqual(Array(15).fill(5));
    expect(await keys()).toEqual([]);
    await Promise.all(sessions.map((session) => session.close()));
  }, 60_000);
});

describe('A user with few rights', () => {
  it('locks where it may, and leaves nothing behind where it may not', async () => {
    await using guarded = await startEtcd({ own: true, auth: true });
    await guarded.auth.addRole('locker', [{ prefix: 'mine/', type: 'readwrite' }]);
    await guarded.auth.addUser('ada', 'secret', ['locker']);
    const ada = new EtcdClient({ endpoints: guarded.endpoints, auth: { username: 'ada', password: 'secret' } });

    const seen = await ada.concurrency.lock('mine/lock', ({ key }) => key);
    await expect(ada.concurrency.acquire('yours/lock')).rejects.toBeInstanceOf(EtcdPermissionDeniedError);

    expect(seen).toMatch(/^mine\/lock\//);
    expect(await guarded.gateway.leases()).toEqual([]);
    await ada.close();
  }, 60_000);
});
