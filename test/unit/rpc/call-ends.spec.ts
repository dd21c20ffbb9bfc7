/** C1 and C8: every unary call ends, whatever it waits for, and leaves nothing behind. */
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  EtcdAbortedError,
  EtcdClosedError,
  EtcdConfigError,
  EtcdDeadlineExceededError,
  EtcdInvalidArgumentError,
  EtcdProtocolError,
  EtcdUnavailableError,
} from '../../../lib/client/errors.js';
import { PUT, RANGE } from '../../../lib/client/rpc/methods.js';
import { GrpcCode } from '../../../lib/client/transport/transport.js';
import { settle } from '../../support/fake-clock.js';
import { A, B, countingSignal, isProbe, Rig, type Outcome } from './rig.js';

let rig: Rig;

afterEach(() => rig.leaveNothing());

/** Brings a write into each thing it can wait for. */
const PHASES: readonly [string, () => Promise<Outcome>, { outcome: string; waitsFor: string }][] = [
  [
    'a connection',
    async () => {
      rig = new Rig({ endpoints: [A] });
      rig.member(A).onConnect = 'hang';
      return started(rig.write({ timeoutMs: 1_000 }));
    },
    { outcome: 'not-applied', waitsFor: 'no endpoint could be reached within 1000 ms: http://a:1: still connecting' },
  ],
  [
    'a token',
    async () => {
      rig = new Rig({ endpoints: [A], auth: { token: () => new Promise(() => undefined) } });
      return started(rig.write({ timeoutMs: 1_000 }));
    },
    { outcome: 'not-applied', waitsFor: 'waiting for a token' },
  ],
  [
    'an answer',
    async () => {
      rig = await new Rig({ endpoints: [A] }).connected();
      rig.member(A).freeze();
      return started(rig.write({ timeoutMs: 1_000 }));
    },
    { outcome: 'unknown', waitsFor: 'waiting for the answer of http://a:1' },
  ],
  [
    'the next attempt',
    async () => {
      rig = await new Rig({ endpoints: [A], random: () => 0.999 }).connected();
      rig.member(A).on(PUT, (call) => call.fail('etcdserver: no leader', GrpcCode.unavailable));
      return started(rig.write({ timeoutMs: 10 }));
    },
    {
      outcome: 'not-applied',
      waitsFor: 'between two attempts; the last attempt failed with: etcdserver: no leader',
    },
  ],
];

async function started(outcome: Outcome): Promise<Outcome> {
  await settle();
  expect(outcome.state).toBe('pending');
  return outcome;
}

describe.each(PHASES)('C1: a call that waits for %s', (_, bring, { outcome, waitsFor }) => {
  it('ends at its deadline, and says what it was waiting for', async () => {
    const call = await bring();

    await rig.clock.advance(1_000);

    expect(call.error.message).toMatch(/^KV\.Put: /);
    expect(call.error.message).toContain(waitsFor);
    expect(call.error).toMatchObject({ method: 'KV.Put', outcome });
    expect(rig.clock.pending('foreground')).toEqual([]);
  });

  it('C8: ends with EtcdClosedError when the client is closed, at once', async () => {
    const call = await bring();

    rig.calls.close();
    await settle();

    expect(call.error).toBeInstanceOf(EtcdClosedError);
    expect(call.error).toMatchObject({ method: 'KV.Put', outcome });
    expect(rig.clock.pending('foreground')).toEqual([]);
  });
});

