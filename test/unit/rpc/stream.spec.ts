/** One stream: what it hands over and when, and that it ends in every way it can end. */
import { afterEach, describe, expect, it } from '@jest/globals';
import { EtcdError } from '../../../lib/client/errors.js';
import type { WatchRequest, WatchResponse } from '../../../lib/client/rpc/generated/messages.js';
import { WATCH } from '../../../lib/client/rpc/methods.js';
import type { Duplex, RpcCallOptions } from '../../../lib/client/rpc/rpc.js';
import { GrpcCode } from '../../../lib/client/transport/transport.js';
import { settle } from '../../support/fake-clock.js';
import type { FakeTransportStream } from '../../support/fake-transport.js';
import { A, B, countingSignal, Rig, type RigOptions } from './rig.js';

let rig: Rig;

afterEach(() => rig.leaveNothing());

type WatchStream = Duplex<WatchRequest, WatchResponse>;

/** A stream that is not open yet, because its endpoint hangs. */
function opening(options?: RpcCallOptions): WatchStream {
  rig = new Rig({ endpoints: [A] });
  rig.member(A).onConnect = 'hang';
  return rig.calls.duplex(WATCH, options);
}

/** A stream that is open on A. */
async function open(options?: RpcCallOptions, rigOptions?: RigOptions): Promise<WatchStream> {
  rig = await new Rig({ endpoints: [A], ...rigOptions }).connected();
  const stream = rig.calls.duplex(WATCH, options);
  await settle();
  return stream;
}

function server(): FakeTransportStream {
  return rig.member(A).lastStream(WATCH);
}

/** Reads to the end: the watch IDs that came, then how it ended. */
async function readAll(stream: WatchStream): Promise<{ ids: number[]; error?: unknown }> {
  const ids: number[] = [];
  try {
    for await (const { watchId } of stream) ids.push(watchId);
    return { ids };
  } catch (error) {
    return { ids, error };
  }
}

/** What became of a promise by now. */
async function peek(promise: Promise<unknown>): Promise<unknown> {
  await settle();
  return Promise.race([promise.catch((error: unknown) => error), Promise.resolve('pending')]);
}

const message = (watchId: number): object => ({ watchId });
const messages = (count: number): object[] => Array.from({ length: count }, (_, index) => message(index + 1));
const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

