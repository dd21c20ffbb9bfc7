/** From a gRPC status to a typed error and what it proves: by etcd's message first, by gRPC code where etcd has no say. */
import {
  EtcdMessageTooLargeError,
  EtcdUnavailableError,
  EtcdUnsupportedError,
  type EtcdError,
  type ErrorContext,
} from '../errors.js';
import { EtcdPermissionDeniedError, EtcdServerError } from '../server-errors.js';
import type { MethodInfo } from './rpc.js';
import { findServerMessage, stripRpcPrefix, type Fate } from './server-message.js';
import { GrpcCode, type RpcStatus } from '../transport/transport.js';

/** A failed attempt, understood. */
export interface Failure {
  readonly fate: Fate;
  /** Makes the error once the rest of its context (attempts, outcome) is known. */
  readonly toError: (context: ErrorContext) => EtcdError;
  /** etcd's name of the error, when it is one of etcd's. */
  readonly reason: string | undefined;
}

/** Understands a status that is not OK. */
export function readFailure(method: MethodInfo, status: RpcStatus): Failure {
  const known = status.cut === undefined ? findServerMessage(status.details) : undefined;
  if (known === undefined) return readByCode(method, status);
  const facts = { reason: known.reason, serverMessage: known.message };
  return {
    fate: known.fate,
    reason: known.reason,
    toError: (context) => known.make(facts, { ...context, grpcCode: status.code }),
  };
}

function readByCode(method: MethodInfo, status: RpcStatus): Failure {
  const { code, details, cut } = status;
  if (cut !== undefined) return broken(cut === 'unsent' ? 'unsent' : 'interrupted', status);
  switch (code) {
    case GrpcCode.unavailable:
      return isFromEtcd(details) ? unlisted('interrupted', status) : broken('interrupted', status);
    case GrpcCode.unimplemented:
      return failure('final', status, (context) => new EtcdUnsupportedError('the RPC', method.since, context));
    case GrpcCode.resourceExhausted:
      return readExhausted(status);
    case GrpcCode.permissionDenied:
      return failure(
        'final',
        status,
        (context) => new EtcdPermissionDeniedError(facts('PermissionDenied', details), context),
      );
    case GrpcCode.unauthenticated:
    case GrpcCode.invalidArgument:
    case GrpcCode.failedPrecondition:
    case GrpcCode.outOfRange:
    case GrpcCode.notFound:
      return unlisted('final', status);
    // Nobody on this side gave the call up: a proxy or the member did.
    case GrpcCode.cancelled:
    case GrpcCode.deadlineExceeded:
    case GrpcCode.aborted:
      return unlisted('interrupted', status);
    default:
      return unlisted('unclear', status);
  }
}

/** A message that etcd's own list does not have: of a newer release, or of one of its inner packages. */
function isFromEtcd(details: string): boolean {
  return stripRpcPrefix(details).startsWith('etcdserver: ');
}

function unlisted(fate: Fate, status: RpcStatus): Failure {
  return failure(fate, status, (context) => new EtcdServerError(facts('Unknown', status.details), context));
}

function broken(fate: 'unsent' | 'interrupted', status: RpcStatus): Failure {
  const text = `the connection failed: ${status.details}`;
  return failure(fate, status, (context) => new EtcdUnavailableError(text, [], context));
}

/** RESOURCE_EXHAUSTED is etcd's, gRPC's for a size limit on either side, or a connection that was told to calm down. */
function readExhausted(status: RpcStatus): Failure {
  const { details } = status;
  if (/received message larger than max/i.test(details)) {
    return details.startsWith('Received')
      ? failure(
          'unclear',
          status,
          (context) => new EtcdMessageTooLargeError('response', maxIn(details), responseHint(details), context),
        )
      : failure(
          'final',
          status,
          (context) => new EtcdMessageTooLargeError('request', maxIn(details), details, context),
        );
  }
  return isFromEtcd(details) ? unlisted('interrupted', status) : broken('interrupted', status);
}

function responseHint(details: string): string {
  return `${details}; read less at once (limit, kv.scan) or raise maxResponseBytes`;
}

function maxIn(details: string): number | undefined {
  const limit = /vs\.? (\d+)/.exec(details)?.[1];
  return limit === undefined ? undefined : Number(limit);
}

function facts(reason: string, details: string): { reason: string; serverMessage: string } {
  return { reason, serverMessage: stripRpcPrefix(details) };
}

function failure(fate: Fate, status: RpcStatus, make: (context: ErrorContext) => EtcdError): Failure {
  return { fate, reason: undefined, toError: (context) => make({ ...context, grpcCode: status.code }) };
}
