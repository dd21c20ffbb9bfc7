/** W4, C8: streams over node:http2: what is sent arrives in order, what nobody reads is held back, what ends is told once. */
import { describe, expect, it } from '@jest/globals';
import { connect } from 'node:http2';
import { Http2Call, type CallConnection } from '../../../lib/client/transport/http2/http2-call.js';
import { GrpcCode } from '../../../lib/client/transport/transport.js';
import { eventually } from '../../support/eventually.js';
import { settle } from '../../support/fake-clock.js';
import { inFrame, startPeer } from './scripted-peer.js';
import { Line } from './http2-rig.js';

const OK = { 'grpc-status': '0' };
const STATUS_OK = { code: GrpcCode.ok, details: '' };
const CANCEL = 8;
const MIB = 1024 * 1024;

describe('What a stream sends', () => {
  it('arrives in order, though the stream is not open yet', async () => {
    await using peer = await startPeer();
    await using line = await Line.open(peer.endpoint);

    line.stream().send('a').send('b').send('c').halfClose();

    const call = await peer.call(1);
    await eventually(() => call.isHalfClosed, { everyMs: 2 });
    expect(call.messages).toEqual(['a', 'b', 'c']);
  });

  it('after the server has ended the call is dropped, and the rest of the answer can still be read', async () => {
    await using peer = await startPeer((call) =>
      call.headers().data(inFrame('one')).data(inFrame('two')).data(inFrame('three')).trailers(OK).reset(0),
    );
    await using line = await Line.open(peer.endpoint);
    const stream = line.stream().send('question').read();
    await peer.call(1);
    await line.call().answer; // by then all that was said on the stream has arrived

    stream.send('too late').read(3);

    expect(await stream.status()).toEqual(STATUS_OK);
    expect(stream.messages).toEqual(['one', 'two', 'three']);
  });
});

