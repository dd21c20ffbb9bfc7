/** What the value of a field has to be before it is sent, and the errors for what it must not be. */
import { EtcdInvalidArgumentError } from '../errors.js';
import { fromHex, type Int64 } from './int64.js';

/** Refuses what is no whole number, or none between these two. */
export function requireInteger(value: unknown, min: number, max: number, label: string): number {
  if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max) return value as number;
  throw new EtcdInvalidArgumentError(label, `must be a whole number from ${min} to ${max}`, value);
}

/** Refuses what is no identifier in hex. */
export function requireIdentifier(value: unknown, unsigned: boolean, label: string): Int64 {
  const id = typeof value === 'string' ? fromHex(value, unsigned) : undefined;
  if (id !== undefined) return id;
  const rule = `must be ${unsigned ? 'an unsigned' : 'a signed'} 64-bit identifier in hex without 0x`;
  throw new EtcdInvalidArgumentError(label, rule, value);
}

/** @returns the number of a value of an enum, also of one that only a newer server knows: `UNKNOWN_` and its number. */
export function requireEnumValue(value: unknown, numbers: ReadonlyMap<string, number>, label: string): number {
  const known = typeof value === 'string' ? (numbers.get(value) ?? unknownEnumNumber(value)) : undefined;
  if (known !== undefined) return known;
  throw new EtcdInvalidArgumentError(label, `must be one of ${[...numbers.keys()].join(', ')}`, value);
}

function unknownEnumNumber(name: string): number | undefined {
  const number = Number(/^UNKNOWN_(-?\d{1,10})$/.exec(name)?.[1]);
  return number === (number | 0) ? number : undefined;
}

/** A string would pass for base64 elsewhere; and an error must not show a value or a password, so it names the type only. */
export function requireBytes(value: unknown, label: string): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw wrongType('a Uint8Array', value, label);
}

export function requireBoolean(value: unknown, label: string): boolean {
  if (typeof value === 'boolean') return value;
  throw wrongType('a boolean', value, label);
}

export function requireString(value: unknown, label: string): string {
  if (typeof value === 'string') return value;
  throw wrongType('a string', value, label);
}

export function requireArray(value: unknown, label: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw wrongType('an array', value, label);
}

/** @param label the message's name. */
export function requireMessage(value: unknown, label: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null) return value as Readonly<Record<string, unknown>>;
  throw wrongType('an object', value, label);
}

/** The error for a message of which more than one of these fields is set, where it can be only one. */
export function severalSet(
  message: string,
  own: Readonly<Record<string, unknown>>,
  choices: readonly string[],
): EtcdInvalidArgumentError {
  const set = choices.filter((field) => own[field] != null && Object.hasOwn(own, field));
  return new EtcdInvalidArgumentError(message, `must have one of ${set.join(', ')}, not all of them`);
}

function wrongType(rule: string, value: unknown, label: string): EtcdInvalidArgumentError {
  return new EtcdInvalidArgumentError(label, `must be ${rule}, not ${value === null ? 'null' : typeof value}`);
}
