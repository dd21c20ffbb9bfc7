/** Random messages of every type of the protocol, in the form the client gives and takes them. */
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { isIdentifier } from '../../support/server-codec.js';

/** Which fields a message has. */
interface Fullness {
  /** Whether any field may be left out; otherwise all are there, as after decoding. */
  readonly isSparse: boolean;
}

/** Any message of this type, with at most one field of each oneof. */
export function anyMessage(
  type: protobuf.Type,
  fullness: Fullness = { isSparse: false },
  depth = 0,
): fc.Arbitrary<object> {
  const chosen = type.oneofsArray.map(({ fieldsArray }) => fc.constantFrom(undefined, ...fieldsArray));
  return fc.tuple(...chosen).chain((choices) => {
    const there = type.fieldsArray.filter((field) => field.partOf === null || choices.includes(field));
    const values = there.map((field) => {
      const isThere = field.repeated || choices.includes(field);
      const single = anyValue(field, isThere, fullness, depth);
      return [field.name, field.repeated ? fc.array(single, { maxLength: depth > 3 ? 0 : 3 }) : single];
    });
    const requiredKeys = choices.flatMap((field) => (field === undefined ? [] : field.name));
    return fc.record(Object.fromEntries(values) as Record<string, fc.Arbitrary<unknown>>, {
      noNullPrototype: true,
      ...(fullness.isSparse ? { requiredKeys } : {}),
    });
  });
}

function anyValue(field: protobuf.Field, isThere: boolean, fullness: Fullness, depth: number): fc.Arbitrary<unknown> {
  const { resolvedType } = field;
  if (resolvedType instanceof protobuf.Enum) {
    return fc.constantFrom(...Object.keys(resolvedType.values), 'UNKNOWN_77', 'UNKNOWN_-5');
  }
  if (!(resolvedType instanceof protobuf.Type)) return anyScalar(field);
  const inner = anyMessageLazily(resolvedType, fullness, depth + 1);
  if (isThere) return inner;
  return depth > 3 ? fc.constant(null) : fc.option(inner);
}

function anyScalar(field: protobuf.Field): fc.Arbitrary<unknown> {
  const isUnsigned = field.type.startsWith('u');
  switch (field.type) {
    case 'int64':
    case 'uint64':
      if (!isIdentifier(field)) return isUnsigned ? fc.maxSafeNat() : fc.maxSafeInteger();
      return fc
        .bigInt(isUnsigned ? { min: 0n, max: 2n ** 64n - 1n } : { min: -(2n ** 63n), max: 2n ** 63n - 1n })
        .map((id) => id.toString(16));
    case 'uint32':
      return fc.nat({ max: 2 ** 32 - 1 });
    case 'bool':
      return fc.boolean();
    case 'string':
      return fc.string({ unit: 'grapheme' });
    case 'bytes':
      return fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
    default:
      throw new Error(`${field.fullName} is of a kind that no message had so far: ${field.type}`);
  }
}

/** A transaction holds transactions, so that the description of one may be built only when it is needed. */
function anyMessageLazily(type: protobuf.Type, fullness: Fullness, depth: number): fc.Arbitrary<object> {
  return fc.constant(undefined).chain(() => anyMessage(type, fullness, depth));
}
