/** The checks themselves: each finds what it is there to find, and nothing in a log that is right. */
import { describe, expect, it } from '@jest/globals';
import { checkFollow, checkView } from './check-follow.js';
import { checkWatch, type BrokenPromise } from './check-watch.js';
import { scheduleOf, KINDS } from './schedule.js';
import { StoreHistory, type Stored } from './store-history.js';
import type { Asked, Delivery, FollowLog, SeenEvent, WatchLog } from './watch-log.js';

type Mutable<T> = { -readonly [Field in keyof T]: T[Field] };

/** a=1@2, b=1@3, then c and d in revision 4, a=2@5, b deleted @6, a=3@7. */
function history(): StoreHistory {
  const truth = new StoreHistory();
  const put = (key: string, value: string, modRevision: number, createRevision: number, version: number): void =>
    truth.append([
      { type: 'put', kv: { ...bytes, key, value, modRevision, createRevision, version, lease: undefined } },
    ]);
  put('a', '1', 2, 2, 1);
  put('b', '1', 3, 3, 1);
  put('c', '1', 4, 4, 1);
  put('d', '1', 4, 4, 1);
  put('a', '2', 5, 2, 2);
  const gone = { key: 'b', value: '', modRevision: 6, createRevision: 0, version: 0, lease: undefined };
  truth.append([{ type: 'delete', kv: { ...bytes, ...gone } }]);
  put('a', '3', 7, 2, 3);
  return truth;
}

const bytes = { keyBytes: Buffer.of(), valueBytes: Buffer.of() };
const asked: Asked = { name: 'w', covers: () => true, prevKv: true };
const THROUGH = 7;

/** The log of a watch that did all right. */
function rightLog(truth = history(), isWhole = true): WatchLog {
  const revisions = [...new Set(truth.changes.map(({ revision }) => revision))];
  const deliveries = revisions.map((revision) => delivery(truth, revision));
  return { ...asked, firstRevision: 2, isWhole, deliveries, end: { name: 'open' } };
}

function delivery(truth: StoreHistory, revision: number): Delivery {
  const events = truth.changes
    .filter((change) => change.revision === revision)
    .map(({ type, kv, before }): SeenEvent => {
      return { type, revision, kv, isCreate: kv.createRevision === revision, prevKv: before };
    });
  return { type: 'events', at: 100, revision, events };
}

const progress = (revision: number): Delivery => ({ type: 'progress', at: 100, revision, events: [] });

/** What is found in the log once it was made wrong. */
function foundIn(spoil: (log: Mutable<WatchLog>) => void, truth = history()): BrokenPromise[] {
  const log = rightLog(truth);
  spoil(log);
  return [...new Set(checkWatch(log, truth, THROUGH).map(({ promise }) => promise))];
}

/** Changes one event of the log: that of the revision. */
function spoilEvent(log: WatchLog, revision: number, changes: Partial<SeenEvent>): void {
  const index = log.deliveries.findIndex((each) => each.revision === revision);
  const { events, ...rest } = log.deliveries[index]!;
  log.deliveries[index] = { ...rest, events: [{ ...events[0]!, ...changes }, ...events.slice(1)] };
}

function spoilKv(log: WatchLog, revision: number, changes: Partial<Stored>): void {
  const { kv } = log.deliveries.find((each) => each.revision === revision)!.events[0]!;
  spoilEvent(log, revision, { kv: { ...kv, ...changes } });
}

