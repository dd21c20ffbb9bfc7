/** C3 and C4: reads survive what happens to single members, and calls go where they are served. */
import { afterEach, describe, expect, it } from '@jest/globals';
import { RANGE } from '../../../lib/client/rpc/methods.js';
import { GrpcCode } from '../../../lib/client/transport/transport.js';
import { settle } from '../../support/fake-clock.js';
import { A, B, C, isProbe, Rig } from './rig.js';

let rig: Rig;

afterEach(() => rig.leaveNothing());

const { unavailable } = GrpcCode;

describe('C3: a read', () => {
  it.each([
    ['etcdserver: leader changed', unavailable],
    ['etcdserver: no leader', unavailable],
    ['etcdserver: rpc not supported for learner', GrpcCode.failedPrecondition],
    ['etcdserver: server stopped', unavailable],
    ['etcdserver: request timed out', unavailable],
    ['etcdserver: request canceled', GrpcCode.cancelled],
    ['Connection dropped', unavailable],
    ['etcdserver: something a newer release says', unavailable],
    ['Bandwidth exhausted or memory limit exceeded', GrpcCode.resourceExhausted],
    ['Call cancelled', GrpcCode.cancelled],
    ['stream timeout of a proxy', GrpcCode.deadlineExceeded],
  ])('is repeated on another member at once after %j (code %i)', async (text, code) => {
    rig = await new Rig().connected();
    rig.member(A).on(RANGE, (call) => call.fail(text, code));

    const read = rig.read();
    await settle();

    expect(read.state).toBe('answered');
    expect(rig.arrivedAt()).toEqual([A, B]);
    expect(rig.calls.counters().retries).toBe(1);
  });

  it.each(['unsent', 'broken'] as const)(
    'is repeated on another member at once when it was cut off, %s',
    async (cut) => {
      rig = await new Rig().connected();
      rig.member(A).on(RANGE, (call) => call.fail('etcdserver: permission denied', unavailable, cut));

      const read = rig.read();
      await settle();

      expect(read.state).toBe('answered');
      expect(rig.arrivedAt()).toEqual([A, B]);
    },
  );

  it.each([
    ['etcdserver: mvcc: required revision has been compacted', GrpcCode.outOfRange],
    ['etcdserver: permission denied', GrpcCode.permissionDenied],
    ['etcdserver: corrupt cluster', GrpcCode.dataLoss],
    ['Received message larger than max (70000000 vs 67108864)', GrpcCode.resourceExhausted],
    ['panic', GrpcCode.internal],
    ['whatever', GrpcCode.unknown],
  ])('fails at once after %j (code %i), which would come again', async (text, code) => {
    rig = await new Rig().connected();
    rig.member(A).on(RANGE, (call) => call.fail(text, code));

    const read = rig.read();
    await settle();

    expect(read.error).toMatchObject({ attempts: 1, outcome: undefined });
  });

  it('is repeated with pauses that grow up to 400 ms, until its deadline', async () => {
    rig = await new Rig({ random: () => 0.999_999 }).connected();
    const arrivals: number[] = [];
    rig.cluster.on(RANGE, (call) => {
      arrivals.push(rig.clock.now());
      call.fail('etcdserver: leader changed', unavailable);
    });

    const read = rig.read({ timeoutMs: 2_500 });
    await rig.clock.advance(2_500);

    const pauses = arrivals.slice(1).map((at, index) => at - arrivals[index]!);
    expect(pauses).toEqual([0, 25, 50, 100, 200, 400, 400, 400, 400, 400]);
    expect(read.error.code).toBe('ETCD_DEADLINE_EXCEEDED');
  });

  it('is spread over time: the pause is any share of its bound', async () => {
    rig = await new Rig({ random: () => 0 }).connected();
    rig.member(A).on(RANGE, (call) => call.fail('etcdserver: leader changed', unavailable));
    rig.member(B).on(RANGE, (call) => call.fail('etcdserver: leader changed', unavailable));

    const read = rig.read();
    await rig.clock.advance(0);

    expect(read.state).toBe('answered');
    expect(rig.arrivedAt()).toEqual([A, B, C]);
  });

  it('goes on through an election', async () => {
    rig = await new Rig().connected();
    rig.cluster.on(RANGE, (call) => call.fail('etcdserver: no leader', unavailable));
    const read = rig.read();
    await rig.clock.advance(1_500);
    expect(read.state).toBe('pending');

    rig.cluster.on(RANGE, (call) => call.answer({}));
    await rig.clock.advance(400);

    expect(read.state).toBe('answered');
  });

  it('in flight on a connection that breaks goes to another member at once', async () => {
    rig = await new Rig().connected();
    rig.member(A).freeze();
    const read = rig.read();
    await settle();

    rig.member(A).drop('Connection dropped');
    await settle();

    expect(read.state).toBe('answered');
    expect(rig.arrivedAt()).toEqual([A, B]);
  });

  it('pinned to an endpoint is repeated there only, with a pause', async () => {
    rig = await new Rig().connected();
    rig.member(A).on(RANGE, (call) => call.fail('etcdserver: leader changed', unavailable));
    const read = rig.read({ endpoint: A });
    await settle();
    expect(rig.arrivedAt()).toEqual([A]);

    rig.member(A).on(RANGE, (call) => call.answer({}));
    await rig.clock.advance(25);

    expect(read.state).toBe('answered');
    expect(rig.arrivedAt()).toEqual([A, A]);
  });

  it('pinned to a member without a leader fails at once: nobody else may answer', async () => {
    rig = await new Rig().connected();
    rig.member(B).on(RANGE, (call) => call.fail('etcdserver: no leader', unavailable));

    const read = rig.read({ endpoint: B });
    await settle();

    expect(read.error).toMatchObject({ code: 'ETCD_NO_LEADER', endpoint: B, attempts: 1 });
  });

  it('pinned to an endpoint beside the list finds its connection again', async () => {
    rig = await new Rig({ endpoints: [A] }).connected();
    rig.member('http://x:1').on(RANGE, (call) => call.answer({}));

    const first = rig.read({ endpoint: 'http://x:1' });
    await settle();
    const second = rig.read({ endpoint: 'http://x:1/' });
    await settle();

    expect([first.state, second.state]).toEqual(['answered', 'answered']);
    expect(rig.member('http://x:1').connects).toBe(1);
    expect(rig.endpoints.list()).toEqual([A]);
  });

  it('sends the leader requirement when it is asked for, and not otherwise', async () => {
    rig = await new Rig({ endpoints: [A] }).connected();

    rig.read();
    rig.read({ requireLeader: true });
    await settle();

    expect(rig.arrived().map(({ headers }) => headers['hasleader'])).toEqual([undefined, 'true']);
  });
});

