/** Get-or-create in a registry: what fills a metric is carried by the metric itself, and lives as long as its registration. */
import type { Metric } from 'prom-client';
import { EtcdModuleError } from '../nest/errors.js';
import type { ResolvedMetricsOptions } from './metrics-options.js';

/** In the global symbol table, so that two copies of this package (a hot reload, a nested install) find each other's. */
const FILLER = Symbol.for('nest-etcd.metrics.filler');

interface Carrier {
  [FILLER]?: { readonly labelNames: string; readonly filler: object };
}

/**
 * The filler of the metric `prefix + name`, or the one that `make` makes.
 *
 * @param make registers the metrics, and returns their filler and the one that carries it.
 * @throws {EtcdModuleError} when the registry has a metric of that name that is someone else's, or has other labels.
 */
export function carriedBy<Filler extends object>(
  name: string,
  { registry, prefix, labels }: ResolvedMetricsOptions,
  make: () => { readonly filler: Filler; readonly carrier: Metric },
): Filler {
  const labelNames = Object.keys(labels).sort().join(', ');
  const known = registry.getSingleMetric(prefix + name) as Carrier | undefined;
  if (known === undefined) {
    const { filler, carrier } = make();
    (carrier as Carrier)[FILLER] = { labelNames, filler };
    return filler;
  }
  const carried = known[FILLER];
  if (carried?.labelNames !== labelNames) throw new EtcdModuleError(clashText(prefix + name, carried?.labelNames));
  return carried.filler as Filler;
}

function clashText(name: string, labelNames: string | undefined): string {
  const why = labelNames === undefined ? 'is not from nest-etcd' : `has other labels (${labelNames || 'none'})`;
  return `the metric ${name} is in the registry already and ${why}; choose another registry or prefix, or the same labels`;
}
