/**
 * Holds what one watch reported against what really happened. Pure: the same log and history always give the same verdict.
 *
 * The words are those of etcd's own guarantees: ordered, unique, reliable (no gap), atomic (a revision is never split),
 * resumable (it begins where it was asked to), bookmarkable (a progress notice says that nothing up to it is missing, and
 * nothing at or below it follows), and filtered.
 */
import { isSame, type Change, type StoreHistory } from './store-history.js';
import type { Delivery, SeenEvent, WatchLog } from './watch-log.js';

/** Which promise was broken. */
export type BrokenPromise =
  | 'ordered'
  | 'unique'
  | 'atomic'
  | 'reliable'
  | 'resumable'
  | 'bookmarkable'
  | 'filtered'
  /** An event that never happened. */
  | 'real'
  /** Value, revisions, version or lease of the key. */
  | 'key as stored'
  | 'prevKv'
  | 'isCreate'
  /** It ended, and should not have. */
  | 'end'
  /** A whole range that was not so at that revision. */
  | 'snapshot';

/** What was found. */
export interface Violation {
  readonly promise: BrokenPromise;
  readonly who: string;
  readonly what: string;
}

/**
 * What is wrong with the log of a watch.
 *
 * @param throughRevision what a watch that is open at the end has to have reported.
 */
export function checkWatch(log: WatchLog, history: StoreHistory, throughRevision: number): Violation[] {
  const check = new WatchCheck(log, history);
  for (const delivery of log.deliveries) check.take(delivery);
  check.finish(log.end.name === 'open' ? throughRevision : 0);
  return check.violations;
}

class WatchCheck {
  readonly violations: Violation[] = [];
  private readonly seen = new Set<Change>();
  private readonly seenRevisions = new Set<number>();
  /** The highest revision of an event so far. */
  private last = 0;
  /** The highest revision of a progress notice so far. */
  private bookmark = 0;

  constructor(
    private readonly log: WatchLog,
    private readonly history: StoreHistory,
  ) {}

  take(delivery: Delivery): void {
    if (delivery.type === 'progress') this.takeProgress(delivery.revision);
    const { last } = this;
    for (const event of delivery.events) {
      if (this.log.isWhole && event.revision === last) this.report('atomic', event, 'came in a second piece');
      this.takeEvent(event, delivery.at);
    }
  }

  /** @param throughRevision what must have been reported, beside everything up to the last report. */
  finish(throughRevision: number): void {
    const through = Math.max(this.last, this.bookmark, throughRevision);
    for (const change of this.history.changes) {
      if (change.revision <= through && this.isAsked(change) && !this.seen.has(change)) this.onMissing(change);
    }
    this.checkEnd();
  }

  private takeProgress(revision: number): void {
    const isBack = revision < this.bookmark || revision < this.last;
    if (isBack)
      this.add('bookmarkable', `progress goes back to ${revision} from ${Math.max(this.bookmark, this.last)}`);
    this.bookmark = Math.max(this.bookmark, revision);
  }

  private takeEvent(event: SeenEvent, at: number): void {
    const { revision, kv } = event;
    if (revision < this.last) this.report('ordered', event, `after revision ${this.last}`);
    if (revision <= this.bookmark) this.report('bookmarkable', event, `after progress to ${this.bookmark}`);
    if (revision < this.log.firstRevision)
      this.report('resumable', event, `before its start, ${this.log.firstRevision}`);
    this.last = Math.max(this.last, revision);
    this.seenRevisions.add(revision);
    const change = this.history.find(revision, kv.key);
    if (change?.type === event.type) this.compare(event, change, at);
    else this.report('real', event, 'never happened');
  }

  private compare(event: SeenEvent, change: Change, at: number): void {
    const { type, kv, isCreate, prevKv } = event;
    if (this.seen.has(change)) this.report('unique', event, 'came twice');
    this.seen.add(change);
    if (!this.isWanted(change)) this.report('filtered', event, 'was not asked for');
    if (type === 'put' && !isSame(kv, change.kv))
      this.report('key as stored', event, `was ${JSON.stringify(change.kv)}`);
    const wasCreated = type === 'put' && change.kv.createRevision === change.revision;
    if (isCreate !== wasCreated) this.report('isCreate', event, `was ${wasCreated}`);
    if (!this.isRightPrevKv(prevKv, change, at)) this.report('prevKv', event, `was ${JSON.stringify(change.before)}`);
  }

  /** What was before may be compacted by the time that the server looks it up. */
  private isRightPrevKv(prevKv: SeenEvent['prevKv'], { before, revision }: Change, at: number): boolean {
    if (!this.log.prevKv) return prevKv === undefined;
    if (isSame(prevKv, before)) return true;
    const isCompacted = this.history.compactions.some((each) => each.at <= at && each.revision > revision - 1);
    return prevKv === undefined && isCompacted;
  }

  private onMissing({ revision, kv }: Change): void {
    const what = `${kv.key}@${revision} is missing`;
    const first = this.seenRevisions.size === 0 ? Infinity : Math.min(...this.seenRevisions);
    if (this.seenRevisions.has(revision)) this.add('atomic', `${what}, while others of its revision came`);
    else this.add(revision < first ? 'resumable' : 'reliable', what);
  }

  private checkEnd(): void {
    const { end, firstRevision } = this.log;
    if (end.name === 'failed') this.add('end', `it ended: ${end.error.message}`);
    if (end.name !== 'compacted') return;
    const next = Math.max(firstRevision, this.last + 1, this.bookmark + 1);
    const isTrue = this.history.compactions.some(({ revision }) => revision === end.compactRevision);
    if (!isTrue) this.add('end', `it says that ${end.compactRevision} was compacted, and that was not so`);
    if (end.compactRevision <= next)
      this.add('end', `it ended at ${next}, which compaction ${end.compactRevision} kept`);
  }

  private isAsked(change: Change): boolean {
    return change.revision >= this.log.firstRevision && this.isWanted(change);
  }

  private isWanted({ type, kv }: Change): boolean {
    const { covers, only } = this.log;
    return covers(kv.key) && (only === undefined || only === type);
  }

  private report(promise: BrokenPromise, { type, kv, revision }: SeenEvent, what: string): void {
    this.add(promise, `${type} ${kv.key}@${revision} ${what}`);
  }

  private add(promise: BrokenPromise, what: string): void {
    this.violations.push({ promise, who: this.log.name, what });
  }
}
