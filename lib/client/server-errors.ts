/** The errors etcd answers with: one class for each thing a caller can act on, filled from the table in `rpc/server-message.ts`. */
import { EtcdError, type ErrorContext } from './errors.js';

/** What the server said. */
export interface ServerFacts {
  /** etcd's own name of the error without its `Err` prefix, for example `LeaseNotFound` (`api/v3rpc/rpctypes/error.go`). */
  readonly reason: string;
  /** The server's text, as it came. */
  readonly serverMessage: string;
}

/** An error that came from the server, with etcd's own name for it. */
export abstract class EtcdServerSideError extends EtcdError {
  /** etcd's own name of the error without its `Err` prefix, for example `LeaseNotFound`. */
  readonly reason: string;
  /** The server's text, as it came. */
  readonly serverMessage: string;

  /** @param detail what the message says after the server's text. */
  constructor(facts: ServerFacts, context: ErrorContext = {}, detail = '') {
    super(facts.serverMessage + detail, context);
    this.reason = facts.reason;
    this.serverMessage = facts.serverMessage;
  }
}

/** The asked revision is older than the history the server still keeps. Read at a newer revision; to go on with a watch, read the range again and watch from there. */
export class EtcdCompactedError extends EtcdServerSideError {
  readonly code = 'ETCD_COMPACTED';
  /** The oldest revision that can still be read or watched; `undefined` where the server does not tell (it does for watches). */
  readonly compactRevision: number | undefined;

  constructor(facts: ServerFacts, context: ErrorContext = {}, compactRevision?: number) {
    super(
      facts,
      context,
      compactRevision === undefined ? '' : `; the oldest revision still kept is ${compactRevision}`,
    );
    this.compactRevision = compactRevision;
  }
}

/** The asked revision does not exist yet: it is newer than the store, or the member that answered lags behind. */
export class EtcdFutureRevisionError extends EtcdServerSideError {
  readonly code = 'ETCD_FUTURE_REVISION';
}

/** The server refused the request as malformed; `reason` says which rule it broke. */
export class EtcdInvalidRequestError extends EtcdServerSideError {
  readonly code = 'ETCD_INVALID_REQUEST';
}

/** A put with `ignoreValue` or `ignoreLease` needs a key that exists. */
export class EtcdKeyNotFoundError extends EtcdServerSideError {
  readonly code = 'ETCD_KEY_NOT_FOUND';
}

/** The database has reached its quota and takes no writes. Compact, defragment every member, then disarm the NOSPACE alarm. */
export class EtcdNoSpaceError extends EtcdServerSideError {
  readonly code = 'ETCD_NO_SPACE';
}

/** The server is overloaded (applied entries lag behind committed ones) and refused the request before doing anything. */
export class EtcdTooManyRequestsError extends EtcdServerSideError {
  readonly code = 'ETCD_TOO_MANY_REQUESTS';
}

/** The lease does not exist: it expired, was revoked, or never was. */
export class EtcdLeaseNotFoundError extends EtcdServerSideError {
  readonly code = 'ETCD_LEASE_NOT_FOUND';
}

/** A lease with the chosen ID exists already. */
export class EtcdLeaseExistsError extends EtcdServerSideError {
  readonly code = 'ETCD_LEASE_EXISTS';
}

/** The TTL is above 9,000,000,000 seconds. */
export class EtcdLeaseTtlTooLargeError extends EtcdServerSideError {
  readonly code = 'ETCD_LEASE_TTL_TOO_LARGE';
}

/** The server ended the watch. */
export class EtcdWatchCanceledError extends EtcdServerSideError {
  readonly code = 'ETCD_WATCH_CANCELED';
}

/** A member with this ID or these peer URLs is in the cluster already. */
export class EtcdMemberExistsError extends EtcdServerSideError {
  readonly code = 'ETCD_MEMBER_EXISTS';
}

/** No member of the cluster has this ID. */
export class EtcdMemberNotFoundError extends EtcdServerSideError {
  readonly code = 'ETCD_MEMBER_NOT_FOUND';
}

