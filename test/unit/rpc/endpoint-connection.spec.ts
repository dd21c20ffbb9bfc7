/** C4: one endpoint over time, state by state. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { parseEndpoint } from '../../../lib/client/endpoint.js';
import {
  EndpointConnection,
  type EndpointContext,
  type EndpointState,
} from '../../../lib/client/rpc/endpoint-connection.js';
import { CallHeaders } from '../../../lib/client/rpc/headers.js';
import { RANGE } from '../../../lib/client/rpc/methods.js';
import { linearizableProbe } from '../../../lib/client/rpc/probe.js';
import { GrpcCode, type TransportEvents } from '../../../lib/client/transport/transport.js';
import { FakeClock, settle } from '../../support/fake-clock.js';
import { FakeCluster, type FakeMember } from '../../support/fake-transport.js';
import { isProbe } from './rig.js';

const A = 'http://a:1';

let clock: FakeClock;
let member: FakeMember;
let connection: EndpointConnection;
let states: EndpointState[];
/** What the next random numbers are. */
let random: () => number;

beforeEach(() => {
  clock = new FakeClock();
  const cluster = new FakeCluster();
  member = cluster.member(A).on(RANGE, (call) => call.answer({}));
  states = [];
  random = () => 0.999_999;
  connection = make({ connect: cluster.connect });
});

afterEach(() => {
  connection.close();
  if (clock.pending().length > 0) throw new Error(`timers outlive the connection: ${clock.pending().join(', ')} ms`);
});

function make(context: Pick<EndpointContext, 'connect'>): EndpointConnection {
  return new EndpointConnection(parseEndpoint(A, 'endpoint'), {
    ...context,
    probe: linearizableProbe(new CallHeaders()),
    clock,
    random: () => random(),
    connectTimeoutMs: 2_000,
    maxReconnectDelayMs: 2_000,
    onState: (_, state) => states.push(state),
  });
}

function names(): string[] {
  return states.map(({ name }) => name);
}

/** Starts a read and gives its cancel function. */
function call(onUnserved: () => void = () => undefined): () => void {
  return connection.unary(RANGE.path, new Map(), Buffer.alloc(0), { onUnserved }, () => undefined);
}

async function ready(): Promise<void> {
  connection.wake();
  await settle();
  expect(connection.state.name).toBe('ready');
}

