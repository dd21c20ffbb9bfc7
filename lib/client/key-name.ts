/** Keys as strings that name them in maps: one character per byte, so that no two keys share one, and they sort as keys do. */
import { keyBytes, type Key } from './key-range.js';

/** The bytes of these keys and their names are the same. It is what most keys are, and spares the way over bytes. */
const ASCII = /^[\0-\x7f]+$/;

/** The name of a key that came from etcd, or was made bytes before. */
export function nameOfBytes(bytes: Uint8Array): string {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return buffer.toString('latin1');
}

/**
 * The name of a key as a caller gives it.
 *
 * @throws {EtcdInvalidArgumentError} when it is empty, or neither text nor bytes.
 */
export function nameOfKey(key: Key): string {
  return typeof key === 'string' && ASCII.test(key) ? key : nameOfBytes(keyBytes(key));
}
