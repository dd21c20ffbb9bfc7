/** Every status a server or the wire can end a call with becomes the right error, and proves what it proves. */
import { describe, expect, it } from '@jest/globals';
import type { EtcdError } from '../../../lib/client/errors.js';
import { PUT, RANGE, RANGE_STREAM } from '../../../lib/client/rpc/methods.js';
import { repeatDecision } from '../../../lib/client/rpc/retry.js';
import {
  findServerMessage,
  SERVER_MESSAGES,
  stripRpcPrefix,
  type Fate,
} from '../../../lib/client/rpc/server-message.js';
import { readFailure } from '../../../lib/client/rpc/status.js';
import { GrpcCode } from '../../../lib/client/transport/transport.js';
import { EtcdServerSideError } from '../../../lib/client/server-errors.js';

/** etcd's list of errors (clientv3.md §4, `api/v3rpc/rpctypes/error.go`): name, gRPC code, text; then what we make of it. */
const ROWS: readonly [name: string, grpcCode: number, text: string, code: string, fate: Fate][] = [
  ['EmptyKey', 3, 'key is not provided', 'INVALID_REQUEST', 'final'],
  ['KeyNotFound', 3, 'key not found', 'KEY_NOT_FOUND', 'final'],
  ['ValueProvided', 3, 'value is provided', 'INVALID_REQUEST', 'final'],
  ['LeaseProvided', 3, 'lease is provided', 'INVALID_REQUEST', 'final'],
  ['TooManyOps', 3, 'too many operations in txn request', 'TOO_MANY_OPERATIONS', 'final'],
  ['DuplicateKey', 3, 'duplicate key given in txn request', 'DUPLICATE_KEY', 'final'],
  ['InvalidClientAPIVersion', 3, 'invalid client api version', 'INVALID_REQUEST', 'final'],
  ['InvalidSortOption', 3, 'invalid sort option', 'INVALID_REQUEST', 'final'],
  ['Compacted', 11, 'mvcc: required revision has been compacted', 'COMPACTED', 'final'],
  ['FutureRev', 11, 'mvcc: required revision is a future revision', 'FUTURE_REVISION', 'final'],
  ['NoSpace', 8, 'mvcc: database space exceeded', 'NO_SPACE', 'final'],
  ['LeaseNotFound', 5, 'requested lease not found', 'LEASE_NOT_FOUND', 'final'],
  ['LeaseExist', 9, 'lease already exists', 'LEASE_EXISTS', 'final'],
  ['LeaseTTLTooLarge', 11, 'too large lease TTL', 'LEASE_TTL_TOO_LARGE', 'final'],
  ['WatchCanceled', 1, 'watch canceled', 'WATCH_CANCELED', 'final'],
  ['MemberExist', 9, 'member ID already exist', 'MEMBER_EXISTS', 'final'],
  ['PeerURLExist', 9, 'Peer URLs already exists', 'MEMBER_EXISTS', 'final'],
  ['MemberNotEnoughStarted', 9, 're-configuration failed due to not enough started members', 'MEMBERSHIP', 'final'],
  ['MemberBadURLs', 3, 'given member URLs are invalid', 'INVALID_REQUEST', 'final'],
  ['MemberNotFound', 5, 'member not found', 'MEMBER_NOT_FOUND', 'final'],
  ['MemberNotLearner', 9, 'can only promote a learner member', 'MEMBERSHIP', 'final'],
  ['LearnerNotReady', 9, 'can only promote a learner member which is in sync with leader', 'MEMBERSHIP', 'final'],
  ['TooManyLearners', 9, 'too many learner members in cluster', 'MEMBERSHIP', 'final'],
  ['ClusterIDMismatch', 9, 'cluster ID mismatch', 'MEMBERSHIP', 'final'],
  ['RequestTooLarge', 3, 'request is too large', 'MESSAGE_TOO_LARGE', 'final'],
  ['RequestTooManyRequests', 8, 'too many requests', 'TOO_MANY_REQUESTS', 'final'],
  ['RootUserNotExist', 9, 'root user does not exist', 'AUTH_SETUP', 'final'],
  ['RootRoleNotExist', 9, 'root user does not have root role', 'AUTH_SETUP', 'final'],
  ['UserAlreadyExist', 9, 'user name already exists', 'USER_EXISTS', 'final'],
  ['UserEmpty', 3, 'user name is empty', 'AUTHENTICATION', 'token'],
  ['UserNotFound', 9, 'user name not found', 'USER_NOT_FOUND', 'final'],
  ['RoleAlreadyExist', 9, 'role name already exists', 'ROLE_EXISTS', 'final'],
  ['RoleNotFound', 9, 'role name not found', 'ROLE_NOT_FOUND', 'final'],
  ['RoleEmpty', 3, 'role name is empty', 'INVALID_REQUEST', 'final'],
  ['AuthFailed', 3, 'authentication failed, invalid user ID or password', 'AUTHENTICATION', 'final'],
  ['PermissionNotGiven', 3, 'permission not given', 'INVALID_REQUEST', 'final'],
  ['PermissionDenied', 7, 'permission denied', 'PERMISSION_DENIED', 'final'],
  ['RoleNotGranted', 9, 'role is not granted to the user', 'NOT_GRANTED', 'final'],
  ['PermissionNotGranted', 9, 'permission is not granted to the role', 'NOT_GRANTED', 'final'],
  ['AuthNotEnabled', 9, 'authentication is not enabled', 'AUTH_NOT_ENABLED', 'final'],
  ['InvalidAuthToken', 16, 'invalid auth token', 'AUTHENTICATION', 'token'],
  ['InvalidAuthMgmt', 3, 'invalid auth management', 'AUTH_SETUP', 'final'],
  ['AuthOldRevision', 3, 'revision of auth store is old', 'AUTHENTICATION', 'token'],
  ['NoLeader', 14, 'no leader', 'NO_LEADER', 'refused'],
  ['NotLeader', 9, 'not leader', 'NOT_LEADER', 'final'],
  ['LeaderChanged', 14, 'leader changed', 'LEADER_CHANGED', 'interrupted'],
  ['NotCapable', 9, 'not capable', 'NOT_CAPABLE', 'final'],
  ['Stopped', 14, 'server stopped', 'SERVER_STOPPED', 'interrupted'],
  ['Timeout', 14, 'request timed out', 'SERVER_TIMEOUT', 'interrupted'],
  [
    'TimeoutDueToLeaderFail',
    14,
    'request timed out, possibly due to previous leader failure',
    'SERVER_TIMEOUT',
    'interrupted',
  ],
  [
    'TimeoutDueToConnectionLost',
    14,
    'request timed out, possibly due to connection lost',
    'SERVER_TIMEOUT',
    'interrupted',
  ],
  [
    'TimeoutWaitAppliedIndex',
    14,
    'request timed out, waiting for the applied index took too long',
    'SERVER_TIMEOUT',
    'interrupted',
  ],
  ['Unhealthy', 14, 'unhealthy cluster', 'UNHEALTHY', 'interrupted'],
  ['Corrupt', 15, 'corrupt cluster', 'CORRUPT', 'unclear'],
  ['NotSupportedForLearner', 9, 'rpc not supported for learner', 'NOT_SUPPORTED_FOR_LEARNER', 'refused'],
  ['BadLeaderTransferee', 9, 'bad leader transferee', 'BAD_LEADER_TRANSFEREE', 'final'],
  ['WrongDowngradeVersionFormat', 3, 'wrong downgrade target version format', 'DOWNGRADE', 'final'],
  ['InvalidDowngradeTargetVersion', 3, 'invalid downgrade target version', 'DOWNGRADE', 'final'],
  ['ClusterVersionUnavailable', 9, 'cluster version not found during downgrade', 'DOWNGRADE', 'final'],
  ['DowngradeInProcess', 9, 'cluster has a downgrade job in progress', 'DOWNGRADE', 'final'],
  ['NoInflightDowngrade', 9, 'no inflight downgrade job', 'DOWNGRADE', 'final'],
  ['Canceled', 1, 'request canceled', 'SERVER_TIMEOUT', 'interrupted'],
  ['DeadlineExceeded', 4, 'context deadline exceeded', 'SERVER_TIMEOUT', 'interrupted'],
];