describe('The check of a watch', () => {
  it('finds nothing in a log that is right', () => {
    expect(foundIn(() => undefined)).toEqual([]);
    expect(foundIn((log) => log.deliveries.push(progress(7), progress(9)))).toEqual([]);
    expect(foundIn((log) => log.deliveries.splice(2, 0, progress(3)))).toEqual([]);
  });

  it('takes a watch that was left for as far as it came, and one event after the other where that was asked for', () => {
    const truth = history();
    const log = rightLog(truth, false);
    const pieces = log.deliveries.flatMap((whole) => whole.events.map((event) => ({ ...whole, events: [event] })));

    expect(checkWatch({ ...log, deliveries: pieces }, truth, THROUGH)).toEqual([]);
    expect(
      foundIn((left) => Object.assign(left, { deliveries: left.deliveries.slice(0, 3), end: { name: 'left' } })),
    ).toEqual([]);
  });

  it.each<[BrokenPromise, string, (log: Mutable<WatchLog>) => void]>([
    ['ordered', 'two revisions change places', (log) => log.deliveries.push(...log.deliveries.splice(3, 1))],
    ['unique', 'a revision comes again', (log) => log.deliveries.push(log.deliveries[5]!)],
    ['reliable', 'a revision is passed over', (log) => log.deliveries.splice(3, 1)],
    ['reliable', 'it stays behind', (log) => log.deliveries.pop()],
    ['reliable', 'progress is told of what never came', (log) => log.deliveries.splice(4, 2, progress(6))],
    ['resumable', 'the first revisions are missing', (log) => log.deliveries.splice(0, 2)],
    ['resumable', 'it begins before its start', (log) => (log.firstRevision = 3)],
    ['bookmarkable', 'an event comes after progress past it', (log) => log.deliveries.splice(5, 0, progress(7))],
    ['bookmarkable', 'progress goes back', (log) => log.deliveries.push(progress(9), progress(8))],
    ['bookmarkable', 'progress is behind an event', (log) => log.deliveries.push(progress(6))],
    ['filtered', 'a key comes that is outside of the range', (log) => (log.covers = (key) => key !== 'b')],
    ['filtered', 'a deletion comes where writes were asked for', (log) => (log.only = 'put')],
    ['real', 'an event comes that never was', (log) => spoilKv(log, 5, { key: 'x' })],
    ['real', 'a write comes as a deletion', (log) => spoilEvent(log, 5, { type: 'delete' })],
    ['key as stored', 'a value is wrong', (log) => spoilKv(log, 5, { value: '1' })],
    ['key as stored', 'a create revision is wrong', (log) => spoilKv(log, 5, { createRevision: 5 })],
    ['key as stored', 'a version is wrong', (log) => spoilKv(log, 5, { version: 1 })],
    ['key as stored', 'a lease is wrong', (log) => spoilKv(log, 5, { lease: '7' })],
    ['isCreate', 'a write is taken for a creation', (log) => spoilEvent(log, 5, { isCreate: true })],
    ['isCreate', 'a creation is taken for a write', (log) => spoilEvent(log, 2, { isCreate: false })],
    ['prevKv', 'what was before is left out', (log) => spoilEvent(log, 6, { prevKv: undefined })],
    [
      'prevKv',
      'what was before is somebody else',
      (log) => spoilEvent(log, 7, { prevKv: log.deliveries[0]!.events[0]!.kv }),
    ],
    ['prevKv', 'what was before comes unasked', (log) => (log.prevKv = false)],
    ['end', 'it ends with an error', (log) => (log.end = { name: 'failed', error: new Error('no') })],
    ['end', 'it tells of a compaction that never was', (log) => (log.end = { name: 'compacted', compactRevision: 99 })],
  ])('finds what is not %s: %s', (promise, _what, spoil) => {
    expect(foundIn(spoil)).toContain(promise);
  });

  it('finds a revision in two pieces, and one of which only a piece came', () => {
    const inTwo = (log: Mutable<WatchLog>): void => {
      const [first, second] = log.deliveries[2]!.events;
      const piece = (event: SeenEvent): Delivery => ({ ...log.deliveries[2]!, events: [event] });
      log.deliveries.splice(2, 1, piece(first!), piece(second!));
    };
    const half = (log: Mutable<WatchLog>): void => {
      const [first] = log.deliveries[2]!.events;
      log.deliveries[2] = { ...log.deliveries[2]!, events: [first!] };
    };

    expect(foundIn(inTwo)).toEqual(['atomic']);
    expect(foundIn(half)).toEqual(['atomic']);
  });

  it('lets a watch end over a compaction that took what it needed, and no other', () => {
    const truth = history();
    truth.compacted(5);
    const endedAfter = (count: number) => (log: Mutable<WatchLog>) => {
      log.deliveries.splice(count);
      log.end = { name: 'compacted', compactRevision: 5 };
    };

    expect(foundIn(endedAfter(2), truth)).toEqual([]);
    expect(foundIn(endedAfter(3), truth)).toEqual(['end']);
  });

  it('lets what was before be unknown once it is compacted, and not earlier', () => {
    const truth = history();
    truth.compacted(7);
    const unknown = (at: number) => (log: Mutable<WatchLog>) => {
      spoilEvent(log, 7, { prevKv: undefined });
      log.deliveries.push({ ...log.deliveries.pop()!, at });
    };

    expect(foundIn(unknown(performance.now() + 1), truth)).toEqual([]);
    expect(foundIn(unknown(0), truth)).toEqual(['prevKv']);
  });
});

