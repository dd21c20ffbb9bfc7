/** `nest-etcd/metrics`: metrics by prom-client. Explicit names only. */

export { EtcdMetricsModule, type EtcdMetricsRouteOptions } from './etcd-metrics.module.js';
export { etcdMetricsInterceptor } from './metrics-interceptor.js';
export { observeEtcdClients } from './client-metrics.js';
export type { EtcdMetricsOptions, MetricsRegistry } from './metrics-options.js';
