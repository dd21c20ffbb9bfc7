/** What is measured: workloads, their sizes, and with which clients. */
import type { Workload } from './load/protocol.js';
import { SUBJECTS, type SubjectName } from './subjects.js';

export const SETS = ['smoke', 'quick', 'full'] as const;

export type SetName = (typeof SETS)[number];

/** One load: so much in flight, with these clients in turn. */
export interface Level {
  readonly inFlight: number;
  readonly subjects: readonly SubjectName[];
}

/** Measurements that are taken together, round after round. */
export interface Case {
  readonly id: string;
  readonly title: string;
  readonly workload: Workload;
  readonly levels: readonly Level[];
  /** The first is the one by which clients are compared. */
  readonly figures: readonly string[];
  readonly keys: number;
  readonly valueBytes: number;
  /** How often each of these keys was written. */
  readonly versions: number;
  /** How many watches or leases; 0 where there are none. */
  readonly count: number;
  readonly ttlSeconds: number;
  /** Of each trial, where it is not for the user to choose. */
  readonly seconds: number | undefined;
  readonly maxOperations: number;
  /** How much longer than usual it is warmed up. */
  readonly warmUpTimes: number;
  /** Whether each trial needs a process of its own. */
  readonly isFresh: boolean;
}

const PEERS = ['etcd3', 'grpc-js', 'go'] as const satisfies readonly SubjectName[];
const READERS = ['nest-etcd', 'nest-etcd-single', ...PEERS] as const satisfies readonly SubjectName[];
const WRITERS = ['nest-etcd', ...PEERS] as const satisfies readonly SubjectName[];

const CALL = ['perSecond', 'cpuUs', 'p50Ms', 'p99Ms'];
const MANY = 10_000;
/** Events that wait for watches. */
const WAITING = 100_000;
const MIB = 1024 * 1024;

/** What most cases have in common. */
const USUAL = {
  keys: MANY,
  valueBytes: 100,
  versions: 1,
  count: 0,
  ttlSeconds: 0,
  seconds: undefined,
  maxOperations: Number.MAX_SAFE_INTEGER,
  warmUpTimes: 1,
  isFresh: false,
} as const;

/**
 * Every client at every load: what is compared must not be better warmed up than what it is compared with. Clients that
 * cannot do it are left in: a table says why they have no figures.
 */
function at(loads: readonly number[], subjects: readonly SubjectName[]): readonly Level[] {
  return loads.map((inFlight) => ({ inFlight, subjects }));
}

/** One load shows what a transport costs. */
function withOtherTransport({ inFlight, subjects }: Level): Level {
  return { inFlight, subjects: inFlight === 256 ? [...subjects, 'nest-etcd-grpc-js'] : subjects };
}

/** A lone get takes another path than several, and has a process that does nothing else and is warm for it. */
function calls(set: SetName, valueBytes: number): readonly Case[] {
  const size = valueBytes < 1_024 ? `${valueBytes} B` : `${valueBytes / 1_024} KiB`;
  const call = (workload: Workload, title: string, levels: readonly Level[]): Case => ({
    ...USUAL,
    id: `${workload}-${valueBytes}`,
    workload,
    title: `${title}, ${size}`,
    levels,
    valueBytes,
    figures: CALL,
  });
  const isFull = set === 'full';
  const some = isFull ? [16, 64, 256, 1_024] : [64, 256, 1_024];
  const txn = isFull ? at([1, ...some], WRITERS) : at([256], WRITERS);
  const lone = call('get', 'Get, one at a time', at([1], isFull ? READERS : WRITERS));
  return [
    { ...lone, id: `get-lone-${valueBytes}`, warmUpTimes: 3 },
    call('get', 'Get', at(some, READERS)),
    call('put', 'Put', at([1, ...some], WRITERS).map(withOtherTransport)),
    call('txn-read', 'Transaction that reads', txn),
    call('txn-write', 'Transaction that writes', txn),
  ];
}

/** Counting and timing calls costs so little that two processes would not show it. */
function metered(workload: 'metered-get' | 'metered-put', title: string): Case {
  return {
    ...USUAL,
    id: workload,
    workload,
    title,
    levels: at([256], ['nest-etcd-metrics']),
    figures: ['cpuUs', 'plainCpuUs'],
    seconds: 1.6,
  };
}

