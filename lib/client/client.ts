/** The client: builds the parts, hands each service the seam, and owns their life. */
import { EtcdAuth } from './auth/auth.js';
import { MAX_DELAY_MS, systemClock } from './clock.js';
import { EtcdCluster } from './cluster/cluster.js';
import { EtcdConcurrency } from './concurrency/concurrency.js';
import type { Endpoint } from './endpoint.js';
import { EtcdInvalidArgumentError } from './errors.js';
import { EtcdKv } from './kv/kv.js';
import type { Reach } from './kv/pending-read.js';
import { ReadCoalescer } from './kv/read-coalescer.js';
import type { LeaseStats } from './lease/lease-keeper.js';
import { EtcdLease } from './lease/lease.js';
import type { Key } from './key-range.js';
import { EtcdMaintenance } from './maintenance/maintenance.js';
import { Keyspace } from './namespace/keyspace.js';
import { EtcdNamespace, type NamespaceParts } from './namespace/namespace.js';
import {
  refusePlaintext,
  requireTimeout,
  resolveEndpoints,
  resolveOptions,
  type EtcdConnectionOptions,
  type ResolvedOptions,
} from './options.js';
import { Calls } from './rpc/calls.js';
import { tellingOfClearText } from './transport/clear-text.js';
import { publishCredentialsInTheClear } from './rpc/diagnostics.js';
import { Endpoints, type EndpointStatus } from './rpc/endpoints.js';
import { connectorFor } from './transport/connector.js';
import { CallHeaders } from './rpc/headers.js';
import type { EtcdInterceptor } from './rpc/interceptor.js';
import { MemberSync } from './rpc/member-sync.js';
import { rejectOldMembers } from './rpc/old-cluster.js';
import { linearizableProbe } from './rpc/probe.js';
import type { CallOptions } from './rpc/rpc.js';
import { waitUntilReady } from './rpc/ready.js';
import { StatusFeed, type EtcdClientEvent } from './rpc/status-feed.js';
import { OrderedView, type OrderedOptions } from './views/ordered-view.js';
import type { WatchStats } from './watch/watch-stats.js';
import { EtcdWatch } from './watch/watch.js';

/** What a client is made of. Only `endpoints` is needed. */
export interface EtcdClientOptions extends EtcdConnectionOptions {
  /**
   * What hangs around every RPC: metrics, tracing. The first is the outermost.
   *
   * @default none
   */
  readonly interceptors?: readonly EtcdInterceptor[] | undefined;
}

/** What a client is doing, in numbers. Plain data: holds no key, value, user or token. */
export interface EtcdClientStats {
  /** The client's `name`. */
  readonly name: string;
  /** Each endpoint with what it is doing. */
  readonly endpoints: readonly EndpointStatus[];
  /** Unary calls and streams that run now. Reads that travel together are one call. */
  readonly inFlight: number;
  /** Attempts beyond the first of a call, since the client was made. */
  readonly retries: number;
  /** Times a token was asked for, since the client was made. */
  readonly tokenRefreshes: number;
  /** What its watches are doing. */
  readonly watch: WatchStats;
  /** What the leases that it keeps alive are doing. */
  readonly lease: LeaseStats;
}

/** How a client ends. */
export interface CloseOptions {
  /**
   * Milliseconds that calls under way are given to finish, while new ones are refused; watches end at once. An outage is
   * not waited for.
   *
   * @default 0
   * @remarks an integer from 0 to 2_147_483_647.
   */
  readonly drainMs?: number | undefined;
}

/** What the whole client is doing. */
export type EtcdClientState = 'idle' | 'connecting' | 'ready' | 'unavailable' | 'closed';

const USER_AGENT = 'nest-etcd';

/**
 * A client of one etcd cluster. Making it does no I/O and cannot fail for network reasons: connections are made when
 * the first call needs them.
 *
 * @example
 * const etcd = new EtcdClient({ endpoints: ['http://127.0.0.1:2379'] });
 * await etcd.kv.put('greeting', 'hello');
 * await etcd.close();
 */
