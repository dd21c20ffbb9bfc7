/** Where the keys of a namespace lie in the store: in front of each stands the prefix. Arithmetic on bytes, and nothing else. */
import { EtcdProtocolError } from '../errors.js';
import { copyBytes, keyBytes, KeyRange, prefixRangeEnd, type Key } from '../key-range.js';

/**
 * The part of the store whose keys start with a prefix, without the prefix itself as a key: inside it would be the empty
 * key, which etcd does not know.
 *
 * Bytes are compared from the left, so a prefix in front of all keys changes nothing about their order. Only two ends of
 * ranges are special: none (the one key), which stays none, and "to the end", which is the end of the namespace.
 */
export class Keyspace {
  private readonly prefixBytes: Uint8Array;
  /** The first key after the namespace; one zero byte, which means "to the end", when there is none. */
  private readonly end: Uint8Array;

  /** @throws {EtcdInvalidArgumentError} when the prefix is empty, or neither text nor bytes. */
  constructor(prefix: Key) {
    this.prefixBytes = copyBytes(keyBytes(prefix, 'prefix'));
    this.end = prefixRangeEnd(this.prefixBytes);
  }

  /** What stands in front of each key. A copy. */
  get prefix(): Uint8Array {
    return copyBytes(this.prefixBytes);
  }

  /** A namespace of this namespace. */
  inside(prefix: Key): Keyspace {
    return new Keyspace(this.toStore(keyBytes(prefix, 'prefix')));
  }

  /**
   * The key as the store has it.
   *
   * @throws {EtcdInvalidArgumentError} when it is empty, which would address the prefix itself.
   */
  toStore(key: Uint8Array | undefined): Uint8Array {
    const own = keyBytes(key ?? '');
    const stored = new Uint8Array(this.prefixBytes.byteLength + own.byteLength);
    stored.set(this.prefixBytes);
    stored.set(own, this.prefixBytes.byteLength);
    return stored;
  }

  /** The end of a range as the store has it. */
  rangeEndToStore(rangeEnd: Uint8Array | undefined): Uint8Array | undefined {
    if (rangeEnd === undefined || rangeEnd.byteLength === 0) return rangeEnd;
    return rangeEnd.byteLength === 1 && rangeEnd[0] === 0 ? this.end : this.toStore(rangeEnd);
  }

  /** The range as the store has it. */
  rangeToStore({ key, rangeEnd }: KeyRange): KeyRange {
    return new KeyRange(this.toStore(key), this.rangeEndToStore(rangeEnd) ?? rangeEnd);
  }

  /** Whether a key of the store is one of the namespace. */
  holds(stored: Uint8Array): boolean {
    const { byteLength } = this.prefixBytes;
    return stored.byteLength > byteLength && Buffer.compare(stored.subarray(0, byteLength), this.prefixBytes) === 0;
  }

  /**
   * The key of the store as it is called in the namespace: a view of the same memory.
   *
   * @throws {EtcdProtocolError} when it is no key of the namespace. It is not named: it is somebody else's.
   */
  fromStore(stored: Uint8Array): Uint8Array {
    if (this.holds(stored)) return stored.subarray(this.prefixBytes.byteLength);
    throw new EtcdProtocolError(
      'an answer holds a key outside of the namespace that was asked; does something on the way to etcd change keys?',
    );
  }
}
