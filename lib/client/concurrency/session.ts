/** A session: a lease that is kept alive while its holder lives, and one signal that says when that is over. */
import { EtcdAbortedError, EtcdClosedError, type EtcdError } from '../errors.js';
import type { LeaseKeepAlive } from '../lease/keep-alive.js';
import { clientClosed, closed, EtcdLeaseLostError, type LeaseLostReason } from '../lease/lease-lost.js';
import type { CallOptions } from '../rpc/rpc.js';
import { EtcdLeaseNotFoundError } from '../server-errors.js';
import { check, settledWithin } from './patience.js';
import type { Tools } from './tools.js';
import { Turns } from './turns.js';

/** Options of `concurrency.session()`. */
export interface SessionOptions extends CallOptions {
  /**
   * How long the lease outlives its holder: after a crash, what hangs on the session (locks, leaderships, keys) is free
   * after this time. A cluster, a network or an event loop that stands still for longer costs the session.
   *
   * @default 30
   * @remarks whole seconds from 1; the server raises what is below its minimum, mostly 2. Go: `WithTTL`, 60 by default.
   */
  readonly ttlSeconds?: number | undefined;
  /**
   * Takes over a lease that exists, with its TTL, instead of making one: to resume after a restart what the process
   * before had {@link Session.orphan | orphaned}.
   *
   * @default a new lease
   * @remarks hex, as `etcdctl` prints it. Go: `WithLease`.
   */
  readonly leaseId?: string | undefined;
  /** Closes the session, at once and also later. */
  readonly signal?: AbortSignal | undefined;
}

/** Long enough to get through an election of the cluster and a slow garbage collection, short enough after a crash. */
export const DEFAULT_TTL_SECONDS = 30;

/** What the lease of a session is, once there is one. */
export interface SessionLease {
  readonly id: string;
  readonly ttlSeconds: number;
}

/** A session is open until its one end; nothing leads back. */
type SessionState =
  /** The lease is renewed. */
  | { readonly name: 'open' }
  /** The lease is not renewed any more: it was lost, or the session closed. */
  | { readonly name: 'ended'; readonly lost: LeaseLostReason }
  /** The lease is not renewed any more here, and is left to whoever takes it over. */
  | { readonly name: 'orphaned'; readonly lost: LeaseLostReason };

/** How long a closing client waits for the revocation of a lease, in milliseconds. */
const REVOKE_ON_CLOSE_MS = 900;

/**
 * Opens a session.
 *
 * @throws {EtcdLeaseNotFoundError} when the lease to take over does not exist.
 */
export async function openSession(tools: Tools, options: SessionOptions): Promise<Session> {
  const { ttlSeconds = DEFAULT_TTL_SECONDS, leaseId, signal, timeoutMs } = options;
  const call = { signal, timeoutMs };
  check(tools.closing);
  const lease =
    leaseId === undefined ? await tools.lease.grant(ttlSeconds, call) : await tools.lease.keepAliveOnce(leaseId, call);
  const session = new Session(tools, lease, signal);
  if (signal?.aborted !== true && !tools.closing.aborted) return session;
  await session.closeWithClient();
  check(tools.closing);
  throw new EtcdAbortedError({ method: 'Concurrency.Session', cause: signal?.reason as unknown });
}

/**
 * A lease that is kept alive, for everything that shall vanish with its holder: locks, leaderships, registrations.
 *
 * It ends once: because its lease is lost, or by {@link close} or {@link orphan}. Its end is told before the server lets
 * go of the lease, by the local clock (see `EtcdLease.keepAlive`). What was built on it is over then; open another one to
 * begin again, or have that done by `concurrency.keepSession()`.
 */
export class Session implements AsyncDisposable {
  /** The lease's ID in hex: what `kv.put(key, value, { lease })` takes. */
  readonly leaseId: string;
  /** How long the lease outlives its holder, in seconds, as the server granted it. */
  readonly ttlSeconds: number;
  /** Resolves, once, with why the session has ended. Never rejects. */
  readonly lost: Promise<LeaseLostReason>;
  /** @internal Who may use which key of this session next. */
  readonly turns = new Turns();
  /** @internal Keys of this session that are watched, lest a put that was given up leaves one behind. */
  readonly lateKeys = new Set<string>();

  private state: SessionState = { name: 'open' };
  private readonly followers = new Set<(error: EtcdError) => void>();
  private readonly keepAlive: LeaseKeepAlive;
  private controller: AbortController | undefined;
  private revocation: Promise<void> | undefined;
  private resolveLost!: (lost: LeaseLostReason) => void;

