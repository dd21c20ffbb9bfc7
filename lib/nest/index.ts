/** The Nest wing's public face: `nest-etcd`. The module and what belongs to it, and all that `nest-etcd/client` has. */

// The module
export { EtcdModule } from './etcd.module.js';
export type {
  EtcdCampaignOptions,
  EtcdLifecycleOptions,
  EtcdModuleAsyncOptions,
  EtcdModuleOptions,
  EtcdOptionsFactory,
  EtcdRegistrationOptions,
} from './etcd-module-options.js';
export type {
  EtcdFeatureAsyncOptions,
  EtcdFeatureOptions,
  EtcdFeatureRegistrationOptions,
} from './feature/etcd-feature-options.js';
export { EtcdFollowerError, EtcdModuleError, EtcdStartError } from './errors.js';

// Injection
export {
  getEtcdAuthToken,
  getEtcdClusterToken,
  getEtcdConcurrencyToken,
  getEtcdElectionsToken,
  getEtcdKvToken,
  getEtcdLeaseToken,
  getEtcdLocksToken,
  getEtcdMaintenanceToken,
  getEtcdNamespaceToken,
  getEtcdToken,
  getEtcdWatchToken,
  type ServiceTokenGetter,
} from './etcd.tokens.js';
export {
  InjectEtcd,
  InjectEtcdAuth,
  InjectEtcdCluster,
  InjectEtcdConcurrency,
  InjectEtcdElections,
  InjectEtcdKv,
  InjectEtcdLease,
  InjectEtcdLocks,
  InjectEtcdMaintenance,
  InjectEtcdNamespace,
  InjectEtcdWatch,
  type EtcdInjector,
} from './inject-etcd.decorator.js';

// Watches
export { OnEtcdWatch, type EtcdWatchDecorator } from './watch/on-etcd-watch.decorator.js';
export type { OnEtcdFollowOptions, OnEtcdWatchOptions } from './watch/on-etcd-watch-options.js';
export { fromEtcdWatch } from './watch/from-etcd-watch.js';

// Locks
export { EtcdLocks } from './locks/etcd-locks.js';
export { currentLock } from './locks/current-lock.js';
export {
  WithEtcdLock,
  type EtcdLockDecorator,
  type EtcdLockKey,
  type EtcdSkippingLockDecorator,
  type WithEtcdLockOptions,
} from './locks/with-etcd-lock.decorator.js';

// Leader election
export { EtcdElections } from './leadership/etcd-elections.js';
export { currentLeadership } from './leadership/current-leadership.js';
export {
  LeaderOnly,
  type EtcdLeaderDecorator,
  type EtcdSkippingLeaderDecorator,
  type LeaderOnlyOptions,
} from './leadership/leader-only.decorator.js';
export {
  OnLeadershipAcquired,
  OnLeadershipLost,
  type EtcdLeadershipDecorator,
  type OnLeadershipOptions,
} from './leadership/on-leadership.decorator.js';

// HTTP
export { EtcdExceptionFilter } from './etcd-exception.filter.js';
export type { EtcdErrorBody } from './http-status.js';

// The client: its face as a whole, the one place where `*` says exactly what is meant and two lists could only drift apart
export * from '../client/index.js';
