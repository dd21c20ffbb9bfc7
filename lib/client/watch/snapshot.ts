/** Reads a range as it is now, as a whole, at one revision: in pages, so that no answer is too large. */
import { pause, type Clock, type Random } from '../clock.js';
import { EtcdError, EtcdMessageTooLargeError } from '../errors.js';
import { keyAfter, type KeyRange } from '../key-range.js';
import { KeyValue } from '../key-value.js';
import { backoffMs, type BackoffLimits } from '../rpc/backoff.js';
import type * as wire from '../rpc/generated/messages.js';
import { RANGE } from '../rpc/methods.js';
import { headerOf } from '../rpc/response-header.js';
import type { Rpc } from '../rpc/rpc.js';
import { EtcdCompactedError } from '../server-errors.js';
import { isFinal } from './cancel-reason.js';

/** A range as it was at one revision. */
export interface Snapshot {
  readonly clusterId: string;
  readonly revision: number;
  /** By key. */
  readonly kvs: readonly KeyValue[];
}

/** What reading works with. */
export interface SnapshotParts {
  readonly rpc: Rpc;
  readonly clock: Clock;
  readonly random: Random;
}

/** The first page tells what the keys weigh. */
const FIRST_PAGE_KEYS = 100;
const MAX_PAGE_KEYS = 10_000;
/** What a page should weigh. */
const PAGE_BYTES = 4 * 1024 * 1024;
const PAUSES: BackoffLimits = { firstMs: 50, maxMs: 1_000 };

/**
 * Reads the range, and tries again as long as there is hope.
 *
 * @throws {EtcdError} what no repetition changes, such as a missing permission or the end of `signal`.
 */
export async function readSnapshot(parts: SnapshotParts, range: KeyRange, signal: AbortSignal): Promise<Snapshot> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await readOnce(parts.rpc, range, signal);
    } catch (error) {
      if (!isWorthAnotherTry(error)) throw error;
    }
    await pause(parts.clock, backoffMs(attempt, PAUSES, parts.random), signal);
  }
}

/**
 * Whether a read that may be done anew is to be done anew after this. Its revision may be compacted between two pages: then
 * a newer one will do.
 */
export function isWorthAnotherTry(error: unknown): boolean {
  if (!(error instanceof EtcdError)) return false;
  return error instanceof EtcdCompactedError || !(isFinal(error) || error instanceof EtcdMessageTooLargeError);
}

async function readOnce(rpc: Rpc, { key, rangeEnd }: KeyRange, signal: AbortSignal): Promise<Snapshot> {
  const kvs: KeyValue[] = [];
  let header: wire.ResponseHeader | undefined;
  let request: wire.RangeRequest = { key, rangeEnd, limit: FIRST_PAGE_KEYS };
  for (;;) {
    const page = await readPage(rpc, request, signal);
    header ??= headerOf(RANGE, page);
    for (const kv of page.kvs) kvs.push(new KeyValue(kv));
    const last = page.kvs.at(-1);
    if (!page.more || last === undefined) return { clusterId: header.clusterId, revision: header.revision, kvs };
    request = { key: keyAfter(last.key), rangeEnd, revision: header.revision, limit: fittingLimit(page.kvs) };
  }
}

/** A page that is too large for the client is asked for again with half the keys. */
async function readPage(rpc: Rpc, request: wire.RangeRequest, signal: AbortSignal): Promise<wire.RangeResponse> {
  const { limit = 1 } = request;
  try {
    return await rpc.unary(RANGE, request, { signal });
  } catch (error) {
    if (!(error instanceof EtcdMessageTooLargeError) || limit === 1) throw error;
    return readPage(rpc, { ...request, limit: Math.ceil(limit / 2) }, signal);
  }
}

function fittingLimit(kvs: readonly wire.KeyValue[]): number {
  const bytes = kvs.reduce((sum, { key, value }) => sum + key.byteLength + value.byteLength, 0);
  return Math.max(1, Math.min(MAX_PAGE_KEYS, Math.floor((PAGE_BYTES * kvs.length) / Math.max(bytes, 1))));
}