describe('C3: a member that falls silent', () => {
  it('costs a read at most 2 s: it is probed, set aside, and the read is moved', async () => {
    rig = await new Rig().connected();
    rig.member(A).freeze();
    const read = rig.read();

    await rig.clock.advance(1_699);
    expect([read.state, rig.stateOf(A)]).toEqual(['pending', 'ready']);
    await rig.clock.advance(1);

    expect(read.state).toBe('answered');
    expect(rig.arrivedAt()).toEqual([A, B]);
    expect(rig.stateOf(A)).toBe('sick');
    expect(rig.arrived()[0]!.state).toBe('cancelled');
  });

  it('costs every read that was sent to it no more than that', async () => {
    rig = await new Rig().connected();
    rig.member(A).freeze();
    const startedAt: number[] = [];
    const tookMs: number[] = [];
    for (let index = 0; index < 60; index++) {
      startedAt.push(rig.clock.now());
      void rig.read().promise.then(() => tookMs.push(rig.clock.now() - startedAt[index]!));
      await rig.clock.advance(50);
    }
    await rig.clock.advance(2_000);

    expect(tookMs).toHaveLength(60);
    expect(Math.max(...tookMs)).toBeLessThanOrEqual(2_000);
  });

  it('gets no new calls once it is set aside', async () => {
    rig = await new Rig().connected();
    rig.member(A).freeze();
    rig.read();
    await rig.clock.advance(1_700);
    const before = rig
      .member(A)
      .callsOf(RANGE)
      .filter((call) => !isProbe(call)).length;

    for (let index = 0; index < 9; index++) rig.write();
    await settle();

    expect(rig.member(A).calls.filter((call) => !isProbe(call))).toHaveLength(before);
  });

  it('is used again within 3 s of its recovery', async () => {
    rig = await new Rig({ random: () => 0.999 }).connected();
    rig.member(A).freeze();
    rig.read();
    await rig.clock.advance(20_000);
    expect(rig.stateOf(A)).toBe('sick');

    rig.member(A).thaw();
    await rig.clock.advance(3_000);

    expect(rig.stateOf(A)).toBe('ready');
    const reads = [rig.read(), rig.read(), rig.read()];
    await settle();
    expect(reads.map(({ state }) => state)).toEqual(['answered', 'answered', 'answered']);
    expect(rig.arrivedAt().slice(-3).sort()).toEqual([A, B, C]);
  });

  it('is noticed also when every caller gives up before it could be', async () => {
    rig = await new Rig().connected();
    rig.member(A).freeze();
    for (let index = 0; index < 12; index++) {
      rig.read({ timeoutMs: 200 });
      await rig.clock.advance(200);
    }

    expect(rig.stateOf(A)).toBe('sick');
  });

  it('keeps its reads when there is no other to move to, and answers them when it is back', async () => {
    rig = await new Rig({ endpoints: [A] }).connected();
    rig.member(A).freeze();
    const read = rig.read();
    await rig.clock.advance(3_000);
    expect(read.state).toBe('pending');

    rig.member(A).thaw();
    await settle();

    expect(read.state).toBe('answered');
    expect(rig.arrivedAt()).toEqual([A]);
  });

  it('is named in the error of a read that found no better one', async () => {
    rig = await new Rig({ endpoints: [A, B] }).connected();
    rig.member(A).freeze();
    rig.member(B).on(RANGE, (call) => {
      if (isProbe(call)) call.answer({});
    });

    const read = rig.read({ timeoutMs: 3_000 });
    await rig.clock.advance(3_000);

    expect(rig.arrivedAt()).toEqual([A, B]);
    expect(read.error.message).toContain(
      'waiting for the answer of http://b:1; the last attempt failed with: the endpoint does not serve: no answer for 1700 ms',
    );
    expect(read.error.cause).toMatchObject({ code: 'ETCD_UNAVAILABLE', endpoint: A });
  });

  it('keeps a read that is pinned to it', async () => {
    rig = await new Rig().connected();
    rig.member(A).freeze();
    const read = rig.read({ endpoint: A });

    await rig.clock.advance(5_000);

    expect(read.error).toMatchObject({ code: 'ETCD_DEADLINE_EXCEEDED', attempts: 1, endpoint: A });
  });

  it('and answers probes without a leader loses its reads as well', async () => {
    rig = await new Rig().connected();
    rig.member(A).on(RANGE, (call) => {
      if (isProbe(call)) call.fail('etcdserver: no leader', unavailable);
    });
    const read = rig.read();

    await rig.clock.advance(1_000);

    expect(read.state).toBe('answered');
    expect(rig.arrivedAt()).toEqual([A, B]);
    expect(rig.endpoints.status()[0]).toMatchObject({ state: 'sick', reason: 'NoLeader' });
  });
});