describe('C1: the abort signal of a call', () => {
  it.each([
    ['a connection', 'not-applied'],
    ['an answer', 'unknown'],
  ])('ends one that waits for %s, which keeps no listener', async (phase, outcome) => {
    rig = new Rig({ endpoints: [A] });
    if (phase === 'a connection') rig.member(A).onConnect = 'hang';
    rig.member(A).freeze();
    const { controller, signal, listeners } = countingSignal();
    const call = await started(rig.write({ signal }));

    controller.abort('enough');
    await settle();

    expect(call.error).toBeInstanceOf(EtcdAbortedError);
    expect(call.error).toMatchObject({ cause: 'enough', outcome });
    expect(listeners()).toBe(0);
    expect(rig.clock.pending('foreground')).toEqual([]);
  });

  it('cancels the call on the server', async () => {
    rig = await new Rig({ endpoints: [A] }).connected();
    rig.member(A).freeze();
    const controller = new AbortController();
    const call = await started(rig.write({ signal: controller.signal }));

    controller.abort();
    await settle();

    expect(call.state).toBe('failed');
    expect(rig.arrived().map(({ state }) => state)).toEqual(['cancelled']);
  });

  it('refuses a call before anything is sent if it has aborted already', async () => {
    rig = new Rig({ endpoints: [A] });
    const { signal, listeners, controller } = countingSignal();
    controller.abort();

    const call = rig.write({ signal });
    await settle();

    expect(call.error).toMatchObject({ code: 'ETCD_ABORTED', outcome: 'not-applied', attempts: 0 });
    expect(rig.member(A).connects).toBe(0);
    expect(listeners()).toBe(0);
  });

  it('means nothing to a call that has ended, and has no listener left', async () => {
    rig = new Rig({ endpoints: [A] });
    const { controller, signal, listeners } = countingSignal();
    const call = rig.write({ signal });
    await settle();
    expect(listeners()).toBe(0);

    controller.abort();
    await settle();

    expect(call.state).toBe('answered');
  });

  it('may be shared by thousands of calls, and none leaves a timer, a listener or a call behind', async () => {
    rig = await new Rig().connected();
    for (const member of rig.cluster.all()) member.freeze();
    const { controller, signal, listeners } = countingSignal();
    const calls = Array.from({ length: 2_000 }, (_, index) =>
      index % 2 === 0 ? rig.read({ signal }) : rig.write({ signal }),
    );
    await settle();
    expect(listeners()).toBe(1);

    controller.abort();
    await settle();

    expect(calls.every(({ state }) => state === 'failed')).toBe(true);
    expect(listeners()).toBe(0);
    expect(rig.clock.pending('foreground')).toEqual([]);
    expect(rig.arrived().every(({ state }) => state === 'cancelled')).toBe(true);
  });
});

describe('C1: the deadline of a call', () => {
  it('is 5 seconds when nobody says otherwise', async () => {
    rig = await new Rig({ endpoints: [A] }).connected();
    rig.member(A).freeze();
    const call = rig.write();

    await rig.clock.advance(4_999);
    expect(call.state).toBe('pending');
    await rig.clock.advance(1);

    expect(call.error).toMatchObject({ code: 'ETCD_DEADLINE_EXCEEDED', timeoutMs: 5_000 });
  });

  it('is callTimeoutMs of the client, then timeoutMs of the call', async () => {
    rig = await new Rig({ endpoints: [A], callTimeoutMs: 300 }).connected();
    rig.member(A).freeze();
    const byClient = rig.write();
    const byCall = rig.write({ timeoutMs: 700 });

    await rig.clock.advance(300);
    expect([byClient.state, byCall.state]).toEqual(['failed', 'pending']);
    await rig.clock.advance(400);

    expect(byCall.error).toMatchObject({ timeoutMs: 700 });
  });

  it('cancels the call on the server', async () => {
    rig = await new Rig({ endpoints: [A] }).connected();
    rig.member(A).freeze();
    const call = rig.write({ timeoutMs: 50 });

    await rig.clock.advance(50);

    expect(call.state).toBe('failed');
    expect(rig.arrived().map(({ state }) => state)).toEqual(['cancelled']);
  });

  it('spans all attempts and pauses together', async () => {
    rig = await new Rig().connected();
    rig.cluster.on(RANGE, (call) => call.fail('etcdserver: request timed out', GrpcCode.unavailable));
    const call = rig.read({ timeoutMs: 3_000 });

    await rig.clock.advance(3_000);

    expect(call.error).toBeInstanceOf(EtcdDeadlineExceededError);
    expect(call.error.attempts).toBeGreaterThan(5);
    expect(call.error.cause).toMatchObject({ reason: 'Timeout' });
    expect(call.error.message).toContain('the last attempt failed with: etcdserver: request timed out');
  });

  it('names no method and no endpoint twice in its message', async () => {
    rig = await new Rig({ endpoints: [A] }).connected();
    rig.cluster.on(RANGE, (call) => call.fail('etcdserver: request timed out', GrpcCode.unavailable));
    const call = rig.read({ timeoutMs: 60 });

    await rig.clock.advance(60);

    expect(call.error.message.match(/KV\.Range/g)).toHaveLength(1);
    expect(call.error.message.match(/endpoint http/g)).toHaveLength(1);
  });

  it.each([0, -1, 1.5, NaN, Infinity, 2 ** 31, '5' as never])('cannot be %p', async (timeoutMs) => {
    rig = new Rig();
    const call = rig.read({ timeoutMs });
    await settle();

    expect(call.error).toBeInstanceOf(EtcdInvalidArgumentError);
    expect(call.error.message).toContain('argument timeoutMs must be an integer from 1 to 2147483647');
    expect(rig.cluster.calls).toEqual([]);
  });
});

