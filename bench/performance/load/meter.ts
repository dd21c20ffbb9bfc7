/** Time and processor time between two moments, and what that is for each operation. */
import { readFileSync } from 'node:fs';
import type { Figures } from './protocol.js';

/** Starts to count. The function that it returns stops, and says what `operations` cost. */
export function startMeter(): (operations: number) => Figures {
  const usage = process.cpuUsage();
  const startedAt = performance.now();
  return (operations) => {
    const seconds = (performance.now() - startedAt) / 1_000;
    const { user, system } = process.cpuUsage(usage);
    return {
      operations,
      perSecond: operations / seconds,
      cpuUs: (user + system) / Math.max(1, operations),
      cpuMsPerSecond: (user + system) / 1_000 / seconds,
    };
  };
}

/** Processes whose processor time is counted beside that of this one, by the name of the figure. */
export type Others = Readonly<Record<string, number>>;

const TICK_SECONDS = 0.01;

/** Starts to count for others, where the system tells. The function that it returns says how many cores each kept busy. */
export function startOthers(others: Others): () => Figures {
  const before = Object.entries(others).map(([name, pid]) => ({ name, pid, seconds: cpuSeconds(pid) }));
  const startedAt = performance.now();
  return () => {
    const seconds = (performance.now() - startedAt) / 1_000;
    const cores = before.map(({ name, pid, seconds: from }) => [name, (cpuSeconds(pid) - from) / seconds] as const);
    return Object.fromEntries(cores.filter(([, value]) => Number.isFinite(value)));
  };
}

/** User and system time of a process so far, to a hundredth; NaN where nobody tells. See proc(5). */
function cpuSeconds(pid: number): number {
  try {
    const [, text = ''] = /^.*\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
    const fields = text.split(' ');
    return (Number(fields[11]) + Number(fields[12])) * TICK_SECONDS;
  } catch {
    return NaN;
  }
}

/** The median and the 99th percentile of times in milliseconds. */
export function latencies(timesMs: number[]): Figures {
  if (timesMs.length === 0) return {};
  const sorted = timesMs.sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
  return { p50Ms: at(0.5), p99Ms: at(0.99) };
}
