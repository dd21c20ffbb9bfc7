/**
 * Writes code that encodes the requests and decodes the answers of every RPC.
 *
 * It is straight-line code on purpose: objects with the same members in the same order, and no function that is called for
 * every kind of field, are what V8 makes fast.
 */
import protobuf from 'protobufjs';

/** What the rest of the generator knows of names and identifiers. */
export interface CodecNames {
  /** Full name without the leading dot. */
  nameOf(object: protobuf.ReflectionObject): string;
  enumName(type: protobuf.Enum): string;
  receivedName(type: protobuf.Type): string;
  isIdentifier(field: protobuf.Field): boolean;
  reach(type: protobuf.Type, found: Set<protobuf.Type>): void;
}

const HEAD = `/**
 * Encodes the requests and decodes the answers of every RPC. Written by \`npm run generate\` from \`proto/\`; not to be edited.
 *
 * Own properties only are sent, so that nothing comes in from a polluted \`Object.prototype\`.
 */
import { requireMessage, severalSet } from '../field-rules.js';
import { NO_BYTES, type WireReader } from '../wire-reader.js';
import type { WireWriter } from '../wire-writer.js';
import type * as wire from './messages.js';
`;

const VARINT = 0;
const LENGTH_DELIMITED = 2;

function isNumber({ type, resolvedType }: protobuf.Field): boolean {
  return ['bool', 'int64', 'uint64', 'uint32'].includes(type) || resolvedType instanceof protobuf.Enum;
}

/** A list of numbers is packed: one field with a length that holds them all. */
function tagOf(field: protobuf.Field): number {
  return field.id * 8 + (isNumber(field) && !field.repeated ? VARINT : LENGTH_DELIMITED);
}

function byNumber(type: protobuf.Type): protobuf.Field[] {
  return [...type.fieldsArray].sort((a, b) => a.id - b.id);
}

function unknownKind(field: protobuf.Field): Error {
  return new Error(`${field.fullName} is of a kind that the generated code does not know: ${field.type}`);
}

function constantOf(type: protobuf.Enum, suffix: string): string {
  const parent = type.name === 'Type' || type.name === 'EventType' ? (type.parent?.name ?? '') : '';
  const words = `${parent}${type.name}`.replace(/([a-z])([A-Z])/g, '$1_$2').toUpperCase();
  return `${words}_${suffix}`;
}

/** The code of one file, with what it needs of the enums. */
class CodecWriter {
  private readonly enumNumbers = new Set<protobuf.Enum>();
  private readonly enumNames = new Set<protobuf.Enum>();

  constructor(private readonly names: CodecNames) {}

  file(methods: readonly protobuf.Method[]): string {
    const sent = new Set<protobuf.Type>();
    const received = new Set<protobuf.Type>();
    for (const { resolvedRequestType, resolvedResponseType } of methods) {
      if (resolvedRequestType !== null) this.names.reach(resolvedRequestType, sent);
      if (resolvedResponseType !== null) this.names.reach(resolvedResponseType, received);
    }
    const writers = [...sent].map((type) => this.writerOf(type));
    const readers = [...received].map((type) => this.readerOf(type));
    return [HEAD, this.enums(), ...writers, ...readers, this.table(methods)].join('\n');
  }

  private enums(): string {
    const numbers = [...this.enumNumbers].map((type) => {
      const entries = Object.entries(type.values).map(([name, number]) => `['${name}', ${number}]`);
      return `const ${constantOf(type, 'NUMBERS')}: ReadonlyMap<string, number> = new Map([${entries.join(', ')}]);\n`;
    });
    const names = [...this.enumNames].map((type) => {
      const inOrder = Object.entries(type.values).sort(([, a], [, b]) => a - b);
      if (inOrder.some(([, number], index) => number !== index)) throw new Error(`${type.fullName} has gaps`);
      return `const ${constantOf(type, 'NAMES')} = [${inOrder.map(([name]) => `'${name}'`).join(', ')}] as const;\n`;
    });
    return [...numbers, ...names].join('');
  }

  private table(methods: readonly protobuf.Method[]): string {
    const rows = methods.map((method) => {
      const { resolvedRequestType: request, resolvedResponseType: response } = method;
      if (method.parent === null || request === null || response === null) throw new Error(method.fullName);
      const messages = `request: '${request.name}', response: '${response.name}'`;
      return `  '/${this.names.nameOf(method.parent)}/${method.name}': { ${messages}, write: write${request.name}, read: read${response.name} },`;
    });
    return `/** The RPCs by their gRPC path: their messages by name, and the code for them. */
export const RPC_CODECS = {\n${rows.join('\n')}\n};\n`;
  }

  private writerOf(type: protobuf.Type): string {
    const name = type.name;
    const lines = byNumber(type).map((field) => this.writeField(field));
    const uses = lines.length > 0;
    const [oneof, another] = type.oneofsArray;
    if (another !== undefined) throw new Error(`${type.fullName} has several oneofs`);
    const choices = oneof?.fieldsArray.map((field) => `'${field.name}'`).join(', ');
    const check = choices === undefined ? '' : `  if (choices > 1) throw severalSet('${name}', own, [${choices}]);\n`;
    const parameters = uses ? 'to: WireWriter, message: unknown' : '_to: WireWriter, message: unknown';
    const first = uses ? `const own = requireMessage(message, '${name}');` : `requireMessage(message, '${name}');`;
    const count = oneof === undefined ? '' : '  let choices = 0;\n';
    return `function write${name}(${parameters}): void {\n  ${first}\n${count}${lines.join('')}${check}}\n`;
  }

