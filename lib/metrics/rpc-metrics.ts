/**
 * Counters and durations of RPCs under the names and labels of go-grpc-prometheus.
 *
 * A call adds to plain numbers, found by client and method; they are handed to prom-client when somebody scrapes. So a
 * call costs no hashing of labels.
 */
import { Counter } from 'prom-client';
import type { EtcdCall } from '../client/index.js';
import { carriedBy } from './carried.js';
import { Durations, showDurations } from './durations.js';
import type { ResolvedMetricsOptions } from './metrics-options.js';

type Labels = Readonly<Record<string, string>>;

/** What one method of one client did since the last scrape, and how long it took since the start. */
export class Tally {
  started = 0;
  sent = 0;
  received = 0;
  readonly handled = new Map<string, number>();
  readonly durations: Durations;

  constructor(
    readonly labels: Labels,
    bounds: readonly number[],
  ) {
    this.durations = new Durations(labels, bounds);
  }

  /** A call or stream has ended. */
  end(code: string, startedAtMs: number): void {
    this.handled.set(code, (this.handled.get(code) ?? 0) + 1);
    this.durations.observe((performance.now() - startedAtMs) / 1_000);
  }
}

/** The tallies of those who record with the same fixed labels. */
export class Recorder {
  private readonly clients = new Map<string, Map<string, Tally>>();

  constructor(
    private readonly fixed: Labels,
    private readonly bounds: readonly number[],
  ) {}

  /** Where a call is counted. */
  tallyOf({ client, method }: EtcdCall): Tally {
    return this.clients.get(client)?.get(method.path) ?? this.open(client, method);
  }

  *tallies(): Iterable<Tally> {
    for (const methods of this.clients.values()) yield* methods.values();
  }

  private open(client: string, method: EtcdCall['method']): Tally {
    const { type, service, name, path } = method;
    const labels = { ...this.fixed, client, grpc_type: type, grpc_service: service, grpc_method: name };
    const tally = new Tally(labels, this.bounds);
    const methods = this.clients.get(client) ?? new Map<string, Tally>();
    this.clients.set(client, methods.set(path, tally));
    return tally;
  }
}

/** The five metrics of one registry and prefix. */
class RpcMetrics {
  readonly started: Counter;
  private readonly bounds: readonly number[];
  private readonly recorders = new Map<string, Recorder>();

  constructor({ registry, prefix, buckets, labels }: ResolvedMetricsOptions) {
    const labelNames = [...Object.keys(labels), 'client', 'grpc_type', 'grpc_service', 'grpc_method'];
    const common = { labelNames, registers: [registry] };
    const counter = (name: string, help: string, take: (tally: Tally) => number): Counter =>
      new Counter({ ...common, name: `${prefix}grpc_client_${name}`, help, collect: this.drain(take) });

    this.started = counter('started_total', 'RPCs started on the client.', (tally) => taken(tally, 'started'));
    counter('msg_sent_total', 'Messages sent by the client.', (tally) => taken(tally, 'sent'));
    counter('msg_received_total', 'Messages received by the client.', (tally) => taken(tally, 'received'));
    new Counter({
      ...common,
      labelNames: [...labelNames, 'grpc_code'],
      name: `${prefix}grpc_client_handled_total`,
      help: 'RPCs completed by the client, whatever their end.',
      collect: this.drainHandled(),
    });
    const help = 'Seconds from the start of an RPC to its end, retries included.';
    showDurations(registry, `${prefix}grpc_client_handling_seconds`, help, () => durationsOf(this.recorders));
    this.bounds = [...buckets];
  }

  /** One recorder for each set of values of the fixed labels. */
  recorderFor(fixed: Labels): Recorder {
    const key = JSON.stringify(Object.entries(fixed).sort(([a], [b]) => (a < b ? -1 : 1)));
    const known = this.recorders.get(key);
    if (known !== undefined) return known;
    const made = new Recorder(fixed, this.bounds);
    this.recorders.set(key, made);
    return made;
  }

  private drain(take: (tally: Tally) => number): (this: Counter) => void {
    const { recorders } = this;
    return function () {
      for (const tally of talliesOf(recorders)) this.inc(tally.labels, take(tally));
    };
  }

  private drainHandled(): (this: Counter) => void {
    const { recorders } = this;
    return function () {
      for (const { labels, handled } of talliesOf(recorders)) {
        for (const [code, count] of handled) this.inc({ ...labels, grpc_code: code }, count);
        handled.clear();
      }
    };
  }
}

function* talliesOf(recorders: ReadonlyMap<string, Recorder>): Iterable<Tally> {
  for (const recorder of recorders.values()) yield* recorder.tallies();
}

function* durationsOf(recorders: ReadonlyMap<string, Recorder>): Iterable<Durations> {
  for (const { durations } of talliesOf(recorders)) yield durations;
}

function taken(tally: Tally, what: 'started' | 'sent' | 'received'): number {
  const count = tally[what];
  tally[what] = 0;
  return count;
}

/** Where to count, in the registry that the options name. */
export function recorderOf(options: ResolvedMetricsOptions): Recorder {
  const metrics = carriedBy('grpc_client_started_total', options, () => {
    const filler = new RpcMetrics(options);
    return { filler, carrier: filler.started };
  });
  return metrics.recorderFor(options.labels);
}
