/** One endpoint of a service, and the JSON that the Go client's naming package keeps it in. */
import { EtcdInvalidArgumentError } from '../errors.js';

/** Where a service can be reached. */
export interface ServiceEndpoint {
  /** `host:port`, with an IPv6 host in brackets, or `unix:` and a path. */
  readonly address: string;
  /** What else is to be known of it: anything that JSON can hold. gRPC takes no notice of it. */
  readonly metadata?: unknown;
}

/** Go's `endpoints.Add`. The other value belongs to updates on their way, and means nothing in the store. */
const ADD = 0;

/**
 * The value under which Go's `naming/endpoints` finds the endpoint.
 *
 * @throws {EtcdInvalidArgumentError} when there is no address, or the metadata is nothing that JSON can hold.
 */
export function encodeEndpoint({ address, metadata = null }: ServiceEndpoint): string {
  if (typeof address !== 'string' || address === '') {
    throw new EtcdInvalidArgumentError('address', 'must be a text such as 10.0.0.7:8080', address);
  }
  return JSON.stringify({ Op: ADD, Addr: address, Metadata: toJson(metadata) });
}

/** @returns `undefined` for a value that is no endpoint. */
export function decodeEndpoint(value: string): ServiceEndpoint | undefined {
  const fields = fieldsOf(value);
  if (fields === undefined) return undefined;
  const { addr = '', metadata = null } = fields;
  if (typeof addr !== 'string' || (addr === '' && metadata === null)) return undefined;
  return metadata === null ? { address: addr } : { address: addr, metadata };
}

/** Go matches the names of fields whatever their case, so others may have written them in theirs. */
function fieldsOf(value: string): { readonly addr?: unknown; readonly metadata?: unknown } | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch {
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return undefined;
  return Object.fromEntries(Object.entries(parsed).map(([name, field]) => [name.toLowerCase(), field as unknown]));
}

/** The text is parsed again, since only then it is known to be one: of a function, JSON makes nothing at all. */
function toJson(metadata: unknown): unknown {
  try {
    return JSON.parse(JSON.stringify(metadata)) as unknown;
  } catch {
    throw new EtcdInvalidArgumentError('metadata', 'must be something that JSON can hold', metadata);
  }
}
