/** C2: a write is sent at most once unless it certainly was not applied, and its error never claims more than is known. */
import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from '@jest/globals';
import { PUT, RANGE } from '../../../lib/client/rpc/methods.js';
import { GrpcCode } from '../../../lib/client/transport/transport.js';
import type { FakeTransportCall } from '../../support/fake-transport.js';
import { settle } from '../../support/fake-clock.js';
import { A, B, C, Rig } from './rig.js';

let rig: Rig;

afterEach(() => rig.leaveNothing());

const { unavailable, unknown, internal, cancelled, deadlineExceeded, resourceExhausted } = GrpcCode;

/** What etcd or the wire may answer to a write, and what that proves (clientv3.md §4 and §8). */
const ANSWERS: readonly [text: string, code: number, attempts: number, outcome: 'not-applied' | 'unknown'][] = [
  // Refused for what it asks: nothing was applied, and asking again would not help.
  ['etcdserver: key is not provided', GrpcCode.invalidArgument, 1, 'not-applied'],
  ['etcdserver: too many operations in txn request', GrpcCode.invalidArgument, 1, 'not-applied'],
  ['etcdserver: duplicate key given in txn request', GrpcCode.invalidArgument, 1, 'not-applied'],
  ['etcdserver: request is too large', GrpcCode.invalidArgument, 1, 'not-applied'],
  ['etcdserver: authentication failed, invalid user ID or password', GrpcCode.invalidArgument, 1, 'not-applied'],
  ['etcdserver: mvcc: required revision has been compacted', GrpcCode.outOfRange, 1, 'not-applied'],
  ['etcdserver: mvcc: required revision is a future revision', GrpcCode.outOfRange, 1, 'not-applied'],
  ['etcdserver: too large lease TTL', GrpcCode.outOfRange, 1, 'not-applied'],
  ['etcdserver: requested lease not found', GrpcCode.notFound, 1, 'not-applied'],
  ['etcdserver: lease already exists', GrpcCode.failedPrecondition, 1, 'not-applied'],
  ['etcdserver: permission denied', GrpcCode.permissionDenied, 1, 'not-applied'],
  ['etcdserver: too many requests', resourceExhausted, 1, 'not-applied'],
  ['etcdserver: mvcc: database space exceeded', resourceExhausted, 1, 'not-applied'],
  ['grpc: received message larger than max (3000000 vs. 2097152)', resourceExhausted, 1, 'not-applied'],
  ['unknown method Put', GrpcCode.unimplemented, 1, 'not-applied'],
  // Refused for its token by a client that has none to renew.
  ['etcdserver: invalid auth token', GrpcCode.unauthenticated, 1, 'not-applied'],
  ['etcdserver: user name is empty', GrpcCode.invalidArgument, 1, 'not-applied'],
  // Given up on the way: it may have been applied, or may still be.
  ['etcdserver: request timed out', unavailable, 1, 'unknown'],
  ['etcdserver: request timed out, possibly due to previous leader failure', unavailable, 1, 'unknown'],
  ['etcdserver: request timed out, possibly due to connection lost', unavailable, 1, 'unknown'],
  ['etcdserver: request timed out, waiting for the applied index took too long', unavailable, 1, 'unknown'],
  ['etcdserver: leader changed', unavailable, 1, 'unknown'],
  ['etcdserver: server stopped', unavailable, 1, 'unknown'],
  ['etcdserver: request canceled', cancelled, 1, 'unknown'],
  ['etcdserver: context deadline exceeded', deadlineExceeded, 1, 'unknown'],
  ['Connection dropped', unavailable, 1, 'unknown'],
  ['read ECONNRESET', unavailable, 1, 'unknown'],
  ['etcdserver: something a newer release says', unavailable, 1, 'unknown'],
  ['Bandwidth exhausted or memory limit exceeded', resourceExhausted, 1, 'unknown'],
  ['Received message larger than max (70000000 vs 67108864)', resourceExhausted, 1, 'unknown'],
  ['deadline exceeded', deadlineExceeded, 1, 'unknown'],
  ['Call cancelled', cancelled, 1, 'unknown'],
  ['panic in the server', internal, 1, 'unknown'],
  ['whatever', unknown, 1, 'unknown'],
  ['aborted', GrpcCode.aborted, 1, 'unknown'],
  ['etcdserver: corrupt cluster', GrpcCode.dataLoss, 1, 'unknown'],
  ['lost', GrpcCode.dataLoss, 1, 'unknown'],
  ['a code of the future', 99, 1, 'unknown'],
];

describe('C2: a write that is answered with', () => {
  it.each(ANSWERS)('%j (code %i) is sent %i time and is %s', async (text, code, attempts, outcome) => {
    rig = await new Rig().connected();
    rig.cluster.on(PUT, (call) => call.fail(text, code));

    const write = rig.write();
    await rig.clock.advance(10_000);

    expect(rig.arrived()).toHaveLength(attempts);
    expect(write.error).toMatchObject({ attempts, outcome, method: 'KV.Put', grpcCode: code });
  });
});

