/** A transaction as it goes over the wire, and whether it only reads. */
import type * as wire from '../rpc/generated/messages.js';
import type { Operation, Operations, TxnSpec } from './operations.js';

/** The request for a transaction. */
export function toTxnRequest(spec: TxnSpec): wire.TxnRequest {
  return {
    compare: spec.if.map(({ request }) => request),
    success: spec.then.map(toRequestOp),
    failure: spec.else.map(toRequestOp),
  };
}

/** Whether no branch writes, so that the transaction may be repeated freely. */
export function isReadOnly(spec: TxnSpec): boolean {
  return onlyReads(spec.then) && onlyReads(spec.else);
}

function onlyReads(operations: Operations): boolean {
  return operations.every(
    (operation) => operation.kind === 'get' || (operation.kind === 'txn' && isReadOnly(operation)),
  );
}

function toRequestOp(operation: Operation): wire.RequestOp {
  switch (operation.kind) {
    case 'get':
      return { requestRange: operation.request };
    case 'put':
      return { requestPut: operation.request };
    case 'delete':
      return { requestDeleteRange: operation.request };
    case 'txn':
      return { requestTxn: toTxnRequest(operation) };
  }
}
