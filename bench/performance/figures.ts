/** The figures that trials give, and how a table shows them. */

export interface Figure {
  readonly title: string;
  readonly better: 'more' | 'less';
}

/** In the order of the columns. A workload has some of them. */
export const FIGURES: Readonly<Record<string, Figure>> = {
  perSecond: { title: 'per second', better: 'more' },
  cpuUs: { title: 'CPU each, µs', better: 'less' },
  plainCpuUs: { title: 'CPU each without, µs', better: 'less' },
  cpuMsPerSecond: { title: 'CPU, ms per second', better: 'less' },
  p50Ms: { title: 'median, ms', better: 'less' },
  p99Ms: { title: '99th percentile, ms', better: 'less' },
  importMs: { title: 'import, ms', better: 'less' },
  firstAnswerMs: { title: 'first answer, ms', better: 'less' },
  residentMiB: { title: 'memory, MiB', better: 'less' },
  peakMiB: { title: 'peak of memory, MiB', better: 'less' },
  seconds: { title: 'seconds', better: 'less' },
};

/** Three digits that count. */
export function show(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