export class EtcdClient {
  /** Keys and values, transactions. */
  readonly kv: EtcdKv;
  /** Changes as they happen. */
  readonly watch: EtcdWatch;
  /** Leases, and the keeping alive of them. */
  readonly lease: EtcdLease;
  /** Sessions, locks, elections, software transactions. */
  readonly concurrency: EtcdConcurrency;
  /** Users, roles, permissions. */
  readonly auth: EtcdAuth;
  /** The list of members. */
  readonly cluster: EtcdCluster;
  /** The members one by one: status, alarms, defragmentation, snapshots, leadership. */
  readonly maintenance: EtcdMaintenance;

  private readonly settings: Settings;
  private readonly connections: Endpoints;
  private readonly calls: Calls;
  /** What keys are read through; `undefined` when each read is sent by itself. */
  private readonly coalescer: ReadCoalescer | undefined;
  private readonly feed = new StatusFeed();
  private readonly memberSync: MemberSync;
  private closing: Promise<void> | undefined;

  /** @throws {EtcdConfigError} when an option is missing, contradictory or out of range. */
  constructor(options: EtcdClientOptions) {
    const resolved = resolveOptions(options);
    this.settings = settingsOf(resolved);
    const headers = new CallHeaders();
    const { connectTimeoutMs, maxReconnectDelayMs, endpoints } = resolved;
    const time = { clock: systemClock, random: Math.random };
    this.connections = new Endpoints(endpoints, {
      ...time,
      connectTimeoutMs,
      maxReconnectDelayMs,
      connect: tellingOfClearText(connectorFor(resolved, USER_AGENT, systemClock), resolved, (to) =>
        this.tellOfClearText(to),
      ),
      probe: linearizableProbe(headers),
      onChange: (endpoint, { name: state }, reason) => this.feed.publish({ type: 'endpoint', endpoint, state, reason }),
    });
    const interceptors = options.interceptors ?? [];
    this.calls = new Calls({ ...time, headers, interceptors, options: resolved, endpoints: this.connections });
    this.memberSync = new MemberSync({
      ...time,
      connectTimeoutMs,
      rpc: this.calls,
      endpoints: this.connections,
      requireAllowed: (endpoint) => this.requireAllowed([endpoint]),
      onSynced: (list) => this.feed.publish({ type: 'endpoints', endpoints: list }),
      onFailed: (error) => this.feed.publish({ type: 'sync-failed', error }),
    });
    if (this.settings.autoSyncIntervalMs > 0) this.memberSync.start(this.settings.autoSyncIntervalMs);
    this.coalescer = this.settings.coalesceReads ? this.makeCoalescer() : undefined;
    this.kv = new EtcdKv(this.coalescer ?? this.calls, this.settings, time);
    const { callTimeoutMs, maxResponseBytes: maxRevisionBytes } = this.settings;
    const onStatus = (event: EtcdClientEvent): void => this.feed.publish(event);
    this.watch = new EtcdWatch(this.calls, { ...time, callTimeoutMs, maxRevisionBytes, onStatus });
    this.lease = new EtcdLease(this.calls, this.settings, time);
    this.concurrency = new EtcdConcurrency(this, this.settings, time);
    this.auth = new EtcdAuth(this.calls);
    this.cluster = new EtcdCluster(this.calls);
    this.maintenance = new EtcdMaintenance(this.calls, () => this.endpoints, time.clock);
  }

  /** The name that logs, metrics and health checks use; `'default'` unless one was given. */
  get name(): string {
    return this.settings.name;
  }

  /** The endpoints, as they were given. */
  get endpoints(): readonly string[] {
    return this.connections.list();
  }

  /** What the client is doing: `ready` as soon as one endpoint is. */
  get state(): EtcdClientState {
    if (this.closing !== undefined) return 'closed';
    const states = new Set(this.connections.status().map(({ state }) => state));
    if (states.has('ready')) return 'ready';
    if (states.has('sick') || states.has('backoff')) return 'unavailable';
    return states.has('connecting') ? 'connecting' : 'idle';
  }

