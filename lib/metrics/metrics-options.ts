/** What the metrics take: meaning and default of each option, checked in one place. */
import { register, type OpenMetricsContentType, type Registry } from 'prom-client';
import { EtcdConfigError } from '../client/index.js';

/** A registry of prom-client, for either text format. */
export type MetricsRegistry = Registry | Registry<OpenMetricsContentType>;

/** Where the metrics go, and what they are called. */
export interface EtcdMetricsOptions {
  /**
   * The registry that holds the metrics. Those that are there already are used again, so that a second app, a test or a
   * hot reload can register once more; buckets are then those of the first.
   *
   * @default prom-client's own `register`
   */
  readonly registry?: MetricsRegistry | undefined;
  /**
   * Put in front of every metric's name. Boards made for Go services look for the names without one.
   *
   * @default ''
   */
  readonly prefix?: string | undefined;
  /**
   * Upper bounds, in seconds, of the buckets of `grpc_client_handling_seconds`, in ascending order.
   *
   * @default Go's (5 ms to 10 s), and 1 ms and 2.5 ms before them
   */
  readonly buckets?: readonly number[] | undefined;
  /**
   * Labels with fixed values for each of these metrics, for example `{ service: 'orders' }`. All who share a registry
   * need the same names.
   *
   * @default none
   */
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

/** The options, complete and checked. */
export interface ResolvedMetricsOptions {
  readonly registry: MetricsRegistry;
  readonly prefix: string;
  readonly buckets: readonly number[];
  readonly labels: Readonly<Record<string, string>>;
}

const DEFAULT_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const OWN_LABELS: readonly string[] = [
  'client',
  'endpoint',
  'state',
  'grpc_type',
  'grpc_service',
  'grpc_method',
  'grpc_code',
  'le',
];

/** @throws {EtcdConfigError} when an option cannot work. */
export function resolveMetricsOptions(options: EtcdMetricsOptions): ResolvedMetricsOptions {
  const { registry = register, prefix = '', buckets = DEFAULT_BUCKETS, labels = {} } = options;
  if (!/^([a-zA-Z_:][a-zA-Z0-9_:]*)?$/.test(prefix)) {
    throw new EtcdConfigError('prefix', 'must be letters, digits, _ and : and not begin with a digit', prefix);
  }
  if (!buckets.every((bound, index) => Number.isFinite(bound) && bound > (buckets[index - 1] ?? 0))) {
    throw new EtcdConfigError('buckets', 'must be positive numbers in ascending order', buckets);
  }
  Object.keys(labels).forEach(requireLabelName);
  return { registry, prefix, buckets, labels };
}

function requireLabelName(name: string): void {
  if (OWN_LABELS.includes(name)) throw new EtcdConfigError(`labels.${name}`, 'is a label that nest-etcd sets itself');
  if (/^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)) return;
  throw new EtcdConfigError(
    `labels.${name}`,
    'must be named by letters, digits and _, and not begin with a digit or __',
  );
}
