/** Writes `lib/client/rpc/generated/` from `proto/`: the messages as TypeScript types, and the code between them and bytes. */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import { codecFile } from './generate-codec.js';
import { IDENTIFIERS } from './identifiers.js';

const ROOT_FOLDER = dirname(dirname(fileURLToPath(import.meta.url)));
const PROTO_FOLDER = join(ROOT_FOLDER, 'proto');
const OUTPUT_FOLDER = join(ROOT_FOLDER, 'lib/client/rpc/generated');
const PROTO_FILES = ['mvccpb.proto', 'authpb.proto', 'rpc.proto', 'v3lock.proto', 'v3election.proto'];

const SCALARS: Readonly<Record<string, string>> = {
  bool: 'boolean',
  string: 'string',
  bytes: 'Uint8Array',
  uint32: 'number',
  int64: 'number',
  uint64: 'number',
};

const IDENTIFIER_DOC = `An identifier of 64 bits, as lowercase hex without \`0x\` and without leading zeros, as \`etcdctl\` prints it; \`'0'\` for
none. A negative lease begins with \`-\`.`;

const UNKNOWN_ENUM_DOC = `A value of an enum that a newer server knows and this package does not, with its number.`;

const MESSAGES_HEAD = `/** The messages of the etcd API as TypeScript types. Written by \`npm run generate\` from \`proto/\`; not to be edited. */

${doc(IDENTIFIER_DOC)}
export type Identifier = string;

${doc(UNKNOWN_ENUM_DOC)}
export type UnknownEnum = \`UNKNOWN_\${number}\`;
`;

/** Which side of a call a message travels on; a few travel on both. */
interface Sides {
  readonly requests: ReadonlySet<protobuf.Type>;
  readonly responses: ReadonlySet<protobuf.Type>;
}

/** How one message is spelled: as it is sent (every field optional) or as it is received (every field there). */
type Direction = 'sent' | 'received';

function doc(text: string, indent = ''): string {
  const lines = text.split('\n');
  if (lines.length === 1) return `${indent}/** ${text} */`;
  return [`${indent}/**`, ...lines.map((line) => `${indent} * ${line}`.trimEnd()), `${indent} */`].join('\n');
}

/** Field names within backticks are spelled as in TypeScript. */
function docOf(object: protobuf.ReflectionObject, indent = ''): string {
  const text = object.comment?.replace(/`[a-z_]+`/g, (name) => protobuf.util.camelCase(name)) ?? null;
  if (text === null) throw new Error(`${object.fullName} in proto/ has no comment`);
  return doc(text, indent);
}

/** Full name without the leading dot. */
function nameOf(object: protobuf.ReflectionObject): string {
  return object.fullName.replace(/^\./, '');
}

function loadProtos(): protobuf.Root {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => join(PROTO_FOLDER, target);
  root.loadSync(PROTO_FILES, { alternateCommentMode: true });
  root.resolveAll();
  return root;
}

function everything(parent: protobuf.NamespaceBase): protobuf.ReflectionObject[] {
  return parent.nestedArray.flatMap((child) =>
    child instanceof protobuf.Namespace ? [child, ...everything(child)] : [child],
  );
}

function rpcsOf(all: readonly protobuf.ReflectionObject[]): protobuf.Method[] {
  return all.filter((object) => object instanceof protobuf.Service).flatMap((service) => service.methodsArray);
}

function isType(object: protobuf.ReflectionObject): object is protobuf.Type {
  return object instanceof protobuf.Type;
}

/** A message and all messages inside it. */
function reach(type: protobuf.Type, found: Set<protobuf.Type>): void {
  if (found.has(type)) return;
  found.add(type);
  for (const field of type.fieldsArray) {
    if (field.resolvedType instanceof protobuf.Type) reach(field.resolvedType, found);
  }
}

/** Messages that no RPC carries count as sent if they are called requests, and as received otherwise. */
function sidesOf(all: readonly protobuf.ReflectionObject[]): Sides {
  const requests = new Set<protobuf.Type>();
  const responses = new Set<protobuf.Type>();
  for (const method of rpcsOf(all)) {
    reach(required(method.resolvedRequestType, method), requests);
    reach(required(method.resolvedResponseType, method), responses);
  }
  for (const type of all.filter(isType)) {
    if (type.name.endsWith('Request')) reach(type, requests);
  }
  for (const type of all.filter(isType)) {
    if (!requests.has(type)) responses.add(type);
  }
  return { requests, responses };
}

function required<T>(value: T | null, where: protobuf.ReflectionObject): T {
  if (value === null) throw new Error(`${nameOf(where)} refers to a type that proto/ does not hold`);
  return value;
}

/** Enums are named without their message, except the one called just `Type`. */
function enumName(type: protobuf.Enum): string {
  return type.name === 'Type' ? `${type.parent?.name ?? ''}Type` : type.name;
}

/** A message that travels both ways has a second shape, `…Input`, for the way to the server. */
function messageName(type: protobuf.Type, direction: Direction, sides: Sides): string {
  return direction === 'sent' && sides.responses.has(type) ? `${type.name}Input` : type.name;
}

