/** One change to one key, as a watch hands it over. */
import { EtcdProtocolError } from '../errors.js';
import { KeyValue, withKey } from '../key-value.js';
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
 * The event as the reader sees it. Keys and values are decoded when they are first read.
 *
 * @throws {EtcdProtocolError} for an event without a key, and for a kind of event that this client does not know.
 */
export function toWatchEvent(event: wire.Event, keys?: WatchKeys): WatchEvent {
  if (event.kv === null) throw new EtcdProtocolError('an event has no key');
  const kv = toKeyValue(event.kv, keys);
  const prevKv = event.prevKv === null ? undefined : toKeyValue(event.prevKv, keys);
  const revision = kv.modRevision;
  if (event.type === 'PUT') return { type: 'put', revision, kv, prevKv, isCreate: kv.createRevision === revision };
  if (event.type === 'DELETE') return { type: 'delete', revision, kv, prevKv };
  throw new EtcdProtocolError(`an event is of the unknown kind ${event.type}`);
}

function toKeyValue(stored: wire.KeyValue, keys: WatchKeys | undefined): KeyValue {
  return new KeyValue(keys === undefined ? stored : withKey(stored, keys.fromStore(stored.key)));
}

/** What an event costs beside its bytes, roughly. */
const EVENT_BYTES = 256;

/** About how many bytes an event keeps in memory. */
export function sizeOf({ kv, prevKv }: WatchEvent): number {
  return EVENT_BYTES + sizeOfKeyValue(kv) + (prevKv === undefined ? 0 : sizeOfKeyValue(prevKv));
}

function sizeOfKeyValue({ keyBytes, valueBytes }: KeyValue): number {
  return keyBytes.byteLength + valueBytes.byteLength;
}
