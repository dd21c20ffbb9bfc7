/** One HTTP request to a member, on a connection of its own. */
import { request as plainRequest, type IncomingMessage } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { text } from 'node:stream/consumers';

/** What a member with TLS wants to see from its caller. */
export interface CallerIdentity {
  readonly cert: string;
  readonly key: string;
}

export interface HttpOptions {
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Limits the whole exchange. @default 5_000 */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly identity?: CallerIdentity | undefined;
}

/** A whole answer. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

/** Sends a request and reads the whole answer. */
export async function ask(url: string, options: HttpOptions = {}): Promise<HttpAnswer> {
  const answer = await open(url, options);
  return { status: answer.statusCode ?? 0, body: await text(answer) };
}

/** Sends a request and hands back the answer as a stream; abort `signal` to end it. */
export function open(url: string, options: HttpOptions = {}): Promise<IncomingMessage> {
  const { method = 'GET', headers = {}, body, timeoutMs = 5_000, identity, signal } = options;
  const limit = AbortSignal.timeout(timeoutMs);
  const send = url.startsWith('https:') ? tlsRequest : plainRequest;
  return new Promise((resolve, reject) => {
    const outgoing = send(url, {
      method,
      headers,
      agent: false, // no idle connection is left that a killed member could spoil
      rejectUnauthorized: false, // members of some tests show bad certificates on purpose, and are still to be asked
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
      ...(identity && { cert: identity.cert, key: identity.key }),
    });
    outgoing.once('error', (error) => reject(new Error(`${method} ${url}: ${error.message}`, { cause: error })));
    outgoing.once('response', resolve);
    outgoing.end(body);
  });
}
