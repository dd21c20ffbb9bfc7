/** Remembers the reads that would spoil it for those they travel with: forbidden, compacted, or with large answers. */
import {
  EtcdAbortedError,
  EtcdClosedError,
  EtcdDeadlineExceededError,
  EtcdOverloadedError,
  EtcdUnavailableError,
} from '../errors.js';
import type * as wire from '../rpc/generated/messages.js';
import { RANGE } from '../rpc/methods.js';
import type { Rpc, RpcCallOptions } from '../rpc/rpc.js';
import { EtcdCompactedError, EtcdFutureRevisionError } from '../server-errors.js';
import { answerBytes, placeOf } from './read-kind.js';

/** Bytes from which on an answer is large: its transfer would hold up the others. */
const LARGE_BYTES = 64 * 1024;
/** Keys in a range from which on the server takes long to walk it, whatever the limit. */
const WIDE_COUNT = 1_000;
/** The most places that are remembered; the oldest are forgotten first. */
const MAX_PLACES = 1_024;

/** What these say is true of the call, not of what it read. */
const PASSING = [
  EtcdAbortedError,
  EtcdClosedError,
  EtcdDeadlineExceededError,
  EtcdOverloadedError,
  EtcdUnavailableError,
  EtcdFutureRevisionError,
] as const;

/**
 * The places in the store that are read alone. What is in here is asked for by itself, and each such answer decides anew
 * whether it stays.
 */
export class LoneReads {
  private readonly places = new Set<string>();
  private compactedRevision = 0;

  /** Whether this read should travel alone. */
  has(request: wire.RangeRequest): boolean {
    const { revision = 0 } = request;
    if (revision > 0 && revision <= this.compactedRevision) return true;
    return this.places.size > 0 && this.places.has(placeOf(request));
  }

  /** Reads by a call of its own, and learns from how it goes. */
  ask(rpc: Rpc, request: wire.RangeRequest, options: RpcCallOptions): Promise<wire.RangeResponse> {
    const call = rpc.unary(RANGE, request, options);
    call.then(
      (answer) => this.answered(request, answer),
      (error: unknown) => this.refused(request, error),
    );
    return call;
  }

  /** Takes note of an answer. */
  answered(request: wire.RangeRequest, answer: wire.RangeResponse, bytes = answerBytes(answer)): void {
    if (bytes >= LARGE_BYTES || answer.count >= WIDE_COUNT) this.remember(request);
    else if (this.places.size > 0) this.places.delete(placeOf(request));
  }

  private refused(request: wire.RangeRequest, error: unknown): void {
    if (error instanceof EtcdCompactedError) {
      this.compactedRevision = Math.max(this.compactedRevision, request.revision ?? 0);
    } else if (!PASSING.some((type) => error instanceof type)) this.remember(request);
  }

  private remember(request: wire.RangeRequest): void {
    const place = placeOf(request);
    this.places.delete(place);
    this.places.add(place);
    const [oldest] = this.places;
    if (this.places.size > MAX_PLACES && oldest !== undefined) this.places.delete(oldest);
  }
}
