/** Compare and set: writes that happen only if nobody else wrote in between. */
import type { Clock, Random } from '../clock.js';
import {
  EtcdAbortedError,
  EtcdConflictError,
  EtcdDeadlineExceededError,
  type EtcdError,
  type ErrorContext,
} from '../errors.js';
import type { KeyValue } from '../key-value.js';
import { toBytes, type Value } from '../key-range.js';
import { requireTimeout } from '../options.js';
import { backoffMs } from '../rpc/backoff.js';
import { RANGE, TXN } from '../rpc/methods.js';
import type * as wire from '../rpc/generated/messages.js';
import type { CallOptions, Rpc } from '../rpc/rpc.js';
import { optionalLease, optionalWholeNumber, refuseTogether } from './arguments.js';
import { toPutRequest, type PutLease } from './put-request.js';
import { headerOf, toKeyValue, type ResponseHeader } from './responses.js';

/** The write happened. */
export interface CasSuccess {
  readonly succeeded: true;
  readonly header: ResponseHeader;
  /** The revision the write made: the key's new `modRevision`, to be given to the next `update`. */
  readonly revision: number;
}

/** The key was not as expected, and nothing was written. */
export interface CasFailure {
  readonly succeeded: false;
  readonly header: ResponseHeader;
  /** The key as it is; `undefined` if it does not exist. */
  readonly current: KeyValue | undefined;
}

/**
 * Whether the write happened. A write whose fate is not known is neither: it rejects with an error whose `outcome` is
 * `'unknown'`, so that `succeeded: false` always means that somebody else got in between.
 */
export type CasResult = CasSuccess | CasFailure;

/** Options of `create`. */
export interface CreateOptions extends CallOptions {
  /** The ID of the lease that takes the key with it when it ends, in hex as `etcdctl` prints it. */
  readonly lease?: string | undefined;
}

/** Options of `update` with a value. */
export type UpdateOptions = CallOptions &
  PutLease & {
    /**
     * The `modRevision` the key is expected to have; 0 if it is expected not to exist.
     *
     * @remarks a whole number from 0 to 9_007_199_254_740_991.
     */
    readonly revision: number;
    readonly maxTries?: undefined;
  };

/** Options of `update` with a function. `timeoutMs` bounds all tries together, pauses included. */
export type UpdateWithOptions = CallOptions &
  PutLease & {
    /**
     * How often to try before giving up with `EtcdConflictError`.
     *
     * @default 64
     * @remarks a whole number from 1 to 9_007_199_254_740_991.
     */
    readonly maxTries?: number | undefined;
    readonly revision?: undefined;
  };

/** Options of `deleteIfUnchanged`. */
export interface DeleteIfUnchangedOptions extends CallOptions {
  /**
   * The `modRevision` the key is expected to have.
   *
   * @remarks a whole number from 1 to 9_007_199_254_740_991.
   */
  readonly revision: number;
}

/**
 * Works out the new value from the current one; `undefined` leaves the key as it is. Called again when another writer
 * came first, so it should do nothing else.
 */
export type Change = (current: KeyValue | undefined) => Value | undefined | Promise<Value | undefined>;

/** What time and chance an `update` with a function lives by. */
export interface UpdateTime {
  readonly clock: Clock;
  readonly random: Random;
  /** Milliseconds for an `update` whose caller does not say. */
  readonly callTimeoutMs: number;
}

const DEFAULT_MAX_TRIES = 64;
/** The first pause is about one write of a cluster on ordinary disks; the longest keeps a crowd from starving one of its own. */
const PAUSES = { firstMs: 10, maxMs: 250 };

/** Does `write` if the key's `modRevision` is `revision`, and else reads the key, in one step. */
export async function writeIfUnchanged(
  rpc: Rpc,
  key: Uint8Array,
  revision: number,
  write: wire.RequestOp,
  options: CallOptions,
): Promise<CasResult> {
  const answer = await rpc.unary(
    TXN,
    {
      compare: [{ key, target: 'MOD', result: 'EQUAL', modRevision: revision }],
      success: [write],
      failure: [{ requestRange: { key } }],
    },
    { signal: options.signal, timeoutMs: options.timeoutMs },
  );
  const header = headerOf(answer);
  if (answer.succeeded) return { succeeded: true, header, revision: header.revision };
  return { succeeded: false, header, current: toKeyValue(answer.responses[0]?.responseRange?.kvs[0]) };
}

/** One `update` with a function: reads, asks for the change, writes if nobody came between, or pauses and begins again. */
export class UpdateLoop {
  private readonly timeoutMs: number;
  private readonly maxTries: number;
  private readonly startedAt: number;

