/** Ranges of permissions: what they were meant as, and how they show. */
import { describe, expect, it } from '@jest/globals';
import { PermissionRange, toRolePermission } from '../../../lib/client/auth/permission.js';
import { allKeys, fromKey, KeyRange, prefix, range, toKeyRange } from '../../../lib/client/key-range.js';

const asPermission = ({ key, rangeEnd }: KeyRange): PermissionRange => new PermissionRange(key, rangeEnd);
const NONE = new Uint8Array(0);
const ZERO = new Uint8Array([0]);

describe('PermissionRange', () => {
  it.each([
    ['one key', toKeyRange('a'), 'key', 'key "a"'],
    ['a prefix', prefix('app/'), 'prefix', 'prefix "app/"'],
    ['a range', range('a', 'm'), 'range', 'range "a" to "m"'],
    ['everything from a key on', fromKey('x'), 'fromKey', 'from key "x"'],
    ['all keys', allKeys(), 'allKeys', 'all keys'],
    ['all keys, as the role root has them', new KeyRange(NONE, ZERO), 'allKeys', 'all keys'],
    ['a range of the two keys of a prefix', range('a', 'b'), 'prefix', 'prefix "a"'],
    ['a prefix of 0xff bytes, which goes to the end', prefix(new Uint8Array([255])), 'fromKey', 'from key "\ufffd"'],
  ])('reads %s out of its keys', (_what, keys, kind, text) => {
    const permission = asPermission(keys);

    expect(permission.kind).toBe(kind);
    expect(String(permission)).toBe(text);
  });

  it('is a range like any other', () => {
    const permission = asPermission(prefix('app/'));

    expect(toKeyRange(permission)).toBe(permission);
    expect(permission.contains(Buffer.from('app/x'))).toBe(true);
    expect(permission.contains(Buffer.from('apps'))).toBe(false);
  });

  it('shows as text in JSON, and keeps bytes that are no text', () => {
    const key = new Uint8Array([0x61, 0xfe]);
    const permission = new PermissionRange(key, NONE);

    expect(JSON.parse(JSON.stringify(permission))).toEqual({ kind: 'key', key: 'a\ufffd', rangeEnd: '' });
    expect(permission.key).toEqual(key);
  });
});

describe('toRolePermission', () => {
  it.each([
    ['READ', 'read'],
    ['WRITE', 'write'],
    ['READWRITE', 'readwrite'],
    ['UNKNOWN_5', 'UNKNOWN_5'],
  ] as const)('calls %s %s', (permType, type) => {
    expect(toRolePermission({ permType, key: ZERO, rangeEnd: NONE }).type).toBe(type);
  });
});
