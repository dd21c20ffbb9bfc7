/** The 64-bit integers of the wire, as safe numbers and as identifiers in hex; nothing is rounded on the way. */

/** A 64-bit integer as protobuf hands it over: two halves of 32 bits, whose signs mean nothing. */
export interface Int64 {
  readonly low: number;
  readonly high: number;
  readonly unsigned: boolean;
}

const HALF = 2 ** 32;

/** The integer as a number; `undefined` if a number cannot hold it exactly. */
export function toSafeNumber({ low, high, unsigned }: Int64): number | undefined {
  const value = (unsigned ? high >>> 0 : high) * HALF + (low >>> 0);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** The integer in decimal, all digits of it. */
export function toDecimal({ low, high, unsigned }: Int64): string {
  const bits = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
  return (unsigned ? bits : BigInt.asIntN(64, bits)).toString();
}

/** The integer as Go's `%x` prints it: lowercase hex, no padding, a minus sign for a negative one. */
export function toHex({ low, high, unsigned }: Int64): string {
  if (unsigned || high >= 0) return hexOfHalves(high >>> 0, low >>> 0);
  const carry = low === 0 ? 1 : 0;
  return `-${hexOfHalves((~high + carry) >>> 0, -low >>> 0)}`;
}

function hexOfHalves(high: number, low: number): string {
  return high === 0 ? low.toString(16) : high.toString(16) + low.toString(16).padStart(8, '0');
}

/** The integer that the hex means; `undefined` if it is no hex, or does not fit. Leading zeros and capitals are fine. */
export function fromHex(hex: string, unsigned: boolean): Int64 | undefined {
  const [, sign, digits] = /^(-?)0*([0-9a-f]{1,16})$/i.exec(hex) ?? [];
  if (digits === undefined) return undefined;
  const high = digits.length > 8 ? parseInt(digits.slice(0, -8), 16) : 0;
  const low = parseInt(digits.slice(-8), 16);
  if (sign === '') return unsigned || high < HALF / 2 ? { low, high, unsigned } : undefined;
  const isInRange = !unsigned && (high < HALF / 2 || (high === HALF / 2 && low === 0));
  return isInRange ? { low: -low, high: ~high + (low === 0 ? 1 : 0), unsigned } : undefined;
}
