/** Every message of etcd's own list of errors: its name, the class it becomes, and what it proves about the request. */
import {
  EtcdDuplicateKeyError,
  EtcdMessageTooLargeError,
  EtcdTooManyOperationsError,
  type EtcdError,
  type ErrorContext,
} from '../errors.js';
import {
  EtcdAuthNotEnabledError,
  EtcdAuthSetupError,
  EtcdAuthenticationError,
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
  EtcdServerStoppedError,
  EtcdServerTimeoutError,
  EtcdTooManyRequestsError,
  EtcdUnhealthyError,
  EtcdUserExistsError,
  EtcdUserNotFoundError,
  EtcdWatchCanceledError,
  type ServerFacts,
} from '../server-errors.js';

/**
 * What became of a request that failed:
 * - `final`: refused for what it asks; the same request fails again. Nothing was applied.
 * - `token`: refused for its token, before anything was applied; good again with a fresh one.
 * - `refused`: refused by this member before anything was applied; another member may serve it.
 * - `unsent`: no server has begun to carry it out; it may be sent again to any member, this one too.
 * - `interrupted`: given up on the way; a write may have been applied, or may still be. A read is worth another try.
 * - `unclear`: failed for good, and a write may have been applied.
 */
export type Fate = 'final' | 'token' | 'refused' | 'unsent' | 'interrupted' | 'unclear';

/** One message of etcd's list. */
export interface ServerMessage {
  readonly reason: string;
  readonly message: string;
  readonly fate: Fate;
  readonly make: (facts: ServerFacts, context: ErrorContext) => EtcdError;
}

type ServerErrorClass = new (facts: ServerFacts, context: ErrorContext) => EtcdError;

function as(type: ServerErrorClass): ServerMessage['make'] {
  return (facts, context) => new type(facts, context);
}

function row(reason: string, text: string, make: ServerMessage['make'], fate: Fate = 'final'): ServerMessage {
  return { reason, message: `etcdserver: ${text}`, fate, make };
}

const tooManyOps: ServerMessage['make'] = (facts, context) =>
  new EtcdTooManyOperationsError(
    undefined,
    `${facts.serverMessage}; the server's --max-txn-ops is lower than maxTxnOperations`,
    context,
  );
const duplicateKey: ServerMessage['make'] = (_facts, context) => new EtcdDuplicateKeyError(undefined, context);
const requestTooLarge: ServerMessage['make'] = (facts, context) =>
  new EtcdMessageTooLargeError(
    'request',
    undefined,
    `${facts.serverMessage} (--max-request-bytes, 1.5 MiB unless changed)`,
    context,
  );

/**
 * The list, in its own order. Codes are taken from the wire and never looked at here: they changed between releases.
 *
 * @see etcd `api/v3rpc/rpctypes/error.go`
 */
