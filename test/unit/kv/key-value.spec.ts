/** What a key read from the store shows of itself. */
import { inspect } from 'node:util';
import { describe, expect, it, jest } from '@jest/globals';
import { EtcdInvalidJsonError } from '../../../lib/client/errors.js';
import { KeyValue } from '../../../lib/client/key-value.js';
import { stored } from './answers.js';

describe('KeyValue', () => {
  it('shows key and value as text, and keeps the bytes', () => {
    const kv = new KeyValue(stored('schlüssel', 'wert ✓'));

    expect(kv.key).toBe('schlüssel');
    expect(kv.value).toBe('wert ✓');
    expect(Buffer.from(kv.keyBytes).toString()).toBe('schlüssel');
    expect(Buffer.from(kv.valueBytes).toString()).toBe('wert ✓');
  });

  it('decodes text when it is first asked for, and once', () => {
    const data = stored('a', 'value');
    const decode = jest.spyOn(Buffer.prototype, 'toString');

    const kv = new KeyValue(data);
    const decodedAtFirst = decode.mock.calls.length;
    const texts = [kv.key, kv.value, kv.key, kv.value];
    const decodedInAll = decode.mock.calls.length;
    decode.mockRestore();

    expect(texts).toEqual(['a', 'value', 'a', 'value']);
    expect([decodedAtFirst, decodedInAll]).toEqual([0, 2]);
  });

  it('keeps a byte order mark, which is part of the value', () => {
    expect(new KeyValue(stored('a', '\ufeffx')).value).toBe('\ufeffx');
  });

  it('keeps binary data exactly, in a window of a larger buffer too', () => {
    const buffer = Uint8Array.of(9, 0, 255, 128, 9);
    const kv = new KeyValue({ ...stored('a'), value: buffer.subarray(1, 4) });

    expect([...kv.valueBytes]).toEqual([0, 255, 128]);
    expect(kv.value).toBe('\0\ufffd\ufffd');
  });

  it('has a lease only if there is one', () => {
    expect(new KeyValue(stored('a')).lease).toBeUndefined();
    expect(new KeyValue(stored('a', 'x', { lease: '694d8e9e05c52164' })).lease).toBe('694d8e9e05c52164');
  });

  it('reads a value as JSON', () => {
    expect(new KeyValue(stored('a', '{"max":3}')).json<{ max: number }>().max).toBe(3);
  });

  it('names the key and never the value when it is not JSON', () => {
    const kv = new KeyValue(stored('users/1', 'secret-password', { modRevision: 12 }));
    const failure = thrownBy(() => kv.json());

    expect(failure).toBeInstanceOf(EtcdInvalidJsonError);
    expect(failure).toMatchObject({ code: 'ETCD_INVALID_JSON', key: 'users/1', modRevision: 12 });
    expect((failure as Error).message).toBe('the value of key "users/1" at revision 12 is not JSON');
    expect(inspect(failure, { depth: 9, showHidden: true })).not.toContain('secret');
  });

  it('is JSON itself, with text for key and value, and a lease only if there is one', () => {
    const facts = { createRevision: 2, modRevision: 2, version: 1 };

    expect(JSON.parse(JSON.stringify(new KeyValue(stored('a', 'x'))))).toEqual({ key: 'a', value: 'x', ...facts });
    expect(JSON.parse(JSON.stringify({ kvs: [new KeyValue(stored('a', 'x', { lease: 'f' }))] }))).toEqual({
      kvs: [{ key: 'a', value: 'x', lease: 'f', ...facts }],
    });
  });

  it('shows only the length of its value when it is inspected', () => {
    const kv = new KeyValue(stored('users/1', 'secret', { modRevision: 12 }));
    expect(kv.value).toBe('secret');

    const shown = inspect({ kv });

    expect(shown).toMatch(/KeyValue \{\s+key: 'users\/1',\s+valueBytes: 6,/);
    expect(shown).toContain('modRevision: 12');
    expect(shown).not.toContain('secret');
  });

  it('equals another one with the same content, whether its text was read or not', () => {
    const read = new KeyValue(stored('a', 'x'));
    expect(read.value).toBe('x');

    expect(read).toEqual(new KeyValue(stored('a', 'x')));
    expect(read).not.toEqual(new KeyValue(stored('a', 'y')));
  });
});

function thrownBy(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}
