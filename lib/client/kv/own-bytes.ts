/** Copies of the bytes a caller passed, for what is kept past the call that passed them. */
import { copyBytes, KeyRange, keyBytes, toKeyRange, type Key, type KeyRangeLike } from '../key-range.js';

/** `bytes` itself if they were made here, from text; a copy if they are the caller's own array, which may change. */
export function ownBytes(input: unknown, bytes: Uint8Array): Uint8Array {
  return bytes === input ? copyBytes(bytes) : bytes;
}

/**
 * A key's bytes, safe to keep.
 *
 * @throws {EtcdInvalidArgumentError} when the key is empty, or neither text nor bytes.
 */
export function ownKey(key: Key): Uint8Array {
  return ownBytes(key, keyBytes(key));
}

/**
 * A range, safe to keep.
 *
 * @throws {EtcdInvalidArgumentError} when it is an empty key, or neither key nor range.
 */
export function ownRange(input: KeyRangeLike): KeyRange {
  const range = toKeyRange(input);
  return range === input ? range : new KeyRange(ownBytes(input, range.key), range.rangeEnd);
}
