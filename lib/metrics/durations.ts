/**
 * The histogram of how long RPCs took.
 *
 * One of prom-client's looks at all labels for each value. This one adds to plain
 * numbers, and is what a registry asks of a metric: it has a name, and tells its values when somebody scrapes.
 */
import type { Histogram, Metric } from 'prom-client';
import type { MetricsRegistry } from './metrics-options.js';

type Labels = Readonly<Record<string, string>>;
type Value = Awaited<ReturnType<Histogram['get']>>['values'][number];

/** Calls that took up to so many seconds, and more than the bucket before it takes. */
interface Bucket {
  readonly upToSeconds: number;
  calls: number;
}

/** Durations of one method of one client. */
export class Durations {
  private readonly buckets: readonly Bucket[];
  private sumSeconds = 0;

  /** @param bounds the upper bounds of the buckets, in seconds, ascending. */
  constructor(
    private readonly labels: Labels,
    bounds: readonly number[],
  ) {
    this.buckets = [...bounds, Infinity].map((upToSeconds) => ({ upToSeconds, calls: 0 }));
  }

  observe(seconds: number): void {
    const bucket = this.buckets.find(({ upToSeconds }) => seconds <= upToSeconds);
    if (bucket !== undefined) bucket.calls += 1;
    this.sumSeconds += seconds;
  }

  reset(): void {
    for (const bucket of this.buckets) bucket.calls = 0;
    this.sumSeconds = 0;
  }

  /** Its series, as prom-client has them: none before the first duration, and each bucket with those below it. */
  series(name: string): readonly Value[] {
    const { labels } = this;
    let calls = 0;
    const buckets = this.buckets.map((bucket) => {
      calls += bucket.calls;
      const le = bucket.upToSeconds === Infinity ? '+Inf' : bucket.upToSeconds;
      return { metricName: `${name}_bucket`, labels: { le, ...labels }, value: calls };
    });
    if (calls === 0) return [];
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels, value: this.sumSeconds },
      { metricName: `${name}_count`, labels, value: calls },
    ];
  }
}

/** The durations of all methods and clients, as one metric. */
class DurationMetric {
  readonly type = 'histogram';
  /** How prom-client puts the figures of several processes together. */
  readonly aggregator = 'sum';

  constructor(
    readonly name: string,
    readonly help: string,
    private readonly all: () => Iterable<Durations>,
  ) {}

  get(): Promise<object> {
    const { name, help, type, aggregator } = this;
    const values = [...this.all()].flatMap((durations) => durations.series(name));
    return Promise.resolve({ name, help, type, aggregator, values });
  }

  reset(): void {
    for (const durations of this.all()) durations.reset();
  }
}

/** Has the registry show durations, those that there are whenever it is scraped. */
export function showDurations(
  registry: MetricsRegistry,
  name: string,
  help: string,
  all: () => Iterable<Durations>,
): void {
  // Its type names prom-client's own classes; what a registry does with a metric takes no more than this one has.
  registry.registerMetric(new DurationMetric(name, help, all) as unknown as Metric);
}
