/** Where the keys of a namespace lie: the arithmetic of prefixes and of ends of ranges, whatever bytes they are made of. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { EtcdInvalidArgumentError, EtcdProtocolError } from '../../../lib/client/errors.js';
import { allKeys, compareBytes, fromKey, KeyRange, prefix, range } from '../../../lib/client/key-range.js';
import { Keyspace } from '../../../lib/client/namespace/keyspace.js';

const NONE = new Uint8Array(0);
const bytes = (...data: number[]): Uint8Array => Uint8Array.from(data);
const text = (data: Uint8Array): string => Buffer.from(data).toString('latin1');

/** Few different bytes, those at the ends among them, so that prefixes, equal keys and runs of 0xff come up often. */
const byte = fc.constantFrom(0x00, 0x01, 0x61, 0xfe, 0xff);
const anyKey = fc
  .uint8Array({ minLength: 1, maxLength: 4 })
  .chain(({ length }) => fc.array(byte, { minLength: length, maxLength: length }).map((data) => Uint8Array.from(data)));
const anyRange = fc.oneof(
  anyKey.map((key) => new KeyRange(key, NONE)),
  anyKey.map(prefix),
  anyKey.map(fromKey),
  fc.constant(allKeys()),
  fc
    .tuple(anyKey, anyKey)
    .filter(([a, b]) => compareBytes(a, b) !== 0)
    .map(([a, b]) => (compareBytes(a, b) < 0 ? range(a, b) : range(b, a))),
);

describe('A key in a namespace', () => {
  it('comes back as it went out, and lies in the namespace (F11)', () => {
    fc.assert(
      fc.property(anyKey, anyKey, (start, key) => {
        const space = new Keyspace(start);
        const stored = space.toStore(key);

        expect(space.fromStore(stored)).toEqual(key);
        expect(space.holds(stored)).toBe(true);
        expect(prefix(start).contains(stored)).toBe(true);
      }),
    );
  });

  it('keeps its place among the others', () => {
    fc.assert(
      fc.property(anyKey, anyKey, anyKey, (start, a, b) => {
        const space = new Keyspace(start);

        expect(Math.sign(compareBytes(space.toStore(a), space.toStore(b)))).toBe(Math.sign(compareBytes(a, b)));
      }),
    );
  });

  it('is never empty: that would be the prefix itself', () => {
    const space = new Keyspace('app/');

    expect(() => space.toStore(NONE)).toThrow(EtcdInvalidArgumentError);
    expect(() => space.toStore(undefined)).toThrow('argument key must not be empty');
    expect(space.holds(Buffer.from('app/'))).toBe(false);
  });

  it('is refused when it lies outside, and not named: it is somebody else’s', () => {
    const space = new Keyspace('app/');

    for (const foreign of ['secret/1', 'app', 'app/', 'apq/1', '']) {
      expect(() => space.fromStore(Buffer.from(foreign))).toThrow(EtcdProtocolError);
      expect(() => space.fromStore(Buffer.from(foreign))).not.toThrow(/secret|app\//);
    }
  });

  it('does not change when its maker changes the bytes of the prefix', () => {
    const start = bytes(0x61, 0x2f);
    const space = new Keyspace(start);

    start.fill(0);
    space.prefix.fill(0);

    expect(text(space.toStore(Buffer.from('k')))).toBe('a/k');
  });
});

describe('A range in a namespace', () => {
  it.each<[string, KeyRange, string, KeyRange, string]>([
    ['one key', new KeyRange(bytes(1), NONE), 'p', new KeyRange(Buffer.from('p\x01'), NONE), 'one key'],
    ['a range', range('a', 'm'), 'p/', range('p/a', 'p/m'), 'a range'],
    ['a prefix', prefix('a/'), 'p/', prefix('p/a/'), 'a prefix'],
    ['everything from a key on', fromKey('a'), 'p/', range('p/a', 'p0'), 'up to the end of the namespace'],
    [
      'a prefix of 0xff',
      prefix(bytes(0xff)),
      'p/',
      new KeyRange(Buffer.from('p/\xff', 'latin1'), Buffer.from('p0')),
      'up to its end',
    ],
    ['all keys', allKeys(), 'p/', new KeyRange(Buffer.from('p/\0'), Buffer.from('p0')), 'all of the namespace'],
    [
      'all keys',
      allKeys(),
      'p\xff',
      new KeyRange(Buffer.from('p\xff\0', 'latin1'), Buffer.from('q')),
      'cutting 0xff off',
    ],
    ['all keys', allKeys(), '\xff\xff', new KeyRange(bytes(0xff, 0xff, 0), bytes(0)), 'to the end of the store'],
  ])('that is %s (%p) under %j is %p: %s (F10)', (_what, own, start, stored) => {
    const { key, rangeEnd } = new Keyspace(Buffer.from(start, 'latin1')).rangeToStore(own);

    expect([text(key), text(rangeEnd)]).toEqual([text(stored.key), text(stored.rangeEnd)]);
  });

  it('holds exactly the keys it holds without the prefix, and none outside of the namespace (F10, F11)', () => {
    fc.assert(
      fc.property(anyKey, anyRange, anyKey, (start, own, key) => {
        const space = new Keyspace(start);
        const stored = space.rangeToStore(own);

        expect(stored.contains(space.toStore(key))).toBe(own.contains(key));
        expect(stored.contains(key) && !space.holds(key)).toBe(false);
      }),
      { numRuns: 2_000 },
    );
  });

  it('is the same whether namespaces are put into each other one by one or at once', () => {
    fc.assert(
      fc.property(anyKey, anyKey, anyRange, (outer, inner, own) => {
        const outside = new Keyspace(outer);
        const stepByStep = outside.rangeToStore(new Keyspace(inner).rangeToStore(own));

        expect(outside.inside(inner).rangeToStore(own)).toEqual(stepByStep);
      }),
      { numRuns: 2_000 },
    );
  });
});
