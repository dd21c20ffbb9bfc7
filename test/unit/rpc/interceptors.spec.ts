/** Interceptors: what they see, in which order, and that one that misbehaves hurts its own call only. */
import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, describe, expect, it } from '@jest/globals';
import { DIAGNOSTICS } from '../../../lib/client/rpc/diagnostics.js';
import type { EtcdCall, EtcdInterceptor, EtcdStreamObserver } from '../../../lib/client/rpc/interceptor.js';
import { AUTHENTICATE, PUT, RANGE, USER_ADD, WATCH } from '../../../lib/client/rpc/methods.js';
import { GrpcCode } from '../../../lib/client/transport/transport.js';
import { settle } from '../../support/fake-clock.js';
import { A, B, Outcome, Rig, type RigOptions } from './rig.js';

let rig: Rig;

afterEach(() => rig.leaveNothing());

async function rigWith(interceptors: readonly EtcdInterceptor[], options: RigOptions = {}): Promise<Rig> {
  rig = await new Rig({ interceptors, ...options }).connected();
  return rig;
}

/** Notes what it sees under its name. */
function noting(name: string, seen: string[]): EtcdInterceptor {
  return {
    async unary(call, next) {
      seen.push(`${name} > ${call.method.label}`);
      try {
        return await next();
      } finally {
        seen.push(`${name} < ${call.method.label}`);
      }
    },
    attempt(_call, { number, endpoint }) {
      seen.push(`${name} try ${number} at ${endpoint}`);
      return (error) => seen.push(`${name} end ${number}: ${error?.code ?? 'ok'}`);
    },
  };
}