describe('a stream', () => {
  it('hands over every message in the order it came, then ends', async () => {
    const stream = await open();
    server().deliver(...messages(100));
    server().finish();

    expect(await readAll(stream)).toEqual({ ids: upTo(100) });
  });

  it('hands over what came before an error, then throws it, typed', async () => {
    const stream = await open();
    server().deliver(...messages(3));
    server().finish('etcdserver: permission denied', GrpcCode.permissionDenied);

    const { ids, error } = await readAll(stream);

    expect(ids).toEqual([1, 2, 3]);
    expect(error).toMatchObject({ code: 'ETCD_PERMISSION_DENIED', method: 'Watch.Watch', endpoint: A, attempts: 1 });
    expect((error as EtcdError).outcome).toBeUndefined();
  });

  it('gives a message to a loop that waits for it', async () => {
    const stream = await open();
    const next = stream[Symbol.asyncIterator]().next();
    expect(await peek(next)).toBe('pending');

    server().deliver(message(7));

    expect(await next).toMatchObject({ done: false, value: { watchId: 7 } });
  });

  it('W4: reads 16 messages ahead of its loop at most, and leaves the rest in the connection', async () => {
    const stream = await open();
    server().deliver(...messages(50));
    await settle();
    expect(server().unread).toBe(34);

    const iterator = stream[Symbol.asyncIterator]();
    await iterator.next();
    await settle();
    expect(server().unread).toBe(33);

    server().finish();
    const { ids } = await readAll(stream);
    expect(ids).toEqual(upTo(50).slice(1));
  });

  it('sends requests in the order of the calls, those before it was open first', async () => {
    const stream = opening();
    stream.send({ cancelRequest: { watchId: 1 } });
    stream.send({ cancelRequest: { watchId: 2 } });
    await settle();
    rig.member(A).acceptHanging();
    await settle();

    stream.send({ cancelRequest: { watchId: 3 } });
    await settle();

    expect(server().requests).toMatchObject([1, 2, 3].map((watchId) => ({ cancelRequest: { watchId } })));
  });

  it('sends a request as it was when it was sent', async () => {
    const stream = opening();
    const request = { createRequest: { key: Buffer.from('a') } };
    stream.send(request);
    request.createRequest.key[0] = 0x62;

    await settle();
    rig.member(A).acceptHanging();
    await settle();

    expect(server().requests).toMatchObject([{ createRequest: { key: Buffer.from('a') } }]);
  });

  it('refuses a request that is none, and goes on', async () => {
    const stream = await open();

    expect(() => stream.send({ cancelRequest: { watchId: 1.5 } })).toThrow(EtcdError);
    stream.send({ cancelRequest: { watchId: 2 } });

    expect(server().requests).toHaveLength(1);
  });

  it.each([['before it is open'], ['once it is open']])('half-closes after what was sent, %s', async (when) => {
    const stream = when === 'before it is open' ? opening() : await open();
    stream.send({ cancelRequest: { watchId: 1 } });
    stream.halfClose();
    stream.halfClose();
    await settle();
    if (when === 'before it is open') rig.member(A).acceptHanging();
    await settle();

    expect(server().requests).toHaveLength(1);
    expect(server().isHalfClosed).toBe(true);
    server().deliver(message(1));
    server().finish();
    expect(await readAll(stream)).toEqual({ ids: [1] });
  });

  it('takes no request after the half-close', async () => {
    const stream = await open();
    stream.halfClose();

    expect(() => stream.send({})).toThrow('bug: Watch.Watch sends after its half-close');
  });

  it('knows its endpoint once it is open', async () => {
    const stream = opening();
    expect(stream.endpoint).toBeUndefined();

    await settle();
    rig.member(A).acceptHanging();
    await settle();

    expect(stream.endpoint).toBe(A);
  });

  it('answers one next() at a time, and does not hang a second one', async () => {
    const stream = await open();
    const iterator = stream[Symbol.asyncIterator]();
    const first = iterator.next();

    await expect(iterator.next()).rejects.toThrow('bug: next() before the last one was answered');

    server().deliver(message(1));
    expect(await first).toMatchObject({ value: { watchId: 1 } });
  });

  it('ends with EtcdProtocolError for bytes that are no message, and is cancelled on the server', async () => {
    const stream = await open();
    server().deliverBytes(Buffer.from([0x08, 0x80]));

    const { error } = await readAll(stream);

    expect(error).toMatchObject({ code: 'ETCD_PROTOCOL', method: 'Watch.Watch' });
    expect(server().state).toBe('cancelled');
  });

  it('is not opened again after its connection broke', async () => {
    const stream = await open();
    rig.member(A).drop('Connection dropped');

    const { error } = await readAll(stream);
    await rig.clock.advance(5_000);

    expect(error).toMatchObject({ code: 'ETCD_UNAVAILABLE', endpoint: A });
    expect(rig.member(A).streams).toHaveLength(1);
  });

  it('goes to one endpoint after the other, as streams are opened', async () => {
    rig = await new Rig({ endpoints: [A, B] }).connected();

    const streams = [rig.calls.duplex(WATCH), rig.calls.duplex(WATCH)];

    expect(streams.map(({ endpoint }) => endpoint)).toEqual([A, B]);
  });

  it('goes to the endpoint it is pinned to', async () => {
    rig = await new Rig({ endpoints: [A, B] }).connected();

    const streams = [rig.calls.duplex(WATCH, { endpoint: B }), rig.calls.duplex(WATCH, { endpoint: B })];

    expect(streams.map(({ endpoint }) => endpoint)).toEqual([B, B]);
  });

  it('sets a member aside that refuses it for want of a leader', async () => {
    const stream = await open();
    server().finish('etcdserver: no leader', GrpcCode.unavailable);

    await readAll(stream);

    expect(rig.stateOf(A)).toBe('sick');
  });

  it('asks for a leader when told to', async () => {
    await open({ requireLeader: true });

    expect(server().headers).toMatchObject({ hasleader: 'true', 'client-api-version': '3.7' });
  });
});

const STATES: readonly [string, (options?: RpcCallOptions) => Promise<WatchStream>][] = [
  ['that is not open yet', (options) => Promise.resolve(opening(options))],
  ['that is open', (options) => open(options)],
  ['that waits for a token', (options) => open(options, { auth: { token: () => new Promise(() => undefined) } })],
];