describe('The check of a followed range', () => {
  const truth = history();
  truth.compacted(6);
  const start = reset('start', 3);

  function reset(reason: string, revision: number): FollowLog['batches'][number] & { type: 'reset' } {
    return { type: 'reset', reason, revision, kvs: [...truth.stateAt(revision, () => true).values()] };
  }

  function found(batches: FollowLog['batches'], error?: Error): BrokenPromise[] {
    return checkFollow({ asked, isWhole: true, batches, error }, truth, THROUGH).map(({ promise }) => promise);
  }

  const changes = (...revisions: number[]): Delivery[] => revisions.map((revision) => delivery(truth, revision));

  it('finds nothing in one that is right, read anew or not', () => {
    expect(found([start, ...changes(4, 5, 6, 7)])).toEqual([]);
    expect(found([start, ...changes(4), reset('compacted', 6), ...changes(7)])).toEqual([]);
  });

  it.each<[BrokenPromise, string, FollowLog['batches']]>([
    ['reliable', 'a change is passed over', [start, ...changes(4, 6, 7)]],
    ['resumable', 'the first change after the snapshot is passed over', [start, ...changes(5, 6, 7)]],
    ['snapshot', 'the snapshot lacks a key', [{ ...start, kvs: start.kvs.slice(1) }, ...changes(4, 5, 6, 7)]],
    [
      'snapshot',
      'the snapshot is of another revision',
      [{ ...reset('start', 5), revision: 3 }, ...changes(4, 5, 6, 7)],
    ],
    ['snapshot', 'it does not begin with one', changes(2, 3, 4, 5, 6, 7)],
    [
      'ordered',
      'it reads anew what is older',
      [start, ...changes(4), reset('compacted', 2), ...changes(3, 4, 5, 6, 7)],
    ],
    ['end', 'it reads anew without need', [start, ...changes(4, 5, 6), reset('compacted', 6), ...changes(7)]],
    ['end', 'it takes the store for another one', [start, ...changes(4), reset('history-lost', 6), ...changes(7)]],
  ])('finds what is not %s: %s', (promise, _what, batches) => {
    expect(found(batches)).toContain(promise);
  });

  it('finds that its loop threw', () => {
    expect(found([start, ...changes(4, 5, 6, 7)], new Error('no'))).toEqual(['end']);
  });
});

describe('The check of a view', () => {
  const truth = history();
  const sample = (revision: number, at = revision): { revision: number; kvs: Stored[] } => {
    return { revision, kvs: [...truth.stateAt(at, () => true).values()] };
  };

  it.each<[readonly BrokenPromise[], string, readonly { revision: number; kvs: Stored[] }[]]>([
    [[], 'nothing in one that is right', [sample(2), sample(4), sample(7)]],
    [['snapshot'], 'a key that is gone', [sample(6, 5), sample(7)]],
    [['snapshot'], 'half a transaction', [{ revision: 4, kvs: sample(4).kvs.slice(0, 3) }, sample(7)]],
    [['ordered'], 'that it goes back', [sample(6), sample(4), sample(7)]],
    [['reliable'], 'that it stays behind', [sample(6)]],
  ])('finds %j: %s', (promises, _what, samples) => {
    expect(checkView({ asked, samples: [...samples] }, truth, THROUGH).map(({ promise }) => promise)).toEqual(promises);
  });
});

describe('The schedule of a run', () => {
  it('is decided by its seed, and has every kind of fault', () => {
    const kinds = new Set(scheduleOf(1, 1).map(({ fault }) => fault.kind));

    expect([...kinds].sort()).toEqual([...KINDS].sort());
    expect(scheduleOf(7, 60)).toEqual(scheduleOf(7, 60));
    expect(scheduleOf(7, 60)).not.toEqual(scheduleOf(8, 60));
  });
});
