/** Reads through the coalescer, on a scripted server that answers each read of a key with what the test has put there. */
import { PUT, RANGE, TXN } from '../../../lib/client/rpc/methods.js';
import type * as wire from '../../../lib/client/rpc/generated/messages.js';
import type { RpcCallOptions } from '../../../lib/client/rpc/rpc.js';
import type { Reach } from '../../../lib/client/kv/pending-read.js';
import { ReadCoalescer, type CoalescerLimits } from '../../../lib/client/kv/read-coalescer.js';
import { FakeClock, settle } from '../../support/fake-clock.js';
import { FakeRpc } from '../../support/fake-rpc.js';
import { bytes, header, putAnswer, rangeAnswer, stored, text, txnAnswer } from './answers.js';

const LIMITS: CoalescerLimits = {
  callTimeoutMs: 5_000,
  maxTxnOperations: 128,
  maxRequestBytes: 2 * 1024 * 1024,
  maxPendingCalls: 10_000,
};

/** A call whose answer the test holds back. */
interface HeldCall {
  readonly method: string;
  readonly options: RpcCallOptions;
  /** The keys it asks for. */
  readonly keys: readonly string[];
  /** Answers it as the server would have. */
  answer(): Promise<void>;
  fail(error: Error): Promise<void>;
}

/** A server whose every key holds its own name, unless a test says otherwise. */
export class CoalescedReads {
  readonly rpc = new FakeRpc();
  readonly clock = new FakeClock();
  readonly coalescer: ReadCoalescer;
  /** Values that differ from their key's name. */
  readonly values = new Map<string, string>();
  /** Keys that may not be read, alone or with others, and why. */
  readonly refusals = new Map<string, () => Error>();
  /** What transactions fail with, whatever they ask. */
  txnRefusal: ((request: wire.TxnRequest) => Error | undefined) | undefined;
  /** Calls that wait for the test, once {@link hold} was called. */
  readonly held: HeldCall[] = [];
  reach: Reach = { isConnected: true, canSend: true, failures: [] };
  private holds = false;

  constructor(limits: Partial<CoalescerLimits> = {}) {
    const { rpc, clock } = this;
    this.coalescer = new ReadCoalescer({ rpc, clock, limits: { ...LIMITS, ...limits }, reach: () => this.reach });
    rpc.answerAlways(PUT, putAnswer());
    rpc.answerAlways(RANGE, (request, options) =>
      this.respond('Range', [request], options, () => this.rangeOf(request)),
    );
    rpc.answerAlways(TXN, (request, options) => {
      const asked = (request.success ?? []).map(({ requestRange }) => requestRange ?? {});
      return this.respond('Txn', asked, options, () => this.txnOf(request, asked));
    });
  }

  /** From now on calls are answered when the test says so. */
  hold(): void {
    this.holds = true;
  }

  /** Asks for a key, or for what a request says. */
  read(key: string, request: wire.RangeRequest = {}, options: RpcCallOptions = {}): Promise<string> {
    const answer = this.coalescer.unary(RANGE, { key: bytes(key), ...request }, options);
    return answer.then(({ kvs }) => kvs.map(({ value }) => text(value)).join());
  }

  /** Asks for these keys in one turn. */
  readAll(keys: readonly string[]): Promise<string[]> {
    return Promise.all(keys.map((key) => this.read(key)));
  }

  /** Keeps the four calls of the lane of plain gets busy until the test answers them. */
  async keepBusy(): Promise<void> {
    this.hold();
    for (const key of ['busy/1', 'busy/2', 'busy/3', 'busy/4']) {
      this.read(key).catch(() => undefined);
      await settle();
    }
  }

  /** What went over the wire: the method, and the keys it asked for. */
  sent(): string[] {
    return this.rpc.calls.map(({ method, request }) => `${method.name} ${keysIn(request).join(' ')}`);
  }

  private async respond<Answer>(
    method: string,
    asked: readonly wire.RangeRequest[],
    options: RpcCallOptions,
    answer: () => Answer,
  ): Promise<Answer> {
    if (!this.holds) return answer();
    return new Promise((resolve, reject) => {
      options.signal?.addEventListener('abort', () => reject(new Error('aborted')));
      this.held.push({
        method,
        options,
        keys: asked.map(({ key }) => text(key)),
        answer: () => {
          resolve(new Promise((made) => made(answer())));
          return settle();
        },
        fail: (error) => {
          reject(error);
          return settle();
        },
      });
    });
  }

  private rangeOf(request: wire.RangeRequest): wire.RangeResponse {
    const refusal = this.refusals.get(text(request.key));
    if (refusal !== undefined) throw refusal();
    const key = text(request.key);
    return rangeAnswer([stored(key, this.values.get(key) ?? key)], { count: request.countOnly === true ? 1_500 : 1 });
  }

  /** The answers inside have a header of their own, of which etcd fills in the revision only. */
  private txnOf(request: wire.TxnRequest, asked: readonly wire.RangeRequest[]): wire.TxnResponse {
    const refusal = this.txnRefusal?.(request);
    if (refusal !== undefined) throw refusal;
    const empty = { ...header(), clusterId: '0', memberId: '0', raftTerm: 0 };
    const responses = asked.map((range) => ({ responseRange: { ...this.rangeOf(range), header: empty } }));
    return txnAnswer(true, responses, 7);
  }
}

function keysIn(request: unknown): string[] {
  const { key, success } = request as wire.RangeRequest & wire.TxnRequest;
  return success === undefined ? [text(key)] : success.map(({ requestRange }) => text(requestRange?.key));
}
