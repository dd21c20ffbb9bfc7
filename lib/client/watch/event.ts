/** One change to one key, as a watch hands it over. */
import { EtcdProtocolError } from '../errors.js';
import { KeyValue, withKey, type KeyValueData } from '../key-value.js';
import type * as wire from '../rpc/generated/messages.js';
import type { WatchKeys } from './watch-options.js';

/** What both kinds of events say. */
interface Change {
  /** The key after the change; of a deletion only `key` and `modRevision` are known. */
  readonly kv: KeyValue;
  /**
   * The key before the change. `undefined` unless the watch asked for it with `prevKv`, where there was none, and where
   * its history is compacted already.
   */
  readonly prevKv: KeyValue | undefined;
  /** The revision of the store that the change made. Changes of one transaction share it. */
  readonly revision: number;
}

/** A key was written. */
export interface PutEvent extends Change {
  readonly type: 'put';
  /** Whether the key came into being by this write, rather than being overwritten. */
  readonly isCreate: boolean;
}

/** A key went away: deleted, or its lease ended. */
export interface DeleteEvent extends Change {
  readonly type: 'delete';
}

/** One change to one key. */
export type WatchEvent = PutEvent | DeleteEvent;

/**
 * An event that makes sense and waits for its reader. What the reader gets is made of it when it is read: a hundred
 * thousand may come at once, and what lives shortly is cheap.
 */
export interface ReceivedEvent {
  readonly type: 'PUT' | 'DELETE';
  readonly kv: KeyValueData;
  readonly prevKv: KeyValueData | null;
}

/**
 * The event with its keys as the reader calls them.
 *
 * @throws {EtcdProtocolError} for an event without a key, and for a kind of event that this client does not know.
 */
export function toReceivedEvent(event: wire.Event, keys: WatchKeys | undefined): ReceivedEvent {
  if (!isComplete(event)) throw new EtcdProtocolError('an event has no key');
  if (!isKnown(event)) throw new EtcdProtocolError(`an event is of the unknown kind ${event.type}`);
  if (keys === undefined) return event;
  const own = (stored: wire.KeyValue): KeyValueData => withKey(stored, keys.fromStore(stored.key));
  return { type: event.type, kv: own(event.kv), prevKv: event.prevKv && own(event.prevKv) };
}

type CompleteEvent = wire.Event & { readonly kv: wire.KeyValue };

function isComplete(event: wire.Event): event is CompleteEvent {
  return event.kv !== null;
}

function isKnown(event: CompleteEvent): event is CompleteEvent & Pick<ReceivedEvent, 'type'> {
  return event.type === 'PUT' || event.type === 'DELETE';
}

/** The revision of the store that the change made. */
export function revisionOf({ kv }: ReceivedEvent): number {
  return kv.modRevision;
}

/** The event as the reader sees it. Keys and values are decoded when they are first read. */
export function toWatchEvent(event: ReceivedEvent): WatchEvent {
  const kv = new KeyValue(event.kv);
  const prevKv = event.prevKv === null ? undefined : new KeyValue(event.prevKv);
  const revision = kv.modRevision;
  if (event.type === 'DELETE') return { type: 'delete', revision, kv, prevKv };
  return { type: 'put', revision, kv, prevKv, isCreate: kv.createRevision === revision };
}

/** What an event costs beside its bytes, roughly. */
const EVENT_BYTES = 256;

/** About how many bytes an event keeps in memory. */
export function sizeOf({ kv, prevKv }: ReceivedEvent): number {
  return EVENT_BYTES + sizeOfKeyValue(kv) + (prevKv === null ? 0 : sizeOfKeyValue(prevKv));
}

function sizeOfKeyValue({ key, value }: KeyValueData): number {
  return key.length + value.length;
}