describe('interceptors of a unary call', () => {
  it('stand around it, the first outermost', async () => {
    const seen: string[] = [];
    await rigWith([noting('first', seen), noting('second', seen)]);

    rig.read();
    await settle();

    expect(seen).toEqual([
      'first > KV.Range',
      'second > KV.Range',
      `first try 1 at ${A}`,
      `second try 1 at ${A}`,
      'first end 1: ok',
      'second end 1: ok',
      'second < KV.Range',
      'first < KV.Range',
    ]);
  });

  it('see each attempt with its number, its endpoint and its own error', async () => {
    const seen: string[] = [];
    await rigWith([noting('i', seen)]);
    rig.member(A).on(RANGE, (call) => call.fail('etcdserver: leader changed', GrpcCode.unavailable));

    rig.read();
    await settle();

    expect(seen).toEqual([
      'i > KV.Range',
      `i try 1 at ${A}`,
      'i end 1: ETCD_LEADER_CHANGED',
      `i try 2 at ${B}`,
      'i end 2: ok',
      'i < KV.Range',
    ]);
  });

  it.each([
    ['its deadline', 5_000, 'ETCD_DEADLINE_EXCEEDED'],
    ['the close of the client', 0, 'ETCD_CLOSED'],
  ])('see the end of an attempt that is ended by %s, once', async (_, afterMs, code) => {
    const seen: string[] = [];
    await rigWith([noting('i', seen)], { endpoints: [A] });
    rig.member(A).freeze();
    rig.write();
    await settle();

    await rig.clock.advance(afterMs);
    rig.calls.close();

    expect(seen.filter((line) => line.includes('end'))).toEqual([`i end 1: ${code}`]);
  });

  it('see a read that is moved away from a silent member as two attempts', async () => {
    const seen: string[] = [];
    await rigWith([noting('i', seen)]);
    rig.member(A).freeze();

    rig.read();
    await rig.clock.advance(2_000);

    expect(seen.slice(1, -1)).toEqual([
      `i try 1 at ${A}`,
      'i end 1: ETCD_UNAVAILABLE',
      `i try 2 at ${B}`,
      'i end 2: ok',
    ]);
  });

  it('add metadata that is sent with every attempt', async () => {
    const tracing: EtcdInterceptor = {
      unary(call, next) {
        call.metadata.set('traceparent', '00-abc');
        return next();
      },
    };
    await rigWith([tracing]);
    rig.member(A).on(RANGE, (call) => call.fail('etcdserver: leader changed', GrpcCode.unavailable));

    rig.read();
    await settle();

    expect(rig.arrived().map(({ headers }) => headers['traceparent'])).toEqual(['00-abc', '00-abc']);
  });

  it('do not displace the headers of the client, nor invent a token where there is none', async () => {
    const meddling: EtcdInterceptor = {
      unary(call, next) {
        for (const name of ['token', 'hasleader', 'client-api-version']) call.metadata.set(name, 'mine');
        return next();
      },
    };
    await rigWith([meddling], { endpoints: [A] });

    rig.read();
    await settle();

    expect(rig.arrived()[0]!.headers).toEqual({ 'client-api-version': '3.7' });
  });

  it.each([
    ['Upper-Case', 'x'],
    ['with space', 'x'],
    ['binary-bin', 'x'],
    ['', 'x'],
    ['good', 'line\nbreak'],
    ['good', 'ümlaut'],
  ])('fail their call, and nothing else, by metadata that cannot be sent: %j', async (name, value) => {
    let isBad = true;
    const bad: EtcdInterceptor = {
      unary(call, next) {
        if (isBad) call.metadata.set(name, value);
        return next();
      },
    };
    await rigWith([bad]);

    const refused = rig.write();
    await settle();
    isBad = false;
    const fine = rig.write();
    await settle();

    expect(refused.error).toMatchObject({ code: 'ETCD_INVALID_ARGUMENT', outcome: 'not-applied' });
    expect(refused.error.message).not.toContain('line');
    expect(fine.state).toBe('answered');
    expect(rig.calls.counters().inFlight).toBe(0);
    expect(rig.clock.pending('foreground')).toEqual([]);
  });

  it('may answer in place of the server', async () => {
    await rigWith([{ unary: () => Promise.resolve({ kvs: [] }) }]);

    expect(await rig.calls.unary(RANGE, {})).toEqual({ kvs: [] });
    expect(rig.arrived()).toEqual([]);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('no');
      },
    ],
    ['rejects', () => Promise.reject(new Error('no'))],
  ])('fail their call when one %s before next()', async (_, unary) => {
    await rigWith([noting('outer', []), { unary }]);

    const write = rig.write();
    await settle();

    expect(write.thrown).toMatchObject({ message: 'no' });
    expect(rig.arrived()).toEqual([]);
  });

  it('let an outer one catch what an inner one throws', async () => {
    const forgiving: EtcdInterceptor = { unary: (_call, next) => next().catch(() => ({ count: 7 })) };
    await rigWith([
      forgiving,
      {
        unary: () => {
          throw new Error('no');
        },
      },
    ]);

    expect(await rig.calls.unary(RANGE, {})).toEqual({ count: 7 });
  });

  it('are told when they forget to return the answer', async () => {
    const forgetful: EtcdInterceptor = {
      async unary(_call, next) {
        await next();
      },
    };
    await rigWith([forgetful]);

    const message = 'an interceptor of KV.Range returned undefined instead of what next() resolves to';
    await expect(rig.calls.unary(RANGE, {})).rejects.toThrow(message);
  });

  it('C2: cannot send a write twice by calling next() twice', async () => {
    const greedy: EtcdInterceptor = {
      async unary(_call, next) {
        await next();
        return next();
      },
    };
    await rigWith([greedy]);

    const write = rig.write();
    await settle();

    expect(write.thrown).toMatchObject({ message: 'an interceptor called next() twice' });
    expect(rig.arrived()).toHaveLength(1);
  });

  it('C8: cannot start a call once the client is closed', async () => {
    let goOn: () => void = () => undefined;
    const slow: EtcdInterceptor = {
      async unary(_call, next) {
        await new Promise<void>((resolve) => (goOn = resolve));
        return next();
      },
    };
    await rigWith([slow]);
    const write = rig.write();
    await settle();

    rig.calls.close();
    goOn();
    await settle();

    expect(write.error).toMatchObject({ code: 'ETCD_CLOSED', outcome: 'not-applied' });
    expect(rig.arrived()).toEqual([]);
  });

  it('fail their call when one throws as an attempt begins', async () => {
    await rigWith([
      {
        attempt: () => {
          throw new Error('no');
        },
      },
    ]);

    const write = rig.write();
    await settle();

    expect(write.thrown).toMatchObject({ message: 'no' });
    expect(rig.arrived()).toEqual([]);
    expect(rig.calls.counters().inFlight).toBe(0);
    expect(rig.clock.pending('foreground')).toEqual([]);
  });

  it.each([
    ['is answered', () => rig.member(A).thaw(), 'no'],
    ['is refused', () => rig.member(A).calls[0]!.fail('etcdserver: permission denied', 7), 'no'],
    ['is worth another', () => rig.member(A).calls[0]!.fail('etcdserver: no leader', 14), 'no'],
    ['is ended by the close of the client', () => rig.calls.close(), 'no'],
  ])('fail their call when one throws as an attempt %s, and nothing hangs', async (_, end, text) => {
    await rigWith(
      [
        {
          attempt: () => () => {
            throw new Error('no');
          },
        },
      ],
      { endpoints: [A] },
    );
    rig.member(A).freeze();
    const write = rig.write();
    await settle();

    end();
    await settle();

    expect(write.thrown).toMatchObject({ message: text });
    expect(rig.calls.counters().inFlight).toBe(0);
    expect(rig.clock.pending('foreground')).toEqual([]);
  });

  it('may abort or close from within, at any point', async () => {
    const controller = new AbortController();
    const aborting: EtcdInterceptor = {
      attempt: () => {
        controller.abort();
        return () => rig.calls.close();
      },
    };
    await rigWith([aborting]);

    const aborted = rig.write({ signal: controller.signal });
    await settle();
    const closed = rig.read({ signal: new AbortController().signal });
    await settle();

    expect(aborted.error).toMatchObject({ code: 'ETCD_ABORTED', outcome: 'not-applied' });
    expect(closed.state).toBe('answered');
    expect(rig.arrived().map(({ path }) => path)).toEqual([RANGE.path]);
  });

  it('C5: see no password', async () => {
    const requests: [string, unknown][] = [];
    const curious: EtcdInterceptor = {
      unary(call, next) {
        requests.push([call.method.name, call.request]);
        return next();
      },
    };
    await rigWith([curious], { auth: { username: 'alice', password: 'sesame' } });
    rig.cluster.on(AUTHENTICATE, (call) => call.answer({ token: 't' }));
    rig.cluster.on(USER_ADD, (call) => call.answer({}));

    rig.read();
    new Outcome(rig.calls.unary(USER_ADD, { name: 'bob', password: 'open' }));
    await settle();

    expect(requests).toEqual([
      ['Range', { key: Buffer.from('k') }],
      ['Authenticate', undefined],
      ['UserAdd', undefined],
    ]);
  });

  it('see the name of the client', async () => {
    const names: string[] = [];
    await rigWith([{ unary: (call, next) => (names.push(call.client), next()) }], { name: 'audit' });

    rig.read();
    await settle();

    expect(names).toEqual(['audit']);
  });
});

