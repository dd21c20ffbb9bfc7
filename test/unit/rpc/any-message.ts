/** Random messages of every type of the protocol, in the form the client gives and takes them. */
import fc from 'fast-check';
import { DESCRIPTOR_JSON, IDENTIFIER_FIELDS } from '../../../lib/client/rpc/generated/descriptor.js';
import { nodesOf, type DescriptorNode } from '../../../lib/client/rpc/message-plan.js';

/** Every message, enum and service of the protocol by its full name. */
export const nodes = nodesOf(JSON.parse(DESCRIPTOR_JSON) as DescriptorNode);

/** Every RPC with the full names of its messages. */
export const rpcs = [...nodes].flatMap(([service, node]) =>
  Object.entries(node.methods ?? {}).map(([name, types]) => ({ path: `/${service}/${name}`, service, name, ...types })),
);

/** Which fields a message has. */
interface Fullness {
  /** Whether any field may be left out; otherwise all are there, as after decoding. */
  readonly isSparse: boolean;
}

/** Whether a field holds an identifier, which is hex, rather than a number. */
export function isIdentifier(message: string, field: string): boolean {
  return IDENTIFIER_FIELDS[message]?.includes(field) ?? false;
}

/** Any message of this type, with at most one field of each oneof. */
export function anyMessage(type: string, fullness: Fullness = { isSparse: false }, depth = 0): fc.Arbitrary<object> {
  const { fields = {}, oneofs = {} } = nodes.get(type)!;
  const chosen = Object.values(oneofs).map(({ oneof }) => fc.constantFrom<string | undefined>(undefined, ...oneof));
  return fc.tuple(...chosen).chain((choices) => {
    const left = new Set(Object.values(oneofs).flatMap(({ oneof }) => oneof.filter((name) => !choices.includes(name))));
    const there = Object.entries(fields).filter(([name]) => !left.has(name));
    const values = there.map(([name, field]) => {
      const isThere = choices.includes(name) || field.rule === 'repeated';
      const single = anyValue({ message: type, name, type: field.type, isThere }, fullness, depth);
      return [name, field.rule === 'repeated' ? fc.array(single, { maxLength: depth > 3 ? 0 : 3 }) : single];
    });
    const required = fullness.isSparse ? there.flatMap(([name]) => (choices.includes(name) ? name : [])) : undefined;
    return fc.record(Object.fromEntries(values) as Record<string, fc.Arbitrary<unknown>>, {
      noNullPrototype: true,
      ...(required === undefined ? {} : { requiredKeys: required }),
    });
  });
}

interface Place {
  readonly message: string;
  readonly name: string;
  readonly type: string;
  readonly isThere: boolean;
}

function anyValue({ message, name, type, isThere }: Place, fullness: Fullness, depth: number): fc.Arbitrary<unknown> {
  const values = nodes.get(type)?.values;
  if (values !== undefined) return fc.constantFrom(...Object.keys(values), 'UNKNOWN_77', 'UNKNOWN_-5');
  const isUnsigned = type.startsWith('u');
  switch (type) {
    case 'int64':
    case 'uint64':
      if (!isIdentifier(message, name)) return isUnsigned ? fc.maxSafeNat() : fc.maxSafeInteger();
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
    default: {
      const inner = anyMessageLazily(type, fullness, depth + 1);
      return isThere ? inner : depth > 3 ? fc.constant(null) : fc.option(inner);
    }
  }
}

/** A transaction holds transactions, so that the description of one may be built only when it is needed. */
function anyMessageLazily(type: string, fullness: Fullness, depth: number): fc.Arbitrary<object> {
  return fc.constant(undefined).chain(() => anyMessage(type, fullness, depth));
}
