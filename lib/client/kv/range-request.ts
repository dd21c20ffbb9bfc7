/** What a read may ask for, and how that goes over the wire. */
import { EtcdInvalidArgumentError } from '../errors.js';
import type { KeyRange } from '../key-range.js';
import type * as wire from '../rpc/generated/messages.js';
import type { CallOptions } from '../rpc/rpc.js';
import { optionalWholeNumber, refuseTogether } from './arguments.js';

/** What keys can be sorted by: `create` and `mod` are the revisions of creation and of the last change. */
export type SortBy = 'key' | 'version' | 'create' | 'mod' | 'value';

/** Lowest first or highest first. */
export type SortOrder = 'ascend' | 'descend';

/** An order of keys other than the natural one. */
export interface Sort {
  readonly by: SortBy;
  readonly order: SortOrder;
}

/** At which revision, and how strictly, to read. */
export interface ReadOptions {
  /**
   * Reads the store as it was at this revision.
   *
   * @default 0: the newest
   * @remarks a whole number from 0 to 9_007_199_254_740_991. Go: `WithRev`.
   */
  readonly revision?: number | undefined;
  /**
   * Lets the member that is asked answer from what it has: quicker, and possible without a leader, but perhaps behind.
   *
   * @default false: linearizable, which sees every write that was acknowledged before
   * @remarks Go: `WithSerializable`.
   */
  readonly serializable?: boolean | undefined;
}

/** Bounds on the revisions of the keys that are returned; 0 or left out for none. Each bound is itself included. */
export interface RevisionBounds {
  /** Leaves out keys last changed before this revision. Go: `WithMinModRev`. */
  readonly minModRevision?: number | undefined;
  /** Leaves out keys last changed after this revision. Go: `WithMaxModRev`. */
  readonly maxModRevision?: number | undefined;
  /** Leaves out keys created before this revision. Go: `WithMinCreateRev`. */
  readonly minCreateRevision?: number | undefined;
  /** Leaves out keys created after this revision. Go: `WithMaxCreateRev`. */
  readonly maxCreateRevision?: number | undefined;
}

/** A read that returns keys. */
interface KeysQuery extends ReadOptions, RevisionBounds {
  /**
   * The most keys to return; `more` tells whether there were others.
   *
   * The server stops reading at the limit only in the natural order and without revision bounds; else it reads the
   * whole range first.
   *
   * @default 0: no limit, up to the client's `maxResponseBytes`
   * @remarks Go: `WithLimit`.
   */
  readonly limit?: number | undefined;
  /**
   * The order of the keys.
   *
   * @default by key, ascending
   * @remarks Go: `WithSort`.
   */
  readonly sort?: Sort | undefined;
  /**
   * Leaves the values out.
   *
   * @default false
   * @remarks Go: `WithKeysOnly`.
   */
  readonly keysOnly?: boolean | undefined;
  readonly countOnly?: false | undefined;
}

/** A read that only counts. Limit, order and revision bounds do not go with it: the server would not apply them. */
interface CountQuery extends ReadOptions {
  /** Returns `count` and no keys. Go: `WithCountOnly`. */
  readonly countOnly: true;
  readonly limit?: undefined;
  readonly sort?: undefined;
  readonly keysOnly?: undefined;
  readonly minModRevision?: undefined;
  readonly maxModRevision?: undefined;
  readonly minCreateRevision?: undefined;
  readonly maxCreateRevision?: undefined;
}

/** What to read of a range. */
export type RangeQuery = KeysQuery | CountQuery;

/** Options of {@link EtcdKv.range}. */
export type RangeOptions = RangeQuery & CallOptions;

/** Options of {@link EtcdKv.get}. */
export interface GetOptions extends ReadOptions, CallOptions {
  /**
   * Leaves the value out.
   *
   * @default false
   */
  readonly keysOnly?: boolean | undefined;
}

/** Options of {@link EtcdKv.count}. */
export interface CountOptions extends ReadOptions, CallOptions {}

const TARGETS: ReadonlyMap<unknown, wire.SortTarget> = new Map([
  ['key', 'KEY'],
  ['version', 'VERSION'],
  ['create', 'CREATE'],
  ['mod', 'MOD'],
  ['value', 'VALUE'],
] as const);

const ORDERS: ReadonlyMap<unknown, wire.SortOrder> = new Map([
  ['ascend', 'ASCEND'],
  ['descend', 'DESCEND'],
] as const);

/**
 * The request for a read.
 *
 * @throws {EtcdInvalidArgumentError} when a number is not one, or options contradict each other.
 */
export function toRangeRequest({ key, rangeEnd }: KeyRange, query: RangeQuery): wire.RangeRequest {
  if (query.countOnly === true) refuseBesideCount(query as unknown as KeysQuery);
  const target = query.sort === undefined ? undefined : lookUp('sort.by', TARGETS, query.sort.by);
  const order = query.sort === undefined ? undefined : lookUp('sort.order', ORDERS, query.sort.order);
  // The natural order is asked for as no order at all, as clientv3 does: older releases read the whole range when any
  // order is asked for, where otherwise they stop at the limit.
  const isNatural = target === 'KEY' && order === 'ASCEND';
  return {
    key,
    rangeEnd,
    limit: optionalWholeNumber('limit', query.limit),
    revision: optionalWholeNumber('revision', query.revision),
    sortTarget: isNatural ? undefined : target,
    sortOrder: isNatural ? undefined : order,
    serializable: query.serializable,
    keysOnly: query.keysOnly,
    countOnly: query.countOnly,
    minModRevision: optionalWholeNumber('minModRevision', query.minModRevision),
    maxModRevision: optionalWholeNumber('maxModRevision', query.maxModRevision),
    minCreateRevision: optionalWholeNumber('minCreateRevision', query.minCreateRevision),
    maxCreateRevision: optionalWholeNumber('maxCreateRevision', query.maxCreateRevision),
  };
}

/** Types say the same; this is for callers without them. */
function refuseBesideCount(query: KeysQuery): void {
  refuseTogether('limit', (query.limit ?? 0) !== 0, 'countOnly: the count is that of the whole range');
  refuseTogether('sort', query.sort !== undefined, 'countOnly: there is nothing to sort');
  refuseTogether('keysOnly', query.keysOnly === true, 'countOnly: there are no keys');
  for (const bound of ['minModRevision', 'maxModRevision', 'minCreateRevision', 'maxCreateRevision'] as const) {
    refuseTogether(bound, (query[bound] ?? 0) !== 0, 'countOnly: etcd counts without looking at revisions');
  }
}

function lookUp<T>(argument: string, known: ReadonlyMap<unknown, T>, value: unknown): T {
  const found = known.get(value);
  if (found !== undefined) return found;
  const names = [...known.keys()].map((name) => `'${String(name)}'`).join(', ');
  throw new EtcdInvalidArgumentError(argument, `must be one of ${names}`, value ?? String(value));
}
