/** Why a watch or its stream ended: from etcd's words to a typed error, and whether to go on. */
import {
  EtcdAbortedError,
  EtcdClosedError,
  EtcdConfigError,
  EtcdProtocolError,
  EtcdUnsupportedError,
  type EtcdError,
  type ErrorContext,
} from '../errors.js';
import type * as wire from '../rpc/generated/messages.js';
import { WATCH } from '../rpc/methods.js';
import { findServerMessage } from '../rpc/server-message.js';
import { readFailure } from '../rpc/status.js';
import { GrpcCode } from '../rpc/transport.js';
import {
  EtcdAuthenticationError,
  EtcdCompactedError,
  EtcdInvalidRequestError,
  EtcdNotCapableError,
  EtcdPermissionDeniedError,
  EtcdServerError,
  EtcdWatchCanceledError,
} from '../server-errors.js';

const COMPACTED = { reason: 'Compacted', serverMessage: 'etcdserver: mvcc: required revision has been compacted' };
const NO_REASON = 'the server ended the watch and gave no reason';

/** The error of a watch that the server refused, or ended. */
export function cancelError(response: wire.WatchResponse, context: ErrorContext): EtcdError {
  if (response.compactRevision !== 0) return new EtcdCompactedError(COMPACTED, context, response.compactRevision);
  const text = response.cancelReason;
  const code = codeOf(text);
  const details = findServerMessage(`etcdserver: ${text}`) === undefined ? text : `etcdserver: ${text}`;
  if (code === undefined && findServerMessage(details) === undefined) {
    return new EtcdWatchCanceledError({ reason: 'WatchCanceled', serverMessage: text === '' ? NO_REASON : text }, context);
  }
  return readFailure(WATCH, { code: code ?? GrpcCode.failedPrecondition, details }).toError(context);
}

/** Go prints the code of an error in front of its text: `rpc error: code = PermissionDenied desc = …`. */
function codeOf(text: string): number | undefined {
  const [, name] = /^rpc error: code = (\w+) desc = /.exec(text) ?? [];
  if (name === undefined) return undefined;
  const ownName = name.charAt(0).toLowerCase() + name.slice(1);
  return Object.hasOwn(GrpcCode, ownName) ? GrpcCode[ownName as keyof typeof GrpcCode] : GrpcCode.unknown;
}

/** Refusals that no repetition changes. A watch goes on after everything else, on this endpoint or another. */
const FINAL = [
  EtcdAbortedError,
  EtcdClosedError,
  EtcdConfigError,
  EtcdInvalidRequestError,
  EtcdNotCapableError,
  EtcdPermissionDeniedError,
  EtcdProtocolError,
  EtcdUnsupportedError,
] as const;

const FINAL_CODES: ReadonlySet<number | undefined> = new Set([
  GrpcCode.unauthenticated,
  GrpcCode.invalidArgument,
  GrpcCode.failedPrecondition,
  GrpcCode.outOfRange,
  GrpcCode.notFound,
]);

/**
 * Whether an error of a stream, or of a read on behalf of a watch, is the end of its watches rather than a break. A token
 * that is no longer good is a break; a wrong password is not.
 */
export function isFinal(error: EtcdError): boolean {
  if (error instanceof EtcdAuthenticationError) return error.reason === 'AuthFailed';
  if (error instanceof EtcdServerError) return FINAL_CODES.has(error.grpcCode);
  return FINAL.some((type) => error instanceof type);
}
