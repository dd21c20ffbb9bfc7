/** C2: what the transport over node:http2 makes of every way in which a peer can answer a call, or fail to. */
import { describe, expect, it } from '@jest/globals';
import { createServer, type IncomingHttpHeaders } from 'node:http2';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { GrpcCode } from '../../../lib/client/transport/transport.js';
import { GRPC_HEADERS, inFrame, startPeer, type Script } from './scripted-peer.js';
import { Line, type Answer } from './http2-rig.js';

const OK = { 'grpc-status': '0' };

/** Makes one call to a peer that does this with it. */
async function answerOf(script: Script, options: { maxResponseBytes?: number } = {}): Promise<Answer> {
  await using peer = await startPeer(script);
  await using line = await Line.open(peer.endpoint, options);
  return await line.call().answer;
}

describe('An answer', () => {
  it('comes out whole, whatever pieces it arrives in', async () => {
    const bytes = inFrame('the answer');

    const answer = await answerOf((call) => {
      call.headers();
      for (const byte of bytes) call.data(Buffer.of(byte));
      call.trailers(OK);
    });

    expect(answer).toEqual({ status: { code: GrpcCode.ok, details: '' }, message: 'the answer' });
  });

  it('leaves the connection as it was, for the next call', async () => {
    await using peer = await startPeer((call) => call.answer('done'));
    await using line = await Line.open(peer.endpoint);

    for (let call = 0; call < 3; call++) expect((await line.call().answer).status.code).toBe(GrpcCode.ok);

    expect(line.events).toEqual(['ready']);
    expect(peer.connections).toHaveLength(1);
  });

  it('that is only a status needs no message, and its text is decoded', async () => {
    const answer = await answerOf((call) =>
      call.trailers({ ...GRPC_HEADERS, 'grpc-status': '9', 'grpc-message': 'f%C3%BCnf %25' }),
    );

    expect(answer).toEqual({
      status: { code: GrpcCode.failedPrecondition, details: 'fünf %' },
      message: undefined,
    });
  });

  it('keeps its status when the server breaks off its message for it', async () => {
    const answer = await answerOf((call) =>
      call
        .headers()
        .data(inFrame('cut off').subarray(0, 7))
        .trailers({ 'grpc-status': '8', 'grpc-message': 'too much' }),
    );

    expect(answer.status).toEqual({ code: GrpcCode.resourceExhausted, details: 'too much' });
  });

  it('that says all is well in the middle of a message is not believed (C2)', async () => {
    const answer = await answerOf((call) => call.headers().data(inFrame('cut off').subarray(0, 7)).trailers(OK));

    expect(answer.status).toMatchObject({ code: GrpcCode.unavailable, cut: 'broken' });
  });

  it.each<[string, Script]>([
    ['ends without trailers', (call) => call.headers().data(inFrame('x')).end()],
    ['ends with trailers that have no status', (call) => call.headers().data(inFrame('x')).trailers({ other: 'x' })],
    ['is reset after its message', (call) => call.headers().data(inFrame('x')).reset(0)],
  ])('that %s proves nothing, and its connection is given up (C2)', async (_, script) => {
    await using peer = await startPeer(script);
    await using line = await Line.open(peer.endpoint);

    const { status } = await line.call().answer;

    expect(status).toEqual({
      code: GrpcCode.unavailable,
      details: 'the server ended the call without a status',
      cut: 'broken',
    });
    expect(line.events).toEqual(['ready', 'down: the connection is given up: an answer came without a status']);
  });

  it('whose status is no number is not taken for a success (C2)', async () => {
    const answer = await answerOf((call) => call.trailers({ ...GRPC_HEADERS, 'grpc-status': '' }));

    expect(answer.status.code).toBe(GrpcCode.unknown);
  });

  it('of a proxy in HTML is an error that says so, and the proxy is not listened to any longer (C2)', async () => {
    await using peer = await startPeer((call) =>
      call.headers({ ':status': '503', 'content-type': 'text/html' }).data(Buffer.from('<html>')),
    );
    await using line = await Line.open(peer.endpoint);

    const { status } = await line.call().answer;

    expect(status.code).toBe(GrpcCode.unavailable);
    expect(status.cut).toBeUndefined();
    expect(status.details).toMatch(/503.*text\/html/);
    expect(await peer.calls[0]!.wasReset()).toBe(8);
    expect(line.events).toEqual(['ready']);
  });

  it.each([
    [
      'larger than allowed',
      Buffer.from([0, 0, 1, 0, 0]),
      GrpcCode.resourceExhausted,
      /larger than max \(65536 vs 1024\)/,
    ],
    ['compressed', inFrame('x', 1), GrpcCode.internal, /compressed/],
  ])('that is %s is not read, and no more of it is asked for (C7)', async (_, bytes, code, details) => {
    await using peer = await startPeer((call) => call.headers().data(bytes));
    await using line = await Line.open(peer.endpoint, { maxResponseBytes: 1_024 });

    const { status } = await line.call().answer;

    expect(status).toEqual({ code, details: expect.stringMatching(details) as unknown });
    expect(await peer.calls[0]!.wasReset()).toBe(8);
  });
});

