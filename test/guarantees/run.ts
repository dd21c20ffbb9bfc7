/** One run: writers, readers and faults on a stage, and what the checks find afterwards. */
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prefix, range } from '../../lib/client/key-range.js';
import { eventually } from '../support/index.js';
import { seeded } from '../support/seed.js';
import { checkFollow, checkView } from './check-follow.js';
import { checkWatch, type Violation } from './check-watch.js';
import { carryOut } from './faults.js';
import { FollowReader, ViewReader } from './range-readers.js';
import { scheduleOf } from './schedule.js';
import { ROOT, Stage } from './stage.js';
import type { Asked } from './watch-log.js';
import { WatchReader, type Shape } from './watch-reader.js';
import { Writers } from './writers.js';

/** What came of a run. */
export interface Verdict {
  readonly violations: readonly Violation[];
  /** How much there was to go wrong: a run in which little happened proves nothing. */
  readonly traffic: {
    readonly revisions: number;
    readonly deliveries: number;
    readonly reconnects: number;
    readonly pauses: number;
    readonly compactions: number;
  };
}

const CATCH_UP_MS = 120_000;

const under = (start: string) => (key: string) => key.startsWith(start);
const everything = { range: prefix(ROOT), covers: under(ROOT) };
const folderA = { range: prefix(`${ROOT}a/`), covers: under(`${ROOT}a/`) };

/** One of each kind of reader. */
const SHAPES: readonly Shape[] = [
  { name: 'all, with what was before, in pieces', ...everything, options: { prevKv: true, fragment: true } },
  { name: 'all, from the beginning', ...everything, options: { startRevision: 1, fragment: true } },
  { name: 'all, event by event', ...everything, by: 'events', options: { prevKv: true, fragment: true } },
  {
    name: 'all, never in pieces, on a stream of its own',
    ...everything,
    options: { fragment: false, ownStream: true },
  },
  { name: 'one key', range: `${ROOT}a/1`, covers: (key) => key === `${ROOT}a/1`, options: { prevKv: true } },
  {
    name: 'from one key to another',
    range: range(`${ROOT}a/2`, `${ROOT}b/3`),
    covers: (key) => key >= `${ROOT}a/2` && key < `${ROOT}b/3`,
  },
  { name: 'only writes', ...folderA, options: { only: 'put' } },
  { name: 'only deletions', ...everything, options: { only: 'delete', prevKv: true, requireLeader: false } },
  { name: 'progress, told', ...folderA, options: { progressNotify: true } },
  { name: 'progress, asked for', ...everything, options: { progressNotify: true }, asksProgressEveryMs: 300 },
  {
    name: 'quiet, with progress',
    range: prefix(`${ROOT}quiet/`),
    covers: under(`${ROOT}quiet/`),
    options: { progressNotify: true },
  },
  { name: 'slow', ...everything, sleepMs: 100, options: { maxBufferedRevisions: 10, prevKv: true, fragment: true } },
  { name: 'slow, event by event', ...folderA, by: 'events', sleepMs: 60, options: { maxBufferedBytes: 3_000 } },
  { name: 'leaves and comes back', ...everything, leavesAfter: 25, options: { prevKv: true } },
  { name: 'leaves late', ...folderA, leavesAfter: 10, sleepMs: 50, options: { maxBufferedRevisions: 5 } },
];

/** A run whose faults, and whose choices of what to write, are decided by a seed. */
export class Run implements AsyncDisposable {
  private readonly watchers: WatchReader[];
  private readonly followers: readonly FollowReader[];
  private readonly views: readonly ViewReader[];
  private readonly writers: Writers;

