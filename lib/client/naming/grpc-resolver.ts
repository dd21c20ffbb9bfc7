/**
 * Lets gRPC clients find their servers in etcd: `etcd:///services/orders` is whoever is registered for `services/orders`.
 *
 * grpc-js comes in from outside, and is not imported: resolvers are registered in one copy of it, and which copy an app
 * makes its gRPC clients with only the app knows.
 */
import { EtcdInvalidArgumentError } from '../errors.js';
import type { EtcdStore } from '../views/store.js';
import type { ServiceEndpoint } from './service-endpoint.js';
import { ServiceEndpoints, type EndpointList } from './service-endpoints.js';

/** What is used of the module `@grpc/grpc-js`, 1.14 or newer. */
export interface GrpcModule {
  readonly experimental: { readonly registerResolver: (scheme: string, resolverClass: never) => void };
  readonly Metadata: new () => object;
  readonly status: { readonly UNAVAILABLE: number };
}

/** Options of {@link registerEtcdResolver}. */
export interface EtcdResolverOptions {
  /**
   * What targets begin with, for apps that resolve in several clusters.
   *
   * @default 'etcd'
   * @remarks a letter, then letters, digits, `+`, `-`, `.`
   */
  readonly scheme?: string | undefined;
}

/** A target as grpc-js reads it. */
interface GrpcTarget {
  readonly scheme?: string;
  readonly authority?: string;
  readonly path: string;
}

/** Where to connect to. */
type GrpcAddress = { readonly host: string; readonly port: number } | { readonly path: string };

/** What is resolved, or why nothing is. */
type GrpcResult =
  | { readonly ok: true; readonly value: readonly { readonly addresses: readonly GrpcAddress[] }[] }
  | {
      readonly ok: false;
      readonly error: { readonly code: number; readonly details: string; readonly metadata: object };
    };

type GrpcListener = (result: GrpcResult, attributes: object, serviceConfig: object | null, note: string) => boolean;

const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*$/;
const ROUND_ROBIN = { ok: true, value: { loadBalancingConfig: [{ round_robin: {} }], methodConfig: [] } };

/**
 * Registers the scheme `etcd:` in grpc-js: gRPC clients made after this connect to `etcd:///target`, follow the endpoints
 * that are registered there with `ServiceEndpoints` or the Go client, and spread their calls over them. While etcd is away
 * they go on with those they know.
 *
 * Calls go round all endpoints, unless the gRPC client has a `grpc.service_config` of its own. The `:authority` of calls,
 * and the name that TLS certificates are checked for, is the last part of the target (`orders`); `grpc.default_authority`
 * and `grpc.ssl_target_name_override` change them.
 *
 * Registering the same scheme again replaces it for clients made later.
 *
 * @param grpc the module `@grpc/grpc-js` that the gRPC clients are made with: the app's own.
 * @param store the client that resolves, or a namespace of one. Once it is closed, nothing is resolved.
 * @throws {EtcdInvalidArgumentError} when the module is not grpc-js, or the scheme none.
 * @see etcd `naming/resolver.NewBuilder`
 *
 * @example
 * import * as grpc from '@grpc/grpc-js';
 *
 * registerEtcdResolver(grpc, etcd);
 * const orders = new OrdersClient('etcd:///services/orders', grpc.credentials.createInsecure());
 */
export function registerEtcdResolver(
  grpc: GrpcModule,
  store: Pick<EtcdStore, 'kv' | 'watch'>,
  { scheme = 'etcd' }: EtcdResolverOptions = {},
): void {
  requireGrpc(grpc);
  if (!SCHEME.test(scheme))
    throw new EtcdInvalidArgumentError('scheme', 'must be a letter, then letters, digits, +, -, .', scheme);
  class EtcdResolver extends Resolver {
    constructor(target: GrpcTarget, listener: GrpcListener, channelOptions: Readonly<Record<string, unknown>>) {
      super(new ServiceEndpoints(store, targetOf(target)), grpc, listener, channelOptions);
    }

    static getDefaultAuthority(target: GrpcTarget): string {
      return authorityOf(targetOf(target));
    }
  }
  grpc.experimental.registerResolver(scheme, EtcdResolver as never);
}

