/** What clients are doing, read from them when somebody scrapes. */
import { Counter, Gauge } from 'prom-client';
import type { EtcdClient, EtcdClientStats } from '../client/index.js';
import type { LeadershipCounts } from '../nest/leadership/campaigns.js';
import { carriedBy } from './carried.js';
import {
  resolveMetricsOptions,
  type EtcdMetricsOptions,
  type MetricsRegistry,
  type ResolvedMetricsOptions,
} from './metrics-options.js';

type Labels = Readonly<Record<string, string>>;

/** Some clients, and the fixed labels of their metrics. */
interface Source extends ObservedClients {
  readonly fixed: Labels;
}

/** Clients, and what an app knows of them beside what they know themselves. */
export interface ObservedClients {
  readonly clients: () => readonly EtcdClient[];
  /** What the app counts for a client, by its name. */
  readonly appFigures: (clientName: string) => AppFigures;
}

/** What an app counts beside what its clients count. */
export interface AppFigures {
  /** Calls of watch handlers that have failed. */
  readonly handlerFailures: number;
  /** Its part in elections. */
  readonly leadership: LeadershipCounts;
}

type Figures = EtcdClientStats & AppFigures;

/** A number of a client. */
interface Figure {
  readonly name: string;
  readonly help: string;
  readonly of: (figures: Figures) => number;
}

/** Numbers that go up and down: a new one is one line. */
const GAUGES: readonly Figure[] = [
  { name: 'in_flight', help: 'Unary calls and streams that run now.', of: ({ inFlight }) => inFlight },
  { name: 'watches', help: 'Watches that have not ended.', of: ({ watch }) => watch.watches },
  {
    name: 'watches_paused',
    help: 'Watches that are paused because their reader is behind.',
    of: ({ watch }) => watch.paused,
  },
  { name: 'watch_streams', help: 'Watch streams that are open and answered.', of: ({ watch }) => watch.streams },
  {
    name: 'watch_buffered_revisions',
    help: 'Revisions that were received and wait for their readers.',
    of: ({ watch }) => watch.bufferedRevisions,
  },
  {
    name: 'watch_lag_revisions',
    help: 'The most revisions that wait for one reader.',
    of: ({ watch }) => watch.lag,
  },
  { name: 'leases_kept_alive', help: 'Leases that are kept alive.', of: ({ lease }) => lease.keptAlive },
  {
    name: 'lease_oldest_renewal_seconds',
    help: 'Seconds since the renewal was sent that is the oldest one a kept lease still lives on.',
    of: ({ lease }) => lease.oldestRenewalMs / 1_000,
  },
  {
    name: 'elections',
    help: 'Elections in which this instance of the app campaigns.',
    of: ({ leadership }) => leadership.campaigns,
  },
  {
    name: 'elections_led',
    help: 'Elections that this instance of the app leads.',
    of: ({ leadership }) => leadership.leading,
  },
];

/** Numbers that a client counts up for itself: a new one is one line. */
const COUNTERS: readonly Figure[] = [
  { name: 'retries_total', help: 'Attempts beyond the first of a call.', of: ({ retries }) => retries },
  {
    name: 'token_refreshes_total',
    help: 'Times an authentication token was asked for.',
    of: ({ tokenRefreshes }) => tokenRefreshes,
  },
  {
    name: 'watch_reconnects_total',
    help: 'Watch streams that broke and were opened again.',
    of: ({ watch }) => watch.reconnects,
  },
  {
    name: 'watch_resumes_total',
    help: 'Times a watch was set up again from where it stood.',
    of: ({ watch }) => watch.resumes,
  },
  { name: 'watch_pauses_total', help: 'Times a watch was paused.', of: ({ watch }) => watch.pauses },
  {
    name: 'watch_handler_failures_total',
    help: 'Calls of @OnEtcdWatch methods that failed.',
    of: ({ handlerFailures }) => handlerFailures,
  },
  {
    name: 'lease_renewals_total',
    help: 'Renewals of leases that were acknowledged.',
    of: ({ lease }) => lease.renewals,
  },
  {
    name: 'leaderships_lost_total',
    help: 'Leaderships of @LeaderOnly and @OnLeadershipAcquired lost against the will of their holder.',
    of: ({ leadership }) => leadership.losses,
  },
  {
    name: 'leadership_handler_failures_total',
    help: 'Calls of @OnLeadershipAcquired and @OnLeadershipLost methods that failed.',
    of: ({ leadership }) => leadership.failures,
  },
  { name: 'leases_lost_total', help: 'Leases lost against the will of their holder.', of: ({ lease }) => lease.lost },
];

/** All states of an endpoint: each has a series, so that one that is over goes to 0 instead of lingering. */
const ENDPOINT_STATES = [
  'idle',
  'connecting',
  'ready',
  'sick',
  'backoff',
  'closed',
] as const satisfies readonly EtcdClientStats['endpoints'][number]['state'][];