describe('C4: what does not condemn an endpoint', () => {
  it('one caller’s short deadline', async () => {
    rig = await new Rig({ endpoints: [A] }).connected();
    rig.member(A).on(RANGE, (call) => {
      if (isProbe(call)) call.answer({});
    });

    const read = rig.read({ timeoutMs: 1 });
    await rig.clock.advance(10_000);

    expect(read.state).toBe('failed');
    expect(rig.states).toEqual([`${A} connecting`, `${A} ready`]);
  });

  it('an answer that takes long, while probes are answered', async () => {
    rig = await new Rig({ endpoints: [A] }).connected();
    rig.member(A).on(RANGE, (call) => {
      if (isProbe(call)) call.answer({});
    });

    const read = rig.read({ timeoutMs: 60_000 });
    await rig.clock.advance(59_000);

    expect(read.state).toBe('pending');
    expect(rig.states).toEqual([`${A} connecting`, `${A} ready`]);
    expect(rig.arrived()).toHaveLength(1);
  });

  it('a probe that is denied: a member that says no serves', async () => {
    rig = await new Rig({ endpoints: [A] }).connected();
    rig.member(A).on(RANGE, (call) => {
      if (isProbe(call)) call.fail('etcdserver: permission denied', GrpcCode.permissionDenied);
    });

    rig.read({ timeoutMs: 4_000 });
    await rig.clock.advance(4_000);

    expect(rig.states).toEqual([`${A} connecting`, `${A} ready`]);
  });

  it('an endpoint that is never asked is never probed', async () => {
    rig = await new Rig().connected();

    await rig.clock.advance(60_000);

    expect(rig.cluster.calls).toEqual([]);
    expect(rig.clock.pending()).toEqual([]);
  });

  it('a call that was answered leaves no watch over silence behind', async () => {
    rig = await new Rig({ endpoints: [A] }).connected();
    rig.read();
    await settle();

    await rig.clock.advance(1_000);

    expect(rig.clock.pending()).toEqual([]);
    expect(rig.cluster.calls).toHaveLength(1);
  });
});