  /**
   * A picture of what the client is doing, for metrics and health. Asks nobody.
   *
   * @example
   * const { endpoints, inFlight } = etcd.stats();
   * const away = endpoints.filter(({ state }) => state !== 'ready').map(({ endpoint, reason }) => `${endpoint}: ${reason}`);
   */
  stats(): EtcdClientStats {
    const [watch, lease] = [this.watch.stats(), this.lease.stats()];
    const { inFlight, ...counters } = this.calls.counters();
    const reads = this.coalescer?.waiting ?? 0;
    const endpoints = this.connections.status();
    return { name: this.name, endpoints, inFlight: inFlight + reads, ...counters, watch, lease };
  }

  /**
   * What happens to the client from now on: endpoints that come and go, changes of their list. Reading is optional; a
   * reader that falls 1,000 events behind loses the oldest.
   *
   * @example
   * for await (const event of etcd.status()) {
   *   if (event.type === 'endpoint' && event.state === 'backoff') log.warn(`${event.endpoint}: ${event.reason}`);
   * }
   */
  status(): AsyncIterableIterator<EtcdClientEvent, undefined> {
    return this.feed.read();
  }

  /**
   * Connects, and resolves once one endpoint can serve. Not needed before calls: they connect by themselves.
   *
   * @throws {EtcdUnavailableError} when no endpoint can be used in time; `endpoints` names each with its reason.
   * @throws {EtcdUnsupportedError} with `rejectOldCluster`, when a member is older than 3.4.
   * @throws {EtcdAbortedError} when the signal aborts.
   *
   * @example
   * await etcd.ready({ timeoutMs: 3_000 });
   */
  async ready(options: CallOptions = {}): Promise<void> {
    const { callTimeoutMs, rejectOldCluster } = this.settings;
    const timeoutMs = options.timeoutMs === undefined ? callTimeoutMs : requireTimeout('timeoutMs', options.timeoutMs);
    const giveUpAt = systemClock.now() + timeoutMs;
    await waitUntilReady(this.connections, systemClock, timeoutMs, options.signal);
    if (!rejectOldCluster) return;
    const leftMs = Math.max(1, Math.ceil(giveUpAt - systemClock.now()));
    await rejectOldMembers(this.calls, this.endpoints, { ...options, timeoutMs: leftMs });
  }

  /**
   * Replaces the endpoints. Those that stay keep their connections; calls on those that go end or are retried.
   *
   * @throws {EtcdConfigError} when the list is empty or an endpoint cannot be read; nothing changes then.
   * @see etcd `clientv3.Client.SetEndpoints`
   *
   * @example
   * etcd.setEndpoints(['http://10.0.0.4:2379', 'http://10.0.0.5:2379']);
   */
  setEndpoints(endpoints: string | readonly string[]): void {
    const resolved = resolveEndpoints(endpoints);
    this.requireAllowed(resolved);
    this.connections.replace(resolved);
    this.feed.publish({ type: 'endpoints', endpoints: this.endpoints });
  }

  /**
   * Replaces the endpoints with the client URLs of the started voting members, when at least one of those can be reached.
   *
   * @returns the endpoints that are in use now.
   * @throws {EtcdUnavailableError} when no advertised endpoint can be used; the endpoints stay as they were.
   * @see etcd `clientv3.Client.Sync`
   *
   * @example
   * const endpoints = await etcd.sync();
   */
  sync(options: CallOptions = {}): Promise<readonly string[]> {
    return this.memberSync.sync(options);
  }

  /**
   * The part of the store whose keys start with `prefix`, as if it were the whole. Costs nothing to make, and need not be
   * closed. See {@link EtcdNamespace}.
   *
   * @throws {EtcdInvalidArgumentError} when the prefix is empty, or neither text nor bytes.
   * @see etcd `clientv3/namespace`
   *
   * @example
   * const shop = etcd.namespace('shop/');
   * await shop.kv.put('orders/1', 'new'); // the store has shop/orders/1
   */
  namespace(prefix: Key): EtcdNamespace {
    return new EtcdNamespace(this.viewParts(), new Keyspace(prefix));
  }

