/** `nest-etcd/health`: health checks by Terminus. Explicit names only. */

export { EtcdHealthModule } from './etcd-health.module.js';
export { EtcdHealthIndicator } from './etcd.health.js';
export type { EtcdHealthRequirement, EtcdPingCheckOptions } from './health-options.js';
export type { EtcdEndpointHealth } from './endpoint-health.js';
export type { EtcdHealthDetails } from './verdict.js';
