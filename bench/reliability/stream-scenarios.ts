/** What watches and leases cost and lose: cuts in the middle of history, silence, thousands at once, a reader that sleeps. */
import { setTimeout as delay } from 'node:timers/promises';
import { EtcdClient } from '../../lib/client/client.js';
import { prefix } from '../../lib/client/key-range.js';
import { put } from '../../lib/client/kv/operations.js';
import { sumOfMetric } from '../../test/support/etcd/metrics.js';
import { keptBytes } from '../../test/support/heap.js';
import { startCluster, startEtcd, startProxy, type Etcd, type TcpProxy } from '../../test/support/index.js';
import type { ClientScenario, Figures } from './figures.js';
import { makeStreamSubject, type StreamSubject } from './stream-subjects.js';
import type { SubjectName } from './subjects.js';

const BOTH: readonly SubjectName[] = ['nest-etcd', 'etcd3'];
const HISTORY = 6_000;
const SILENCE_MS = 20_000;
const WATCHES = 10_000;
const FLOOD = 100_000;
const FLOOD_AT_ONCE = 25;
const LEASES = 2_000;
const LEASE_TTL_SECONDS = 10;
const CUT_TTL_SECONDS = 4;
/** After so long without anything new nothing more is expected. */
const QUIET_MS = 10_000;

export const STREAM_SCENARIOS: Readonly<Record<string, ClientScenario>> = {
  'catch-up': {
    title: `a watch of ${HISTORY} old revisions, cut three times while it reads them`,
    subjects: BOTH,
    run: catchUp,
  },
  'black-hole': {
    title: `a watch whose endpoint is black-holed for ${SILENCE_MS / 1_000} s under 20 writes/s`,
    subjects: BOTH,
    run: blackHole,
  },
  'many-watches': { title: `${WATCHES} watches, then a reset`, subjects: BOTH, run: manyWatches },
  // The events of etcd3 are pushed: its readers cannot fall behind, and keep what they cannot deal with themselves.
  'sleeping-reader': { title: `${FLOOD} events to a reader that sleeps`, subjects: ['nest-etcd'], run: sleepingReader },
  'lease-cut-off': {
    title: `the holder of a lease of ${CUT_TTL_SECONDS} s is cut off`,
    subjects: BOTH,
    run: leaseCutOff,
  },
  'many-leases': {
    title: `${LEASES} leases of ${LEASE_TTL_SECONDS} s over three TTLs, with a change of the leader`,
    subjects: BOTH,
    run: manyLeases,
  },
};

/** What a watch was told. */
class Heard {
  readonly times = new Map<string, number>();
  lastAt = performance.now();

  readonly onEvent = (key: string, revision: number): void => {
    const name = `${key}@${revision}`;
    this.times.set(name, (this.times.get(name) ?? 0) + 1);
    this.lastAt = performance.now();
  };

  /** Resolves when so many different events have come, or none for long. */
  async settle(count: number): Promise<void> {
    while (this.times.size < count && performance.now() - this.lastAt < QUIET_MS) await delay(20);
  }

  costs(expected: number): Figures {
    return {
      'events lost': expected - this.times.size,
      'events that came twice': [...this.times.values()].filter((times) => times > 1).length,
    };
  }
}

async function catchUp(name: SubjectName): Promise<Figures> {
  await using etcd = await startEtcd({ own: true });
  const startRevision = await writeMany(etcd, 'deep/', HISTORY);
  await using proxy = await startProxy({ targetPort: etcd.members[0]!.port });
  const subject = makeStreamSubject(name, [proxy.endpoint]);
  const heard = new Heard();
  const beganAt = performance.now();
  void resetEach(proxy, [40_000, 60_000, 50_000]);
  await subject.watch('deep/', heard.onEvent, startRevision);
  await heard.settle(HISTORY);
  await subject.close();
  return { ...heard.costs(HISTORY), 'until the last event, ms': heard.lastAt - beganAt };
}

async function blackHole(name: SubjectName): Promise<Figures> {
  await using etcd = await startCluster();
  const proxies = await Promise.all(etcd.members.map(({ port }) => startProxy({ targetPort: port })));
  const subject = makeStreamSubject(
    name,
    proxies.map(({ endpoint }) => endpoint),
  );
  const heard = new Heard();
  await subject.watch('live/', heard.onEvent);
  const stop = new AbortController();
  let written = 0;
  const write = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      await etcd.gateway.put(`live/${written++ % 10}`, 'x');
      await delay(50);
    }
  };
  const writing = write();
  const inUse = await carrierOf(proxies);
  const begunAt = performance.now();
  let longestMs = 0;
  inUse.blackHole();
  while (performance.now() - begunAt < SILENCE_MS) {
    await delay(10);
    longestMs = Math.max(longestMs, performance.now() - heard.lastAt);
  }
  await inUse.mend();
  stop.abort();
  await writing;
  await heard.settle(written);
  await subject.close();
  await Promise.all(proxies.map((proxy) => proxy.close()));
  return { 'longest time without an event, ms': longestMs, ...heard.costs(written) };
}

/** The proxy over which the events come. */
async function carrierOf(proxies: readonly TcpProxy[]): Promise<TcpProxy> {
  const before = proxies.map((proxy) => proxy.bytes('s2c'));
  await delay(2_000);
  const carried = proxies.map((proxy, index) => proxy.bytes('s2c') - before[index]!);
  return proxies[carried.indexOf(Math.max(...carried))]!;
}