/** The cluster refused the change of its members; `reason` says why. */
export class EtcdMembershipError extends EtcdServerSideError {
  readonly code = 'ETCD_MEMBERSHIP';
}

/** The credentials or the token were not accepted. */
export class EtcdAuthenticationError extends EtcdServerSideError {
  readonly code = 'ETCD_AUTHENTICATION';
}

/** The user may not do this; a role of the user needs the permission. */
export class EtcdPermissionDeniedError extends EtcdServerSideError {
  readonly code = 'ETCD_PERMISSION_DENIED';
}

/** Authentication is not enabled on the cluster. */
export class EtcdAuthNotEnabledError extends EtcdServerSideError {
  readonly code = 'ETCD_AUTH_NOT_ENABLED';
}

/** Authentication cannot be enabled or changed this way; `reason` says why. */
export class EtcdAuthSetupError extends EtcdServerSideError {
  readonly code = 'ETCD_AUTH_SETUP';
}

/** A user with this name exists already. */
export class EtcdUserExistsError extends EtcdServerSideError {
  readonly code = 'ETCD_USER_EXISTS';
}

/** No user has this name. */
export class EtcdUserNotFoundError extends EtcdServerSideError {
  readonly code = 'ETCD_USER_NOT_FOUND';
}

/** A role with this name exists already. */
export class EtcdRoleExistsError extends EtcdServerSideError {
  readonly code = 'ETCD_ROLE_EXISTS';
}

/** No role has this name. */
export class EtcdRoleNotFoundError extends EtcdServerSideError {
  readonly code = 'ETCD_ROLE_NOT_FOUND';
}

/** The user does not have the role, or the role does not have the permission, that was to be revoked. */
export class EtcdNotGrantedError extends EtcdServerSideError {
  readonly code = 'ETCD_NOT_GRANTED';
}

/** The member knows no leader. It refused the request before doing anything. */
export class EtcdNoLeaderError extends EtcdServerSideError {
  readonly code = 'ETCD_NO_LEADER';
}

/** The leader changed while the request ran. */
export class EtcdLeaderChangedError extends EtcdServerSideError {
  readonly code = 'ETCD_LEADER_CHANGED';
}

/** The request has to go to the leader, and this member is not it. */
export class EtcdNotLeaderError extends EtcdServerSideError {
  readonly code = 'ETCD_NOT_LEADER';
}

/** The member is shutting down. */
export class EtcdServerStoppedError extends EtcdServerSideError {
  readonly code = 'ETCD_SERVER_STOPPED';
}

/** The server gave up on the request, mostly for lack of a quorum; `reason` says what it suspects. */
export class EtcdServerTimeoutError extends EtcdServerSideError {
  readonly code = 'ETCD_SERVER_TIMEOUT';
}

/** The cluster is not healthy enough for this change. */
export class EtcdUnhealthyError extends EtcdServerSideError {
  readonly code = 'ETCD_UNHEALTHY';
}

/** The cluster has found its members to differ and takes no writes. */
export class EtcdCorruptError extends EtcdServerSideError {
  readonly code = 'ETCD_CORRUPT';
}

/** A learner answers only serializable reads and status. */
export class EtcdNotSupportedForLearnerError extends EtcdServerSideError {
  readonly code = 'ETCD_NOT_SUPPORTED_FOR_LEARNER';
}

/** Leadership cannot be moved to this member. */
export class EtcdBadLeaderTransfereeError extends EtcdServerSideError {
  readonly code = 'ETCD_BAD_LEADER_TRANSFEREE';
}

/** The cluster as a whole is not yet at a release that can do this. */
export class EtcdNotCapableError extends EtcdServerSideError {
  readonly code = 'ETCD_NOT_CAPABLE';
}

/** The downgrade cannot be done; `reason` says why. */
export class EtcdDowngradeError extends EtcdServerSideError {
  readonly code = 'ETCD_DOWNGRADE';
}

/** The server answered with an error that is not in etcd's list of errors; see `grpcCode` and `serverMessage`. */
export class EtcdServerError extends EtcdServerSideError {
  readonly code = 'ETCD_SERVER';
}
