/** What is asked of this client beside its peers, and whether a run shows it. */
import { seriesAt, type Measured, type Spot } from './results.js';
import { summarize, type Summary } from './statistics.js';
import type { SubjectName } from './subjects.js';

interface Value extends Spot {
  readonly figure: string;
}

/** A figure, or what it is divided by another, and its limit. */
export interface Bar {
  readonly title: string;
  readonly what: string;
  readonly value: Value;
  /** Left out, the value is judged by itself. */
  readonly against?: Value;
  readonly limit: { readonly atLeast: number } | { readonly atMost: number };
}

export interface Verdict {
  readonly bar: Bar;
  /** Of the medians; lowest and highest of the rounds. `undefined` when it was not measured. */
  readonly measured: Summary | undefined;
  readonly isMet: boolean | undefined;
}

function at(name: string, inFlight: number, figure: string, subject: SubjectName = 'nest-etcd'): Value {
  return { case: name, inFlight, subject, figure };
}

/** Our figure, divided by the peer's. */
function beside(title: string, what: string, value: Value, peer: SubjectName, limit: Bar['limit']): Bar {
  return { title, what, value, against: { ...value, subject: peer }, limit };
}

/** The same is asked of both loads. */
function watchBars(count: number, title: string): readonly Bar[] {
  const loads = { [`${title}, catching up`]: `history-${count}`, [`${title}, live`]: `watch-${count}` };
  return Object.entries(loads).flatMap(([load, name]) => [
    beside(load, 'events per second ÷ etcd3', at(name, 1, 'perSecond'), 'etcd3', { atLeast: 1.5 }),
    beside(load, 'CPU per event ÷ etcd3', at(name, 1, 'cpuUs'), 'etcd3', { atMost: 0.6 }),
  ]);
}

/** Processor time of a call with much in flight, divided by that with little. */
function growth(name: string, title: string): Bar {
  const what = 'CPU each with 1,024 in flight ÷ with 64';
  return { title, what, value: at(name, 1_024, 'cpuUs'), against: at(name, 64, 'cpuUs'), limit: { atMost: 1.25 } };
}

function metrics(name: string, title: string): Bar {
  const value = at(name, 256, 'cpuUs', 'nest-etcd-metrics');
  const against = { ...value, figure: 'plainCpuUs' };
  return { title, what: 'CPU each with the metrics interceptor ÷ without', value, against, limit: { atMost: 1.05 } };
}

/**
 * What memory a scan needs must not depend on how many keys there are; one answer would need three times as much. The peak
 * has what the garbage collector has not come to yet, which is more in one run and less in another.
 */
const FLAT: Bar = {
  title: 'scan, memory',
  what: 'peak with 120,000 keys of 1 KiB ÷ with 40,000',
  value: at('memory-120000', 1, 'peakMiB', 'nest-etcd-scan'),
  against: at('memory-40000', 1, 'peakMiB', 'nest-etcd-scan'),
  limit: { atMost: 1.5 },
};

const GET = 'get, 256 in flight';
const LONE_GET = 'get, 1 in flight';
const PUT = 'put, 256 in flight';

export const BARS: readonly Bar[] = [
  beside(GET, 'per second ÷ etcd3', at('get-100', 256, 'perSecond'), 'etcd3', { atLeast: 15 }),
  beside(GET, 'per second ÷ Go client', at('get-100', 256, 'perSecond'), 'go', { atLeast: 2.5 }),
  beside(LONE_GET, 'per second ÷ etcd3', at('get-lone-100', 1, 'perSecond'), 'etcd3', { atLeast: 1 }),
  beside(LONE_GET, 'CPU each ÷ etcd3', at('get-lone-100', 1, 'cpuUs'), 'etcd3', { atMost: 0.9 }),
  beside(PUT, 'per second ÷ etcd3', at('put-100', 256, 'perSecond'), 'etcd3', { atLeast: 1.2 }),
  beside(PUT, 'CPU each ÷ etcd3', at('put-100', 256, 'cpuUs'), 'etcd3', { atMost: 0.8 }),
  beside('writing transaction, 256 in flight', 'per second ÷ etcd3', at('txn-write-100', 256, 'perSecond'), 'etcd3', {
    atLeast: 1.3,
  }),
  beside('range of 10,000 keys', 'per second ÷ etcd3', at('range', 1, 'perSecond'), 'etcd3', { atLeast: 1.6 }),
  beside('scan of 10,000 keys', 'per second ÷ range of etcd3', at('range', 1, 'perSecond', 'nest-etcd-scan'), 'etcd3', {
    atLeast: 1.5,
  }),
  FLAT,
  ...watchBars(1, '1 watch'),
  ...watchBars(1_000, '1,000 watches'),
  {
    title: 'live view',
    what: 'reads per second',
    value: at('view', 1, 'perSecond'),
    limit: { atLeast: 1_000_000 },
  },
  growth('get-100', 'get'),
  growth('put-100', 'put'),
  metrics('metered-get', GET),
  metrics('metered-put', PUT),
];

export function judge(results: Measured): readonly Verdict[] {
  return BARS.map((bar) => {
    const measured = measure(results, bar);
    return { bar, measured, isMet: measured && meets(measured.median, bar.limit) };
  });
}

function meets(value: number, limit: Bar['limit']): boolean {
  return 'atLeast' in limit ? value >= limit.atLeast : value <= limit.atMost;
}

function measure(results: Measured, { value, against }: Bar): Summary | undefined {
  const values = samplesAt(results, value);
  return against === undefined ? summarize(values) : ratio(values, samplesAt(results, against));
}

/** Of the medians. The spread is that of the rounds, each of which measured both shortly one after the other. */
export function ratio(values: readonly number[], others: readonly number[]): Summary | undefined {
  const [median, other] = [summarize(values)?.median, summarize(others)?.median];
  const rounds = summarize(values.slice(0, others.length).map((value, round) => value / others[round]!));
  if (median === undefined || other === undefined || rounds === undefined) return undefined;
  return { ...rounds, median: median / other };
}

/** The samples of one figure; none where there are none. */
export function samplesAt(results: Measured, { figure, ...spot }: Value): readonly number[] {
  return seriesAt(results, spot)?.samples[figure] ?? [];
}
