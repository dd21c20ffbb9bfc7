/** C1, C2, C8: a connection over node:http2 from its first byte to its end: GOAWAY, silence, and what is left over. */
import { describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { GrpcCode } from '../../../lib/client/transport/transport.js';
import { eventually } from '../../support/eventually.js';
import { Line } from './http2-rig.js';
import { inFrame, startPeer } from './scripted-peer.js';

const STATUS_OK = { code: GrpcCode.ok, details: '' };

describe('A server that goes away', () => {
  it('ends the calls it has not begun as unsent, and answers the others (C2)', async () => {
    await using peer = await startPeer();
    await using line = await Line.open(peer.endpoint);
    const begun = line.call('begun');
    const behind = line.call('behind');
    await peer.call(2);

    peer.connection.goAway(1);
    const refused = await behind.answer;
    peer.calls[0]!.answer('done');

    expect(refused.status).toMatchObject({ code: GrpcCode.unavailable, cut: 'unsent' });
    expect(await begun.answer).toEqual({ status: STATUS_OK, message: 'done' });
    expect(line.events).toEqual(['ready', 'down: the endpoint closes the connection (GOAWAY, code 0)']);
    await peer.connection.gone();
  });

  it('is asked nothing more: a call that comes later ends as unsent, after it was started (C2)', async () => {
    await using peer = await startPeer();
    await using line = await Line.open(peer.endpoint);
    peer.connection.goAway(0);
    await line.event(2);

    const stream = line.stream().send('too late').read();
    const statusesAtOnce = [...stream.statuses];

    expect(statusesAtOnce).toEqual([]);
    expect((await stream.status()).cut).toBe('unsent');
    expect(peer.calls).toEqual([]);
  });

  it('with an error leaves open what became of the calls, and says why (C2)', async () => {
    await using peer = await startPeer((call) => call.connection.goAway(1, 2, 'out of memory'));
    await using line = await Line.open(peer.endpoint);

    const { status } = await line.call().answer;

    expect(status).toMatchObject({ code: GrpcCode.unavailable, cut: 'broken' });
    expect(await line.event(2)).toBe('down: the endpoint closes the connection (GOAWAY, code 2, out of memory)');
  });

  it('because of too many pings is told which option to change', async () => {
    await using peer = await startPeer((call) => call.connection.goAway(1, 11, 'too_many_pings'));
    await using line = await Line.open(peer.endpoint);

    await line.call().answer;

    expect(await line.event(2)).toMatch(/too_many_pings\): it refuses so many pings; raise keepAliveTimeMs$/);
  });

  it('has all the time it needs for the calls it has begun: no ping ends them', async () => {
    await using peer = await startPeer();
    await using line = await Line.open(peer.endpoint, { keepAliveTimeMs: 6_000, keepAliveTimeoutMs: 3_000 });
    const { answer } = line.call();
    const call = await peer.call(1);
    peer.connection.goAway(1);
    await line.event(2);

    await line.clock.advance(60_000);
    call.answer('at last');

    expect(await answer).toEqual({ status: STATUS_OK, message: 'at last' });
  });
});

describe('A peer that is gone without a word', () => {
  it('is found out by a ping while one call still waits for it, and the reason says so (C4)', async () => {
    await using peer = await startPeer();
    await using line = await Line.open(peer.endpoint, { keepAliveTimeMs: 6_000, keepAliveTimeoutMs: 3_000 });
    const { answer } = line.call();
    const other = line.call();
    (await peer.call(2)).answer('done');
    await other.answer;

    await line.clock.advance(6_000);
    await eventually(() => peer.connection.pings === 1, { everyMs: 2 });
    await line.clock.advance(3_000);

    const reason = 'the connection was lost: no answer to a ping within 3000 ms';
    expect((await answer).status).toEqual({ code: GrpcCode.unavailable, details: reason, cut: 'broken' });
    expect(await line.event(2)).toBe(`down: ${reason}`);
    await peer.connection.gone();
  });

  it('is dropped at once, with much to write that it does not take and a stream that nobody reads (C4, C8)', async () => {
    await using peer = await startPeer((call) => call.headers().data(Buffer.concat([inFrame('1'), inFrame('2')])), {
      windowBytes: 2 ** 30,
    });
    await using line = await Line.open(peer.endpoint, { keepAliveTimeMs: 6_000, keepAliveTimeoutMs: 3_000 });
    await line.stream().read().received(1);
    peer.connection.freeze();
    const { answer } = line.call('x'.repeat(20_000_000));

    await line.clock.advance(6_000);
    await line.clock.advance(3_000);

    expect(await line.event(2)).toMatch(/^down: the connection was lost: no answer to a ping/);
    expect((await answer).status.cut).toBe('broken');
    await peer.connection.gone();
  });
});

