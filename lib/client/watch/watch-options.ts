/** What a watch may ask for: options, defaults, checks, and how they go over the wire. */
import { EtcdInvalidArgumentError } from '../errors.js';
import { copyBytes, KeyRange, toKeyRange, type KeyRangeLike } from '../key-range.js';
import type * as wire from '../rpc/generated/messages.js';

/** How much of what was received may wait for the reader of one watch. */
export interface BufferOptions {
  /**
   * The most revisions that wait for the reader. Past it the watch is paused on the server, and goes on from its own
   * position once the reader has caught up: nothing is lost, and no other watch waits.
   *
   * @default 1_000
   * @remarks an integer from 1 to 9_007_199_254_740_991.
   */
  readonly maxBufferedRevisions?: number | undefined;
  /**
   * About the most bytes that wait for the reader; past it the same happens. One revision is taken whatever its size.
   *
   * @default 16_777_216
   * @remarks an integer from 1 to 9_007_199_254_740_991.
   */
  readonly maxBufferedBytes?: number | undefined;
}

/** How the streams to the server are used. */
export interface StreamOptions {
  /**
   * Leaves a member that knows no leader for another one, rather than waiting silently on the wrong side of a split.
   *
   * @default true
   * @remarks Go: `WithRequireLeader`, which ends the watch instead.
   */
  readonly requireLeader?: boolean | undefined;
  /**
   * Has a stream to itself, so that floods of other watches cannot delay it. Otherwise all watches of a client share one.
   *
   * @default false
   */
  readonly ownStream?: boolean | undefined;
}

/** Options of {@link EtcdWatch.watch}. */
export interface WatchOptions extends BufferOptions, StreamOptions {
  /**
   * The first revision to report, itself included. It may lie in the past, as far as history is kept, or in the future.
   *
   * @default 0: what happens after the revision that `created` resolves with
   * @remarks an integer from 0 to 9_007_199_254_740_991. Go: `WithRev`.
   */
  readonly startRevision?: number | undefined;
  /**
   * Goes on after this revision, which was seen before, for example by an earlier run of the program: the same as the
   * `startRevision` after it, but if the store turns out never to have come so far, as after a restore from an older
   * backup, the watch ends with `EtcdHistoryLostError` instead of waiting for it.
   *
   * @default none
   * @remarks an integer from 1 to 9_007_199_254_740_990; not together with `startRevision`.
   */
  readonly afterRevision?: number | undefined;
  /**
   * Has each event tell the key as it was before.
   *
   * @default false
   * @remarks costs the server a read for each event. Go: `WithPrevKV`.
   */
  readonly prevKv?: boolean | undefined;
  /**
   * Reports only writes, or only deletions; the server leaves out the rest.
   *
   * @default both
   * @remarks Go: `WithFilterDelete` for `'put'`, `WithFilterPut` for `'delete'`.
   */
  readonly only?: 'put' | 'delete' | undefined;
  /**
   * Has the server tell now and then (every 10 minutes unless it is set up otherwise) that nothing happened, and hands
   * these notices over in `responses()`.
   *
   * @default false
   * @remarks Go: `WithProgressNotify`.
   */
  readonly progressNotify?: boolean | undefined;
  /**
   * Has the server send answers of more than its own limit for requests (2 MiB, unless it is set up otherwise) in fragments.
   * Cutting them costs etcd time that grows with the square of the events in a piece, seconds of a core where they are
   * small, so that by default a watch asks for fragments only from the first answer on that was larger than the client's
   * `maxResponseBytes`. With `false` such an answer ends the watch.
   *
   * @default only when they are needed
   * @remarks Go: `WithFragment`, off there.
   */
  readonly fragment?: boolean | undefined;
  /** Ends the watch: its loop throws `EtcdAbortedError`. */
  readonly signal?: AbortSignal | undefined;
}

/** How keys are called by those who watch, where that is not what the store calls them. */
export interface WatchKeys {
  rangeToStore(range: KeyRange): KeyRange;
  /** @throws {EtcdProtocolError} for a key that nobody here can have asked for. */
  fromStore(key: Uint8Array): Uint8Array;
}