/** The three that are also made before anything is sent, and so carry no words of a server. */
const OWN_CLASSES = ['TooManyOps', 'DuplicateKey', 'RequestTooLarge'];

describe('etcd’s own list of errors', () => {
  it('has 63 entries, each once, and we know no other', () => {
    expect(ROWS).toHaveLength(63);
    expect(new Set(ROWS.map(([, , text]) => text)).size).toBe(63);
    expect(SERVER_MESSAGES.map(({ reason }) => reason).sort()).toEqual(ROWS.map(([name]) => name).sort());
  });

  it.each(ROWS)('%s (code %i) is recognised by its text', (name, grpcCode, text, code, fate) => {
    const failure = readFailure(PUT, { code: grpcCode, details: `etcdserver: ${text}` });
    const error = failure.toError({ method: 'KV.Put', endpoint: 'a:1', attempts: 1 });

    expect([failure.fate, failure.reason]).toEqual([fate, name]);
    expect(error).toMatchObject({ code: `ETCD_${code}`, grpcCode, method: 'KV.Put', endpoint: 'a:1', attempts: 1 });
  });

  it.each(ROWS.filter(([name]) => !OWN_CLASSES.includes(name)))(
    '%s keeps the server’s own words',
    (name, code, text) => {
      const failure = readFailure(PUT, { code, details: `etcdserver: ${text}` });
      const error = failure.toError({ method: 'KV.Put', endpoint: 'a:1', attempts: 1 });

      expect(error).toMatchObject({ reason: name, serverMessage: `etcdserver: ${text}` });
      expect(error.message).toBe(`KV.Put: etcdserver: ${text} (endpoint a:1)`);
    },
  );

  it.each(ROWS)('%s is recognised whatever its code, since codes changed between releases', (name, grpcCode, text) => {
    for (const code of [...Object.values(GrpcCode).filter((value) => value !== GrpcCode.ok), 99]) {
      const { reason, toError } = readFailure(RANGE, { code, details: `etcdserver: ${text}` });

      expect(reason).toBe(name);
      expect(toError({}).grpcCode).toBe(code);
    }
    expect(grpcCode).toBeGreaterThan(0);
  });

  it.each(ROWS)('%s is recognised inside another error’s text', (name, _, text) => {
    const wrapped = `rpc error: code = FailedPrecondition desc = etcdserver: ${text}`;

    expect(findServerMessage(wrapped)?.reason).toBe(name);
    expect(findServerMessage(`rpc error: code = Code(99) desc = ${wrapped}`)?.reason).toBe(name);
    expect(readFailure(PUT, { code: 2, details: wrapped }).reason).toBe(name);
  });

  it.each(ROWS)('%s never nests its text', (_, grpcCode, text) => {
    const details = `rpc error: code = Unavailable desc = etcdserver: ${text}`;

    const { message } = readFailure(PUT, { code: grpcCode, details }).toError({ method: 'KV.Put' });

    expect(message).not.toContain('rpc error');
    expect(message.match(/KV\.Put/g)).toHaveLength(1);
  });

  it('is not recognised by a part of a text, or in other letters', () => {
    expect(findServerMessage('etcdserver: no leader today')).toBeUndefined();
    expect(findServerMessage('no leader')).toBeUndefined();
    expect(findServerMessage('etcdserver: No Leader')).toBeUndefined();
    expect(findServerMessage('')).toBeUndefined();
    expect(findServerMessage('constructor')).toBeUndefined();
  });

  it.each([
    ['auth: revision in header is old', 'AuthOldRevision'],
    ['auth: invalid auth token', 'InvalidAuthToken'],
    ['auth: user name is empty', 'UserEmpty'],
    ['auth: permission denied', 'PermissionDenied'],
    ['rpc error: code = Unknown desc = auth: invalid auth token', 'InvalidAuthToken'],
  ])('is recognised in the words of the auth package, as 3.4 and 3.5 have them: %j', (text, reason) => {
    expect(readFailure(PUT, { code: GrpcCode.unknown, details: text }).reason).toBe(reason);
  });

  it('tells three limits apart from a server’s point of view', () => {
    const errorOf = (text: string): EtcdError =>
      readFailure(PUT, { code: 3, details: `etcdserver: ${text}` }).toError({});

    expect(errorOf('too many operations in txn request')).toMatchObject({ limit: undefined });
    expect(errorOf('too many operations in txn request').message).toContain(
      '--max-txn-ops is lower than maxTxnOperations',
    );
    expect(errorOf('request is too large')).toMatchObject({ what: 'request', limitBytes: undefined });
    expect(errorOf('request is too large').message).toContain('--max-request-bytes');
    expect(errorOf('duplicate key given in txn request')).toMatchObject({ key: undefined });
  });
});

