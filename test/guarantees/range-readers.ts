/** Readers of followed ranges and of views. */
import { setTimeout as delay } from 'node:timers/promises';
import type { EtcdClient } from '../../lib/client/client.js';
import type { KeyRangeLike } from '../../lib/client/key-range.js';
import type { FollowBatch, Follower } from '../../lib/client/watch/follow.js';
import type { LiveView } from '../../lib/client/watch/live-view.js';
import { seen, stored, type Asked, type Delivery, type FollowLog, type SeenReset, type ViewLog } from './watch-log.js';

/** Follows a range and writes down what it gets. */
export class FollowReader {
  readonly log: FollowLog;
  private readonly follower: Follower;
  private readonly running: Promise<void>;
  private isHurried = false;

  constructor(
    client: EtcdClient,
    range: KeyRangeLike,
    asked: Asked,
    private readonly how: { readonly isWhole: boolean; readonly sleepMs: number },
  ) {
    this.log = { asked, isWhole: how.isWhole, batches: [], error: undefined };
    this.follower = client.watch.follow(range, { prevKv: asked.prevKv, maxBufferedRevisions: 50 });
    this.running = this.run();
  }

  /** The revision of what it got last. */
  get revision(): number {
    return this.log.batches.at(-1)?.revision ?? 0;
  }

  /** No more sleeping. */
  hurry(): void {
    this.isHurried = true;
  }

  async stop(): Promise<void> {
    await this.follower.close();
    await this.running;
  }

  private async run(): Promise<void> {
    const source = this.how.isWhole ? this.follower.batches() : this.follower;
    try {
      for await (const item of source) {
        this.log.batches.push(written(item.type === 'put' || item.type === 'delete' ? oneEvent(item) : item));
        if (!this.isHurried) await delay(this.how.sleepMs);
      }
    } catch (error) {
      this.log.error = error as Error;
    }
  }
}

/** Looks at a view now and then. */
export class ViewReader {
  readonly log: ViewLog;
  readonly view: LiveView;
  private readonly looking: NodeJS.Timeout;

  constructor(client: EtcdClient, range: KeyRangeLike, asked: Asked, everyMs: number) {
    this.log = { asked, samples: [] };
    this.view = client.watch.view(range);
    this.looking = setInterval(() => this.lookWhileOpen(), everyMs).unref();
  }

  /** Looks for the last time, at what it is at a revision or later. */
  async stop(revision: number, timeoutMs: number): Promise<void> {
    clearInterval(this.looking);
    await this.view.waitForRevision(revision, { timeoutMs });
    this.look();
    await this.view.close();
  }

  /** A view that has ended throws why, which whoever stops this is told, once. */
  private lookWhileOpen(): void {
    try {
      this.look();
    } catch {
      clearInterval(this.looking);
    }
  }

  private look(): void {
    const { revision } = this.view;
    if (revision > 0) this.log.samples.push({ revision, kvs: [...this.view.values()].map(stored) });
  }
}

type FollowEvents = Exclude<FollowBatch, { readonly type: 'reset' }>;

function oneEvent(
  event: FollowEvents['events'][number],
): Pick<FollowEvents, 'revision' | 'events'> & { type: 'events' } {
  return { type: 'events', revision: event.revision, events: [event] };
}

function written(batch: Exclude<FollowBatch, FollowEvents> | Omit<FollowEvents, 'header'>): SeenReset | Delivery {
  if (batch.type === 'reset') return { ...batch, kvs: batch.kvs.map(stored) };
  return { type: batch.type, at: performance.now(), revision: batch.revision, events: batch.events.map(seen) };
}
