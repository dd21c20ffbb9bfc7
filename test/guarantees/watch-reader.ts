/** Readers of watches: each reads in its own way, writes down what it gets, and begins anew where a compaction ended it. */
import { setTimeout as delay } from 'node:timers/promises';
import type { EtcdClient } from '../../lib/client/client.js';
import type { KeyRangeLike } from '../../lib/client/key-range.js';
import { EtcdCompactedError } from '../../lib/client/server-errors.js';
import type { WatchOptions } from '../../lib/client/watch/watch-options.js';
import type { Watcher } from '../../lib/client/watch/watcher.js';
import type { StoreHistory } from './store-history.js';
import { seen, type Asked, type Delivery, type WatchLog } from './watch-log.js';

/** How a reader reads. */
export interface Shape {
  readonly name: string;
  readonly range: KeyRangeLike;
  readonly covers: (key: string) => boolean;
  readonly options?: WatchOptions;
  /** Event by event, or whole responses. @default 'responses' */
  readonly by?: 'events' | 'responses';
  /** Milliseconds that the reader sleeps after each delivery, until it is told to hurry. @default 0 */
  readonly sleepMs?: number;
  /** Leaves the watch after so many deliveries, and goes on with another one. @default never */
  readonly leavesAfter?: number;
  /** Milliseconds after which it asks for progress, again and again. @default never */
  readonly asksProgressEveryMs?: number;
}

/** One reader, which has as many watches one after the other as it takes. */
export class WatchReader {
  readonly logs: WatchLog[] = [];
  private readonly asked: Asked;
  private readonly running: Promise<void>;
  private watcher: Watcher;
  private isHurried = false;
  private isStopped = false;

  constructor(
    private readonly client: EtcdClient,
    private readonly shape: Shape,
  ) {
    const { name, covers, options } = shape;
    this.asked = { name, covers, only: options?.only, prevKv: options?.prevKv ?? false };
    this.watcher = client.watch.watch(shape.range, shape.options);
    this.running = this.run();
  }

  /** Resolves when its first watch is in place. */
  get created(): Promise<number> {
    return this.watcher.created;
  }

  /** No more sleeping. */
  hurry(): void {
    this.isHurried = true;
  }

  /** Whether it has reported everything up to a revision. */
  hasReached(revision: number, history: StoreHistory): boolean {
    const { covers, only } = this.asked;
    const last = history.changes.findLast(
      (change) => change.revision <= revision && covers(change.kv.key) && (only === undefined || only === change.type),
    );
    const log = this.logs.at(-1);
    if (last === undefined || log === undefined) return log !== undefined;
    return nextOf(log) > last.revision;
  }

  /** Ends it. The last log is then that of a watch that was in place to the end. */
  async stop(): Promise<void> {
    this.isStopped = true;
    await this.watcher.close();
    await this.running;
  }

  private async run(): Promise<void> {
    const { startRevision } = this.shape.options ?? {};
    let next = await this.read(startRevision ?? (await this.watcher.created) + 1);
    while (next !== undefined) {
      this.watcher = this.client.watch.watch(this.shape.range, { ...this.shape.options, ...next.from });
      next = await this.read(next.firstRevision);
    }
  }

  /** @returns where to go on, if at all. */
  private async read(firstRevision: number): Promise<NextWatch | undefined> {
    const isWhole = this.shape.by !== 'events';
    const log: WatchLog = { ...this.asked, firstRevision, isWhole, deliveries: [], end: { name: 'open' } };
    this.logs.push(log);
    try {
      const isLeft = await this.readInto(log);
      if (!isLeft || this.isStopped) return undefined;
      log.end = { name: 'left' };
      const afterRevision = nextOf(log) - 1;
      return { firstRevision: afterRevision + 1, from: { startRevision: undefined, afterRevision } };
    } catch (error) {
      return this.onEnd(log, error as Error);
    }
  }

  /** @returns whether the reader left, rather than the watch having ended. */
  private async readInto(log: WatchLog): Promise<boolean> {
    const { leavesAfter = Infinity, sleepMs = 0 } = this.shape;
    const asking = this.askForProgress();
    try {
      for await (const delivery of deliveriesOf(this.watcher, log.isWhole)) {
        log.deliveries.push(delivery);
        if (log.deliveries.length >= leavesAfter) return true;
        if (sleepMs > 0 && !this.isHurried) await delay(sleepMs);
      }
      return false;
    } finally {
      clearInterval(asking);
    }
  }

  private onEnd(log: WatchLog, error: Error): NextWatch | undefined {
    const compactRevision = error instanceof EtcdCompactedError ? error.compactRevision : undefined;
    if (compactRevision === undefined) {
      log.end = { name: 'failed', error };
      return undefined;
    }
    log.end = { name: 'compacted', compactRevision };
    return { firstRevision: compactRevision, from: { startRevision: compactRevision } };
  }

  private askForProgress(): NodeJS.Timeout | undefined {
    const { asksProgressEveryMs } = this.shape;
    if (asksProgressEveryMs === undefined) return undefined;
    return setInterval(() => this.watcher.requestProgress(), asksProgressEveryMs).unref();
  }
}

/** The watch that takes over from another one. */
interface NextWatch {
  readonly firstRevision: number;
  readonly from: WatchOptions;
}

async function* deliveriesOf(watcher: Watcher, isWhole: boolean): AsyncGenerator<Delivery> {
  if (isWhole) {
    for await (const { type, revision, events } of watcher.responses()) {
      yield { type, at: performance.now(), revision, events: events.map(seen) };
    }
    return;
  }
  for await (const event of watcher) {
    yield { type: 'events', at: performance.now(), revision: event.revision, events: [seen(event)] };
  }
}

/** The first revision that a log says nothing of. */
function nextOf({ firstRevision, deliveries }: WatchLog): number {
  return Math.max(firstRevision, ...deliveries.slice(-1).map(({ revision }) => revision + 1));
}
