/** Endpoints from DNS: the SRV records that etcd and etcdctl use for discovery. */
import { Resolver } from 'node:dns/promises';
import { EtcdUnavailableError } from './errors.js';

/** How to look up. */
export interface DnsDiscoveryOptions {
  /** Tells several clusters of one domain apart: `_etcd-client-<serviceName>._tcp`. */
  readonly serviceName?: string | undefined;
  /**
   * DNS servers to ask, as `address` or `address:port`.
   *
   * @default the machine's own
   */
  readonly servers?: readonly string[] | undefined;
}

/**
 * Looks up the client endpoints of a cluster: `_etcd-client-ssl._tcp.<domain>` gives `https` endpoints,
 * `_etcd-client._tcp.<domain>` gives `http` ones. Records with a lower priority value come first.
 *
 * @throws {EtcdUnavailableError} when neither name has a record; the message says what was asked and answered.
 * @see etcd `client/pkg/srv`
 *
 * @example
 * const etcd = new EtcdClient({ endpoints: await discoverEndpoints('example.com') });
 */
export async function discoverEndpoints(domain: string, options: DnsDiscoveryOptions = {}): Promise<readonly string[]> {
  const resolver = new Resolver();
  if (options.servers !== undefined) resolver.setServers(options.servers);
  const suffix = options.serviceName === undefined ? '' : `-${options.serviceName}`;
  const names = [
    ['https', `_etcd-client-ssl${suffix}._tcp.${domain}`],
    ['http', `_etcd-client${suffix}._tcp.${domain}`],
  ] as const;
  const answers = await Promise.all(names.map(([scheme, name]) => lookUp(resolver, scheme, name)));
  const endpoints = answers.flatMap((answer) => answer.endpoints);
  if (endpoints.length > 0) return endpoints;
  const failures = answers.map(({ name, reason }) => ({ endpoint: name, reason: reason ?? 'no records' }));
  const text = failures.map(({ endpoint, reason }) => `${endpoint}: ${reason}`).join('; ');
  throw new EtcdUnavailableError(`DNS knows no etcd in ${domain}: ${text}`, failures);
}

interface Answer {
  readonly name: string;
  readonly endpoints: readonly string[];
  readonly reason: string | undefined;
}

async function lookUp(resolver: Resolver, scheme: string, name: string): Promise<Answer> {
  try {
    const records = await resolver.resolveSrv(name);
    const sorted = records.toSorted((a, b) => a.priority - b.priority || b.weight - a.weight);
    const endpoints = sorted.map((record) => `${scheme}://${record.name.replace(/\.$/, '')}:${record.port}`);
    return { name, endpoints, reason: undefined };
  } catch (error) {
    return { name, endpoints: [], reason: error instanceof Error ? error.message : String(error) };
  }
}