  /**
   * Reads that never go back in time, whichever members answer them. See {@link OrderedView}.
   *
   * @throws {EtcdInvalidArgumentError} when `revision` is not a whole number.
   * @see etcd `clientv3/ordering`
   *
   * @example
   * const ordered = etcd.ordered({ revision: Number(request.headers['x-revision'] ?? 0) });
   * const cart = await ordered.kv.get('cart/7', { serializable: true });
   */
  ordered(options?: OrderedOptions): OrderedView {
    return new OrderedView(this.viewParts(), options);
  }

  /**
   * Ends every call in flight with `EtcdClosedError` and closes the connections; later calls are refused. Idempotent.
   * Afterwards nothing of the client keeps the process alive.
   *
   * With `drainMs` the calls in flight may finish first. A second `close()` without it ends that wait.
   *
   * @throws {EtcdInvalidArgumentError} when `drainMs` is out of range; the client stays open.
   *
   * @example
   * await etcd.close({ drainMs: 3_000 });
   */
  async close({ drainMs = 0 }: CloseOptions = {}): Promise<void> {
    if (!Number.isInteger(drainMs) || drainMs < 0 || drainMs > MAX_DELAY_MS) {
      throw new EtcdInvalidArgumentError('drainMs', `must be an integer from 0 to ${MAX_DELAY_MS}`, drainMs);
    }
    this.closing ??= this.shutDown(drainMs);
    if (drainMs === 0) this.calls.hurry();
    await this.closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private makeCoalescer(): ReadCoalescer {
    const reach = (): Reach => {
      const isConnected = this.connections.connected().length > 0;
      return { isConnected, canSend: isConnected && this.calls.hasToken, failures: this.connections.failures() };
    };
    return new ReadCoalescer({ rpc: this.calls, clock: systemClock, limits: this.settings, reach });
  }

  /** What views of this client are made of. */
  private viewParts(): NamespaceParts {
    const { kv, lease, watch, concurrency } = this;
    const rpc = this.coalescer ?? this.calls;
    const { callTimeoutMs } = this.settings;
    const endpoints = (): readonly string[] => this.connections.connected();
    const time = { clock: systemClock, random: Math.random };
    return { kv, lease, watch, concurrency, rpc, callTimeoutMs, endpoints, ...time };
  }

  /** Keeps to the options with an endpoint that comes later. */
  private requireAllowed(endpoints: readonly Endpoint[]): void {
    const { usesTls, requireTls } = this.settings;
    refusePlaintext(endpoints, { tls: usesTls ? {} : undefined, requireTls });
  }

  private tellOfClearText(endpoint: string): void {
    this.feed.publish({ type: 'credentials-in-the-clear', endpoint });
    publishCredentialsInTheClear(this.name, endpoint);
  }

  /**
   * Sessions first, since they give their leases back; then watches and keep-alives, which would open new streams; then
   * calls, which would see closed connections as failures. Without a session, and with nothing to wait for, all of it is
   * done before this returns. While calls are waited for, sessions and leases live on: those calls may lean on them.
   */
  private async shutDown(drainMs: number): Promise<void> {
    this.memberSync.close();
    this.coalescer?.flush();
    if (drainMs > 0) {
      this.watch.close();
      await this.calls.drain(drainMs);
    }
    const sessionsClosed = this.concurrency.close();
    if (sessionsClosed !== undefined) await sessionsClosed;
    this.watch.close();
    this.lease.close();
    this.calls.close();
    this.coalescer?.flush();
    this.connections.close();
    this.feed.close();
  }
}

/** What the client itself keeps of its options: no secret, so that no picture of the client or a service can show one. */
type Settings = Omit<ResolvedOptions, 'auth' | 'tls'> & { readonly usesTls: boolean };

function settingsOf({ auth, tls, ...rest }: ResolvedOptions): Settings {
  return { ...rest, usesTls: tls !== undefined };
}
