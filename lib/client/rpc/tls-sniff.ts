/** Finds out whether an endpoint that hangs up on plaintext speaks TLS, so that the error can say so. */
import { connect } from 'node:tls';
import type { Endpoint } from '../endpoint.js';

const SNIFF_TIMEOUT_MS = 500;

/**
 * Tries a TLS handshake and hangs up. Nothing is sent but the handshake, and no certificate is trusted by it: the answer
 * only serves a message.
 */
export function speaksTls(endpoint: Endpoint, done: (yes: boolean) => void): void {
  const socket = connect({ ...addressOf(endpoint), rejectUnauthorized: false, ALPNProtocols: ['h2'] });
  const finish = (yes: boolean): void => {
    socket.removeAllListeners();
    socket.on('error', () => undefined);
    socket.destroy();
    done(yes);
  };
  socket.unref();
  socket.setTimeout(SNIFF_TIMEOUT_MS);
  socket.once('secureConnect', () => finish(true));
  socket.once('timeout', () => finish(false));
  socket.once('close', () => finish(false));
  // A server that asks for a client certificate ends the handshake with an alert: that is TLS as well.
  socket.once('error', (error: Error) => finish(/alert/i.test(error.message)));
}

function addressOf({
  address,
}: Endpoint): { readonly path: string } | { readonly host: string; readonly port: number } {
  if (address.startsWith('unix:')) return { path: address.slice('unix:'.length).replace(/^\/\//, '') };
  const at = address.lastIndexOf(':');
  return { host: address.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(address.slice(at + 1)) };
}