describe('an endpoint', () => {
  it('does nothing until it is woken', async () => {
    await clock.advance(60_000);

    expect(connection.state).toEqual({ name: 'idle' });
    expect(member.connects).toBe(0);
  });

  it('connects when it is woken, once', async () => {
    connection.wake();
    connection.wake();
    expect(connection.state).toEqual({ name: 'connecting', attempt: 1, lastFailure: undefined });
    expect(connection.failure).toEqual({ endpoint: A, reason: 'still connecting' });

    await settle();

    expect(names()).toEqual(['connecting', 'ready']);
    expect(connection.failure).toBeUndefined();
    expect(member.connects).toBe(1);
  });

  it('gives up an attempt that hangs, and makes a new transport for the next', async () => {
    member.onConnect = 'hang';
    connection.wake();

    await clock.advance(2_000);
    expect(connection.state).toMatchObject({
      name: 'backoff',
      attempt: 2,
      reason: 'no HTTP/2 connection within 2000 ms',
    });
    expect(member.closed).toBe(1);
    member.onConnect = 'accept';
    await clock.advance(200);

    expect(names()).toEqual(['connecting', 'backoff', 'connecting', 'ready']);
    expect(member.connects).toBe(2);
  });

  it('drops what a transport says that was given up', async () => {
    member.onConnect = 'hang';
    connection.wake();
    await clock.advance(2_000);

    member.acceptHanging();
    member.drop('late');
    await settle();

    expect(connection.state).toMatchObject({ name: 'backoff', reason: 'no HTTP/2 connection within 2000 ms' });
  });

  it('tries again with pauses that double up to the limit', async () => {
    member.onConnect = { refuses: 'connect ECONNREFUSED' };
    connection.wake();

    await clock.advance(20_000);

    const delays = states.flatMap((state) => (state.name === 'backoff' ? [state.delayMs] : []));
    expect(delays.slice(0, 8)).toEqual([200, 400, 800, 1_600, 2_000, 2_000, 2_000, 2_000]);
  });

  it('takes any share of the pause, so that a crowd does not come back at once', async () => {
    random = () => 0.25;
    member.onConnect = { refuses: 'connect ECONNREFUSED' };
    connection.wake();

    await clock.advance(0);

    expect(connection.state).toMatchObject({ name: 'backoff', delayMs: 50 });
  });

  it('says why the last attempt failed while the next is under way', async () => {
    member.onConnect = { refuses: 'connect ECONNREFUSED' };
    connection.wake();
    await settle();
    member.onConnect = 'hang';

    await clock.advance(200);

    expect(connection.state).toEqual({ name: 'connecting', attempt: 2, lastFailure: 'connect ECONNREFUSED' });
    expect(connection.failure).toEqual({ endpoint: A, reason: 'connect ECONNREFUSED' });
  });

  it('connects again after a connection that was up is lost, soon at first', async () => {
    await ready();

    member.drop('read ECONNRESET');
    await settle();
    expect(connection.state).toMatchObject({ name: 'backoff', attempt: 1, delayMs: 100, reason: 'read ECONNRESET' });
    await clock.advance(100);

    expect(connection.state.name).toBe('ready');
  });

  it('is misconfigured only when a second attempt in a row says so', async () => {
    member.onConnect = { refuses: 'certificate has expired', misconfigured: true };
    connection.wake();
    await settle();
    expect(connection.isMisconfigured).toBe(false);

    await clock.advance(200);

    expect(connection.isMisconfigured).toBe(true);
  });

  it('is not misconfigured by the loss of a connection that was up', async () => {
    member.onConnect = { refuses: 'connect ECONNREFUSED' };
    connection.wake();
    await clock.advance(1_000);
    member.onConnect = 'accept';
    await clock.advance(2_000);
    expect(connection.state.name).toBe('ready');

    member.drop('alert certificate expired', true);
    await settle();

    expect(connection.isMisconfigured).toBe(false);
  });

  const lives: readonly [EndpointState['name'], () => void][] = [
    ['idle', () => undefined],
    [
      'connecting',
      () => {
        member.onConnect = 'hang';
        connection.wake();
      },
    ],
    ['ready', () => connection.wake()],
    [
      'backoff',
      () => {
        member.onConnect = { refuses: 'no' };
        connection.wake();
      },
    ],
  ];

  it.each(lives)('C8: is closed for good when it is %s', async (name, bring) => {
    bring();
    await settle();
    expect(connection.state.name).toBe(name);

    connection.setAside('no leader');
    connection.close();
    connection.close();
    connection.wake();
    member.drop('late');
    await clock.advance(60_000);

    expect(connection.state).toEqual({ name: 'closed' });
    expect(names().filter((state) => state === 'closed')).toHaveLength(1);
    expect(clock.pending()).toEqual([]);
    expect(connection.failure).toBeUndefined();
  });

  it('never keeps the process alive by itself', async () => {
    member.onConnect = 'hang';
    connection.wake();
    await settle();
    expect(clock.pending('foreground')).toEqual([]);
    await clock.advance(2_000);
    expect(clock.pending('foreground')).toEqual([]);
    member.onConnect = 'accept';
    await clock.advance(2_000);

    call();
    member.freeze();
    call();
    await clock.advance(1_000);

    expect(clock.pending().length).toBeGreaterThan(0);
    expect(clock.pending('foreground')).toEqual([]);
  });

  it('cannot be called before it is connected', () => {
    expect(() => call()).toThrow('bug: a call on an endpoint that is idle');
    expect(clock.pending()).toEqual([]);
  });

  it('survives being closed by whoever is told of its state', async () => {
    const cluster = new FakeCluster();
    const closing: EndpointConnection = new EndpointConnection(parseEndpoint(A, 'endpoint'), {
      connect: cluster.connect,
      probe: linearizableProbe(new CallHeaders()),
      clock,
      random,
      connectTimeoutMs: 2_000,
      maxReconnectDelayMs: 2_000,
      onState: (_, { name }) => {
        if (name === 'connecting') closing.close();
      },
    });

    closing.wake();
    await settle();

    expect(closing.state.name).toBe('closed');
    expect(cluster.member(A).connects).toBe(0);
    expect(clock.pending()).toEqual([]);
  });

  it('hears a transport that was replaced no more, not even of its end', async () => {
    const heard: TransportEvents[] = [];
    const transports = new FakeCluster();
    connection = make({
      connect: (endpoint, events) => {
        heard.push(events);
        return transports.connect(endpoint, { onReady: () => undefined, onDown: () => undefined });
      },
    });
    connection.wake();
    heard[0]!.onReady();
    heard[0]!.onDown('gone', false);
    await clock.advance(100);
    heard[0]!.onReady();
    expect(connection.state.name).toBe('connecting');
    heard[1]!.onReady();
    expect(connection.state.name).toBe('ready');

    heard[0]!.onDown('gone again', true);
    heard[0]!.onReady();

    expect(connection.state.name).toBe('ready');
  });
});

