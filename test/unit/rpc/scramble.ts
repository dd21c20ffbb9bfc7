/** Says the same message in other bytes, as protobuf allows: other orders, longer numbers, and fields that nobody knows. */
import protobuf from 'protobufjs';

interface Field {
  readonly id: number;
  readonly wireType: number;
  /** What follows the tag; of a field with a length, without it. */
  readonly content: Buffer;
  /** How many bytes it may take as a number. @default 10 */
  readonly maxBytes?: number;
}

/** @param random the next number, from 0 up to but not including 1. */
export function scramble(type: protobuf.Type, bytes: Buffer, random: () => number): Buffer {
  const fields = fieldsOf(bytes).map((field) => inside(type, field, random));
  const strangers = Array.from({ length: Math.floor(random() * 3) }, () => stranger(random));
  return Buffer.concat(shuffled([...fields, ...strangers], random).map((field) => bytesOf(field, random)));
}

function inside(type: protobuf.Type, field: Field, random: () => number): Field {
  const known = type.fieldsById[field.id];
  if (known?.type === 'uint32') return { ...field, maxBytes: 5 }; // protobufjs takes no more for one
  const inner = known?.resolvedType;
  return inner instanceof protobuf.Type ? { ...field, content: scramble(inner, field.content, random) } : field;
}

function stranger(random: () => number): Field {
  const id = 1_000 + Math.floor(random() * 100_000);
  const number = Buffer.of(0x10, 0x85, 0x01);
  const contents: readonly Field[] = [
    { id, wireType: 0, content: Buffer.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01) },
    { id, wireType: 1, content: Buffer.alloc(8, 0xff) },
    { id, wireType: 2, content: Buffer.alloc(200, 0xff) },
    { id, wireType: 3, content: Buffer.concat([number, number, varint(id * 8 + 4)]) },
    { id, wireType: 5, content: Buffer.alloc(4, 0xff) },
  ];
  return contents[Math.floor(random() * contents.length)]!;
}

/** The fields in another order; those of one number, which may be a list, in the one they had. */
function shuffled(fields: readonly Field[], random: () => number): Field[] {
  const left = [...fields];
  const slots = fields.map(({ id }) => ({ id, at: random() })).sort((a, b) => a.at - b.at);
  return slots.flatMap(({ id }) =>
    left.splice(
      left.findIndex((field) => field.id === id),
      1,
    ),
  );
}

function fieldsOf(bytes: Buffer): Field[] {
  const fields: Field[] = [];
  for (let position = 0; position < bytes.length;) {
    const tag = numberAt(bytes, position);
    const wireType = tag.value & 7;
    if (wireType !== 0 && wireType !== 2) throw new Error(`a field of the kind ${wireType}`);
    const first = numberAt(bytes, tag.end);
    const start = wireType === 0 ? tag.end : first.end;
    const end = wireType === 0 ? first.end : first.end + first.value;
    fields.push({ id: tag.value >>> 3, wireType, content: bytes.subarray(start, end) });
    position = end;
  }
  return fields;
}

function numberAt(bytes: Buffer, position: number): { readonly value: number; readonly end: number } {
  let end = position;
  let value = 0n;
  for (let shift = 0n; ; shift += 7n) {
    const byte = bytes[end++]!;
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return { value: Number(BigInt.asUintN(32, value)), end };
  }
}

function bytesOf({ id, wireType, content, maxBytes = 10 }: Field, random: () => number): Buffer {
  const tag = padded(varint(id * 8 + wireType), 5, random);
  if (wireType === 0) return Buffer.concat([tag, padded(content, maxBytes, random)]);
  if (wireType === 2) return Buffer.concat([tag, padded(varint(content.length), 5, random), content]);
  return Buffer.concat([tag, content]);
}

/** A number may be written with more bytes than it needs. */
function padded(number: Buffer, maxBytes: number, random: () => number): Buffer {
  if (number.length >= maxBytes || random() < 0.7) return number;
  const more = Buffer.from(number);
  more[more.length - 1]! |= 0x80;
  return Buffer.concat([more, Buffer.of(0)]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return Buffer.from([...bytes, rest]);
}
