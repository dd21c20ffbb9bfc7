/** Which reads may travel together, which are the same, and what an answer weighs: pure functions of requests and answers. */
import { MAX_DELAY_MS } from '../clock.js';
import { nameOfBytes } from '../key-name.js';
import type * as wire from '../rpc/generated/messages.js';
import type { RpcCallOptions } from '../rpc/rpc.js';

/** The largest limit of a range that travels with others: beyond it the answer would hold up theirs. */
const MAX_LIMIT = 32;
/** Bytes of the longest key, range end included: many of them still make a small request, and can be remembered. */
const MAX_KEY_BYTES = 1_024;
/** Bytes that a key costs in an answer beside itself and its value. */
const KEY_VALUE_OVERHEAD = 32;

/** What keeps two reads apart, as numbers of which each sum is another kind. */
const SERIALIZABLE = 1;
const RANGE = 2;
const PAST = 4;
const LEADER = 8;

/**
 * Reads of one kind may share a transaction; `undefined` is a read that shares with nobody.
 *
 * Apart are: linearizable and serializable ones, since a transaction is serializable only if all of it is; ranges from
 * single keys, since etcd walks the whole of a range whatever its limit; reads of the past, since one compacted revision
 * fails all; those that require a leader.
 */
export function kindOf(request: wire.RangeRequest, options: RpcCallOptions): number | undefined {
  if (!mayShare(options) || !isSmall(request)) return undefined;
  return (
    (request.serializable === true ? SERIALIZABLE : 0) +
    (isSingleKey(request) ? 0 : RANGE) +
    (isOfThePast(request) ? PAST : 0) +
    (options.requireLeader === true ? LEADER : 0)
  );
}

/** Whether two requests ask for the same is whether these texts are equal. */
export function identityOf(request: wire.RangeRequest): string {
  if (isPlainGet(request)) return `=${nameOf(request.key)}`;
  const { limit, revision, sortOrder, sortTarget, serializable, keysOnly, countOnly } = request;
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
  const bounds = [minModRevision, maxModRevision, minCreateRevision, maxCreateRevision];
  const query = [limit, revision, sortOrder, sortTarget, serializable, keysOnly, countOnly, ...bounds];
  return `${placeOf(request)}\n${query.join()}`;
}

/** Where a request reads, as text, whatever else it asks. */
export function placeOf({ key, rangeEnd }: wire.RangeRequest): string {
  return `${key?.length ?? 0}\n${nameOf(key)}${nameOf(rangeEnd)}`;
}

/** Bytes that a request makes a transaction longer by, roughly. */
export function requestBytes({ key, rangeEnd }: wire.RangeRequest): number {
  return (key?.length ?? 0) + (rangeEnd?.length ?? 0) + 64;
}

/** Bytes of an answer, roughly. By `length`: `byteLength` is a call in Node.js 20, which shows with many keys. */
export function answerBytes({ kvs }: wire.RangeResponse): number {
  let bytes = 0;
  for (const { key, value } of kvs) bytes += key.length + value.length + KEY_VALUE_OVERHEAD;
  return bytes;
}

/** A call for one endpoint, one that has ended before it began, and one that will be refused go their own way. */
/** What is wrong with its options fails a read by itself, in the call that it makes alone. */
function mayShare({ endpoint, signal, timeoutMs = 1 }: RpcCallOptions): boolean {
  if (endpoint !== undefined || (signal !== undefined && !isLive(signal))) return false;
  return Number.isInteger(timeoutMs) && timeoutMs >= 1 && timeoutMs <= MAX_DELAY_MS;
}

function isLive(signal: unknown): boolean {
  return signal instanceof AbortSignal && !signal.aborted;
}

function isSmall(request: wire.RangeRequest): boolean {
  const { key, rangeEnd, limit = 0, countOnly } = request;
  if ((key?.length ?? 0) + (rangeEnd?.length ?? 0) > MAX_KEY_BYTES) return false;
  return isSingleKey(request) || countOnly === true || (limit > 0 && limit <= MAX_LIMIT);
}

function isSingleKey({ rangeEnd }: wire.RangeRequest): boolean {
  return rangeEnd === undefined || rangeEnd.length === 0;
}

function isOfThePast({ revision = 0 }: wire.RangeRequest): boolean {
  return revision > 0;
}

/** A get without options, by far the most frequent. */
function isPlainGet(request: wire.RangeRequest): boolean {
  const { limit, sortOrder, sortTarget, keysOnly, countOnly } = request;
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
  if (!isSingleKey(request) || isOfThePast(request)) return false;
  if (limit || sortOrder || sortTarget || keysOnly || countOnly) return false;
  return !(minModRevision || maxModRevision || minCreateRevision || maxCreateRevision);
}

function nameOf(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? '' : nameOfBytes(bytes);
}