describe('a status that etcd’s list does not have', () => {
  const read = (code: number, details: string): { fate: Fate; error: EtcdError } => {
    const { fate, toError } = readFailure(PUT, { code, details });
    return { fate, error: toError({ method: PUT.label }) };
  };

  it.each([
    [GrpcCode.unavailable, 'Connection dropped', 'interrupted', 'ETCD_UNAVAILABLE'],
    [GrpcCode.unavailable, 'etcdserver: of a newer release', 'interrupted', 'ETCD_SERVER'],
    [GrpcCode.unimplemented, 'unknown service', 'final', 'ETCD_UNSUPPORTED'],
    [GrpcCode.resourceExhausted, 'grpc: received message larger than max (3 vs. 2)', 'final', 'ETCD_MESSAGE_TOO_LARGE'],
    [GrpcCode.resourceExhausted, 'Received message larger than max (3 vs 2)', 'unclear', 'ETCD_MESSAGE_TOO_LARGE'],
    [GrpcCode.resourceExhausted, 'Bandwidth exhausted or memory limit exceeded', 'interrupted', 'ETCD_UNAVAILABLE'],
    [GrpcCode.resourceExhausted, 'etcdserver: of a newer release', 'interrupted', 'ETCD_SERVER'],
    [GrpcCode.permissionDenied, 'no', 'final', 'ETCD_PERMISSION_DENIED'],
    [GrpcCode.unauthenticated, 'no', 'final', 'ETCD_SERVER'],
    [GrpcCode.invalidArgument, 'no', 'final', 'ETCD_SERVER'],
    [GrpcCode.failedPrecondition, 'no', 'final', 'ETCD_SERVER'],
    [GrpcCode.outOfRange, 'no', 'final', 'ETCD_SERVER'],
    [GrpcCode.notFound, 'no', 'final', 'ETCD_SERVER'],
    [GrpcCode.cancelled, 'Call cancelled', 'interrupted', 'ETCD_SERVER'],
    [GrpcCode.deadlineExceeded, 'late', 'interrupted', 'ETCD_SERVER'],
    [GrpcCode.aborted, 'aborted', 'interrupted', 'ETCD_SERVER'],
    [GrpcCode.internal, 'panic', 'unclear', 'ETCD_SERVER'],
    [GrpcCode.unknown, 'mvcc: watcher range is empty', 'unclear', 'ETCD_SERVER'],
    [GrpcCode.alreadyExists, 'there', 'unclear', 'ETCD_SERVER'],
    [GrpcCode.dataLoss, 'lost', 'unclear', 'ETCD_SERVER'],
    [99, 'a code of the future', 'unclear', 'ETCD_SERVER'],
  ])('is understood by its code %i: %j', (code, details, fate, errorCode) => {
    const understood = read(code, details);

    expect(understood.fate).toBe(fate);
    expect(understood.error).toMatchObject({ code: errorCode, grpcCode: code, method: 'KV.Put' });
    expect(understood.error.message).toMatch(/^KV\.Put: /);
  });

  it.each([
    ['unsent', 'unsent'],
    ['broken', 'interrupted'],
  ] as const)('is not looked up when the server did not answer: cut off, %s', (cut, fate) => {
    const failure = readFailure(PUT, { code: GrpcCode.unavailable, details: 'etcdserver: no leader', cut });

    expect(failure).toMatchObject({ fate, reason: undefined });
    expect(failure.toError({})).toMatchObject({ code: 'ETCD_UNAVAILABLE', grpcCode: GrpcCode.unavailable });
  });

  it('keeps the server’s words without the wrapping', () => {
    const { error } = read(GrpcCode.unknown, 'rpc error: code = Unknown desc = mvcc: watcher range is empty');

    expect(error).toBeInstanceOf(EtcdServerSideError);
    expect(error).toMatchObject({ reason: 'Unknown', serverMessage: 'mvcc: watcher range is empty' });
  });

  it('names the release that an unknown RPC needs, and the RPC once', () => {
    const { toError } = readFailure(RANGE_STREAM, { code: GrpcCode.unimplemented, details: 'unknown method' });
    const error = toError({ method: RANGE_STREAM.label });

    expect(error).toMatchObject({ code: 'ETCD_UNSUPPORTED', since: '3.7' });
    expect(error.message).toBe('KV.RangeStream: the RPC is not supported by this server; it needs etcd 3.7 or newer');
  });

  it('C7: names the limit that a message broke, and what to do about an answer', () => {
    const request = read(8, 'grpc: received message larger than max (3000000 vs. 2097152)').error;
    const response = read(8, 'Received message larger than max (70000000 vs 67108864)').error;

    expect(request).toMatchObject({ what: 'request', limitBytes: 2_097_152 });
    expect(response).toMatchObject({ what: 'response', limitBytes: 67_108_864 });
    expect(response.message).toContain('read less at once (limit, kv.scan) or raise maxResponseBytes');
  });
});

