/** C7: calls that have to wait are bounded in number; what is refused was never sent (I4). */
import { afterEach, describe, expect, it } from '@jest/globals';
import { EtcdOverloadedError } from '../../../lib/client/errors.js';
import { AUTHENTICATE, PUT } from '../../../lib/client/rpc/methods.js';
import { GrpcCode } from '../../../lib/client/transport/transport.js';
import { settle } from '../../support/fake-clock.js';
import { A, Rig, type Outcome } from './rig.js';

let rig: Rig;

afterEach(() => rig.leaveNothing());

function statesOf(calls: readonly Outcome[]): string[] {
  return calls.map(({ state }) => state);
}

describe('maxPendingCalls', () => {
  it('refuses the next call while no endpoint can be had, with each endpoint’s reason and nothing applied', async () => {
    rig = new Rig({ endpoints: [A], maxPendingCalls: 2 });
    rig.member(A).onConnect = { refuses: 'connect ECONNREFUSED' };
    const waiting = [rig.write(), rig.read()];
    await settle();

    const [write, read] = [rig.write(), rig.read()];
    await settle();

    expect(statesOf(waiting)).toEqual(['pending', 'pending']);
    expect(write.error).toBeInstanceOf(EtcdOverloadedError);
    expect(write.error).toMatchObject({ code: 'ETCD_OVERLOADED', limit: 2, outcome: 'not-applied', attempts: 0 });
    expect(write.error).toMatchObject({ endpoints: [{ endpoint: A, reason: expect.any(String) }] });
    expect(write.error.message).toMatch(
      /^KV\.Put: 2 calls are under way already, the most that may wait \(maxPendingCalls\): http:\/\/a:1: .+ \(nothing was applied\)$/,
    );
    expect(read.error).toMatchObject({ code: 'ETCD_OVERLOADED', outcome: undefined });
  });

  it('lets those that wait through, once there is an endpoint, and takes new ones again', async () => {
    rig = new Rig({ endpoints: [A], maxPendingCalls: 2 });
    rig.member(A).onConnect = { refuses: 'connect ECONNREFUSED' };
    const waiting = [rig.write(), rig.read()];
    await settle();

    rig.member(A).onConnect = 'accept';
    await rig.clock.advance(2_000);
    const later = [rig.write(), rig.write(), rig.write()];
    await settle();

    expect(statesOf([...waiting, ...later])).toEqual(Array(5).fill('answered'));
  });

  it('keeps whom it has let in, however often endpoints come and go', async () => {
    rig = new Rig({ endpoints: [A], maxPendingCalls: 1 });
    rig.member(A).onConnect = { refuses: 'connect ECONNREFUSED' };
    const call = rig.write({ timeoutMs: 20_000 });

    await rig.clock.advance(10_000);
    expect(call.state).toBe('pending');
    rig.member(A).onConnect = 'accept';
    await rig.clock.advance(3_000);

    expect(call.state).toBe('answered');
  });

  it('does not bind calls that can be sent', async () => {
    rig = await new Rig({ endpoints: [A], maxPendingCalls: 1 }).connected();
    rig.member(A).freeze();

    const calls = Array.from({ length: 5 }, () => rig.read());
    await settle();

    expect(statesOf(calls)).toEqual(Array(5).fill('pending'));
    expect(rig.arrived()).toHaveLength(5);
  });

  it('does not bind the repetition of a call that was sent', async () => {
    rig = await new Rig({ endpoints: [A], maxPendingCalls: 1 }).connected();
    rig.member(A).on(PUT, (call) => call.fail('etcdserver: no leader', GrpcCode.unavailable));

    const calls = [rig.write(), rig.write(), rig.write()];
    await rig.clock.advance(1_000);
    rig.member(A).on(PUT, (call) => call.answer({}));
    await rig.clock.advance(1_000);

    expect(statesOf(calls)).toEqual(Array(3).fill('answered'));
  });

  it('counts those that wait for a token, the request for it among them, which is never refused', async () => {
    rig = await new Rig({ endpoints: [A], maxPendingCalls: 3, auth: { username: 'app', password: 'x' } }).connected();
    let answer: (() => void) | undefined;
    rig.cluster.on(AUTHENTICATE, (call) => (answer = () => call.answer({ token: 'good' })));

    const first = rig.write();
    await settle();
    const [second, third] = [rig.write(), rig.write()];
    await settle();
    answer?.();
    await settle();

    expect(statesOf([first, second, third])).toEqual(['answered', 'answered', 'failed']);
    expect(third.error).toMatchObject({ code: 'ETCD_OVERLOADED', outcome: 'not-applied' });
  });
});
