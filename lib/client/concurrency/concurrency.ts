/** What is built on the services: sessions, locks, elections, software transactions, and small recipes. */
import { setMaxListeners } from 'node:events';
import { systemClock, type Clock, type Random } from '../clock.js';
import { EtcdClosedError, EtcdInvalidArgumentError } from '../errors.js';
import type { Value } from '../key-range.js';
import type { KeyValue } from '../key-value.js';
import type { ReadOptions } from '../kv/range-request.js';
import { AbortListeners } from '../rpc/abort-listeners.js';
import type { CallOptions } from '../rpc/rpc.js';
import { Barrier } from './barrier.js';
import { DoubleBarrier } from './double-barrier.js';
import { Election, type CampaignOptions, type ObserveOptions, type ResumeOptions } from './election.js';
import type { LeaderObserver } from './leader-observer.js';
import type { Leadership } from './leadership.js';
import type { Lock } from './lock.js';
import {
  Locker,
  type LockArguments,
  type LockBody,
  type LockOptions,
  type RwMutex,
  type TryLockOptions,
} from './locker.js';
import { PriorityQueue } from './priority-queue.js';
import { exclusive, limited, reading, writing } from './queue-rule.js';
import { Queue } from './queue.js';
import { SessionKeeper, setUpSession, type KeepSessionOptions, type SessionSetUp } from './session-keeper.js';
import { openSession, Session, type SessionOptions } from './session.js';
import { Stm, type StmFunction, type StmOptions, type StmResponse } from './stm.js';
import type { Closable, ConcurrencyLimits, ConcurrencyServices, Tools } from './tools.js';
import type { LeaderBody, WhileLeaderOptions } from './while-leader.js';

/**
 * Locks, elections and software transactions, and the sessions they rest on. Nest injects it by this class.
 *
 * Keys are those of Go's `concurrency` package and of `etcdctl lock` and `elect`: programs of both kinds wait for each
 * other. What a lock on a lease cannot promise, and what to do about it, is in `docs/locks.md`.
 */
export class EtcdConcurrency {
  private readonly tools: Tools;

  /** @internal made by the client. */
  constructor(
    services: ConcurrencyServices,
    limits: ConcurrencyLimits,
    { clock, random }: { readonly clock: Clock; readonly random: Random } = {
      clock: systemClock,
      random: Math.random,
    },
    private readonly shared: { readonly open: Set<Closable>; readonly closing: AbortController } = {
      open: new Set(),
      closing: quietController(),
    },
  ) {
    const { kv, lease, watch } = services;
    const { callTimeoutMs, maxTxnOperations } = limits;
    const { open } = shared;
    const { signal } = shared.closing;
    const aborts = new AbortListeners();
    this.tools = { kv, lease, watch, callTimeoutMs, maxTxnOperations, clock, random, aborts, closing: signal, open };
  }

  /** @internal The same on other services, as those of a namespace; closed together with this one. */
  through(services: ConcurrencyServices): EtcdConcurrency {
    const { clock, random } = this.tools;
    return new EtcdConcurrency(services, this.tools, { clock, random }, this.shared);
  }

  /**
   * Opens a session: a lease that is kept alive until the session is closed, for keys that shall vanish with their holder.
   *
   * @throws {EtcdInvalidArgumentError} when the TTL or the lease ID cannot be.
   * @throws {EtcdLeaseNotFoundError} when the lease to take over does not exist.
   * @see etcd `concurrency.NewSession`
   *
   * @example
   * await using session = await etcd.concurrency.session({ ttlSeconds: 15 });
   * await etcd.kv.put('workers/7', 'up', { lease: session.leaseId });
   * void session.lost.then(({ reason, error }) => log.warn(`session ended (${reason})`, error));
   */
  async session(options: SessionOptions = {}): Promise<Session> {
    return openSession(this.tools, options);
  }

