/** Permissions of roles: what is allowed, and on which keys, readable by people and good for further calls. */
import { EtcdInvalidArgumentError } from '../errors.js';
import { compareBytes, KeyRange, prefixRangeEnd } from '../key-range.js';
import type * as wire from '../rpc/generated/messages.js';

/** What a permission allows: `read` covers watches, `write` covers deletes. */
export type PermissionType = 'read' | 'write' | 'readwrite';

/** How a permission's range was most likely meant: what {@link PermissionRange} reads out of its two keys. */
export type PermissionRangeKind = 'key' | 'prefix' | 'fromKey' | 'allKeys' | 'range';

/** A right that a role carries. */
export interface RolePermission {
  /** `UNKNOWN_…` for a type that a newer server knows and this package does not. */
  readonly type: PermissionType | wire.UnknownEnum;
  /** The keys; can be passed to `roleRevokePermission`, `get`, `watch` and whatever else takes a range. */
  readonly range: PermissionRange;
}

const WIRE_TYPES: Readonly<Record<PermissionType, wire.PermissionType>> = {
  read: 'READ',
  write: 'WRITE',
  readwrite: 'READWRITE',
};

const TYPES: Readonly<Record<string, PermissionType>> = { READ: 'read', WRITE: 'write', READWRITE: 'readwrite' };

const decoder = new TextDecoder();

/** A range of keys with its text, as permissions come back. */
export class PermissionRange extends KeyRange {
  /**
   * Read out of the keys, since etcd does not keep how a range was asked for: `prefix('a')` and `range('a', 'b')` are
   * the same two keys, and are called `prefix`.
   */
  get kind(): PermissionRangeKind {
    if (this.isSingleKey) return 'key';
    if (isZeroByte(this.rangeEnd)) return this.key.byteLength === 0 || isZeroByte(this.key) ? 'allKeys' : 'fromKey';
    return compareBytes(this.rangeEnd, prefixRangeEnd(this.key)) === 0 ? 'prefix' : 'range';
  }

  /** The key, or the first key of the range, as text; bytes that are not UTF-8 show as U+FFFD, `key` has them exactly. */
  get keyText(): string {
    return decoder.decode(this.key);
  }

  /** The end of the range, not part of it, as text; empty for a single key, one zero byte for "to the end". */
  get rangeEndText(): string {
    return decoder.decode(this.rangeEnd);
  }

  /** For people, for example `prefix "app/"` or `range "a" to "m"`. */
  override toString(): string {
    const key = JSON.stringify(this.keyText);
    switch (this.kind) {
      case 'allKeys':
        return 'all keys';
      case 'range':
        return `range ${key} to ${JSON.stringify(this.rangeEndText)}`;
      case 'fromKey':
        return `from key ${key}`;
      case 'key':
      case 'prefix':
        return `${this.kind} ${key}`;
    }
  }

  /** Text instead of bytes, so that a controller can return permissions as they are. */
  toJSON(): { readonly kind: PermissionRangeKind; readonly key: string; readonly rangeEnd: string } {
    return { kind: this.kind, key: this.keyText, rangeEnd: this.rangeEndText };
  }
}

function isZeroByte(bytes: Uint8Array): boolean {
  return bytes.byteLength === 1 && bytes[0] === 0;
}

/** A permission as the request carries it. */
export function toWirePermission(type: PermissionType, { key, rangeEnd }: KeyRange): wire.PermissionInput {
  if (!Object.hasOwn(WIRE_TYPES, type)) {
    throw new EtcdInvalidArgumentError('type', "must be 'read', 'write' or 'readwrite'", type);
  }
  return { permType: WIRE_TYPES[type], key, rangeEnd };
}

/** A permission as the answer carries it. */
export function toRolePermission({ permType, key, rangeEnd }: wire.Permission): RolePermission {
  return {
    type: TYPES[permType] ?? (permType as wire.UnknownEnum),
    range: new PermissionRange(key, rangeEnd),
  };
}
