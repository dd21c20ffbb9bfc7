/** What travels beside every request: the client's version, the token, and whether a leader is required. */
import type { Headers } from './transport.js';

/** The release of etcd whose API this client speaks; servers count requests by it. */
const CLIENT_API_VERSION = '3.7';

/**
 * Builds the headers of calls. One object serves many calls, so that a transport prepares it once: it changes only with
 * the token.
 */
export class CallHeaders {
  private token: string | undefined;
  private plain: Headers = build(undefined, false);
  private withLeader: Headers = build(undefined, true);

  /** @param token the token that is good now, or `undefined` to send none. */
  setToken(token: string | undefined): void {
    if (token === this.token) return;
    this.token = token;
    this.plain = build(token, false);
    this.withLeader = build(token, true);
  }

  /**
   * @param requireLeader adds `hasleader`, so that a member without a leader refuses the call.
   * @param extra what interceptors want to send; `token` and `hasleader` in it are ignored.
   */
  get(requireLeader: boolean, extra?: ReadonlyMap<string, string>): Headers {
    const base = requireLeader ? this.withLeader : this.plain;
    return extra === undefined || extra.size === 0 ? base : new Map([...extra, ...base]);
  }
}

function build(token: string | undefined, requireLeader: boolean): Headers {
  const headers = new Map([['client-api-version', CLIENT_API_VERSION]]);
  if (token !== undefined) headers.set('token', token);
  if (requireLeader) headers.set('hasleader', 'true');
  return headers;
}