describe('C1: the error of a call that reached nobody', () => {
  it('names each endpoint with its own reason', async () => {
    rig = new Rig({ endpoints: [A, B] });
    rig.member(A).onConnect = { refuses: 'connect ECONNREFUSED 127.0.0.1:1' };
    rig.member(B).onConnect = 'hang';
    const call = rig.write({ timeoutMs: 3_000 });

    await rig.clock.advance(3_000);

    expect(call.error).toBeInstanceOf(EtcdUnavailableError);
    expect(call.error).toMatchObject({
      outcome: 'not-applied',
      attempts: 0,
      endpoints: [
        { endpoint: A, reason: 'connect ECONNREFUSED 127.0.0.1:1' },
        { endpoint: B, reason: 'no HTTP/2 connection within 2000 ms' },
      ],
    });
    expect(call.error.message).toContain(
      'http://a:1: connect ECONNREFUSED 127.0.0.1:1; http://b:1: no HTTP/2 connection within 2000 ms',
    );
  });

  it('names the one endpoint a pinned call asked for, also one that is not of the list', async () => {
    rig = await new Rig({ endpoints: [A] }).connected();
    rig.member('http://x:1').onConnect = { refuses: 'connect EHOSTUNREACH' };
    const call = rig.read({ endpoint: 'http://x:1', timeoutMs: 500 });

    await rig.clock.advance(500);

    expect(call.error).toMatchObject({ endpoints: [{ endpoint: 'http://x:1', reason: 'connect EHOSTUNREACH' }] });
    expect(call.error.message).toContain('http://x:1: connect EHOSTUNREACH');
  });

  it('gives the reason of the endpoints too when it was waiting for a token', async () => {
    rig = new Rig({ endpoints: [A], auth: { username: 'u', password: 'p' } });
    rig.member(A).onConnect = { refuses: 'connect ECONNREFUSED 127.0.0.1:1' };
    const call = rig.write({ timeoutMs: 400 });

    await rig.clock.advance(400);

    expect(call.error.message).toContain('waiting for a token: http://a:1: connect ECONNREFUSED 127.0.0.1:1');
  });
});

describe('C1: a call made while nobody is there', () => {
  it('succeeds when an endpoint comes up before its deadline', async () => {
    rig = new Rig({ endpoints: [A] });
    rig.member(A).onConnect = { refuses: 'connect ECONNREFUSED' };
    const call = rig.write({ timeoutMs: 20_000 });
    await rig.clock.advance(5_000);
    expect(call.state).toBe('pending');

    rig.member(A).onConnect = 'accept';
    await rig.clock.advance(2_000);

    expect(call.state).toBe('answered');
    expect(rig.arrivedAt()).toEqual([A]);
  });
});