  /** @internal use `concurrency.session()`. */
  constructor(
    private readonly tools: Tools,
    lease: SessionLease,
    private readonly callerSignal: AbortSignal | undefined,
  ) {
    this.leaseId = lease.id;
    this.ttlSeconds = lease.ttlSeconds;
    this.lost = new Promise((resolve) => (this.resolveLost = resolve));
    tools.open.add(this);
    this.keepAlive = tools.lease.keepAlive(lease.id);
    this.keepAlive.signal.addEventListener('abort', this.onLeaseLost, { once: true });
    if (callerSignal !== undefined) tools.aborts.add(callerSignal, this.onCallerAbort);
  }

  /** Aborts when the session ends, with the error of `lost` as its reason. */
  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController();
      if (this.state.name !== 'open') this.controller.abort(this.state.lost.error);
    }
    return this.controller.signal;
  }

  /**
   * Whether the lease is known to be alive at this moment. Worked out from the clock when it is read, so that it is right
   * also when the process was blocked and its timers are late.
   */
  get isAlive(): boolean {
    return this.state.name === 'open' && this.keepAlive.isAlive;
  }

  /** Milliseconds for which the lease is known to be alive yet, if no further renewal gets through; 0 when it is not. */
  remainingMs(): number {
    return this.isAlive ? this.keepAlive.remainingMs() : 0;
  }

  /**
   * Ends the session and revokes its lease: what hangs on it is gone from the store when this resolves. Idempotent; after
   * a failure it may be called again, and the lease ends by itself after its TTL in any case.
   *
   * @throws {EtcdError} when the lease could not be revoked.
   */
  close(options: CallOptions = {}): Promise<void> {
    this.end(closed(this.leaseId));
    return this.giveBack(options);
  }

  /**
   * Ends the session and leaves its lease to the server, with what hangs on it, until the TTL is over: for a process that
   * is about to restart and takes it over with the option `leaseId`.
   *
   * @returns the lease's ID.
   */
  orphan(): string {
    this.end(closed(this.leaseId), 'orphaned');
    if (this.revocation === undefined) this.tools.open.delete(this);
    return this.leaseId;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @internal Whether its lease is left to somebody else. */
  get isOrphaned(): boolean {
    return this.state.name === 'orphaned';
  }

  /** @internal The client closes: it gives the lease back, but does not wait long for that. */
  async closeWithClient(): Promise<void> {
    this.end(clientClosed());
    const givenBack = this.giveBack({ timeoutMs: REVOKE_ON_CLOSE_MS });
    // Bounded once more: a revocation that was under way already has a time of its own, and the lease ends by itself.
    await settledWithin(this.tools.clock, REVOKE_ON_CLOSE_MS, givenBack);
  }

  /** @internal Runs `task` when the session ends, at once if it has. @returns how to take it back. */
  onEnd(task: (error: EtcdError) => void): () => void {
    if (this.state.name !== 'open') {
      task(this.state.lost.error);
      return () => undefined;
    }
    this.followers.add(task);
    return () => this.followers.delete(task);
  }

  private readonly onCallerAbort = (): void => {
    this.end(closed(this.leaseId, this.callerSignal?.reason));
    this.giveBack({}).catch(() => undefined); // nobody waits for it, and the lease ends by itself
  };

  /** The keep-alive's error carries the reason; it comes at once, where its promise comes a moment later. */
  private readonly onLeaseLost = (): void => {
    const error: unknown = this.keepAlive.signal.reason;
    const reason = error instanceof EtcdLeaseLostError ? error.reason : 'client-closed';
    this.end({ reason, error } as LeaseLostReason);
  };

  /** The only line that changes the state is in here. */
  private end(lost: LeaseLostReason, name: 'ended' | 'orphaned' = 'ended'): void {
    if (this.state.name !== 'open') return;
    this.state = { name, lost };
    this.keepAlive.signal.removeEventListener('abort', this.onLeaseLost);
    if (this.callerSignal !== undefined) this.tools.aborts.remove(this.callerSignal, this.onCallerAbort);
    void this.keepAlive.close();
    if (lost.reason !== 'closed' && lost.reason !== 'client-closed') this.tools.open.delete(this);
    this.resolveLost(lost);
    this.controller?.abort(lost.error);
    for (const task of this.followers) task(lost.error);
    this.followers.clear();
  }

  private giveBack(options: CallOptions): Promise<void> {
    this.revocation ??= this.revoke(options).catch((error: unknown) => {
      this.revocation = undefined;
      throw error;
    });
    return this.revocation;
  }

  private async revoke(options: CallOptions): Promise<void> {
    try {
      await this.tools.lease.revoke(this.leaseId, options);
    } catch (error) {
      const isOver = error instanceof EtcdLeaseNotFoundError || error instanceof EtcdClosedError;
      if (!isOver) throw error;
    } finally {
      this.tools.open.delete(this);
    }
  }
}
