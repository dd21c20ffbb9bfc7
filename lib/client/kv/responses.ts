/** What the KV calls answer, and how it is read off the wire. */
import { EtcdProtocolError } from '../errors.js';
import { KeyValue } from '../key-value.js';
import type * as wire from '../rpc/generated/messages.js';

/** Who answered, and how far the store was by then. */
export type ResponseHeader = wire.ResponseHeader;

/** The keys of a range. */
export interface RangeResponse {
  /** Its `revision` is the newest one of the store when it answered, also for a read in the past. */
  readonly header: ResponseHeader;
  /** By key unless sorted otherwise; empty, not an error, when nothing matches. */
  readonly kvs: readonly KeyValue[];
  /** How many keys the range holds, whatever limit and revision bounds left of them. */
  readonly count: number;
  /** Whether the limit cut keys off. */
  readonly more: boolean;
}

/** The outcome of a put. */
export interface PutResponse {
  /** Its `revision` is the one this put made: the key's new `modRevision`. */
  readonly header: ResponseHeader;
  /** The key as it was before; `undefined` unless asked for with `prevKv`, and where there was none. */
  readonly prevKv: KeyValue | undefined;
}

/** The outcome of a delete. */
export interface DeleteResponse {
  /** Its `revision` is the one this delete made, or the newest one when there was nothing to delete. */
  readonly header: ResponseHeader;
  /** How many keys were deleted. */
  readonly deleted: number;
  /** The keys as they were before; empty unless asked for with `prevKv`. */
  readonly prevKvs: readonly KeyValue[];
}

/** The outcome of a compaction. */
export interface CompactResponse {
  readonly header: ResponseHeader;
}

/**
 * The header of an answer.
 *
 * @throws {EtcdProtocolError} when there is none.
 */
export function headerOf({ header }: { readonly header: wire.ResponseHeader | null }): ResponseHeader {
  if (header === null) throw new EtcdProtocolError('the answer has no header');
  return header;
}

export function toRangeResponse(answer: wire.RangeResponse): RangeResponse {
  return { header: headerOf(answer), kvs: toKeyValues(answer.kvs), count: answer.count, more: answer.more };
}

export function toPutResponse(answer: wire.PutResponse): PutResponse {
  return { header: headerOf(answer), prevKv: toKeyValue(answer.prevKv) };
}

export function toDeleteResponse(answer: wire.DeleteRangeResponse): DeleteResponse {
  return { header: headerOf(answer), deleted: answer.deleted, prevKvs: toKeyValues(answer.prevKvs) };
}

export function toKeyValues(kvs: readonly wire.KeyValue[]): readonly KeyValue[] {
  return kvs.map((kv) => new KeyValue(kv));
}

export function toKeyValue(kv: wire.KeyValue | null | undefined): KeyValue | undefined {
  return kv === null || kv === undefined ? undefined : new KeyValue(kv);
}
