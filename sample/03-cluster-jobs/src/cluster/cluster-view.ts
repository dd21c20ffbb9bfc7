/** What this instance sees of the cluster: who leads, who waits to, and the last ticks. Kept up to date by watches. */
import { type BeforeApplicationShutdown, Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { EtcdElections, EtcdWatch, type LiveView, prefix } from 'nest-etcd';
import { ReplaySubject } from 'rxjs';
import { type Environment } from '../environment.js';
import { ELECTION } from '../jobs/tick.job.js';
import { type DoneTick, tickOf, TICKS } from '../jobs/ticks.js';

/** What the page shows. */
export interface ClusterState {
  /** The instance that tells it. */
  readonly instance: string;
  /** By its own knowledge, which is ahead of what others see. */
  readonly isLeader: boolean;
  /** `null` while nobody leads. */
  readonly leader: string | null;
  /** Everybody who leads or waits to, in the order in which they will. */
  readonly candidates: readonly string[];
  /** The newest first. */
  readonly ticks: readonly DoneTick[];
}

const SHOWN = 20;

@Injectable()
export class ClusterView implements BeforeApplicationShutdown {
  /** Emits when the instance is told to end, and at once to those who come after that. */
  readonly ending = new ReplaySubject<void>(1);
  private readonly instance: string;
  private readonly candidates: LiveView;
  private readonly ticks: LiveView;

  constructor(
    watch: EtcdWatch,
    private readonly elections: EtcdElections,
    config: ConfigService<Environment, true>,
  ) {
    this.instance = config.get('INSTANCE', { infer: true });
    this.candidates = watch.view(prefix(`${ELECTION}/`));
    this.ticks = watch.view(prefix(TICKS));
    // Before they have been read, and after they have ended, views are empty.
    for (const view of [this.candidates, this.ticks]) view.ready.catch(() => undefined);
  }

  get state(): ClusterState {
    const candidates = [...this.candidates.values()].sort((a, b) => a.createRevision - b.createRevision);
    const ticks = [...this.ticks.values()].map(tickOf).sort((a, b) => b.tick - a.tick);
    return {
      instance: this.instance,
      isLeader: this.elections.isLeader(ELECTION),
      leader: candidates[0]?.value ?? null,
      candidates: candidates.map(({ value }) => value),
      ticks: ticks.slice(0, SHOWN),
    };
  }

  /** Ends the streams of the open pages, which HTTP would otherwise wait for. */
  async beforeApplicationShutdown(): Promise<void> {
    this.ending.next();
    await Promise.all([this.candidates.close(), this.ticks.close()]);
  }
}
