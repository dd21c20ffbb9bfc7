/** What travels beside every request: the client's version, the token, and whether a leader is required. */
import { EtcdInvalidArgumentError } from '../errors.js';
import type { Headers } from '../transport/transport.js';

/** The release of etcd whose API this client speaks; servers count requests by it. */
const CLIENT_API_VERSION = '3.7';

/** Header names that belong to the client: an interceptor does not set them. */
const OWN_NAMES: readonly string[] = ['client-api-version', 'token', 'hasleader'];

/** Names that HTTP/2 forbids (RFC 9113, section 8.2.2), or that it and gRPC have another use for. */
const RESERVED =
  /^(?:connection|keep-alive|proxy-connection|transfer-encoding|upgrade|http2-settings|host|te|content-type|user-agent|grpc-.*)$/;

/** More than this servers may refuse, and beyond 64 KiB HTTP/2 of Node.js gives up the connection. */
const MAX_METADATA_BYTES = 16 * 1024;

const NAME = /^[\da-z_.-]+(?<!-bin)$/;
/** Printable, and no blanks at the ends (RFC 9113, section 8.2.1). */
const VALUE = /^(?:[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?$/;

const ANONYMOUS = build(undefined, false);

/**
 * Builds the headers of calls. One object serves many calls, so that a transport prepares it once: it changes only with
 * the token.
 */
export class CallHeaders {
  // Hard private, here and wherever the token passes: `util.inspect` of a client must not find it.
  #token: string | undefined;
  #plain: Headers = ANONYMOUS;
  #withLeader: Headers = build(undefined, true);

  /** @param token the token that is good now, or `undefined` to send none. */
  setToken(token: string | undefined): void {
    if (token === this.#token) return;
    this.#token = token;
    this.#plain = build(token, false);
    this.#withLeader = build(token, true);
  }

  /**
   * @param requireLeader adds `hasleader`, so that a member without a leader refuses the call.
   * @param extra what interceptors want to send; the client's own names in it are ignored.
   * @throws {EtcdInvalidArgumentError} for a name or a value that a gRPC header cannot have.
   */
  get(requireLeader: boolean, extra?: ReadonlyMap<string, string>): Headers {
    return withExtra(requireLeader ? this.#withLeader : this.#plain, extra);
  }

  /** Headers without a token: those of `Authenticate`, the one RPC that must not carry any. */
  anonymous(extra?: ReadonlyMap<string, string>): Headers {
    return withExtra(ANONYMOUS, extra);
  }
}

function build(token: string | undefined, requireLeader: boolean): Headers {
  const headers = new Map([['client-api-version', CLIENT_API_VERSION]]);
  if (token !== undefined) headers.set('token', token);
  if (requireLeader) headers.set('hasleader', 'true');
  return headers;
}

function withExtra(base: Headers, extra: ReadonlyMap<string, string> | undefined): Headers {
  if (extra === undefined || extra.size === 0) return base;
  const headers = new Map(base);
  let bytes = 0;
  for (const [name, value] of extra) {
    if (OWN_NAMES.includes(name)) continue;
    requireHeader(name, value);
    headers.set(name, value);
    bytes += name.length + value.length;
  }
  if (bytes > MAX_METADATA_BYTES) {
    throw new EtcdInvalidArgumentError('metadata', `must be at most ${MAX_METADATA_BYTES} bytes in all`, bytes);
  }
  return headers;
}

/** The value is not repeated in the error: it may be a credential for a proxy. */
function requireHeader(name: string, value: string): void {
  if (!NAME.test(name)) {
    throw new EtcdInvalidArgumentError('metadata', 'must have names of lowercase letters, digits, _ . - only', name);
  }
  if (RESERVED.test(name)) {
    throw new EtcdInvalidArgumentError('metadata', 'must not have a name that HTTP/2 or gRPC has a use for', name);
  }
  if (!VALUE.test(value)) {
    throw new EtcdInvalidArgumentError(`metadata ${name}`, 'must be printable ASCII text without blanks at its ends');
  }
}
