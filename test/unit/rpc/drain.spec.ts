/** C8: a client that is closing lets the calls under way finish first, if it is asked to (G5). */
import { afterEach, describe, expect, it } from '@jest/globals';
import { EtcdClosedError } from '../../../lib/client/errors.js';
import type { Reach } from '../../../lib/client/kv/pending-read.js';
import { ReadCoalescer } from '../../../lib/client/kv/read-coalescer.js';
import { AUTHENTICATE, LEASE_REVOKE, PUT, RANGE, SNAPSHOT, TXN, WATCH } from '../../../lib/client/rpc/methods.js';
import { GrpcCode } from '../../../lib/client/transport/transport.js';
import { settle } from '../../support/fake-clock.js';
import { A, Outcome, Rig } from './rig.js';

let rig: Rig;

afterEach(() => rig.leaveNothing());

/** Drains, and tells when that is over. */
function draining(limitMs: number): { isOver: boolean } {
  const drain = { isOver: false };
  void rig.calls.drain(limitMs).then(() => (drain.isOver = true));
  return drain;
}

describe('Draining', () => {
  it('lets what is under way finish, and is over with the last of it', async () => {
    rig = await new Rig({ endpoints: [A] }).connected();
    const { frozen } = freezable();
    const [write, read] = [rig.write(), rig.read()];
    await settle();

    const drain = draining(1_000);
    frozen.write?.();
    await settle();
    expect([write.state, read.state, drain.isOver]).toEqual(['answered', 'pending', false]);
    frozen.read?.();
    await settle();

    expect([read.state, drain.isOver]).toEqual(['answered', true]);
    expect(rig.clock.pending('foreground')).toEqual([]);
  });

  it('is over at once when nothing is under way', async () => {
    rig = await new Rig({ endpoints: [A] }).connected();

    const drain = draining(1_000);
    await settle();

    expect(drain.isOver).toBe(true);
  });

  it('ends at its limit, and what is still under way ends with EtcdClosedError and its outcome', async () => {
    rig = await new Rig({ endpoints: [A] }).connected();
    rig.member(A).freeze();
    const write = rig.write();
    await settle();

    const drain = draining(300);
    await rig.clock.advance(299);
    expect(drain.isOver).toBe(false);
    await rig.clock.advance(1);
    expect(drain.isOver).toBe(true);
    rig.calls.close();
    await settle();

    expect(write.error).toBeInstanceOf(EtcdClosedError);
    expect(write.error).toMatchObject({ outcome: 'unknown' });
  });

  it('refuses new calls and streams, which change nothing', async () => {
    rig = await new Rig({ endpoints: [A] }).connected();
    rig.member(A).freeze();
    const before = rig.read();
    await settle();

    draining(1_000);
    const [write, read] = [rig.write(), rig.read()];
    await settle();

    expect(write.error).toBeInstanceOf(EtcdClosedError);
    expect(write.error).toMatchObject({ outcome: 'not-applied', attempts: 0 });
    expect(read.error).toMatchObject({ outcome: undefined });
    expect(() => rig.calls.duplex(WATCH)).toThrow(EtcdClosedError);
    expect(before.state).toBe('pending');
  });

  it('lets a lease be given back', async () => {
    rig = await new Rig({ endpoints: [A] }).connected();
    rig.cluster.on(LEASE_REVOKE, (call) => call.answer({}));

    draining(1_000);
    const revoke = new Outcome(rig.calls.unary(LEASE_REVOKE, { ID: '1' }));
    await settle();

    expect(revoke.state).toBe('answered');
  });

  it('gets a new token for a call under way whose own has ended', async () => {
    rig = await new Rig({ endpoints: [A], auth: { username: 'app', password: 'sesame' } }).connected();
    let tokens = 0;
    rig.cluster.on(AUTHENTICATE, (call) => call.answer({ token: `token-${++tokens}` }));
    const { frozen } = freezable();
    const write = rig.write();
    await settle();

    const drain = draining(1_000);
    frozen.refuseWrite?.();
    await settle();
    frozen.write?.();
    await settle();

    expect([tokens, write.state, drain.isOver]).toEqual([2, 'answered', true]);
  });

  it('lets reads that travelled together finish one by one when etcd refuses the whole', async () => {
    rig = await new Rig({ endpoints: [A] }).connected();
    let refuse: (() => void) | undefined;
    rig.cluster
      .on(TXN, (call) => (refuse = () => call.fail('etcdserver: permission denied', GrpcCode.permissionDenied)))
      .on(RANGE, (call) => call.answer({}));
    const { calls: rpc, clock } = rig;
    const limits = { callTimeoutMs: 5_000, maxTxnOperations: 128, maxRequestBytes: 2 ** 20, maxPendingCalls: 100 };
    const reach = (): Reach => ({ isConnected: true, canSend: true, failures: [] });
    const reads = new ReadCoalescer({ rpc, clock, limits, reach });
    const outcomes = ['a', 'b'].map((key) => new Outcome(reads.unary(RANGE, { key: Buffer.from(key) })));
    await settle();

    const drain = draining(1_000);
    refuse?.();
    await settle();

    expect(outcomes.map(({ state }) => state)).toEqual(['answered', 'answered']);
    expect(drain.isOver).toBe(true);
  });

  it('waits for a snapshot, which ends by itself, and not for a watch, which does not', async () => {
    rig = await new Rig({ endpoints: [A] }).connected();
    rig.calls.duplex(WATCH);
    const snapshot = rig.calls.duplex(SNAPSHOT);
    await settle();

    const drain = draining(1_000);
    await settle();
    expect(drain.isOver).toBe(false);
    snapshot.close();
    await settle();

    expect(drain.isOver).toBe(true);
  });

  it('does not wait for endpoints that are away, once that is known', async () => {
    rig = new Rig({ endpoints: [A] });
    rig.member(A).onConnect = 'hang';
    const write = rig.write();
    await settle();

    const drain = draining(60_000);
    await rig.clock.advance(1_900);
    expect(drain.isOver).toBe(false);
    await rig.clock.advance(200);

    expect(drain.isOver).toBe(true);
    expect(write.state).toBe('pending');
  });

  it('waits for the first connection of a client that has just been made', async () => {
    rig = new Rig({ endpoints: [A] });
    const write = rig.write();

    const drain = draining(1_000);
    await settle();

    expect([write.state, drain.isOver]).toEqual(['answered', true]);
  });

  it('is cut short by whoever is in a hurry', async () => {
    rig = await new Rig({ endpoints: [A] }).connected();
    rig.member(A).freeze();
    rig.read();
    await settle();

    const drain = draining(1_000);
    rig.calls.hurry();
    await settle();

    expect(drain.isOver).toBe(true);
    expect(rig.clock.pending('foreground')).toHaveLength(1); // the deadline of the read
  });
});

/** Keeps back the answers to a read and a write. */
function freezable(): { frozen: { read?: () => void; write?: () => void; refuseWrite?: () => void } } {
  const frozen: { read?: () => void; write?: () => void; refuseWrite?: () => void } = {};
  rig.cluster
    .on(RANGE, (call) => (frozen.read = () => call.answer({})))
    .on(PUT, (call) => {
      frozen.write = () => call.answer({});
      frozen.refuseWrite = () => call.fail('etcdserver: invalid auth token', GrpcCode.unauthenticated);
    });
  return { frozen };
}
