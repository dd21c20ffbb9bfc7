/** What a transaction answers: one answer per operation that was run, each of its operation's kind. */
import { EtcdProtocolError } from '../errors.js';
import type { KeyValue } from '../key-value.js';
import type * as wire from '../rpc/generated/messages.js';
import type { DeleteOperation, GetOperation, Operation, Operations, PutOperation, TxnOperation } from './operations.js';
import { headerOf, toKeyValue, toKeyValues, type ResponseHeader } from './responses.js';

/** The answer to a `get`. */
export interface GetResult {
  readonly kind: 'get';
  /** By key unless sorted otherwise; empty when nothing matches. */
  readonly kvs: readonly KeyValue[];
  /** How many keys the range holds, whatever limit and revision bounds left of them. */
  readonly count: number;
  /** Whether the limit cut keys off. */
  readonly more: boolean;
}

/** The answer to a `put`. */
export interface PutResult {
  readonly kind: 'put';
  /** The key as it was before; `undefined` unless asked for, and where there was none. */
  readonly prevKv: KeyValue | undefined;
}

/** The answer to a `del`. */
export interface DeleteResult {
  readonly kind: 'delete';
  /** How many keys were deleted. */
  readonly deleted: number;
  /** The keys as they were before; empty unless asked for. */
  readonly prevKvs: readonly KeyValue[];
}

/** Which branch was run, and the answers to its operations, in their order. */
type TxnOutcome<Then extends Operations = Operations, Else extends Operations = Operations> =
  | { readonly succeeded: true; readonly responses: ResultsOf<Then> }
  | { readonly succeeded: false; readonly responses: ResultsOf<Else> };

/** The answer to a nested `txn`. */
export type TxnResult<Then extends Operations = Operations, Else extends Operations = Operations> = {
  readonly kind: 'txn';
} & TxnOutcome<Then, Else>;

/** The answer to any operation. */
export type OperationResult = GetResult | PutResult | DeleteResult | TxnResult;

/** The answer to an operation of this type. */
type ResultOf<Op extends Operation> = Op extends GetOperation
  ? GetResult
  : Op extends PutOperation
    ? PutResult
    : Op extends DeleteOperation
      ? DeleteResult
      : Op extends TxnOperation<infer Then, infer Else>
        ? TxnResult<Then, Else>
        : never;

/** The answers to operations of these types, in their order. */
type ResultsOf<Ops extends Operations> = { readonly [Index in keyof Ops]: ResultOf<Ops[Index]> };

/**
 * The outcome of a transaction: `succeeded` says whether every compare held, `responses` holds the answers to the
 * operations of the branch that was run.
 */
export type TxnResponse<Then extends Operations = Operations, Else extends Operations = Operations> = {
  /** Its `revision` is the one this transaction made: the `modRevision` of all keys it wrote. */
  readonly header: ResponseHeader;
} & TxnOutcome<Then, Else>;

/** Reads the answer; the types of `responses` follow from what was asked. */
export function toTxnResponse<Then extends Operations, Else extends Operations>(
  answer: wire.TxnResponse,
): TxnResponse<Then, Else> {
  const { succeeded, responses } = answer;
  return { header: headerOf(answer), succeeded, responses: responses.map(toResult) } as unknown as TxnResponse<
    Then,
    Else
  >;
}

/** The answers inside have headers too, but etcd fills them in only in part: the one of the whole has it all. */
function toResult(answer: wire.ResponseOp): OperationResult {
  if (answer.responseRange != null) {
    const { kvs, count, more } = answer.responseRange;
    return { kind: 'get', kvs: toKeyValues(kvs), count, more };
  }
  if (answer.responsePut != null) return { kind: 'put', prevKv: toKeyValue(answer.responsePut.prevKv) };
  if (answer.responseDeleteRange != null) {
    const { deleted, prevKvs } = answer.responseDeleteRange;
    return { kind: 'delete', deleted, prevKvs: toKeyValues(prevKvs) };
  }
  if (answer.responseTxn != null) {
    const { succeeded, responses } = answer.responseTxn;
    return { kind: 'txn', succeeded, responses: responses.map(toResult) };
  }
  throw new EtcdProtocolError('the answer to an operation of a transaction is of no known kind');
}
