/** Time and processor time between two moments, and what that is for each operation. */
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

/** The median and the 99th percentile of times in milliseconds. */
export function latencies(timesMs: number[]): Figures {
  if (timesMs.length === 0) return {};
  const sorted = timesMs.sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
  return { p50Ms: at(0.5), p99Ms: at(0.99) };
}