describe('C2: a write', () => {
  it('is sent again, to another member, when one refused it for want of a leader', async () => {
    rig = await new Rig().connected();
    rig.member(A).on(PUT, (call) => call.fail('etcdserver: no leader', unavailable));

    const write = rig.write();
    await settle();

    expect(write.state).toBe('answered');
    expect(rig.arrivedAt()).toEqual([A, B]);
    expect(rig.stateOf(A)).toBe('sick');
  });

  it.each([GrpcCode.failedPrecondition, unavailable])(
    'is sent again when a learner refused it, with the code of any release (%i)',
    async (code) => {
      rig = await new Rig().connected();
      rig.member(A).on(PUT, (call) => call.fail('etcdserver: rpc not supported for learner', code));
      rig.member(B).on(PUT, (call) => call.fail('etcdserver: rpc not supported for learner', code));

      const write = rig.write();
      await rig.clock.advance(1_000);

      expect(write.state).toBe('answered');
      expect(rig.arrivedAt()).toEqual([A, B, C]);
    },
  );

  it('is sent again when it was cut off and nobody had begun to carry it out (A25)', async () => {
    rig = await new Rig({ endpoints: [A] }).connected();
    let refusals = 0;
    const refuse = (call: FakeTransportCall): void => call.fail('the server refused the stream', unavailable, 'unsent');
    rig.member(A).on(PUT, (call) => (refusals++ < 2 ? refuse(call) : call.answer({})));

    const write = rig.write();
    await rig.clock.advance(1_000);

    expect(write.state).toBe('answered');
    expect(rig.arrived()).toHaveLength(3);
    expect(rig.stateOf(A)).toBe('ready');
  });

  it('is not sent again when it was cut off otherwise, whatever the words, since it may have been applied', async () => {
    rig = await new Rig().connected();
    rig.cluster.on(PUT, (call) => call.fail('etcdserver: no leader', unavailable, 'broken'));

    const write = rig.write();
    await rig.clock.advance(10_000);

    expect(rig.arrived()).toHaveLength(1);
    expect(write.error).toMatchObject({ code: 'ETCD_UNAVAILABLE', attempts: 1, outcome: 'unknown' });
  });

  it('that no member has a leader for ends at its deadline, not applied', async () => {
    rig = await new Rig().connected();
    rig.cluster.on(PUT, (call) => call.fail('etcdserver: no leader', unavailable));

    const write = rig.write({ timeoutMs: 2_000 });
    await rig.clock.advance(2_000);

    expect(write.error).toMatchObject({ code: 'ETCD_DEADLINE_EXCEEDED', outcome: 'not-applied' });
    expect(write.error.cause).toMatchObject({ code: 'ETCD_NO_LEADER' });
  });

  it('that is in flight when the connection breaks is not sent again', async () => {
    rig = await new Rig().connected();
    rig.member(A).freeze();
    const write = rig.write();
    await settle();

    rig.member(A).drop('Connection dropped');
    await rig.clock.advance(5_000);

    expect(write.error).toMatchObject({ code: 'ETCD_UNAVAILABLE', outcome: 'unknown', endpoint: A, attempts: 1 });
    expect(rig.arrivedAt()).toEqual([A]);
  });

  it('that is in flight on a silent member is not sent again, though reads are moved', async () => {
    rig = await new Rig().connected();
    rig.member(A).freeze();
    const write = rig.write();

    await rig.clock.advance(5_000);

    expect(write.error).toMatchObject({ code: 'ETCD_DEADLINE_EXCEEDED', outcome: 'unknown' });
    expect(rig.arrivedAt()).toEqual([A]);
  });

  it('refused for a leader first and interrupted later may have been applied', async () => {
    rig = await new Rig().connected();
    rig.member(A).on(PUT, (call) => call.fail('etcdserver: no leader', unavailable));
    rig.member(B).on(PUT, (call) => call.fail('etcdserver: leader changed', unavailable));

    const write = rig.write();
    await settle();

    expect(write.error).toMatchObject({ reason: 'LeaderChanged', outcome: 'unknown', attempts: 2 });
  });

  it('says in its message what is known', async () => {
    rig = await new Rig({ endpoints: [A] }).connected();
    rig.member(A).on(PUT, (call) => call.fail('etcdserver: leader changed', unavailable));
    const unclear = rig.write();
    await settle();
    rig.member(A).on(PUT, (call) => call.fail('etcdserver: permission denied', GrpcCode.permissionDenied));

    const refused = rig.write();
    await settle();

    expect(unclear.error.message).toBe(
      'KV.Put: etcdserver: leader changed (endpoint http://a:1; the write may have been applied, now or later)',
    );
    expect(refused.error.message).toBe(
      'KV.Put: etcdserver: permission denied (endpoint http://a:1; nothing was applied)',
    );
  });
});

