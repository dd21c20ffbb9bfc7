/** Tells when credentials are about to go over a network without TLS. */
import { isInTheClear, type ResolvedOptions } from '../options.js';
import type { Connect } from './transport.js';

/** A connector that tells of the first endpoint to which the client's credentials go in the clear, once. */
export function tellingOfClearText(
  connect: Connect,
  { auth, tls }: Pick<ResolvedOptions, 'auth' | 'tls'>,
  tell: (endpoint: string) => void,
): Connect {
  let isTold = auth === undefined;
  return (endpoint, events) => {
    if (!isTold && isInTheClear(endpoint, tls)) {
      isTold = true;
      tell(endpoint.text);
    }
    return connect(endpoint, events);
  };
}
