/** What a reader wrote down of one watch, of one followed range, of one view: the evidence that the checks look at. */
import type { KeyValue } from '../../lib/client/key-value.js';
import type { WatchEvent } from '../../lib/client/watch/event.js';
import { toStored, type Stored } from './store-history.js';

/** An event as the reader got it. */
export interface SeenEvent {
  readonly type: 'put' | 'delete';
  readonly revision: number;
  readonly kv: Stored;
  readonly isCreate: boolean;
  readonly prevKv: Stored | undefined;
}

/** What the reader got at once. */
export interface Delivery {
  readonly type: 'events' | 'progress';
  /** When, by `performance.now()`. */
  readonly at: number;
  readonly revision: number;
  readonly events: readonly SeenEvent[];
}

/** What a watch was asked for. */
export interface Asked {
  readonly name: string;
  readonly covers: (key: string) => boolean;
  readonly only?: 'put' | 'delete' | undefined;
  readonly prevKv: boolean;
}

/** How a watch came to its end. */
export type LogEnd =
  /** It was in place until its reader stopped, by when it had to have reported everything. */
  | { readonly name: 'open' }
  /** Its reader left it. */
  | { readonly name: 'left' }
  /** It said that events it had to report were compacted. */
  | { readonly name: 'compacted'; readonly compactRevision: number }
  | { readonly name: 'failed'; readonly error: Error };

/** One watch, from its beginning to its end. */
export interface WatchLog extends Asked {
  /** The first revision that it had to report. */
  readonly firstRevision: number;
  /** Whether each delivery held whole revisions, rather than one event. */
  readonly isWhole: boolean;
  readonly deliveries: Delivery[];
  end: LogEnd;
}

/** The whole range, as a followed range says it was. */
export interface SeenReset {
  readonly type: 'reset';
  readonly reason: string;
  readonly revision: number;
  readonly kvs: readonly Stored[];
}

/** One followed range, from its beginning to its end. */
export interface FollowLog {
  readonly asked: Asked;
  /** Whether each delivery held whole revisions, rather than one event. */
  readonly isWhole: boolean;
  readonly batches: (SeenReset | Delivery)[];
  /** What its loop threw, if anything. */
  error: Error | undefined;
}

/** What a view held at a time. */
export interface ViewSample {
  readonly revision: number;
  readonly kvs: readonly Stored[];
}

/** One view, looked at now and then. */
export interface ViewLog {
  readonly asked: Asked;
  readonly samples: ViewSample[];
}

/** What is compared of an event. */
export function seen(event: WatchEvent): SeenEvent {
  const { type, revision, kv, prevKv } = event;
  const isCreate = event.type === 'put' && event.isCreate;
  return { type, revision, kv: stored(kv), isCreate, prevKv: prevKv === undefined ? undefined : stored(prevKv) };
}

/** What is compared of a key. */
export function stored({ key, value, createRevision, modRevision, version, lease }: KeyValue): Stored {
  return toStored({ key, value, createRevision, modRevision, version, lease });
}
