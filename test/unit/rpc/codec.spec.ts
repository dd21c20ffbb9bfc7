/** The codec against bytes written by hand, and against the other side of the call. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { EtcdInvalidArgumentError, EtcdProtocolError } from '../../../lib/client/errors.js';
import { codecOf } from '../../../lib/client/rpc/codec.js';
import { seeded } from '../../support/seed.js';
import { decodeMessage, rpcs, serverCodecOf } from '../../support/server-codec.js';

const RANGE = '/etcdserverpb.KV/Range';
const PUT = '/etcdserverpb.KV/Put';
const TXN = '/etcdserverpb.KV/Txn';
const WATCH = '/etcdserverpb.Watch/Watch';
const LEASE_REVOKE = '/etcdserverpb.Lease/LeaseRevoke';
const MEMBER_ADD = '/etcdserverpb.Cluster/MemberAdd';
const MEMBER_REMOVE = '/etcdserverpb.Cluster/MemberRemove';
const ALARM = '/etcdserverpb.Maintenance/Alarm';
const AUTH_STATUS = '/etcdserverpb.Auth/AuthStatus';

const { seed } = seeded();

/** A number as protobuf writes it: 7 bits a byte, lowest first, a negative one as 64 bits of two's complement. */
function varint(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return [...bytes, Number(rest)];
}

function numberField(id: number, value: bigint): number[] {
  return [...varint(BigInt(id << 3)), ...varint(value)];
}

function bytesField(id: number, content: readonly number[]): number[] {
  return [...varint(BigInt((id << 3) | 2)), ...varint(BigInt(content.length)), ...content];
}

function bytesOf(text: string): Buffer {
  return Buffer.from(text);
}

/** What the call throws; fails the test if it throws nothing. */
function thrownBy(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

describe('a number in an answer', () => {
  const rangeResponse = (count: bigint) => codecOf(RANGE).decode(Buffer.from(numberField(4, count)));

  it.each([0n, 1n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n - 1n, -1n, -(2n ** 32n), -(2n ** 53n) + 1n])(
    'is exact at %s',
    (count) => {
      expect(rangeResponse(count).count).toBe(Number(count));
    },
  );

  it.each([2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 53n), -(2n ** 63n)])(
    'is refused at %s, which a number cannot hold, and the error tells the field and the digits',
    (count) => {
      const error = thrownBy(() => rangeResponse(count));

      expect(error).toBeInstanceOf(EtcdProtocolError);
      expect((error as Error).message).toContain(`RangeResponse.count is ${count}`);
    },
  );

  it('is read without a sign where the protocol says so', () => {
    const decode = (revision: bigint) => codecOf(AUTH_STATUS).decode(Buffer.from(numberField(3, revision)));

    expect(decode(2n ** 53n - 1n).authRevision).toBe(2 ** 53 - 1);
    expect((thrownBy(() => decode(2n ** 64n - 1n)) as Error).message).toContain(
      'AuthStatusResponse.authRevision is 18446744073709551615',
    );
  });

  it('is refused as well inside a message inside a list', () => {
    const response = bytesField(2, numberField(3, 2n ** 60n));

    expect((thrownBy(() => codecOf(RANGE).decode(Buffer.from(response))) as Error).message).toContain(
      'KeyValue.modRevision is 1152921504606846976',
    );
  });
});

describe('a number in a request', () => {
  it.each([0, 1, 2 ** 31, 2 ** 32, 2 ** 53 - 1, -1, -(2 ** 32), -(2 ** 53) + 1])(
    'is written exactly: %s',
    (revision) => {
      expect([...codecOf(RANGE).encode({ revision })]).toEqual(numberField(4, BigInt(revision)));
    },
  );

  it.each([2 ** 53, -(2 ** 53), 0.5, NaN, Infinity, '5', 5n, true, {}])(
    'is refused if it is %p, and the error tells field, rule and value',
    (revision) => {
      const error = thrownBy(() => codecOf(RANGE).encode({ revision: revision as number }));

      expect(error).toBeInstanceOf(EtcdInvalidArgumentError);
      expect(error).toMatchObject({
        argument: 'RangeRequest.revision',
        rule: 'must be a whole number from -9007199254740991 to 9007199254740991',
        outcome: 'not-applied',
      });
      expect((error as Error).message).toMatch(/, but is .+/);
    },
  );
});