  /**
   * Opens a session, and another one whenever it is lost, until it is closed. The set-up is run for each, and the session
   * counts as open when it has succeeded.
   *
   * @throws what opening the first session or its set-up threw.
   *
   * @example
   * const kept = await etcd.concurrency.keepSession(
   *   (session) => etcd.kv.put('workers/7', 'up', { lease: session.leaseId }).then(() => undefined),
   *   { ttlSeconds: 15, onFailure: (error) => log.warn('not registered yet', error) },
   * );
   * await kept.close();
   */
  async keepSession(setUp: SessionSetUp, options: KeepSessionOptions = {}): Promise<SessionKeeper> {
    return new SessionKeeper(this.tools, setUp, options, await setUpSession(this.tools, setUp, options));
  }

  /**
   * A lock that one holder has at a time, first come, first served.
   *
   * @see etcd `concurrency.NewMutex`, `etcdctl lock`
   *
   * @example
   * const invoices = etcd.concurrency.mutex('invoices');
   * await invoices.lock({ waitMs: 5_000 }, async ({ signal }) => bill(signal));
   */
  mutex(name: string): Locker {
    return new Locker(this.tools, name, exclusive(requireName(name)));
  }

  /**
   * A lock that any number of readers have at a time, or one writer; first come, first served.
   *
   * @see etcd `recipe.NewRWMutex`
   *
   * @example
   * const catalogue = etcd.concurrency.rwMutex('catalogue');
   * await catalogue.read.lock(() => render());
   * await catalogue.write.lock({ waitMs: 10_000 }, () => rebuild());
   */
  rwMutex(name: string): RwMutex {
    requireName(name);
    const read = new Locker(this.tools, name, reading(name));
    const write = new Locker(this.tools, name, writing(name));
    return { name, read, write };
  }

  /**
   * A lock that up to `permits` holders have at a time; first come, first served. All have to name the same number.
   *
   * @param permits a whole number from 1.
   *
   * @example
   * await etcd.concurrency.semaphore('exports', 3).lock(() => exportAll());
   */
  semaphore(name: string, permits: number): Locker {
    return new Locker(this.tools, name, limited(requireName(name), requireCount('permits', permits)));
  }

  /**
   * Takes a lock, runs the body, and releases the lock when the body has ended: `lock(name, body)`, or
   * `lock(name, options, body)`.
   *
   * @returns what the body returned.
   * @throws {EtcdLockTimeoutError} when others had it for longer than `waitMs`; the body was not run.
   * @throws {EtcdLockLostError} when the lock was lost before the body had ended, or its session during the wait.
   * @throws {EtcdAbortedError} when the signal aborts during the wait.
   * @throws what the body threw.
   * @see etcd `concurrency.Mutex`, `etcdctl lock`
   *
   * @example
   * await etcd.concurrency.lock('jobs/nightly', { ttlSeconds: 10, waitMs: 5_000 }, async ({ signal, guard }) => {
   *   const report = await compute({ signal });
   *   const { succeeded } = await etcd.kv.txn().if(guard).then(put('report', report)).commit();
   *   if (!succeeded) throw new Error('somebody else has the lock by now');
   * });
   */
  async lock<T>(name: string, body: LockBody<T>): Promise<T>;
  async lock<T>(name: string, options: LockOptions, body: LockBody<T>): Promise<T>;
  async lock<T>(name: string, ...args: LockArguments<T>): Promise<T> {
    return this.mutex(name).lock(...args);
  }

  /**
   * Takes a lock, and leaves it to the caller to release it.
   *
   * @throws {EtcdLockTimeoutError} when others had it for longer than `waitMs`.
   * @throws {EtcdLockLostError} when the session ended during the wait.
   * @throws {EtcdAbortedError} when the signal aborts.
   * @see etcd `concurrency.Mutex.Lock`
   *
   * @example
   * await using lock = await etcd.concurrency.acquire('jobs/nightly', { waitMs: 5_000 });
   * await run({ signal: lock.signal, fencingToken: lock.fencingToken });
   */
  async acquire(name: string, options: LockOptions = {}): Promise<Lock> {
    return this.mutex(name).acquire(options);
  }

