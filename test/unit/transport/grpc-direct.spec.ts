/** The short way past the layers of grpc-js, over a connection that is played. */
import { describe, expect, it } from '@jest/globals';
import { Metadata, status as grpcStatus, type Channel } from '@grpc/grpc-js';
import { EtcdUnavailableError } from '../../../lib/client/errors.js';
import { DirectCalls, type GrpcListener } from '../../../lib/client/transport/grpc-js/grpc-direct.js';
import { PUT } from '../../../lib/client/rpc/methods.js';
import { readFailure } from '../../../lib/client/rpc/status.js';
import type { RpcStatus } from '../../../lib/client/transport/transport.js';

/** A connection as grpc-js has it, with a diary. */
class PlayedConnection {
  readonly diary: unknown[][] = [];
  listener: GrpcListener | undefined;
  failure: Error | undefined;

  createCall(metadata: Metadata, host: string, path: string, listener: GrpcListener, callId: number) {
    if (this.failure !== undefined) throw this.failure;
    this.diary.push(['create', metadata.getMap(), host, path, typeof callId]);
    this.listener = listener;
    return {
      sendMessageWithContext: (_: object, message: Buffer) => this.diary.push(['send', message.toString('hex')]),
      startRead: () => this.diary.push(['read']),
      halfClose: () => this.diary.push(['half-close']),
      cancelWithStatus: (code: grpcStatus) => this.diary.push(['cancel', code]),
    };
  }
}

function channelOver(subchannel: unknown, onCallStart?: () => void): Channel {
  const doPick = () => ({ subchannel: { getRealSubchannel: () => subchannel } });
  return { internalChannel: { doPick, onCallStart: onCallStart ?? (() => undefined) } } as unknown as Channel;
}

/** Starts a call and keeps what it is told. */
function started(direct: DirectCalls) {
  const messages: string[] = [];
  const statuses: RpcStatus[] = [];
  const metadata = new Metadata();
  metadata.set('token', 't');
  const call = direct.start('/s/M', metadata, {
    onReceiveMetadata: () => undefined,
    onReceiveMessage: (message) => messages.push(Buffer.from(message ?? []).toString('hex')),
    onReceiveStatus: (status) => statuses.push(status),
  });
  return { call, messages, statuses };
}

describe('A call by the short way', () => {
  it('puts its message into a frame, and takes the answer out of one', () => {
    const connection = new PlayedConnection();
    const { call, messages, statuses } = started(DirectCalls.over(channelOver(connection), 'etcd:2379')!);

    call.sendMessageWithContext({}, Buffer.from('0a0161', 'hex'));
    call.halfClose();
    call.startRead();
    connection.listener!.onReceiveMessage(Buffer.from('0000000002beef', 'hex'));
    connection.listener!.onReceiveStatus({ code: 0, details: '' });

    expect(connection.diary).toEqual([
      ['create', { token: 't' }, 'etcd:2379', '/s/M', 'number'],
      ['send', '00000000030a0161'],
      ['half-close'],
      ['read'],
    ]);
    expect([messages, statuses]).toEqual([['beef'], [{ code: 0, details: '' }]]);
  });

  it('carries messages of no bytes, both ways', () => {
    const connection = new PlayedConnection();
    const { call, messages } = started(DirectCalls.over(channelOver(connection), 'a')!);

    call.sendMessageWithContext({}, Buffer.alloc(0));
    connection.listener!.onReceiveMessage(Buffer.alloc(5));

    expect([connection.diary[1], messages]).toEqual([['send', '0000000000'], ['']]);
  });

  it('does not take a compressed message for one, since it offered no compression', () => {
    const connection = new PlayedConnection();
    const { messages } = started(DirectCalls.over(channelOver(connection), 'a')!);

    connection.listener!.onReceiveMessage(Buffer.from('0100000002beef', 'hex'));

    expect([messages, connection.diary[1]]).toEqual([[], ['cancel', grpcStatus.INTERNAL]]);
  });

  it('that cannot be started ends, later, with a status that proves that nothing was sent (C2)', async () => {
    const connection = new PlayedConnection();
    connection.failure = new Error('the session is gone');

    const { call, statuses } = started(DirectCalls.over(channelOver(connection), 'a')!);
    call.sendMessageWithContext({}, Buffer.alloc(0));
    call.halfClose();
    call.startRead();
    expect(statuses).toEqual([]);
    await Promise.resolve();

    expect(statuses).toHaveLength(1);
    const failure = readFailure(PUT, statuses[0]!);
    expect(failure.fate).toBe('unsent');
    expect(failure.toError({})).toBeInstanceOf(EtcdUnavailableError);
    expect(failure.toError({}).message).toContain('the session is gone');
  });
});

describe('The short way', () => {
  it('lets the channel believe in a call, since one that counts none hangs up after a day', () => {
    let calls = 0;

    DirectCalls.over(
      channelOver(new PlayedConnection(), () => (calls += 1)),
      'a',
    );

    expect(calls).toBe(1);
  });

  it.each([
    ['has no such member', {}],
    ['picks nothing', { internalChannel: { doPick: () => ({ subchannel: null }) } }],
    ['fails to pick', { internalChannel: { doPick: () => Promise.reject(new Error('later')).catch(() => undefined) } }],
    ['starts calls with other parameters', channelOver({ createCall: (one: unknown, two: unknown) => [one, two] })],
    ['starts calls in another way', channelOver({ newCall: () => undefined })],
  ])('is not there when grpc-js %s', (_, channel) => {
    expect(DirectCalls.over(channel as unknown as Channel, 'a')).toBeUndefined();
  });
});