/** A default import of another module has no such place, and would fail with an error that says nothing. */
function requireGrpc(grpc: Partial<GrpcModule>): void {
  if (typeof grpc.experimental?.registerResolver === 'function') return;
  throw new EtcdInvalidArgumentError('grpc', 'must be the module @grpc/grpc-js');
}

/** As Go's resolver reads it: what `etcd:///` is followed by. A path may begin with a slash of its own. */
function targetOf({ authority, path }: GrpcTarget): string {
  return authority === undefined && path.startsWith('/') ? path.slice(1) : path;
}

/** It becomes the host of a URL, so there is more that it cannot hold than that a target cannot. */
function authorityOf(target: string): string {
  const last = target.split('/').findLast((part) => part !== '') ?? target;
  return last.replaceAll(/[^A-Za-z0-9._-]/g, '-');
}

/**
 * One gRPC client's interest in one target. grpc-js tells it to begin, again and again while calls fail, and to end when
 * the client is closed or idle; after which it may begin anew.
 */
class Resolver {
  private lists: AsyncIterableIterator<EndpointList, void, undefined> | undefined;
  private addresses: ReadonlyMap<string, GrpcAddress> | undefined;

  constructor(
    private readonly endpoints: ServiceEndpoints,
    private readonly grpc: GrpcModule,
    private readonly listener: GrpcListener,
    private readonly channelOptions: Readonly<Record<string, unknown>>,
  ) {
    if (typeof listener !== 'function') throw new Error('the resolver for etcd: needs @grpc/grpc-js 1.14 or newer');
  }

  /** What is followed is up to date: asking again changes nothing. */
  updateResolution(): void {
    if (this.lists === undefined) void this.follow((this.lists = this.endpoints.watch()));
  }

  destroy(): void {
    void this.lists?.return?.();
    this.lists = undefined;
    this.addresses = undefined;
  }

  private async follow(lists: AsyncIterableIterator<EndpointList, void, undefined>): Promise<void> {
    try {
      for await (const { endpoints } of lists) {
        if (this.lists !== lists) return;
        this.resolved(addressesOf(endpoints.values()));
      }
    } catch (error) {
      if (this.lists !== lists) return;
      this.lists = undefined;
      this.failed(error instanceof Error ? error.message : String(error));
    }
  }

  private resolved(addresses: ReadonlyMap<string, GrpcAddress>): void {
    const before = this.addresses;
    this.addresses = addresses;
    if (before !== undefined && [...before.keys()].join() === [...addresses.keys()].join()) return;
    // Without this, addresses that are gone would go on being used.
    if (addresses.size > 0 || before !== undefined)
      this.tell({ ok: true, value: [...addresses.values()].map(toEndpoint) });
    // And without this, calls would wait in vain.
    if (addresses.size === 0) this.failed(this.nobody());
  }

  private failed(details: string): void {
    const { status, Metadata } = this.grpc;
    this.tell({ ok: false, error: { code: status.UNAVAILABLE, details, metadata: new Metadata() } });
  }

  private tell(result: GrpcResult): void {
    const own = this.channelOptions['grpc.service_config'];
    this.listener(result, {}, own === undefined ? ROUND_ROBIN : null, '');
  }

  private nobody(): string {
    return `no endpoint is registered in etcd for ${this.endpoints.target}`;
  }
}

function toEndpoint(address: GrpcAddress): { readonly addresses: readonly GrpcAddress[] } {
  return { addresses: [address] };
}

/** Each once, however often it is registered. */
function addressesOf(endpoints: Iterable<ServiceEndpoint>): ReadonlyMap<string, GrpcAddress> {
  const addresses = new Map<string, GrpcAddress>();
  for (const { address } of endpoints) {
    const parsed = parseAddress(address);
    if (parsed !== undefined) addresses.set(address, parsed);
  }
  return addresses;
}

function parseAddress(text: string): GrpcAddress | undefined {
  const [, path] = /^unix:(?:\/\/)?(.+)$/.exec(text) ?? [];
  if (path !== undefined) return { path };
  const [, host, bracketed = host, port] = /^(?:([^:[\]]+)|\[([0-9A-Fa-f:.]+)\]):(\d{1,5})$/.exec(text) ?? [];
  return bracketed === undefined || Number(port) > 65_535 ? undefined : { host: bracketed, port: Number(port) };
}
