/** `EtcdElections`: the elections of a client, as Nest injects them. */
import type {
  CallOptions,
  CampaignOptions,
  EtcdConcurrency,
  KeyValue,
  LeaderBody,
  LeaderObserver,
  Leadership,
  ObserveOptions,
  ReadOptions,
  Value,
  WhileLeaderOptions,
} from '../../client/index.js';
import type { Campaign } from './campaign.js';

/**
 * The elections of a client, or of the namespace that the module has by `EtcdModule.forFeature`.
 *
 * The app campaigns by itself in each election that a `@LeaderOnly`, `@OnLeadershipAcquired` or `@OnLeadershipLost` names;
 * `leadership`, `isLeader` and `ifLeader` tell of those. The rest is for elections that you run yourself.
 *
 * @example
 * constructor(private readonly elections: EtcdElections) {}
 */
export class EtcdElections {
  /** @internal made by `EtcdModule`. */
  constructor(
    private readonly concurrency: EtcdConcurrency,
    private readonly campaignOf: (electionName: string) => Campaign | undefined,
  ) {}

  /**
   * The leadership that this app has now in an election in which it campaigns by decorators.
   *
   * @returns `undefined` while another one leads, or nobody; before the app has started and once it ends; and in an
   *   election that no decorator names.
   *
   * @example
   * const token = this.elections.leadership('billing')?.fencingToken;
   */
  leadership(name: string): Leadership | undefined {
    return this.campaignOf(name)?.leadership;
  }

  /**
   * Whether this app leads now, in an election in which it campaigns by decorators. See {@link leadership}.
   *
   * @example
   * return { isLeader: this.elections.isLeader('billing') };
   */
  isLeader(name: string): boolean {
    return this.leadership(name) !== undefined;
  }

  /**
   * Runs the body if this app leads, in an election in which it campaigns by decorators. The leadership is not resigned
   * while the body runs; its signal aborts when it is lost, or when the app ends. As a decorator: `@LeaderOnly`.
   *
   * @returns what the body returned; `undefined` when this app does not lead, and the body was not run.
   * @throws {EtcdLeadershipLostError} when the leadership was lost before the body had ended.
   * @throws what the body threw.
   *
   * @example
   * await this.elections.ifLeader('billing', ({ signal, guard }) => this.bill(signal, guard));
   */
  async ifLeader<T>(name: string, body: LeaderBody<T>): Promise<T | undefined> {
    const campaign = this.campaignOf(name);
    const leadership = campaign?.leadership;
    if (campaign === undefined || leadership === undefined) return undefined;
    const result = await campaign.runBody(() => body(leadership));
    leadership.assertLeader();
    return result;
  }

  /**
   * Who leads an election: the leader's key, whose value is what it says of itself. With the decorators that is the
   * option `campaign.value` of the leader's `EtcdModule`.
   *
   * @returns `undefined` when nobody leads.
   *
   * @example
   * return (await this.elections.leader('billing'))?.value ?? 'nobody';
   */
  leader(name: string, options: ReadOptions & CallOptions = {}): Promise<KeyValue | undefined> {
    return this.concurrency.leader(name, options);
  }

  /**
   * Who leads, now and after each change; `undefined` while nobody does.
   *
   * @example
   * for await (const leader of this.elections.observe('billing')) this.logger.log(leader?.value ?? 'nobody leads');
   */
  observe(name: string, options: ObserveOptions = {}): LeaderObserver {
    return this.concurrency.observe(name, options);
  }

  /**
   * Becomes a candidate, and waits to lead. The leadership is the caller's to resign.
   *
   * @param value what the leader says of itself, for those who observe.
   * @throws {EtcdCampaignTimeoutError} when others led for longer than `waitMs`.
   * @throws {EtcdLeadershipLostError} when the session ended during the wait.
   * @throws {EtcdAbortedError} when the signal aborts.
   *
   * @example
   * await using leadership = await this.elections.campaign('migration', hostname(), { waitMs: 0 });
   */
  campaign(name: string, value: Value, options: CampaignOptions = {}): Promise<Leadership> {
    return this.concurrency.campaign(name, value, options);
  }

  /**
   * Campaigns, runs the body while it leads, and campaigns again each time the leadership was lost, until the body ends of
   * itself or the signal aborts.
   *
   * @returns what the body returned; `undefined` when the signal ended it.
   * @throws what the body threw while it led.
   *
   * @example
   * await this.elections.whileLeader('billing', ({ signal }) => this.billAll(signal), { signal: this.stopping.signal });
   */
  whileLeader<T>(name: string, body: LeaderBody<T>, options: WhileLeaderOptions = {}): Promise<T | undefined> {
    return this.concurrency.whileLeader(name, body, options);
  }
}
