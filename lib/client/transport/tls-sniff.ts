/** Finds out whether an endpoint that hangs up on TLS or on plaintext speaks the other one, so that the error can say so. */
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Endpoint } from '../endpoint.js';
import { addressOf } from './address.js';

const SNIFF_TIMEOUT_MS = 500;
/** What an HTTP/2 client says first: the preface, and settings that change nothing (RFC 9113, section 3.4). */
const GREETING = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0';
const FRAME_TYPE_AT = 3;
const SETTINGS = 4;

/**
 * Tries a TLS handshake and hangs up. Nothing is sent but the handshake, and no certificate is trusted by it: the answer
 * only serves a message.
 */
export function speaksTls(endpoint: Endpoint, done: (yes: boolean) => void): void {
  const socket = connectTls({ ...addressOf(endpoint), rejectUnauthorized: false, ALPNProtocols: ['h2'] });
  const finish = awaitVerdict(socket, done);
  socket.once('secureConnect', () => finish(true));
  // A server that asks for a client certificate ends the handshake with an alert: that is TLS as well.
  socket.once('error', (error: Error) => finish(/alert/i.test(error.message)));
}

/**
 * Says what an HTTP/2 client says first, and hangs up. Whoever answers with settings speaks plaintext; a balancer whose
 * member is away hangs up on this too.
 */
export function speaksPlaintext(endpoint: Endpoint, done: (yes: boolean) => void): void {
  const socket = connect(addressOf(endpoint));
  const finish = awaitVerdict(socket, done);
  socket.once('connect', () => socket.write(GREETING, 'latin1'));
  socket.once('data', (answer: Buffer) => finish(answer[FRAME_TYPE_AT] === SETTINGS));
  socket.once('error', () => finish(false));
}

/** Silence and a hang-up are a no. @returns to be called with another verdict; the first one counts and ends the socket. */
function awaitVerdict(socket: Socket, done: (yes: boolean) => void): (yes: boolean) => void {
  const finish = (yes: boolean): void => {
    socket.removeAllListeners();
    socket.on('error', () => undefined);
    socket.destroy();
    done(yes);
  };
  socket.unref();
  socket.setTimeout(SNIFF_TIMEOUT_MS);
  socket.once('timeout', () => finish(false));
  socket.once('close', () => finish(false));
  return finish;
}