describe('an identifier', () => {
  const signed: [bigint, string][] = [
    [0n, '0'],
    [1n, '1'],
    [0xabcn, 'abc'],
    [2n ** 32n, '100000000'],
    [0x694d71ddacfda227n, '694d71ddacfda227'],
    [2n ** 63n - 1n, '7fffffffffffffff'],
    [-1n, '-1'],
    [-(2n ** 32n), '-100000000'],
    [-(2n ** 63n) + 1n, '-7fffffffffffffff'],
    [-(2n ** 63n), '-8000000000000000'],
  ];
  const unsigned: [bigint, string][] = [
    [0n, '0'],
    [0x8e9e05c52164694dn, '8e9e05c52164694d'],
    [2n ** 63n, '8000000000000000'],
    [2n ** 64n - 1n, 'ffffffffffffffff'],
  ];

  it.each(signed)('of a lease, %s, is %s on both sides', (value, id) => {
    const wire = numberField(1, value);

    expect(serverCodecOf(LEASE_REVOKE).decodeRequest(Buffer.from(wire))).toEqual({ ID: id });
    expect([...codecOf(LEASE_REVOKE).encode({ ID: id })]).toEqual(wire);
  });

  it.each(unsigned)('of a member, %s, is %s on both sides', (value, id) => {
    const wire = numberField(1, value);

    expect(serverCodecOf(MEMBER_REMOVE).decodeRequest(Buffer.from(wire))).toEqual({ ID: id });
    expect([...codecOf(MEMBER_REMOVE).encode({ ID: id })]).toEqual(wire);
  });

  it(`is exact for every 64-bit value, as BigInt would print it (seed ${seed})`, () => {
    const lease = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    const member = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

    fc.assert(
      fc.property(lease, member, (leaseId, memberId) => {
        const leaseWire = numberField(1, leaseId);
        const memberWire = numberField(1, memberId);

        expect(serverCodecOf(LEASE_REVOKE).decodeRequest(Buffer.from(leaseWire)).ID).toBe(leaseId.toString(16));
        expect([...codecOf(LEASE_REVOKE).encode({ ID: leaseId.toString(16) })]).toEqual(leaseWire);
        expect(serverCodecOf(MEMBER_REMOVE).decodeRequest(Buffer.from(memberWire)).ID).toBe(memberId.toString(16));
        expect([...codecOf(MEMBER_REMOVE).encode({ ID: memberId.toString(16) })]).toEqual(memberWire);
      }),
      { seed, numRuns: 500 },
    );
  });

  it('may be written with leading zeros and capitals, as other programs print it', () => {
    expect(codecOf(LEASE_REVOKE).encode({ ID: '00000000000000AbC' })).toEqual(
      codecOf(LEASE_REVOKE).encode({ ID: 'abc' }),
    );
  });

  it.each([
    '',
    '-',
    '0x1',
    'xyz',
    ' 1',
    '1 ',
    '+1',
    '1.0',
    '8000000000000000',
    '-8000000000000001',
    '10000000000000000',
    7,
    7n,
  ])('of a lease is refused if it is %p', (id) => {
    expect(thrownBy(() => codecOf(PUT).encode({ lease: id as string }))).toMatchObject({
      code: 'ETCD_INVALID_ARGUMENT',
      argument: 'PutRequest.lease',
      rule: 'must be a signed 64-bit identifier in hex without 0x',
    });
  });

  it.each(['-1', '10000000000000000'])('of a member is refused if it is %p', (id) => {
    expect(thrownBy(() => codecOf(MEMBER_REMOVE).encode({ ID: id }))).toMatchObject({
      argument: 'MemberRemoveRequest.ID',
      rule: 'must be an unsigned 64-bit identifier in hex without 0x',
    });
  });
});