describe('C2: an idempotent write', () => {
  it('is repeated like a read', async () => {
    rig = await new Rig().connected();
    rig.member(A).on(PUT, (call) => call.fail('Connection dropped', unavailable));

    const write = rig.write({ idempotent: true });
    await settle();

    expect(write.state).toBe('answered');
    expect(rig.arrivedAt()).toEqual([A, B]);
  });

  it('that was interrupted once stays unknown, whatever a later attempt is refused for', async () => {
    rig = await new Rig().connected();
    rig.member(A).on(PUT, (call) => call.fail('Connection dropped', unavailable));
    rig.member(B).on(PUT, (call) => call.fail('etcdserver: permission denied', GrpcCode.permissionDenied));

    const write = rig.write({ idempotent: true });
    await settle();

    expect(write.error).toMatchObject({ code: 'ETCD_PERMISSION_DENIED', outcome: 'unknown', attempts: 2 });
  });

  it('that was moved away from a silent member stays unknown too', async () => {
    rig = await new Rig().connected();
    rig.member(A).freeze();
    rig.member(B).on(PUT, (call) => call.fail('etcdserver: permission denied', GrpcCode.permissionDenied));

    const write = rig.write({ idempotent: true });
    await rig.clock.advance(2_000);

    expect(rig.arrivedAt()).toEqual([A, B]);
    expect(write.error).toMatchObject({ code: 'ETCD_PERMISSION_DENIED', outcome: 'unknown' });
  });
});

describe('C2: the effect of a call', () => {
  it('of a transaction that only reads makes it a read', async () => {
    rig = await new Rig().connected();
    rig.member(A).on(PUT, (call) => call.fail('etcdserver: leader changed', unavailable));

    const write = rig.write({ effect: 'read' });
    await settle();

    expect(write.state).toBe('answered');
    expect(rig.arrivedAt()).toEqual([A, B]);
  });

  it('is told by the outcome of errors of writes only', async () => {
    rig = await new Rig({ endpoints: [A] }).connected();
    rig.member(A).freeze();
    const read = rig.read({ timeoutMs: 10 });
    const write = rig.write({ timeoutMs: 10 });

    await rig.clock.advance(10);

    expect(read.error.outcome).toBeUndefined();
    expect(read.error.message).not.toContain('applied');
    expect(write.error.outcome).toBe('unknown');
  });
});

describe('C7: a request that cannot be encoded', () => {
  it('is refused with the call it was for, and for a write with its outcome', async () => {
    rig = await new Rig().connected();

    const write = await rig.calls.unary(PUT, { lease: 'xyz' }).catch((error: unknown) => error);
    const read = await rig.calls.unary(RANGE, { limit: 0.5 }).catch((error: unknown) => error);

    expect(write).toMatchObject({ code: 'ETCD_INVALID_ARGUMENT', method: 'KV.Put', outcome: 'not-applied' });
    expect((write as Error).message).toMatch(/^KV\.Put: argument .*lease .*, but is "xyz" \(nothing was applied\)$/);
    expect(read).toMatchObject({ code: 'ETCD_INVALID_ARGUMENT', method: 'KV.Range', outcome: undefined });
    expect((read as Error).message).toMatch(/^KV\.Range: argument .*limit .*, but is 0\.5$/);
    expect(inspect(write)).not.toContain('value:');
  });
});

describe('C7: a request above maxRequestBytes', () => {
  it('is refused before anything is sent, with the limit', async () => {
    rig = await new Rig({ maxRequestBytes: 1_024 }).connected();

    const value = Buffer.alloc(2_000);
    const refused = await rig.calls.unary(PUT, { key: Buffer.from('k'), value }).catch((error: unknown) => error);

    expect(refused).toMatchObject({ code: 'ETCD_MESSAGE_TOO_LARGE', limitBytes: 1_024, outcome: 'not-applied' });
    expect((refused as Error).message).toMatch(
      /KV\.Put: the request is too large: \d+ bytes, more than maxRequestBytes/,
    );
    expect(rig.arrived()).toEqual([]);
  });

  it('is told as a read when it is one: there is nothing that could have been applied', async () => {
    rig = await new Rig({ maxRequestBytes: 1_024 }).connected();

    const refused = await rig.calls.unary(RANGE, { key: Buffer.alloc(2_000) }).catch((error: unknown) => error);

    expect(refused).toMatchObject({ code: 'ETCD_MESSAGE_TOO_LARGE', method: 'KV.Range', outcome: undefined });
  });

  it('is sent at the very limit', async () => {
    rig = await new Rig({ endpoints: [A], maxRequestBytes: 1_024 }).connected();
    const overhead = 1 + 1 + 1 + 1 + 2;

    await rig.calls.unary(PUT, { key: Buffer.from('k'), value: Buffer.alloc(1_024 - overhead) });

    expect(rig.arrived()).toHaveLength(1);
  });
});
