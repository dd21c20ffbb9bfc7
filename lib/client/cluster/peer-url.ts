/** Peer URLs: the addresses by which members reach each other, checked before they become part of the cluster. */
import { EtcdInvalidArgumentError } from '../errors.js';

const EXAMPLE = 'for example http://10.0.0.4:2380';
const SCHEME = /^(https?|unixs?):\/\//i;
const HOST_PORT = /^(\[[0-9a-f:.%]+\]|[^\s:/[\]@?#]+):(\d{1,5})$/i;

/**
 * The peer URLs of a member: one or a list, each `http://host:port`, `https://host:port`, `unix://…` or `unixs://…`.
 *
 * @returns the URLs as they were given, without spaces around them.
 * @throws {EtcdInvalidArgumentError} naming the first URL that breaks a rule; one with credentials is not repeated.
 * @see etcd `client/pkg/types`, `NewURLs`
 */
export function requirePeerUrls(input: string | readonly string[]): readonly string[] {
  const list: readonly unknown[] = Array.isArray(input) ? input : [input];
  if (list.length === 0) throw new EtcdInvalidArgumentError('peerUrls', `must hold at least one URL, ${EXAMPLE}`);
  return list.map((url, index) => requirePeerUrl(url, Array.isArray(input) ? `peerUrls[${index}]` : 'peerUrls'));
}

function requirePeerUrl(input: unknown, argument: string): string {
  if (typeof input !== 'string') refuse(argument, `must be a string, ${EXAMPLE}`, input ?? String(input));
  const url = input.trim();
  if (url.includes('@')) refuse(argument, 'must not hold credentials');
  const scheme = SCHEME.exec(url)?.[1]?.toLowerCase();
  if (scheme === undefined) refuse(argument, `must begin with http://, https://, unix:// or unixs://, ${EXAMPLE}`, url);
  const address = url.slice(scheme.length + '://'.length);
  if (scheme.startsWith('http')) requireHostPort(address, argument, url);
  else if (address === '') refuse(argument, 'must name a socket, for example unix:///run/etcd/peer.sock', url);
  return url;
}

function requireHostPort(address: string, argument: string, url: string): void {
  if (address.includes('/')) refuse(argument, `must not have a path, not even a closing slash, ${EXAMPLE}`, url);
  const port = Number(HOST_PORT.exec(address)?.[2]);
  if (port >= 1 && port <= 65_535) return;
  refuse(argument, `must be host:port with a port from 1 to 65535, ${EXAMPLE}`, url);
}

function refuse(argument: string, rule: string, value?: unknown): never {
  throw new EtcdInvalidArgumentError(argument, rule, value);
}
