/** The server's side of etcd's RPCs: protobufjs with `proto/` as it is, which shares nothing with the client's codec. */
import { join } from 'node:path';
import protobuf from 'protobufjs';
import type { RpcMessages } from '../../lib/client/rpc/generated/messages.js';
import { ROOT_FOLDER } from './built.js';

const PROTO_FILES = ['rpc.proto', 'v3lock.proto', 'v3election.proto'];
const READ = { longs: String, enums: String, defaults: true, arrays: true } as const;

/** The messages of an RPC. */
export interface RpcTypes {
  readonly path: string;
  readonly request: protobuf.Type;
  readonly response: protobuf.Type;
}

/** Reads the requests of an RPC and writes its answers. */
interface ServerCodec<Req, Res> {
  /** The request in these bytes, with every field there, as the client gives messages. */
  readonly decodeRequest: (bytes: Uint8Array) => Req;
  /**
   * The answer as bytes: the fields that are there, also those with their default value.
   *
   * @throws {TypeError} for a field that the message does not have, and for a value that its field cannot hold.
   */
  readonly encodeResponse: (response: Res) => Buffer;
}

/** Everything in `proto/`, with the names of fields as the client has them. */
export const protocol = loadProtocol();

/** Every RPC by its gRPC path, for example `/etcdserverpb.KV/Range`. */
export const rpcs: ReadonlyMap<string, RpcTypes> = new Map(rpcsOf(protocol).map((rpc) => [rpc.path, rpc]));

/** The server's side of the RPC with this gRPC path. */
export function serverCodecOf<Path extends keyof RpcMessages>(
  path: Path,
): ServerCodec<RpcMessages[Path]['request'], RpcMessages[Path]['response']>;
export function serverCodecOf(path: string): ServerCodec<unknown, object>;
export function serverCodecOf(path: string): ServerCodec<unknown, object> {
  const rpc = rpcs.get(path);
  if (rpc === undefined) throw new Error(`${path} is no RPC of etcd`);
  return {
    decodeRequest: (bytes) => decodeMessage(rpc.request, bytes),
    encodeResponse: (response) => encodeMessage(rpc.response, response),
  };
}

/** A message as the client gives or takes it, as bytes. */
export function encodeMessage(type: protobuf.Type, message: object): Buffer {
  const bytes = type.encode(type.fromObject(wireForm(type, message))).finish();
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The message in these bytes, as the client gives it. */
export function decodeMessage(type: protobuf.Type, bytes: Uint8Array): object {
  return clientForm(type, type.toObject(type.decode(bytes), READ));
}

/** Whether a field names a cluster, a member or a lease, which is hex, rather than counts. */
export function isIdentifier({ name, type }: protobuf.Field): boolean {
  return /^u?int64$/.test(type) && /^(lease|ID|memberID|targetID|leader|clusterId|memberId)$/.test(name);
}

function loadProtocol(): protobuf.Root {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => join(ROOT_FOLDER, 'proto', target);
  return root.loadSync(PROTO_FILES).resolveAll() as protobuf.Root;
}

function rpcsOf(parent: protobuf.NamespaceBase): RpcTypes[] {
  return parent.nestedArray.flatMap((child) => {
    if (child instanceof protobuf.Service) return child.methodsArray.map((method) => rpcOf(child, method));
    return child instanceof protobuf.Namespace ? rpcsOf(child) : [];
  });
}

function rpcOf(service: protobuf.Service, method: protobuf.Method): RpcTypes {
  const { resolvedRequestType: request, resolvedResponseType: response } = method;
  if (request === null || response === null) throw new Error(`${method.fullName} has messages that are not in proto/`);
  return { path: `/${service.fullName.slice(1)}/${method.name}`, request, response };
}

/** Changes each value of a message that is there, those of lists one by one. */
function converted(
  type: protobuf.Type,
  message: object,
  convert: (field: protobuf.Field, value: unknown) => unknown,
): Record<string, unknown> {
  const there = Object.entries(message).filter(([, value]) => value !== undefined && value !== null);
  const entries = there.map(([name, value]: [string, unknown]) => {
    const field = type.fields[name];
    if (field === undefined) throw new TypeError(`${type.name} has no field ${name}`);
    if (field.repeated !== Array.isArray(value)) refuse(field, value);
    return [name, Array.isArray(value) ? value.map((single) => convert(field, single)) : convert(field, value)];
  });
  return Object.fromEntries(entries) as Record<string, unknown>;
}

function wireForm(type: protobuf.Type, message: object): Record<string, unknown> {
  return converted(type, message, (field, value) => {
    const { resolvedType } = field;
    if (resolvedType instanceof protobuf.Enum) return enumNumber(resolvedType, value) ?? refuse(field, value);
    if (resolvedType instanceof protobuf.Type && typeof value === 'object') return wireForm(resolvedType, value!);
    if (isIdentifier(field)) return decimalOf(value) ?? refuse(field, value);
    return fits(field.type, value) ? value : refuse(field, value);
  });
}

function clientForm(type: protobuf.Type, message: object): object {
  const changed = converted(type, message, (field, value) => {
    if (field.resolvedType instanceof protobuf.Type) return clientForm(field.resolvedType, value as object);
    if (field.resolvedType instanceof protobuf.Enum) return typeof value === 'number' ? `UNKNOWN_${value}` : value;
    if (isIdentifier(field)) return BigInt(value as string).toString(16);
    return typeof value === 'string' && field.type.endsWith('int64') ? exactNumber(field, value) : value;
  });
  return { ...message, ...changed };
}

function enumNumber({ values }: protobuf.Enum, value: unknown): number | undefined {
  if (typeof value !== 'string') return undefined;
  return value.startsWith('UNKNOWN_') ? Number(value.slice('UNKNOWN_'.length)) : values[value];
}

function decimalOf(hex: unknown): string | undefined {
  const [, sign = '', digits] = typeof hex === 'string' ? (/^(-?)([0-9a-f]{1,16})$/.exec(hex) ?? []) : [];
  return digits === undefined ? undefined : `${sign}${BigInt(`0x${digits}`)}`;
}

function exactNumber(field: protobuf.Field, decimal: string): number {
  return Number.isSafeInteger(Number(decimal)) ? Number(decimal) : refuse(field, decimal);
}

function fits(type: string, value: unknown): boolean {
  if (type === 'bytes') return value instanceof Uint8Array;
  if (type === 'string') return typeof value === 'string';
  if (type === 'bool') return typeof value === 'boolean';
  return Number.isSafeInteger(value) && (type.startsWith('u') ? (value as number) >= 0 : true);
}

function refuse({ fullName }: protobuf.Field, value: unknown): never {
  throw new TypeError(`${fullName.slice(1)} cannot be ${JSON.stringify(value)}`);
}