describe('bytes', () => {
  const allBytes = Uint8Array.from({ length: 256 }, (_, index) => index);

  it('arrive as they were sent, each of the 256 values', () => {
    const request = codecOf(PUT).encode({ key: allBytes, value: Uint8Array.of(0x00, 0xff, 0xfe, 0x80) });

    expect(serverCodecOf(PUT).decodeRequest(request)).toMatchObject({
      key: Buffer.from(allBytes),
      value: Buffer.of(0x00, 0xff, 0xfe, 0x80),
    });
  });

  it('are views of the received message, not copies', () => {
    const received = Buffer.from(bytesField(2, bytesField(5, [1, 2, 3])));

    const value = codecOf(RANGE).decode(received).kvs[0]!.value;

    expect(value).toEqual(Buffer.of(1, 2, 3));
    expect(value.buffer).toBe(received.buffer);
  });

  it('are read from any Uint8Array, from its own part of a larger buffer only', () => {
    const message = bytesField(2, bytesField(5, [1, 2, 3]));
    const larger = Uint8Array.from([9, 9, ...message, 9, 9]);

    const value = codecOf(RANGE).decode(larger.subarray(2, 2 + message.length)).kvs[0]!.value;

    expect([...value]).toEqual([1, 2, 3]);
  });

  it('are not guessed from a string, and the error does not show it', () => {
    const error = thrownBy(() => codecOf(PUT).encode({ value: 'c2VjcmV0' as unknown as Uint8Array }));

    expect(error).toMatchObject({ argument: 'PutRequest.value', rule: 'must be a Uint8Array, not string' });
    expect((error as Error).message).not.toContain('c2VjcmV0');
  });
});

describe('a request', () => {
  it('is the bytes that the protocol asks for', () => {
    const request = {
      key: bytesOf('a'),
      rangeEnd: bytesOf('b'),
      limit: 300,
      sortOrder: 'DESCEND',
      keysOnly: true,
    } as const;

    expect(codecOf(RANGE).encode(request).toString('hex')).toBe('0a0161' + '120162' + '18ac02' + '2802' + '4001');
  });

  it('packs a list of enums', () => {
    const request = { createRequest: { filters: ['NOPUT', 'NODELETE'] } } as const;

    expect(codecOf(WATCH).encode(request).toString('hex')).toBe('0a04' + '2a020001');
  });

  it('leaves out what is undefined', () => {
    expect(codecOf(RANGE).encode({ key: undefined, limit: undefined, sortOrder: undefined })).toHaveLength(0);
  });

  it('leaves out empty bytes: of a range end that is there but empty, etcd makes every key from the first on', () => {
    expect(
      codecOf(RANGE)
        .encode({ key: bytesOf('a'), rangeEnd: bytesOf('') })
        .toString('hex'),
    ).toBe('0a0161');
  });

  it('is not changed by being sent', () => {
    const compare = Object.freeze({ key: bytesOf('a'), lease: '7b' });
    const request = Object.freeze({ compare: Object.freeze([compare]) });

    codecOf(TXN).encode(request);

    expect(request).toEqual({ compare: [{ key: bytesOf('a'), lease: '7b' }] });
  });

  it('takes nothing from a polluted Object.prototype', () => {
    Object.defineProperty(Object.prototype, 'lease', {
      value: '7b',
      configurable: true,
      enumerable: true,
      writable: true,
    });
    try {
      expect(codecOf(PUT).encode({}).toString('hex')).toBe('');
    } finally {
      delete (Object.prototype as { lease?: string }).lease;
    }
  });

  it.each([
    [RANGE, { keysOnly: 1 }, 'RangeRequest.keysOnly must be a boolean, not number'],
    ['/etcdserverpb.Auth/UserAdd', { password: 12345 }, 'AuthUserAddRequest.password must be a string, not number'],
    [MEMBER_ADD, { peerURLs: 'http://a' }, 'MemberAddRequest.peerURLs must be an array, not string'],
    [MEMBER_ADD, { peerURLs: ['http://a', 12345] }, 'MemberAddRequest.peerURLs must be a string, not number'],
    [TXN, { success: {} }, 'TxnRequest.success must be an array, not object'],
    [TXN, { success: [null] }, 'RequestOp must be an object, not null'],
    [TXN, { success: [{ requestPut: 'put' }] }, 'PutRequest must be an object, not string'],
  ])('of %s with a value of the wrong kind is refused: %p', (path, request, message) => {
    const error = thrownBy(() => codecOf(path).encode(request));

    expect(error).toBeInstanceOf(EtcdInvalidArgumentError);
    expect((error as Error).message).toContain(message);
    expect((error as Error).message).not.toContain('12345');
  });

  it('nested without end is refused as a mistake of the caller', () => {
    const request: { success: unknown[] } = { success: [] };
    request.success.push({ requestTxn: request });

    expect(thrownBy(() => codecOf(TXN as string).encode(request))).toBeInstanceOf(EtcdInvalidArgumentError);
  });
});

