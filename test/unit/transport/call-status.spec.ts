/** C2: what a call's end proves: said by the server, by a proxy in between, or by the way its stream was ended. */
import { describe, expect, it } from '@jest/globals';
import { constants } from 'node:http2';
import {
  broken,
  statusIn,
  statusOfFault,
  statusOfForeign,
  statusOfReset,
  unsent,
} from '../../../lib/client/transport/http2/call-status.js';
import { GrpcCode } from '../../../lib/client/transport/transport.js';

describe('statusIn', () => {
  it.each([
    ['plain text', 'plain text'],
    ['', ''],
    ['f%C3%BCnf%20%e2%82%ac 100%25', 'fünf € 100%'],
    ['a lone % and 100%zz', 'a lone % and 100%zz'],
    ['cut %C3', 'cut %C3'],
    ['no UTF-8 %FF%FE', 'no UTF-8 %FF%FE'],
  ])('reads the message %j as %j', (message, details) => {
    expect(statusIn({ 'grpc-status': '5', 'grpc-message': message })).toEqual({ code: 5, details });
  });

  it('needs no message', () => {
    expect(statusIn({ 'grpc-status': '0' })).toEqual({ code: GrpcCode.ok, details: '' });
  });

  it('finds none where there is none', () => {
    expect(statusIn({ 'grpc-message': 'ok' })).toBeUndefined();
  });

  it.each(['', ' ', 'OK', '-0', '0x0', '0, 0', '1e0'])('takes %j for no success: it is no number (C2)', (code) => {
    expect(statusIn({ 'grpc-status': code })?.code).toBe(GrpcCode.unknown);
  });
});

describe('statusOfForeign', () => {
  it.each(['application/grpc', 'application/grpc+proto', 'application/grpc;charset=utf-8'])(
    'lets an answer in gRPC be: %s',
    (content) => {
      expect(statusOfForeign({ ':status': '200', 'content-type': content })).toBeUndefined();
    },
  );

  it.each([
    [200, 'application/json', GrpcCode.unknown],
    [200, 'application/grpc-web', GrpcCode.unknown],
    [200, undefined, GrpcCode.unknown],
    [400, 'text/html', GrpcCode.internal],
    [401, 'text/html', GrpcCode.unauthenticated],
    [403, 'text/html', GrpcCode.permissionDenied],
    [404, 'text/html', GrpcCode.unimplemented],
    [429, 'text/html', GrpcCode.unavailable],
    [500, 'text/html', GrpcCode.unknown],
    [502, 'text/html', GrpcCode.unavailable],
    [503, 'text/html', GrpcCode.unavailable],
    [503, 'application/grpc', GrpcCode.unavailable],
    [504, undefined, GrpcCode.unavailable],
  ])('names HTTP status %d with content %s, and proves nothing by it (C2)', (http, content, code) => {
    const status = statusOfForeign({
      ':status': String(http),
      ...(content !== undefined && { 'content-type': content }),
    });

    expect(status).toEqual({
      code,
      details: `Received HTTP status code ${http}, content type ${content ?? 'none'}, instead of an answer in gRPC`,
    });
  });
});

describe('statusOfReset', () => {
  it('proves only for a refused stream that nothing was begun (C2)', () => {
    const codes = Array.from({ length: 20 }, (_, code) => code);

    expect(codes.filter((code) => statusOfReset(code).cut === 'unsent')).toEqual([constants.NGHTTP2_REFUSED_STREAM]);
    for (const code of codes) expect(statusOfReset(code).code).toBe(GrpcCode.unavailable);
  });

  it.each([
    [constants.NGHTTP2_NO_ERROR, 'the server ended the call without a status'],
    [constants.NGHTTP2_PROTOCOL_ERROR, 'the server reset the stream (PROTOCOL_ERROR)'],
    [constants.NGHTTP2_CANCEL, 'the server reset the stream (CANCEL)'],
    [constants.NGHTTP2_ENHANCE_YOUR_CALM, 'the server reset the stream (ENHANCE_YOUR_CALM)'],
    [constants.NGHTTP2_HTTP_1_1_REQUIRED, 'the server reset the stream (HTTP_1_1_REQUIRED)'],
    [4_711, 'the server reset the stream (4711)'],
  ])('says what code %d means', (code, details) => {
    expect(statusOfReset(code).details).toBe(details);
  });
});

describe('a status of the transport itself', () => {
  it('tells apart what was not sent and what may have been carried out (C2)', () => {
    expect(unsent('why')).toEqual({ code: GrpcCode.unavailable, details: 'why', cut: 'unsent' });
    expect(broken('why')).toEqual({ code: GrpcCode.unavailable, details: 'why', cut: 'broken' });
  });

  it('names both sizes of a message that is too large (C7)', () => {
    expect(statusOfFault({ name: 'too-large', bytes: 2_000 }, 1_024)).toEqual({
      code: GrpcCode.resourceExhausted,
      details: 'Received message larger than max (2000 vs 1024)',
    });
  });

  it('calls a compressed message a mistake of the server', () => {
    expect(statusOfFault({ name: 'compressed' }, 1_024)).toEqual({
      code: GrpcCode.internal,
      details: 'Received a compressed message, which was not asked for',
    });
  });
});
