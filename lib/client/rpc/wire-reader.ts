/** Reads protobuf's encoding: the generated decoders ask it for one value after the other. */
import { EtcdProtocolError } from '../errors.js';
import { toDecimal, toHex, toSafeNumber, type Int64 } from './int64.js';

/** The kinds of fields on the wire, which are the lowest three bits of a tag. */
const WireType = { varint: 0, fixed64: 1, bytes: 2, groupStart: 3, groupEnd: 4, fixed32: 5 } as const;

const FIXED_BYTES = { [WireType.fixed64]: 8, [WireType.fixed32]: 4 } as const;
/** As deep as protobuf's own libraries go. */
const MAX_DEPTH = 100;
const CUT_OFF = 'it ends in the middle of a field';

/** Bytes of a field that is not there. */
export const NO_BYTES: Uint8Array = Buffer.alloc(0);

/**
 * A place in the bytes of a message. Reading moves it on.
 *
 * What a decoder does with it: `end` is where its message ends; until `position` is there, `tag()` and the method that
 * fits it, or `skip()`; then `finish(end)`. Every method throws for bytes that are no protobuf.
 */
export class WireReader {
  position = 0;
  private depth = 0;
  // The halves of the varint that was read last.
  private low = 0;
  private high = 0;

  constructor(private readonly buffer: Buffer) {}

  /** The next tag: the number of a field, and in the lowest three bits its kind. */
  tag(): number {
    const tag = this.uint32();
    if (tag >>> 3 === 0) throw new Error('it has a field with the number 0');
    return tag;
  }

  /** Begins a message within this one. @returns where it ends. */
  begin(): number {
    this.depth += 1;
    if (this.depth > MAX_DEPTH) throw new Error(`it is nested more than ${MAX_DEPTH} deep`);
    return this.bytesEnd();
  }

  /** Ends a message that {@link begin} began. */
  finish(end: number): void {
    this.depth -= 1;
    if (this.position !== end) throw new Error(CUT_OFF);
  }

  /** The bytes of a field: a view of the message, not a copy. */
  bytes(): Buffer {
    const end = this.bytesEnd();
    const bytes = this.buffer.subarray(this.position, end);
    this.position = end;
    return bytes;
  }

  string(): string {
    const end = this.bytesEnd();
    const text = this.buffer.toString('utf8', this.position, end);
    this.position = end;
    return text;
  }

  bool(): boolean {
    this.varint();
    return (this.low | this.high) !== 0;
  }

  /**
   * A signed number.
   *
   * @param label the field, for the error.
   * @throws {EtcdProtocolError} when a number cannot hold it exactly.
   */
  int64(label: string): number {
    return this.number(false, label);
  }

  /** A number without a sign. @see int64 */
  uint64(label: string): number {
    return this.number(true, label);
  }

  /** A number of 32 bits without a sign. */
  uint32(): number {
    const first = this.buffer[this.position];
    if (first !== undefined && first < 0x80) {
      this.position += 1;
      return first;
    }
    this.varint();
    return this.low;
  }

  /** A signed identifier in hex. */
  int64Id(): string {
    return this.identifier(false);
  }

  /** An identifier without a sign, in hex. */
  uint64Id(): string {
    return this.identifier(true);
  }

  /** @param names the values of the enum by their numbers. A value that a newer server knows is `UNKNOWN_` and its number. */
  enumeration<Name extends string>(names: readonly Name[]): Name | `UNKNOWN_${number}` {
    this.varint();
    return names[this.low] ?? `UNKNOWN_${this.low | 0}`;
  }

  /** Passes over a field that this package does not know. */
  skip(tag: number): void {
    const wireType = tag & 7;
    switch (wireType) {
      case WireType.varint:
        return this.varint();
      case WireType.bytes:
        this.position = this.bytesEnd();
        return;
      case WireType.fixed64:
      case WireType.fixed32:
        return this.advance(FIXED_BYTES[wireType]);
      case WireType.groupStart:
        return this.skipGroup();
      default:
        throw new Error(`it has a field of the kind ${wireType}, which protobuf does not have`);
    }
  }

  private skipGroup(): void {
    this.depth += 1;
    if (this.depth > MAX_DEPTH) throw new Error(`it is nested more than ${MAX_DEPTH} deep`);
    for (let tag = this.tag(); (tag & 7) !== WireType.groupEnd; tag = this.tag()) this.skip(tag);
    this.depth -= 1;
  }

  private advance(byteCount: number): void {
    this.position += byteCount;
    if (this.position > this.buffer.length) throw new Error(CUT_OFF);
  }

  /** Reads a length. @returns where what it counts ends. */
  private bytesEnd(): number {
    const end = this.uint32() + this.position;
    if (end > this.buffer.length) throw new Error(CUT_OFF);
    return end;
  }

  private number(unsigned: boolean, label: string): number {
    this.varint();
    const { low, high } = this;
    return high === 0 ? low : exactNumber({ low, high, unsigned }, label);
  }

  private identifier(unsigned: boolean): string {
    this.varint();
    return hexOf(this.low, this.high, unsigned);
  }

  /** Seven bits a byte, lowest first; the highest bit of a byte says whether another one follows. */
  private varint(): void {
    let low = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.byte();
      low |= (byte & 0x7f) << shift;
      if (byte < 0x80) return this.setHalves(low, 0);
    }
    const middle = this.byte();
    low |= (middle & 0x0f) << 28;
    let high = (middle & 0x7f) >>> 4;
    if (middle < 0x80) return this.setHalves(low, high);
    for (let shift = 3; shift < 35; shift += 7) {
      const byte = this.byte();
      high |= (byte & 0x7f) << shift;
      if (byte < 0x80) return this.setHalves(low, high);
    }
    throw new Error('it has a number of more than 64 bits');
  }

  private setHalves(low: number, high: number): void {
    this.low = low >>> 0;
    this.high = high;
  }

  private byte(): number {
    const byte = this.buffer[this.position];
    if (byte === undefined) throw new Error(CUT_OFF);
    this.position += 1;
    return byte;
  }
}

function exactNumber(value: Int64, label: string): number {
  const number = toSafeNumber(value);
  if (number !== undefined) return number;
  throw new EtcdProtocolError(`${label} is ${toDecimal(value)}, more than a number can hold exactly`);
}

interface KnownHex {
  readonly low: number;
  readonly high: number;
  readonly unsigned: boolean;
  readonly hex: string;
}

const KNOWN_COUNT = 256;
const known: (KnownHex | undefined)[] = Array.from({ length: KNOWN_COUNT });

/**
 * Every answer names its cluster and its member, and every key its lease: few identifiers, again and again. The text of
 * one that came before is found, not made.
 */
function hexOf(low: number, high: number, unsigned: boolean): string {
  if (low === 0 && high === 0) return '0';
  const place = (low ^ (low >>> 16) ^ high) & (KNOWN_COUNT - 1);
  const before = known[place];
  if (before?.low === low && before.high === high && before.unsigned === unsigned) return before.hex;
  const hex = toHex({ low, high, unsigned });
  known[place] = { low, high, unsigned, hex };
  return hex;
}
