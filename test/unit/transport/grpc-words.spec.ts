/** C1, C2: what grpc-js's own words prove of a call that it cut, and the cause of a connection that it could not make. */
import { describe, expect, it } from '@jest/globals';
import { connectFailure, understood } from '../../../lib/client/transport/grpc-js/grpc-words.js';
import { GrpcCode } from '../../../lib/client/transport/transport.js';

/** grpc-js's text around an error. */
const wrapped = (error: string, note = ''): string =>
  `No connection established. Last error: ${error}. Resolution note: ${note}`;

describe('understood', () => {
  const code = GrpcCode.unavailable;

  it.each([
    'Stream refused by server',
    'Stream refused by server (error code 7)',
    'Failed to start HTTP/2 stream with error message The session has been destroyed',
    'Channel closed before call started',
  ])('takes %j for a call that was never sent (C2)', (details) => {
    expect(understood({ code, details })).toEqual({ code, details, cut: 'unsent' });
  });

  it.each([
    'Received RST_STREAM with code 2 triggered by internal client error: read ECONNRESET',
    'Connection dropped',
    'Bandwidth exhausted or memory limit exceeded',
  ])('takes %j for a call that may have been carried out (C2)', (details) => {
    expect(understood({ code, details })).toEqual({ code, details, cut: 'broken' });
  });

  it.each([
    [code, 'etcdserver: no leader'],
    [code, 'proxy: Stream refused by server'],
    [code, 'etcdserver: Failed to start HTTP/2 stream'],
    [code, 'etcdserver: Channel closed before call started'],
    [GrpcCode.internal, 'proxy: Received RST_STREAM with code 2'],
    [code, 'proxy: Connection dropped'],
    [GrpcCode.resourceExhausted, 'proxy: Bandwidth exhausted or memory limit exceeded'],
    [code, 'proxy says:\nConnection dropped'],
    [GrpcCode.ok, ''],
  ])('leaves what a server says itself as it is: %i %j', (code, details) => {
    expect(understood({ code, details })).toEqual({ code, details });
  });
});

describe('connectFailure', () => {
  it.each([
    ['Error: connect ECONNREFUSED 127.0.0.1:2379', 'connect ECONNREFUSED 127.0.0.1:2379'],
    ['connect ECONNREFUSED ::1:2379 (2026-01-02T03:04:05.678Z)', 'connect ECONNREFUSED ::1:2379'],
    ['self-signed certificate in certificate chain', 'self-signed certificate in certificate chain'],
    [
      "Hostname/IP does not match certificate's altnames: Host: a. is not in the cert's altnames: DNS:b",
      "Hostname/IP does not match certificate's altnames: Host: a. is not in the cert's altnames: DNS:b",
    ],
    [
      '80EB5C2B:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:../deps/openssl/record.c:355:',
      'SSL routines: wrong version number (does the endpoint speak TLS?)',
    ],
    [
      'write EPROTO 140:error:0A000410:SSL routines:read:sslv3 alert handshake failure:record.c:1:SSL alert number 40',
      'SSL routines: sslv3 alert handshake failure',
    ],
    ['Protocol error', 'Protocol error (does the endpoint speak HTTP/2?)'],
  ])('cuts the cause out of %j', (error, cause) => {
    expect(connectFailure(wrapped(error))).toBe(cause);
  });

  it('takes the note about the name when there was no error yet', () => {
    expect(connectFailure(wrapped('null', 'Name resolution failed for target dns:nowhere:1'))).toBe(
      'Name resolution failed for target dns:nowhere:1',
    );
  });

  it('keeps a text that is built otherwise', () => {
    expect(connectFailure('Failed to connect to all addresses')).toBe('Failed to connect to all addresses');
    expect(connectFailure('')).toBe('');
  });

  it('is quick with a long text', () => {
    const startedAt = performance.now();

    connectFailure(wrapped(`${' '.repeat(100_000)}x`, 'y'.repeat(100_000)));

    expect(performance.now() - startedAt).toBeLessThan(500);
  });
});