describe('C4: a member without a leader, or a learner', () => {
  it('is set aside with the reason, and serves again after a probe', async () => {
    rig = await new Rig().connected();
    rig.member(A).on(RANGE, (call) => call.fail('etcdserver: no leader', unavailable));
    const read = rig.read();
    await settle();
    expect(read.state).toBe('answered');
    expect(rig.endpoints.status()[0]).toEqual({ endpoint: A, state: 'sick', reason: 'NoLeader' });

    rig.member(A).on(RANGE, (call) => call.answer({}));
    await rig.clock.advance(250);

    expect(rig.stateOf(A)).toBe('ready');
  });

  it('is still used when there is nothing better', async () => {
    rig = await new Rig({ endpoints: [A] }).connected();
    rig.member(A).on(RANGE, (call) => {
      const isPlain = call.headers['hasleader'] === undefined;
      if (isPlain) call.answer({});
      else call.fail('etcdserver: no leader', unavailable);
    });
    const strict = rig.read({ requireLeader: true, timeoutMs: 100 });
    await rig.clock.advance(100);
    expect([strict.state, rig.stateOf(A)]).toEqual(['failed', 'sick']);

    const serializable = rig.read();
    await settle();

    expect(serializable.state).toBe('answered');
  });
});

describe('C4: calls', () => {
  it('go round the healthy endpoints', async () => {
    rig = await new Rig().connected();

    for (let index = 0; index < 9; index++) {
      rig.read();
      await settle();
    }

    expect(rig.arrivedAt()).toEqual([A, B, C, A, B, C, A, B, C]);
  });

  it('go round fairly when one endpoint is away', async () => {
    rig = new Rig();
    rig.member(B).onConnect = { refuses: 'connect ECONNREFUSED' };
    await rig.connected();

    for (let index = 0; index < 6; index++) rig.read();
    await settle();

    expect(rig.arrivedAt()).toEqual([A, C, A, C, A, C]);
  });

  it('do not wait for endpoints that hang once one is ready', async () => {
    rig = new Rig();
    rig.member(A).onConnect = 'hang';
    rig.member(B).onConnect = 'hang';

    const read = rig.read();
    await settle();

    expect(read.state).toBe('answered');
    expect(rig.arrivedAt()).toEqual([C]);
  });
});
