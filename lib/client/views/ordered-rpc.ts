/** The seam to the wire for one reader: no answer to a read is older than what was answered before it began. */
import { pause, type Clock, type Random } from '../clock.js';
import { isPassing } from '../concurrency/patience.js';
import { requireTimeout } from '../options.js';
import { backoffMs, type BackoffLimits } from '../rpc/backoff.js';
import type * as wire from '../rpc/generated/messages.js';
import { RANGE, TXN } from '../rpc/methods.js';
import { headerOf } from '../rpc/response-header.js';
import type { Duplex, DuplexMethod, Rpc, RpcCallOptions, UnaryMethod } from '../rpc/rpc.js';
import { EtcdFutureRevisionError } from '../server-errors.js';
import { EtcdStaleReadError } from './stale-read-error.js';

/** What the guard works with. */
export interface OrderedRpcParts {
  readonly rpc: Rpc;
  readonly clock: Clock;
  readonly random: Random;
  /** Milliseconds for a read whose caller does not say. */
  readonly callTimeoutMs: number;
  /** The endpoints that are connected now. */
  readonly endpoints: () => readonly string[];
}

/** An answer of the KV service. */
interface Answer {
  readonly header: wire.ResponseHeader | null;
}

/** A read that may be answered too old. */
interface GuardedRead<Req> {
  readonly asked: Req;
  /** The same, answered only by who knows of all that was written before. */
  readonly linearizable: Req;
  /** Whether any member answers what was asked from what it has. */
  readonly isSerializable: boolean;
  /** The highest revision that is asked for by number; 0 for none. */
  readonly revision: number;
  /** Whether all of it is at that revision: what is read at a revision of the past is the same everywhere. */
  readonly isOfThePast: boolean;
}

/** A member that is behind is so by milliseconds or by minutes. */
const PAUSES: BackoffLimits = { firstMs: 20, maxMs: 1_000 };
/** How long one try may keep the others waiting, at first; twice as long in each round after that. */
const PATIENCE_MS = 500;

/** The seam, guarded. */
export class OrderedRpc implements Rpc {
  private seen = 0;

  constructor(private readonly parts: OrderedRpcParts) {}

  /** The highest revision that an answer had. */
  get seenRevision(): number {
    return this.seen;
  }

  see(revision: number): void {
    this.seen = Math.max(this.seen, revision);
  }

  async unary<Req extends object, Res>(
    method: UnaryMethod<Req, Res>,
    request: Req,
    options: RpcCallOptions = {},
  ): Promise<Res> {
    const read = guardedRead(method, request, options);
    const answer =
      read === undefined
        ? await this.parts.rpc.unary(method, request, options)
        : await new OrderedRead(this.parts, method, read, options, this.seen).run();
    this.see((answer as Answer).header?.revision ?? 0);
    return answer;
  }

  /** A scan has settled its revision by a read before it streams. */
  duplex<Req extends object, Res>(method: DuplexMethod<Req, Res>, options: RpcCallOptions = {}): Duplex<Req, Res> {
    return this.parts.rpc.duplex(method, options);
  }
}

/**
 * One read. What was seen when it began counts: an answer that another one overtook is not stale.
 *
 * First it is tried like any other. If the answer is too old, the rest of its time goes in rounds: as it was asked on each
 * endpoint by name, which finds whoever has caught up even where there is no quorum; then linearizably, which finds the
 * newest wherever there is one. A linearizable read needs no round of endpoints, but a pause.
 */
class OrderedRead<Req extends object, Res> {
  private readonly timeoutMs: number;
  private readonly endAt: number;
  private attempts = 0;
  private currentRevision = 0;
  private lastFailure: unknown;

  constructor(
    private readonly parts: OrderedRpcParts,
    private readonly method: UnaryMethod<Req, Res>,
    private readonly read: GuardedRead<Req>,
    private readonly options: RpcCallOptions,
    private readonly seenRevision: number,
  ) {
    const { timeoutMs } = options;
    this.timeoutMs = timeoutMs === undefined ? parts.callTimeoutMs : requireTimeout('timeoutMs', timeoutMs);
    this.endAt = parts.clock.now() + this.timeoutMs;
  }

  async run(): Promise<Res> {
    let answer = await this.attempt(this.read.asked);
    for (let round = 1; answer === undefined; round++) answer = await this.round(round);
    return answer;
  }

