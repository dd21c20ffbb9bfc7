/** The checks that the arguments of KV calls share. Each runs before anything is sent. */
import { EtcdInvalidArgumentError } from '../errors.js';
import { fromHex } from '../rpc/int64.js';

/**
 * A revision, limit or count, if it is given.
 *
 * @throws {EtcdInvalidArgumentError} when it is not a whole number from `min` to `Number.MAX_SAFE_INTEGER`.
 */
export function optionalWholeNumber(argument: string, value: number | undefined, min = 0): number | undefined {
  return value === undefined ? undefined : requireWholeNumber(argument, value, min);
}

/**
 * A revision, limit or count.
 *
 * @throws {EtcdInvalidArgumentError} when it is not a whole number from `min` to `Number.MAX_SAFE_INTEGER`.
 */
export function requireWholeNumber(argument: string, value: unknown, min = 0): number {
  if (Number.isSafeInteger(value) && (value as number) >= min) return value as number;
  const rule = `must be a whole number from ${min} to ${Number.MAX_SAFE_INTEGER}`;
  throw new EtcdInvalidArgumentError(argument, rule, value ?? String(value));
}

/**
 * A lease's ID, if it is given.
 *
 * @throws {EtcdInvalidArgumentError} when it is not a signed 64-bit number in hex.
 */
export function optionalLease(argument: string, value: string | undefined): string | undefined {
  return value === undefined ? undefined : requireLease(argument, value);
}

/**
 * A lease's ID.
 *
 * @throws {EtcdInvalidArgumentError} when it is not a signed 64-bit number in hex.
 */
export function requireLease(argument: string, value: unknown): string {
  if (typeof value === 'string' && fromHex(value, false) !== undefined) return value;
  const rule = 'must be the ID of a lease: a signed 64-bit number in hex without 0x, as etcdctl prints it';
  throw new EtcdInvalidArgumentError(argument, rule, value ?? String(value));
}

/** Refuses an option that contradicts another one. */
export function refuseTogether(argument: string, isGiven: boolean, other: string): void {
  if (isGiven) throw new EtcdInvalidArgumentError(argument, `cannot be combined with ${other}`);
}
