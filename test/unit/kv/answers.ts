/** Answers of a KV server, as the seam hands them over. */
import type * as wire from '../../../lib/client/rpc/generated/messages.js';
import { FakeRpc } from '../../support/fake-rpc.js';
import { FakeClock } from '../../support/fake-clock.js';
import { EtcdKv, type KvLimits } from '../../../lib/client/kv/kv.js';

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = (data: Uint8Array | undefined): string => new TextDecoder().decode(data);

export function header(revision = 7): wire.ResponseHeader {
  return { clusterId: 'c1', memberId: 'a1', revision, raftTerm: 2 };
}

export function stored(key: string, value = 'x', facts: Partial<wire.KeyValue> = {}): wire.KeyValue {
  return {
    key: bytes(key),
    value: bytes(value),
    createRevision: 2,
    modRevision: 2,
    version: 1,
    lease: '0',
    ...facts,
  };
}

export function rangeAnswer(kvs: wire.KeyValue[], facts: Partial<wire.RangeResponse> = {}): wire.RangeResponse {
  return { header: header(), kvs, count: kvs.length, more: false, ...facts };
}

export const putAnswer = (revision = 8): wire.PutResponse => ({ header: header(revision), prevKv: null });

export function txnAnswer(succeeded: boolean, responses: wire.ResponseOp[], revision = 8): wire.TxnResponse {
  return { header: header(revision), succeeded, responses };
}

const LIMITS: KvLimits = { maxTxnOperations: 128, callTimeoutMs: 5_000 };

/** A service on a scripted server, with a clock that stands still and pauses of the full length. */
export function fakeKv(limits: Partial<KvLimits> = {}): { kv: EtcdKv; rpc: FakeRpc; clock: FakeClock } {
  const rpc = new FakeRpc();
  const clock = new FakeClock();
  const kv = new EtcdKv(rpc, { ...LIMITS, ...limits }, { clock, random: () => 1 });
  return { kv, rpc, clock };
}
