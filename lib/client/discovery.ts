/** Endpoints from DNS: the SRV records that etcd and etcdctl use for discovery. */
import { Resolver } from 'node:dns/promises';
import { systemClock } from './clock.js';
import { EtcdAbortedError, EtcdUnavailableError } from './errors.js';
import { requireTimeout } from './options.js';

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
  /**
   * Milliseconds to wait for answers.
   *
   * @default 5_000
   * @remarks an integer from 1 to 2_147_483_647.
   */
  readonly timeoutMs?: number | undefined;
  /** Ends the look-up, which rejects with `EtcdAbortedError`. */
  readonly signal?: AbortSignal | undefined;
}

const DEFAULT_TIMEOUT_MS = 5_000;
/** After this long a question is asked again: the packet, or the answer to it, may be lost. */
const ASK_AGAIN_MS = 1_000;

/**
 * Looks up the client endpoints of a cluster: `_etcd-client-ssl._tcp.<domain>` gives `https` endpoints,
 * `_etcd-client._tcp.<domain>` gives `http` ones. Records with a lower priority value come first.
 *
 * @throws {EtcdUnavailableError} when neither name has a record, or none is known in time; the message says what was asked
 *   and answered.
 * @throws {EtcdAbortedError} when the signal aborts.
 * @see etcd `client/pkg/srv`
 *
 * @example
 * const etcd = new EtcdClient({ endpoints: await discoverEndpoints('example.com') });
 */
export async function discoverEndpoints(domain: string, options: DnsDiscoveryOptions = {}): Promise<readonly string[]> {
  const suffix = options.serviceName === undefined ? '' : `-${options.serviceName}`;
  const answers = await lookUpAll(options, [
    ['https', `_etcd-client-ssl${suffix}._tcp.${domain}`],
    ['http', `_etcd-client${suffix}._tcp.${domain}`],
  ]);
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

async function lookUpAll(
  { servers, signal, timeoutMs = DEFAULT_TIMEOUT_MS }: DnsDiscoveryOptions,
  names: readonly (readonly [scheme: string, name: string])[],
): Promise<readonly Answer[]> {
  requireTimeout('timeoutMs', timeoutMs);
  const resolver = new Resolver({ timeout: ASK_AGAIN_MS });
  if (servers !== undefined) resolver.setServers(servers);
  const cancel = (): void => resolver.cancel();
  const cancelTimer = systemClock.after(timeoutMs, cancel);
  signal?.addEventListener('abort', cancel);
  try {
    const looks = names.map(([scheme, name]) => lookUp(resolver, scheme, name, timeoutMs));
    if (signal?.aborted === true) cancel();
    const answers = await Promise.all(looks);
    if (signal?.aborted === true) throw new EtcdAbortedError({ cause: signal.reason });
    return answers;
  } finally {
    cancelTimer();
    signal?.removeEventListener('abort', cancel);
  }
}

async function lookUp(resolver: Resolver, scheme: string, name: string, timeoutMs: number): Promise<Answer> {
  try {
    const records = await resolver.resolveSrv(name);
    const sorted = records.toSorted((a, b) => a.priority - b.priority || b.weight - a.weight);
    const endpoints = sorted.map((record) => `${scheme}://${record.name.replace(/\.$/, '')}:${record.port}`);
    return { name, endpoints, reason: undefined };
  } catch (error) {
    const isCancelled = (error as NodeJS.ErrnoException).code === 'ECANCELLED';
    const reason = error instanceof Error ? error.message : String(error);
    return { name, endpoints: [], reason: isCancelled ? `no answer within ${timeoutMs} ms` : reason };
  }
}
