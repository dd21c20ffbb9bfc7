/** The Lease service: leases that end unless they are renewed, and the keeping alive of them. */
import { systemClock, type Clock, type Random } from '../clock.js';
import { EtcdInvalidArgumentError } from '../errors.js';
import { requireTimeout } from '../options.js';
import { LEASE_GRANT, LEASE_LEASES, LEASE_REVOKE, LEASE_TIME_TO_LIVE } from '../rpc/methods.js';
import { headerOf, type ResponseHeader } from '../rpc/response-header.js';
import type { CallOptions, Rpc } from '../rpc/rpc.js';
import { EtcdLeaseExistsError, EtcdLeaseNotFoundError } from '../server-errors.js';
import { LeaseKeepAlive } from './keep-alive.js';
import type { LeaseRenewal } from './kept-lease.js';
import { LeaseKeeper, type LeaseStats } from './lease-keeper.js';
import { randomLeaseId, requireLeaseId, requireNewLeaseId } from './lease-id.js';
import { renewOnce } from './one-renewal.js';

/** A lease that was granted. */
export interface LeaseGrantResponse {
  /** The lease's ID in hex, as `etcdctl` prints it: what `kv.put(key, value, { lease })` takes. */
  readonly id: string;
  /** How many seconds it lives without renewal. The server raises what is below its minimum, mostly 2 s. */
  readonly ttlSeconds: number;
  readonly header: ResponseHeader;
}

/** Options of `grant`. */
export interface LeaseGrantOptions extends CallOptions {
  /**
   * The ID the lease shall have, in hex.
   *
   * @default a random one
   * @remarks 1 to 7fffffffffffffff. The Go client cannot choose it.
   */
  readonly id?: string | undefined;
  /**
   * Sends the request again also when its fate is unknown, and takes a lease that is there by then for the one asked for.
   *
   * @default true with a random ID, which nobody else can have; false with one of yours
   */
  readonly idempotent?: boolean | undefined;
}

/** Options of `revoke`. */
export interface LeaseRevokeOptions extends CallOptions {
  /**
   * Sends the request again also when its fate is unknown, and takes a lease that is gone by then for revoked.
   *
   * @default true
   * @remarks pass false where IDs are chosen by hand and used again: a repetition could end the lease's successor.
   */
  readonly idempotent?: boolean | undefined;
}

/** The outcome of a revocation. */
export interface LeaseRevokeResponse {
  /** `undefined` when the lease turned out to be gone after an attempt whose answer was lost. */
  readonly header: ResponseHeader | undefined;
}

/** Options of `timeToLive`. */
export interface LeaseTimeToLiveOptions extends CallOptions {
  /**
   * Returns the keys that are attached to the lease, too.
   *
   * @default false
   * @remarks with authentication on the user needs read permission on them. Go: `WithAttachedKeys`.
   */
  readonly keys?: boolean | undefined;
}

/** How a lease is doing. */
export interface LeaseTimeToLiveResponse {
  /** The lease's ID in hex. */
  readonly id: string;
  /** How many seconds it has left, rounded down: 0 in its last second. */
  readonly ttlSeconds: number;
  /** How many seconds it lives without renewal, as granted. */
  readonly grantedTtlSeconds: number;
  /** The attached keys as UTF-8 text; empty unless asked for with `keys`. */
  readonly keys: readonly string[];
  /** The attached keys, exactly as stored. */
  readonly keysBytes: readonly Uint8Array[];
  readonly header: ResponseHeader;
}

/** All leases of the cluster. */
export interface LeaseListResponse {
  /** Their IDs in hex, in no order that means anything. */
  readonly ids: readonly string[];
  readonly header: ResponseHeader;
}

/** Options of `keepAlive`. */
export interface LeaseKeepAliveOptions {
  /** Closes the handle. */
  readonly signal?: AbortSignal | undefined;
  /**
   * The lease's TTL, for a lease that this client did not grant: how long to wait for the first answer, which tells how
   * much time the lease really has.
   *
   * @default for a lease of this client the TTL it was granted; for others the client's `callTimeoutMs` is waited
   */
  readonly ttlSeconds?: number | undefined;
}

/** The limits of the client that lease calls respect. */
export interface LeaseLimits {
  /** Milliseconds for a call whose caller does not say. */
  readonly callTimeoutMs: number;
}

/** The longest lease that etcd grants, some 285 years. */
export const MAX_TTL_SECONDS = 9_000_000_000;
const NOT_FOUND = -1;

