/**
 * Who waits for whom: the rules of the queues that locks and elections are.
 *
 * A place in a queue is a key, attached to the lease of a session; the order of the queue is that of the keys' create
 * revisions. The names of keys, and who waits for whom, are those of Go's `concurrency` and `experimental/recipes`
 * packages, so that programs in both languages queue up together.
 */
import { randomBytes } from 'node:crypto';
import { prefix } from '../key-range.js';
import type { KeyValue } from '../key-value.js';
import { get, type GetOperation } from '../kv/operations.js';

/** Keys that stand before a place, and how many of them have to go until it is worth looking again. */
export interface Obstacle {
  readonly keys: readonly KeyValue[];
  readonly deletions: number;
}

/** One kind of queue under one name. */
export interface QueueRule {
  /** What every key of the queue begins with. */
  readonly prefix: string;
  /** Whether all places of a session have the same key, so that it can have only one of them at a time. */
  readonly isOnePerSession: boolean;
  /** The key of a new place. */
  keyFor(leaseId: string): string;
  /** The read that goes along when a key is put, so that a free lock costs one round trip. */
  readonly front: GetOperation;
  /** Whether, by that read, the place that was created at this revision has nobody to wait for. */
  isFirst(front: readonly KeyValue[], createRevision: number): boolean;
  /** The read that shows who stands before a place. */
  ahead(createRevision: number): GetOperation;
  /** What to wait for; `undefined` when there is nothing. */
  obstacle(ahead: readonly KeyValue[]): Obstacle | undefined;
}

/** The oldest key of a range. */
function oldest(start: string, limit = 1): GetOperation {
  return get(prefix(start), { limit, sort: { by: 'create', order: 'ascend' }, keysOnly: true });
}

/** The newest key of a range that is older than a place: its predecessor. Each waits for one key, so each release wakes one. */
function predecessor(start: string, createRevision: number): GetOperation {
  return get(prefix(start), {
    limit: 1,
    sort: { by: 'create', order: 'descend' },
    maxCreateRevision: createRevision - 1,
    keysOnly: true,
  });
}

function untilGone(keys: readonly KeyValue[]): Obstacle | undefined {
  return keys.length === 0 ? undefined : { keys, deletions: keys.length };
}

function isOldest([first]: readonly KeyValue[], createRevision: number): boolean {
  return first?.createRevision === createRevision;
}

/** A part of a key that no other place has, also none of the same session. */
function unique(leaseId: string): string {
  return `${leaseId}-${randomBytes(6).toString('hex')}`;
}

/**
 * One at a time: `<name>/<lease ID>`.
 *
 * @see etcd `concurrency.Mutex`, `concurrency.Election`
 */
export function exclusive(name: string): QueueRule {
  const start = `${name}/`;
  return {
    prefix: start,
    isOnePerSession: true,
    keyFor: (leaseId) => start + leaseId,
    front: oldest(start),
    isFirst: isOldest,
    ahead: (createRevision) => predecessor(start, createRevision),
    obstacle: untilGone,
  };
}

/**
 * Writes, one at a time and beside no read: `<name>/write/…`, waits for everybody before.
 *
 * @see etcd `recipe.RWMutex`
 */
export function writing(name: string): QueueRule {
  return { ...exclusive(name), isOnePerSession: false, keyFor: (leaseId) => `${name}/write/${unique(leaseId)}` };
}

/**
 * Reads, any number at a time: `<name>/read/…`, waits for the writes before.
 *
 * @see etcd `recipe.RWMutex`
 */
export function reading(name: string): QueueRule {
  const writes = `${name}/write/`;
  return {
    prefix: `${name}/`,
    isOnePerSession: false,
    keyFor: (leaseId) => `${name}/read/${unique(leaseId)}`,
    front: oldest(writes),
    isFirst: (front) => front.length === 0,
    ahead: (createRevision) => predecessor(writes, createRevision),
    obstacle: untilGone,
  };
}

/**
 * Participants of a double barrier: `<key>/waiters/…`. They only stand there; the barrier has rules of its own.
 *
 * @see etcd `recipe.DoubleBarrier`
 */
export function participating(key: string): QueueRule {
  const start = `${key}/waiters/`;
  return { ...exclusive(`${key}/waiters`), isOnePerSession: false, keyFor: (leaseId) => start + unique(leaseId) };
}

/** A number at a time: `<name>/<lease ID>-…`, waits until fewer than that stand before. Go has none of this kind. */
export function limited(name: string, permits: number): QueueRule {
  const start = `${name}/`;
  return {
    prefix: start,
    isOnePerSession: false,
    keyFor: (leaseId) => start + unique(leaseId),
    front: oldest(start, permits),
    isFirst: (front, createRevision) => front.some((kv) => kv.createRevision === createRevision),
    ahead: (createRevision) => get(prefix(start), { maxCreateRevision: createRevision - 1, keysOnly: true }),
    obstacle: (ahead) => (ahead.length < permits ? undefined : { keys: ahead, deletions: ahead.length - permits + 1 }),
  };
}
