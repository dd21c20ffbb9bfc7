/** The generated code for frequent messages, against proto-loader, which reads `proto/` itself and knows nothing of ours. */
import { describe, expect, it } from '@jest/globals';
import { loadSync, type ServiceDefinition } from '@grpc/proto-loader';
import fc from 'fast-check';
import { EtcdProtocolError } from '../../../lib/client/errors.js';
import { codecOf } from '../../../lib/client/rpc/codec.js';
import { GENERATED_CODECS } from '../../../lib/client/rpc/generated/codec.js';
import { seeded } from '../../support/seed.js';
import { anyMessage, isIdentifier, nodes, rpcs } from './any-message.js';
import { scramble } from './scramble.js';

const { seed } = seeded();
const frequent = rpcs.filter(({ path }) => Object.hasOwn(GENERATED_CODECS, path));
const judge = loadSync('rpc.proto', { includeDirs: ['proto'], longs: String, enums: String, defaults: true });

interface JudgedPut {
  readonly value: Buffer;
}

function judgeOf({ service, name }: (typeof rpcs)[number]): ServiceDefinition[string] {
  return (judge[service] as ServiceDefinition)[name]!;
}

/** The message as proto-loader takes it: identifiers in decimal, enums by number where they have no name. */
function asJudged(type: string, message: object, dropEmptyBytes: boolean): object {
  const { fields = {}, oneofs = {} } = nodes.get(type)!;
  const choices = Object.values(oneofs).flatMap(({ oneof }) => oneof);
  const entries = Object.entries(message).flatMap(([name, value]) => {
    const field = fields[name]!;
    const isEmpty = value instanceof Uint8Array && value.length === 0 && !choices.includes(name);
    if (value === null || (dropEmptyBytes && isEmpty)) return [];
    const judged = (single: unknown): unknown => valueAsJudged(type, name, field.type, single, dropEmptyBytes);
    return [[name, Array.isArray(value) ? value.map(judged) : judged(value)]];
  });
  return Object.fromEntries(entries) as object;
}

function valueAsJudged(message: string, name: string, type: string, value: unknown, dropEmptyBytes: boolean): unknown {
  if (isIdentifier(message, name)) return decimalOf(value as string);
  if (typeof value === 'string') return value.startsWith('UNKNOWN_') ? Number(value.slice(8)) : value;
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  return asJudged(type, value, dropEmptyBytes);
}

function decimalOf(hex: string): string {
  return String(hex.startsWith('-') ? -BigInt(`0x${hex.slice(1)}`) : BigInt(`0x${hex}`));
}

describe('the generated code', () => {
  it('is there for all of KV, Watch and Lease', () => {
    expect(frequent.map(({ path }) => path)).toEqual(
      rpcs.flatMap(({ path, service }) => (/\.(KV|Watch|Lease)$/.test(service) ? path : [])),
    );
  });

  it.each(frequent)(`writes requests of $path byte for byte as proto-loader does (seed ${seed})`, (rpc) => {
    const codec = codecOf(rpc.path);

    fc.assert(
      fc.property(anyMessage(rpc.requestType, { isSparse: true }), (request) => {
        const expected = judgeOf(rpc).requestSerialize(asJudged(rpc.requestType, request, true));

        expect(codec.encode(request).toString('hex')).toBe(expected.toString('hex'));
      }),
      { seed, numRuns: 60 },
    );
  });

  it.each(frequent)(`reads answers of $path as proto-loader wrote them (seed ${seed})`, (rpc) => {
    const codec = codecOf(rpc.path);

    fc.assert(
      fc.property(anyMessage(rpc.responseType), (response) => {
        const bytes = judgeOf(rpc).responseSerialize(asJudged(rpc.responseType, response, false));

        expect(codec.decode(bytes)).toEqual(response);
      }),
      { seed, numRuns: 60 },
    );
  });

  it.each(frequent)(`reads answers of $path in any order and among unknown fields (seed ${seed})`, (rpc) => {
    const codec = codecOf(rpc.path);
    const { responseSerialize, responseDeserialize } = judgeOf(rpc);
    const chance = fc.integer().map((own) => seeded(own).random);

    fc.assert(
      fc.property(anyMessage(rpc.responseType), chance, (response, random) => {
        const bytes = responseSerialize(asJudged(rpc.responseType, response, false));
        const scrambled = scramble(rpc.responseType, bytes, random);

        expect(codec.decode(scrambled)).toEqual(response);
        expect(responseDeserialize(scrambled)).toEqual(responseDeserialize(bytes));
      }),
      { seed, numRuns: 60 },
    );
  });

  it.each(frequent)(`takes damaged answers of $path for no answer, or for another one (seed ${seed})`, (rpc) => {
    const codec = codecOf(rpc.path);
    const decode = (bytes: Buffer): unknown => {
      try {
        return codec.decode(bytes);
      } catch (error) {
        return error;
      }
    };

    fc.assert(
      fc.property(anyMessage(rpc.responseType), fc.nat(), fc.nat(255), (response, place, byte) => {
        const bytes = judgeOf(rpc).responseSerialize(asJudged(rpc.responseType, response, false));
        const damaged = Buffer.from(bytes);
        damaged[place % Math.max(1, bytes.length)] = byte;

        const results = [decode(damaged), decode(bytes.subarray(0, place % (bytes.length + 1)))];

        expect(results.filter((result) => result instanceof Error && !(result instanceof EtcdProtocolError))).toEqual(
          [],
        );
      }),
      { seed, numRuns: 60 },
    );
  });
});

