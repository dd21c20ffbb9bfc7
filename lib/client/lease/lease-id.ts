/** Lease IDs: made at random, and checked before they are sent. */
import { randomBytes } from 'node:crypto';
import { EtcdInvalidArgumentError } from '../errors.js';
import { fromHex, toHex, type Int64 } from '../rpc/int64.js';

const POSITIVE = 'must be the ID of a lease: 1 to 7fffffffffffffff in hex without 0x, as etcdctl prints it';
const SIGNED =
  'must be the ID of a lease: a signed 64-bit number in hex without 0x, other than 0, as etcdctl prints it';

/** A fresh ID of 63 random bits: nobody else has it. */
export function randomLeaseId(): string {
  for (;;) {
    const bytes = randomBytes(8);
    const id = { high: bytes.readUInt32BE(0) >>> 1, low: bytes.readUInt32BE(4), unsigned: false };
    if (!isZero(id)) return toHex(id);
  }
}

/**
 * The ID of a lease that may exist, in the form in which answers name it.
 *
 * @throws {EtcdInvalidArgumentError} when it is not a signed 64-bit number in hex, or 0.
 */
export function requireLeaseId(value: unknown): string {
  const id = read(value);
  if (id === undefined || isZero(id)) throw refusal(SIGNED, value);
  return toHex(id);
}

/**
 * The ID a lease shall get. Negative ones are refused: older servers corrupt their database over them (etcd #14239).
 *
 * @throws {EtcdInvalidArgumentError} when it is not a number from 1 to 2^63 - 1 in hex.
 */
export function requireNewLeaseId(value: unknown): string {
  const id = read(value);
  if (id === undefined || isZero(id) || id.high < 0) throw refusal(POSITIVE, value);
  return toHex(id);
}

function read(value: unknown): Int64 | undefined {
  return typeof value === 'string' ? fromHex(value, false) : undefined;
}

function isZero({ low, high }: Int64): boolean {
  return low === 0 && high === 0;
}

function refusal(rule: string, value: unknown): EtcdInvalidArgumentError {
  return new EtcdInvalidArgumentError('id', rule, value ?? String(value));
}
