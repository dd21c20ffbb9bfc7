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
import { findServerMessage, type Fate } from '../rpc/server-message.js';
import { readFailure } from '../rpc/status.js';
import { GrpcCode } from '../transport/transport.js';
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

/** Why a watch was refused, or ended. */
export interface Cancellation {
  readonly error: EtcdError;
  /** What it is about: the watch (`final`, `unclear`), the token, the member (`refused`), or nothing that lasts. */
  readonly fate: Fate;
}

/** Understands the last answer of a watch. */
export function readCancel(response: wire.WatchResponse, context: ErrorContext): Cancellation {
  const { compactRevision, cancelReason } = response;
  if (compactRevision !== 0) return ofWatch(new EtcdCompactedError(COMPACTED, context, compactRevision));
  const code = codeOf(cancelReason);
  const details = isKnown(`etcdserver: ${cancelReason}`) ? `etcdserver: ${cancelReason}` : cancelReason;
  if (code === undefined && !isKnown(details)) {
    const facts = { reason: 'WatchCanceled', serverMessage: cancelReason === '' ? NO_REASON : cancelReason };
    return ofWatch(new EtcdWatchCanceledError(facts, context));
  }
  const { fate, toError } = readFailure(WATCH, { code: code ?? GrpcCode.failedPrecondition, details });
  return { error: toError(context), fate };
}

function ofWatch(error: EtcdError): Cancellation {
  return { error, fate: 'final' };
}

function isKnown(text: string): boolean {
  return findServerMessage(text) !== undefined;
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
