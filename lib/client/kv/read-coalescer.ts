/** The seam to the wire with reads that are asked for together sent together. */
import type { Clock } from '../clock.js';
import { EtcdOverloadedError } from '../errors.js';
import { AbortListeners } from '../rpc/abort-listeners.js';
import type * as wire from '../rpc/generated/messages.js';
import { RANGE } from '../rpc/methods.js';
import type { Duplex, DuplexMethod, Rpc, RpcCallOptions, UnaryMethod } from '../rpc/rpc.js';
import { BatchWidth } from './batch-width.js';
import { LoneReads } from './lone-reads.js';
import type { Reach } from './pending-read.js';
import { kindOf } from './read-kind.js';
import { ReadLane, type LaneParts, type ReadLoad } from './read-lane.js';

/** What a client reads through. */
export interface CoalescerParts {
  readonly rpc: Rpc;
  readonly clock: Clock;
  readonly limits: CoalescerLimits;
  /** How the endpoints stand, for errors. */
  readonly reach: () => Reach;
}

/** The limits of the client that shared calls respect. */
export interface CoalescerLimits {
  readonly callTimeoutMs: number;
  readonly maxTxnOperations: number;
  readonly maxRequestBytes: number;
  readonly maxPendingCalls: number;
}

/** The most reads of one transaction, where the client and the server allow as many. */
const MAX_READS = 128;
const NONE = Object.freeze({});

/**
 * The seam, reading together. Ranges that fit together go out as one read-only transaction; everything else passes.
 *
 * A request must not change once it was passed: it is encoded at the end of the turn of the event loop.
 */
export class ReadCoalescer implements Rpc {
  private readonly lone = new LoneReads();
  private readonly lanes = new Map<number, ReadLane>();
  private readonly load: ReadLoad = { pending: 0 };
  private readonly laneParts: Omit<LaneParts, 'width'>;

  constructor(private readonly parts: CoalescerParts) {
    const { rpc, clock, reach, limits } = parts;
    const { callTimeoutMs, maxRequestBytes } = limits;
    this.laneParts = {
      rpc,
      clock,
      reach,
      callTimeoutMs,
      maxRequestBytes,
      lone: this.lone,
      load: this.load,
      aborts: new AbortListeners(),
    };
  }

  /** Reads that were asked for and not sent yet. */
  get waiting(): number {
    let waiting = 0;
    for (const lane of this.lanes.values()) waiting += lane.waiting;
    return waiting;
  }

  unary<Req extends object, Res>(
    method: UnaryMethod<Req, Res>,
    request: Req,
    options: RpcCallOptions = NONE,
  ): Promise<Res> {
    if (method.path !== RANGE.path) return this.parts.rpc.unary(method, request, options);
    return this.read(request, options) as Promise<Res>;
  }

  duplex<Req extends object, Res>(method: DuplexMethod<Req, Res>, options?: RpcCallOptions): Duplex<Req, Res> {
    return this.parts.rpc.duplex(method, options);
  }

  /** Sends what waits for others, at once. */
  flush(): void {
    for (const lane of this.lanes.values()) lane.flush();
  }

  private read(request: wire.RangeRequest, options: RpcCallOptions): Promise<wire.RangeResponse> {
    const kind = kindOf(request, options);
    if (kind === undefined) return this.parts.rpc.unary(RANGE, request, options);
    if (this.lone.has(request)) return this.lone.ask(this.parts.rpc, request, options);
    const lane = this.laneOf(kind);
    // The seam below guards memory by counting calls, and a transaction is one: here its reads are counted.
    if (this.load.pending >= this.parts.limits.maxPendingCalls && !this.parts.reach().canSend)
      return Promise.reject(this.overloadedError());
    return lane.read(request, options);
  }

  private overloadedError(): EtcdOverloadedError {
    const { limits, reach } = this.parts;
    return new EtcdOverloadedError(limits.maxPendingCalls, reach().failures, { method: RANGE.label });
  }

  private laneOf(kind: number): ReadLane {
    const known = this.lanes.get(kind);
    if (known !== undefined) return known;
    const lane = new ReadLane({
      ...this.laneParts,
      width: new BatchWidth(Math.min(MAX_READS, this.parts.limits.maxTxnOperations)),
    });
    this.lanes.set(kind, lane);
    return lane;
  }
}