describe('A call that the server resets', () => {
  it.each([
    [1, 'PROTOCOL_ERROR'],
    [2, 'INTERNAL_ERROR'],
    [8, 'CANCEL'],
    [11, 'ENHANCE_YOUR_CALM'],
    [99, '99'],
  ])('with code %d may have been carried out, and the error says %s (C2)', async (code, name) => {
    const { status } = await answerOf((call) => call.reset(code));

    expect(status).toEqual({
      code: GrpcCode.unavailable,
      details: `the server reset the stream (${name})`,
      cut: 'broken',
    });
  });

  it('as refused was certainly not carried out (C2)', async () => {
    const { status } = await answerOf((call) => call.reset(7));

    expect(status).toEqual({ code: GrpcCode.unavailable, details: 'the server refused the stream', cut: 'unsent' });
  });

  it('as refused, after it has begun to answer, may have been carried out all the same (C2)', async () => {
    const { status } = await answerOf((call) => call.headers().reset(7));

    expect(status).toEqual({ code: GrpcCode.unavailable, details: 'the server refused the stream', cut: 'broken' });
  });
});

describe('A connection that is cut', () => {
  it('in the middle of an answer leaves open what became of the call (C2)', async () => {
    await using peer = await startPeer((call) => call.headers().data(inFrame('long answer').subarray(0, 8)));
    await using line = await Line.open(peer.endpoint);
    const { answer } = line.call();
    await peer.call(1);

    peer.connection.cut();

    expect((await answer).status).toEqual({
      code: GrpcCode.unavailable,
      details: expect.stringMatching(/^the connection was lost/) as unknown,
      cut: 'broken',
    });
    expect(await line.event(2)).toMatch(/^down: the connection was lost/);
  });

  it('never shows the token, neither in the status nor in the reason (C5)', async () => {
    await using peer = await startPeer((call) => call.connection.cut());
    await using line = await Line.open(peer.endpoint);

    const { status } = await line.call('question', new Map([['token', 'secret.1']])).answer;
    const refused = await line.call('question', new Map([['token', 'secret.1']])).answer;

    expect(status.cut).toBe('broken');
    expect(refused.status.cut).toBe('unsent');
    expect(JSON.stringify([status, refused, line.events])).not.toContain('secret');
  });
});

describe('What is sent beside a message', () => {
  it('is what gRPC asks for, the headers of the call, and nothing else', async () => {
    let seen: IncomingHttpHeaders = {};
    const server = createServer().on('stream', (stream, headers) => {
      seen = headers;
      stream.respond({ ...GRPC_HEADERS, ':status': 200, ...OK }, { endStream: true });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    {
      await using line = await Line.open(`http://127.0.0.1:${port}`);
      const headers = new Map([
        ['token', 'abc.1'],
        ['hasleader', 'true'],
      ]);

      await line.call('question', headers).answer;
    }
    server.close();

    expect(Object.fromEntries(Object.entries(seen))).toEqual({
      ':method': 'POST',
      ':scheme': 'http',
      ':path': '/etcdserverpb.KV/Range',
      ':authority': `127.0.0.1:${port}`,
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': `agent/1 node-http2/${process.versions.node}`,
      token: 'abc.1',
      hasleader: 'true',
    });
  });
});
