/** Does something while it leads, again and again. */
import { EtcdAbortedError } from '../errors.js';
import type { Value } from '../key-range.js';
import { backoffMs } from '../rpc/backoff.js';
import { EtcdLeaseNotFoundError } from '../server-errors.js';
import { EtcdLeadershipLostError } from './concurrency-errors.js';
import type { Leadership, LeadershipLost } from './leadership.js';
import { isPassing, pause, reasonOf } from './patience.js';
import type { Tools } from './tools.js';
import { WaitScope } from './wait-scope.js';

/** What is done while leading. Should end soon after `signal` aborts. */
export type LeaderBody<T> = (leadership: Leadership) => T | Promise<T>;

/** Options of `whileLeader`. */
export interface WhileLeaderOptions {
  /**
   * What the leader says of itself, for those who observe.
   *
   * @default nothing
   */
  readonly value?: Value | undefined;
  /**
   * How long a leadership outlives its holder: after a crash another one leads after this time.
   *
   * @default 30
   * @remarks whole seconds from 1; the server raises what is below its minimum, mostly 2.
   */
  readonly ttlSeconds?: number | undefined;
  /** Ends it: the body's signal aborts, and when the body has ended the leadership is resigned. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Told of each leadership that was lost, once the body has ended: with what the body threw, if it did.
   *
   * @default nobody is told
   */
  readonly onLost?: ((lost: LeadershipLost, bodyError: unknown) => void) | undefined;
  /**
   * Told of each campaign that failed. Another one begins after a pause.
   *
   * @default nobody is told
   */
  readonly onFailure?: ((error: unknown) => void) | undefined;
}

/** Who campaigns. */
export interface Campaigner {
  campaign(value: Value, options: { ttlSeconds?: number | undefined; signal?: AbortSignal }): Promise<Leadership>;
}

/** A cluster that comes back is not to be met by all candidates in the same moment. */
const PAUSES = { firstMs: 100, maxMs: 5_000 };

/** One `whileLeader`. */
export class WhileLeader<T> {
  private readonly scope: WaitScope;
  private failures = 0;

  constructor(
    private readonly tools: Tools,
    private readonly election: Campaigner,
    private readonly body: LeaderBody<T>,
    private readonly options: WhileLeaderOptions,
  ) {
    this.scope = new WaitScope(tools, 'Concurrency.Campaign', options.signal);
  }

  async run(): Promise<T | undefined> {
    try {
      while (!this.scope.signal.aborted) {
        const leadership = await this.campaign();
        const done = leadership === undefined ? undefined : await this.lead(leadership);
        if (done !== undefined) return done.result;
      }
      return undefined;
    } finally {
      this.scope.close();
    }
  }

  /** @returns `undefined` when it is to be tried again, or was ended. */
  private async campaign(): Promise<Leadership | undefined> {
    const { value = '', ttlSeconds } = this.options;
    const { signal } = this.scope;
    try {
      const leadership = await this.election.campaign(value, { ttlSeconds, signal });
      this.failures = 0;
      return leadership;
    } catch (error) {
      if (signal.aborted) return undefined;
      if (!mayWinLater(error)) throw error;
      this.options.onFailure?.(error);
    }
    this.failures += 1;
    const { clock, random } = this.tools;
    await pause(clock, backoffMs(this.failures, PAUSES, random), signal).catch(() => undefined);
    return undefined;
  }

  /** @returns what the body returned, if it ended of itself while it led. */
  private async lead(leadership: Leadership): Promise<{ readonly result: T } | undefined> {
    const { signal } = this.scope;
    const onStop = (): void => leadership.stop(reasonOf(signal));
    signal.addEventListener('abort', onStop, { once: true });
    if (signal.aborted) onStop();
    let bodyError: unknown;
    try {
      const result = await this.body(leadership);
      if (leadership.isLeader && !signal.aborted) return { result };
    } catch (error) {
      bodyError = error;
      if (leadership.isLeader && !isAbort(error, leadership.signal)) throw error;
    } finally {
      signal.removeEventListener('abort', onStop);
      await this.giveUp(leadership, bodyError);
    }
    return undefined;
  }

  /** Only when the body has ended: told by its signal, it may need a moment for that. */
  private async giveUp(leadership: Leadership, bodyError: unknown): Promise<void> {
    try {
      if (!leadership.isLeader) this.options.onLost?.(await leadership.lost, bodyError);
    } finally {
      await leadership.resign().catch(() => undefined); // the key goes with its lease at the latest
    }
  }
}

/** Whether another campaign may end better: the cluster was to blame, or the session died of it. */
function mayWinLater(error: unknown): boolean {
  return isPassing(error) || error instanceof EtcdLeadershipLostError || error instanceof EtcdLeaseNotFoundError;
}

/** Whether the body did no more than pass on that it was told to stop. */
function isAbort(error: unknown, signal: AbortSignal): boolean {
  if (!signal.aborted) return false;
  if (error === signal.reason || error instanceof EtcdAbortedError) return true;
  return error instanceof Error && (error.name === 'AbortError' || error.cause === signal.reason);
}