function ranges(): readonly Case[] {
  const subjects: readonly SubjectName[] = ['nest-etcd', 'nest-etcd-scan', ...PEERS];
  const memory = (keys: number, readers: readonly SubjectName[]): Case => ({
    ...USUAL,
    id: `memory-${keys}`,
    workload: 'memory',
    title: `Memory to read ${keys.toLocaleString('en')} keys of 1 KiB`,
    levels: at([1], readers),
    figures: ['peakMiB', 'seconds'],
    keys,
    valueBytes: 1_024,
    isFresh: true,
  });
  const large = { ...USUAL, valueBytes: MIB, keys: 4, figures: CALL, maxOperations: 16 };
  return [
    {
      ...USUAL,
      id: 'range',
      workload: 'range',
      title: 'Range of 10,000 keys',
      levels: at([1], subjects),
      figures: CALL,
    },
    memory(4 * MANY, subjects),
    memory(12 * MANY, ['nest-etcd-scan']),
    { ...large, id: 'get-1mib', workload: 'get', title: 'Get of 1 MiB', levels: at([4], READERS) },
    { ...large, id: 'put-1mib', workload: 'put', title: 'Put of 1 MiB', levels: at([4], WRITERS) },
  ];
}

/**
 * Events as they happen, where the server sets the pace, and events that wait, where the reader does. A server sends a
 * watch that catches up at most 1,000 revisions and then pauses for 100 ms: all that waits fits into one such turn.
 */
function watches(): readonly Case[] {
  const watch = (count: number, title: string): Case => ({
    ...USUAL,
    id: `watch-${count}`,
    workload: 'watch',
    title,
    levels: at([1], WRITERS),
    figures: CALL,
    keys: 1,
    count,
  });
  const history = (count: number, keys: number, title: string): Case => ({
    ...watch(count, title),
    id: `history-${count}`,
    workload: 'history',
    figures: ['perSecond', 'cpuUs'],
    keys,
    versions: WAITING / keys,
  });
  return [
    watch(1, 'One watch on a prefix, live'),
    watch(1_000, '1,000 watches, a key each, live'),
    history(1, 100, 'One watch on a prefix that catches up with 100,000 events'),
    history(1_000, 1_000, '1,000 watches, a key each, that catch up with 100 events each'),
  ];
}

/** A lease is renewed each third of its time to live, by the Go client up to half a second later: a trial sees that some times. */
function leases(count: number, ttlSeconds: number): Case {
  return {
    ...USUAL,
    id: `leases-${count}`,
    workload: 'leases',
    title: `${count.toLocaleString('en')} leases of ${ttlSeconds} s kept alive`,
    levels: at([1], WRITERS),
    figures: ['cpuUs', 'cpuMsPerSecond', 'perSecond'],
    keys: 1,
    count,
    ttlSeconds,
    seconds: ttlSeconds,
  };
}

const VIEW: Case = {
  ...USUAL,
  id: 'view',
  workload: 'view',
  title: 'Reads of a live view of 10,000 keys',
  levels: at([1], WRITERS),
  figures: ['perSecond', 'cpuUs'],
};

const START: Case = {
  ...USUAL,
  id: 'start',
  workload: 'start',
  title: 'A new process',
  levels: at([1], WRITERS),
  figures: ['importMs', 'firstAnswerMs', 'residentMiB'],
  keys: 1,
  isFresh: true,
};

/** The cases of a set, in the order in which they are run. */
export function casesOf(set: SetName): readonly Case[] {
  const isFull = set === 'full';
  const all = [
    ...calls(set, 100),
    ...(isFull ? calls(set, 1_024) : []),
    metered('metered-get', 'Get with metrics and without, in one process, 100 B'),
    metered('metered-put', 'Put with metrics and without, in one process, 100 B'),
    ...ranges(),
    ...watches(),
    leases(1_000, 2),
    ...(isFull ? [leases(10_000, 9)] : []),
    VIEW,
    START,
  ];
  return set === 'smoke' ? all.map(smallest) : all;
}

/** The same work with all clients, as little of it as shows that it can be done. */
function smallest(one: Case): Case {
  const few = (value: number, most: number): number => Math.min(value, most);
  const widest = one.levels.reduce((best, level) => (level.subjects.length > best.subjects.length ? level : best));
  return {
    ...one,
    keys: few(one.keys, one.workload === 'memory' ? one.keys / 100 : 200),
    versions: few(one.versions, 3),
    count: few(one.count, 20),
    seconds: one.seconds && few(one.seconds, 1.2),
    levels: [{ ...widest, inFlight: few(widest.inFlight, 32) }],
  };
}

/** Why a client has no figures of a case; `undefined` when it can have some. */
export function reasonAgainst({ workload }: Case, subject: SubjectName): string | undefined {
  return SUBJECTS[subject].cannot[workload];
}
