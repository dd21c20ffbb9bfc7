/** Software transactions: a function that reads and writes, run again until what it saw was still true when it was committed. */
import {
  EtcdConflictError,
  EtcdDeadlineExceededError,
  EtcdInvalidArgumentError,
  type ErrorContext,
} from '../errors.js';
import { keyBytes, type Key } from '../key-range.js';
import type { ResponseHeader } from '../kv/responses.js';
import { requireTimeout } from '../options.js';
import { backoffMs } from '../rpc/backoff.js';
import type { CallOptions } from '../rpc/rpc.js';
import { pause } from './patience.js';
import { refuseTooManyKeys, StmTransaction, type Isolation, type IsolationRules } from './stm-attempt.js';
import type { Tools } from './tools.js';
import { WaitScope } from './wait-scope.js';

/** Options of `concurrency.stm()`. `timeoutMs` bounds all tries together, pauses included. */
export interface StmOptions extends Pick<CallOptions, 'signal' | 'timeoutMs'> {
  /**
   * How far the transaction is kept apart from others.
   *
   * @default 'serializable-snapshot'
   * @remarks Go: `WithIsolation`.
   */
  readonly isolation?: Isolation | undefined;
  /**
   * Keys that are read in one request before the function begins, so that reading them there costs nothing.
   *
   * @default none; from the second try on what was read in the try before
   * @remarks Go: `WithPrefetch`, where they also count as read.
   */
  readonly prefetch?: readonly Key[] | undefined;
  /**
   * How often to try before giving up with `EtcdConflictError`.
   *
   * @default 64
   * @remarks a whole number from 1. Go has no limit, and no pause between tries.
   */
  readonly maxTries?: number | undefined;
}

/**
 * Reads and writes by the transaction it is given, and should do nothing else, since it may be run several times. May be
 * async. If it throws, nothing is written, and it is not run again.
 */
export type StmFunction<T> = (transaction: StmTransaction) => T | Promise<T>;

/** A transaction that was committed. */
export interface StmResponse<T> {
  /** What the function returned when it was last run. */
  readonly result: T;
  /** Its `revision` is the one the transaction made, if it wrote anything. */
  readonly header: ResponseHeader;
  /** How often it was tried; 1 if nobody came between. */
  readonly tries: number;
}

const ISOLATIONS: Readonly<Record<Isolation, IsolationRules>> = {
  'serializable-snapshot': { isSnapshot: true, checksReads: true, checksWrites: true },
  serializable: { isSnapshot: true, checksReads: true, checksWrites: false },
  'repeatable-reads': { isSnapshot: false, checksReads: true, checksWrites: false },
  'read-committed': { isSnapshot: false, checksReads: false, checksWrites: false },
};

const DEFAULT_MAX_TRIES = 64;
/** As in `kv.update`: the first pause is about one write of a cluster, the longest keeps a crowd from starving one of its own. */
const PAUSES = { firstMs: 10, maxMs: 250 };
const METHOD = 'Concurrency.Stm';

/** What came of one try. */
type Outcome<T> =
  | { readonly name: 'committed'; readonly result: T; readonly header: ResponseHeader }
  /** Somebody else changed this key. */
  | { readonly name: 'conflict'; readonly key: string }
  /** The revision of the snapshot was compacted away meanwhile. */
  | { readonly name: 'too-old'; readonly key: string };

/** One software transaction. */
export class Stm<T> {
  private readonly rules: IsolationRules;
  private readonly timeoutMs: number;
  private readonly maxTries: number;
  private readonly startedAt: number;
  private prefetch: readonly Uint8Array[];

  /** @throws {EtcdInvalidArgumentError} when an option cannot be. */
  constructor(
    private readonly tools: Tools,
    private readonly apply: StmFunction<T>,
    private readonly options: StmOptions,
  ) {
    const { isolation = 'serializable-snapshot', maxTries = DEFAULT_MAX_TRIES, timeoutMs, prefetch = [] } = options;
    this.rules = rulesOf(isolation);
    this.maxTries = requireTries(maxTries);
    this.timeoutMs = timeoutMs === undefined ? tools.callTimeoutMs : requireTimeout('timeoutMs', timeoutMs);
    this.prefetch = prefetch.map((key) => keyBytes(key, 'prefetch'));
    this.startedAt = tools.clock.now();
  }

