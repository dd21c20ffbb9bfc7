/** Where the socket of an endpoint goes to. */
import type { Endpoint } from '../endpoint.js';

/** In the words of `net.connect`. */
export type Address = { readonly path: string } | { readonly host: string; readonly port: number };

/** What to dial for an endpoint. */
export function addressOf({ address }: Endpoint): Address {
  if (address.startsWith('unix:')) return { path: address.slice('unix:'.length).replace(/^\/\//, '') };
  const at = address.lastIndexOf(':');
  return { host: address.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(address.slice(at + 1)) };
}
