/** Turns requests into bytes and bytes into answers, exactly: no number is rounded and nothing of the wrong kind gets through. */
import { fromJSON, type PackageDefinition, type ServiceDefinition } from '@grpc/proto-loader';
import { EtcdError, EtcdInvalidArgumentError, EtcdProtocolError } from '../errors.js';
import { DESCRIPTOR_JSON, IDENTIFIER_FIELDS } from './generated/descriptor.js';
import { type RpcMessages } from './generated/messages.js';
import { fromWire, MessagePlans, nodesOf, toWire, type DescriptorNode, type MessagePlan } from './message-plan.js';

/** The client's side of an RPC. */
export interface Codec<Req, Res> {
  /**
   * The request as bytes. Fields that are left out, `undefined` or `null` are not sent.
   *
   * @throws {EtcdInvalidArgumentError} for a value its field cannot hold.
   */
  readonly encode: (request: Req) => Buffer;
  /**
   * The answer in these bytes, with every field there. Its `Uint8Array`s are views of `bytes`, not copies.
   *
   * @throws {EtcdProtocolError} for bytes that are no such message, and for a number above `Number.MAX_SAFE_INTEGER`.
   */
  readonly decode: (bytes: Uint8Array) => Res;
}

/** The server's side of an RPC, for servers that play etcd in tests. */
export interface ServerCodec<Req, Res> {
  /** The request in these bytes, with every field there. */
  readonly decodeRequest: (bytes: Uint8Array) => Req;
  /** The answer as bytes. */
  readonly encodeResponse: (response: Res) => Buffer;
}

type RpcPath = keyof RpcMessages;

/**
 * The client's side of the RPC with this gRPC path, for example `/etcdserverpb.KV/Range`.
 *
 * @throws {EtcdInvalidArgumentError} for a path that is not in `proto/`.
 */
export function codecOf<Path extends RpcPath>(
  path: Path,
): Codec<RpcMessages[Path]['request'], RpcMessages[Path]['response']>;
export function codecOf(path: string): Codec<object, unknown>;
export function codecOf(path: string): Codec<object, unknown> {
  const { request, response } = rpcOf(path);
  return { encode: request.encode, decode: response.decode };
}

/** The server's side of the RPC with this gRPC path. @see codecOf */
export function serverCodecOf<Path extends RpcPath>(
  path: Path,
): ServerCodec<RpcMessages[Path]['request'], RpcMessages[Path]['response']>;
export function serverCodecOf(path: string): ServerCodec<unknown, object>;
export function serverCodecOf(path: string): ServerCodec<unknown, object> {
  const { request, response } = rpcOf(path);
  return { decodeRequest: request.decode, encodeResponse: response.encode };
}

/** One message, both ways. */
interface MessageCodec {
  readonly encode: (message: object) => Buffer;
  readonly decode: (bytes: Uint8Array) => unknown;
}

interface Rpc {
  readonly request: MessageCodec;
  readonly response: MessageCodec;
}

interface Schema {
  readonly definitions: PackageDefinition;
  readonly nodes: ReadonlyMap<string, DescriptorNode>;
  readonly plans: MessagePlans;
}

let schema: Schema | undefined;
const rpcs = new Map<string, Rpc>();

/** Done on the first use and once per process, since it takes some 25 ms. */
function loadSchema(): Schema {
  const root = JSON.parse(DESCRIPTOR_JSON) as DescriptorNode;
  const nodes = nodesOf(root);
  const definitions = fromJSON(root, { enums: String, defaults: true, arrays: true });
  return { definitions, nodes, plans: new MessagePlans(nodes, IDENTIFIER_FIELDS) };
}

function rpcOf(path: string): Rpc {
  const known = rpcs.get(path);
  if (known !== undefined) return known;
  const rpc = compileRpc(path);
  rpcs.set(path, rpc);
  return rpc;
}

function compileRpc(path: string): Rpc {
  const { definitions, nodes, plans } = (schema ??= loadSchema());
  const [, service = '', name = ''] = path.split('/');
  const methods = nodes.get(service)?.methods ?? {};
  const types = Object.hasOwn(methods, name) ? methods[name] : undefined;
  const method = (definitions[service] as ServiceDefinition | undefined)?.[name];
  if (types === undefined || method === undefined) {
    throw new EtcdInvalidArgumentError('path', 'must be the path of an RPC of etcd', path);
  }
  return {
    request: messageCodec(plans.of(types.requestType), method.requestSerialize, method.requestDeserialize),
    response: messageCodec(plans.of(types.responseType), method.responseSerialize, method.responseDeserialize),
  };
}

function messageCodec(
  plan: MessagePlan,
  serialize: (message: object) => Buffer,
  deserialize: (bytes: Buffer) => object,
): MessageCodec {
  return {
    encode(message) {
      try {
        return serialize(toWire(plan, message));
      } catch (cause) {
        if (cause instanceof EtcdError) throw cause;
        throw new EtcdInvalidArgumentError(
          plan.name,
          `must be a message that can be sent (${reasonOf(cause)})`,
          undefined,
          { cause },
        );
      }
    },
    decode(bytes) {
      try {
        return fromWire(plan, deserialize(asBuffer(bytes)));
      } catch (cause) {
        if (cause instanceof EtcdError) throw cause;
        throw new EtcdProtocolError(`${bytes.byteLength} bytes are no ${plan.name}: ${reasonOf(cause)}`, { cause });
      }
    },
  };
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/** protobufjs reads a Buffer quicker than other bytes, and gives views of it. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
