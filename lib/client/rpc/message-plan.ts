/** How each field of each message changes between the form protobuf takes or gives and ours, worked out once per message. */
import { EtcdProtocolError } from '../errors.js';
import {
  requireArray,
  requireBoolean,
  requireBytes,
  requireEnumValue,
  requireIdentifier,
  requireInteger,
  requireMessage,
  requireString,
  severalSet,
} from './field-rules.js';
import { toDecimal, toHex, toSafeNumber, type Int64 } from './int64.js';

/** A package, message, enum or service as the descriptor writes it: which one it is shows by the members it has. */
export interface DescriptorNode {
  readonly nested?: Readonly<Record<string, DescriptorNode>>;
  readonly fields?: Readonly<Record<string, FieldDescriptor>>;
  readonly oneofs?: Readonly<Record<string, { readonly oneof: readonly string[] }>>;
  readonly values?: Readonly<Record<string, number>>;
  readonly methods?: Readonly<Record<string, { readonly requestType: string; readonly responseType: string }>>;
}

interface FieldDescriptor {
  readonly type: string;
  readonly rule?: 'repeated';
}

/** Every node of the descriptor by its full name, for example `etcdserverpb.RangeRequest.SortOrder`. */
export function nodesOf(root: DescriptorNode): ReadonlyMap<string, DescriptorNode> {
  const nodes = new Map<string, DescriptorNode>();
  const collect = (node: DescriptorNode, prefix: string): void => {
    for (const [name, child] of Object.entries(node.nested ?? {})) {
      nodes.set(prefix + name, child);
      collect(child, `${prefix}${name}.`);
    }
  };
  collect(root, '');
  return nodes;
}

type Convert = (value: unknown) => unknown;

/** Both ways for one kind of value. */
interface Converters {
  readonly toWire: Convert;
  /** `undefined` where protobuf's form is already ours. */
  readonly fromWire: Convert | undefined;
}

interface FieldPlan extends Converters {
  readonly name: string;
}

/** One message: its fields, and the groups of which at most one field may be set. */
export interface MessagePlan {
  /** The message's own name, for example `RangeRequest`. */
  readonly name: string;
  readonly fields: readonly FieldPlan[];
  /** The fields whose values change on the way in. */
  readonly received: readonly { readonly name: string; readonly fromWire: Convert }[];
  readonly oneofs: readonly (readonly string[])[];
}

/** The plans of all messages, each made when it is first asked for. */
export class MessagePlans {
  private readonly plans = new Map<string, MessagePlan>();

  constructor(
    private readonly nodes: ReadonlyMap<string, DescriptorNode>,
    private readonly identifiers: Readonly<Record<string, readonly string[]>>,
  ) {}

  /** The plan of the message with this full name, for example `etcdserverpb.RangeRequest`. */
  of(fullName: string): MessagePlan {
    const known = this.plans.get(fullName);
    if (known !== undefined) return known;
    const node = this.nodes.get(fullName);
    const fields: FieldPlan[] = [];
    const received: { name: string; fromWire: Convert }[] = [];
    const oneofs = Object.values(node?.oneofs ?? {}).map(({ oneof }) => oneof);
    const plan = { name: fullName.slice(fullName.lastIndexOf('.') + 1), fields, received, oneofs };
    this.plans.set(fullName, plan); // before its fields are planned: a transaction holds transactions
    for (const [name, field] of Object.entries(node?.fields ?? {})) {
      const converters = this.convertersOf(fullName, name, field, `${plan.name}.${name}`, isChoice(oneofs, name));
      fields.push({ name, ...converters });
      if (converters.fromWire !== undefined) received.push({ name, fromWire: converters.fromWire });
    }
    return plan;
  }

  private convertersOf(
    message: string,
    name: string,
    field: FieldDescriptor,
    label: string,
    isChoice: boolean,
  ): Converters {
    const isIdentifier = this.identifiers[message]?.includes(name) ?? false;
    const single = this.singleOf(field.type, isIdentifier, label);
    if (field.rule === 'repeated') return listOf(single, label);
    return field.type === 'bytes' && !isChoice ? withoutEmpty(single) : single;
  }

