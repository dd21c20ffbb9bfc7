/** Several reads at one revision. */
import { EtcdProtocolError } from '../errors.js';
import type { KeyValue } from '../key-value.js';
import type { GetOperation } from '../kv/operations.js';
import type { ResponseHeader } from '../kv/responses.js';
import type { CallOptions } from '../rpc/rpc.js';
import type { Tools } from './tools.js';

/** What each of the reads found, in their order, and the revision of the store at that time. */
export interface ReadTogether<Reads extends readonly GetOperation[]> {
  readonly header: ResponseHeader;
  readonly found: { readonly [Index in keyof Reads]: readonly KeyValue[] };
}

/** @throws {EtcdTooManyOperationsError} when there are more reads than a transaction may have. */
export async function readTogether<const Reads extends readonly GetOperation[]>(
  kv: Tools['kv'],
  reads: Reads,
  options: CallOptions,
): Promise<ReadTogether<Reads>> {
  const { header, succeeded, responses } = await kv
    .txn()
    .then(...reads)
    .commit(options);
  if (!succeeded)
    throw new EtcdProtocolError('a transaction without conditions says that they do not hold', { method: 'KV.Txn' });
  return { header, found: responses.map(({ kvs }) => kvs) as unknown as ReadTogether<Reads>['found'] };
}