describe('an answer', () => {
  it('has every field, also when nothing was sent', () => {
    expect(codecOf(RANGE).decode(Buffer.alloc(0))).toEqual({ header: null, kvs: [], more: false, count: 0 });
    expect(codecOf('/etcdserverpb.Maintenance/Status').decode(Buffer.alloc(0))).toEqual({
      header: null,
      version: '',
      dbSize: 0,
      leader: '0',
      raftIndex: 0,
      raftTerm: 0,
      raftAppliedIndex: 0,
      errors: [],
      dbSizeInUse: 0,
      isLearner: false,
      storageVersion: '',
      dbSizeQuota: 0,
      downgradeInfo: null,
    });
  });

  it('gives an empty key-value all its fields too', () => {
    expect(codecOf(RANGE).decode(Buffer.from(bytesField(2, []))).kvs).toEqual([
      { key: Buffer.of(), createRevision: 0, modRevision: 0, version: 0, value: Buffer.of(), lease: '0' },
    ]);
  });

  it('can be JSON whatever numbers it holds', () => {
    const header = [...numberField(1, 2n ** 64n - 1n), ...numberField(2, 2n ** 63n), ...numberField(3, 5n)];

    expect(JSON.stringify(codecOf(PUT).decode(Buffer.from(bytesField(1, header))))).toBe(
      '{"header":{"clusterId":"ffffffffffffffff","memberId":"8000000000000000","revision":5,"raftTerm":0},"prevKv":null}',
    );
  });

  it('may hold fields that this package does not know', () => {
    const response = [...numberField(4, 3n), ...numberField(99, 1n), ...bytesField(2000, [1, 2])];

    expect(codecOf(RANGE).decode(Buffer.from(response))).toEqual({ header: null, kvs: [], more: false, count: 3 });
  });

  it.each([
    ['cut off in a number', [0x20, 0x80]],
    ['cut off in a field', [0x12, 0x05, 0x0a]],
    ['of an impossible kind', [0x27]],
  ])('that is %s is an EtcdProtocolError with the cause', (_, response) => {
    const error = thrownBy(() => codecOf(RANGE).decode(Uint8Array.from(response)));

    expect(error).toBeInstanceOf(EtcdProtocolError);
    expect((error as Error).message).toContain(`${response.length} bytes are no RangeResponse`);
    expect((error as Error).cause).toBeInstanceOf(Error);
  });
});

