/** The generated code against protobufjs, which reads `proto/` itself and knows nothing of ours. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { EtcdProtocolError } from '../../../lib/client/errors.js';
import { codecOf } from '../../../lib/client/rpc/codec.js';
import { RPC_CODECS } from '../../../lib/client/rpc/generated/codec.js';
import { seeded } from '../../support/seed.js';
import { decodeMessage, encodeMessage, rpcs, serverCodecOf } from '../../support/server-codec.js';
import { anyMessage } from './any-message.js';
import { scramble } from './scramble.js';

const { seed } = seeded();
const everyRpc = [...rpcs.values()];

/** The message without its empty bytes, which are not sent except where it is a choice that they are there. */
function withoutEmptyBytes(type: protobuf.Type, message: object): object {
  const entries = Object.entries(message).flatMap(([name, value]: [string, unknown]) => {
    const field = type.fields[name]!;
    if (value instanceof Uint8Array && value.length === 0 && field.partOf === null) return [];
    const { resolvedType } = field;
    if (!(resolvedType instanceof protobuf.Type) || value === null) return [[name, value]];
    const inner = (single: object): object => withoutEmptyBytes(resolvedType, single);
    return [[name, Array.isArray(value) ? value.map(inner) : inner(value as object)]];
  });
  return Object.fromEntries(entries) as object;
}

describe('the generated code', () => {
  it('is there for every RPC', () => {
    expect(Object.keys(RPC_CODECS)).toEqual([...rpcs.keys()]);
  });

  it.each(everyRpc)(`writes requests of $path byte for byte as protobufjs does (seed ${seed})`, ({ path, request }) => {
    const codec = codecOf(path);

    fc.assert(
      fc.property(anyMessage(request, { isSparse: true }), (message) => {
        const expected = encodeMessage(request, withoutEmptyBytes(request, message));

        expect(codec.encode(message).toString('hex')).toBe(expected.toString('hex'));
      }),
      { seed, numRuns: 60 },
    );
  });

  it.each(everyRpc)(`reads answers of $path as protobufjs wrote them (seed ${seed})`, ({ path, response }) => {
    const codec = codecOf(path);

    fc.assert(
      fc.property(anyMessage(response), (message) => {
        expect(codec.decode(encodeMessage(response, message))).toEqual(message);
      }),
      { seed, numRuns: 60 },
    );
  });

  it.each(everyRpc)(`reads answers of $path in any order and among unknown fields (seed ${seed})`, (rpc) => {
    const { path, response } = rpc;
    const codec = codecOf(path);
    const chance = fc.integer().map((own) => seeded(own).random);

    fc.assert(
      fc.property(anyMessage(response), chance, (message, random) => {
        const scrambled = scramble(response, encodeMessage(response, message), random);

        expect(codec.decode(scrambled)).toEqual(message);
        expect(decodeMessage(response, scrambled)).toEqual(message);
      }),
      { seed, numRuns: 60 },
    );
  });

  it.each(everyRpc)(`takes damaged answers of $path for no answer, or for another one (seed ${seed})`, (rpc) => {
    const { path, response } = rpc;
    const codec = codecOf(path);
    const decode = (bytes: Buffer): unknown => {
      try {
        return codec.decode(bytes);
      } catch (error) {
        return error;
      }
    };

    fc.assert(
      fc.property(anyMessage(response), fc.nat(), fc.nat(255), (message, place, byte) => {
        const bytes = encodeMessage(response, message);
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
  const memberAdd = codecOf('/etcdserverpb.Cluster/MemberAdd');
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

      const alone = serverCodecOf('/etcdserverpb.KV/Put').decodeRequest(put.encode({ value }));
      const nested = serverCodecOf('/etcdserverpb.KV/Txn').decodeRequest(txn.encode({ success, failure }));

      expect(value.equals(alone.value!)).toBe(true);
      expect(value.equals(nested.success![0]!.requestPut!.value!)).toBe(true);
      expect(nested.failure).toMatchObject(failure);
    },
  );

  it.each([127, 128, 16_369, 16_384, 50_000])('has its length right at %i characters of text', (length) => {
    const peerURLs = ['a', 'é', '€', '😀'].map((character) => character.repeat(length));

    const { decodeRequest } = serverCodecOf('/etcdserverpb.Cluster/MemberAdd');

    expect(decodeRequest(memberAdd.encode({ peerURLs }))).toMatchObject({ peerURLs });
  });
});
