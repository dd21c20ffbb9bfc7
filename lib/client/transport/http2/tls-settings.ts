/** How TLS is spoken with an endpoint. */
import { isIP } from 'node:net';
import { checkServerIdentity, createSecureContext, type ConnectionOptions, type SecureContext } from 'node:tls';
import type { Endpoint } from '../../endpoint.js';
import { EtcdConfigError } from '../../errors.js';
import { refusePlaintext, usesTls, type EtcdTlsOptions, type ResolvedOptions } from '../../options.js';
import { addressOf } from '../address.js';
import { readTlsFiles } from '../tls-files.js';

/** What a certificate of a server on a Unix socket has to match. */
const SOCKET_NAME = 'localhost';

/**
 * The settings for one more connection; `undefined` for one without TLS. Files are read anew each time, so that replaced
 * certificates are used.
 *
 * @throws {EtcdConfigError} when certificates or keys cannot be used, or TLS is required and the endpoint is without.
 */
export function tlsSettings(endpoint: Endpoint, options: ResolvedOptions): ConnectionOptions | undefined {
  refusePlaintext([endpoint], options); // one that a single call names, such as `status(endpoint)`
  if (!usesTls(endpoint, options.tls)) return undefined;
  const address = addressOf(endpoint);
  const name = options.tls?.serverName ?? ('host' in address ? address.host : SOCKET_NAME);
  return {
    secureContext: secureContext(options.tls ?? {}),
    ALPNProtocols: ['h2'],
    // TLS knows no addresses as names of servers (RFC 6066, section 3); the certificate is held against them all the same.
    servername: isIP(name) === 0 ? name : '',
    checkServerIdentity: (_name, certificate) => checkServerIdentity(name, certificate),
  };
}

function secureContext(tls: EtcdTlsOptions): SecureContext {
  const { ca, cert, key } = readTlsFiles(tls);
  try {
    return createSecureContext({ ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) });
  } catch (error) {
    throw new EtcdConfigError('tls', `cannot be used: ${(error as Error).message}`);
  }
}
