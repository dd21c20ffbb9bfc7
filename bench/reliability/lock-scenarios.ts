/** What locks and elections cost those who wait: after a crash, a resignation, a partition, and without any fault. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startChild, startCluster, startProxy, type Etcd } from '../../test/support/index.js';
import type { ClientScenario, Figures } from './figures.js';
import { makeLockSubject, type LockSubject } from './lock-subjects.js';
import type { SubjectName } from './subjects.js';

const TTL_SECONDS = 5;
const HANDOVERS = 20;
const ROUNDS = 200;
const WAITERS = 50;
const BOTH: readonly SubjectName[] = ['nest-etcd', 'etcd3'];
/** Longer than any of the clients takes to notice that its lease is gone. */
const PATIENCE_MS = 30_000;

export const LOCK_SCENARIOS: Readonly<Record<string, ClientScenario>> = {
  'leader-killed': {
    title: `kill -9 of the process that leads, TTL ${TTL_SECONDS} s`,
    subjects: BOTH,
    run: leaderKilled,
  },
  'leader-cut-off': {
    title: `the leader is cut off from the cluster, TTL ${TTL_SECONDS} s`,
    subjects: BOTH,
    run: leaderCutOff,
  },
  'leader-resigns': { title: `${HANDOVERS} resignations`, subjects: BOTH, run: leaderResigns },
  'lock-free': { title: `a free lock, taken and given back ${ROUNDS} times`, subjects: BOTH, run: lockFree },
  // The locks of etcd3 do not wait: who finds one taken gets an error.
  'lock-wait': { title: `a lock that goes through a queue of ${WAITERS}`, subjects: ['nest-etcd'], run: lockWait },
};

/** The last of two candidates, as soon as it stands in the queue. @returns when it knows that it leads. */
async function successor(etcd: Etcd, subject: LockSubject, election: string): Promise<{ leadsAt: Promise<number> }> {
  const count = async (): Promise<number> => (await etcd.gateway.getPrefix('')).length;
  const before = await count();
  const leadsAt = subject.campaign(election, 'second', TTL_SECONDS).then(() => performance.now());
  while ((await count()) === before) await delay(10);
  await delay(500 + (Math.random() * TTL_SECONDS * 1_000) / 3); // at any time between two renewals
  return { leadsAt };
}

async function leaderKilled(name: SubjectName): Promise<Figures> {
  await using etcd = await startCluster();
  const program = join(import.meta.dirname, 'leader.ts');
  const args = ['--import', 'tsx', program, name, etcd.endpoints.join(','), 'killed', String(TTL_SECONDS)];
  const leader = await startChild(process.execPath, args);
  await leader.waitForOutput(/leads/);
  const subject = makeLockSubject(name, etcd.endpoints);
  const { leadsAt } = await successor(etcd, subject, 'killed');
  const killedAt = performance.now();
  leader.signal('SIGKILL');
  const figures = { 'until the next one leads, ms': (await leadsAt) - killedAt };
  await subject.close();
  return figures;
}

async function leaderCutOff(name: SubjectName): Promise<Figures> {
  await using etcd = await startCluster();
  const proxies = await Promise.all(etcd.members.map(({ port }) => startProxy({ targetPort: port })));
  const distant = makeLockSubject(
    name,
    proxies.map(({ endpoint }) => endpoint),
  );
  const term = await distant.campaign('cut', 'first', TTL_SECONDS);
  const subject = makeLockSubject(name, etcd.endpoints);
  const { leadsAt } = await successor(etcd, subject, 'cut');
  const cutAt = performance.now();
  for (const proxy of proxies) proxy.blackHole();
  const next = await leadsAt;
  const lostAt = await Promise.race([term.lostAt, delay(PATIENCE_MS).then(() => performance.now())]);
  await Promise.all([subject.close(), distant.close()]);
  await Promise.all(proxies.map((proxy) => proxy.close()));
  return {
    'until the next one leads, ms': next - cutAt,
    'both believe that they lead, ms': Math.max(0, lostAt - next),
  };
}

async function leaderResigns(name: SubjectName): Promise<Figures> {
  await using etcd = await startCluster();
  const subjects = [makeLockSubject(name, etcd.endpoints), makeLockSubject(name, etcd.endpoints)];
  const taken: number[] = [];
  for (let round = 0; round < HANDOVERS; round++) {
    const election = `resigned-${round}`;
    const term = await subjects[0]!.campaign(election, 'first', TTL_SECONDS);
    const leading = subjects[1]!.campaign(election, 'second', TTL_SECONDS);
    while ((await etcd.gateway.getPrefix('')).length < 2) await delay(5);
    await delay(50);
    const resignedAt = performance.now();
    await term.resign();
    const next = await leading;
    taken.push(performance.now() - resignedAt);
    await next.resign();
  }
  await Promise.all(subjects.map((subject) => subject.close()));
  return summaryOf('until the next one leads', taken);
}

async function lockFree(name: SubjectName): Promise<Figures> {
  await using etcd = await startCluster();
  const subject = makeLockSubject(name, etcd.endpoints);
  const taken: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const startedAt = performance.now();
    const release = await subject.lock('free');
    await release();
    taken.push(performance.now() - startedAt);
  }
  await subject.close();
  return summaryOf('both together', taken);
}

async function lockWait(name: SubjectName): Promise<Figures> {
  await using etcd = await startCluster();
  const subjects = Array.from({ length: 5 }, () => makeLockSubject(name, etcd.endpoints));
  const taken: number[] = [];
  const first = await subjects[0]!.lock('queue');
  let releasedAt = 0;
  const waiting = Array.from({ length: WAITERS }, async (_, index) => {
    const release = await subjects[index % subjects.length]!.lock('queue');
    taken.push(performance.now() - releasedAt);
    releasedAt = performance.now();
    await release();
  });
  while ((await etcd.gateway.getPrefix('')).length <= WAITERS) await delay(10);
  releasedAt = performance.now();
  await first();
  await Promise.all(waiting);
  await Promise.all(subjects.map((subject) => subject.close()));
  return summaryOf('from one holder to the next', taken);
}

function summaryOf(what: string, taken: readonly number[]): Figures {
  const sorted = taken.toSorted((a, b) => a - b);
  return { [`${what}, ms`]: sorted[Math.floor(sorted.length / 2)]!, [`${what}, the slowest, ms`]: sorted.at(-1)! };
}
