/** Endpoint strings: what a user or a member list writes, and what it means for the connection. */
import { EtcdConfigError } from './errors.js';

/** Whether the endpoint's form asks for TLS: `https` and `unixs` do, `http` forbids it, the rest follow the `tls` option. */
export type EndpointSecurity = 'plaintext' | 'tls' | 'as-configured';

/** One endpoint, taken apart. */
export interface Endpoint {
  /** As it was given, trimmed. Never holds credentials: those are refused. Shown in errors, logs and status. */
  readonly text: string;
  readonly security: EndpointSecurity;
  /** What to dial: `host:port`, `[v6]:port`, or a `unix:` path. */
  readonly address: string;
  /**
   * The HTTP/2 `:authority`; for a socket the name of its file. With its port cut off it is also the name the certificate
   * has to match, except that one on a socket has to match `localhost`.
   */
  readonly authority: string;
}

const NETWORK_SECURITY: ReadonlyMap<string, EndpointSecurity> = new Map([
  ['http', 'plaintext'],
  ['https', 'tls'],
]);

/** A host, or an IPv6 address in brackets with an optional zone, and a port. */
const HOST_PORT = /^(\[[\da-f:.]+(?:%[\w.~-]+)?\]|[^\s:/[\]@?#,;]+):(\d{1,5})$/i;
const SOCKET = /^unixs?:/i;
/** `unix:path` and `unix:///path`, whose path may hold an `@`; anywhere else it can only end credentials. */
const PLAIN_PATH = /^unixs?:(?!\/\/[^/])/i;
const EXAMPLE = 'for example http://127.0.0.1:2379';

/**
 * Takes an endpoint string apart.
 *
 * Forms: `host:port`, `[v6]:port`, `http://…`, `https://…`, `unix:path`, `unix:///path`, `unixs:…`. A port is
 * required: etcd's client has no default one either.
 *
 * @param option how errors call it, for example `endpoints[0]`.
 * @throws {EtcdConfigError} naming the option and the rule; a string with credentials is not repeated.
 * @see etcd `client/v3/internal/endpoint`
 */
export function parseEndpoint(input: unknown, option: string): Endpoint {
  if (typeof input !== 'string')
    throw new EtcdConfigError(option, `must be a string, ${EXAMPLE}`, input ?? String(input));
  const text = input.trim();
  if (text === '') throw new EtcdConfigError(option, `must not be empty; write it as host:port, ${EXAMPLE}`, input);
  if (text.includes('@') && !PLAIN_PATH.test(text)) {
    throw new EtcdConfigError(option, 'must not hold credentials; use the auth option instead');
  }
  if (SOCKET.test(text)) return parseUnix(text, option);
  return parseNetwork(text, option);
}

function parseUnix(text: string, option: string): Endpoint {
  const [scheme, rest = ''] = splitOnce(text, ':');
  const path = rest.startsWith('//') ? rest.slice(2) : rest;
  if (path === '') throw new EtcdConfigError(option, 'must name a socket, for example unix:///run/etcd.sock', text);
  const name = path.slice(path.lastIndexOf('/') + 1);
  return {
    text,
    security: scheme.toLowerCase() === 'unixs' ? 'tls' : 'as-configured',
    address: `unix:${path}`,
    authority: name,
  };
}

function parseNetwork(text: string, option: string): Endpoint {
  const [scheme, rest] = text.includes('://') ? splitOnce(text, '://') : [undefined, text];
  const security = scheme === undefined ? 'as-configured' : NETWORK_SECURITY.get(scheme.toLowerCase());
  if (security === undefined || rest === undefined) {
    throw new EtcdConfigError(option, 'must start with http://, https://, unix:, unixs: or be host:port', text);
  }
  const address = rest.endsWith('/') ? rest.slice(0, -1) : rest;
  const match = HOST_PORT.exec(address);
  const port = Number(match?.[2]);
  if (match === null || port < 1 || port > 65_535) {
    throw new EtcdConfigError(option, `must be host:port with a port from 1 to 65535 and no path, ${EXAMPLE}`, text);
  }
  return { text, security, address, authority: address };
}

/** Whether what is sent to this endpoint stays on this machine: a socket, or the loopback by address or name. */
export function isOnThisMachine({ address }: Endpoint): boolean {
  if (address.startsWith('unix:')) return true;
  const host = address.slice(0, address.lastIndexOf(':')).toLowerCase();
  return /^(?:localhost|.+\.localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(host);
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}