  private singleOf(type: string, isIdentifier: boolean, label: string): Converters {
    const values = this.nodes.get(type)?.values;
    if (values !== undefined) return enumOf(values, label);
    switch (type) {
      case 'int64':
      case 'uint64':
        return isIdentifier ? identifierOf(type === 'uint64', label) : numberOf(type === 'uint64', label);
      case 'uint32':
        return { toWire: (value) => requireInteger(value, 0, 2 ** 32 - 1, label), fromWire: undefined };
      case 'bool':
        return { toWire: (value) => requireBoolean(value, label), fromWire: undefined };
      case 'string':
        return { toWire: (value) => requireString(value, label), fromWire: undefined };
      case 'bytes':
        return { toWire: (value) => requireBytes(value, label), fromWire: undefined };
      default:
        return messageOf(this.of(type));
    }
  }
}

/** The message as protobuf takes it: checked, converted, and made of nothing but own properties of `message`. */
export function toWire({ name, fields, oneofs }: MessagePlan, message: unknown): object {
  const own = requireMessage(message, name);
  const wire: Record<string, unknown> = {};
  for (const field of fields) {
    const value = Object.hasOwn(own, field.name) ? own[field.name] : undefined;
    // Set also when absent, so that nothing is inherited from a polluted Object.prototype.
    wire[field.name] = value === undefined || value === null ? undefined : field.toWire(value);
  }
  for (const oneof of oneofs) {
    if (oneof.filter((member) => wire[member] !== undefined).length > 1) throw severalSet(name, wire, oneof);
  }
  return wire;
}

/** The message as the client reads it. Changes and returns what protobuf made, which nobody else holds. */
export function fromWire({ received }: MessagePlan, message: object): object {
  const own = message as Record<string, unknown>;
  for (const { name, fromWire: convert } of received) {
    const value = own[name];
    if (value !== undefined && value !== null) own[name] = convert(value);
  }
  return own;
}

function messageOf(plan: MessagePlan): Converters {
  return { toWire: (value) => toWire(plan, value), fromWire: (value) => fromWire(plan, value as object) };
}

function listOf({ toWire: elementToWire, fromWire: elementFromWire }: Converters, label: string): Converters {
  return {
    toWire: (value) => requireArray(value, label).map((element) => elementToWire(element)),
    fromWire: elementFromWire && ((value) => (value as unknown[]).map((element) => elementFromWire(element))),
  };
}

function numberOf(unsigned: boolean, label: string): Converters {
  const min = unsigned ? 0 : Number.MIN_SAFE_INTEGER;
  return {
    toWire: (value) => requireInteger(value, min, Number.MAX_SAFE_INTEGER, label),
    fromWire: (value) => {
      const number = toSafeNumber(value as Int64);
      if (number !== undefined) return number;
      throw new EtcdProtocolError(`${label} is ${toDecimal(value as Int64)}, more than a number can hold exactly`);
    },
  };
}

function identifierOf(unsigned: boolean, label: string): Converters {
  return {
    toWire: (value) => requireIdentifier(value, unsigned, label),
    fromWire: (value) => toHex(value as Int64),
  };
}

/** An enum a newer server extended: proto-loader gives such a value as its number, the types call it `UNKNOWN_` and the number. */
function enumOf(values: Readonly<Record<string, number>>, label: string): Converters {
  const numbers = new Map(Object.entries(values));
  return {
    toWire: (value) => requireEnumValue(value, numbers, label),
    fromWire: (value) => (typeof value === 'number' ? `UNKNOWN_${value}` : value),
  };
}

/**
 * Empty bytes are not sent, as protobuf's rules say for a field with its default value. Here it matters: of a range end
 * that is there but empty, etcd makes "every key from `key` on", where none at all means the one key.
 */
function withoutEmpty({ toWire: convert, fromWire: convertBack }: Converters): Converters {
  return {
    toWire: (value) => {
      const converted = convert(value) as Uint8Array;
      return converted.byteLength === 0 ? undefined : converted;
    },
    fromWire: convertBack,
  };
}

/** Whether the field is one of those of which at most one is set: then that it is set says something, whatever it holds. */
function isChoice(oneofs: readonly (readonly string[])[], name: string): boolean {
  return oneofs.some((oneof) => oneof.includes(name));
}
