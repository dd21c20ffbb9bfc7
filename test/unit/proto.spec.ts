/** What proto/ has to say, written down a second time from the protocol itself, and whether the generated code says it too. */
import { describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { IDENTIFIERS } from '../../scripts/identifiers.js';
import { isIdentifier, protocol } from '../support/server-codec.js';

/**
 * The protocol of etcd 3.7. `Message: number name type`, with `repeated` and `in <oneof>` where it applies, and `since`
 * where the message came after 3.0; types of the same package are named without it.
 */
const PROTOCOL = `
package mvccpb
KeyValue: 1 key bytes; 2 create_revision int64; 3 mod_revision int64; 4 version int64; 5 value bytes; 6 lease int64
enum Event.EventType: PUT=0; DELETE=1
Event: 1 type EventType; 2 kv KeyValue; 3 prev_kv KeyValue
package authpb
UserAddOptions: 1 no_password bool
User: 1 name bytes; 2 password bytes; 3 roles repeated string; 4 options UserAddOptions
enum Permission.Type: READ=0; WRITE=1; READWRITE=2
Permission: 1 permType Type; 2 key bytes; 3 range_end bytes
Role: 1 name bytes; 2 keyPermission repeated Permission
package etcdserverpb
rpc KV.Range: RangeRequest -> RangeResponse
rpc KV.RangeStream: RangeRequest -> stream RangeStreamResponse
rpc KV.Put: PutRequest -> PutResponse
rpc KV.DeleteRange: DeleteRangeRequest -> DeleteRangeResponse
rpc KV.Txn: TxnRequest -> TxnResponse
rpc KV.Compact: CompactionRequest -> CompactionResponse
rpc Watch.Watch: stream WatchRequest -> stream WatchResponse
rpc Lease.LeaseGrant: LeaseGrantRequest -> LeaseGrantResponse
rpc Lease.LeaseRevoke: LeaseRevokeRequest -> LeaseRevokeResponse
rpc Lease.LeaseKeepAlive: stream LeaseKeepAliveRequest -> stream LeaseKeepAliveResponse
rpc Lease.LeaseTimeToLive: LeaseTimeToLiveRequest -> LeaseTimeToLiveResponse
rpc Lease.LeaseLeases: LeaseLeasesRequest -> LeaseLeasesResponse
rpc Cluster.MemberAdd: MemberAddRequest -> MemberAddResponse
rpc Cluster.MemberRemove: MemberRemoveRequest -> MemberRemoveResponse
rpc Cluster.MemberUpdate: MemberUpdateRequest -> MemberUpdateResponse
rpc Cluster.MemberList: MemberListRequest -> MemberListResponse
rpc Cluster.MemberPromote: MemberPromoteRequest -> MemberPromoteResponse
rpc Maintenance.Alarm: AlarmRequest -> AlarmResponse
rpc Maintenance.Status: StatusRequest -> StatusResponse
rpc Maintenance.Defragment: DefragmentRequest -> DefragmentResponse
rpc Maintenance.Hash: HashRequest -> HashResponse
rpc Maintenance.HashKV: HashKVRequest -> HashKVResponse
rpc Maintenance.Snapshot: SnapshotRequest -> stream SnapshotResponse
rpc Maintenance.MoveLeader: MoveLeaderRequest -> MoveLeaderResponse
rpc Maintenance.Downgrade: DowngradeRequest -> DowngradeResponse
rpc Auth.AuthEnable: AuthEnableRequest -> AuthEnableResponse
rpc Auth.AuthDisable: AuthDisableRequest -> AuthDisableResponse
rpc Auth.AuthStatus: AuthStatusRequest -> AuthStatusResponse
rpc Auth.Authenticate: AuthenticateRequest -> AuthenticateResponse
rpc Auth.UserAdd: AuthUserAddRequest -> AuthUserAddResponse
rpc Auth.UserGet: AuthUserGetRequest -> AuthUserGetResponse
rpc Auth.UserList: AuthUserListRequest -> AuthUserListResponse
rpc Auth.UserDelete: AuthUserDeleteRequest -> AuthUserDeleteResponse
rpc Auth.UserChangePassword: AuthUserChangePasswordRequest -> AuthUserChangePasswordResponse
rpc Auth.UserGrantRole: AuthUserGrantRoleRequest -> AuthUserGrantRoleResponse
rpc Auth.UserRevokeRole: AuthUserRevokeRoleRequest -> AuthUserRevokeRoleResponse
rpc Auth.RoleAdd: AuthRoleAddRequest -> AuthRoleAddResponse
rpc Auth.RoleGet: AuthRoleGetRequest -> AuthRoleGetResponse
rpc Auth.RoleList: AuthRoleListRequest -> AuthRoleListResponse
rpc Auth.RoleDelete: AuthRoleDeleteRequest -> AuthRoleDeleteResponse
rpc Auth.RoleGrantPermission: AuthRoleGrantPermissionRequest -> AuthRoleGrantPermissionResponse
rpc Auth.RoleRevokePermission: AuthRoleRevokePermissionRequest -> AuthRoleRevokePermissionResponse
ResponseHeader: 1 cluster_id uint64; 2 member_id uint64; 3 revision int64; 4 raft_term uint64
enum RangeRequest.SortOrder: NONE=0; ASCEND=1; DESCEND=2
enum RangeRequest.SortTarget: KEY=0; VERSION=1; CREATE=2; MOD=3; VALUE=4
RangeRequest: 1 key bytes; 2 range_end bytes; 3 limit int64; 4 revision int64; 5 sort_order SortOrder; 6 sort_target
  SortTarget; 7 serializable bool; 8 keys_only bool; 9 count_only bool; 10 min_mod_revision int64; 11 max_mod_revision
  int64; 12 min_create_revision int64; 13 max_create_revision int64
RangeResponse: 1 header ResponseHeader; 2 kvs repeated mvccpb.KeyValue; 3 more bool; 4 count int64
PutRequest: 1 key bytes; 2 value bytes; 3 lease int64; 4 prev_kv bool; 5 ignore_value bool; 6 ignore_lease bool
PutResponse: 1 header ResponseHeader; 2 prev_kv mvccpb.KeyValue
DeleteRangeRequest: 1 key bytes; 2 range_end bytes; 3 prev_kv bool
DeleteRangeResponse: 1 header ResponseHeader; 2 deleted int64; 3 prev_kvs repeated mvccpb.KeyValue
RequestOp: 1 request_range RangeRequest in request; 2 request_put PutRequest in request; 3 request_delete_range
  DeleteRangeRequest in request; 4 request_txn TxnRequest in request
ResponseOp: 1 response_range RangeResponse in response; 2 response_put PutResponse in response; 3
  response_delete_range DeleteRangeResponse in response; 4 response_txn TxnResponse in response
enum Compare.CompareResult: EQUAL=0; GREATER=1; LESS=2; NOT_EQUAL=3
enum Compare.CompareTarget: VERSION=0; CREATE=1; MOD=2; VALUE=3; LEASE=4
Compare: 1 result CompareResult; 2 target CompareTarget; 3 key bytes; 4 version int64 in target_union; 5
  create_revision int64 in target_union; 6 mod_revision int64 in target_union; 7 value bytes in target_union; 8 lease
  int64 in target_union; 64 range_end bytes
TxnRequest: 1 compare repeated Compare; 2 success repeated RequestOp; 3 failure repeated RequestOp
TxnResponse: 1 header ResponseHeader; 2 succeeded bool; 3 responses repeated ResponseOp
CompactionRequest: 1 revision int64; 2 physical bool
CompactionResponse: 1 header ResponseHeader
HashRequest:
HashKVRequest since 3.3: 1 revision int64
HashKVResponse since 3.3: 1 header ResponseHeader; 2 hash uint32; 3 compact_revision int64; 4 hash_revision int64
HashResponse: 1 header ResponseHeader; 2 hash uint32
SnapshotRequest since 3.3:
SnapshotResponse since 3.3: 1 header ResponseHeader; 2 remaining_bytes uint64; 3 blob bytes; 4 version string
WatchRequest: 1 create_request WatchCreateRequest in request_union; 2 cancel_request WatchCancelRequest in
  request_union; 3 progress_request WatchProgressRequest in request_union
enum WatchCreateRequest.FilterType: NOPUT=0; NODELETE=1
WatchCreateRequest: 1 key bytes; 2 range_end bytes; 3 start_revision int64; 4 progress_notify bool; 5 filters repeated
  FilterType; 6 prev_kv bool; 7 watch_id int64; 8 fragment bool
WatchCancelRequest since 3.1: 1 watch_id int64
WatchProgressRequest since 3.4:
WatchResponse: 1 header ResponseHeader; 2 watch_id int64; 3 created bool; 4 canceled bool; 5 compact_revision int64; 6
  cancel_reason string; 7 fragment bool; 11 events repeated mvccpb.Event
LeaseGrantRequest: 1 TTL int64; 2 ID int64
LeaseGrantResponse: 1 header ResponseHeader; 2 ID int64; 3 TTL int64; 4 error string
LeaseRevokeRequest: 1 ID int64
LeaseRevokeResponse: 1 header ResponseHeader
LeaseCheckpoint since 3.4: 1 ID int64; 2 remaining_TTL int64
LeaseCheckpointRequest since 3.4: 1 checkpoints repeated LeaseCheckpoint
LeaseCheckpointResponse since 3.4: 1 header ResponseHeader
LeaseKeepAliveRequest: 1 ID int64
LeaseKeepAliveResponse: 1 header ResponseHeader; 2 ID int64; 3 TTL int64
LeaseTimeToLiveRequest since 3.1: 1 ID int64; 2 keys bool
LeaseTimeToLiveResponse since 3.1: 1 header ResponseHeader; 2 ID int64; 3 TTL int64; 4 grantedTTL int64; 5 keys
  repeated bytes
LeaseLeasesRequest since 3.3:
LeaseStatus since 3.3: 1 ID int64
LeaseLeasesResponse since 3.3: 1 header ResponseHeader; 2 leases repeated LeaseStatus
Member: 1 ID uint64; 2 name string; 3 peerURLs repeated string; 4 clientURLs repeated string; 5 isLearner bool
MemberAddRequest: 1 peerURLs repeated string; 2 isLearner bool
MemberAddResponse: 1 header ResponseHeader; 2 member Member; 3 members repeated Member
MemberRemoveRequest: 1 ID uint64
MemberRemoveResponse: 1 header ResponseHeader; 2 members repeated Member
MemberUpdateRequest: 1 ID uint64; 2 peerURLs repeated string
MemberUpdateResponse: 1 header ResponseHeader; 2 members repeated Member
MemberListRequest: 1 linearizable bool
MemberListResponse: 1 header ResponseHeader; 2 members repeated Member
MemberPromoteRequest since 3.4: 1 ID uint64
MemberPromoteResponse since 3.4: 1 header ResponseHeader; 2 members repeated Member
DefragmentRequest:
DefragmentResponse: 1 header ResponseHeader
MoveLeaderRequest since 3.3: 1 targetID uint64
MoveLeaderResponse since 3.3: 1 header ResponseHeader
enum AlarmType: NONE=0; NOSPACE=1; CORRUPT=2
enum AlarmRequest.AlarmAction: GET=0; ACTIVATE=1; DEACTIVATE=2
AlarmRequest: 1 action AlarmAction; 2 memberID uint64; 3 alarm AlarmType
AlarmMember: 1 memberID uint64; 2 alarm AlarmType
AlarmResponse: 1 header ResponseHeader; 2 alarms repeated AlarmMember
enum DowngradeRequest.DowngradeAction: VALIDATE=0; ENABLE=1; CANCEL=2
DowngradeRequest since 3.5: 1 action DowngradeAction; 2 version string
DowngradeResponse since 3.5: 1 header ResponseHeader; 2 version string
DowngradeVersionTestRequest since 3.6: 1 ver string
StatusRequest:
StatusResponse: 1 header ResponseHeader; 2 version string; 3 dbSize int64; 4 leader uint64; 5 raftIndex uint64; 6
  raftTerm uint64; 7 raftAppliedIndex uint64; 8 errors repeated string; 9 dbSizeInUse int64; 10 isLearner bool; 11
  storageVersion string; 12 dbSizeQuota int64; 13 downgradeInfo DowngradeInfo
DowngradeInfo since 3.6: 1 enabled bool; 2 targetVersion string
AuthEnableRequest:
AuthDisableRequest:
AuthStatusRequest since 3.5:
AuthenticateRequest: 1 name string; 2 password string
AuthUserAddRequest: 1 name string; 2 password string; 3 options authpb.UserAddOptions; 4 hashedPassword string
AuthUserGetRequest: 1 name string
AuthUserDeleteRequest: 1 name string
AuthUserChangePasswordRequest: 1 name string; 2 password string; 3 hashedPassword string
AuthUserGrantRoleRequest: 1 user string; 2 role string
AuthUserRevokeRoleRequest: 1 name string; 2 role string
AuthRoleAddRequest: 1 name string
AuthRoleGetRequest: 1 role string
AuthUserListRequest:
AuthRoleListRequest:
AuthRoleDeleteRequest: 1 role string
AuthRoleGrantPermissionRequest: 1 name string; 2 perm authpb.Permission
AuthRoleRevokePermissionRequest: 1 role string; 2 key bytes; 3 range_end bytes
AuthEnableResponse: 1 header ResponseHeader
AuthDisableResponse: 1 header ResponseHeader
AuthStatusResponse since 3.5: 1 header ResponseHeader; 2 enabled bool; 3 authRevision uint64
AuthenticateResponse: 1 header ResponseHeader; 2 token string
AuthUserAddResponse: 1 header ResponseHeader
AuthUserGetResponse: 1 header ResponseHeader; 2 roles repeated string
AuthUserDeleteResponse: 1 header ResponseHeader
AuthUserChangePasswordResponse: 1 header ResponseHeader
AuthUserGrantRoleResponse: 1 header ResponseHeader
AuthUserRevokeRoleResponse: 1 header ResponseHeader
AuthRoleAddResponse: 1 header ResponseHeader
AuthRoleGetResponse: 1 header ResponseHeader; 2 perm repeated authpb.Permission
AuthRoleListResponse: 1 header ResponseHeader; 2 roles repeated string
AuthUserListResponse: 1 header ResponseHeader; 2 users repeated string
AuthRoleDeleteResponse: 1 header ResponseHeader
AuthRoleGrantPermissionResponse: 1 header ResponseHeader
AuthRoleRevokePermissionResponse: 1 header ResponseHeader
RangeStreamResponse since 3.7: 1 range_response RangeResponse
package v3lockpb
rpc Lock.Lock: LockRequest -> LockResponse
rpc Lock.Unlock: UnlockRequest -> UnlockResponse
LockRequest: 1 name bytes; 2 lease int64
LockResponse: 1 header etcdserverpb.ResponseHeader; 2 key bytes
UnlockRequest: 1 key bytes
UnlockResponse: 1 header etcdserverpb.ResponseHeader
package v3electionpb
rpc Election.Campaign: CampaignRequest -> CampaignResponse
rpc Election.Proclaim: ProclaimRequest -> ProclaimResponse
rpc Election.Leader: LeaderRequest -> LeaderResponse
rpc Election.Observe: LeaderRequest -> stream LeaderResponse
rpc Election.Resign: ResignRequest -> ResignResponse
CampaignRequest: 1 name bytes; 2 lease int64; 3 value bytes
CampaignResponse: 1 header etcdserverpb.ResponseHeader; 2 leader LeaderKey
LeaderKey: 1 name bytes; 2 key bytes; 3 rev int64; 4 lease int64
LeaderRequest: 1 name bytes
LeaderResponse: 1 header etcdserverpb.ResponseHeader; 2 kv mvccpb.KeyValue
ResignRequest: 1 leader LeaderKey
ResignResponse: 1 header etcdserverpb.ResponseHeader
ProclaimRequest: 1 leader LeaderKey; 2 value bytes
ProclaimResponse: 1 header etcdserverpb.ResponseHeader
`;

const PROTO_FILES = ['mvccpb.proto', 'authpb.proto', 'rpc.proto', 'v3lock.proto', 'v3election.proto'];

type Facts = Record<string, string>;

/** One entry per message, enum and RPC, by package and name; an indented line continues the one before. */
function expectedFacts(): Facts {
  const facts: Facts = {};
  let pkg = '';
  for (const line of PROTOCOL.replace(/\n {2}/g, ' ')
    .trim()
    .split('\n')) {
    const [, packageName] = /^package (\w+)$/.exec(line) ?? [];
    const colon = line.indexOf(':');
    if (packageName !== undefined) pkg = packageName;
    else facts[`${pkg} ${line.slice(0, colon)}`] = line.slice(colon + 1).trim();
  }
  return facts;
}

function loadProtos(): protobuf.Root {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => join('proto', target);
  return root.loadSync(PROTO_FILES, { keepCase: true, alternateCommentMode: true });
}

function actualFacts(parent: protobuf.NamespaceBase, pkg: string, scope = ''): Facts {
  const facts: Facts = {};
  for (const child of parent.nestedArray) {
    if (child instanceof protobuf.Type) {
      const since = /Since (\d\.\d)\./.exec(child.comment ?? '')?.[1];
      const head = `${pkg} ${scope}${child.name}${since === undefined ? '' : ` since ${since}`}`;
      facts[head] = child.fieldsArray.map((field) => fieldFact(field)).join('; ');
      Object.assign(facts, actualFacts(child, pkg, `${child.name}.`));
    } else if (child instanceof protobuf.Enum) {
      facts[`${pkg} enum ${scope}${child.name}`] = Object.entries(child.values)
        .map(([name, number]) => `${name}=${number}`)
        .join('; ');
    } else if (child instanceof protobuf.Service) {
      for (const method of child.methodsArray) facts[`${pkg} rpc ${child.name}.${method.name}`] = rpcFact(method);
    }
  }
  return facts;
}

function fieldFact(field: protobuf.Field): string {
  const rule = field.repeated ? 'repeated ' : '';
  const oneof = field.partOf === null ? '' : ` in ${field.partOf.name}`;
  return `${field.id} ${field.name} ${rule}${field.type}${oneof}`;
}

function rpcFact(method: protobuf.Method): string {
  const stream = (isStream: boolean | undefined, type: string) => (isStream ? `stream ${type}` : type);
  const request = stream(method.requestStream, method.requestType);
  return `${request} -> ${stream(method.responseStream, method.responseType)}`;
}

describe('proto/', () => {
  const root = loadProtos();
  const actual: Facts = Object.assign(
    {},
    ...Object.keys(root.nested ?? {}).map((pkg) => actualFacts(root.lookup(pkg) as protobuf.Namespace, pkg)),
  );
  const expected = expectedFacts();

  it('holds the messages, enums and RPCs of the protocol, and no others', () => {
    expect(Object.keys(actual).sort()).toEqual(Object.keys(expected).sort());
  });

  it.each(Object.entries(expected))('says the same as the protocol of %s', (name, fact) => {
    expect(actual[name]).toBe(fact);
  });

  it('holds 42 RPCs of etcdserverpb, 2 of the lock service and 5 of the election service', () => {
    const count = (prefix: string) => Object.keys(actual).filter((name) => name.startsWith(`${prefix} rpc `)).length;

    expect([count('etcdserverpb'), count('v3lockpb'), count('v3electionpb')]).toEqual([42, 2, 5]);
  });

  it('is written in proto3 throughout', () => {
    const heads = PROTO_FILES.map(
      (file) => /^syntax = "(\w+)";$/m.exec(readFileSync(join('proto', file), 'utf8'))?.[1],
    );

    expect(heads).toEqual(PROTO_FILES.map(() => 'proto3'));
  });
});

describe('the generated code', () => {
  it('is what npm run generate makes of proto/ today', () => {
    const check = () =>
      execFileSync(process.execPath, ['--import', 'tsx', 'scripts/generate.ts', '--check'], { encoding: 'utf8' });

    expect(check).not.toThrow();
  });

  it('treats as an identifier each 64-bit field named for a cluster, a member or a lease, and no other', () => {
    const expectedIdentifiers = everyType(protocol)
      .flatMap((type) => type.fieldsArray)
      .filter((field) => isIdentifier(field))
      .map((field) => field.fullName.slice(1));

    const identifiers = Object.entries(IDENTIFIERS).flatMap(([type, names]) => names.map((name) => `${type}.${name}`));

    expect(identifiers.sort()).toEqual(expectedIdentifiers.sort());
  });
});

function everyType(parent: protobuf.NamespaceBase): protobuf.Type[] {
  return parent.nestedArray.flatMap((child) => [
    ...(child instanceof protobuf.Type ? [child] : []),
    ...(child instanceof protobuf.Namespace ? everyType(child) : []),
  ]);
}