  private writeField(field: protobuf.Field): string {
    const value = `own['${field.name}']`;
    const call = `${this.writeCall(field, value)};`;
    const statement = field.partOf === null ? call : `{\n    choices += 1;\n    ${call}\n  }`;
    return `  if (${value} != null && Object.hasOwn(own, '${field.name}')) ${statement}\n`;
  }

  private writeCall(field: protobuf.Field, value: string): string {
    const label = `'${field.parent?.name ?? ''}.${field.name}'`;
    const start = `${tagOf(field)}, ${value}`;
    const { resolvedType } = field;
    if (field.map) throw unknownKind(field);
    if (resolvedType instanceof protobuf.Enum) {
      this.enumNumbers.add(resolvedType);
      const method = field.repeated ? 'enumerations' : 'enumeration';
      return `to.${method}(${start}, ${constantOf(resolvedType, 'NUMBERS')}, ${label})`;
    }
    if (resolvedType instanceof protobuf.Type) {
      const write = `write${resolvedType.name}`;
      return field.repeated ? `to.messages(${start}, ${write}, ${label})` : `to.message(${start}, ${write})`;
    }
    return `to.${field.repeated ? this.listWriter(field) : this.scalarWriter(field)}(${start}, ${label})`;
  }

  private listWriter(field: protobuf.Field): string {
    if (field.type !== 'string') throw unknownKind(field);
    return 'strings';
  }

  private scalarWriter(field: protobuf.Field): string {
    switch (field.type) {
      case 'uint64':
        if (!this.names.isIdentifier(field)) throw unknownKind(field);
        return 'uint64Id';
      case 'int64':
        return this.names.isIdentifier(field) ? 'int64Id' : 'int64';
      case 'bool':
      case 'string':
        return field.type;
      case 'bytes':
        return field.partOf === null ? 'bytes' : 'chosenBytes';
      default:
        throw unknownKind(field);
    }
  }

  private readerOf(type: protobuf.Type): string {
    const fields = byNumber(type);
    const [oneof] = type.oneofsArray;
    const head = `function read${type.name}(from: WireReader, end: number): wire.${this.names.receivedName(type)} {`;
    if (oneof !== undefined && oneof.fieldsArray.length !== fields.length) throw new Error(`${type.fullName} is mixed`);
    const start =
      oneof === undefined
        ? fields.map((field) => this.declare(field)).join('')
        : `  let message: wire.${this.names.receivedName(type)} = {};\n`;
    const cases = fields.map((field) => this.readCase(field, oneof !== undefined)).join('');
    const result = oneof === undefined ? `{ ${fields.map(({ name }) => name).join(', ')} }` : 'message';
    return `${head}
${start}  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
${cases}      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return ${result};
}
`;
  }

  private declare(field: protobuf.Field): string {
    const { resolvedType } = field;
    const message = resolvedType instanceof protobuf.Type ? `wire.${this.names.receivedName(resolvedType)}` : undefined;
    if (field.repeated)
      return `  const ${field.name}: ${message ?? (field.type === 'bytes' ? 'Uint8Array' : field.type)}[] = [];\n`;
    if (message !== undefined) return `  let ${field.name}: ${message} | null = null;\n`;
    if (resolvedType instanceof protobuf.Enum) {
      const name = `${this.names.enumName(resolvedType)} | wire.UnknownEnum`;
      return `  let ${field.name}: wire.${name} = ${constantOf(resolvedType, 'NAMES')}[0];\n`;
    }
    return `  let ${field.name} = ${this.defaultOf(field)};\n`;
  }

  private defaultOf(field: protobuf.Field): string {
    switch (field.type) {
      case 'int64':
      case 'uint64':
        return this.names.isIdentifier(field) ? "'0'" : '0';
      case 'uint32':
        return '0';
      case 'bool':
        return 'false';
      case 'string':
        return "''";
      case 'bytes':
        return 'NO_BYTES';
      default:
        throw unknownKind(field);
    }
  }

  private readCase(field: protobuf.Field, isChoice: boolean): string {
    const read = this.readCall(field);
    const set = field.repeated ? `${field.name}.push(${read})` : `${field.name} = ${read}`;
    const statement = isChoice ? `message = { ${field.name}: ${read} }` : set;
    return `      case ${tagOf(field)}:\n        ${statement};\n        break;\n`;
  }

  private readCall(field: protobuf.Field): string {
    const { resolvedType } = field;
    if (field.map || (field.repeated && isNumber(field))) throw unknownKind(field);
    if (resolvedType instanceof protobuf.Enum) {
      this.enumNames.add(resolvedType);
      return `from.enumeration(${constantOf(resolvedType, 'NAMES')})`;
    }
    if (resolvedType instanceof protobuf.Type) return `read${resolvedType.name}(from, from.begin())`;
    switch (field.type) {
      case 'int64':
      case 'uint64':
        if (this.names.isIdentifier(field)) return `from.${field.type}Id()`;
        return `from.${field.type}('${field.parent?.name ?? ''}.${field.name}')`;
      case 'uint32':
      case 'bool':
      case 'string':
      case 'bytes':
        return `from.${field.type}()`;
      default:
        throw unknownKind(field);
    }
  }
}

/** The file with the code. @param methods every RPC */
export function codecFile(methods: readonly protobuf.Method[], names: CodecNames): string {
  return new CodecWriter(names).file(methods);
}
