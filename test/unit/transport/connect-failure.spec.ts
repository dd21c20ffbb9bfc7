/** C1, C6: the cause of a failed connection, out of what grpc-js says, and whether waiting can help. */
import { describe, expect, it } from '@jest/globals';
import { isConfigurationFault } from '../../../lib/client/transport/connect-failure.js';
import { connectFailure } from '../../../lib/client/transport/grpc-js/grpc-words.js';

/** grpc-js's text around an error. */
const wrapped = (error: string, note = ''): string =>
  `No connection established. Last error: ${error}. Resolution note: ${note}`;

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

describe('isConfigurationFault', () => {
  it.each([
    'self-signed certificate',
    'unable to verify the first certificate',
    'certificate has expired',
    "Hostname/IP does not match certificate's altnames: …",
    'SSL routines: wrong version number (does the endpoint speak TLS?)',
    'SSL routines: tlsv13 alert certificate required',
    'the endpoint wants TLS: write it as https://',
    'the endpoint does not speak TLS: write it as http://',
  ])('is true of %j', (reason) => {
    expect(isConfigurationFault(reason)).toBe(true);
  });

  it.each([
    'connect ECONNREFUSED 127.0.0.1:2379',
    'getaddrinfo ENOTFOUND pem.certificates.example',
    'Name resolution failed for target dns:alert manager:1',
    'read ECONNRESET',
    'the connection was lost',
    'Client network socket disconnected before secure TLS connection was established',
    'no HTTP/2 connection within 2000 ms',
  ])('is false of %j, where waiting may help', (reason) => {
    expect(isConfigurationFault(reason)).toBe(false);
  });
});