export const SERVER_MESSAGES: readonly ServerMessage[] = [
  row('EmptyKey', 'key is not provided', as(EtcdInvalidRequestError)),
  row('KeyNotFound', 'key not found', as(EtcdKeyNotFoundError)),
  row('ValueProvided', 'value is provided', as(EtcdInvalidRequestError)),
  row('LeaseProvided', 'lease is provided', as(EtcdInvalidRequestError)),
  row('TooManyOps', 'too many operations in txn request', tooManyOps),
  row('DuplicateKey', 'duplicate key given in txn request', duplicateKey),
  row('InvalidClientAPIVersion', 'invalid client api version', as(EtcdInvalidRequestError)),
  row('InvalidSortOption', 'invalid sort option', as(EtcdInvalidRequestError)),
  row('Compacted', 'mvcc: required revision has been compacted', as(EtcdCompactedError)),
  row('FutureRev', 'mvcc: required revision is a future revision', as(EtcdFutureRevisionError)),
  row('NoSpace', 'mvcc: database space exceeded', as(EtcdNoSpaceError)),
  row('LeaseNotFound', 'requested lease not found', as(EtcdLeaseNotFoundError)),
  row('LeaseExist', 'lease already exists', as(EtcdLeaseExistsError)),
  row('LeaseTTLTooLarge', 'too large lease TTL', as(EtcdLeaseTtlTooLargeError)),
  row('WatchCanceled', 'watch canceled', as(EtcdWatchCanceledError)),
  row('MemberExist', 'member ID already exist', as(EtcdMemberExistsError)),
  row('PeerURLExist', 'Peer URLs already exists', as(EtcdMemberExistsError)),
  row('MemberNotEnoughStarted', 're-configuration failed due to not enough started members', as(EtcdMembershipError)),
  row('MemberBadURLs', 'given member URLs are invalid', as(EtcdInvalidRequestError)),
  row('MemberNotFound', 'member not found', as(EtcdMemberNotFoundError)),
  row('MemberNotLearner', 'can only promote a learner member', as(EtcdMembershipError)),
  row('LearnerNotReady', 'can only promote a learner member which is in sync with leader', as(EtcdMembershipError)),
  row('TooManyLearners', 'too many learner members in cluster', as(EtcdMembershipError)),
  row('ClusterIDMismatch', 'cluster ID mismatch', as(EtcdMembershipError)),
  row('RequestTooLarge', 'request is too large', requestTooLarge),
  row('RequestTooManyRequests', 'too many requests', as(EtcdTooManyRequestsError)),
  row('RootUserNotExist', 'root user does not exist', as(EtcdAuthSetupError)),
  row('RootRoleNotExist', 'root user does not have root role', as(EtcdAuthSetupError)),
  row('UserAlreadyExist', 'user name already exists', as(EtcdUserExistsError)),
  row('UserEmpty', 'user name is empty', as(EtcdAuthenticationError), 'token'),
  row('UserNotFound', 'user name not found', as(EtcdUserNotFoundError)),
  row('RoleAlreadyExist', 'role name already exists', as(EtcdRoleExistsError)),
  row('RoleNotFound', 'role name not found', as(EtcdRoleNotFoundError)),
  row('RoleEmpty', 'role name is empty', as(EtcdInvalidRequestError)),
  row('AuthFailed', 'authentication failed, invalid user ID or password', as(EtcdAuthenticationError)),
  row('PermissionNotGiven', 'permission not given', as(EtcdInvalidRequestError)),
  row('PermissionDenied', 'permission denied', as(EtcdPermissionDeniedError)),
  row('RoleNotGranted', 'role is not granted to the user', as(EtcdNotGrantedError)),
  row('PermissionNotGranted', 'permission is not granted to the role', as(EtcdNotGrantedError)),
  row('AuthNotEnabled', 'authentication is not enabled', as(EtcdAuthNotEnabledError)),
  row('InvalidAuthToken', 'invalid auth token', as(EtcdAuthenticationError), 'token'),
  row('InvalidAuthMgmt', 'invalid auth management', as(EtcdAuthSetupError)),
  row('AuthOldRevision', 'revision of auth store is old', as(EtcdAuthenticationError), 'token'),
  row('NoLeader', 'no leader', as(EtcdNoLeaderError), 'refused'),
  row('NotLeader', 'not leader', as(EtcdNotLeaderError)),
  row('LeaderChanged', 'leader changed', as(EtcdLeaderChangedError), 'interrupted'),
  row('NotCapable', 'not capable', as(EtcdNotCapableError)),
  row('Stopped', 'server stopped', as(EtcdServerStoppedError), 'interrupted'),
  row('Timeout', 'request timed out', as(EtcdServerTimeoutError), 'interrupted'),
  row(
    'TimeoutDueToLeaderFail',
    'request timed out, possibly due to previous leader failure',
    as(EtcdServerTimeoutError),
    'interrupted',
  ),
  row(
    'TimeoutDueToConnectionLost',
    'request timed out, possibly due to connection lost',
    as(EtcdServerTimeoutError),
    'interrupted',
  ),
  row(
    'TimeoutWaitAppliedIndex',
    'request timed out, waiting for the applied index took too long',
    as(EtcdServerTimeoutError),
    'interrupted',
  ),
  row('Unhealthy', 'unhealthy cluster', as(EtcdUnhealthyError), 'interrupted'),
  row('Corrupt', 'corrupt cluster', as(EtcdCorruptError), 'unclear'),
  row('NotSupportedForLearner', 'rpc not supported for learner', as(EtcdNotSupportedForLearnerError), 'refused'),
  row('BadLeaderTransferee', 'bad leader transferee', as(EtcdBadLeaderTransfereeError)),
  row('WrongDowngradeVersionFormat', 'wrong downgrade target version format', as(EtcdDowngradeError)),
  row('InvalidDowngradeTargetVersion', 'invalid downgrade target version', as(EtcdDowngradeError)),
  row('ClusterVersionUnavailable', 'cluster version not found during downgrade', as(EtcdDowngradeError)),
  row('DowngradeInProcess', 'cluster has a downgrade job in progress', as(EtcdDowngradeError)),
  row('NoInflightDowngrade', 'no inflight downgrade job', as(EtcdDowngradeError)),
  row('Canceled', 'request canceled', as(EtcdServerTimeoutError), 'interrupted'),
  row('DeadlineExceeded', 'context deadline exceeded', as(EtcdServerTimeoutError), 'interrupted'),
];

/**
 * The words of etcd's auth package where the API does not put its own in their place: Defragment, Hash, HashKV and
 * Snapshot of 3.4 and 3.5 (Alarm of 3.4 too), as UNKNOWN; without this an expired token would not be renewed there.
 * Nearly all differ by their prefix alone; these are the others.
 *
 * @see etcd `server/auth/store.go`
 */
const AUTH_PACKAGE_MESSAGES: readonly ServerMessage[] = [
  {
    reason: 'AuthOldRevision',
    message: 'auth: revision in header is old',
    fate: 'token',
    make: as(EtcdAuthenticationError),
  },
  {
    reason: 'NoPasswordUser',
    message: 'auth: authentication failed, password was given for no password user',
    fate: 'final',
    make: as(EtcdAuthenticationError),
  },
];

const BY_MESSAGE: ReadonlyMap<string, ServerMessage> = new Map(
  [...SERVER_MESSAGES, ...AUTH_PACKAGE_MESSAGES].map((entry) => [entry.message, entry]),
);

/** Looks a server's text up; watches put it behind `rpc error: code = … desc = `, which is cut off first. */
export function findServerMessage(text: string): ServerMessage | undefined {
  const message = stripRpcPrefix(text);
  return BY_MESSAGE.get(message) ?? BY_MESSAGE.get(message.replace(/^auth: /, 'etcdserver: '));
}

/** The server's own words, without the wrapping that gRPC adds when an error is printed inside another. */
export function stripRpcPrefix(text: string): string {
  return text.replace(/^(?:rpc error: code = [\w()]+ desc = )+/, '');
}
