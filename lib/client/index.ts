/** The client's public face: `nest-etcd/client`. Explicit names only. */

export { EtcdClient, type EtcdClientOptions, type EtcdClientState, type EtcdClientStats } from './client.js';
export type {
  EtcdAuthOptions,
  EtcdConnectionOptions,
  EtcdPasswordAuth,
  EtcdTlsOptions,
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