describe('close()', () => {
  it('with nothing under way drops the socket, even if the peer never does (C8)', async () => {
    await using peer = await startPeer((call) => call.answer('done'));
    const line = await Line.open(peer.endpoint);
    await line.call().answer;

    line.transport.close();

    await peer.connection.gone();
    expect(line.events).toEqual(['ready']);
    expect(line.clock.pending()).toEqual([]);
  });

  it('lets a call under way end, and drops the socket then, even if the peer never does (C8)', async () => {
    await using peer = await startPeer();
    const line = await Line.open(peer.endpoint);
    const { answer } = line.call();
    const call = await peer.call(1);

    line.transport.close();
    call.answer('still welcome');

    expect(await answer).toEqual({ status: STATUS_OK, message: 'still welcome' });
    await peer.connection.gone();
    expect(line.clock.pending()).toEqual([]);
  });

  it('drops the socket of a peer that takes nothing more in (C8)', async () => {
    await using peer = await startPeer((call) => call.connection.freeze(), { windowBytes: 2 ** 30 });
    const line = await Line.open(peer.endpoint);
    const { cancel } = line.call('x'.repeat(20_000_000));
    await peer.call(1);

    cancel();
    line.transport.close();

    await peer.connection.gone();
  });

  it('leaves a call that is started afterwards unsent (C2)', async () => {
    await using peer = await startPeer();
    const line = await Line.open(peer.endpoint);

    line.transport.close();

    expect((await line.call().answer).status).toEqual({
      code: GrpcCode.unavailable,
      details: 'the connection is closed',
      cut: 'unsent',
    });
    expect(peer.calls).toEqual([]);
  });

  it.each(['http', 'https'])(
    'while the peer has not said anything yet ends the attempt over %s (C8)',
    async (scheme) => {
      await using server = await startServer(() => undefined);
      const line = new Line(server.endpoint.replace('http', scheme));
      const socket = await server.socket();

      line.transport.close();

      await eventually(() => socket.closed, { everyMs: 2 });
      expect(line.events).toEqual([]);
      expect(line.clock.pending()).toEqual([]);
    },
  );
});

describe('A peer that is no etcd', () => {
  it.each<[string, (socket: Socket) => void, string]>([
    [
      'speaks HTTP/1.1',
      (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'),
      'down: Protocol error (does the endpoint speak HTTP/2?)',
    ],
    [
      'talks nonsense',
      (socket) => socket.end(Buffer.alloc(100, '?')),
      'down: Protocol error (does the endpoint speak HTTP/2?)',
    ],
    [
      'hangs up',
      (socket) => socket.end(),
      'down: the endpoint closed the connection before it said anything in HTTP/2',
    ],
  ])('since it %s ends the attempt with words that say so (C1)', async (_, behave, event) => {
    await using server = await startServer(behave);
    await using line = new Line(server.endpoint);

    expect(await line.event(1)).toBe(event);
  });

  it('since it wants TLS says how to write the endpoint (C6)', async () => {
    const server = createTlsServer({}).on('tlsClientError', () => undefined);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    {
      await using line = new Line(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);

      expect(await line.event(1)).toBe('misconfigured: the endpoint wants TLS: write it as https://');
    }
    server.close();
  });

  it('since it does not speak TLS says how to write the endpoint (C6)', async () => {
    await using peer = await startPeer();
    await using line = new Line(peer.endpoint.replace('http:', 'https:'));

    expect(await line.event(1)).toBe('misconfigured: the endpoint does not speak TLS: write it as http://');
  });
});

interface PlainServer extends AsyncDisposable {
  readonly endpoint: string;
  /** Its first connection, waited for. */
  socket(): Promise<Socket>;
}

/** A server that does this with each connection, and no more. */
async function startServer(behave: (socket: Socket) => void): Promise<PlainServer> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined).resume();
    behave(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    socket: () => eventually(() => sockets[0], { everyMs: 2 }),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((closed) => server.close(closed));
    },
  };
}
