/** One app's part in one election: it campaigns while the app runs, tells its methods, and resigns. */
import { setMaxListeners } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from '@nestjs/common';
import {
  EtcdClosedError,
  EtcdLeadershipLostError,
  type EtcdConcurrency,
  type Leadership,
  type LeadershipLost,
} from '../../client/index.js';
import { describeError } from '../describe-error.js';
import type { CampaignSettings } from '../etcd-module-options.js';
import { RunningWork } from '../running-work.js';
import { isSettledWithin } from '../settled-within.js';

/** A method that is told of leaderships. */
export interface LeadershipListener {
  readonly event: 'acquired' | 'lost';
  /** `Class@method`. */
  readonly label: string;
  /** Whose method it is: those of one instance are told of an end when they have done with the beginning. */
  readonly instance: object;
  readonly call: (change: Leadership | LeadershipLost) => Promise<unknown>;
}

/** What a campaign works with. */
export interface CampaignParts {
  readonly electionName: string;
  readonly clientName: string;
  readonly concurrency: EtcdConcurrency;
  readonly settings: CampaignSettings;
  readonly logger: Logger;
}

/** What a campaign counts, for metrics. */
export interface CampaignCounts {
  readonly isLeading: boolean;
  /** Leaderships lost against its will. */
  readonly losses: number;
  /** Calls of listeners that failed. */
  readonly failures: number;
}

/** Between campaigns that were refused for good, as for lack of permission: somebody has to mend that first. */
const REFUSED_PAUSE_MS = 5_000;

/** One campaign. */
export class Campaign {
  private readonly listeners = new Map<object, LeadershipListener[]>();
  private readonly stopping = new AbortController();
  private readonly bodies = new RunningWork();
  private current: Leadership | undefined;
  private ended: Promise<void> = Promise.resolve();
  private losses = 0;
  private failures = 0;
  private isTrying = false;

  constructor(private readonly parts: CampaignParts) {}

  get clientName(): string {
    return this.parts.clientName;
  }

  get counts(): CampaignCounts {
    return { isLeading: this.leadership !== undefined, losses: this.losses, failures: this.failures };
  }

  /** `undefined` while another one leads, or nobody, and once this one was told to stop. */
  get leadership(): Leadership | undefined {
    return this.current?.isLeader === true && !this.current.signal.aborted ? this.current : undefined;
  }

  /** To be called before it starts. */
  tell(listener: LeadershipListener): void {
    const others = this.listeners.get(listener.instance) ?? [];
    this.listeners.set(listener.instance, [...others, listener]);
  }

  start(): void {
    this.ended = this.run();
  }

  /** Tells everybody that it is over, waits for them, and resigns; no longer than `timeoutMs`. Never rejects. */
  async stop(timeoutMs: number): Promise<void> {
    const { electionName, logger } = this.parts;
    this.stopping.abort();
    if (await isSettledWithin(this.ended, timeoutMs)) return;
    logger.warn(
      `what the leader of election "${electionName}" does still runs after ${timeoutMs} ms (shutdownTimeoutMs); ` +
        'going on without waiting for it',
    );
  }

  /** Runs something that the leadership is not resigned under. */
  runBody<T>(body: () => T | Promise<T>): Promise<T> {
    return this.bodies.run(body);
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      try {
        await this.campaign(signal);
        return; // told to stop, or the client has closed
      } catch (error) {
        if (error instanceof EtcdClosedError) return;
        const [text, stack] = describeError(error);
        const { electionName, logger } = this.parts;
        logger.error(`cannot campaign in election "${electionName}", trying again and again: ${text}`, stack);
      }
      await pause(REFUSED_PAUSE_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  private async campaign(signal: AbortSignal): Promise<void> {
    const { electionName, concurrency, settings } = this.parts;
    await concurrency.whileLeader(electionName, (leadership) => this.lead(leadership), {
      ...settings,
      signal,
      onFailure: (error) => this.onFailedCampaign(error),
    });
  }

  /** Once for each outage, not for each try. */
  private onFailedCampaign(error: unknown): void {
    if (this.isTrying) return;
    this.isTrying = true;
    const { electionName, logger } = this.parts;
    logger.warn(
      `the campaign in election "${electionName}" failed, trying until it goes on: ${describeError(error)[0]}`,
    );
  }

  /** Ends when the leadership has and everybody is done with it: the next campaign, or the resignation, comes after that. */
  private async lead(leadership: Leadership): Promise<void> {
    setMaxListeners(0, leadership.signal); // one for each call that waits for a lock meanwhile
    this.current = leadership;
    this.isTrying = false;
    this.parts.logger.log(`leads election "${this.parts.electionName}"`);
    const ending = untilAborted(leadership.signal).then(() => this.howItEnds(leadership));
    const told = [...this.listeners.values()].map((listeners) => this.tellOne(listeners, leadership, ending));
    await ending;
    this.current = undefined;
    await Promise.all([...told, this.bodies.ended()]);
  }

  private async howItEnds(leadership: Leadership): Promise<LeadershipLost> {
    const { electionName, logger } = this.parts;
    if (leadership.isLeader) {
      logger.log(`resigns from election "${electionName}"`);
      const error = new EtcdLeadershipLostError(electionName, leadership.key, 'resigned', leadership.signal.reason);
      return { reason: error.reason, error };
    }
    this.losses += 1;
    const lost = await leadership.lost;
    logger.warn(`does not lead any more: ${lost.error.message}`);
    return lost;
  }

  /** One instance's methods, in order: it has done with the beginning when it is told of the end. Never rejects. */
  private async tellOne(
    listeners: readonly LeadershipListener[],
    leadership: Leadership,
    ending: Promise<LeadershipLost>,
  ): Promise<void> {
    await this.callAll(listeners, 'acquired', leadership);
    const lost = await ending;
    await this.callAll(listeners, 'lost', lost);
  }

  private async callAll(
    listeners: readonly LeadershipListener[],
    event: LeadershipListener['event'],
    change: Leadership | LeadershipLost,
  ): Promise<void> {
    const asked = listeners.filter((listener) => listener.event === event);
    await Promise.all(asked.map((listener) => this.call(listener, change)));
  }

  private async call({ event, label, call }: LeadershipListener, change: Leadership | LeadershipLost): Promise<void> {
    try {
      await call(change);
    } catch (error) {
      this.failures += 1;
      const [text, stack] = describeError(error);
      const { electionName, logger } = this.parts;
      logger.error(`${label} failed when the leadership of election "${electionName}" was ${event}: ${text}`, stack);
    }
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