describe('an endpoint that owes an answer', () => {
  it('is probed after a second of silence, and stays in use when it answers', async () => {
    await ready();
    member.on(RANGE, () => undefined);
    call();
    await clock.advance(999);
    expect(member.calls).toHaveLength(1);

    await clock.advance(1);
    expect(member.calls).toHaveLength(2);
    member.calls[1]!.answer({});
    await clock.advance(999);

    expect(names()).toEqual(['connecting', 'ready']);
    expect(member.calls).toHaveLength(2);
  });

  it('is probed again each second for as long as it owes it', async () => {
    await ready();
    member.on(RANGE, (asked) => {
      if (isProbe(asked)) asked.answer({});
    });
    call();

    await clock.advance(10_000);

    expect(member.calls).toHaveLength(11);
    expect(connection.state.name).toBe('ready');
  });

  it('is set aside when it does not answer the probe either, and tells those who wait', async () => {
    await ready();
    member.freeze();
    let told = 0;
    call(() => (told += 1));

    await clock.advance(1_699);
    expect([connection.state.name, told]).toEqual(['ready', 0]);
    await clock.advance(1);

    expect(connection.state).toEqual({ name: 'sick', reason: 'no answer for 1700 ms' });
    expect(told).toBe(1);
    expect(member.calls[1]!.state).toBe('cancelled');
  });

  it('is not set aside while bytes come in: the answer to the probe waits behind a large one on a slow line (C4)', async () => {
    await ready();
    member.freeze();
    let told = 0;
    call(() => (told += 1));

    for (let slice = 0; slice < 100; slice++) {
      await clock.advance(100);
      member.bytesSent += 40_000;
    }
    const whileItCame = [connection.state.name, told];
    await clock.advance(3_400);

    expect(whileItCame).toEqual(['ready', 0]);
    expect(connection.state.name).toBe('sick');
  });

  it('is set aside though the answers to pings come in', async () => {
    await ready();
    member.freeze();
    call();

    for (let slice = 0; slice < 17; slice++) {
      await clock.advance(100);
      member.bytesSent += 17;
    }

    expect(connection.state.name).toBe('sick');
  });

  it('is probed again with pauses that grow up to 2 s, one probe at a time', async () => {
    await ready();
    member.freeze();
    call();
    await clock.advance(30_000);

    const probedAt: number[] = [];
    member.on(RANGE, () => probedAt.push(clock.now()));
    member.thaw();
    probedAt.length = 0;
    await clock.advance(10_000);

    expect(probedAt.length).toBeGreaterThan(2);
    for (let index = 1; index < probedAt.length; index++) {
      expect(probedAt[index]! - probedAt[index - 1]!).toBe(2_700);
    }
  });

  it('starts with short pauses again after it was well', async () => {
    await ready();
    member.freeze();
    const cancel = call();
    await clock.advance(30_000);
    member.thaw();
    cancel();
    await clock.advance(3_000);
    expect(connection.state.name).toBe('ready');

    connection.setAside('no leader');
    const before = member.calls.length;
    await clock.advance(250);

    expect(member.calls.length).toBe(before + 1);
    expect(connection.state.name).toBe('ready');
  });

  it('counts the silence from its last answer to anyone', async () => {
    await ready();
    member.on(RANGE, () => undefined);
    call();
    await clock.advance(900);
    call();
    member.calls[1]!.answer({});
    await clock.advance(0);

    await clock.advance(999);
    expect(member.calls).toHaveLength(2);
    await clock.advance(1);

    expect(member.calls).toHaveLength(3);
  });

  it('still owes it when the caller has gone', async () => {
    await ready();
    member.freeze();
    const cancel = call();
    cancel();

    await clock.advance(1_700);

    expect(connection.state.name).toBe('sick');
  });

  it('is not probed twice at a time when it says meanwhile that it has no leader', async () => {
    await ready();
    member.on(RANGE, () => undefined);
    call();
    await clock.advance(1_000);
    random = () => 0;

    connection.setAside('NoLeader');
    await clock.advance(0);

    expect(member.calls).toHaveLength(2);
    member.calls[1]!.answer({});
    await clock.advance(0);
    expect(connection.state.name).toBe('ready');
  });

  it('that loses its connection meanwhile is not probed any more', async () => {
    await ready();
    member.freeze();
    call();
    await clock.advance(1_000);

    member.drop('read ETIMEDOUT');
    member.onConnect = 'hang';
    await clock.advance(1_900);

    expect(connection.state.name).toBe('connecting');
    expect(member.calls).toHaveLength(2);
  });
});