function isIdentifier(field: protobuf.Field): boolean {
  return field.parent !== null && (IDENTIFIERS[nameOf(field.parent)]?.includes(field.name) ?? false);
}

function elementType(field: protobuf.Field, direction: Direction, sides: Sides): string {
  if (isIdentifier(field)) return 'Identifier';
  const resolved = field.resolvedType;
  if (resolved instanceof protobuf.Type) return messageName(resolved, direction, sides);
  if (resolved instanceof protobuf.Enum) return `${enumName(resolved)} | UnknownEnum`;
  const scalar = SCALARS[field.type];
  if (scalar === undefined) throw new Error(`${nameOf(field)} has type ${field.type}, which the codec does not know`);
  return scalar;
}

function fieldOf(field: protobuf.Field, direction: Direction, sides: Sides): string {
  const element = elementType(field, direction, sides);
  const type = field.repeated ? `readonly ${element.includes('|') ? `(${element})` : element}[]` : element;
  const isOptional = direction === 'sent' || field.partOf !== null;
  const isNullable = !isOptional && !field.repeated && field.resolvedType instanceof protobuf.Type;
  const suffix = isOptional ? ' | undefined' : isNullable ? ' | null' : '';
  return `${docOf(field, '  ')}\n  readonly ${field.name}${isOptional ? '?' : ''}: ${type}${suffix};`;
}

function messageOf(type: protobuf.Type, direction: Direction, sides: Sides): string {
  const name = messageName(type, direction, sides);
  if (type.fieldsArray.length === 0) return `${docOf(type)}\nexport type ${name} = Readonly<Record<string, never>>;\n`;
  const fields = type.fieldsArray.map((field) => fieldOf(field, direction, sides));
  return `${docOf(type)}\nexport interface ${name} {\n${fields.join('\n')}\n}\n`;
}

function enumOf(type: protobuf.Enum): string {
  const values = Object.keys(type.values);
  const meanings = values.map((value) => `- \`${value}\`: ${required(type.comments[value] ?? null, type)}`);
  const text = [required(type.comment, type), '', ...meanings].join('\n');
  return `${doc(text)}\nexport type ${enumName(type)} = ${values.map((value) => `'${value}'`).join(' | ')};\n`;
}

function rpcOf(method: protobuf.Method, sides: Sides): string {
  const request = messageName(required(method.resolvedRequestType, method), 'sent', sides);
  const response = messageName(required(method.resolvedResponseType, method), 'received', sides);
  const path = `/${nameOf(required(method.parent, method))}/${method.name}`;
  return `${docOf(method, '  ')}\n  readonly '${path}': { readonly request: ${request}; readonly response: ${response} };`;
}

function messagesFile(root: protobuf.Root): string {
  const all = everything(root);
  const sides = sidesOf(all);
  const parts = all.flatMap((object) => {
    if (object instanceof protobuf.Enum) return [enumOf(object)];
    if (!isType(object)) return [];
    return [
      ...(sides.requests.has(object) ? [messageOf(object, 'sent', sides)] : []),
      ...(sides.responses.has(object) ? [messageOf(object, 'received', sides)] : []),
    ];
  });
  const table = `/** The RPCs by their gRPC path, with the messages they carry. */
export interface RpcMessages {\n${rpcsOf(all)
    .map((rpc) => rpcOf(rpc, sides))
    .join('\n')}\n}\n`;
  return [MESSAGES_HEAD, ...parts, table].join('\n');
}

function requireIdentifiersIn(root: protobuf.Root): void {
  for (const [message, fields] of Object.entries(IDENTIFIERS)) {
    for (const name of fields) {
      const type = root.lookupType(message).fields[name]?.type;
      if (type !== 'int64' && type !== 'uint64') throw new Error(`${message}.${name} is no 64-bit field of proto/`);
    }
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function codecText(root: protobuf.Root): string {
  const all = everything(root);
  const sides = sidesOf(all);
  const receivedName = (type: protobuf.Type): string => messageName(type, 'received', sides);
  return codecFile(rpcsOf(all), { nameOf, enumName, isIdentifier, reach, receivedName });
}

function main(): void {
  const root = loadProtos();
  requireIdentifiersIn(root);
  const files = {
    'codec.ts': codecText(root),
    'messages.ts': messagesFile(root),
  };
  const stale = Object.entries(files)
    .map(([name, text]) => ({ path: join(OUTPUT_FOLDER, name), text }))
    .filter(({ path, text }) => readIfThere(path) !== text);
  if (process.argv.includes('--check')) {
    for (const { path } of stale)
      console.error(`${relative(ROOT_FOLDER, path)} is not what proto/ says: npm run generate`);
    process.exitCode = stale.length === 0 ? 0 : 1;
    return;
  }
  for (const { path, text } of stale) writeFileSync(path, text);
  console.log(stale.length === 0 ? 'nothing to change' : `${stale.length} files written`);
}

main();