describe('a transaction', () => {
  it('keeps its nesting and the order of its operations', () => {
    const inner = { compare: [], success: [{ requestDeleteRange: { key: bytesOf('d') } }], failure: [] };
    const request = {
      success: [{ requestPut: { key: bytesOf('p') } }, { requestTxn: { ...inner, failure: [{ requestTxn: inner }] } }],
      failure: [{ requestRange: { key: bytesOf('r') } }],
    };

    const received = serverCodecOf(TXN).decodeRequest(codecOf(TXN).encode(request));

    expect(received).toMatchObject({ compare: [], ...request });
    expect(Object.keys(received.success![1]!)).toEqual(['requestTxn']);
  });

  it('sends a compared value of zero, since it is the choice among the values that counts', () => {
    const request = codecOf(TXN).encode({ compare: [{ target: 'CREATE', key: bytesOf('a'), createRevision: 0 }] });

    const [compare] = serverCodecOf(TXN).decodeRequest(request).compare!;

    expect(compare).toEqual({
      result: 'EQUAL',
      target: 'CREATE',
      key: bytesOf('a'),
      createRevision: 0,
      rangeEnd: Buffer.of(),
    });
  });

  it('sends a compared value that is empty, for the same reason', () => {
    const request = codecOf(TXN).encode({ compare: [{ target: 'VALUE', key: bytesOf('a'), value: bytesOf('') }] });

    expect(serverCodecOf(TXN).decodeRequest(request).compare).toMatchObject([{ value: bytesOf('') }]);
    expect(request.toString('hex')).toContain('3a00');
  });

  it('answers each operation with the one field that fits', () => {
    const response = bytesField(3, bytesField(2, []));

    expect(codecOf(TXN).decode(Buffer.from(response)).responses).toEqual([
      { responsePut: { header: null, prevKv: null } },
    ]);
  });

  it('is refused if an operation is two things at once', () => {
    const request = { success: [{ requestPut: {}, requestRange: {} }] };

    expect((thrownBy(() => codecOf(TXN).encode(request)) as Error).message).toContain(
      'RequestOp must have one of requestRange, requestPut, not all of them',
    );
  });
});

describe('an enum', () => {
  it('is its name', () => {
    const alarms = bytesField(2, [...numberField(1, 1n), ...numberField(2, 1n)]);

    expect(codecOf(ALARM).decode(Buffer.from(alarms)).alarms).toEqual([{ memberID: '1', alarm: 'NOSPACE' }]);
  });

  it.each([
    [7n, 'UNKNOWN_7'],
    [-3n, 'UNKNOWN_-3'],
  ] as const)('that only a newer server knows, %s, is %s, and can be sent back', (number, name) => {
    const alarms = bytesField(2, numberField(2, number));

    expect(codecOf(ALARM).decode(Buffer.from(alarms)).alarms).toEqual([{ memberID: '0', alarm: name }]);
    expect([...codecOf(ALARM).encode({ alarm: name })]).toEqual(numberField(3, number));
  });

  it('that only a newer server knows does not spoil a list', () => {
    const request = bytesField(1, bytesField(5, [0, 7, 1]));

    expect(serverCodecOf(WATCH).decodeRequest(Buffer.from(request)).createRequest?.filters).toEqual([
      'NOPUT',
      'UNKNOWN_7',
      'NODELETE',
    ]);
  });

  it.each(['nospace', 'UNKNOWN_', 'UNKNOWN_x', 'UNKNOWN_4294967296', '__proto__', 1])(
    'is refused if it is %p',
    (alarm) => {
      expect(thrownBy(() => codecOf(ALARM).encode({ alarm: alarm as 'NONE' }))).toMatchObject({
        argument: 'AlarmRequest.alarm',
        rule: 'must be one of NONE, NOSPACE, CORRUPT',
      });
    },
  );
});

describe('every RPC', () => {
  it('has a codec', () => {
    expect([...rpcs.keys()].map((path) => codecOf(path))).toHaveLength(49);
  });

  it.each([...rpcs.keys()])('%s sends and receives nothing at all', (path) => {
    expect(codecOf(path).encode({})).toHaveLength(0);
    expect(codecOf(path).decode(Buffer.alloc(0))).toEqual(decodeMessage(rpcs.get(path)!.response, Buffer.alloc(0)));
  });

  it.each([
    '/etcdserverpb.KV/Nothing',
    '/etcdserverpb.KV/constructor',
    '/etcdserverpb.Nothing/Range',
    '/mvccpb.KeyValue/x',
    'Range',
    '',
    '/__proto__/x',
  ])('but not %p, is refused by name', (path) => {
    expect(thrownBy(() => codecOf(path))).toMatchObject({ code: 'ETCD_INVALID_ARGUMENT', argument: 'path' });
  });
});
