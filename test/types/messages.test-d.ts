/** What the types of the messages promise. Nothing here runs: that it compiles is the test. */
import { type Codec, codecOf } from '../../lib/client/rpc/codec.js';
import type * as wire from '../../lib/client/rpc/generated/messages.js';

/** True if both are the same type, and neither is `any`, which would be the same as everything. */
type Equals<A, B> = 0 extends 1 & A ? false : [A] extends [B] ? ([B] extends [A] ? true : false) : false;
type Extends<A, B> = A extends B ? true : false;

/** Compiles for `true` only. */
type Assert<Claim extends true> = Claim;

/* Identifiers are strings: they use all 64 bits, and a number would round them. */
export type IdentifiersAreStrings = [
  Assert<Equals<wire.ResponseHeader['clusterId'], string>>,
  Assert<Equals<wire.ResponseHeader['memberId'], string>>,
  Assert<Equals<wire.KeyValue['lease'], string>>,
  Assert<Equals<wire.PutRequest['lease'], string | undefined>>,
  Assert<Equals<wire.Compare['lease'], string | undefined>>,
  Assert<Equals<wire.LeaseGrantRequest['ID'], string | undefined>>,
  Assert<Equals<wire.LeaseKeepAliveResponse['ID'], string>>,
  Assert<Equals<wire.Member['ID'], string>>,
  Assert<Equals<wire.MoveLeaderRequest['targetID'], string | undefined>>,
  Assert<Equals<wire.StatusResponse['leader'], string>>,
  Assert<Equals<wire.LockRequest['lease'], string | undefined>>,
];

/* Revisions, versions, counts, TTLs, sizes and terms are numbers, not bigints or Longs. */
export type CountsAreNumbers = [
  Assert<Equals<wire.ResponseHeader['revision'], number>>,
  Assert<Equals<wire.ResponseHeader['raftTerm'], number>>,
  Assert<Equals<wire.KeyValue['modRevision'], number>>,
  Assert<Equals<wire.KeyValue['version'], number>>,
  Assert<Equals<wire.RangeRequest['limit'], number | undefined>>,
  Assert<Equals<wire.RangeResponse['count'], number>>,
  Assert<Equals<wire.LeaseTimeToLiveResponse['grantedTTL'], number>>,
  Assert<Equals<wire.WatchResponse['watchId'], number>>,
  Assert<Equals<wire.StatusResponse['dbSize'], number>>,
  Assert<Equals<wire.LeaderKey['rev'], number>>,
];

/* Keys and values are bytes. */
export type KeysAreBytes = [
  Assert<Equals<wire.KeyValue['key'], Uint8Array>>,
  Assert<Equals<wire.LeaseTimeToLiveResponse['keys'], readonly Uint8Array[]>>,
];

/* Enums are their names, and on a field also what only a newer server knows. */
export type EnumsAreNames = [
  Assert<Equals<wire.EventType, 'PUT' | 'DELETE'>>,
  Assert<Equals<wire.Event['type'], wire.EventType | wire.UnknownEnum>>,
];

/* A message may be missing from an answer; a member of a oneof is simply not there. */
export type AbsenceShows = [
  Assert<Equals<wire.RangeResponse['header'], wire.ResponseHeader | null>>,
  Assert<Equals<wire.Event['prevKv'], wire.KeyValue | null>>,
  Assert<Equals<wire.ResponseOp['responsePut'], wire.PutResponse | undefined>>,
];

/* What was received can be sent again: a permission to grant elsewhere, a leadership to resign. */
export type AnswersCanBeSentBack = [
  Assert<Extends<wire.Permission, wire.PermissionInput>>,
  Assert<Extends<wire.LeaderKey, wire.LeaderKeyInput>>,
];

const range = codecOf('/etcdserverpb.KV/Range');

/* A codec knows its messages by the path. */
export type CodecsKnowTheirMessages = [Assert<Equals<typeof range, Codec<wire.RangeRequest, wire.RangeResponse>>>];

/* A request without fields takes none. */
export const status: wire.StatusRequest = {};
// @ts-expect-error there is nothing to choose
export const wrong: wire.StatusRequest = { version: '3.7' };

// @ts-expect-error a string is no key: it would have to be encoded first
range.encode({ key: 'a' });
// @ts-expect-error revisions are numbers
range.encode({ revision: 5n });