/** One watch, resolved. */
export interface WatchSpec {
  /** As the store calls the keys. */
  readonly range: KeyRange;
  /** `undefined` where keys are called as in the store. */
  readonly keys: WatchKeys | undefined;
  readonly startRevision: number;
  /** A revision that the store is known to have reached; 0 for none. */
  readonly seenRevision: number;
  readonly only: 'put' | 'delete' | undefined;
  readonly prevKv: boolean;
  readonly progressNotify: boolean;
  /** `undefined` for when it is needed. */
  readonly fragment: boolean | undefined;
  readonly maxBufferedRevisions: number;
  readonly maxBufferedBytes: number;
}

const DEFAULT_MAX_REVISIONS = 1_000;
const DEFAULT_MAX_BYTES = 16 * 1024 * 1024;

/**
 * Fills in defaults and refuses what cannot work.
 *
 * @throws {EtcdInvalidArgumentError} naming the argument and its rule.
 */
export function resolveWatch(range: KeyRangeLike, options: WatchOptions, keys?: WatchKeys): WatchSpec {
  const own = ownRange(range);
  return {
    range: keys?.rangeToStore(own) ?? own,
    keys,
    ...resolveStart(options),
    only: resolveOnly(options.only),
    prevKv: options.prevKv ?? false,
    progressNotify: options.progressNotify ?? false,
    fragment: options.fragment,
    maxBufferedRevisions: wholeNumber('maxBufferedRevisions', options.maxBufferedRevisions ?? DEFAULT_MAX_REVISIONS, 1),
    maxBufferedBytes: wholeNumber('maxBufferedBytes', options.maxBufferedBytes ?? DEFAULT_MAX_BYTES, 1),
  };
}

/** What of a request is not the same each time. */
export type WatchPlace = Required<Pick<wire.WatchCreateRequest, 'startRevision' | 'watchId' | 'fragment'>>;

/** The request that creates the watch on a stream, or creates it anew from where it stands. */
export function toCreateRequest(spec: WatchSpec, place: WatchPlace): wire.WatchRequest {
  const { range, only, prevKv, progressNotify } = spec;
  const { key, rangeEnd } = range;
  const { startRevision, watchId, fragment } = place;
  const filters = only === undefined ? undefined : FILTERS[only];
  return {
    createRequest: { key, rangeEnd, startRevision, watchId, filters, prevKv, progressNotify, fragment },
  };
}

/** The server is told what to leave out. */
const FILTERS: Readonly<Record<'put' | 'delete', readonly wire.FilterType[]>> = {
  put: ['NODELETE'],
  delete: ['NOPUT'],
};

function resolveStart({
  startRevision,
  afterRevision,
}: WatchOptions): Pick<WatchSpec, 'startRevision' | 'seenRevision'> {
  if (afterRevision === undefined) {
    return { startRevision: wholeNumber('startRevision', startRevision ?? 0, 0), seenRevision: 0 };
  }
  if (startRevision !== undefined) {
    throw new EtcdInvalidArgumentError('afterRevision', 'cannot be combined with startRevision');
  }
  const next = wholeNumber('afterRevision', afterRevision, 1) + 1;
  return { startRevision: wholeNumber('afterRevision', next, 2), seenRevision: afterRevision };
}

function resolveOnly(only: unknown): WatchSpec['only'] {
  if (only === undefined || only === 'put' || only === 'delete') return only;
  throw new EtcdInvalidArgumentError('only', "must be 'put' or 'delete'", only ?? String(only));
}

/**
 * A whole number.
 *
 * @throws {EtcdInvalidArgumentError} when it is not one from `min` to `Number.MAX_SAFE_INTEGER`.
 */
export function wholeNumber(argument: string, value: unknown, min: number): number {
  if (Number.isSafeInteger(value) && (value as number) >= min) return value as number;
  const rule = `must be a whole number from ${min} to ${Number.MAX_SAFE_INTEGER}`;
  throw new EtcdInvalidArgumentError(argument, rule, value ?? String(value));
}

/**
 * The range, safe to keep: a caller's own array may change while the watch lives.
 *
 * @throws {EtcdInvalidArgumentError} when it is an empty key, or neither key nor range.
 */
export function ownRange(input: KeyRangeLike): KeyRange {
  const range = toKeyRange(input, 'range');
  return range === input ? range : new KeyRange(copyBytes(range.key), range.rangeEnd);
}