describe('interceptors of a stream', () => {
  function observing(seen: string[], name = 'i'): EtcdInterceptor {
    return {
      stream: (call): EtcdStreamObserver => {
        seen.push(`${name} open ${call.method.label}`);
        return {
          sent: () => seen.push(`${name} sent`),
          received: () => seen.push(`${name} received`),
          ended: (error) => seen.push(`${name} ended: ${error?.code ?? 'ok'}`),
        };
      },
    };
  }

  it('are told of each message and of the end, once', async () => {
    const seen: string[] = [];
    await rigWith([observing(seen, 'a'), { unary: (_call, next) => next() }, observing(seen, 'b')], { endpoints: [A] });
    const stream = rig.calls.duplex(WATCH);
    stream.send({});
    rig.member(A).lastStream(WATCH).deliver({}, {});
    await settle();

    stream.close();
    stream.close();

    expect(seen.filter((line) => line.startsWith('a'))).toEqual([
      'a open Watch.Watch',
      'a sent',
      'a received',
      'a received',
      'a ended: ok',
    ]);
    expect(seen.filter((line) => line.startsWith('b'))).toHaveLength(5);
  });

  it('are told of the error it ended with', async () => {
    const seen: string[] = [];
    await rigWith([observing(seen)], { endpoints: [A] });
    const stream = rig.calls.duplex(WATCH);
    rig.member(A).lastStream(WATCH).finish('etcdserver: no leader', GrpcCode.unavailable);

    await stream[Symbol.asyncIterator]()
      .next()
      .catch(() => undefined);

    expect(seen).toEqual(['i open Watch.Watch', 'i ended: ETCD_NO_LEADER']);
  });

  it('add metadata that is sent as it opens', async () => {
    const tracing: EtcdInterceptor = {
      stream: (call: EtcdCall) => void call.metadata.set('traceparent', '00-abc'),
    };
    await rigWith([tracing], { endpoints: [A] });

    rig.calls.duplex(WATCH);
    await settle();

    expect(rig.member(A).lastStream(WATCH).headers['traceparent']).toBe('00-abc');
  });

  it('fail it by metadata that cannot be sent, and the calls that waited beside it go on', async () => {
    const bad: EtcdInterceptor = { stream: (call) => void call.metadata.set('Bad Name', 'x') };
    rig = new Rig({ endpoints: [A], interceptors: [bad] });
    rig.member(A).onConnect = 'hang';
    const before = rig.read();
    const stream = rig.calls.duplex(WATCH);
    const after = rig.read();
    const end = stream[Symbol.asyncIterator]()
      .next()
      .catch((error: unknown) => error);
    await settle();

    rig.member(A).acceptHanging();
    await settle();

    expect(await end).toMatchObject({ code: 'ETCD_INVALID_ARGUMENT' });
    expect([before.state, after.state]).toEqual(['answered', 'answered']);
  });

  it('that throw when it opens refuse it, and leave nothing behind', async () => {
    await rigWith([
      {
        stream: () => {
          throw new Error('no');
        },
      },
    ]);

    expect(() => rig.calls.duplex(WATCH)).toThrow('no');
    expect(rig.calls.counters().inFlight).toBe(0);
  });

  it.each(['sent', 'received', 'ended'] as const)(
    'that throw when they are told %s fail their stream only',
    async (event) => {
      const throwing: EtcdInterceptor = {
        stream: () => ({
          [event]: () => {
            throw new Error('no');
          },
        }),
      };
      await rigWith([throwing], { endpoints: [A] });
      const stream = rig.calls.duplex(WATCH);
      const end = stream[Symbol.asyncIterator]()
        .next()
        .catch((error: unknown) => error);

      if (event === 'sent') stream.send({});
      if (event === 'received') rig.member(A).lastStream(WATCH).deliver({});
      if (event === 'ended') stream.close();

      expect(await end).toMatchObject({ message: 'no' });
      expect(rig.calls.counters().inFlight).toBe(0);
      const read = rig.read();
      await settle();
      expect(read.state).toBe('answered');
    },
  );

  it('that throw when the client closes do not keep others from being closed', async () => {
    const throwing: EtcdInterceptor = {
      stream: () => ({
        ended: () => {
          throw new Error('no');
        },
      }),
    };
    await rigWith([throwing], { endpoints: [A] });
    rig.member(A).freeze();
    const ends = [1, 2].map(() =>
      rig.calls
        .duplex(WATCH)
        [Symbol.asyncIterator]()
        .next()
        .catch((error: unknown) => (error as Error).message),
    );
    const read = rig.read();

    rig.calls.close();
    await settle();

    expect(await Promise.all(ends)).toEqual(['no', 'no']);
    expect(read.error.code).toBe('ETCD_CLOSED');
  });
});

