/** How the requests and answers of each RPC look from inside a namespace. */
import { withKey } from '../key-value.js';
import type * as wire from '../rpc/generated/messages.js';
import {
  COMPACT,
  DELETE_RANGE,
  LEASE_GRANT,
  LEASE_KEEP_ALIVE,
  LEASE_LEASES,
  LEASE_REVOKE,
  LEASE_TIME_TO_LIVE,
  PUT,
  RANGE,
  RANGE_STREAM,
  TXN,
} from '../rpc/methods.js';
import type { DuplexMethod, MethodInfo, UnaryMethod } from '../rpc/rpc.js';
import type { Keyspace } from './keyspace.js';

/** Puts the prefix in front of the keys of a request, and takes it off those of an answer. Changes neither. */
export interface Translation<Req, Res> {
  readonly request: (space: Keyspace, request: Req) => Req;
  readonly answer: (space: Keyspace, answer: Res) => Res;
}

/** RPCs that name no key: they go through as they are. */
const KEYLESS: ReadonlySet<string> = new Set(
  [COMPACT, LEASE_GRANT, LEASE_REVOKE, LEASE_LEASES, LEASE_KEEP_ALIVE].map(({ path }) => path),
);

const AS_IT_IS: Translation<unknown, unknown> = {
  request: (_space, request) => request,
  answer: (_space, answer) => answer,
};

/** A request that names a key, or a range of keys. */
interface Ranged {
  readonly key?: Uint8Array | undefined;
  readonly rangeEnd?: Uint8Array | undefined;
}

function rangeToStore<Req extends Ranged>(space: Keyspace, request: Req): Req {
  return { ...request, key: space.toStore(request.key), rangeEnd: space.rangeEndToStore(request.rangeEnd) };
}

function putToStore(space: Keyspace, request: wire.PutRequest): wire.PutRequest {
  return { ...request, key: space.toStore(request.key) };
}

function txnToStore(space: Keyspace, { compare, success, failure }: wire.TxnRequest): wire.TxnRequest {
  return {
    compare: compare?.map((one) => rangeToStore(space, one)),
    success: success?.map((operation) => operationToStore(space, operation)),
    failure: failure?.map((operation) => operationToStore(space, operation)),
  };
}

function operationToStore(space: Keyspace, operation: wire.RequestOp): wire.RequestOp {
  const { requestRange, requestPut, requestDeleteRange, requestTxn } = operation;
  return {
    requestRange: requestRange && rangeToStore(space, requestRange),
    requestPut: requestPut && putToStore(space, requestPut),
    requestDeleteRange: requestDeleteRange && rangeToStore(space, requestDeleteRange),
    requestTxn: requestTxn && txnToStore(space, requestTxn),
  };
}

/** @throws {EtcdProtocolError} when it is no key of the namespace. */
function keyValueFromStore(space: Keyspace, kv: wire.KeyValue): wire.KeyValue {
  return withKey(kv, space.fromStore(kv.key));
}

function optionalFromStore(space: Keyspace, kv: wire.KeyValue | null): wire.KeyValue | null {
  return kv === null ? null : keyValueFromStore(space, kv);
}

function rangeFromStore(space: Keyspace, { header, kvs, more, count }: wire.RangeResponse): wire.RangeResponse {
  return { header, kvs: kvs.map((kv) => keyValueFromStore(space, kv)), more, count };
}

function putFromStore(space: Keyspace, { header, prevKv }: wire.PutResponse): wire.PutResponse {
  return { header, prevKv: optionalFromStore(space, prevKv) };
}

function deleteFromStore(space: Keyspace, answer: wire.DeleteRangeResponse): wire.DeleteRangeResponse {
  const { header, deleted, prevKvs } = answer;
  return { header, deleted, prevKvs: prevKvs.map((kv) => keyValueFromStore(space, kv)) };
}

function txnFromStore(space: Keyspace, { header, succeeded, responses }: wire.TxnResponse): wire.TxnResponse {
  return { header, succeeded, responses: responses.map((response) => operationFromStore(space, response)) };
}

function operationFromStore(space: Keyspace, operation: wire.ResponseOp): wire.ResponseOp {
  const { responseRange, responsePut, responseDeleteRange, responseTxn } = operation;
  return {
    responseRange: responseRange && rangeFromStore(space, responseRange),
    responsePut: responsePut && putFromStore(space, responsePut),
    responseDeleteRange: responseDeleteRange && deleteFromStore(space, responseDeleteRange),
    responseTxn: responseTxn && txnFromStore(space, responseTxn),
  };
}

function pieceFromStore(space: Keyspace, { rangeResponse }: wire.RangeStreamResponse): wire.RangeStreamResponse {
  return { rangeResponse: rangeResponse && rangeFromStore(space, rangeResponse) };
}

/** A lease belongs to the whole store: it may well hold keys that are none of the namespace's business. */
function leaseFromStore(space: Keyspace, answer: wire.LeaseTimeToLiveResponse): wire.LeaseTimeToLiveResponse {
  const { header, ID, TTL, grantedTTL, keys } = answer;
  const own = keys.filter((key) => space.holds(key)).map((key) => space.fromStore(key));
  return { header, ID, TTL, grantedTTL, keys: own };
}

/** The method's constant in `methods.ts` ties the path to the types. */
function translate<Req, Res>(
  method: UnaryMethod<Req, Res> | DuplexMethod<Req, Res>,
  request: (space: Keyspace, request: Req) => Req,
  answer: (space: Keyspace, answer: Res) => Res,
): [path: string, Translation<unknown, unknown>] {
  return [method.path, { request, answer } as Translation<unknown, unknown>];
}

const TRANSLATIONS: ReadonlyMap<string, Translation<unknown, unknown>> = new Map([
  translate(RANGE, rangeToStore, rangeFromStore),
  translate(RANGE_STREAM, rangeToStore, pieceFromStore),
  translate(PUT, putToStore, putFromStore),
  translate(DELETE_RANGE, rangeToStore, deleteFromStore),
  translate(TXN, txnToStore, txnFromStore),
  translate(LEASE_TIME_TO_LIVE, (_space, request) => request, leaseFromStore),
]);

/**
 * The translation for an RPC. One that is not known here is refused, since its keys would go out as they are: a new RPC
 * is usable in namespaces only once somebody has decided what becomes of its keys.
 */
export function translationOf<Req, Res>(
  method: MethodInfo & { readonly shape?: (request: Req) => Res },
): Translation<Req, Res> {
  const translation = KEYLESS.has(method.path) ? AS_IT_IS : TRANSLATIONS.get(method.path);
  if (translation === undefined) throw new Error(`bug: ${method.label} is not known in namespaces`);
  return translation as Translation<Req, Res>;
}
