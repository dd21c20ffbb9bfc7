/** The job: runs in the instance that leads, once for each second, through every handover. */
import { Injectable, Logger } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { Cron, CronExpression } from '@nestjs/schedule';
import {
  compare,
  currentLeadership,
  del,
  EtcdKv,
  LeaderOnly,
  type Leadership,
  type LeadershipLost,
  OnLeadershipAcquired,
  OnLeadershipLost,
  put,
} from 'nest-etcd';
import { type Environment } from '../environment.js';
import { keyOf, LAST_TICK, tickAt, valueOf } from './ticks.js';

export const ELECTION = 'leader';

/** Ticks that are kept in the store, and the most that a new leader makes up for. */
const KEPT = 60;

@Injectable()
export class TickJob {
  private readonly logger = new Logger(TickJob.name);
  private readonly instance: string;

  constructor(
    private readonly kv: EtcdKv,
    config: ConfigService<Environment, true>,
  ) {
    this.instance = config.get('INSTANCE', { infer: true });
  }

  @OnLeadershipAcquired(ELECTION)
  onAcquired({ fencingToken }: Leadership): void {
    this.logger.log(`${this.instance} leads, with token ${fencingToken}`);
  }

  @OnLeadershipLost(ELECTION)
  onLost({ reason }: LeadershipLost): void {
    this.logger.log(`${this.instance} does not lead any more: ${reason}`);
  }

  /** What is due: this tick, and those that nobody did while nobody led. */
  @Cron(CronExpression.EVERY_SECOND, { waitForCompletion: true })
  @LeaderOnly(ELECTION)
  async run(): Promise<void> {
    const { signal } = currentLeadership();
    const now = tickAt(Date.now());
    for (let tick = await this.firstDue(now); tick <= now && !signal.aborted; tick++) await this.do(tick, now - tick);
  }

  private async firstDue(now: number): Promise<number> {
    const last = await this.kv.get(LAST_TICK);
    return last === undefined ? now : Math.max(Number(last.value) + 1, now - KEPT);
  }

  /**
   * The work of a tick is a write here. The store itself sees to it that it is done once, and by the leader: a leader that
   * was paused and wakes up when another one leads is refused by the guard, and a tick that is there is not done again.
   */
  private async do(tick: number, late: number): Promise<void> {
    const { guard, fencingToken } = currentLeadership();
    const { succeeded } = await this.kv
      .txn()
      .if(guard, compare(keyOf(tick)).createRevision('=', 0))
      .then(
        put(keyOf(tick), valueOf({ by: this.instance, fencingToken, late })),
        put(LAST_TICK, String(tick)),
        del(keyOf(tick - KEPT)),
      )
      .commit();
    if (succeeded) this.logger.log(`tick ${tick} done`);
  }
}