describe('node:diagnostics_channel', () => {
  const heard: [string, unknown][] = [];
  const listen = (message: unknown, name: string | symbol): void => void heard.push([String(name), message]);

  afterEach(() => {
    for (const name of Object.values(DIAGNOSTICS)) unsubscribe(name, listen);
    heard.length = 0;
  });

  it('tells of calls, attempts and streams while somebody listens', async () => {
    for (const name of Object.values(DIAGNOSTICS)) subscribe(name, listen);
    await rigWith([], { endpoints: [A] });
    rig.member(A).on(PUT, (call) => call.fail('etcdserver: permission denied', GrpcCode.permissionDenied));

    rig.write();
    await settle();
    rig.calls.duplex(WATCH).close();

    expect(heard.map(([name]) => name)).toEqual([
      DIAGNOSTICS.callStart,
      DIAGNOSTICS.callAttempt,
      DIAGNOSTICS.callEnd,
      DIAGNOSTICS.streamStart,
      DIAGNOSTICS.streamEnd,
    ]);
    expect(heard[2]![1]).toMatchObject({ call: { client: 'default' }, error: { code: 'ETCD_PERMISSION_DENIED' } });
  });

  it('has nothing to do while nobody listens', async () => {
    await rigWith([], { endpoints: [A] });

    rig.read();
    await settle();

    expect(channel(DIAGNOSTICS.callEnd).hasSubscribers).toBe(false);
    expect(heard).toEqual([]);
  });
});
