/** The header of an answer: who answered, and how far the store was by then. */
import { EtcdProtocolError } from '../errors.js';
import type * as wire from './generated/messages.js';
import type { MethodInfo } from './rpc.js';

/** Who answered, and how far the store was by then. */
export type ResponseHeader = wire.ResponseHeader;

/**
 * The header of an answer of `method`.
 *
 * @throws {EtcdProtocolError} when there is none; a write was most likely applied all the same.
 */
export function headerOf(
  { label, effect }: MethodInfo,
  { header }: { readonly header: wire.ResponseHeader | null },
): ResponseHeader {
  if (header !== null) return header;
  throw new EtcdProtocolError('the answer has no header', {
    method: label,
    attempts: 1,
    outcome: effect === 'write' ? 'unknown' : undefined,
  });
}
