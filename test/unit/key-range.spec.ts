/** Key ranges: what they hold, held against the plainest definition there is, and what they refuse. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { EtcdInvalidArgumentError } from '../../lib/client/errors.js';
import {
  allKeys,
  compareBytes,
  copyBytes,
  fromKey,
  keyBytes,
  type KeyRange,
  prefix,
  prefixRangeEnd,
  range,
  toBytes,
  toKeyRange,
  type Key,
} from '../../lib/client/key-range.js';

const seed = Number(process.env['TEST_SEED'] ?? Date.now() % 2 ** 31);

/** Keys of few different bytes, so that random ones are often each other's neighbours, prefixes or equals. */
const someKey = fc
  .array(fc.constantFrom(0x00, 0x01, 0x61, 0x62, 0xfe, 0xff), { minLength: 1, maxLength: 4 })
  .map((bytes) => Uint8Array.from(bytes));

/** The order of keys, spelled out. */
function isBefore(a: Uint8Array, b: Uint8Array): boolean {
  const shorter = Math.min(a.length, b.length);
  for (let index = 0; index < shorter; index++) {
    if (a[index] !== b[index]) return a[index]! < b[index]!;
  }
  return a.length < b.length;
}

function startsWith(key: Uint8Array, start: Uint8Array): boolean {
  return start.every((byte, index) => key[index] === byte);
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('the order of keys', () => {
  it(`is byte by byte, the shorter first (seed ${seed})`, () => {
    fc.assert(
      fc.property(someKey, someKey, (a, b) => {
        expect(compareBytes(a, b) < 0).toBe(isBefore(a, b));
        expect(compareBytes(a, b) === 0).toBe(hex(a) === hex(b));
      }),
      { seed, numRuns: 2_000 },
    );
  });

  it('is unsigned', () => {
    expect(compareBytes(Uint8Array.of(0x7f), Uint8Array.of(0x80))).toBeLessThan(0);
  });
});

describe('prefix', () => {
  it(`holds exactly the keys that start with it (seed ${seed})`, () => {
    fc.assert(
      fc.property(someKey, someKey, (start, key) => {
        expect(prefix(start).contains(key)).toBe(startsWith(key, start));
      }),
      { seed, numRuns: 5_000 },
    );
  });

  it(`ends at the first key after all of them (seed ${seed})`, () => {
    fc.assert(
      fc.property(someKey, (start) => {
        fc.pre(!start.every((byte) => byte === 0xff));
        const end = prefixRangeEnd(start);

        expect(startsWith(end, start)).toBe(false);
        expect(isBefore(start, end)).toBe(true);
        // Nothing lies between the prefixed keys and the end: one less in its last byte starts with the prefix again.
        const before = copyBytes(end);
        before[before.length - 1]! -= 1;
        expect(startsWith(start, before)).toBe(true);
      }),
      { seed, numRuns: 2_000 },
    );
  });

  it.each([
    ['61', '62'],
    ['6162', '6163'],
    ['61ff', '62'],
    ['61ffff', '62'],
    ['00', '01'],
    ['fe', 'ff'],
    ['ff', '00'],
    ['ffff', '00'],
    ['ffffff', '00'],
    ['6100', '6101'],
  ])('%s goes up to %s (F10)', (start, end) => {
    expect(hex(prefix(Buffer.from(start, 'hex')).rangeEnd)).toBe(end);
  });

  it('of text is one of its UTF-8 bytes', () => {
    expect(hex(prefix('é').key)).toBe('c3a9');
    expect(prefix('é').contains(Buffer.from('école'))).toBe(true);
    expect(prefix('é').contains(Buffer.from('ecole'))).toBe(false);
  });

  it('of nothing is refused, since it would be the whole store (F9)', () => {
    expect(() => prefix('')).toThrow('argument prefix must not be empty; use allKeys() to mean every key');
    expect(() => prefix(new Uint8Array(0))).toThrow(EtcdInvalidArgumentError);
  });
});

describe('range', () => {
  it(`holds its first key and what lies before its end (seed ${seed})`, () => {
    fc.assert(
      fc.property(someKey, someKey, someKey, (from, end, key) => {
        fc.pre(isBefore(from, end));
        expect(range(from, end).contains(key)).toBe(!isBefore(key, from) && isBefore(key, end));
      }),
      { seed, numRuns: 5_000 },
    );
  });

  it.each([
    ['a', 'a'],
    ['b', 'a'],
    ['a', '\0'],
    ['ab', 'a'],
  ])('from %j to %j is refused: it would be empty, or everything', (from, end) => {
    expect(() => range(from, end)).toThrow('argument rangeEnd must come after the first key of the range');
  });

  it.each([
    ['', 'b', 'from'],
    ['a', '', 'rangeEnd'],
  ])('from %j to %j is refused, naming %s', (from, end, argument) => {
    expect(() => range(from, end)).toThrow(`argument ${argument} must not be empty`);
  });
});

describe('fromKey and allKeys', () => {
  it(`hold every key from one on, and every key (seed ${seed})`, () => {
    fc.assert(
      fc.property(someKey, someKey, (from, key) => {
        expect(fromKey(from).contains(key)).toBe(!isBefore(key, from));
        expect(allKeys().contains(key)).toBe(true);
      }),
      { seed, numRuns: 2_000 },
    );
  });

  it('are written with one zero byte for their end', () => {
    expect([hex(fromKey('a').key), hex(fromKey('a').rangeEnd)]).toEqual(['61', '00']);
    expect([hex(allKeys().key), hex(allKeys().rangeEnd)]).toEqual(['00', '00']);
  });

  it('from nothing is refused', () => {
    expect(() => fromKey('')).toThrow('argument from must not be empty');
  });
});

describe('a single key', () => {
  it(`holds itself only (seed ${seed})`, () => {
    fc.assert(
      fc.property(someKey, someKey, (one, key) => {
        expect(toKeyRange(one).contains(key)).toBe(hex(one) === hex(key));
      }),
      { seed, numRuns: 2_000 },
    );
  });

  it('is told from a span', () => {
    expect(toKeyRange('a').isSingleKey).toBe(true);
    expect([prefix('a'), range('a', 'b'), fromKey('a'), allKeys()].map(({ isSingleKey }) => isSingleKey)).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });

  it('leaves a range that is passed as it is', () => {
    const span = prefix('a');

    expect(toKeyRange(span)).toBe(span);
  });
});

describe('F13: bytes that a caller passes', () => {
  const makers: readonly [string, (key: Key) => KeyRange][] = [
    ['prefix', prefix],
    ['fromKey', fromKey],
    ['range', (key) => range(key, 'z')],
    ['the end of a range', (key) => range('A', key)],
  ];

  it.each(makers)('are not changed, and may change afterwards: %s', (_, make) => {
    for (const bytes of [Buffer.from('ab'), Uint8Array.of(0x61, 0x62), Buffer.from('xaby').subarray(1, 3)]) {
      const made = make(bytes);
      const before = [hex(made.key), hex(made.rangeEnd)];
      expect(Buffer.from(bytes).toString()).toBe('ab');

      bytes.fill(0x7a);

      expect([hex(made.key), hex(made.rangeEnd)]).toEqual(before);
    }
  });

  it('are not changed by working out a prefix’s end', () => {
    const start = Buffer.from('ab');

    expect(hex(prefixRangeEnd(start))).toBe('6163');
    expect(start.toString()).toBe('ab');
  });

  it('share nothing between ranges, though callers write to them', () => {
    allKeys().key[0] = 9;
    allKeys().rangeEnd[0] = 9;
    fromKey('a').rangeEnd[0] = 9;
    prefix(Buffer.of(0xff)).rangeEnd[0] = 9;

    expect([hex(allKeys().key), hex(allKeys().rangeEnd), hex(fromKey('a').rangeEnd)]).toEqual(['00', '00', '00']);
  });

  it('are copied without the memory around them', () => {
    const copy = copyBytes(Buffer.from('xaby').subarray(1, 3));

    expect(copy.buffer.byteLength).toBe(2);
  });
});

describe('what is no key', () => {
  it.each([
    [undefined, 'undefined'],
    [null, 'object'],
    [12_345, 'number'],
    [{}, 'object'],
    [['a'], 'object'],
    [true, 'boolean'],
    [12_345n, 'bigint'],
    [Symbol('s'), 'symbol'],
    [new ArrayBuffer(2), 'object'],
  ])('%p is refused by its type alone', (input, kind) => {
    const shown = input === null ? 'null' : kind;

    expect(() => keyBytes(input)).toThrow(`argument key must be a string or a Uint8Array, not ${shown}`);
    expect(() => keyBytes(input)).not.toThrow('12345');
  });

  it('the empty key is refused by name', () => {
    expect(() => keyBytes('')).toThrow('argument key must not be empty');
    expect(() => keyBytes(Buffer.alloc(0), 'from')).toThrow('argument from must not be empty');
  });

  it('text with half a character is refused where it would become another key (F14), and is not repeated', () => {
    const check = (): unknown => toBytes('😀 secret \ud800', 'value');

    expect(check).toThrow('argument value must be well-formed text, but has a lone surrogate at character 10 of 11');
    expect(check).not.toThrow('secret');
  });

  it.each(['😀', 'é', '\0', '__proto__', 'x'.repeat(300)])('text like %j is kept exactly (F3)', (text) => {
    expect(Buffer.from(toBytes(text, 'key')).toString()).toBe(text);
  });

  it('a value may be empty', () => {
    expect(toBytes('', 'value')).toHaveLength(0);
  });
});
