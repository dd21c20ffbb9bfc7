/** The Nest wing's public face: `nest-etcd`. The module and what belongs to it, and all that `nest-etcd/client` has. */

// The module
export { EtcdModule } from './etcd.module.js';
export type {
  EtcdLifecycleOptions,
  EtcdModuleAsyncOptions,
  EtcdModuleOptions,
  EtcdOptionsFactory,
  EtcdRegistrationOptions,
} from './etcd-module-options.js';
export { EtcdModuleError, EtcdStartError } from './errors.js';

// Injection
export {
  getEtcdAuthToken,
  getEtcdClusterToken,
  getEtcdKvToken,
  getEtcdLeaseToken,
  getEtcdMaintenanceToken,
  getEtcdToken,
  getEtcdWatchToken,
  type ServiceTokenGetter,
} from './etcd.tokens.js';
export {
  InjectEtcd,
  InjectEtcdAuth,
  InjectEtcdCluster,
  InjectEtcdKv,
  InjectEtcdLease,
  InjectEtcdMaintenance,
  InjectEtcdWatch,
  type EtcdInjector,
} from './inject-etcd.decorator.js';

// Watches
export { OnEtcdWatch, type EtcdWatchDecorator } from './watch/on-etcd-watch.decorator.js';
export type { OnEtcdFollowOptions, OnEtcdWatchOptions } from './watch/on-etcd-watch-options.js';
export { fromEtcdWatch } from './watch/from-etcd-watch.js';

// HTTP
export { EtcdExceptionFilter } from './etcd-exception.filter.js';
export type { EtcdErrorBody } from './http-status.js';

// The client: its face as a whole, the one place where `*` says exactly what is meant and two lists could only drift apart
export * from '../client/index.js';
