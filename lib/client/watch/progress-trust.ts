/**
 * Whether a member's answers to progress requests can be relied on.
 *
 * Before 3.4.25 and 3.5.8 such an answer may overtake events that it says were sent (etcd #15220): a watch that believed
 * it would lose them. Periodic notices to one watch are fine everywhere.
 */
import type { EtcdError } from '../errors.js';
import { STATUS } from '../rpc/methods.js';
import type { Rpc } from '../rpc/rpc.js';
import { EtcdPermissionDeniedError } from '../server-errors.js';

/** The first patch release of a line whose answers come in order; later lines have it from the start. */
const FIRST_PATCH: Readonly<Record<string, number>> = { '3.4': 25, '3.5': 8 };

/** Whether this release answers progress requests in order. */
export function answersInOrder(version: string): boolean {
  const [, major, minor, patch] = /^(\d+)\.(\d+)\.(\d+)/.exec(version) ?? [];
  if (major === undefined || minor === undefined) return false;
  const first = FIRST_PATCH[`${major}.${minor}`];
  if (first !== undefined) return Number(patch) >= first;
  return Number(major) > 3 || (Number(major) === 3 && Number(minor) >= 6);
}

/**
 * Asks a member for its release.
 *
 * @param memberId who answers on the stream; behind a balancer somebody else may answer the question.
 * @returns false when it cannot be found out.
 */
export async function isTrustworthy(
  rpc: Rpc,
  endpoint: string,
  memberId: string | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const { header, version } = await rpc.unary(STATUS, {}, { endpoint, signal });
    return header?.memberId === memberId && answersInOrder(version);
  } catch (error) {
    // Only releases that answer in order refuse to tell: status needs a permission from 3.4.42 and 3.5.28 on.
    return (error as EtcdError) instanceof EtcdPermissionDeniedError;
  }
}
