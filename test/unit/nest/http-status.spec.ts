/** What an error of etcd becomes over HTTP: a decision for each class, and nothing told that is not the caller's business. */
import { describe, expect, it } from '@jest/globals';
import * as face from '../../../lib/client/index.js';
import { EtcdError, type EtcdServerSideError, type ErrorContext } from '../../../lib/client/index.js';
import { EtcdHistoryLostError } from '../../../lib/client/errors.js';
import { errorBodyOf } from '../../../lib/nest/http-status.js';

type ServerSideClass = new (facts: face.ServerFacts, context?: ErrorContext) => EtcdServerSideError;

const context: ErrorContext = { method: 'KV.Put', endpoint: 'http://10.0.0.7:2379', attempts: 3, grpcCode: 3 };

/** Errors that the client makes itself. */
const OWN: readonly (readonly [number, EtcdError])[] = [
  [400, new face.EtcdInvalidArgumentError('key', 'must not be empty', '', context)],
  [400, new face.EtcdTooManyOperationsError(128, '129 in then', context)],
  [400, new face.EtcdDuplicateKeyError('secret-key', context)],
  [409, new face.EtcdConflictError('secret-key', 8, context)],
  [409, new face.EtcdLockTimeoutError('secret-key', 500, 'secret-key/7a')],
  [409, new face.EtcdBarrierFullError('secret-key', 3)],
  [410, new EtcdHistoryLostError('revision-went-back', 9, 5, context)],
  [413, new face.EtcdMessageTooLargeError('request', 1024, '2000 bytes', context)],
  [499, new face.EtcdAbortedError(context)],
  [500, new face.EtcdMessageTooLargeError('response', 1024, '2000 bytes', context)],
  [500, new face.EtcdConfigError('endpoints', 'must name at least one')],
  [501, new face.EtcdUnsupportedError('KV.RangeStream', '3.7', context)],
  [502, new face.EtcdProtocolError('3 bytes are no answer', context)],
  [503, new face.EtcdUnavailableError('no endpoint', [{ endpoint: 'http://10.0.0.7:2379', reason: 'x' }], context)],
  [503, new face.EtcdClosedError(context)],
  [503, new face.EtcdOverloadedError(10_000, [{ endpoint: 'http://10.0.0.7:2379', reason: 'x' }], context)],
  [503, new face.EtcdLeaseLostError('694d', 'expired', 'expired')],
  [503, new face.EtcdLockLostError('secret-key', 'secret-key/7a', 'lease-lost')],
  [503, new face.EtcdLeadershipLostError('secret-key', 'secret-key/7a', 'lease-lost')],
  [503, new face.EtcdCampaignTimeoutError('secret-key', 500, 'secret-key/7a')],
  [503, new face.EtcdBarrierLostError('secret-key', 'lease-lost')],
  [503, new face.EtcdStaleReadError(9, 5, 5_000, context)],
  [504, new face.EtcdDeadlineExceededError(5_000, 'http://10.0.0.7:2379', [], context)],
];

/** Errors that the server answers with. */
const SERVER: Readonly<Record<string, number>> = {
  EtcdInvalidRequestError: 400,
  EtcdLeaseTtlTooLargeError: 400,
  EtcdFutureRevisionError: 400,
  EtcdKeyNotFoundError: 404,
  EtcdLeaseNotFoundError: 404,
  EtcdMemberNotFoundError: 404,
  EtcdUserNotFoundError: 404,
  EtcdRoleNotFoundError: 404,
  EtcdLeaseExistsError: 409,
  EtcdMemberExistsError: 409,
  EtcdUserExistsError: 409,
  EtcdRoleExistsError: 409,
  EtcdNotGrantedError: 409,
  EtcdMembershipError: 409,
  EtcdBadLeaderTransfereeError: 409,
  EtcdDowngradeError: 409,
  EtcdAuthSetupError: 409,
  EtcdAuthNotEnabledError: 409,
  EtcdCompactedError: 410,
  EtcdPermissionDeniedError: 500,
  EtcdAuthenticationError: 500,
  EtcdNotCapableError: 501,
  EtcdServerError: 502,
  EtcdNoLeaderError: 503,
  EtcdLeaderChangedError: 503,
  EtcdNotLeaderError: 503,
  EtcdNotSupportedForLearnerError: 503,
  EtcdServerStoppedError: 503,
  EtcdUnhealthyError: 503,
  EtcdCorruptError: 503,
  EtcdTooManyRequestsError: 503,
  EtcdWatchCanceledError: 503,
  EtcdServerTimeoutError: 504,
  EtcdNoSpaceError: 507,
};

/** Errors that are about the data or the program, not about a request: the app's own fault when nobody caught them. */
const FAULTS_OF_THE_APP: readonly string[] = ['EtcdInvalidJsonError', 'EtcdSnapshotError'];

const ABSTRACT: readonly string[] = ['EtcdError', 'EtcdServerSideError'];

function make(name: string): EtcdServerSideError {
  const Class = (face as unknown as Record<string, ServerSideClass>)[name]!;
  return new Class({ reason: 'R', serverMessage: 'etcdserver: as it said' }, context);
}

const all: readonly (readonly [string, number, EtcdError])[] = [
  ...OWN.map(([status, error]) => [error.name, status, error] as const),
  ...Object.entries(SERVER).map(([name, status]) => [name, status, make(name)] as const),
];

describe('the HTTP status', () => {
  it.each(all)('of %s is %i', (_name, status, error) => {
    expect(errorBodyOf(error)).toMatchObject({ statusCode: status, code: error.code });
  });

  it('is decided for every error that the client exports', () => {
    const classes = Object.entries(face)
      .filter(([, value]) => typeof value === 'function' && value.prototype instanceof EtcdError)
      .map(([name]) => name);
    const decided = new Set([...all.map(([name]) => name), ...FAULTS_OF_THE_APP]);

    expect(classes.filter((name) => !decided.has(name) && !ABSTRACT.includes(name))).toEqual([]);
  });
});

describe('the message', () => {
  it.each(all)('for %s (%i) names no endpoint, method, key or number of attempts', (_name, _status, error) => {
    const { message } = errorBodyOf(error);

    expect(message).not.toMatch(/10\.0\.0\.7|secret-key|KV\.Put|attempts/);
    expect(message).not.toBe('');
  });

  it.each(all.filter(([, status]) => status >= 500))(
    'for %s (%i) repeats nothing of the error',
    (_name, _status, error) => {
      expect(errorBodyOf(error).message).not.toContain('as it said');
    },
  );

  it('says what the caller can mend', () => {
    const [empty, refused] = [OWN[0]![1], make('EtcdInvalidRequestError')];

    expect(errorBodyOf(empty).message).toBe('key must not be empty');
    expect(errorBodyOf(refused).message).toBe('etcdserver: as it said');
  });

  it('says whether a write that failed may have been applied', () => {
    const write = (outcome: 'unknown' | 'not-applied'): string =>
      errorBodyOf(new face.EtcdUnavailableError('lost', [], { outcome })).message;

    expect(write('unknown')).toBe('the store is not available; the write may have been applied');
    expect(write('not-applied')).toBe('the store is not available');
  });
});