describe('A stream', () => {
  it('hands out one message for each time it is asked, and its status after the last', async () => {
    await using peer = await startPeer((call) => {
      const messages = ['1', '2', '3', '4'].map((message) => inFrame(message));
      call.headers().data(Buffer.concat(messages)).trailers(OK);
    });
    await using line = await Line.open(peer.endpoint);
    const stream = line.stream();

    stream.read();
    await stream.received(1);
    await settle();
    const afterOne = [...stream.messages];
    stream.read(2);
    await stream.received(3);
    const statusesBefore = [...stream.statuses];
    stream.read();

    expect(afterOne).toEqual(['1']);
    expect(await stream.status()).toEqual(STATUS_OK);
    expect(statusesBefore).toEqual([]);
    expect(stream.messages).toEqual(['1', '2', '3', '4']);
  });

  it('may be asked for more by the one that is handed a message, as often as there are messages', async () => {
    const count = 20_000;
    await using peer = await startPeer((call) =>
      call
        .headers()
        .data(Buffer.concat(Array.from({ length: count }, () => inFrame(''))))
        .trailers(OK),
    );
    await using line = await Line.open(peer.endpoint);
    let received = 0;

    const status = await new Promise((resolve) => {
      const stream = line.transport.duplex('/a/b', new Map(), {
        onMessage: () => {
          received += 1;
          stream.read();
        },
        onStatus: resolve,
      });
      stream.read();
    });

    expect(status).toEqual(STATUS_OK);
    expect(received).toBe(count);
  });

  it('that nobody reads holds the server back, and goes on where it stood (W4)', async () => {
    const messages = Array.from({ length: 40 }, (_, number) => String(number).padEnd(100_000, '.'));
    await using peer = await startPeer((call) =>
      call.headers().data(Buffer.concat(messages.map((message) => inFrame(message)))),
    );
    await using line = await Line.open(peer.endpoint);
    const stream = line.stream().read();
    await stream.received(1);

    // A second call that is answered shows that the connection itself is read on.
    const other = line.call();
    (await peer.call(2)).answer('meanwhile');
    await other.answer;
    const [call] = peer.calls;
    const heldBack = call!.heldBackBytes;
    stream.read(messages.length - 1);
    await stream.received(messages.length);

    expect(heldBack).toBeGreaterThanOrEqual(messages.length * 100_005 - 2 * MIB);
    expect(stream.messages).toEqual(messages);
  });

  it('that is left with messages unread, after the server has ended it, holds nothing any more', async () => {
    const messages = Array.from({ length: 20 }, () => inFrame('x'.repeat(1_000)));
    await using peer = await startPeer((call) => call.headers().data(Buffer.concat(messages)).trailers(OK).reset(0));
    const session = connect(peer.endpoint);
    const stream = session.request({ ':method': 'POST', ':path': '/a/b' }, { endStream: false });
    const distrusted: string[] = [];
    const connection: CallConnection = {
      mostBytes: MIB,
      isGone: () => session.destroyed,
      callEnded: () => undefined,
      distrust: (reason) => distrusted.push(reason),
    };
    const call = new Http2Call(stream, connection, { onMessage: () => undefined, onStatus: () => undefined });
    call.read();
    call.halfClose();
    await eventually(() => stream.isPaused() && stream.closed, { everyMs: 2 });

    call.cancel();

    await eventually(() => stream.destroyed, { everyMs: 2 });
    expect(distrusted).toEqual([]);
    session.destroy();
  });

  it('that the server half closes without a status, and leaves at that, ends all the same (C1)', async () => {
    await using peer = await startPeer((call) => call.headers().data(inFrame('one')).end());
    await using line = await Line.open(peer.endpoint);

    const stream = line.stream().send('question').read(2);

    expect(await stream.status()).toMatchObject({ code: GrpcCode.unavailable, cut: 'broken' });
    expect(stream.messages).toEqual(['one']);
  });

  it('that is answered before it has sent everything is ended on the server too', async () => {
    await using peer = await startPeer((call) => call.headers().trailers({ 'grpc-status': '7' }));
    await using line = await Line.open(peer.endpoint);

    const stream = line.stream().send('question').read();

    expect((await stream.status()).code).toBe(GrpcCode.permissionDenied);
    const [call] = peer.calls;
    // By which frame is node:http2's choice.
    await eventually(() => call!.isHalfClosed || call!.resetCode !== undefined, { everyMs: 2 });
  });

  it('whose connection is cut hands out what has arrived before it says so', async () => {
    await using peer = await startPeer((call) => call.headers().data(Buffer.concat([inFrame('1'), inFrame('2')])));
    await using line = await Line.open(peer.endpoint);
    const stream = line.stream().read();
    await stream.received(1);

    peer.connection.cut();
    await line.event(2);
    const statusesBefore = [...stream.statuses];
    stream.read(2);

    expect(statusesBefore).toEqual([]);
    expect((await stream.status()).cut).toBe('broken');
    expect(stream.messages).toEqual(['1', '2']);
    expect(stream.statuses).toHaveLength(1);
  });
});

describe('A call that is given up', () => {
  it('is cancelled on the server, and nothing more is told of it (C1)', async () => {
    await using peer = await startPeer();
    await using line = await Line.open(peer.endpoint);
    const { answer, cancel } = line.call();
    const told = settled(answer);
    const call = await peer.call(1);

    cancel();

    expect(await call.wasReset()).toBe(CANCEL);
    const next = line.call();
    (await peer.call(2)).answer('next');
    await next.answer;
    expect(told.isSet).toBe(false);
  });

  it('from within its own message hears no more of it', async () => {
    await using peer = await startPeer((call) => call.headers().data(Buffer.concat([inFrame('1'), inFrame('2')])));
    await using line = await Line.open(peer.endpoint);
    const told: string[] = [];

    const stream = line.transport.duplex('/a/b', new Map(), {
      onMessage: (message) => {
        told.push(Buffer.from(message).toString());
        stream.cancel();
      },
      onStatus: () => told.push('status'),
    });
    stream.read();
    stream.read();

    expect(await (await peer.call(1)).wasReset()).toBe(CANCEL);
    await settle();
    expect(told).toEqual(['1']);
  });
});

/** Set when the promise settles. */
function settled(promise: Promise<unknown>): { readonly isSet: boolean } {
  const flag = { isSet: false };
  void promise.then(() => (flag.isSet = true));
  return flag;
}