async function manyWatches(name: SubjectName): Promise<Figures> {
  await using etcd = await startEtcd({ own: true });
  await using proxy = await startProxy({ targetPort: etcd.members[0]!.port });
  const subject = makeStreamSubject(name, [proxy.endpoint]);
  await subject.watch('first/', () => undefined);
  const heard = new Array<number>(WATCHES).fill(0);
  const keptBefore = keptBytes();
  const beganAt = performance.now();
  await Promise.all(heard.map((_, index) => subject.watch(`many/${index}/`, () => (heard[index]! += 1))));
  const createdMs = performance.now() - beganAt;
  const bytesOfOne = (keptBytes() - keptBefore) / WATCHES;
  const cutAt = performance.now();
  proxy.reset();
  await writeEach(etcd, (index) => `many/${index}/x`, WATCHES);
  while (heard.includes(0) && performance.now() - cutAt < 60_000) await delay(20);
  const resumedMs = performance.now() - cutAt;
  await subject.close();
  return {
    'until all are created, ms': createdMs,
    'memory of one with its reader, bytes': bytesOfOne,
    'from the reset until all have heard of a write, ms': resumedMs,
    'watches that missed it': heard.filter((events) => events === 0).length,
    'watches that heard of it twice': heard.filter((events) => events > 1).length,
  };
}

async function sleepingReader(): Promise<Figures> {
  await using etcd = await startEtcd({ own: true });
  await using client = new EtcdClient({ endpoints: etcd.endpoints });
  const sleeper = client.watch.watch(prefix('flood/'));
  await sleeper.created;
  const keptBefore = keptBytes();
  const operations = Array.from({ length: FLOOD_AT_ONCE }, (_, index) => put(`flood/${index}`, 'x'.repeat(100)));
  for (let round = 0; round < FLOOD / FLOOD_AT_ONCE; round++) {
    await client.kv
      .txn()
      .then(...operations)
      .commit();
  }
  const kept = keptBytes() - keptBefore;
  const wokeAt = performance.now();
  let heard = 0;
  for await (const event of sleeper) if (event.type === 'put' && ++heard === FLOOD) break;
  return {
    'memory while it sleeps, MiB': kept / 2 ** 20,
    'events lost': FLOOD - heard,
    'until it has read them all, ms': performance.now() - wokeAt,
  };
}

async function leaseCutOff(name: SubjectName): Promise<Figures> {
  await using etcd = await startEtcd({ own: true });
  await using proxy = await startProxy({ targetPort: etcd.members[0]!.port });
  const subject = makeStreamSubject(name, [proxy.endpoint]);
  const { lostAt } = await subject.hold('held', CUT_TTL_SECONDS);
  await delay(CUT_TTL_SECONDS * 1_000 + (Math.random() * CUT_TTL_SECONDS * 1_000) / 3);
  const cutAt = performance.now();
  proxy.blackHole();
  while ((await etcd.gateway.get('held')) !== undefined) await delay(5);
  const goneAt = performance.now();
  const toldAt = await Promise.race([lostAt, delay(30_000).then(() => performance.now())]);
  await subject.close();
  return {
    'until it is told, ms': toldAt - cutAt,
    'it holds what the server has let go, ms': Math.max(0, toldAt - goneAt),
  };
}

async function manyLeases(name: SubjectName): Promise<Figures> {
  await using etcd = await startCluster();
  const subject = makeStreamSubject(name, etcd.endpoints);
  let lost = 0;
  for (let index = 0; index < LEASES; index += 100) await holdSome(subject, index, () => (lost += 1));
  await delay(LEASE_TTL_SECONDS * 333);
  const asked = (): Promise<number> => sumOfMetric(etcd, 'grpc_server_msg_received_total', KEEP_ALIVE);
  const [askedBefore, since] = [await asked(), performance.now()];
  await delay(LEASE_TTL_SECONDS * 1_500);
  await etcd.moveLeader(((await etcd.leaderIndex()) + 1) % 3);
  await delay(LEASE_TTL_SECONDS * 1_500);
  const ttls = (performance.now() - since) / (LEASE_TTL_SECONDS * 1_000);
  const perTtl = ((await asked()) - askedBefore) / LEASES / ttls;
  const streams = await sumOfMetric(etcd, 'grpc_server_started_total', KEEP_ALIVE);
  const lostByThen = lost;
  await subject.close();
  return {
    'leases lost': lostByThen,
    'requests for each lease in a hundred TTLs': perTtl * 100,
    'streams opened': streams,
  };
}

const KEEP_ALIVE = { grpc_method: 'LeaseKeepAlive' };

async function holdSome(subject: StreamSubject, first: number, onLost: () => void): Promise<void> {
  const some = Array.from({ length: 100 }, (_, index) => subject.hold(`held/${first + index}`, LEASE_TTL_SECONDS));
  for (const { lostAt } of await Promise.all(some)) void lostAt.then(onLost);
}

/** @returns the revision of the first write. */
async function writeMany(etcd: Etcd, start: string, count: number): Promise<number> {
  const before = await etcd.gateway.revision();
  await writeEach(etcd, (index) => `${start}${index}`, count);
  return before + 1;
}

/** By a client of its own, which is not what is measured. */
async function writeEach(etcd: Etcd, keyOf: (index: number) => string, count: number): Promise<void> {
  await using client = new EtcdClient({ endpoints: etcd.endpoints, callTimeoutMs: 60_000 });
  for (let index = 0; index < count; index += 100) {
    await Promise.all(Array.from({ length: 100 }, (_, offset) => client.kv.put(keyOf(index + offset), 'x')));
  }
}

/** Cuts one connection after the other, each after so many bytes. */
async function resetEach(proxy: TcpProxy, bytesOfEach: readonly number[]): Promise<void> {
  for (const bytes of bytesOfEach) {
    await proxy.nextConnection();
    proxy.resetAfter('s2c', bytes);
  }
}
