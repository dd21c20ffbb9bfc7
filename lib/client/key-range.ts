/** Keys and ranges of keys: the one notion that get, delete, watch, compare and permissions share. */
import { EtcdInvalidArgumentError } from './errors.js';

/** A key: text (sent as UTF-8) or bytes. Never empty. */
export type Key = string | Uint8Array;

/** A value: text (sent as UTF-8) or bytes. May be empty. */
export type Value = string | Uint8Array;

const encoder = new TextEncoder();
const NONE = new Uint8Array(0);

/** One zero byte: the smallest key and, as a `rangeEnd`, "to the end". A new one each time, since callers can write to it. */
function zero(): Uint8Array {
  return new Uint8Array(1);
}

/**
 * A range of keys: one key, or every key from `key` up to but not including `rangeEnd`.
 *
 * Made by {@link prefix}, {@link range}, {@link fromKey} and {@link allKeys}; a plain key stands for itself.
 * On the wire an empty `rangeEnd` means the one key, and a `rangeEnd` of one zero byte means "to the end".
 */
export class KeyRange {
  /** @internal use the functions of this module, which check what they are given. */
  constructor(
    readonly key: Uint8Array,
    readonly rangeEnd: Uint8Array,
  ) {}

  /** Whether this is one key rather than a span. */
  get isSingleKey(): boolean {
    return this.rangeEnd.byteLength === 0;
  }

  /** Whether `key` lies in this range. */
  contains(key: Uint8Array): boolean {
    if (this.isSingleKey) return compareBytes(key, this.key) === 0;
    return compareBytes(key, this.key) >= 0 && (isToTheEnd(this.rangeEnd) || compareBytes(key, this.rangeEnd) < 0);
  }
}

/** What a range argument may be: one key, or a range made by {@link prefix}, {@link range}, {@link fromKey}, {@link allKeys}. */
export type KeyRangeLike = Key | KeyRange;

function isToTheEnd(rangeEnd: Uint8Array): boolean {
  return rangeEnd.byteLength === 1 && rangeEnd[0] === 0;
}

/** Orders keys as etcd does: byte by byte, unsigned, the shorter first. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}

/**
 * The bytes of a key or value. A passed array is not copied: requests are encoded before the call first waits.
 *
 * @throws {EtcdInvalidArgumentError} when `input` is neither text nor bytes, or is text that UTF-8 cannot carry
 *   (a lone surrogate), which would silently become another key.
 */
export function toBytes(input: unknown, argument: string): Uint8Array {
  if (typeof input === 'string') return encodeText(input, argument);
  if (input instanceof Uint8Array) return input;
  const kind = input === null ? 'null' : typeof input;
  throw new EtcdInvalidArgumentError(argument, `must be a string or a Uint8Array, not ${kind}`);
}

/** The text is not repeated in the error, since it may be a value. */
function encodeText(text: string, argument: string): Uint8Array {
  if (text.isWellFormed()) return encoder.encode(text);
  const at = text.search(/[\ud800-\udfff]/u);
  throw new EtcdInvalidArgumentError(
    argument,
    `must be well-formed text, but has a lone surrogate at character ${at} of ${text.length}`,
  );
}

/** A copy that shares no memory; `slice()` is none on a `Buffer`. */
export function copyBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

/**
 * The bytes of a key.
 *
 * @throws {EtcdInvalidArgumentError} when it is empty, or neither text nor bytes.
 */
export function keyBytes(key: unknown, argument = 'key'): Uint8Array {
  const bytes = toBytes(key, argument);
  if (bytes.length === 0) throw new EtcdInvalidArgumentError(argument, 'must not be empty', key);
  return bytes;
}

/** The first key that comes after `key`. */
export function keyAfter(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.byteLength + 1);
  next.set(key);
  return next;
}

/**
 * The first key after every key that starts with `start`: its last byte below 0xff plus one, what follows cut off.
 * When there is no such byte the range goes to the end, written as one zero byte.
 *
 * @see etcd `clientv3.GetPrefixRangeEnd`
 */
export function prefixRangeEnd(start: Uint8Array): Uint8Array {
  for (let index = start.byteLength - 1; index >= 0; index--) {
    const byte = start[index] as number;
    if (byte < 0xff) {
      const end = copyBytes(start.subarray(0, index + 1));
      end[index] = byte + 1;
      return end;
    }
  }
  return zero();
}

/**
 * Every key that starts with `start`.
 *
 * @throws {EtcdInvalidArgumentError} when `start` is empty: that is the whole store, which {@link allKeys} asks for by name.
 * @see etcd `clientv3.WithPrefix`
 */
export function prefix(start: Key): KeyRange {
  const bytes = toBytes(start, 'prefix');
  if (bytes.byteLength === 0) {
    throw new EtcdInvalidArgumentError('prefix', 'must not be empty; use allKeys() to mean every key', start);
  }
  return new KeyRange(copyBytes(bytes), prefixRangeEnd(bytes));
}

/**
 * Every key from `from` up to but not including `rangeEnd`.
 *
 * @throws {EtcdInvalidArgumentError} when one of them is empty, or `from` is not below `rangeEnd`.
 * @see etcd `clientv3.WithRange`
 */
export function range(from: Key, rangeEnd: Key): KeyRange {
  const start = copyBytes(keyBytes(from, 'from'));
  const end = copyBytes(keyBytes(rangeEnd, 'rangeEnd'));
  if (compareBytes(start, end) >= 0) {
    throw new EtcdInvalidArgumentError('rangeEnd', 'must come after the first key of the range', rangeEnd);
  }
  return new KeyRange(start, end);
}

/**
 * Every key from `from` on, `from` included.
 *
 * @throws {EtcdInvalidArgumentError} when `from` is empty; {@link allKeys} means every key.
 * @see etcd `clientv3.WithFromKey`
 */
export function fromKey(from: Key): KeyRange {
  return new KeyRange(copyBytes(keyBytes(from, 'from')), zero());
}

/** Every key of the store. */
export function allKeys(): KeyRange {
  return new KeyRange(zero(), zero());
}

/**
 * Makes a range of a key, and leaves a range as it is.
 *
 * @throws {EtcdInvalidArgumentError} when it is an empty key, or neither key nor range.
 */
export function toKeyRange(input: KeyRangeLike, argument = 'key'): KeyRange {
  if (input instanceof KeyRange) return input;
  return new KeyRange(keyBytes(input, argument), NONE);
}