  private constructor(
    private readonly seed: number,
    private readonly stage: Stage,
    random: () => number,
  ) {
    const client = stage.watching;
    const asked = (name: string, prevKv = false): Asked => ({ name, covers: everything.covers, prevKv });
    this.watchers = SHAPES.map((shape) => new WatchReader(client, shape));
    this.followers = [
      new FollowReader(client, everything.range, asked('follow', true), { isWhole: true, sleepMs: 0 }),
      new FollowReader(client, everything.range, asked('follow, change by change'), { isWhole: false, sleepMs: 0 }),
      new FollowReader(client, everything.range, asked('follow, slowly'), { isWhole: true, sleepMs: 70 }),
    ];
    this.views = [
      new ViewReader(client, everything.range, asked('view'), 250),
      new ViewReader(client, folderA.range, { ...asked('view of a folder'), covers: folderA.covers }, 333),
    ];
    this.writers = new Writers(stage.writing, random);
  }

  /** Sets everything up, and resolves when all readers are in place. */
  static async start(seed: number): Promise<Run> {
    const { random } = seeded(seed);
    const run = new Run(seed, await Stage.start(random), random);
    await Promise.all(run.watchers.map(({ created }) => created));
    await Promise.all(run.views.map(({ view }) => view.ready));
    return run;
  }

  /** Lets the faults happen, has everybody catch up, and holds what they saw against what happened. */
  async judge(seconds: number): Promise<Verdict> {
    await carryOut(scheduleOf(this.seed, seconds), this.stage, { watchHistory: () => this.watchHistory() });
    await this.writers.stop();
    const revision = await this.stage.etcd.gateway.revision();
    await this.stage.collect();
    await this.catchUp(revision);
    const { reconnects, pauses } = this.stage.watching.watch.stats();
    await this.stop(revision);
    await this.stage.collect();
    const violations = this.check(revision);
    if (violations.length > 0) await this.dump(violations);
    return { violations, traffic: { ...this.traffic(), reconnects, pauses } };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stage[Symbol.asyncDispose]();
  }

  /** Another reader, of all that the store still knows. */
  private watchHistory(): Promise<unknown> {
    const startRevision = this.stage.history.firstKept;
    const name = `all, from ${startRevision} on, cut when created`;
    const reader = new WatchReader(this.stage.watching, {
      name,
      ...everything,
      options: { startRevision, prevKv: true },
    });
    this.watchers.push(reader);
    return reader.created;
  }

  /** Who does not catch up is found by the checks, which say what is missing. */
  private async catchUp(revision: number): Promise<void> {
    for (const reader of [...this.watchers, ...this.followers]) reader.hurry();
    const isDone = (): boolean =>
      this.watchers.every((reader) => reader.hasReached(revision, this.stage.history)) &&
      this.followers.every((reader) => reader.revision >= revision);
    await eventually(isDone, { timeoutMs: CATCH_UP_MS }).catch(() => undefined);
  }

  private async stop(revision: number): Promise<void> {
    await Promise.all(this.views.map((view) => view.stop(revision, CATCH_UP_MS)));
    await Promise.all([...this.watchers, ...this.followers].map((reader) => reader.stop()));
  }

  private check(revision: number): Violation[] {
    const { history } = this.stage;
    return [
      ...this.watchers.flatMap(({ logs }) => logs.flatMap((log) => checkWatch(log, history, revision))),
      ...this.followers.flatMap(({ log }) => checkFollow(log, history, revision)),
      ...this.views.flatMap(({ log }) => checkView(log, history, revision)),
    ];
  }

  private traffic(): Pick<Verdict['traffic'], 'revisions' | 'deliveries' | 'compactions'> {
    const { history } = this.stage;
    const deliveries = this.watchers.flatMap(({ logs }) => logs).flatMap((log) => log.deliveries).length;
    return { revisions: history.lastRevision, deliveries, compactions: history.compactions.length };
  }

  /** All the evidence, for whoever looks into it. */
  private async dump(violations: readonly Violation[]): Promise<void> {
    const { history, etcd } = this.stage;
    const evidence = {
      seed: this.seed,
      etcd: etcd.version,
      violations,
      compactions: history.compactions,
      changes: history.changes,
      watches: this.watchers.flatMap(({ logs }) => logs),
      followers: this.followers.map(({ log }) => log),
      views: this.views.map(({ log }) => log),
    };
    await writeFile(join(tmpdir(), `guarantees-${this.seed}.json`), JSON.stringify(evidence, null, 1));
  }
}
