/** The messages of calls that are rare, by proto-loader's serializers from the embedded descriptor; of the others, for tests. */
import { fromJSON, type PackageDefinition, type ServiceDefinition } from '@grpc/proto-loader';
import { EtcdInvalidArgumentError } from '../errors.js';
import { DESCRIPTOR_JSON, IDENTIFIER_FIELDS } from './generated/descriptor.js';
import { fromWire, MessagePlans, nodesOf, toWire, type DescriptorNode, type MessagePlan } from './message-plan.js';

/** One message, both ways. */
interface LoadedMessage {
  /** Its own name, for example `RangeRequest`. */
  readonly name: string;
  readonly encode: (message: object) => Buffer;
  readonly decode: (bytes: Buffer) => object;
}

/** The two messages of a call. */
interface LoadedRpc {
  readonly request: LoadedMessage;
  readonly response: LoadedMessage;
}

interface Schema {
  readonly definitions: PackageDefinition;
  readonly nodes: ReadonlyMap<string, DescriptorNode>;
  readonly plans: MessagePlans;
}

let schema: Schema | undefined;

/**
 * The messages of the RPC with this gRPC path.
 *
 * @throws {EtcdInvalidArgumentError} for a path that is not in `proto/`.
 */
export function loadedRpcOf(path: string): LoadedRpc {
  const { definitions, nodes, plans } = (schema ??= loadSchema());
  const [, service = '', name = ''] = path.split('/');
  const methods = nodes.get(service)?.methods ?? {};
  const types = Object.hasOwn(methods, name) ? methods[name] : undefined;
  const method = (definitions[service] as ServiceDefinition | undefined)?.[name];
  if (types === undefined || method === undefined) {
    throw new EtcdInvalidArgumentError('path', 'must be the path of an RPC of etcd', path);
  }
  return {
    request: loadedMessage(plans.of(types.requestType), method.requestSerialize, method.requestDeserialize),
    response: loadedMessage(plans.of(types.responseType), method.responseSerialize, method.responseDeserialize),
  };
}

/** Done on the first use and once per process, since it takes some 25 ms. */
function loadSchema(): Schema {
  const root = JSON.parse(DESCRIPTOR_JSON) as DescriptorNode;
  const nodes = nodesOf(root);
  const definitions = fromJSON(root, { enums: String, defaults: true, arrays: true });
  return { definitions, nodes, plans: new MessagePlans(nodes, IDENTIFIER_FIELDS) };
}

function loadedMessage(
  plan: MessagePlan,
  serialize: (message: object) => Buffer,
  deserialize: (bytes: Buffer) => object,
): LoadedMessage {
  return {
    name: plan.name,
    encode: (message) => serialize(toWire(plan, message)),
    decode: (bytes) => fromWire(plan, deserialize(bytes)),
  };
}