describe('C6: a configuration that cannot work', () => {
  const misconfigured = { refuses: 'self-signed certificate', misconfigured: true } as const;

  it('fails calls without waiting for their deadline, but only after a second attempt', async () => {
    rig = new Rig({ endpoints: [A, B] });
    rig.member(A).onConnect = misconfigured;
    rig.member(B).onConnect = misconfigured;
    const call = rig.write();
    await settle();
    expect(call.state).toBe('pending');

    await rig.clock.advance(200);

    expect(call.error).toBeInstanceOf(EtcdUnavailableError);
    expect(call.error.message).toContain('no endpoint can be used: http://a:1: self-signed certificate');
    expect([rig.member(A).connects, rig.member(B).connects]).toEqual([2, 2]);
  });

  it('fails the next call at once', async () => {
    rig = new Rig({ endpoints: [A] });
    rig.member(A).onConnect = misconfigured;
    const first = rig.write();
    await rig.clock.advance(100);
    expect(first.state).toBe('failed');

    const second = rig.write();
    await settle();

    expect(second.error).toMatchObject({ code: 'ETCD_UNAVAILABLE', outcome: 'not-applied' });
  });

  it('does not, while another endpoint may still come', async () => {
    rig = new Rig({ endpoints: [A, B] });
    rig.member(A).onConnect = misconfigured;
    rig.member(B).onConnect = { refuses: 'connect ECONNREFUSED' };
    const call = rig.write();

    await rig.clock.advance(4_000);
    expect(call.state).toBe('pending');
    rig.member(B).onConnect = 'accept';
    await rig.clock.advance(999);

    expect(call.state).toBe('answered');
  });

  it('works again by itself once the certificate is replaced', async () => {
    rig = new Rig({ endpoints: [A] });
    rig.member(A).onConnect = misconfigured;
    const first = rig.write();
    await rig.clock.advance(100);
    expect(first.state).toBe('failed');

    rig.member(A).onConnect = 'accept';
    await rig.clock.advance(2_000);
    const second = rig.write();
    await settle();

    expect(second.state).toBe('answered');
  });

  it('of certificates that cannot be read counts as one too', async () => {
    rig = new Rig({ endpoints: [A] });
    rig.member(A).onConnect = { throws: new EtcdConfigError('tls.ca', 'must be a readable file') };
    const call = rig.write();

    await rig.clock.advance(100);

    expect(call.error.message).toContain('option tls.ca must be a readable file');
  });
});

describe('C1: a call pinned to what is no endpoint', () => {
  it('is refused and leaves nothing behind', async () => {
    rig = await new Rig({ endpoints: [A] }).connected();
    const call = rig.read({ endpoint: 'nonsense' });
    await settle();

    expect(call.error.message).toContain('option endpoint must be host:port');
    expect(rig.calls.counters().inFlight).toBe(0);
    expect(rig.clock.pending('foreground')).toEqual([]);
  });
});

describe('an answer that is none', () => {
  it.each([
    ['bytes of something else', Buffer.from([0x20, 0x80])],
    ['no message at all', undefined],
  ])('is an EtcdProtocolError, and the write may have been applied: %s', async (_, bytes) => {
    rig = await new Rig({ endpoints: [A] }).connected();
    rig.member(A).on(PUT, (call) => call.answerBytes(bytes));

    const call = rig.write();
    await settle();

    expect(call.error).toBeInstanceOf(EtcdProtocolError);
    expect(call.error).toMatchObject({ outcome: 'unknown', method: 'KV.Put' });
  });
});

describe('C8: a closed client', () => {
  it('goes on with no call that was just about to be sent when it was closed', async () => {
    const onState = (state: string): void => {
      if (state === 'connecting') rig.calls.close();
    };
    rig = new Rig({ endpoints: [A], onState });

    const call = rig.write();
    await settle();

    expect(call.error.code).toBe('ETCD_CLOSED');
    expect(rig.arrived()).toEqual([]);
  });

  it('refuses calls, with proof that nothing was applied', async () => {
    rig = await new Rig().connected();
    rig.calls.close();

    const call = rig.write();
    await settle();

    expect(call.error).toMatchObject({ code: 'ETCD_CLOSED', outcome: 'not-applied', method: 'KV.Put' });
    expect(rig.cluster.calls.filter((arrived) => !isProbe(arrived))).toEqual([]);
  });

  it('cancels what ran on the server', async () => {
    rig = await new Rig({ endpoints: [A] }).connected();
    rig.member(A).freeze();
    const calls = [rig.read(), rig.write()];
    await settle();

    rig.calls.close();
    await settle();

    expect(calls.map(({ state }) => state)).toEqual(['failed', 'failed']);
    expect(rig.arrived().map(({ state }) => state)).toEqual(['cancelled', 'cancelled']);
  });

  it('may be closed twice', async () => {
    rig = await new Rig().connected();

    rig.calls.close();
    rig.calls.close();
    rig.endpoints.close();
    rig.endpoints.close();

    expect(rig.calls.counters().inFlight).toBe(0);
  });

  it('counts what runs', async () => {
    rig = await new Rig().connected();
    rig.member(A).freeze();
    rig.read();
    await settle();
    expect(rig.calls.counters()).toEqual({ inFlight: 1, retries: 0, tokenRefreshes: 0 });

    rig.member(A).thaw();
    await settle();

    expect(rig.calls.counters().inFlight).toBe(0);
  });
});
