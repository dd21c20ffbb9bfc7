/** Carries a schedule out on a stage. Every fault is over, and the cluster has a leader, before the next one begins. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Fault, Step, Victim } from './schedule.js';
import type { Stage } from './stage.js';

/** What the faults need beside the stage. */
export interface FaultTools {
  /** Begins a watch from the oldest revision there is, and resolves when a server says that it is created. */
  readonly watchHistory: () => Promise<unknown>;
}

/** How long the cluster may take to agree on a leader on a busy machine. */
const ELECTION_MS = 60_000;

/** Carries out a schedule, step by step. */
export async function carryOut(steps: readonly Step[], stage: Stage, tools: FaultTools): Promise<void> {
  for (const { fault, calmMs } of steps) {
    await begin(fault, stage, tools);
    await stage.etcd.leaderIndex({ timeoutMs: ELECTION_MS });
    await delay(calmMs);
  }
}

/** Begins a fault and ends it. */
async function begin(fault: Fault, stage: Stage, tools: FaultTools): Promise<void> {
  if (fault.kind === 'compaction') return stage.compact();
  if (fault.kind === 'lost tokens') return loseTokens(fault.thenReset, stage);
  if (fault.kind === 'cut when created') return cutWhenCreated(fault.watches, stage, tools);
  return isOnMembers(fault) ? onMembers(fault, stage) : onPaths(fault, stage);
}

type MemberFault = Extract<Fault, { kind: 'kill' | 'freeze' | 'move leader' | 'rolling restart' }>;
type PathFault = Exclude<Fault, MemberFault | { kind: 'compaction' | 'lost tokens' | 'cut when created' }>;

function isOnMembers(fault: MemberFault | PathFault): fault is MemberFault {
  return ['kill', 'freeze', 'move leader', 'rolling restart'].includes(fault.kind);
}

async function onMembers(fault: MemberFault, { etcd }: Stage): Promise<void> {
  if (fault.kind === 'move leader') {
    for (const step of fault.steps) await etcd.moveLeader(((await etcd.leaderIndex()) + step) % 3);
  } else if (fault.kind === 'rolling restart') {
    for (const [index, member] of etcd.members.entries()) {
      await (index === fault.gentle ? member.stop() : member.kill());
      await delay(fault.pauseMs);
      await member.restart();
    }
  } else {
    const member = etcd.members[await indexOf(fault.victim, { etcd })]!;
    await (fault.kind === 'kill' ? member.kill() : member.freeze());
    await delay(fault.ms);
    await (fault.kind === 'kill' ? member.restart() : member.resume());
  }
}

function indexOf(victim: Victim, { etcd }: Pick<Stage, 'etcd'>): Promise<number> {
  return victim === 'leader' ? etcd.leaderIndex({ timeoutMs: ELECTION_MS }) : Promise.resolve(victim);
}

async function onPaths(fault: PathFault, stage: Stage): Promise<void> {
  const { proxies } = stage;
  switch (fault.kind) {
    case 'resets':
      for (let count = 0; count < fault.count; count++) {
        resetAll(stage);
        await delay(fault.everyMs);
      }
      return;
    case 'cut after bytes':
      return cutAfterBytes(fault.bytes, stage);
    case 'outage':
    case 'compaction in an outage':
      await Promise.all(proxies.map((proxy) => proxy.cut(fault.kind === 'outage' ? fault.how : 'reset')));
      if (fault.kind === 'compaction in an outage') await delay(fault.ms).then(() => stage.compact());
      else await delay(fault.ms);
      break;
    case 'black hole':
      for (const path of fault.paths) proxies[path]!.blackHole();
      await delay(fault.ms);
      break;
    case 'half-open':
      for (const path of fault.paths) proxies[path]!.halfOpen(fault.dead);
      await delay(fault.ms);
      break;
    case 'slow link':
      for (const proxy of proxies) {
        proxy.delay({ ms: fault.delayMs });
        proxy.throttle(fault);
      }
      await delay(fault.ms);
      break;
  }
  const held = 'held' in fault ? fault.held : 'forward';
  await Promise.all(proxies.map((proxy) => proxy.mend({ held })));
}

/** Whatever the watch is doing after so many bytes: opening, being created, in the middle of history. */
async function cutAfterBytes(bytesOfEach: readonly number[], { proxies }: Stage): Promise<void> {
  for (const proxy of proxies) proxy.reset();
  for (const bytes of bytesOfEach) {
    await Promise.race([...proxies.map((proxy) => proxy.nextConnection()), delay(2_000)]);
    for (const proxy of proxies) proxy.resetAfter('s2c', bytes);
  }
  await Promise.all(proxies.map((proxy) => proxy.mend()));
}

async function loseTokens(thenReset: boolean, stage: Stage): Promise<void> {
  await stage.loseTokens();
  if (thenReset) resetAll(stage);
}

/** Cut in the very turn of the event loop in which the watch is told that it is created: no event can have come. */
async function cutWhenCreated(watches: number, stage: Stage, { watchHistory }: FaultTools): Promise<void> {
  for (let watch = 0; watch < watches; watch++) {
    await watchHistory();
    resetAll(stage);
  }
}

function resetAll({ proxies }: Stage): void {
  for (const proxy of proxies) proxy.reset();
}
