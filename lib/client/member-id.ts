/** Member IDs as calls take them: what etcd prints, checked before anything is sent. */
import { EtcdInvalidArgumentError } from './errors.js';

/**
 * A member's ID, checked. On the wire zero stands for "none" or "any", so it is refused here.
 *
 * @throws {EtcdInvalidArgumentError} when it is not 1 to 16 hexadecimal digits, or zero.
 */
export function requireMemberId(value: unknown, argument = 'memberId'): string {
  if (typeof value === 'string' && /^[0-9a-f]{1,16}$/i.test(value) && /[^0]/.test(value)) return value;
  const rule = 'must be the ID of a member in hex without 0x, for example 8e9e05c52164694d';
  throw new EtcdInvalidArgumentError(argument, rule, value === undefined ? 'undefined' : value);
}
