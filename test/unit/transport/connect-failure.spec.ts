/** C1, C6: the cause of a failed connection in words that help, and whether waiting can. */
import { describe, expect, it } from '@jest/globals';
import { isConfigurationFault, readableReason, reasonOfError } from '../../../lib/client/transport/connect-failure.js';

describe('readableReason', () => {
  it.each([
    [
      '80EB5C2B:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:../deps/openssl/record.c:355:',
      'SSL routines: wrong version number (does the endpoint speak TLS?)',
    ],
    [
      '80EB5C2B:error:0A0000C6:SSL routines:tls_get_more_records:packet length too long:../deps/openssl/record.c:663:',
      'SSL routines: packet length too long (does the endpoint speak TLS?)',
    ],
    [
      'write EPROTO 140:error:0A000410:SSL routines:read:sslv3 alert handshake failure:record.c:1:SSL alert number 40',
      'SSL routines: sslv3 alert handshake failure',
    ],
    ['Protocol error', 'Protocol error (does the endpoint speak HTTP/2?)'],
  ])('makes of %j what a person can use', (text, reason) => {
    expect(readableReason(text)).toBe(reason);
  });

  it.each(['connect ECONNREFUSED 127.0.0.1:2379', 'certificate has expired', 'Protocol error of another kind', ''])(
    'leaves %j as it is',
    (text) => {
      expect(readableReason(text)).toBe(text);
    },
  );
});

describe('reasonOfError', () => {
  it('is the readable text of the error, without its name', () => {
    expect(reasonOfError(new TypeError('Protocol error'))).toBe('Protocol error (does the endpoint speak HTTP/2?)');
    expect(reasonOfError(new Error('read ECONNRESET'))).toBe('read ECONNRESET');
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