describe.each(STATES)('C1: a stream %s', (_, bring) => {
  it('ends without an error when it is closed', async () => {
    const stream = await bring({ timeoutMs: 60_000 });
    const end = readAll(stream);
    await settle();

    stream.close();

    expect(await end).toEqual({ ids: [] });
    expect(rig.calls.counters().inFlight).toBe(0);
    expect(rig.clock.pending('foreground')).toEqual([]);
  });

  it('ends with EtcdAbortedError when its signal aborts, and keeps no listener', async () => {
    const { controller, signal, listeners } = countingSignal();
    const end = readAll(await bring({ signal }));
    await settle();

    controller.abort('enough');

    expect((await end).error).toMatchObject({ code: 'ETCD_ABORTED', cause: 'enough', method: 'Watch.Watch' });
    expect(listeners()).toBe(0);
  });

  it('ends at its deadline, if it has one', async () => {
    const end = readAll(await bring({ timeoutMs: 1_500 }));
    await rig.clock.advance(1_500);

    expect((await end).error).toMatchObject({ code: 'ETCD_DEADLINE_EXCEEDED', timeoutMs: 1_500 });
    expect(rig.clock.pending('foreground')).toEqual([]);
  });

  it('has no deadline of its own', async () => {
    const end = readAll(await bring());
    await rig.clock.advance(4_000);

    expect(await peek(end)).toBe('pending');
  });

  it('C8: ends with EtcdClosedError when the client is closed', async () => {
    const end = readAll(await bring());
    await settle();

    rig.calls.close();

    expect((await end).error).toMatchObject({ code: 'ETCD_CLOSED', method: 'Watch.Watch' });
    expect(rig.calls.counters().inFlight).toBe(0);
  });

  it('takes and hands over nothing after its end', async () => {
    const stream = await bring();
    stream.close();
    stream.send({});
    stream.halfClose();
    stream.close();

    const iterator = stream[Symbol.asyncIterator]();
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
    expect(rig.member(A).streams.flatMap(({ requests }) => requests)).toEqual([]);
  });
});

describe('a stream that ends from this side', () => {
  it.each([
    ['close()', (stream: WatchStream) => stream.close(), undefined],
    ['close() of the client', () => rig.calls.close(), 'ETCD_CLOSED'],
  ])('drops what was read ahead: %s', async (_, end, code) => {
    const stream = await open();
    server().deliver(...messages(5));
    await settle();

    end(stream);
    const { ids, error } = await readAll(stream);

    expect(ids).toEqual([]);
    expect((error as EtcdError | undefined)?.code).toBe(code);
    expect(server().state).toBe('cancelled');
  });

  it('is cancelled on the server when its loop is left', async () => {
    const stream = await open();
    server().deliver(...messages(3));

    for await (const { watchId } of stream) {
      if (watchId === 2) break;
    }

    expect(server().state).toBe('cancelled');
    expect(rig.calls.counters().inFlight).toBe(0);
  });

  it('says where it stood at its deadline', async () => {
    const stream = opening({ timeoutMs: 100 });
    await rig.clock.advance(100);

    expect((await readAll(stream)).error).toMatchObject({
      waitingFor: 'waiting for a connection: http://a:1: still connecting',
      endpoints: [{ endpoint: A, reason: 'still connecting' }],
    });
  });

  it('says that it waited for a token when it did', async () => {
    const stream = await open({ timeoutMs: 100 }, { auth: { token: () => new Promise(() => undefined) } });
    await rig.clock.advance(100);

    expect((await readAll(stream)).error).toMatchObject({ waitingFor: 'waiting for a token' });
  });

  it('names the endpoint it is pinned to in its error, also one that is not of the list', async () => {
    rig = await new Rig({ endpoints: [A] }).connected();
    rig.member('http://x:1').onConnect = { refuses: 'connect EHOSTUNREACH' };
    const stream = rig.calls.duplex(WATCH, { endpoint: 'http://x:1', timeoutMs: 500 });

    await rig.clock.advance(500);

    expect((await readAll(stream)).error).toMatchObject({
      endpoints: [{ endpoint: 'http://x:1', reason: 'connect EHOSTUNREACH' }],
    });
  });

  it('does not open after it was closed while it waited for a token', async () => {
    let give: (token: string) => void = () => undefined;
    const token = (): Promise<string> => new Promise((resolve) => (give = resolve));
    const stream = await open({}, { auth: { token } });

    stream.close();
    give('jwt');
    await settle();

    expect(rig.member(A).streams).toEqual([]);
  });
});

