/** Which HTTP status an error of etcd becomes when nobody else deals with it, and what the caller of the app is told. */
import {
  EtcdInvalidArgumentError,
  EtcdMessageTooLargeError,
  EtcdServerSideError,
  type EtcdError,
} from '../client/index.js';

/** nginx's code for a request whose client has gone; Node's own table ends before it. */
const CLIENT_CLOSED_REQUEST = 499;

/**
 * By `code` of the error; what is not listed is a fault of the app, 500. The reasons are in the doc comment of
 * `EtcdExceptionFilter`.
 */
const STATUS: Readonly<Record<string, number>> = {
  ETCD_INVALID_ARGUMENT: 400,
  ETCD_INVALID_REQUEST: 400,
  ETCD_TOO_MANY_OPERATIONS: 400,
  ETCD_DUPLICATE_KEY: 400,
  ETCD_LEASE_TTL_TOO_LARGE: 400,
  ETCD_FUTURE_REVISION: 400,
  ETCD_KEY_NOT_FOUND: 404,
  ETCD_LEASE_NOT_FOUND: 404,
  ETCD_MEMBER_NOT_FOUND: 404,
  ETCD_USER_NOT_FOUND: 404,
  ETCD_ROLE_NOT_FOUND: 404,
  ETCD_CONFLICT: 409,
  ETCD_LOCK_TIMEOUT: 409,
  ETCD_BARRIER_FULL: 409,
  ETCD_LEASE_EXISTS: 409,
  ETCD_MEMBER_EXISTS: 409,
  ETCD_USER_EXISTS: 409,
  ETCD_ROLE_EXISTS: 409,
  ETCD_NOT_GRANTED: 409,
  ETCD_MEMBERSHIP: 409,
  ETCD_BAD_LEADER_TRANSFEREE: 409,
  ETCD_DOWNGRADE: 409,
  ETCD_AUTH_SETUP: 409,
  ETCD_AUTH_NOT_ENABLED: 409,
  ETCD_COMPACTED: 410,
  ETCD_HISTORY_LOST: 410,
  ETCD_ABORTED: CLIENT_CLOSED_REQUEST,
  ETCD_UNSUPPORTED: 501,
  ETCD_NOT_CAPABLE: 501,
  ETCD_PROTOCOL: 502,
  ETCD_SERVER: 502,
  ETCD_UNAVAILABLE: 503,
  ETCD_CLOSED: 503,
  ETCD_OVERLOADED: 503,
  ETCD_LEASE_LOST: 503,
  ETCD_CAMPAIGN_TIMEOUT: 503,
  ETCD_LOCK_LOST: 503,
  ETCD_LEADERSHIP_LOST: 503,
  ETCD_FOLLOWER: 503,
  ETCD_BARRIER_LOST: 503,
  ETCD_STALE_READ: 503,
  ETCD_NO_LEADER: 503,
  ETCD_LEADER_CHANGED: 503,
  ETCD_NOT_LEADER: 503,
  ETCD_NOT_SUPPORTED_FOR_LEARNER: 503,
  ETCD_SERVER_STOPPED: 503,
  ETCD_UNHEALTHY: 503,
  ETCD_CORRUPT: 503,
  ETCD_TOO_MANY_REQUESTS: 503,
  ETCD_WATCH_CANCELED: 503,
  ETCD_DEADLINE_EXCEEDED: 504,
  ETCD_SERVER_TIMEOUT: 504,
  ETCD_NO_SPACE: 507,
};

/** What is said of a fault that is not the caller's: nothing of endpoints, users or the app. */
const FAULT_TEXT: Readonly<Record<number, string>> = {
  500: 'internal server error',
  501: 'the store cannot do this',
  502: 'the store gave an answer that cannot be used',
  503: 'the store is not available',
  504: 'the store did not answer in time',
  507: 'the store is full',
};

/** What is said of a refusal whose own text would name keys, endpoints or attempts. */
const REFUSAL_TEXT: Readonly<Record<string, string>> = {
  ETCD_TOO_MANY_OPERATIONS: 'too many operations in one transaction',
  ETCD_DUPLICATE_KEY: 'a key is written twice in one transaction',
  ETCD_CONFLICT: 'the key was changed by others at the same time',
  ETCD_MESSAGE_TOO_LARGE: 'the request is too large',
  ETCD_LOCK_TIMEOUT: 'it is in use by others',
  ETCD_BARRIER_FULL: 'enough others take part already',
  ETCD_HISTORY_LOST: 'what was read before is gone',
  ETCD_ABORTED: 'the request was aborted',
};

/** The JSON that the caller of the app gets. */
export interface EtcdErrorBody {
  readonly statusCode: number;
  /** The error's `code`, for example `ETCD_UNAVAILABLE`. */
  readonly code: string;
  readonly message: string;
}

/** The answer for an error. */
export function errorBodyOf(error: EtcdError): EtcdErrorBody {
  const statusCode = statusOf(error);
  return { statusCode, code: error.code, message: messageOf(error, statusCode) };
}

function statusOf(error: EtcdError): number {
  if (error instanceof EtcdMessageTooLargeError) return error.what === 'request' ? 413 : 500;
  return STATUS[error.code] ?? 500;
}

function messageOf(error: EtcdError, statusCode: number): string {
  if (statusCode < 500) return refusalText(error);
  const text = FAULT_TEXT[statusCode] ?? 'internal server error';
  return error.outcome === 'unknown' ? `${text}; the write may have been applied` : text;
}

function refusalText(error: EtcdError): string {
  if (error instanceof EtcdInvalidArgumentError) return `${error.argument} ${error.rule}`;
  if (error instanceof EtcdServerSideError) return error.serverMessage;
  return REFUSAL_TEXT[error.code] ?? 'the request cannot be fulfilled';
}
