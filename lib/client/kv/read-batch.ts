/** Several reads in one call: equal ones once, each answered, ended and failed as if it had been sent alone. */
import type { Clock } from '../clock.js';
import { EtcdDeadlineExceededError, EtcdProtocolError, EtcdUnavailableError } from '../errors.js';
import type * as wire from '../rpc/generated/messages.js';
import { RANGE, TXN } from '../rpc/methods.js';
import type { Rpc, RpcCallOptions } from '../rpc/rpc.js';
import type { BatchWidth } from './batch-width.js';
import type { LoneReads } from './lone-reads.js';
import { asOwnError, type PendingRead, type Reach } from './pending-read.js';
import { answerBytes, identityOf } from './read-kind.js';

/** What a batch works with. */
export interface BatchParts {
  readonly rpc: Rpc;
  readonly clock: Clock;
  readonly width: BatchWidth;
  readonly lone: LoneReads;
  readonly reach: () => Reach;
  /** Sends a read by itself, as far as its time allows. */
  readonly sendAlone: (read: PendingRead, elapsedMs: number) => void;
}

/**
 * Reads that travel together.
 *
 * The call lasts as long as the most patient of them; the others leave it when their time is over, and it is cancelled
 * when all have left. When it fails while there is time, each of them is sent alone: then only the guilty one fails, and
 * with its own error.
 */
export class ReadBatch {
  private readonly operations: wire.RangeRequest[] = [];
  /** For each read the index of the operation that answers it. */
  private readonly places: number[] = [];
  private readonly sentAt: number;
  private readonly timeoutMs: number;
  private readonly controller: AbortController | undefined;
  private waiting: number;
  private cancelTimer: (() => void) | undefined;

  constructor(
    private readonly reads: readonly PendingRead[],
    private readonly parts: BatchParts,
  ) {
    this.sentAt = parts.clock.now();
    this.waiting = reads.length;
    this.timeoutMs = reads.reduce((longest, read) => Math.max(longest, read.timeoutMs), 0);
    const mayAllLeave = reads.every((read) => read.timeoutMs < this.timeoutMs || read.options.signal !== undefined);
    this.controller = mayAllLeave ? new AbortController() : undefined;
    this.collectOperations();
  }

  /** Sends them. Resolves when the call is over, whatever came of it. */
  async send(): Promise<void> {
    for (const read of this.reads) read.travel(this.onLeft);
    this.watchDeadlines();
    try {
      this.onAnswers(await this.call());
    } catch (error) {
      this.onFailure(error);
    } finally {
      this.stopTimer();
    }
  }

  private collectOperations(): void {
    const known = new Map<string, number>();
    for (const { request } of this.reads) {
      const identity = identityOf(request);
      const place = known.get(identity) ?? this.operations.push(request) - 1;
      known.set(identity, place);
      this.places.push(place);
    }
  }

  private async call(): Promise<readonly wire.RangeResponse[]> {
    const { rpc } = this.parts;
    const { operations, timeoutMs } = this;
    const [first] = operations;
    const requireLeader = this.reads[0]?.options.requireLeader;
    const options: RpcCallOptions = { timeoutMs, signal: this.controller?.signal, requireLeader };
    if (operations.length === 1 && first !== undefined) return [await rpc.unary(RANGE, first, options)];
    const request = { success: operations.map((requestRange) => ({ requestRange })) };
    return answersIn(await rpc.unary(TXN, request, { ...options, effect: 'read' }), operations.length);
  }

  private onAnswers(answers: readonly wire.RangeResponse[]): void {
    this.learn(answers);
    this.reads.forEach((read, index) => {
      const answer = answers[this.places[index] ?? 0];
      if (answer !== undefined) read.answer(copyOf(answer));
    });
  }

  private learn(answers: readonly wire.RangeResponse[]): void {
    let total = 0;
    this.operations.forEach((request, index) => {
      const answer = answers[index];
      if (answer === undefined) return;
      const bytes = answerBytes(answer);
      total += bytes;
      this.parts.lone.answered(request, answer, bytes);
    });
    this.parts.width.answered(total, this.operations.length);
  }

  private onFailure(error: unknown): void {
    const { width, clock, sendAlone } = this.parts;
    const elapsedMs = clock.now() - this.sentAt;
    width.refused(error, this.operations.length);
    for (const read of this.reads) {
      if (read.isSettled) continue;
      if (isOver(error, read, elapsedMs)) read.fail(asOwnError(error, read.timeoutMs));
      else sendAlone(read, elapsedMs);
    }
  }

  private readonly onLeft = (): void => {
    this.waiting -= 1;
    if (this.waiting === 0) this.controller?.abort();
  };

  /** One timer for those that leave before the call ends, set for the next of them. */
  private watchDeadlines(): void {
    const early = this.reads.filter((read) => !read.isSettled && read.timeoutMs < this.timeoutMs);
    if (early.length === 0) return;
    const nextMs = early.reduce((next, read) => Math.min(next, read.timeoutMs), Infinity);
    const { clock, reach } = this.parts;
    this.cancelTimer = clock.after(nextMs - (clock.now() - this.sentAt), () => {
      for (const read of early) if (read.timeoutMs <= nextMs) read.expire(reach());
      this.watchDeadlines();
    });
  }

  private stopTimer(): void {
    this.cancelTimer?.();
  }
}

/** Whether the call ended because the read's own time was over, and not for something that another call could do better. */
function isOver(error: unknown, { timeoutMs }: PendingRead, elapsedMs: number): boolean {
  if (error instanceof EtcdDeadlineExceededError) return true;
  return error instanceof EtcdUnavailableError && elapsedMs >= timeoutMs;
}

/**
 * The answers inside a transaction, each with the header of the whole: theirs are filled in only in part.
 *
 * @throws {EtcdProtocolError} when there is not one for each operation.
 */
function answersIn({ header, responses }: wire.TxnResponse, count: number): readonly wire.RangeResponse[] {
  const answers = responses.flatMap(({ responseRange }) => responseRange ?? []);
  if (header === null || answers.length !== count)
    throw new EtcdProtocolError('an answer to several reads is not whole');
  return answers.map(({ kvs, more, count: total }) => ({ header, kvs, more, count: total }));
}

/** Nothing that one caller does to its answer, or keeps of it, shows to the others or keeps theirs in memory. */
function copyOf({ header, kvs, more, count }: wire.RangeResponse): wire.RangeResponse {
  return { header: header && { ...header }, kvs: kvs.map(copyOfKeyValue), more, count };
}

function copyOfKeyValue(kv: wire.KeyValue): wire.KeyValue {
  const { key, value, createRevision, modRevision, version, lease } = kv;
  return { key: Buffer.from(key), value: Buffer.from(value), createRevision, modRevision, version, lease };
}
