/** Builds a transaction step by step; each step allows only what may follow it. */
import { EtcdInvalidArgumentError } from '../errors.js';
import type { CallOptions } from '../rpc/rpc.js';
import type { Compare } from './compare.js';
import type { Operations, TxnSpec } from './operations.js';
import type { TxnResponse } from './txn-response.js';

/** Options of a call that writes. */
export interface WriteOptions extends CallOptions {
  /**
   * Says that the write may be applied twice without harm, so that it is repeated like a read when its outcome is not known.
   *
   * @default false: sent again only if it certainly was not applied
   */
  readonly idempotent?: boolean | undefined;
}

/** Options of `commit()`. */
export type CommitOptions = WriteOptions;

/** How a finished transaction is sent. */
export type SendTxn = <Then extends Operations, Else extends Operations>(
  spec: TxnSpec<Then, Else>,
  options: CommitOptions | undefined,
) => Promise<TxnResponse<Then, Else>>;

type None = readonly [];
const NONE: None = [];

/*
 * Two of these steps have a method `then`, since that is etcd's word. To JavaScript that makes them promises: `await`
 * calls `then` with two functions. No operation is a function, so such a call is told apart and refused, which rejects
 * the `await` (or the async function that returned the step) instead of leaving it pending for ever. The compiler says
 * so earlier: it rejects `await` on something whose `then` takes no callbacks.
 */
function refuseAwait(operations: readonly unknown[]): void {
  if (!operations.some((operation) => typeof operation === 'function')) return;
  throw new EtcdInvalidArgumentError(
    'then',
    'takes operations: a transaction is no promise, and cannot be awaited or returned from an async function before commit()',
    undefined,
    { method: 'KV.Txn' },
  );
}

/** A transaction without anything in it yet. Steps change nothing: each makes a new one, so that a start may be shared. */
export class Txn {
  /** @internal use `kv.txn()`. */
  constructor(private readonly send: SendTxn) {}

  /** Sets the conditions: all of them have to hold. */
  if(...compares: readonly Compare[]): TxnIf {
    return new TxnIf(this.send, compares);
  }

  /** Sets what to do, without a condition. */
  then<const Then extends Operations>(...operations: Then): TxnReady<Then, None> {
    refuseAwait(operations);
    return new TxnReady(this.send, { if: [], then: operations, else: NONE });
  }
}

/** A transaction with conditions. */
export class TxnIf {
  /** @internal */
  constructor(
    private readonly send: SendTxn,
    private readonly compares: readonly Compare[],
  ) {}

  /** Sets what to do if every condition holds. */
  then<const Then extends Operations>(...operations: Then): TxnThen<Then> {
    refuseAwait(operations);
    return new TxnThen(this.send, { if: this.compares, then: operations, else: NONE });
  }

  /** Sets what to do if a condition does not hold. */
  else<const Else extends Operations>(...operations: Else): TxnReady<None, Else> {
    return new TxnReady(this.send, { if: this.compares, then: NONE, else: operations });
  }

  /** Sends it, to learn whether the conditions hold. See {@link TxnReady.commit}. */
  commit(options?: CommitOptions): Promise<TxnResponse<None, None>> {
    return this.send({ if: this.compares, then: NONE, else: NONE }, options);
  }
}

/** A transaction that can be sent. */
export class TxnReady<Then extends Operations, Else extends Operations> {
  /** @internal */
  constructor(
    protected readonly send: SendTxn,
    protected readonly spec: TxnSpec<Then, Else>,
  ) {}

  /**
   * Sends the transaction. It is applied as a whole or not at all, and all its writes share one revision. Can be called
   * again; each call sends it anew.
   *
   * One that only reads is repeated on another endpoint as reads are; one that writes is not, unless `idempotent`.
   *
   * @returns `succeeded` says which branch was run, `responses` what its operations answered, in their order.
   * @throws {EtcdTooManyOperationsError} when there are more than `maxTxnOperations`; nothing is sent.
   * @throws {EtcdDuplicateKeyError} when a key is written twice in one branch; nothing is sent.
   */
  commit(options?: CommitOptions): Promise<TxnResponse<Then, Else>> {
    return this.send(this.spec, options);
  }
}

/** A transaction with conditions and what to do if they hold. */
export class TxnThen<Then extends Operations> extends TxnReady<Then, None> {
  /** Sets what to do if a condition does not hold. */
  else<const Else extends Operations>(...operations: Else): TxnReady<Then, Else> {
    return new TxnReady(this.send, { ...this.spec, else: operations });
  }
}
