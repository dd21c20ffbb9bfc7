/** The way to an ownership: a session, a place in the queue, the wait for the turn, and the proof; or nothing left behind. */
import { EtcdInvalidArgumentError, type EtcdError } from '../errors.js';
import { MAX_DELAY_MS } from '../clock.js';
import type { Value } from '../key-range.js';
import { Holding } from './holding.js';
import { reasonOf, settledWithin } from './patience.js';
import { QueuePlace } from './place.js';
import type { QueueErrors } from './queue-errors.js';
import type { QueueRule } from './queue-rule.js';
import type { Session } from './session.js';
import { chosenSession, requireSessionChoice, Tenure, type SessionChoice } from './tenure.js';
import type { Tools } from './tools.js';
import { WaitScope } from './wait-scope.js';

/** How long to wait for others, and until when. */
export interface WaitOptions {
  /**
   * Milliseconds to wait for others, counted from the call; 0 for not at all. The calls to etcd have their own time, the
   * client's `callTimeoutMs`.
   *
   * @default Infinity: as long as it takes. The wait ends in any case when etcd cannot be reached for the session's TTL
   * @remarks a number from 0.
   */
  readonly waitMs?: number | undefined;
  /** Ends the wait: it rejects with `EtcdAbortedError`, and nothing of it stays in the store. */
  readonly signal?: AbortSignal | undefined;
}

/** What shall be owned. */
export interface Wanted<Reason extends string, E extends EtcdError & { readonly reason: Reason }> {
  readonly rule: QueueRule;
  readonly errors: QueueErrors<Reason, E>;
  /** What the key says: nothing for a lock, the candidate's words in an election. */
  readonly value: Value;
}

/** How long somebody who gave up waiting is kept until his key is gone; it goes on in the background. */
const LEAVE_WAIT_MS = 1_000;

/** @throws {EtcdInvalidArgumentError} when the options cannot be. */
export function requireWaitOptions(options: WaitOptions & SessionChoice): void {
  const { waitMs = Infinity } = options;
  requireSessionChoice(options);
  if (typeof waitMs === 'number' && waitMs >= 0 && (waitMs <= MAX_DELAY_MS || waitMs === Infinity)) return;
  throw new EtcdInvalidArgumentError('waitMs', `must be a number from 0 to ${MAX_DELAY_MS}, or Infinity`, waitMs);
}

/** One acquisition. */
export class Acquisition<Reason extends string, E extends EtcdError & { readonly reason: Reason }> {
  private readonly startedAt: number;
  private readonly waitMs: number;
  private readonly scope: WaitScope;
  private blockedBy: () => string | undefined = () => undefined;
  private isExpiring = false;

  constructor(
    private readonly tools: Tools,
    private readonly wanted: Wanted<Reason, E>,
    private readonly options: WaitOptions & SessionChoice,
  ) {
    requireWaitOptions(options);
    this.startedAt = tools.clock.now();
    this.waitMs = options.waitMs ?? Infinity;
    this.scope = new WaitScope(tools, wanted.errors.method, options.signal);
  }

  /** @throws {EtcdError} why it could not be had; nothing is left in the store then, or not for longer than its lease. */
  async run(): Promise<Holding<Reason, E>> {
    try {
      this.scope.check();
      return await this.runOn(await chosenSession(this.tools, this.options, this.scope.signal));
    } catch (error) {
      throw this.reasonFor(error);
    } finally {
      this.scope.close();
    }
  }

  private async runOn(session: Session): Promise<Holding<Reason, E>> {
    const { rule, errors } = this.wanted;
    const isOwn = this.options.session === undefined;
    const key = rule.keyFor(session.leaseId);
    this.scope.endWith(session, (cause) => errors.lost(key, 'lease-lost', cause));
    const tenure = new Tenure(this.tools, session, isOwn, await this.takeTurn(session, key));
    try {
      return await this.enter(tenure, key);
    } catch (error) {
      const reason = this.reasonFor(error);
      this.scope.close(); // else the end of an own session, which comes now, would be taken for the reason
      await settledWithin(this.tools.clock, LEAVE_WAIT_MS, tenure.giveBack());
      throw reason;
    }
  }

  /** Calls that were ended for a reason of ours say only that they were aborted. */
  private reasonFor(error: unknown): Error {
    return this.scope.signal.aborted ? reasonOf(this.scope.signal) : (error as Error);
  }

  private async takeTurn(session: Session, key: string): Promise<() => void> {
    this.scope.check();
    if (!this.wanted.rule.isOnePerSession) return () => undefined;
    if (session.turns.isTaken(key)) this.expire();
    this.scope.check();
    return session.turns.take(key, this.scope.signal);
  }

  private async enter(tenure: Tenure, key: string): Promise<Holding<Reason, E>> {
    const { tools, scope, wanted } = this;
    const { rule, value, errors } = wanted;
    const { session } = tenure;
    const toLost = (reason: 'lease-lost' | 'key-gone', cause?: unknown): E => errors.lost(key, reason, cause);
    const place = new QueuePlace({ tools, rule, session, value, key, toLost });
    tenure.hold(place);
    this.blockedBy = () => place.blockedBy;
    const entered = await place.enter(scope, this.startedAt + Math.max(this.waitMs, tools.callTimeoutMs));
    let { revision } = entered;
    if (!entered.isFirst) {
      this.expire();
      revision = await place.waitForTurn(entered, scope);
    }
    scope.check();
    // Asked of the clock: a process that was blocked may get here before it hears that its lease is lost.
    if (!session.isAlive) throw toLost('lease-lost');
    return new Holding({ tools, tenure, errors, own: { key, createRevision: entered.createRevision, revision } });
  }

  /** From here on there is somebody to wait for, and the time for that counts. */
  private expire(): void {
    if (this.isExpiring) return;
    this.isExpiring = true;
    const left = this.startedAt + this.waitMs - this.tools.clock.now();
    const toError = (): EtcdError => this.wanted.errors.timeout(this.waitMs, this.blockedBy());
    if (left <= 0) this.scope.end(toError());
    else this.scope.expireAfter(left, toError);
  }
}