  async run(): Promise<StmResponse<T>> {
    const scope = new WaitScope(this.tools, METHOD, this.options.signal);
    try {
      for (let tries = 1; ; tries++) {
        scope.check();
        const outcome = await this.attempt(tries, scope.signal);
        if (outcome.name === 'committed') return { result: outcome.result, header: outcome.header, tries };
        if (tries >= this.maxTries) throw new EtcdConflictError(outcome.key, tries, context(tries));
        await this.rest(tries, scope.signal);
      }
    } catch (error) {
      scope.check();
      throw error;
    } finally {
      scope.close();
    }
  }

  private async attempt(tries: number, signal: AbortSignal): Promise<Outcome<T>> {
    const callOptions = (): CallOptions => ({ signal, timeoutMs: this.timeLeft(tries) });
    // A stale answer costs a conflict; the member that gave it may be behind for longer.
    const mayBeStale = tries === 1;
    const transaction = new StmTransaction({ tools: this.tools, rules: this.rules, callOptions, mayBeStale });
    const applied = await this.applyTo(transaction);
    if (transaction.end() !== undefined) return { name: 'too-old', key: textOf(transaction.readKeys()[0]) };
    if ('error' in applied) throw applied.error;
    return this.commit(transaction, applied.result, callOptions());
  }

  /** Never rejects: of a snapshot that was compacted away the function may have thrown anything. */
  private async applyTo(transaction: StmTransaction): Promise<{ readonly result: T } | { readonly error: unknown }> {
    try {
      await transaction.prefetch(this.prefetch);
      return { result: await this.apply(transaction) };
    } catch (error) {
      return { error };
    }
  }

  /** Read anew after a pause: what the lost try saw is likely to be old. */
  private async commit(transaction: StmTransaction, result: T, options: CallOptions): Promise<Outcome<T>> {
    const commit = transaction.commit();
    refuseTooManyKeys(commit, this.tools.maxTxnOperations);
    const { compares, operations, reads, changedKey } = commit;
    const answer = await this.tools.kv
      .txn()
      .if(...compares)
      .then(...operations)
      .else(...reads)
      .commit(options);
    const { succeeded, header, responses } = answer;
    if (succeeded) return { name: 'committed', result, header };
    this.prefetch = transaction.readKeys();
    return { name: 'conflict', key: textOf(changedKey(responses.map(({ kvs }) => kvs))) };
  }

  private rest(tries: number, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.tools;
    return pause(clock, Math.min(backoffMs(tries, PAUSES, random), this.timeLeft(tries)), signal);
  }

  private timeLeft(tries: number): number {
    const left = this.startedAt + this.timeoutMs - this.tools.clock.now();
    if (left > 0) return Math.ceil(left);
    const waitingFor = tries === 1 ? 'waiting for the transaction’s function' : `others came first, ${tries - 1} times`;
    throw new EtcdDeadlineExceededError(this.timeoutMs, waitingFor, [], context(tries));
  }
}

function context(attempts: number): ErrorContext {
  return { method: METHOD, attempts, outcome: 'not-applied' };
}

function rulesOf(isolation: unknown): IsolationRules {
  const rules = new Map<unknown, IsolationRules>(Object.entries(ISOLATIONS)).get(isolation);
  if (rules !== undefined) return rules;
  const names = Object.keys(ISOLATIONS).map((name) => `'${name}'`);
  throw new EtcdInvalidArgumentError('isolation', `must be one of ${names.join(', ')}`, isolation);
}

function requireTries(maxTries: unknown): number {
  if (Number.isSafeInteger(maxTries) && (maxTries as number) >= 1) return maxTries as number;
  throw new EtcdInvalidArgumentError(
    'maxTries',
    `must be a whole number from 1 to ${Number.MAX_SAFE_INTEGER}`,
    maxTries,
  );
}

function textOf(key: Uint8Array = new Uint8Array()): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('utf8');
}
