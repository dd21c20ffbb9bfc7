/** TLS, or none, in the terms of grpc-js, and the sockets that come of it. */
import { credentials, type ChannelCredentials } from '@grpc/grpc-js';
import { isIP, type Socket } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import type { Endpoint } from '../../endpoint.js';
import { EtcdConfigError } from '../../errors.js';
import { refusePlaintext, usesTls, type ResolvedOptions } from '../../options.js';
import { readTlsFiles } from '../tls-files.js';

/**
 * The credentials for one more connection: certificates are read anew each time, so that replaced files are used.
 *
 * @throws {EtcdConfigError} when certificates or keys cannot be used, or TLS is required and the endpoint is without.
 */
export function credentialsFor(endpoint: Endpoint, options: ResolvedOptions): ChannelCredentials {
  const { tls } = options;
  refusePlaintext([endpoint], options); // one that a single call names, such as `status(endpoint)`
  if (!usesTls(endpoint, tls)) return credentials.createInsecure();
  const { ca, cert, key } = readTlsFiles(tls ?? {});
  const host = hostOf(endpoint);
  const verify = isIP(host) === 0 ? {} : { checkServerIdentity: checkAddress(tls?.serverName ?? host) };
  try {
    return credentials.createSsl(ca, key, cert, verify);
  } catch (error) {
    throw new EtcdConfigError('tls', `cannot be used: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/**
 * The TCP sockets made with these credentials. grpc-js forgets a connection that is given up before the peer has sent
 * its settings, and keeps its socket for as long as the peer stays silent; so they are noted here, to be destroyed.
 */
export function socketsOf(channelCredentials: ChannelCredentials): Set<Socket> {
  const sockets = new Set<Socket>();
  // Not of grpc-js's documented API: a release without it costs that much care, and nothing else.
  if (typeof channelCredentials._createSecureConnector !== 'function') return sockets;
  const create = channelCredentials._createSecureConnector.bind(channelCredentials);
  channelCredentials._createSecureConnector = (...parameters) => {
    const connector = create(...parameters);
    const connect = connector.connect.bind(connector);
    connector.connect = (socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      return connect(socket);
    };
    return connector;
  };
  return sockets;
}

/** With an address for a host the name in the handshake is only a stand-in; the certificate is held against the address. */
function checkAddress(expected: string): (name: string, certificate: PeerCertificate) => Error | undefined {
  return (_name, certificate) => checkServerIdentity(expected, certificate);
}

function hostOf({ authority }: Endpoint): string {
  return authority.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
}

/** TLS does not allow an address as the name in the handshake (RFC 6066, section 3), and Node.js warns of it aloud. */
export function handshakeName(endpoint: Endpoint, serverName: string | undefined): string | undefined {
  return serverName ?? (isIP(hostOf(endpoint)) === 0 ? undefined : 'localhost');
}