describe('a stream that is told of one refusal among its answers', () => {
  it.each([
    ['rpc error: code = Unavailable desc = etcdserver: no leader', true],
    ['rpc not supported for learner', false],
    ['etcdserver: rpc not supported for learner', true],
    ['etcdserver: permission denied', false],
    ['etcdserver: mvcc: required revision has been compacted', false],
    ['mvcc: watcher range is empty', false],
  ])('goes on, and knows whether another stream may do better: %j, %p', async (text, mayDoBetter) => {
    const stream = await open();

    expect(stream.refused(text)).toBe(mayDoBetter);

    expect(server().state).toBe('open');
    expect(rig.stateOf(A)).toBe(mayDoBetter ? 'sick' : 'ready');
  });

  it('C5: makes the next stream get a new token when the token was refused', async () => {
    const tokens = ['jwt-1', 'jwt-2'];
    const stream = await open({}, { auth: { token: () => tokens.shift() ?? '' } });

    const mayDoBetter = stream.refused('rpc error: code = Unauthenticated desc = etcdserver: invalid auth token');
    rig.calls.duplex(WATCH);
    await settle();

    expect(mayDoBetter).toBe(true);
    expect(server().headers['token']).toBe('jwt-2');
  });

  it('expects nothing of another stream when there is no token to renew', async () => {
    const stream = await open();

    expect(stream.refused('etcdserver: user name is empty')).toBe(false);
    expect(stream.refused('etcdserver: revision of auth store is old')).toBe(true);
  });

  it('knows nothing any more once it has ended', async () => {
    const stream = await open();
    stream.close();

    expect(stream.refused('etcdserver: no leader')).toBe(false);
    expect(rig.stateOf(A)).toBe('ready');
  });
});

describe('a stream that is closed for its silence', () => {
  it('sets its endpoint aside until that answers a probe', async () => {
    const stream = await open();

    stream.close('no answer to a keep-alive');

    expect(rig.endpoints.status()[0]).toMatchObject({ state: 'sick', reason: 'no answer to a keep-alive' });
    await rig.clock.advance(250);
    expect(rig.stateOf(A)).toBe('ready');
  });
});

describe('a stream that cannot open', () => {
  it('does not begin when its signal has aborted already', async () => {
    const stream = opening({ signal: AbortSignal.abort('no') });

    expect((await readAll(stream)).error).toMatchObject({ code: 'ETCD_ABORTED', cause: 'no', attempts: 0 });
    expect(rig.calls.counters().inFlight).toBe(0);
  });

  it('C6: fails with each endpoint’s reason when no endpoint can ever be used', async () => {
    rig = new Rig({ endpoints: [A] });
    rig.member(A).onConnect = { refuses: 'certificate has expired', misconfigured: true };
    const end = readAll(rig.calls.duplex(WATCH));
    await rig.clock.advance(100);

    expect((await end).error).toMatchObject({
      code: 'ETCD_UNAVAILABLE',
      endpoints: [{ endpoint: A, reason: 'certificate has expired' }],
    });
  });

  it('opens as soon as an endpoint comes up', async () => {
    rig = new Rig({ endpoints: [A] });
    rig.member(A).onConnect = { refuses: 'connect ECONNREFUSED' };
    rig.calls.duplex(WATCH);
    await rig.clock.advance(3_000);
    expect(rig.member(A).streams).toEqual([]);

    rig.member(A).onConnect = 'accept';
    await rig.clock.advance(2_000);

    expect(server().state).toBe('open');
  });

  it.each([
    ['an endpoint that is none', { endpoint: 'nonsense' }, 'option endpoint must be host:port'],
    ['a timeout that is none', { timeoutMs: 0 }, 'argument timeoutMs must be an integer'],
  ])('refuses %s and leaves nothing behind', async (_, options, text) => {
    rig = await new Rig().connected();

    expect(() => rig.calls.duplex(WATCH, options)).toThrow(text);
    expect(rig.calls.counters().inFlight).toBe(0);
  });

  it('C8: is refused by a closed client', async () => {
    rig = await new Rig().connected();
    rig.calls.close();

    expect(() => rig.calls.duplex(WATCH)).toThrow('Watch.Watch: the client is closed');
  });
});
