/** The 42 RPCs of etcd 3.7 by name: path, message types, what each does to the store, and since when it exists. */
import type * as wire from './generated/messages.js';
import type { CallType, DuplexMethod, Effect, UnaryMethod } from './rpc.js';

function method<Type extends CallType>(type: Type, service: string, name: string, effect: Effect, since?: string) {
  return {
    type,
    effect,
    since,
    name,
    service: `etcdserverpb.${service}`,
    path: `/etcdserverpb.${service}/${name}`,
    label: `${service}.${name}`,
  };
}

function unary<Req, Res>(service: string, name: string, effect: Effect, since?: string): UnaryMethod<Req, Res> {
  return method('unary', service, name, effect, since);
}

function serverStream<Req, Res>(service: string, name: string, since?: string): DuplexMethod<Req, Res> {
  return method('server_stream', service, name, 'read', since);
}

function bidiStream<Req, Res>(service: string, name: string): DuplexMethod<Req, Res> {
  return method('bidi_stream', service, name, 'read');
}

export const RANGE = unary<wire.RangeRequest, wire.RangeResponse>('KV', 'Range', 'read');
export const RANGE_STREAM = serverStream<wire.RangeRequest, wire.RangeStreamResponse>('KV', 'RangeStream', '3.7');
export const PUT = unary<wire.PutRequest, wire.PutResponse>('KV', 'Put', 'write');
export const DELETE_RANGE = unary<wire.DeleteRangeRequest, wire.DeleteRangeResponse>('KV', 'DeleteRange', 'write');
export const TXN = unary<wire.TxnRequest, wire.TxnResponse>('KV', 'Txn', 'write');
export const COMPACT = unary<wire.CompactionRequest, wire.CompactionResponse>('KV', 'Compact', 'write');
export const WATCH = bidiStream<wire.WatchRequest, wire.WatchResponse>('Watch', 'Watch');
export const LEASE_GRANT = unary<wire.LeaseGrantRequest, wire.LeaseGrantResponse>('Lease', 'LeaseGrant', 'write');
export const LEASE_REVOKE = unary<wire.LeaseRevokeRequest, wire.LeaseRevokeResponse>('Lease', 'LeaseRevoke', 'write');
export const LEASE_KEEP_ALIVE = bidiStream<wire.LeaseKeepAliveRequest, wire.LeaseKeepAliveResponse>(
  'Lease',
  'LeaseKeepAlive',
);
export const LEASE_TIME_TO_LIVE = unary<wire.LeaseTimeToLiveRequest, wire.LeaseTimeToLiveResponse>(
  'Lease',
  'LeaseTimeToLive',
  'read',
);
export const LEASE_LEASES = unary<wire.LeaseLeasesRequest, wire.LeaseLeasesResponse>('Lease', 'LeaseLeases', 'read');
export const MEMBER_ADD = unary<wire.MemberAddRequest, wire.MemberAddResponse>('Cluster', 'MemberAdd', 'write');
export const MEMBER_REMOVE = unary<wire.MemberRemoveRequest, wire.MemberRemoveResponse>(
  'Cluster',
  'MemberRemove',
  'write',
);
export const MEMBER_UPDATE = unary<wire.MemberUpdateRequest, wire.MemberUpdateResponse>(
  'Cluster',
  'MemberUpdate',
  'write',
);
export const MEMBER_LIST = unary<wire.MemberListRequest, wire.MemberListResponse>('Cluster', 'MemberList', 'read');
export const MEMBER_PROMOTE = unary<wire.MemberPromoteRequest, wire.MemberPromoteResponse>(
  'Cluster',
  'MemberPromote',
  'write',
);
export const ALARM = unary<wire.AlarmRequest, wire.AlarmResponse>('Maintenance', 'Alarm', 'write');
export const STATUS = unary<wire.StatusRequest, wire.StatusResponse>('Maintenance', 'Status', 'read');
export const DEFRAGMENT = unary<wire.DefragmentRequest, wire.DefragmentResponse>('Maintenance', 'Defragment', 'write');
export const HASH = unary<wire.HashRequest, wire.HashResponse>('Maintenance', 'Hash', 'read');
export const HASH_KV = unary<wire.HashKVRequest, wire.HashKVResponse>('Maintenance', 'HashKV', 'read');
export const SNAPSHOT = serverStream<wire.SnapshotRequest, wire.SnapshotResponse>('Maintenance', 'Snapshot');
export const MOVE_LEADER = unary<wire.MoveLeaderRequest, wire.MoveLeaderResponse>('Maintenance', 'MoveLeader', 'write');
export const DOWNGRADE = unary<wire.DowngradeRequest, wire.DowngradeResponse>(
  'Maintenance',
  'Downgrade',
  'write',
  '3.5',
);
export const AUTH_ENABLE = unary<wire.AuthEnableRequest, wire.AuthEnableResponse>('Auth', 'AuthEnable', 'write');
export const AUTH_DISABLE = unary<wire.AuthDisableRequest, wire.AuthDisableResponse>('Auth', 'AuthDisable', 'write');
export const AUTH_STATUS = unary<wire.AuthStatusRequest, wire.AuthStatusResponse>('Auth', 'AuthStatus', 'read', '3.5');
export const AUTHENTICATE = unary<wire.AuthenticateRequest, wire.AuthenticateResponse>('Auth', 'Authenticate', 'read');
export const USER_ADD = unary<wire.AuthUserAddRequest, wire.AuthUserAddResponse>('Auth', 'UserAdd', 'write');
export const USER_GET = unary<wire.AuthUserGetRequest, wire.AuthUserGetResponse>('Auth', 'UserGet', 'read');
export const USER_LIST = unary<wire.AuthUserListRequest, wire.AuthUserListResponse>('Auth', 'UserList', 'read');
export const USER_DELETE = unary<wire.AuthUserDeleteRequest, wire.AuthUserDeleteResponse>(
  'Auth',
  'UserDelete',
  'write',
);
export const USER_CHANGE_PASSWORD = unary<wire.AuthUserChangePasswordRequest, wire.AuthUserChangePasswordResponse>(
  'Auth',
  'UserChangePassword',
  'write',
);
export const USER_GRANT_ROLE = unary<wire.AuthUserGrantRoleRequest, wire.AuthUserGrantRoleResponse>(
  'Auth',
  'UserGrantRole',
  'write',
);
export const USER_REVOKE_ROLE = unary<wire.AuthUserRevokeRoleRequest, wire.AuthUserRevokeRoleResponse>(
  'Auth',
  'UserRevokeRole',
  'write',
);
export const ROLE_ADD = unary<wire.AuthRoleAddRequest, wire.AuthRoleAddResponse>('Auth', 'RoleAdd', 'write');
export const ROLE_GET = unary<wire.AuthRoleGetRequest, wire.AuthRoleGetResponse>('Auth', 'RoleGet', 'read');
export const ROLE_LIST = unary<wire.AuthRoleListRequest, wire.AuthRoleListResponse>('Auth', 'RoleList', 'read');
export const ROLE_DELETE = unary<wire.AuthRoleDeleteRequest, wire.AuthRoleDeleteResponse>(
  'Auth',
  'RoleDelete',
  'write',
);
export const ROLE_GRANT_PERMISSION = unary<wire.AuthRoleGrantPermissionRequest, wire.AuthRoleGrantPermissionResponse>(
  'Auth',
  'RoleGrantPermission',
  'write',
);
export const ROLE_REVOKE_PERMISSION = unary<
  wire.AuthRoleRevokePermissionRequest,
  wire.AuthRoleRevokePermissionResponse
>('Auth', 'RoleRevokePermission', 'write');
