/** An election by its name: candidates stand in a queue, and the first of them leads. */
import { prefix, type Value } from '../key-range.js';
import type { KeyValue } from '../key-value.js';
import { get } from '../kv/operations.js';
import type { ReadOptions } from '../kv/range-request.js';
import type { CallOptions } from '../rpc/rpc.js';
import { Acquisition, type WaitOptions } from './acquire.js';
import { EtcdCampaignTimeoutError } from './concurrency-errors.js';
import { LeaderObserver } from './leader-observer.js';
import { Leadership } from './leadership.js';
import { electionErrors } from './queue-errors.js';
import { exclusive, type QueueRule } from './queue-rule.js';
import { readTogether } from './read-together.js';
import type { Session } from './session.js';
import type { SessionChoice } from './tenure.js';
import type { Tools } from './tools.js';
import { WhileLeader, type LeaderBody, type WhileLeaderOptions } from './while-leader.js';

/** Options of `campaign`. */
export type CampaignOptions = SessionChoice & WaitOptions;

/** Options of `resume`. */
export interface ResumeOptions extends CallOptions {
  /** The session that the leadership rests on, taken over with the option `leaseId` of `concurrency.session()`. */
  readonly session: Session;
}

/** Options of `observe`. */
export interface ObserveOptions {
  /** Ends it: the loop throws `EtcdAbortedError`. */
  readonly signal?: AbortSignal | undefined;
}

/** An election. Making one sends nothing, and it may be used any number of times. */
export class Election {
  private readonly rule: QueueRule;

  /** @internal use `concurrency.election()`. */
  constructor(
    private readonly tools: Tools,
    /** The election's name. */
    readonly name: string,
  ) {
    this.rule = exclusive(name);
  }

  /**
   * Becomes a candidate, and waits to lead.
   *
   * @param value what the leader says of itself, for those who observe: an address, for example.
   * @throws {EtcdCampaignTimeoutError} when others led for longer than `waitMs`.
   * @throws {EtcdLeadershipLostError} when the session ended during the wait, or somebody deleted the candidate's key.
   * @throws {EtcdAbortedError} when the signal aborts. After none of these a candidacy is left in the store.
   * @see etcd `concurrency.Election.Campaign`, which leaves one, and can win for a session that has died
   */
  async campaign(value: Value, options: CampaignOptions = {}): Promise<Leadership> {
    const wanted = { rule: this.rule, errors: electionErrors(this.name), value };
    return new Leadership(this.tools, this.name, await new Acquisition(this.tools, wanted, options).run());
  }

  /**
   * The leader's key, whose value is what it says of itself.
   *
   * @returns `undefined` when nobody leads.
   * @see etcd `concurrency.Election.Leader`, which fails then
   */
  async leader(options: ReadOptions & CallOptions = {}): Promise<KeyValue | undefined> {
    const { kvs } = await this.tools.kv.range(prefix(this.rule.prefix), {
      ...options,
      limit: 1,
      sort: { by: 'create', order: 'ascend' },
    });
    return kvs[0];
  }

  /**
   * Who leads, now and after each change; `undefined` while nobody does.
   *
   * @throws {EtcdPermissionDeniedError} from the loop, when the user may not read the keys.
   * @throws {EtcdAbortedError} from the loop, when the signal aborts, {EtcdClosedError} when the client closes.
   * @see etcd `concurrency.Election.Observe`, which does not tell that nobody leads, and ends without a word on any error
   */
  observe({ signal }: ObserveOptions = {}): LeaderObserver {
    return new LeaderObserver(this.tools, this.name, signal);
  }

  /**
   * Goes on leading after a restart, if the leadership of the process before is still there: it had orphaned its session,
   * and this one has taken that over.
   *
   * @returns `undefined` when the session's key does not lead (any more); campaign then.
   * @see etcd `concurrency.ResumeElection`, which takes the caller's word for it
   */
  async resume({ session, ...call }: ResumeOptions): Promise<Leadership | undefined> {
    const key = this.rule.keyFor(session.leaseId);
    const { found } = await readTogether(this.tools.kv, [get(key), this.rule.front], call);
    const [[kv], front] = found;
    if (kv === undefined || !this.rule.isFirst(front, kv.createRevision)) return undefined;
    try {
      return await this.campaign(kv.valueBytes, { session, waitMs: 0, signal: call.signal });
    } catch (error) {
      if (error instanceof EtcdCampaignTimeoutError) return undefined;
      throw error;
    }
  }

  /**
   * Campaigns, runs the body while it leads, and campaigns again each time the leadership was lost, until the body ends
   * of itself. Of one call never two bodies run at a time: a new campaign begins when the body has ended.
   *
   * @returns what the body returned; `undefined` when the signal ended it.
   * @throws what the body threw while it led, and errors that another campaign would meet again, such as
   *   {EtcdPermissionDeniedError}.
   */
  whileLeader<T>(body: LeaderBody<T>, options: WhileLeaderOptions = {}): Promise<T | undefined> {
    return new WhileLeader(this.tools, this, body, options).run();
  }
}
