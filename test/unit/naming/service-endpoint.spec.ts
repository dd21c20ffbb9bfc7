/** The JSON of an endpoint is Go's, in both directions. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { EtcdInvalidArgumentError } from '../../../lib/client/errors.js';
import { decodeEndpoint, encodeEndpoint } from '../../../lib/client/naming/service-endpoint.js';

describe('An endpoint is written', () => {
  it('as Go writes it: with capitals, and null for no metadata', () => {
    expect(encodeEndpoint({ address: 'host:80' })).toBe('{"Op":0,"Addr":"host:80","Metadata":null}');
    expect(encodeEndpoint({ address: 'host:80', metadata: { zone: 'a' } })).toBe(
      '{"Op":0,"Addr":"host:80","Metadata":{"zone":"a"}}',
    );
  });

  it('so that it reads back as it was, whatever its metadata', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.jsonValue(), (address, json) => {
        const metadata = JSON.parse(JSON.stringify(json)) as unknown;
        const expected = metadata === null ? { address } : { address, metadata };

        expect(decodeEndpoint(encodeEndpoint({ address, metadata }))).toEqual(expected);
      }),
    );
  });

  it.each([[''], [undefined], [7]])('only with an address, not with %p', (address) => {
    expect(() => encodeEndpoint({ address: address as string })).toThrow(EtcdInvalidArgumentError);
  });

  it.each([[(): void => undefined], [1n], [Symbol('s')]])(
    'only with metadata that JSON can hold, not with %p',
    (metadata) => {
      expect(() => encodeEndpoint({ address: 'a:1', metadata })).toThrow(
        'argument metadata must be something that JSON can hold',
      );
    },
  );
});

describe('An endpoint is read', () => {
  it.each([
    ['as Go writes it', '{"Op":0,"Addr":"a:1","Metadata":null}', { address: 'a:1' }],
    ['with metadata of any kind', '{"Op":0,"Addr":"a:1","Metadata":"x"}', { address: 'a:1', metadata: 'x' }],
    ['in whatever case, as Go reads it', '{"addr":"a:1","METADATA":[1]}', { address: 'a:1', metadata: [1] }],
    ['whatever its operation says, as Go does', '{"Op":1,"Addr":"a:1"}', { address: 'a:1' }],
    ['without an address, if it has metadata', '{"Metadata":{"a":1}}', { address: '', metadata: { a: 1 } }],
  ])('%s', (_how, value, endpoint) => {
    expect(decodeEndpoint(value)).toEqual(endpoint);
  });

  it.each(['', 'a:1', 'null', '7', '[]', '{}', '{"Addr":7}', '{"Addr":""}', '{"Addr":"a:1"'])(
    'not from %p',
    (value) => {
      expect(decodeEndpoint(value)).toBeUndefined();
    },
  );
});
