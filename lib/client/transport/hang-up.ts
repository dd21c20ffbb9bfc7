/** What to say of a peer that hangs up before the connection is one of HTTP/2. */
import type { Endpoint } from '../endpoint.js';
import { speaksPlaintext, speaksTls } from './tls-sniff.js';

const SAID_NOTHING = 'the endpoint closed the connection before it said anything in HTTP/2';
const WANTS_TLS = 'the endpoint wants TLS: write it as https://';
const WANTS_PLAINTEXT = 'the endpoint does not speak TLS: write it as http://';
/** Node.js's words when the peer closes the connection before TLS is set up. */
const HUNG_UP_ON_TLS = /before secure TLS connection/;
/** And those for one that answers something else, such as an alert of TLS. */
const NOT_HTTP2 = /^Protocol error/;

/**
 * A peer that hangs up may speak the other of TLS and plaintext; the one who reads the error should not have to guess.
 * It may as well be a balancer whose member is away, and then waiting helps.
 *
 * @param reason what is known of it so far; `undefined` when it hung up without a word.
 */
export function explainHangUp(
  endpoint: Endpoint,
  isTls: boolean,
  reason: string | undefined,
  done: (reason: string) => void,
): void {
  const known = reason ?? SAID_NOTHING;
  if (isTls && HUNG_UP_ON_TLS.test(known)) speaksPlaintext(endpoint, (yes) => done(yes ? WANTS_PLAINTEXT : known));
  else if (!isTls && (reason === undefined || NOT_HTTP2.test(reason)))
    speaksTls(endpoint, (yes) => done(yes ? WANTS_TLS : known));
  else done(known);
}