  private async round(round: number): Promise<Res | undefined> {
    const { asked, linearizable, isSerializable } = this.read;
    const patienceMs = PATIENCE_MS * 2 ** (round - 1);
    for (const endpoint of isSerializable ? this.parts.endpoints() : []) {
      const answer = await this.attempt(asked, patienceMs, endpoint);
      if (answer !== undefined) return answer;
    }
    const pauses = isSerializable ? round - 1 : round;
    if (pauses > 0) await this.pause(pauses);
    return this.attempt(linearizable, patienceMs);
  }

  /** @returns `undefined` when the answer is too old, or there is none after one that was. */
  private async attempt(request: Req, patienceMs = Infinity, endpoint?: string): Promise<Res | undefined> {
    const leftMs = Math.ceil(this.endAt - this.parts.clock.now());
    if (leftMs <= 0) throw this.staleError();
    this.attempts += 1;
    try {
      const options = { ...this.options, timeoutMs: Math.min(leftMs, patienceMs), endpoint };
      const answer = await this.parts.rpc.unary(this.method, request, options);
      const { revision } = headerOf(this.method, answer as Answer);
      if (revision >= this.seenRevision || this.read.isOfThePast) return answer;
      this.currentRevision = Math.max(this.currentRevision, revision);
    } catch (error) {
      const mayGoOn = this.isBehind(error) || (this.attempts > 1 && isPassing(error));
      if (!mayGoOn) throw error;
      this.lastFailure = error;
    }
    return undefined;
  }

  /** For a member that is behind, a revision of the past is one of the future. */
  private isBehind(error: unknown): boolean {
    const { revision } = this.read;
    return error instanceof EtcdFutureRevisionError && revision > 0 && revision <= this.seenRevision;
  }

  /** Ends early when the signal aborts: the next try rejects then. */
  private pause(count: number): Promise<void> {
    const { clock, random } = this.parts;
    const delayMs = Math.min(backoffMs(count, PAUSES, random), Math.max(0, this.endAt - clock.now()));
    return pause(clock, delayMs, this.options.signal);
  }

  private staleError(): EtcdStaleReadError {
    const context = { method: this.method.label, attempts: this.attempts, cause: this.lastFailure };
    return new EtcdStaleReadError(this.seenRevision, this.currentRevision, this.timeoutMs, context);
  }
}

/** @returns `undefined` for what is not guarded: a write's answer is the newest there is, or the write would be lost. */
function guardedRead<Req extends object, Res>(
  method: UnaryMethod<Req, Res>,
  request: Req,
  { effect }: RpcCallOptions,
): GuardedRead<Req> | undefined {
  if (method.path === RANGE.path) return guardedRange(request) as GuardedRead<Req>;
  if (method.path === TXN.path && effect === 'read') return guardedTxn(request) as GuardedRead<Req>;
  return undefined;
}

function guardedRange(asked: wire.RangeRequest): GuardedRead<wire.RangeRequest> {
  const { serializable = false, revision = 0 } = asked;
  const linearizable = linearizableRange(asked);
  return { asked, linearizable, isSerializable: serializable, revision, isOfThePast: revision > 0 };
}

/** etcd answers a transaction from what a member has if all of its reads allow that. */
function guardedTxn(asked: wire.TxnRequest): GuardedRead<wire.TxnRequest> {
  const ranges = rangesOf(asked);
  return {
    asked,
    linearizable: linearizableTxn(asked),
    isSerializable: ranges.every(({ serializable }) => serializable === true),
    revision: Math.max(0, ...ranges.map(({ revision = 0 }) => revision)),
    isOfThePast: false,
  };
}

function linearizableRange(request: wire.RangeRequest): wire.RangeRequest {
  return { ...request, serializable: false };
}

function linearizableTxn({ compare, success, failure }: wire.TxnRequest): wire.TxnRequest {
  return { compare, success: success?.map(linearizableOperation), failure: failure?.map(linearizableOperation) };
}

function linearizableOperation({ requestRange, requestTxn, ...rest }: wire.RequestOp): wire.RequestOp {
  return {
    ...rest,
    requestRange: requestRange && linearizableRange(requestRange),
    requestTxn: requestTxn && linearizableTxn(requestTxn),
  };
}

function rangesOf({ success = [], failure = [] }: wire.TxnRequest): readonly wire.RangeRequest[] {
  return [...success, ...failure].flatMap(({ requestRange, requestTxn }) => {
    if (requestTxn !== undefined) return rangesOf(requestTxn);
    return requestRange ?? [];
  });
}
