/** Writes protobuf's encoding: the generated encoders give it one field after the other, and it refuses what a field cannot hold. */
import {
  requireArray,
  requireBoolean,
  requireBytes,
  requireEnumValue,
  requireIdentifier,
  requireInteger,
  requireString,
} from './field-rules.js';

/** Writes the fields of a message. */
export type WriteMessage = (to: WireWriter, message: unknown) => void;

/** Many small requests share a piece of memory. */
const SLAB_BYTES = 16_384;
/** The most that a tag, or a length, and a number take. */
const SCALAR_BYTES = 5 + 10;
const HALF = 2 ** 32;
const NO_SLAB = Buffer.alloc(0);

/**
 * Writes one message at a time, without copying it afterwards: what {@link take} returns is a view of the memory it was
 * written to, which is not written to again.
 *
 * A tag is the number of a field times 8 plus its kind. The methods throw `EtcdInvalidArgumentError`, which names the
 * field by `label`, for a value that it cannot hold.
 */
export class WireWriter {
  private slab = NO_SLAB;
  private start = 0;
  private position = 0;

  /** Begins a message; what an unfinished one left is overwritten. */
  begin(): void {
    this.position = this.start;
  }

  /** The message that was written. */
  take(): Buffer {
    const message = this.slab.subarray(this.start, this.position);
    // A large message had memory made for it alone, which lives no longer than the message.
    const isShared = this.slab.length === SLAB_BYTES;
    this.start = isShared ? this.position : 0;
    if (!isShared) this.slab = NO_SLAB;
    return message;
  }

  int64(tag: number, value: unknown, label: string): void {
    this.number(tag, requireInteger(value, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, label));
  }

  int64Id(tag: number, value: unknown, label: string): void {
    const { low, high } = requireIdentifier(value, false, label);
    this.reserve(SCALAR_BYTES);
    this.varint(tag);
    this.halves(low, high);
  }

  uint64Id(tag: number, value: unknown, label: string): void {
    const { low, high } = requireIdentifier(value, true, label);
    this.reserve(SCALAR_BYTES);
    this.varint(tag);
    this.halves(low, high);
  }

  bool(tag: number, value: unknown, label: string): void {
    const flag = requireBoolean(value, label);
    this.reserve(SCALAR_BYTES);
    this.varint(tag);
    this.varint(flag ? 1 : 0);
  }

  enumeration(tag: number, value: unknown, numbers: ReadonlyMap<string, number>, label: string): void {
    this.number(tag, requireEnumValue(value, numbers, label));
  }

  /** A list of enums, packed: one field that holds them all. */
  enumerations(tag: number, value: unknown, numbers: ReadonlyMap<string, number>, label: string): void {
    const values = requireArray(value, label).map((element) => requireEnumValue(element, numbers, label));
    if (values.length === 0) return;
    this.nested(tag, () => {
      for (const element of values) {
        this.reserve(SCALAR_BYTES);
        this.integer(element);
      }
    });
  }

  /**
   * Bytes that are not sent when there are none, as protobuf's rules say for a field with its default value. Here it
   * matters: of a range end that is there but empty, etcd makes "every key from `key` on", where none at all means the
   * one key.
   */
  bytes(tag: number, value: unknown, label: string): void {
    const bytes = requireBytes(value, label);
    if (bytes.length > 0) this.copy(tag, bytes);
  }

  /** Bytes of which it says something that they are there, also when there are none. */
  chosenBytes(tag: number, value: unknown, label: string): void {
    this.copy(tag, requireBytes(value, label));
  }

  string(tag: number, value: unknown, label: string): void {
    this.text(tag, requireString(value, label));
  }

  /** A list of strings, one field for each. */
  strings(tag: number, value: unknown, label: string): void {
    for (const element of requireArray(value, label)) this.text(tag, requireString(element, label));
  }

  message(tag: number, value: unknown, write: WriteMessage): void {
    this.nested(tag, write, value);
  }

  /** A list of messages, one field for each. */
  messages(tag: number, value: unknown, write: WriteMessage, label: string): void {
    for (const element of requireArray(value, label)) this.nested(tag, write, element);
  }

  private copy(tag: number, bytes: Uint8Array): void {
    this.reserve(SCALAR_BYTES + bytes.length);
    this.varint(tag);
    this.varint(bytes.length);
    this.slab.set(bytes, this.position);
    this.position += bytes.length;
  }

  private text(tag: number, text: string): void {
    const byteCount = Buffer.byteLength(text);
    this.reserve(SCALAR_BYTES + byteCount);
    this.varint(tag);
    this.varint(byteCount);
    this.position += this.slab.write(text, this.position);
  }

  /** The length comes first and is known last: there is room for the one byte that it mostly takes, and more is made. */
  private nested(tag: number, write: WriteMessage, value?: unknown): void {
    this.reserve(SCALAR_BYTES);
    this.varint(tag);
    this.position += 1;
    const before = this.position - this.start; // An offset: the message may move to another slab.
    write(this, value);
    const length = this.position - this.start - before;
    const extraBytes = varintBytes(length) - 1;
    if (extraBytes > 0) this.moveUp(this.start + before, extraBytes);
    const end = this.position;
    this.position = this.start + before - 1;
    this.varint(length);
    this.position = end;
  }

  private moveUp(from: number, byteCount: number): void {
    const offset = from - this.start;
    this.reserve(byteCount);
    const place = this.start + offset;
    this.slab.copyWithin(place + byteCount, place, this.position);
    this.position += byteCount;
  }

  private number(tag: number, value: number): void {
    this.reserve(SCALAR_BYTES);
    this.varint(tag);
    this.integer(value);
  }

  /** A negative number has 64 bits of two's complement. */
  private integer(value: number): void {
    if (value >= 0 && value < HALF) return this.varint(value);
    const low = value >>> 0;
    this.halves(low, (value - low) / HALF);
  }

  /** A number from 0 to 2^32 - 1, seven bits a byte, lowest first. */
  private varint(value: number): void {
    let rest = value;
    while (rest > 0x7f) {
      this.slab[this.position++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.slab[this.position++] = rest;
  }

  private halves(low: number, high: number): void {
    let lowRest = low >>> 0;
    let highRest = high >>> 0;
    while (highRest > 0) {
      this.slab[this.position++] = (lowRest & 0x7f) | 0x80;
      lowRest = ((lowRest >>> 7) | (highRest << 25)) >>> 0;
      highRest >>>= 7;
    }
    this.varint(lowRest);
  }

  /** Makes room. A message that does not fit any more moves to a slab of its own, or to the next one. */
  private reserve(byteCount: number): void {
    if (this.position + byteCount <= this.slab.length) return;
    const written = this.position - this.start;
    const next = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, 2 * written + byteCount));
    this.slab.copy(next, 0, this.start, this.position);
    this.slab = next;
    this.start = 0;
    this.position = written;
  }
}

function varintBytes(value: number): number {
  let count = 1;
  for (let rest = value; rest > 0x7f; rest >>>= 7) count += 1;
  return count;
}