  /**
   * Takes a lock if it is free.
   *
   * @returns `undefined` when it is not.
   * @see etcd `concurrency.Mutex.TryLock`
   *
   * @example
   * const lock = await etcd.concurrency.tryAcquire('jobs/nightly');
   * if (lock === undefined) return; // another instance does it
   */
  async tryAcquire(name: string, options: TryLockOptions = {}): Promise<Lock | undefined> {
    return this.mutex(name).tryAcquire(options);
  }

  /**
   * An election, for those who use one often.
   *
   * @see etcd `concurrency.NewElection`
   *
   * @example
   * const billing = etcd.concurrency.election('billing');
   * console.log((await billing.leader())?.value);
   */
  election(name: string): Election {
    return new Election(this.tools, requireName(name));
  }

  /**
   * Becomes a candidate in an election, and waits to lead.
   *
   * @param value what the leader says of itself, for those who observe.
   * @throws {EtcdCampaignTimeoutError} when others led for longer than `waitMs`.
   * @throws {EtcdLeadershipLostError} when the session ended during the wait.
   * @throws {EtcdAbortedError} when the signal aborts.
   * @see etcd `concurrency.Election.Campaign`, `etcdctl elect`
   *
   * @example
   * await using leadership = await etcd.concurrency.campaign('billing', hostname());
   * await leadership.proclaim(`${hostname()}:${port}`);
   */
  async campaign(name: string, value: Value, options: CampaignOptions = {}): Promise<Leadership> {
    return this.election(name).campaign(value, options);
  }

  /**
   * The leader's key, whose value is what it says of itself.
   *
   * @returns `undefined` when nobody leads.
   * @see etcd `concurrency.Election.Leader`
   *
   * @example
   * const leader = await etcd.concurrency.leader('billing');
   * console.log(leader?.value ?? 'nobody');
   */
  async leader(name: string, options: ReadOptions & CallOptions = {}): Promise<KeyValue | undefined> {
    return this.election(name).leader(options);
  }

  /**
   * Who leads, now and after each change; `undefined` while nobody does.
   *
   * @see etcd `concurrency.Election.Observe`, `etcdctl elect -l`
   *
   * @example
   * for await (const leader of etcd.concurrency.observe('billing')) console.log(leader?.value ?? 'nobody');
   */
  observe(name: string, options: ObserveOptions = {}): LeaderObserver {
    return this.election(name).observe(options);
  }

  /**
   * Campaigns, runs the body while it leads, and campaigns again each time the leadership was lost, until the body ends of
   * itself or the signal aborts. See {@link Election.whileLeader}.
   *
   * @returns what the body returned; `undefined` when the signal ended it.
   * @throws what the body threw while it led.
   *
   * @example
   * await etcd.concurrency.whileLeader('billing', async ({ signal }) => {
   *   while (!signal.aborted) await billOne(signal);
   * }, { signal: shutdown });
   */
  async whileLeader<T>(name: string, body: LeaderBody<T>, options: WhileLeaderOptions = {}): Promise<T | undefined> {
    return this.election(name).whileLeader(body, options);
  }

  /**
   * Goes on leading after a restart, on the session of the process before. See {@link Election.resume}.
   *
   * @returns `undefined` when that session does not lead (any more).
   * @see etcd `concurrency.ResumeElection`
   *
   * @example
   * const session = await etcd.concurrency.session({ leaseId: saved });
   * const leadership = await etcd.concurrency.resume('billing', { session });
   */
  async resume(name: string, options: ResumeOptions): Promise<Leadership | undefined> {
    return this.election(name).resume(options);
  }

