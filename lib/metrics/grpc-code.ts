/** The gRPC code of a call's end, spelled as Go spells it, since boards made for Go services look for that. */
import { EtcdError } from '../client/index.js';

/** By number, as the protocol has them. */
const NAMES = [
  'OK',
  'Canceled',
  'Unknown',
  'InvalidArgument',
  'DeadlineExceeded',
  'NotFound',
  'AlreadyExists',
  'PermissionDenied',
  'ResourceExhausted',
  'FailedPrecondition',
  'Aborted',
  'OutOfRange',
  'Unimplemented',
  'Internal',
  'Unavailable',
  'DataLoss',
  'Unauthenticated',
] as const;

/** What Go's client would say where ours ends a call itself. */
const OF_CLIENT: Readonly<Record<string, string>> = {
  ETCD_ABORTED: 'Canceled',
  ETCD_CLOSED: 'Canceled',
  ETCD_DEADLINE_EXCEEDED: 'DeadlineExceeded',
  ETCD_UNAVAILABLE: 'Unavailable',
  ETCD_OVERLOADED: 'ResourceExhausted',
  ETCD_PROTOCOL: 'Internal',
  ETCD_UNSUPPORTED: 'Unimplemented',
  ETCD_MESSAGE_TOO_LARGE: 'ResourceExhausted',
  ETCD_INVALID_ARGUMENT: 'InvalidArgument',
};

/**
 * The code's name: that of the server's answer where there was one, else what the kind of error stands for.
 *
 * @param error what the call ended with; `undefined` for success.
 */
export function grpcCodeOf(error: unknown): string {
  if (error === undefined) return 'OK';
  if (!(error instanceof EtcdError)) return 'Unknown';
  const name = error.grpcCode === undefined ? OF_CLIENT[error.code] : NAMES[error.grpcCode];
  return name ?? 'Unknown';
}