/** The Lease service. Nest injects it by this class. */
export class EtcdLease {
  private readonly clock: Clock;

  constructor(
    private readonly rpc: Rpc,
    private readonly limits: LeaseLimits,
    private readonly time: { readonly clock: Clock; readonly random: Random } = {
      clock: systemClock,
      random: Math.random,
    },
    private readonly keeper = new LeaseKeeper({ rpc, ...time }),
  ) {
    this.clock = time.clock;
  }

  /**
   * @internal The same service over another seam, as a view of the client has one. Leases are the cluster's, so they are
   * kept alive together, over one stream.
   */
  through(rpc: Rpc): EtcdLease {
    return new EtcdLease(rpc, this.limits, this.time, this.keeper);
  }

  /**
   * Makes a lease. It ends after its TTL unless it is renewed: see {@link keepAlive}.
   *
   * The ID is chosen here, so that a request that has to be repeated leaves no second lease behind.
   *
   * @param ttlSeconds a whole number from 1 to 9_000_000_000; the answer says what the server made of it.
   * @throws {EtcdInvalidArgumentError} when the TTL or the ID cannot be sent.
   * @throws {EtcdLeaseExistsError} when the chosen ID is taken.
   * @see etcd `clientv3.Lease.Grant`
   *
   * @example
   * const lease = await etcd.lease.grant(30);
   * await etcd.kv.put('workers/7', 'up', { lease: lease.id });
   */
  async grant(ttlSeconds: number, options: LeaseGrantOptions = {}): Promise<LeaseGrantResponse> {
    const { id: chosen, idempotent = chosen === undefined, timeoutMs, ...call } = options;
    const TTL = requireTtl(ttlSeconds);
    const ID = chosen === undefined ? randomLeaseId() : requireNewLeaseId(chosen);
    const sentAt = this.clock.now();
    const endAt = sentAt + this.timeoutOf(timeoutMs);
    for (;;) {
      const rest = { ...call, timeoutMs: Math.max(1, Math.ceil(endAt - this.clock.now())) };
      const granted = await this.grantOnce({ TTL, ID }, { ...rest, idempotent });
      if (granted === undefined) continue;
      this.keeper.remember(ID, { sentAt, ttlSeconds: granted.ttlSeconds, by: 'grant' });
      return granted;
    }
  }

  /**
   * Ends a lease now and deletes the keys attached to it. Handles of this client that keep it alive are lost with the
   * reason `revoked`.
   *
   * @throws {EtcdLeaseNotFoundError} when there is no such lease.
   * @see etcd `clientv3.Lease.Revoke`
   *
   * @example
   * await etcd.lease.revoke(lease.id);
   */
  async revoke(id: string, options: LeaseRevokeOptions = {}): Promise<LeaseRevokeResponse> {
    const ID = requireLeaseId(id);
    let header: ResponseHeader | undefined;
    try {
      header = headerOf(LEASE_REVOKE, await this.rpc.unary(LEASE_REVOKE, { ID }, { idempotent: true, ...options }));
    } catch (error) {
      if (!(error instanceof EtcdLeaseNotFoundError)) throw error;
      // `unknown`: an attempt before this one may have been applied, and the lease is gone as asked.
      if (error.outcome !== 'unknown') {
        this.keeper.onNotFound(ID);
        throw error;
      }
    }
    this.keeper.onRevoked(ID);
    return { header };
  }

  /**
   * Asks how long a lease has left, and which keys are attached to it.
   *
   * @returns `undefined` when there is no such lease: it expired, was revoked, or never was. (Go answers with a TTL of -1.)
   * @see etcd `clientv3.Lease.TimeToLive`
   *
   * @example
   * const left = await etcd.lease.timeToLive(lease.id, { keys: true }); // { ttlSeconds: 12, keys: ['workers/7'], … }
   */
  async timeToLive(id: string, options: LeaseTimeToLiveOptions = {}): Promise<LeaseTimeToLiveResponse | undefined> {
    const { keys, ...call } = options;
    const answer = await this.rpc.unary(LEASE_TIME_TO_LIVE, { ID: requireLeaseId(id), keys }, call);
    if (answer.TTL <= NOT_FOUND) return undefined;
    return {
      id: answer.ID,
      ttlSeconds: answer.TTL,
      grantedTtlSeconds: answer.grantedTTL,
      keys: answer.keys.map((key) => Buffer.from(key).toString('utf8')),
      keysBytes: answer.keys,
      header: headerOf(LEASE_TIME_TO_LIVE, answer),
    };
  }

