/** What grpc-js says when it ends a call or an attempt to connect by itself, and what that proves. */
import { readableReason } from '../connect-failure.js';
import type { RpcStatus } from '../transport.js';

/**
 * A request that never left, and one on a stream that HTTP/2 calls refused: by GOAWAY, as a server or a proxy winds a
 * connection down, or by RST_STREAM. Nobody has begun to carry it out (RFC 9113, section 8.7).
 */
const UNSENT = /^(?:Stream refused by server|Failed to start HTTP\/2 stream|Channel closed before call started)/;
/** A stream that was torn down in the middle, for example by a proxy or a broken connection. */
const BROKEN = /^(?:Received RST_STREAM|Connection dropped|Bandwidth exhausted|(?:read|write) E(?:CONNRESET|TIMEDOUT))/;

/** The status with what it proves. A server's own words are told from grpc-js's by nothing but the words. */
export function understood(status: RpcStatus): RpcStatus {
  const { code, details } = status;
  if (UNSENT.test(details)) return { code, details, cut: 'unsent' };
  return BROKEN.test(details) ? { code, details, cut: 'broken' } : status;
}

/** Cuts the cause out of `No connection established. Last error: …. Resolution note: …`. */
export function connectFailure(details: string): string {
  const parts = /Last error: ([\s\S]*?)\.? Resolution note:\s*([\s\S]*)$/.exec(details);
  if (parts === null) return details;
  const [, error = '', note = ''] = parts;
  if (error === 'null' || error === '') return note.trim() || details;
  const withoutTime = error.replace(/\(\d{4}-\d\d-\d\dT[^)]*\)\s*$/, '').replace(/^Error: /, '');
  return readableReason(withoutTime.trim());
}
