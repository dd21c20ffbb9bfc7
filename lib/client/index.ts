/** The client's public face: `nest-etcd/client`. Explicit names only. */

export {
  EtcdClient,
  type CloseOptions,
  type EtcdClientOptions,
  type EtcdClientState,
  type EtcdClientStats,
} from './client.js';
export type {
  EtcdAuthOptions,
  EtcdConnectionOptions,
  EtcdPasswordAuth,
  EtcdTlsOptions,
  EtcdTransport,
  EtcdTokenAuth,
  PemSource,
} from './options.js';

export { discoverEndpoints, type DnsDiscoveryOptions } from './discovery.js';
export { optionsFromEnvironment, type Environment } from './environment.js';
export type { EtcdClientEvent } from './rpc/status-feed.js';

// Keys and ranges
export { allKeys, fromKey, KeyRange, prefix, range, type Key, type KeyRangeLike, type Value } from './key-range.js';

// Keys and values
export { EtcdKv, type CompactOptions, type DeleteOptions, type PutKeepOptions, type PutOptions } from './kv/kv.js';
export { KeyValue } from './key-value.js';
export { compare, keyExists, keyMissing, type Compare, type CompareSubject, type Comparison } from './kv/compare.js';
export {
  del,
  get,
  put,
  txn,
  type DeleteOperation,
  type GetOperation,
  type Operation,
  type Operations,
  type PutOperation,
  type TxnOperation,
  type TxnSpec,
} from './kv/operations.js';
export type {
  CasFailure,
  CasResult,
  CasSuccess,
  Change,
  CreateOptions,
  DeleteIfUnchangedOptions,
  UpdateOptions,
  UpdateWithOptions,
} from './kv/cas.js';
export type {
  CountOptions,
  GetOptions,
  RangeOptions,
  RangeQuery,
  ReadOptions,
  RevisionBounds,
  Sort,
  SortBy,
  SortOrder,
} from './kv/range-request.js';
export type { CompactResponse, DeleteResponse, PutResponse, RangeResponse, ResponseHeader } from './kv/responses.js';
export type { Scan, ScanOptions, ScanPage } from './kv/scan.js';
export type { CommitOptions, Txn, TxnIf, TxnReady, TxnThen, WriteOptions } from './kv/txn.js';
export type { DeleteResult, GetResult, OperationResult, PutResult, TxnResponse, TxnResult } from './kv/txn-response.js';

// Watches
export { EtcdWatch } from './watch/watch.js';
export type { DeleteEvent, PutEvent, WatchEvent } from './watch/event.js';
export type { Follower, FollowBatch, FollowChange, FollowOptions, FollowReset, ResetReason } from './watch/follow.js';
export type { LiveView, ViewOptions } from './watch/live-view.js';
export type { WatchEvents, WatchProgress, WatchResponse } from './watch/response.js';
export type { ViewChange, ViewReset } from './watch/view-changes.js';
export type { BufferOptions, StreamOptions, WatchOptions } from './watch/watch-options.js';
export type { WatchStats } from './watch/watch-stats.js';
export type { WatchStatus } from './watch-status.js';
export type { Watcher } from './watch/watcher.js';

// Leases
export {
  EtcdLease,
  MAX_TTL_SECONDS,
  type LeaseGrantOptions,
  type LeaseGrantResponse,
  type LeaseKeepAliveOptions,
  type LeaseListResponse,
  type LeaseRevokeOptions,
  type LeaseRevokeResponse,
  type LeaseTimeToLiveOptions,
  type LeaseTimeToLiveResponse,
} from './lease/lease.js';
export type { LeaseKeepAlive } from './lease/keep-alive.js';
export type { LeaseRenewal } from './lease/kept-lease.js';
export type { LeaseStats } from './lease/lease-keeper.js';
export { EtcdLeaseLostError, type LeaseLostReason } from './lease/lease-lost.js';

// Locks, elections, software transactions
export { EtcdConcurrency } from './concurrency/concurrency.js';
export type { WaitOptions } from './concurrency/acquire.js';
export type { Barrier, HoldOptions } from './concurrency/barrier.js';
export {
  EtcdBarrierFullError,
  EtcdBarrierLostError,
  EtcdCampaignTimeoutError,
  EtcdLeadershipLostError,
  EtcdLockLostError,
  EtcdLockTimeoutError,
  type LeadershipLostReason,
  type LockLostReason,
} from './concurrency/concurrency-errors.js';
export type { DoubleBarrier, DoubleBarrierOptions } from './concurrency/double-barrier.js';
export type { CampaignOptions, Election, ObserveOptions, ResumeOptions } from './concurrency/election.js';
export type { LeaderObserver } from './concurrency/leader-observer.js';
export type { Leadership, LeadershipLost } from './concurrency/leadership.js';
export type { Lock, LockLost } from './concurrency/lock.js';
export type { LockBody, Locker, LockOptions, RwMutex, TryLockOptions } from './concurrency/locker.js';
export type { PriorityQueue } from './concurrency/priority-queue.js';
export type { DequeueOptions, Queue } from './concurrency/queue.js';
export type { KeepSessionOptions, SessionKeeper, SessionSetUp } from './concurrency/session-keeper.js';
export type { Session, SessionOptions } from './concurrency/session.js';
export type { StmFunction, StmOptions, StmResponse } from './concurrency/stm.js';
export type { Isolation, StmPutDetails, StmTransaction } from './concurrency/stm-attempt.js';
export type { SessionChoice } from './concurrency/tenure.js';
export type { LeaderBody, WhileLeaderOptions } from './concurrency/while-leader.js';