describe('an answer in damaged bytes', () => {
  const range = codecOf('/etcdserverpb.KV/Range');

  it.each([
    ['is cut off in a length', [0x12], 'it ends in the middle of a field'],
    ['is cut off in bytes', [0x12, 0x03, 0x0a, 0x05, 0x61], 'it ends in the middle of a field'],
    ['has bytes beyond the end of their message', [0x12, 0x02, 0x0a, 0x01, 0x61], 'it ends in the middle of a field'],
    ['has a fixed number cut off', [0xf9, 0x3e, 0x01], 'it ends in the middle of a field'],
    [
      'has a number of eleven bytes',
      [0x20, ...Array<number>(10).fill(0x80), 1],
      'it has a number of more than 64 bits',
    ],
    ['has a field without a number', [0x00, 0x00], 'it has a field with the number 0'],
    ['has a field of an unknown kind', [0x26], 'it has a field of the kind 6, which protobuf does not have'],
    ['ends a group that did not begin', [0x24], 'it has a field of the kind 4, which protobuf does not have'],
    ['nests groups without end', Array<number>(101).fill(0x23), 'it is nested more than 100 deep'],
  ])('%s, says its error', (_, bytes, reason) => {
    const decode = (): unknown => range.decode(Buffer.from(bytes));

    expect(decode).toThrow(EtcdProtocolError);
    expect(decode).toThrow(`${bytes.length} bytes are no RangeResponse: ${reason}`);
  });

  it('is no answer either when a transaction in it is nested without end', () => {
    let bytes = Buffer.alloc(0);
    for (let depth = 0; depth < 200; depth++) {
      const length = (inner: Buffer): Buffer =>
        inner.length < 128 ? Buffer.of(inner.length) : Buffer.of((inner.length & 0x7f) | 0x80, inner.length >> 7);
      const op = Buffer.concat([Buffer.of(0x22), length(bytes), bytes]);
      bytes = Buffer.concat([Buffer.of(0x1a), length(op), op]);
    }

    expect(() => codecOf('/etcdserverpb.KV/Txn').decode(bytes)).toThrow('it is nested more than 100 deep');
  });

  it('is read field by field: a known number of the wrong kind is an unknown field', () => {
    expect(range.decode(Buffer.of(0x22, 0x01, 0x05))).toMatchObject({ count: 0 });
  });
});

describe('what was written', () => {
  const put = codecOf('/etcdserverpb.KV/Put');
  const txn = codecOf('/etcdserverpb.KV/Txn');

  it('stays as it is while other requests are written', () => {
    const keys = Array.from({ length: 2_000 }, (_, index) => `key-${index}`);

    const written = keys.map((key) => put.encode({ key: Buffer.from(key) }));

    expect(written.map((bytes) => bytes.toString())).toEqual(
      keys.map((key) => `\n${String.fromCharCode(key.length)}${key}`),
    );
  });

  it('does not follow later changes of the bytes that were given', () => {
    const key = Buffer.from('a');

    const written = put.encode({ key });
    key[0] = 0x62;

    expect(written.toString()).toBe('\n\u0001a');
  });

  it('does not suffer from a request that was refused half-way', () => {
    expect(() => put.encode({ key: Buffer.from('a'), lease: 'no lease' })).toThrow('PutRequest.lease');

    expect(put.encode({ key: Buffer.from('b') }).toString('hex')).toBe('0a0162');
  });

  it.each([127, 128, 16_370, 16_383, 16_384, 16_385, 2_097_152])(
    'has its length right at %i bytes, alone and nested',
    (size) => {
      const value = Buffer.alloc(size, 7);
      const success = [{ requestPut: { value } }];
      const failure = [{ requestPut: { key: Buffer.from('k') } }];
      const kv = judge['etcdserverpb.KV'] as ServiceDefinition;

      const alone = kv['Put']!.requestDeserialize(put.encode({ value })) as JudgedPut;
      const nested = kv['Txn']!.requestDeserialize(txn.encode({ success, failure })) as {
        success: { requestPut: JudgedPut }[];
        failure: object[];
      };

      expect(alone.value.equals(value)).toBe(true);
      expect(nested.success[0]!.requestPut.value.equals(value)).toBe(true);
      expect(nested.failure).toMatchObject(failure);
    },
  );
});