  /** @throws {EtcdInvalidArgumentError} when an option is out of range, or contradicts another. */
  constructor(
    private readonly rpc: Rpc,
    private readonly key: Uint8Array,
    private readonly options: UpdateWithOptions,
    private readonly time: UpdateTime,
  ) {
    const { timeoutMs, maxTries, lease, ignoreLease } = options;
    refuseTogether('lease', ignoreLease === true && optionalLease('lease', lease) !== undefined, 'ignoreLease');
    this.timeoutMs = timeoutMs === undefined ? time.callTimeoutMs : requireTimeout('timeoutMs', timeoutMs);
    this.maxTries = optionalWholeNumber('maxTries', maxTries, 1) ?? DEFAULT_MAX_TRIES;
    this.startedAt = time.clock.now();
  }

  /** @throws {EtcdConflictError} when others were quicker `maxTries` times. */
  async run(change: Change): Promise<CasResult> {
    for (let tries = 1; ; tries++) {
      const { current, header } = await this.read(tries);
      const value = await this.ask(change, current, tries);
      if (value === undefined) return { succeeded: false, header, current };
      const result = await this.write(current, toBytes(value, 'value'), tries);
      if (result.succeeded) return result;
      if (tries >= this.maxTries) throw new EtcdConflictError(this.keyText(), tries, this.errorContext(tries));
      await this.pause(tries);
    }
  }

  /** Read anew before each try: after a pause, what the lost write saw is likely to be old. */
  private async read(tries: number): Promise<{ current: KeyValue | undefined; header: ResponseHeader }> {
    const answer = await this.rpc.unary(RANGE, { key: this.key }, this.callOptions(tries));
    return { current: toKeyValue(answer.kvs[0]), header: headerOf(answer) };
  }

  /** The caller's function has the time that is left, and no more once the signal aborts: it may never answer. */
  private ask(change: Change, current: KeyValue | undefined, tries: number): Promise<Value | undefined> {
    const { signal } = this.options;
    return new Promise((resolve, reject) => {
      const cleanUp = (): void => {
        cancel();
        signal?.removeEventListener('abort', onAbort);
      };
      const fail = (error: EtcdError): void => {
        cleanUp();
        reject(error);
      };
      const onAbort = (): void => fail(this.abortError(tries - 1));
      const cancel = this.time.clock.after(this.leftMs(), () => fail(this.changeError(tries - 1)));
      signal?.addEventListener('abort', onAbort, { once: true });
      if (signal?.aborted === true) onAbort();
      else void Promise.resolve(current).then(change).then(resolve, reject).finally(cleanUp);
    });
  }

  private write(current: KeyValue | undefined, value: Uint8Array, tries: number): Promise<CasResult> {
    const { lease, ignoreLease } = this.options;
    const keepsLease = ignoreLease === true && current !== undefined;
    const requestPut = toPutRequest(this.key, [value, keepsLease ? { ignoreLease } : { lease }]);
    return writeIfUnchanged(this.rpc, this.key, current?.modRevision ?? 0, { requestPut }, this.callOptions(tries));
  }

  private callOptions(tries: number): CallOptions {
    const left = this.leftMs();
    if (left <= 0) throw this.timeoutError(tries - 1);
    return { signal: this.options.signal, timeoutMs: Math.ceil(left) };
  }

  /** Ends early when the signal aborts, or when the time will be over before the pause is. */
  private pause(tries: number): Promise<void> {
    const { signal } = this.options;
    const pauseMs = Math.min(backoffMs(tries, PAUSES, this.time.random), this.leftMs());
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        cancel();
        reject(this.abortError(tries));
      };
      const cancel = this.time.clock.after(pauseMs, () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      });
      if (signal?.aborted === true) onAbort();
      else signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  private leftMs(): number {
    return this.startedAt + this.timeoutMs - this.time.clock.now();
  }

  private abortError(tries: number): EtcdAbortedError {
    return new EtcdAbortedError({ ...this.errorContext(tries), cause: this.options.signal?.reason as unknown });
  }

  private timeoutError(tries: number): EtcdDeadlineExceededError {
    if (tries === 0) return this.changeError(tries);
    return this.lateError(`others changed key ${JSON.stringify(this.keyText())} first, ${tries} times`, tries);
  }

  private changeError(tries: number): EtcdDeadlineExceededError {
    return this.lateError(`waiting for the change of key ${JSON.stringify(this.keyText())}`, tries);
  }

  private lateError(waitingFor: string, tries: number): EtcdDeadlineExceededError {
    return new EtcdDeadlineExceededError(this.timeoutMs, waitingFor, [], this.errorContext(tries));
  }

  private errorContext(attempts: number): ErrorContext {
    return { method: 'KV.Txn', attempts, outcome: 'not-applied' };
  }

  private keyText(): string {
    return Buffer.from(this.key.buffer, this.key.byteOffset, this.key.byteLength).toString('utf8');
  }
}