describe('stripRpcPrefix', () => {
  it('takes off as many wrappings as there are, and nothing else', () => {
    expect(stripRpcPrefix('rpc error: code = A desc = rpc error: code = B desc = x')).toBe('x');
    expect(stripRpcPrefix('x rpc error: code = A desc = y')).toBe('x rpc error: code = A desc = y');
    expect(stripRpcPrefix('')).toBe('');
  });
});

describe('C2, C3: whether a failed attempt is repeated', () => {
  const FATES: readonly Fate[] = ['final', 'token', 'refused', 'interrupted', 'unclear'];
  const decide = (fate: Fate, facts: Partial<Parameters<typeof repeatDecision>[1]>, reason?: string): string =>
    repeatDecision(
      { fate, reason, toError: () => undefined as never },
      { mayRepeat: false, isPinned: false, tokenRefusals: 0, hasTokens: false, ...facts },
    );

  it.each([
    ['a write', {}, ['give-up', 'give-up', 'elsewhere', 'give-up', 'give-up']],
    ['a read', { mayRepeat: true }, ['give-up', 'give-up', 'elsewhere', 'elsewhere', 'give-up']],
    ['a pinned read', { mayRepeat: true, isPinned: true }, ['give-up', 'give-up', 'give-up', 'elsewhere', 'give-up']],
    ['a write with credentials', { hasTokens: true }, ['give-up', 'refresh-token', 'elsewhere', 'give-up', 'give-up']],
    [
      'a write whose token was refused three times',
      { hasTokens: true, tokenRefusals: 3 },
      ['give-up', 'give-up', 'elsewhere', 'give-up', 'give-up'],
    ],
  ])('is decided for %s by its fate alone', (_, facts, decisions) => {
    expect(FATES.map((fate) => decide(fate, facts))).toEqual(decisions);
  });

  it('repeats for those without credentials what raced with the auth store, but not for ever', () => {
    expect(decide('token', {}, 'AuthOldRevision')).toBe('elsewhere');
    expect(decide('token', { tokenRefusals: 3 }, 'AuthOldRevision')).toBe('give-up');
    expect(decide('token', {}, 'UserEmpty')).toBe('give-up');
  });
});