/** The metrics of clients in one registry and prefix. */
class ClientMetrics {
  readonly endpointState: Gauge;
  private readonly sources = new Set<Source>();
  private readonly counted: readonly CountedFigure[];

  constructor({ registry, prefix, labels }: ResolvedMetricsOptions) {
    const { sources } = this;
    const labelNames = [...Object.keys(labels), 'client'];
    const config = ({ name, help }: Omit<Figure, 'of'>, ...more: string[]): MetricConfig => ({
      name: `${prefix}etcd_client_${name}`,
      help,
      labelNames: [...labelNames, ...more],
      registers: [registry],
    });
    const help = '1 for the state that the connection to an endpoint is in, 0 for the others.';
    this.endpointState = endpointGauge(config({ name: 'endpoint_state', help }, 'endpoint', 'state'), sources);
    for (const figure of GAUGES) figureGauge(figure, config(figure), sources);
    this.counted = COUNTERS.map((figure) => new CountedFigure(figure, config(figure), sources));
  }

  /** The returned function ends it; what was counted until then stays. */
  add(source: Source): () => void {
    this.sources.add(source);
    return () => {
      for (const figure of this.counted) figure.drain();
      this.sources.delete(source);
    };
  }
}

interface MetricConfig {
  readonly name: string;
  readonly help: string;
  readonly labelNames: string[];
  readonly registers: MetricsRegistry[];
}

function endpointGauge(config: MetricConfig, sources: ReadonlySet<Source>): Gauge {
  return new Gauge({
    ...config,
    collect() {
      this.reset();
      eachClient(sources, ({ endpoints }, labels) => {
        for (const { endpoint, state } of endpoints) {
          for (const each of ENDPOINT_STATES) this.inc({ ...labels, endpoint, state: each }, each === state ? 1 : 0);
        }
      });
    },
  });
}

function figureGauge(figure: Figure, config: MetricConfig, sources: ReadonlySet<Source>): Gauge {
  return new Gauge({
    ...config,
    collect() {
      this.reset();
      eachClient(sources, (stats, labels) => this.inc(labels, figure.of(stats)));
    },
  });
}

/** A counter that follows a number which clients count for themselves. */
class CountedFigure {
  private readonly counter: Counter;
  private readonly seen = new WeakMap<EtcdClient, number>();

  constructor(
    private readonly figure: Figure,
    config: MetricConfig,
    private readonly sources: ReadonlySet<Source>,
  ) {
    this.counter = new Counter({ ...config, collect: () => this.drain() });
  }

  /** Adds what has come since the last time. */
  drain(): void {
    eachClient(this.sources, (stats, labels, client) => {
      const count = this.figure.of(stats);
      this.counter.inc(labels, count - (this.seen.get(client) ?? 0));
      this.seen.set(client, count);
    });
  }
}

function eachClient(
  sources: ReadonlySet<Source>,
  visit: (figures: Figures, labels: Labels, client: EtcdClient) => void,
): void {
  for (const { clients, appFigures, fixed } of sources) {
    for (const client of clients()) {
      const { name } = client;
      visit({ ...client.stats(), ...appFigures(name) }, { ...fixed, client: name }, client);
    }
  }
}

/**
 * Adds metrics of what clients are doing, read when somebody scrapes: their calls, connections, watches and leases, under
 * names that begin with `etcd_client_`. `EtcdMetricsModule` does it for all clients of a Nest app.
 *
 * Clients of the same name, as in two apps with one registry, are added up.
 *
 * @param clients the clients, asked for at each scrape.
 * @returns a function that takes these clients out again.
 * @throws {EtcdConfigError} when an option cannot work.
 * @throws {EtcdModuleError} when the registry has metrics of these names that are someone else's.
 *
 * @example
 * const forget = observeEtcdClients(() => [etcd], { registry });
 */
export function observeEtcdClients(clients: () => readonly EtcdClient[], options: EtcdMetricsOptions = {}): () => void {
  return observeClients({ clients, appFigures: () => NO_APP }, options);
}

/** Clients that belong to no app. */
const NO_APP: AppFigures = { handlerFailures: 0, leadership: { campaigns: 0, leading: 0, losses: 0, failures: 0 } };

/** The same, for an app that also has handlers of watches, and campaigns in elections. */
export function observeClients(observed: ObservedClients, options: EtcdMetricsOptions): () => void {
  const resolved = resolveMetricsOptions(options);
  const metrics = carriedBy('etcd_client_endpoint_state', resolved, () => {
    const filler = new ClientMetrics(resolved);
    return { filler, carrier: filler.endpointState };
  });
  return metrics.add({ ...observed, fixed: resolved.labels });
}