  /**
   * Runs a function that reads and writes keys as if nobody else was there: what it writes is written all at once, and
   * only if what it read is still true by then; else it is run again, after a pause, up to `maxTries` times.
   *
   * @returns what the function returned, and the revision it made.
   * @throws {EtcdConflictError} when others were first `maxTries` times; nothing was written.
   * @throws {EtcdTooManyOperationsError} when it reads or writes more keys than a transaction may have, mostly 128.
   * @throws {EtcdDeadlineExceededError} when all tries together take longer than `timeoutMs`.
   * @throws {EtcdError} with `outcome: 'unknown'` when it cannot be known whether it was committed; it is not run again.
   * @throws what the function threw; nothing was written.
   * @see etcd `concurrency.NewSTM`
   *
   * @example
   * await etcd.concurrency.stm(async (tx) => {
   *   const [from, to] = await tx.getAll(['accounts/a', 'accounts/b']);
   *   tx.put('accounts/a', String(Number(from?.value) - 10));
   *   tx.put('accounts/b', String(Number(to?.value) + 10));
   * });
   */
  async stm<T>(apply: StmFunction<T>, options: StmOptions = {}): Promise<StmResponse<T>> {
    return new Stm(this.tools, apply, options).run();
  }

  /**
   * A key that holds back everybody who waits for it until it is gone.
   *
   * @see etcd `recipe.NewBarrier`, `etcdctl` has none
   *
   * @example
   * const migration = etcd.concurrency.barrier('migration');
   * await migration.wait({ signal: AbortSignal.timeout(60_000) });
   */
  barrier(key: string): Barrier {
    return new Barrier(this.tools, requireName(key, 'key'));
  }

  /**
   * One participant of a barrier at which `count` wait for each other, before they begin and again before they go.
   *
   * @param count a whole number from 1.
   * @see etcd `recipe.NewDoubleBarrier`
   *
   * @example
   * const round = etcd.concurrency.doubleBarrier('round', 3, { session });
   * await round.enter();
   * await round.leave();
   */
  doubleBarrier(key: string, count: number, { session }: { readonly session: Session }): DoubleBarrier {
    const given: unknown = session;
    if (!(given instanceof Session))
      throw new EtcdInvalidArgumentError('session', 'must be one of concurrency.session()', given);
    return new DoubleBarrier(this.tools, requireName(key, 'key'), requireCount('count', count), session);
  }

  /**
   * A queue: first in, first out, each value once at most.
   *
   * @see etcd `recipe.NewQueue`
   *
   * @example
   * const mails = etcd.concurrency.queue('mails');
   * await mails.enqueue(JSON.stringify({ to: 'ada' }));
   * const mail = (await mails.dequeue()).json<{ to: string }>();
   */
  queue(name: string): Queue {
    return new Queue(this.tools, requireName(name));
  }

  /**
   * A queue whose values come out by priority, the lowest number first.
   *
   * @see etcd `recipe.NewPriorityQueue`
   *
   * @example
   * await etcd.concurrency.priorityQueue('jobs').enqueue('urgent', 0);
   */
  priorityQueue(name: string): PriorityQueue {
    return new PriorityQueue(this.tools, requireName(name));
  }

  /**
   * @internal The client closes: sessions end, and their leases are given back, so that others need not wait for the TTL.
   *
   * @returns `undefined` when there is nothing to wait for.
   */
  close(): Promise<void> | undefined {
    this.shared.closing.abort(new EtcdClosedError());
    const sessions = [...this.shared.open];
    if (sessions.length === 0) return undefined;
    return Promise.all(sessions.map((session) => session.closeWithClient())).then(() => undefined);
  }
}

/** Any number of waits may hang on it. */
function quietController(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}

/** @throws {EtcdInvalidArgumentError} when it is empty or no text. Go would take the empty name, and queue up under `/`. */
function requireName(name: unknown, argument = 'name'): string {
  if (typeof name === 'string' && name !== '') return name;
  throw new EtcdInvalidArgumentError(argument, 'must be a text that is not empty', name ?? String(name));
}

function requireCount(argument: string, count: unknown): number {
  if (Number.isSafeInteger(count) && (count as number) >= 1) return count as number;
  throw new EtcdInvalidArgumentError(
    argument,
    `must be a whole number from 1 to ${Number.MAX_SAFE_INTEGER}`,
    count ?? String(count),
  );
}
