/** What clients are doing, read from them when somebody scrapes. */
import { Counter, Gauge } from 'prom-client';
import type { EtcdClient, EtcdClientStats } from '../client/index.js';
import { carriedBy } from './carried.js';
import { resolveMetricsOptions, type EtcdMetricsOptions, type ResolvedMetricsOptions } from './metrics-options.js';

type Labels = Readonly<Record<string, string>>;

/** Some clients, and the fixed labels of their metrics. */
interface Source {
  readonly clients: () => readonly EtcdClient[];
  readonly fixed: Labels;
}

/** All states of an endpoint: each has a series, so that one that is over goes to 0 instead of lingering. */
const ENDPOINT_STATES = [
  'idle',
  'connecting',
  'ready',
  'sick',
  'backoff',
  'closed',
] as const satisfies readonly State[];
type State = EtcdClientStats['endpoints'][number]['state'];

/** The metrics of clients in one registry and prefix. */
class ClientMetrics {
  readonly inFlight: Gauge;
  private readonly sources = new Set<Source>();
  private readonly counters: readonly CountedSince[];

  constructor({ registry, prefix, labels }: ResolvedMetricsOptions) {
    const { sources } = this;
    const common = { labelNames: [...Object.keys(labels), 'client'], registers: [registry] };
    const name = (end: string): string => `${prefix}etcd_client_${end}`;

    this.inFlight = new Gauge({
      ...common,
      name: name('in_flight'),
      help: 'Unary calls and streams that run now.',
      collect() {
        this.reset();
        eachClient(sources, (stats, own) => this.inc(own, stats.inFlight));
      },
    });
    new Gauge({
      ...common,
      labelNames: [...common.labelNames, 'endpoint', 'state'],
      name: name('endpoint_state'),
      help: '1 for the state that the connection to an endpoint is in, 0 for the others.',
      collect() {
        this.reset();
        eachClient(sources, (stats, own) => {
          for (const { endpoint, state } of stats.endpoints) {
            for (const each of ENDPOINT_STATES) this.inc({ ...own, endpoint, state: each }, each === state ? 1 : 0);
          }
        });
      },
    });
    this.counters = [
      new CountedSince(
        'retries',
        { ...common, name: name('retries_total'), help: 'Attempts beyond the first of a call.' },
        sources,
      ),
      new CountedSince(
        'tokenRefreshes',
        { ...common, name: name('token_refreshes_total'), help: 'Times an authentication token was asked for.' },
        sources,
      ),
    ];
  }

  /** The returned function ends it; what was counted until then stays. */
  add(source: Source): () => void {
    this.sources.add(source);
    return () => {
      for (const counter of this.counters) counter.drain();
      this.sources.delete(source);
    };
  }
}

/** A counter that follows a number which a client counts for itself. */
class CountedSince {
  private readonly counter: Counter;
  private readonly seen = new WeakMap<EtcdClient, number>();

  constructor(
    private readonly what: 'retries' | 'tokenRefreshes',
    config: ConstructorParameters<typeof Counter>[0],
    private readonly sources: ReadonlySet<Source>,
  ) {
    this.counter = new Counter({ ...config, collect: () => this.drain() });
  }

  /** Adds what has come since the last time. */
  drain(): void {
    eachClient(this.sources, (stats, labels, client) => {
      this.counter.inc(labels, stats[this.what] - (this.seen.get(client) ?? 0));
      this.seen.set(client, stats[this.what]);
    });
  }
}

function eachClient(
  sources: ReadonlySet<Source>,
  visit: (stats: EtcdClientStats, labels: Labels, client: EtcdClient) => void,
): void {
  for (const { clients, fixed } of sources) {
    for (const client of clients()) visit(client.stats(), { ...fixed, client: client.name }, client);
  }
}

/**
 * Adds metrics of what clients are doing: `etcd_client_in_flight`, `etcd_client_endpoint_state`,
 * `etcd_client_retries_total` and `etcd_client_token_refreshes_total`, read when somebody scrapes. `EtcdMetricsModule`
 * does it for all clients of a Nest app.
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
  const resolved = resolveMetricsOptions(options);
  const metrics = carriedBy('etcd_client_in_flight', resolved, () => {
    const filler = new ClientMetrics(resolved);
    return { filler, carrier: filler.inFlight };
  });
  return metrics.add({ clients, fixed: resolved.labels });
}