describe('an endpoint that is set aside', () => {
  it.each([
    ['answers', (): void => undefined, undefined],
    ['says no leader', 'etcdserver: no leader', 'NoLeader'],
    ['is a learner', 'etcdserver: rpc not supported for learner', 'NotSupportedForLearner'],
    ['is starting to stop', 'etcdserver: server stopped', 'Stopped'],
    ['has a corrupt store', 'etcdserver: corrupt cluster', 'Corrupt'],
    ['denies the permission', 'etcdserver: permission denied', undefined],
    ['wants another token', 'etcdserver: invalid auth token', undefined],
    ['wants a user', 'etcdserver: user name is empty', undefined],
    ['speaks of what nobody knows', 'tea break', 'tea break'],
  ])('by its word serves again or not, when the probe %s', async (_, text, reason) => {
    await ready();
    connection.setAside('no leader');
    member.on(RANGE, (probe) => {
      if (typeof text === 'string') probe.fail(text, GrpcCode.unknown);
      else probe.answer({});
    });

    await clock.advance(250);

    expect(connection.state).toEqual(reason === undefined ? { name: 'ready' } : { name: 'sick', reason });
  });

  it('is asked for a linearizable read that needs a leader', async () => {
    await ready();
    connection.setAside('no leader');

    await clock.advance(250);

    expect(member.calls[0]).toMatchObject({
      path: RANGE.path,
      headers: { hasleader: 'true' },
      request: { key: Buffer.from('health'), serializable: false, limit: 1, keysOnly: true },
    });
  });

  it('may still be called', async () => {
    await ready();
    connection.setAside('no leader');

    expect(connection.isConnected).toBe(true);
    call();
    expect(member.calls).toHaveLength(1);
  });

  it('is not set aside by a word about a connection that is not up', () => {
    connection.setAside('no leader');

    expect(connection.state.name).toBe('idle');
  });
});