// Views above the services
export { EtcdNamespace } from './namespace/namespace.js';
export {
  mirror,
  type Mirror,
  type MirrorChanges,
  type MirrorOptions,
  type MirrorPage,
  type MirrorProgress,
  type MirrorStep,
  type MirrorSynced,
} from './views/mirror.js';
export { OrderedView, type OrderedOptions } from './views/ordered-view.js';
export { EtcdStaleReadError } from './views/stale-read-error.js';
export type { EtcdStore } from './views/store.js';

// Naming
export { registerEtcdResolver, type EtcdResolverOptions, type GrpcModule } from './naming/grpc-resolver.js';
export type { ServiceEndpoint } from './naming/service-endpoint.js';
export {
  ServiceEndpoints,
  type AddEndpoint,
  type AddEndpointDetails,
  type DeleteEndpoint,
  type EndpointList,
  type EndpointUpdate,
  type ListEndpointsOptions,
  type WatchEndpointsOptions,
} from './naming/service-endpoints.js';

// Services
export {
  EtcdAuth,
  type AuthResponse,
  type AuthStatusResponse,
  type RoleGetResponse,
  type RoleListResponse,
  type UserGetResponse,
  type UserListResponse,
} from './auth/auth.js';
export type { UserCredential } from './auth/credentials.js';
export {
  PermissionRange,
  type PermissionRangeKind,
  type PermissionType,
  type RolePermission,
} from './auth/permission.js';
export {
  EtcdCluster,
  type Member,
  type MemberAddResponse,
  type MemberListOptions,
  type MembersResponse,
} from './cluster/cluster.js';
export {
  EtcdMaintenance,
  type DowngradeResponse,
  type HashKvOptions,
  type HashKvResponse,
  type HashResponse,
  type SnapshotOptions,
} from './maintenance/maintenance.js';
export type { Alarm, AlarmResponse } from './maintenance/alarm.js';
export type { MemberStatus } from './maintenance/member-status.js';
export { EtcdSnapshot } from './maintenance/snapshot.js';
export type { SnapshotChunk } from './maintenance/snapshot-check.js';
export { EtcdSnapshotError, type SnapshotFault } from './maintenance/snapshot-error.js';
export type { SavedSnapshot } from './maintenance/snapshot-file.js';

// Calls and what hangs around them
export { MAX_DELAY_MS } from './clock.js';
export type { CallOptions, CallType, Effect, MethodInfo } from './rpc/rpc.js';
export { DIAGNOSTICS } from './rpc/diagnostics.js';
export type { EndpointStatus } from './rpc/endpoints.js';
export type { EtcdAttempt, EtcdCall, EtcdInterceptor, EtcdStreamObserver } from './rpc/interceptor.js';

// Errors
export {
  EtcdAbortedError,
  EtcdClosedError,
  EtcdConfigError,
  EtcdConflictError,
  EtcdDeadlineExceededError,
  EtcdDuplicateKeyError,
  EtcdError,
  EtcdHistoryLostError,
  EtcdInvalidArgumentError,
  EtcdInvalidJsonError,
  EtcdMessageTooLargeError,
  EtcdOverloadedError,
  EtcdProtocolError,
  EtcdTooManyOperationsError,
  EtcdUnavailableError,
  EtcdUnsupportedError,
  type EndpointFailure,
  type ErrorContext,
  type WriteOutcome,
} from './errors.js';
export {
  EtcdAuthenticationError,
  EtcdAuthNotEnabledError,
  EtcdAuthSetupError,
  EtcdBadLeaderTransfereeError,
  EtcdCompactedError,
  EtcdCorruptError,
  EtcdDowngradeError,
  EtcdFutureRevisionError,
  EtcdInvalidRequestError,
  EtcdKeyNotFoundError,
  EtcdLeaderChangedError,
  EtcdLeaseExistsError,
  EtcdLeaseNotFoundError,
  EtcdLeaseTtlTooLargeError,
  EtcdMemberExistsError,
  EtcdMemberNotFoundError,
  EtcdMembershipError,
  EtcdNoLeaderError,
  EtcdNoSpaceError,
  EtcdNotCapableError,
  EtcdNotGrantedError,
  EtcdNotLeaderError,
  EtcdNotSupportedForLearnerError,
  EtcdPermissionDeniedError,
  EtcdRoleExistsError,
  EtcdRoleNotFoundError,
  EtcdServerError,
  EtcdServerSideError,
  EtcdServerStoppedError,
  EtcdServerTimeoutError,
  EtcdTooManyRequestsError,
  EtcdUnhealthyError,
  EtcdUserExistsError,
  EtcdUserNotFoundError,
  EtcdWatchCanceledError,
  type ServerFacts,
} from './server-errors.js';