  /**
   * Lists the IDs of all leases of the cluster.
   *
   * @see etcd `clientv3.Lease.Leases`
   *
   * @example
   * const { ids } = await etcd.lease.list();
   */
  async list(options: CallOptions = {}): Promise<LeaseListResponse> {
    const answer = await this.rpc.unary(LEASE_LEASES, {}, options);
    return { ids: answer.leases.map(({ ID }) => ID), header: headerOf(LEASE_LEASES, answer) };
  }

  /**
   * Renews a lease once, over the stream that all renewals share.
   *
   * @throws {EtcdLeaseNotFoundError} when there is no such lease.
   * @throws {EtcdPermissionDeniedError} with authentication on, when a key of the lease is not the user's to write.
   * @see etcd `clientv3.Lease.KeepAliveOnce`
   *
   * @example
   * const { ttlSeconds } = await etcd.lease.keepAliveOnce(lease.id);
   */
  async keepAliveOnce(id: string, options: CallOptions = {}): Promise<LeaseRenewal> {
    const leaseId = requireLeaseId(id);
    const timeoutMs = this.timeoutOf(options.timeoutMs);
    const { clock, keeper } = this;
    return renewOnce({ id: leaseId, keeper, clock, timeoutMs, signal: options.signal });
  }

  /**
   * Keeps a lease alive in the background, by renewing it whenever a third of its TTL is over, until it is lost or the
   * handle is closed. Survives lost connections and members, leader changes and expired tokens, as long as a renewal gets
   * through within the TTL.
   *
   * Of a lease that this client granted or renewed before, it is known from the start how long it lives. Another one is
   * renewed at once, and given up if no answer comes in time: see `ttlSeconds`.
   *
   * All renewals of a client go over one stream, which a member works off one by one: some 2,000 a second on a small
   * machine. So 10,000 leases want TTLs of 20 s and more, or several clients.
   *
   * @throws {EtcdInvalidArgumentError} when the ID is none.
   * @throws {EtcdClosedError} when the client is closed.
   * @see etcd `clientv3.Lease.KeepAlive`
   *
   * @example
   * await using beat = etcd.lease.keepAlive(lease.id);
   * void beat.lost.then(({ reason, error }) => log.warn(`lease ended (${reason})`, error));
   * await work({ signal: beat.signal });
   */
  keepAlive(id: string, options: LeaseKeepAliveOptions = {}): LeaseKeepAlive {
    const { ttlSeconds, signal } = options;
    const waitMs = ttlSeconds === undefined ? this.limits.callTimeoutMs : requireTtl(ttlSeconds) * 1_000;
    const { clock, keeper } = this;
    return new LeaseKeepAlive({ id: requireLeaseId(id), keeper, clock, waitMs, signal });
  }

  /** What the service is doing, in numbers, for metrics. */
  stats(): LeaseStats {
    return this.keeper.stats();
  }

  /** @internal The client closes: handles end with the reason `client-closed`, and nothing is left running. */
  close(): void {
    this.keeper.close();
  }

  /** @returns `undefined` when the lease of an earlier attempt was found, and has ended meanwhile. */
  private async grantOnce(
    request: { readonly TTL: number; readonly ID: string },
    options: CallOptions & { readonly idempotent: boolean },
  ): Promise<LeaseGrantResponse | undefined> {
    try {
      const answer = await this.rpc.unary(LEASE_GRANT, request, options);
      return { id: answer.ID, ttlSeconds: answer.TTL, header: headerOf(LEASE_GRANT, answer) };
    } catch (error) {
      // `unknown`: an attempt before this one may have been applied, and with this ID it can only have been ours.
      const isOurs = error instanceof EtcdLeaseExistsError && error.outcome === 'unknown' && options.idempotent;
      if (!isOurs) throw error;
    }
    const found = await this.timeToLive(request.ID, { signal: options.signal, timeoutMs: options.timeoutMs });
    if (found === undefined) return undefined;
    return { id: found.id, ttlSeconds: found.grantedTtlSeconds, header: found.header };
  }

  private timeoutOf(timeoutMs: number | undefined): number {
    return timeoutMs === undefined ? this.limits.callTimeoutMs : requireTimeout('timeoutMs', timeoutMs);
  }
}

function requireTtl(value: unknown): number {
  if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MAX_TTL_SECONDS) return value as number;
  const rule = `must be a whole number of seconds from 1 to ${MAX_TTL_SECONDS}`;
  throw new EtcdInvalidArgumentError('ttlSeconds', rule, value ?? String(value));
}
