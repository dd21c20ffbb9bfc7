/**
 * Encodes the requests and decodes the answers of every RPC. Written by `npm run generate` from `proto/`; not to be edited.
 *
 * Own properties only are sent, so that nothing comes in from a polluted `Object.prototype`.
 */
import { requireMessage, severalSet } from '../field-rules.js';
import { NO_BYTES, type WireReader } from '../wire-reader.js';
import type { WireWriter } from '../wire-writer.js';
import type * as wire from './messages.js';

const SORT_ORDER_NUMBERS: ReadonlyMap<string, number> = new Map([['NONE', 0], ['ASCEND', 1], ['DESCEND', 2]]);
const SORT_TARGET_NUMBERS: ReadonlyMap<string, number> = new Map([['KEY', 0], ['VERSION', 1], ['CREATE', 2], ['MOD', 3], ['VALUE', 4]]);
const COMPARE_RESULT_NUMBERS: ReadonlyMap<string, number> = new Map([['EQUAL', 0], ['GREATER', 1], ['LESS', 2], ['NOT_EQUAL', 3]]);
const COMPARE_TARGET_NUMBERS: ReadonlyMap<string, number> = new Map([['VERSION', 0], ['CREATE', 1], ['MOD', 2], ['VALUE', 3], ['LEASE', 4]]);
const FILTER_TYPE_NUMBERS: ReadonlyMap<string, number> = new Map([['NOPUT', 0], ['NODELETE', 1]]);
const ALARM_ACTION_NUMBERS: ReadonlyMap<string, number> = new Map([['GET', 0], ['ACTIVATE', 1], ['DEACTIVATE', 2]]);
const ALARM_TYPE_NUMBERS: ReadonlyMap<string, number> = new Map([['NONE', 0], ['NOSPACE', 1], ['CORRUPT', 2]]);
const DOWNGRADE_ACTION_NUMBERS: ReadonlyMap<string, number> = new Map([['VALIDATE', 0], ['ENABLE', 1], ['CANCEL', 2]]);
const PERMISSION_TYPE_NUMBERS: ReadonlyMap<string, number> = new Map([['READ', 0], ['WRITE', 1], ['READWRITE', 2]]);
const EVENT_EVENT_TYPE_NAMES = ['PUT', 'DELETE'] as const;
const ALARM_TYPE_NAMES = ['NONE', 'NOSPACE', 'CORRUPT'] as const;
const PERMISSION_TYPE_NAMES = ['READ', 'WRITE', 'READWRITE'] as const;

function writeRangeRequest(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'RangeRequest');
  if (own['key'] != null && Object.hasOwn(own, 'key')) to.bytes(10, own['key'], 'RangeRequest.key');
  if (own['rangeEnd'] != null && Object.hasOwn(own, 'rangeEnd')) to.bytes(18, own['rangeEnd'], 'RangeRequest.rangeEnd');
  if (own['limit'] != null && Object.hasOwn(own, 'limit')) to.int64(24, own['limit'], 'RangeRequest.limit');
  if (own['revision'] != null && Object.hasOwn(own, 'revision')) to.int64(32, own['revision'], 'RangeRequest.revision');
  if (own['sortOrder'] != null && Object.hasOwn(own, 'sortOrder')) to.enumeration(40, own['sortOrder'], SORT_ORDER_NUMBERS, 'RangeRequest.sortOrder');
  if (own['sortTarget'] != null && Object.hasOwn(own, 'sortTarget')) to.enumeration(48, own['sortTarget'], SORT_TARGET_NUMBERS, 'RangeRequest.sortTarget');
  if (own['serializable'] != null && Object.hasOwn(own, 'serializable')) to.bool(56, own['serializable'], 'RangeRequest.serializable');
  if (own['keysOnly'] != null && Object.hasOwn(own, 'keysOnly')) to.bool(64, own['keysOnly'], 'RangeRequest.keysOnly');
  if (own['countOnly'] != null && Object.hasOwn(own, 'countOnly')) to.bool(72, own['countOnly'], 'RangeRequest.countOnly');
  if (own['minModRevision'] != null && Object.hasOwn(own, 'minModRevision')) to.int64(80, own['minModRevision'], 'RangeRequest.minModRevision');
  if (own['maxModRevision'] != null && Object.hasOwn(own, 'maxModRevision')) to.int64(88, own['maxModRevision'], 'RangeRequest.maxModRevision');
  if (own['minCreateRevision'] != null && Object.hasOwn(own, 'minCreateRevision')) to.int64(96, own['minCreateRevision'], 'RangeRequest.minCreateRevision');
  if (own['maxCreateRevision'] != null && Object.hasOwn(own, 'maxCreateRevision')) to.int64(104, own['maxCreateRevision'], 'RangeRequest.maxCreateRevision');
}

function writePutRequest(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'PutRequest');
  if (own['key'] != null && Object.hasOwn(own, 'key')) to.bytes(10, own['key'], 'PutRequest.key');
  if (own['value'] != null && Object.hasOwn(own, 'value')) to.bytes(18, own['value'], 'PutRequest.value');
  if (own['lease'] != null && Object.hasOwn(own, 'lease')) to.int64Id(24, own['lease'], 'PutRequest.lease');
  if (own['prevKv'] != null && Object.hasOwn(own, 'prevKv')) to.bool(32, own['prevKv'], 'PutRequest.prevKv');
  if (own['ignoreValue'] != null && Object.hasOwn(own, 'ignoreValue')) to.bool(40, own['ignoreValue'], 'PutRequest.ignoreValue');
  if (own['ignoreLease'] != null && Object.hasOwn(own, 'ignoreLease')) to.bool(48, own['ignoreLease'], 'PutRequest.ignoreLease');
}

function writeDeleteRangeRequest(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'DeleteRangeRequest');
  if (own['key'] != null && Object.hasOwn(own, 'key')) to.bytes(10, own['key'], 'DeleteRangeRequest.key');
  if (own['rangeEnd'] != null && Object.hasOwn(own, 'rangeEnd')) to.bytes(18, own['rangeEnd'], 'DeleteRangeRequest.rangeEnd');
  if (own['prevKv'] != null && Object.hasOwn(own, 'prevKv')) to.bool(24, own['prevKv'], 'DeleteRangeRequest.prevKv');
}

function writeTxnRequest(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'TxnRequest');
  if (own['compare'] != null && Object.hasOwn(own, 'compare')) to.messages(10, own['compare'], writeCompare, 'TxnRequest.compare');
  if (own['success'] != null && Object.hasOwn(own, 'success')) to.messages(18, own['success'], writeRequestOp, 'TxnRequest.success');
  if (own['failure'] != null && Object.hasOwn(own, 'failure')) to.messages(26, own['failure'], writeRequestOp, 'TxnRequest.failure');
}

function writeCompare(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'Compare');
  let choices = 0;
  if (own['result'] != null && Object.hasOwn(own, 'result')) to.enumeration(8, own['result'], COMPARE_RESULT_NUMBERS, 'Compare.result');
  if (own['target'] != null && Object.hasOwn(own, 'target')) to.enumeration(16, own['target'], COMPARE_TARGET_NUMBERS, 'Compare.target');
  if (own['key'] != null && Object.hasOwn(own, 'key')) to.bytes(26, own['key'], 'Compare.key');
  if (own['version'] != null && Object.hasOwn(own, 'version')) {
    choices += 1;
    to.int64(32, own['version'], 'Compare.version');
  }
  if (own['createRevision'] != null && Object.hasOwn(own, 'createRevision')) {
    choices += 1;
    to.int64(40, own['createRevision'], 'Compare.createRevision');
  }
  if (own['modRevision'] != null && Object.hasOwn(own, 'modRevision')) {
    choices += 1;
    to.int64(48, own['modRevision'], 'Compare.modRevision');
  }
  if (own['value'] != null && Object.hasOwn(own, 'value')) {
    choices += 1;
    to.chosenBytes(58, own['value'], 'Compare.value');
  }
  if (own['lease'] != null && Object.hasOwn(own, 'lease')) {
    choices += 1;
    to.int64Id(64, own['lease'], 'Compare.lease');
  }
  if (own['rangeEnd'] != null && Object.hasOwn(own, 'rangeEnd')) to.bytes(514, own['rangeEnd'], 'Compare.rangeEnd');
  if (choices > 1) throw severalSet('Compare', own, ['version', 'createRevision', 'modRevision', 'value', 'lease']);
}

function writeRequestOp(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'RequestOp');
  let choices = 0;
  if (own['requestRange'] != null && Object.hasOwn(own, 'requestRange')) {
    choices += 1;
    to.message(10, own['requestRange'], writeRangeRequest);
  }
  if (own['requestPut'] != null && Object.hasOwn(own, 'requestPut')) {
    choices += 1;
    to.message(18, own['requestPut'], writePutRequest);
  }
  if (own['requestDeleteRange'] != null && Object.hasOwn(own, 'requestDeleteRange')) {
    choices += 1;
    to.message(26, own['requestDeleteRange'], writeDeleteRangeRequest);
  }
  if (own['requestTxn'] != null && Object.hasOwn(own, 'requestTxn')) {
    choices += 1;
    to.message(34, own['requestTxn'], writeTxnRequest);
  }
  if (choices > 1) throw severalSet('RequestOp', own, ['requestRange', 'requestPut', 'requestDeleteRange', 'requestTxn']);
}

function writeCompactionRequest(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'CompactionRequest');
  if (own['revision'] != null && Object.hasOwn(own, 'revision')) to.int64(8, own['revision'], 'CompactionRequest.revision');
  if (own['physical'] != null && Object.hasOwn(own, 'physical')) to.bool(16, own['physical'], 'CompactionRequest.physical');
}

function writeWatchRequest(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'WatchRequest');
  let choices = 0;
  if (own['createRequest'] != null && Object.hasOwn(own, 'createRequest')) {
    choices += 1;
    to.message(10, own['createRequest'], writeWatchCreateRequest);
  }
  if (own['cancelRequest'] != null && Object.hasOwn(own, 'cancelRequest')) {
    choices += 1;
    to.message(18, own['cancelRequest'], writeWatchCancelRequest);
  }
  if (own['progressRequest'] != null && Object.hasOwn(own, 'progressRequest')) {
    choices += 1;
    to.message(26, own['progressRequest'], writeWatchProgressRequest);
  }
  if (choices > 1) throw severalSet('WatchRequest', own, ['createRequest', 'cancelRequest', 'progressRequest']);
}

function writeWatchCreateRequest(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'WatchCreateRequest');
  if (own['key'] != null && Object.hasOwn(own, 'key')) to.bytes(10, own['key'], 'WatchCreateRequest.key');
  if (own['rangeEnd'] != null && Object.hasOwn(own, 'rangeEnd')) to.bytes(18, own['rangeEnd'], 'WatchCreateRequest.rangeEnd');
  if (own['startRevision'] != null && Object.hasOwn(own, 'startRevision')) to.int64(24, own['startRevision'], 'WatchCreateRequest.startRevision');
  if (own['progressNotify'] != null && Object.hasOwn(own, 'progressNotify')) to.bool(32, own['progressNotify'], 'WatchCreateRequest.progressNotify');
  if (own['filters'] != null && Object.hasOwn(own, 'filters')) to.enumerations(42, own['filters'], FILTER_TYPE_NUMBERS, 'WatchCreateRequest.filters');
  if (own['prevKv'] != null && Object.hasOwn(own, 'prevKv')) to.bool(48, own['prevKv'], 'WatchCreateRequest.prevKv');
  if (own['watchId'] != null && Object.hasOwn(own, 'watchId')) to.int64(56, own['watchId'], 'WatchCreateRequest.watchId');
  if (own['fragment'] != null && Object.hasOwn(own, 'fragment')) to.bool(64, own['fragment'], 'WatchCreateRequest.fragment');
}

function writeWatchCancelRequest(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'WatchCancelRequest');
  if (own['watchId'] != null && Object.hasOwn(own, 'watchId')) to.int64(8, own['watchId'], 'WatchCancelRequest.watchId');
}

function writeWatchProgressRequest(_to: WireWriter, message: unknown): void {
  requireMessage(message, 'WatchProgressRequest');
}

function writeLeaseGrantRequest(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'LeaseGrantRequest');
  if (own['TTL'] != null && Object.hasOwn(own, 'TTL')) to.int64(8, own['TTL'], 'LeaseGrantRequest.TTL');
  if (own['ID'] != null && Object.hasOwn(own, 'ID')) to.int64Id(16, own['ID'], 'LeaseGrantRequest.ID');
}

function writeLeaseRevokeRequest(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'LeaseRevokeRequest');
  if (own['ID'] != null && Object.hasOwn(own, 'ID')) to.int64Id(8, own['ID'], 'LeaseRevokeRequest.ID');
}

function writeLeaseKeepAliveRequest(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'LeaseKeepAliveRequest');
  if (own['ID'] != null && Object.hasOwn(own, 'ID')) to.int64Id(8, own['ID'], 'LeaseKeepAliveRequest.ID');
}

function writeLeaseTimeToLiveRequest(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'LeaseTimeToLiveRequest');
  if (own['ID'] != null && Object.hasOwn(own, 'ID')) to.int64Id(8, own['ID'], 'LeaseTimeToLiveRequest.ID');
  if (own['keys'] != null && Object.hasOwn(own, 'keys')) to.bool(16, own['keys'], 'LeaseTimeToLiveRequest.keys');
}

function writeLeaseLeasesRequest(_to: WireWriter, message: unknown): void {
  requireMessage(message, 'LeaseLeasesRequest');
}

function writeMemberAddRequest(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'MemberAddRequest');
  if (own['peerURLs'] != null && Object.hasOwn(own, 'peerURLs')) to.strings(10, own['peerURLs'], 'MemberAddRequest.peerURLs');
  if (own['isLearner'] != null && Object.hasOwn(own, 'isLearner')) to.bool(16, own['isLearner'], 'MemberAddRequest.isLearner');
}

function writeMemberRemoveRequest(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'MemberRemoveRequest');
  if (own['ID'] != null && Object.hasOwn(own, 'ID')) to.uint64Id(8, own['ID'], 'MemberRemoveRequest.ID');
}

function writeMemberUpdateRequest(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'MemberUpdateRequest');
  if (own['ID'] != null && Object.hasOwn(own, 'ID')) to.uint64Id(8, own['ID'], 'MemberUpdateRequest.ID');
  if (own['peerURLs'] != null && Object.hasOwn(own, 'peerURLs')) to.strings(18, own['peerURLs'], 'MemberUpdateRequest.peerURLs');
}

function writeMemberListRequest(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'MemberListRequest');
  if (own['linearizable'] != null && Object.hasOwn(own, 'linearizable')) to.bool(8, own['linearizable'], 'MemberListRequest.linearizable');
}

function writeMemberPromoteRequest(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'MemberPromoteRequest');
  if (own['ID'] != null && Object.hasOwn(own, 'ID')) to.uint64Id(8, own['ID'], 'MemberPromoteRequest.ID');
}

function writeAlarmRequest(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'AlarmRequest');
  if (own['action'] != null && Object.hasOwn(own, 'action')) to.enumeration(8, own['action'], ALARM_ACTION_NUMBERS, 'AlarmRequest.action');
  if (own['memberID'] != null && Object.hasOwn(own, 'memberID')) to.uint64Id(16, own['memberID'], 'AlarmRequest.memberID');
  if (own['alarm'] != null && Object.hasOwn(own, 'alarm')) to.enumeration(24, own['alarm'], ALARM_TYPE_NUMBERS, 'AlarmRequest.alarm');
}

function writeStatusRequest(_to: WireWriter, message: unknown): void {
  requireMessage(message, 'StatusRequest');
}

function writeDefragmentRequest(_to: WireWriter, message: unknown): void {
  requireMessage(message, 'DefragmentRequest');
}

function writeHashRequest(_to: WireWriter, message: unknown): void {
  requireMessage(message, 'HashRequest');
}

function writeHashKVRequest(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'HashKVRequest');
  if (own['revision'] != null && Object.hasOwn(own, 'revision')) to.int64(8, own['revision'], 'HashKVRequest.revision');
}

function writeSnapshotRequest(_to: WireWriter, message: unknown): void {
  requireMessage(message, 'SnapshotRequest');
}

function writeMoveLeaderRequest(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'MoveLeaderRequest');
  if (own['targetID'] != null && Object.hasOwn(own, 'targetID')) to.uint64Id(8, own['targetID'], 'MoveLeaderRequest.targetID');
}

function writeDowngradeRequest(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'DowngradeRequest');
  if (own['action'] != null && Object.hasOwn(own, 'action')) to.enumeration(8, own['action'], DOWNGRADE_ACTION_NUMBERS, 'DowngradeRequest.action');
  if (own['version'] != null && Object.hasOwn(own, 'version')) to.string(18, own['version'], 'DowngradeRequest.version');
}

function writeAuthEnableRequest(_to: WireWriter, message: unknown): void {
  requireMessage(message, 'AuthEnableRequest');
}

function writeAuthDisableRequest(_to: WireWriter, message: unknown): void {
  requireMessage(message, 'AuthDisableRequest');
}

function writeAuthStatusRequest(_to: WireWriter, message: unknown): void {
  requireMessage(message, 'AuthStatusRequest');
}

function writeAuthenticateRequest(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'AuthenticateRequest');
  if (own['name'] != null && Object.hasOwn(own, 'name')) to.string(10, own['name'], 'AuthenticateRequest.name');
  if (own['password'] != null && Object.hasOwn(own, 'password')) to.string(18, own['password'], 'AuthenticateRequest.password');
}

function writeAuthUserAddRequest(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'AuthUserAddRequest');
  if (own['name'] != null && Object.hasOwn(own, 'name')) to.string(10, own['name'], 'AuthUserAddRequest.name');
  if (own['password'] != null && Object.hasOwn(own, 'password')) to.string(18, own['password'], 'AuthUserAddRequest.password');
  if (own['options'] != null && Object.hasOwn(own, 'options')) to.message(26, own['options'], writeUserAddOptions);
  if (own['hashedPassword'] != null && Object.hasOwn(own, 'hashedPassword')) to.string(34, own['hashedPassword'], 'AuthUserAddRequest.hashedPassword');
}

function writeUserAddOptions(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'UserAddOptions');
  if (own['noPassword'] != null && Object.hasOwn(own, 'noPassword')) to.bool(8, own['noPassword'], 'UserAddOptions.noPassword');
}

function writeAuthUserGetRequest(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'AuthUserGetRequest');
  if (own['name'] != null && Object.hasOwn(own, 'name')) to.string(10, own['name'], 'AuthUserGetRequest.name');
}

function writeAuthUserListRequest(_to: WireWriter, message: unknown): void {
  requireMessage(message, 'AuthUserListRequest');
}

function writeAuthUserDeleteRequest(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'AuthUserDeleteRequest');
  if (own['name'] != null && Object.hasOwn(own, 'name')) to.string(10, own['name'], 'AuthUserDeleteRequest.name');
}

function writeAuthUserChangePasswordRequest(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'AuthUserChangePasswordRequest');
  if (own['name'] != null && Object.hasOwn(own, 'name')) to.string(10, own['name'], 'AuthUserChangePasswordRequest.name');
  if (own['password'] != null && Object.hasOwn(own, 'password')) to.string(18, own['password'], 'AuthUserChangePasswordRequest.password');
  if (own['hashedPassword'] != null && Object.hasOwn(own, 'hashedPassword')) to.string(26, own['hashedPassword'], 'AuthUserChangePasswordRequest.hashedPassword');
}

function writeAuthUserGrantRoleRequest(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'AuthUserGrantRoleRequest');
  if (own['user'] != null && Object.hasOwn(own, 'user')) to.string(10, own['user'], 'AuthUserGrantRoleRequest.user');
  if (own['role'] != null && Object.hasOwn(own, 'role')) to.string(18, own['role'], 'AuthUserGrantRoleRequest.role');
}

function writeAuthUserRevokeRoleRequest(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'AuthUserRevokeRoleRequest');
  if (own['name'] != null && Object.hasOwn(own, 'name')) to.string(10, own['name'], 'AuthUserRevokeRoleRequest.name');
  if (own['role'] != null && Object.hasOwn(own, 'role')) to.string(18, own['role'], 'AuthUserRevokeRoleRequest.role');
}

function writeAuthRoleAddRequest(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'AuthRoleAddRequest');
  if (own['name'] != null && Object.hasOwn(own, 'name')) to.string(10, own['name'], 'AuthRoleAddRequest.name');
}

function writeAuthRoleGetRequest(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'AuthRoleGetRequest');
  if (own['role'] != null && Object.hasOwn(own, 'role')) to.string(10, own['role'], 'AuthRoleGetRequest.role');
}

function writeAuthRoleListRequest(_to: WireWriter, message: unknown): void {
  requireMessage(message, 'AuthRoleListRequest');
}

function writeAuthRoleDeleteRequest(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'AuthRoleDeleteRequest');
  if (own['role'] != null && Object.hasOwn(own, 'role')) to.string(10, own['role'], 'AuthRoleDeleteRequest.role');
}

function writeAuthRoleGrantPermissionRequest(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'AuthRoleGrantPermissionRequest');
  if (own['name'] != null && Object.hasOwn(own, 'name')) to.string(10, own['name'], 'AuthRoleGrantPermissionRequest.name');
  if (own['perm'] != null && Object.hasOwn(own, 'perm')) to.message(18, own['perm'], writePermission);
}

function writePermission(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'Permission');
  if (own['permType'] != null && Object.hasOwn(own, 'permType')) to.enumeration(8, own['permType'], PERMISSION_TYPE_NUMBERS, 'Permission.permType');
  if (own['key'] != null && Object.hasOwn(own, 'key')) to.bytes(18, own['key'], 'Permission.key');
  if (own['rangeEnd'] != null && Object.hasOwn(own, 'rangeEnd')) to.bytes(26, own['rangeEnd'], 'Permission.rangeEnd');
}

function writeAuthRoleRevokePermissionRequest(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'AuthRoleRevokePermissionRequest');
  if (own['role'] != null && Object.hasOwn(own, 'role')) to.string(10, own['role'], 'AuthRoleRevokePermissionRequest.role');
  if (own['key'] != null && Object.hasOwn(own, 'key')) to.bytes(18, own['key'], 'AuthRoleRevokePermissionRequest.key');
  if (own['rangeEnd'] != null && Object.hasOwn(own, 'rangeEnd')) to.bytes(26, own['rangeEnd'], 'AuthRoleRevokePermissionRequest.rangeEnd');
}

function writeLockRequest(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'LockRequest');
  if (own['name'] != null && Object.hasOwn(own, 'name')) to.bytes(10, own['name'], 'LockRequest.name');
  if (own['lease'] != null && Object.hasOwn(own, 'lease')) to.int64Id(16, own['lease'], 'LockRequest.lease');
}

function writeUnlockRequest(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'UnlockRequest');
  if (own['key'] != null && Object.hasOwn(own, 'key')) to.bytes(10, own['key'], 'UnlockRequest.key');
}

function writeCampaignRequest(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'CampaignRequest');
  if (own['name'] != null && Object.hasOwn(own, 'name')) to.bytes(10, own['name'], 'CampaignRequest.name');
  if (own['lease'] != null && Object.hasOwn(own, 'lease')) to.int64Id(16, own['lease'], 'CampaignRequest.lease');
  if (own['value'] != null && Object.hasOwn(own, 'value')) to.bytes(26, own['value'], 'CampaignRequest.value');
}

function writeProclaimRequest(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'ProclaimRequest');
  if (own['leader'] != null && Object.hasOwn(own, 'leader')) to.message(10, own['leader'], writeLeaderKey);
  if (own['value'] != null && Object.hasOwn(own, 'value')) to.bytes(18, own['value'], 'ProclaimRequest.value');
}

function writeLeaderKey(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'LeaderKey');
  if (own['name'] != null && Object.hasOwn(own, 'name')) to.bytes(10, own['name'], 'LeaderKey.name');
  if (own['key'] != null && Object.hasOwn(own, 'key')) to.bytes(18, own['key'], 'LeaderKey.key');
  if (own['rev'] != null && Object.hasOwn(own, 'rev')) to.int64(24, own['rev'], 'LeaderKey.rev');
  if (own['lease'] != null && Object.hasOwn(own, 'lease')) to.int64Id(32, own['lease'], 'LeaderKey.lease');
}

function writeLeaderRequest(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'LeaderRequest');
  if (own['name'] != null && Object.hasOwn(own, 'name')) to.bytes(10, own['name'], 'LeaderRequest.name');
}

function writeResignRequest(to: WireWriter, message: unknown): void {
  const own = requireMessage(message, 'ResignRequest');
  if (own['leader'] != null && Object.hasOwn(own, 'leader')) to.message(10, own['leader'], writeLeaderKey);
}

function readRangeResponse(from: WireReader, end: number): wire.RangeResponse {
  let header: wire.ResponseHeader | null = null;
  const kvs: wire.KeyValue[] = [];
  let more = false;
  let count = 0;
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      case 18:
        kvs.push(readKeyValue(from, from.begin()));
        break;
      case 24:
        more = from.bool();
        break;
      case 32:
        count = from.int64('RangeResponse.count');
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header, kvs, more, count };
}

function readResponseHeader(from: WireReader, end: number): wire.ResponseHeader {
  let clusterId = '0';
  let memberId = '0';
  let revision = 0;
  let raftTerm = 0;
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 8:
        clusterId = from.uint64Id();
        break;
      case 16:
        memberId = from.uint64Id();
        break;
      case 24:
        revision = from.int64('ResponseHeader.revision');
        break;
      case 32:
        raftTerm = from.uint64('ResponseHeader.raftTerm');
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { clusterId, memberId, revision, raftTerm };
}

function readKeyValue(from: WireReader, end: number): wire.KeyValue {
  let key = NO_BYTES;
  let createRevision = 0;
  let modRevision = 0;
  let version = 0;
  let value = NO_BYTES;
  let lease = '0';
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        key = from.bytes();
        break;
      case 16:
        createRevision = from.int64('KeyValue.createRevision');
        break;
      case 24:
        modRevision = from.int64('KeyValue.modRevision');
        break;
      case 32:
        version = from.int64('KeyValue.version');
        break;
      case 42:
        value = from.bytes();
        break;
      case 48:
        lease = from.int64Id();
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { key, createRevision, modRevision, version, value, lease };
}

function readRangeStreamResponse(from: WireReader, end: number): wire.RangeStreamResponse {
  let rangeResponse: wire.RangeResponse | null = null;
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        rangeResponse = readRangeResponse(from, from.begin());
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { rangeResponse };
}

function readPutResponse(from: WireReader, end: number): wire.PutResponse {
  let header: wire.ResponseHeader | null = null;
  let prevKv: wire.KeyValue | null = null;
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      case 18:
        prevKv = readKeyValue(from, from.begin());
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header, prevKv };
}

function readDeleteRangeResponse(from: WireReader, end: number): wire.DeleteRangeResponse {
  let header: wire.ResponseHeader | null = null;
  let deleted = 0;
  const prevKvs: wire.KeyValue[] = [];
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      case 16:
        deleted = from.int64('DeleteRangeResponse.deleted');
        break;
      case 26:
        prevKvs.push(readKeyValue(from, from.begin()));
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header, deleted, prevKvs };
}

function readTxnResponse(from: WireReader, end: number): wire.TxnResponse {
  let header: wire.ResponseHeader | null = null;
  let succeeded = false;
  const responses: wire.ResponseOp[] = [];
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      case 16:
        succeeded = from.bool();
        break;
      case 26:
        responses.push(readResponseOp(from, from.begin()));
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header, succeeded, responses };
}

function readResponseOp(from: WireReader, end: number): wire.ResponseOp {
  let message: wire.ResponseOp = {};
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        message = { responseRange: readRangeResponse(from, from.begin()) };
        break;
      case 18:
        message = { responsePut: readPutResponse(from, from.begin()) };
        break;
      case 26:
        message = { responseDeleteRange: readDeleteRangeResponse(from, from.begin()) };
        break;
      case 34:
        message = { responseTxn: readTxnResponse(from, from.begin()) };
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return message;
}

function readCompactionResponse(from: WireReader, end: number): wire.CompactionResponse {
  let header: wire.ResponseHeader | null = null;
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header };
}

function readWatchResponse(from: WireReader, end: number): wire.WatchResponse {
  let header: wire.ResponseHeader | null = null;
  let watchId = 0;
  let created = false;
  let canceled = false;
  let compactRevision = 0;
  let cancelReason = '';
  let fragment = false;
  const events: wire.Event[] = [];
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      case 16:
        watchId = from.int64('WatchResponse.watchId');
        break;
      case 24:
        created = from.bool();
        break;
      case 32:
        canceled = from.bool();
        break;
      case 40:
        compactRevision = from.int64('WatchResponse.compactRevision');
        break;
      case 50:
        cancelReason = from.string();
        break;
      case 56:
        fragment = from.bool();
        break;
      case 90:
        events.push(readEvent(from, from.begin()));
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header, watchId, created, canceled, compactRevision, cancelReason, fragment, events };
}

function readEvent(from: WireReader, end: number): wire.Event {
  let type: wire.EventType | wire.UnknownEnum = EVENT_EVENT_TYPE_NAMES[0];
  let kv: wire.KeyValue | null = null;
  let prevKv: wire.KeyValue | null = null;
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 8:
        type = from.enumeration(EVENT_EVENT_TYPE_NAMES);
        break;
      case 18:
        kv = readKeyValue(from, from.begin());
        break;
      case 26:
        prevKv = readKeyValue(from, from.begin());
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { type, kv, prevKv };
}

function readLeaseGrantResponse(from: WireReader, end: number): wire.LeaseGrantResponse {
  let header: wire.ResponseHeader | null = null;
  let ID = '0';
  let TTL = 0;
  let error = '';
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      case 16:
        ID = from.int64Id();
        break;
      case 24:
        TTL = from.int64('LeaseGrantResponse.TTL');
        break;
      case 34:
        error = from.string();
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header, ID, TTL, error };
}

function readLeaseRevokeResponse(from: WireReader, end: number): wire.LeaseRevokeResponse {
  let header: wire.ResponseHeader | null = null;
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header };
}

function readLeaseKeepAliveResponse(from: WireReader, end: number): wire.LeaseKeepAliveResponse {
  let header: wire.ResponseHeader | null = null;
  let ID = '0';
  let TTL = 0;
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      case 16:
        ID = from.int64Id();
        break;
      case 24:
        TTL = from.int64('LeaseKeepAliveResponse.TTL');
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header, ID, TTL };
}

function readLeaseTimeToLiveResponse(from: WireReader, end: number): wire.LeaseTimeToLiveResponse {
  let header: wire.ResponseHeader | null = null;
  let ID = '0';
  let TTL = 0;
  let grantedTTL = 0;
  const keys: Uint8Array[] = [];
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      case 16:
        ID = from.int64Id();
        break;
      case 24:
        TTL = from.int64('LeaseTimeToLiveResponse.TTL');
        break;
      case 32:
        grantedTTL = from.int64('LeaseTimeToLiveResponse.grantedTTL');
        break;
      case 42:
        keys.push(from.bytes());
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header, ID, TTL, grantedTTL, keys };
}

function readLeaseLeasesResponse(from: WireReader, end: number): wire.LeaseLeasesResponse {
  let header: wire.ResponseHeader | null = null;
  const leases: wire.LeaseStatus[] = [];
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      case 18:
        leases.push(readLeaseStatus(from, from.begin()));
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header, leases };
}

function readLeaseStatus(from: WireReader, end: number): wire.LeaseStatus {
  let ID = '0';
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 8:
        ID = from.int64Id();
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { ID };
}

function readMemberAddResponse(from: WireReader, end: number): wire.MemberAddResponse {
  let header: wire.ResponseHeader | null = null;
  let member: wire.Member | null = null;
  const members: wire.Member[] = [];
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      case 18:
        member = readMember(from, from.begin());
        break;
      case 26:
        members.push(readMember(from, from.begin()));
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header, member, members };
}

function readMember(from: WireReader, end: number): wire.Member {
  let ID = '0';
  let name = '';
  const peerURLs: string[] = [];
  const clientURLs: string[] = [];
  let isLearner = false;
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 8:
        ID = from.uint64Id();
        break;
      case 18:
        name = from.string();
        break;
      case 26:
        peerURLs.push(from.string());
        break;
      case 34:
        clientURLs.push(from.string());
        break;
      case 40:
        isLearner = from.bool();
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { ID, name, peerURLs, clientURLs, isLearner };
}

function readMemberRemoveResponse(from: WireReader, end: number): wire.MemberRemoveResponse {
  let header: wire.ResponseHeader | null = null;
  const members: wire.Member[] = [];
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      case 18:
        members.push(readMember(from, from.begin()));
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header, members };
}

function readMemberUpdateResponse(from: WireReader, end: number): wire.MemberUpdateResponse {
  let header: wire.ResponseHeader | null = null;
  const members: wire.Member[] = [];
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      case 18:
        members.push(readMember(from, from.begin()));
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header, members };
}

function readMemberListResponse(from: WireReader, end: number): wire.MemberListResponse {
  let header: wire.ResponseHeader | null = null;
  const members: wire.Member[] = [];
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      case 18:
        members.push(readMember(from, from.begin()));
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header, members };
}

function readMemberPromoteResponse(from: WireReader, end: number): wire.MemberPromoteResponse {
  let header: wire.ResponseHeader | null = null;
  const members: wire.Member[] = [];
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      case 18:
        members.push(readMember(from, from.begin()));
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header, members };
}

function readAlarmResponse(from: WireReader, end: number): wire.AlarmResponse {
  let header: wire.ResponseHeader | null = null;
  const alarms: wire.AlarmMember[] = [];
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      case 18:
        alarms.push(readAlarmMember(from, from.begin()));
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header, alarms };
}

function readAlarmMember(from: WireReader, end: number): wire.AlarmMember {
  let memberID = '0';
  let alarm: wire.AlarmType | wire.UnknownEnum = ALARM_TYPE_NAMES[0];
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 8:
        memberID = from.uint64Id();
        break;
      case 16:
        alarm = from.enumeration(ALARM_TYPE_NAMES);
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { memberID, alarm };
}

function readStatusResponse(from: WireReader, end: number): wire.StatusResponse {
  let header: wire.ResponseHeader | null = null;
  let version = '';
  let dbSize = 0;
  let leader = '0';
  let raftIndex = 0;
  let raftTerm = 0;
  let raftAppliedIndex = 0;
  const errors: string[] = [];
  let dbSizeInUse = 0;
  let isLearner = false;
  let storageVersion = '';
  let dbSizeQuota = 0;
  let downgradeInfo: wire.DowngradeInfo | null = null;
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      case 18:
        version = from.string();
        break;
      case 24:
        dbSize = from.int64('StatusResponse.dbSize');
        break;
      case 32:
        leader = from.uint64Id();
        break;
      case 40:
        raftIndex = from.uint64('StatusResponse.raftIndex');
        break;
      case 48:
        raftTerm = from.uint64('StatusResponse.raftTerm');
        break;
      case 56:
        raftAppliedIndex = from.uint64('StatusResponse.raftAppliedIndex');
        break;
      case 66:
        errors.push(from.string());
        break;
      case 72:
        dbSizeInUse = from.int64('StatusResponse.dbSizeInUse');
        break;
      case 80:
        isLearner = from.bool();
        break;
      case 90:
        storageVersion = from.string();
        break;
      case 96:
        dbSizeQuota = from.int64('StatusResponse.dbSizeQuota');
        break;
      case 106:
        downgradeInfo = readDowngradeInfo(from, from.begin());
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header, version, dbSize, leader, raftIndex, raftTerm, raftAppliedIndex, errors, dbSizeInUse, isLearner, storageVersion, dbSizeQuota, downgradeInfo };
}

function readDowngradeInfo(from: WireReader, end: number): wire.DowngradeInfo {
  let enabled = false;
  let targetVersion = '';
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 8:
        enabled = from.bool();
        break;
      case 18:
        targetVersion = from.string();
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { enabled, targetVersion };
}

function readDefragmentResponse(from: WireReader, end: number): wire.DefragmentResponse {
  let header: wire.ResponseHeader | null = null;
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header };
}

function readHashResponse(from: WireReader, end: number): wire.HashResponse {
  let header: wire.ResponseHeader | null = null;
  let hash = 0;
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      case 16:
        hash = from.uint32();
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header, hash };
}

function readHashKVResponse(from: WireReader, end: number): wire.HashKVResponse {
  let header: wire.ResponseHeader | null = null;
  let hash = 0;
  let compactRevision = 0;
  let hashRevision = 0;
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      case 16:
        hash = from.uint32();
        break;
      case 24:
        compactRevision = from.int64('HashKVResponse.compactRevision');
        break;
      case 32:
        hashRevision = from.int64('HashKVResponse.hashRevision');
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header, hash, compactRevision, hashRevision };
}

function readSnapshotResponse(from: WireReader, end: number): wire.SnapshotResponse {
  let header: wire.ResponseHeader | null = null;
  let remainingBytes = 0;
  let blob = NO_BYTES;
  let version = '';
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      case 16:
        remainingBytes = from.uint64('SnapshotResponse.remainingBytes');
        break;
      case 26:
        blob = from.bytes();
        break;
      case 34:
        version = from.string();
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header, remainingBytes, blob, version };
}

function readMoveLeaderResponse(from: WireReader, end: number): wire.MoveLeaderResponse {
  let header: wire.ResponseHeader | null = null;
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header };
}

function readDowngradeResponse(from: WireReader, end: number): wire.DowngradeResponse {
  let header: wire.ResponseHeader | null = null;
  let version = '';
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      case 18:
        version = from.string();
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header, version };
}

function readAuthEnableResponse(from: WireReader, end: number): wire.AuthEnableResponse {
  let header: wire.ResponseHeader | null = null;
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header };
}

function readAuthDisableResponse(from: WireReader, end: number): wire.AuthDisableResponse {
  let header: wire.ResponseHeader | null = null;
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header };
}

function readAuthStatusResponse(from: WireReader, end: number): wire.AuthStatusResponse {
  let header: wire.ResponseHeader | null = null;
  let enabled = false;
  let authRevision = 0;
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      case 16:
        enabled = from.bool();
        break;
      case 24:
        authRevision = from.uint64('AuthStatusResponse.authRevision');
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header, enabled, authRevision };
}

function readAuthenticateResponse(from: WireReader, end: number): wire.AuthenticateResponse {
  let header: wire.ResponseHeader | null = null;
  let token = '';
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      case 18:
        token = from.string();
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header, token };
}

function readAuthUserAddResponse(from: WireReader, end: number): wire.AuthUserAddResponse {
  let header: wire.ResponseHeader | null = null;
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header };
}

function readAuthUserGetResponse(from: WireReader, end: number): wire.AuthUserGetResponse {
  let header: wire.ResponseHeader | null = null;
  const roles: string[] = [];
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      case 18:
        roles.push(from.string());
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header, roles };
}

function readAuthUserListResponse(from: WireReader, end: number): wire.AuthUserListResponse {
  let header: wire.ResponseHeader | null = null;
  const users: string[] = [];
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      case 18:
        users.push(from.string());
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header, users };
}

function readAuthUserDeleteResponse(from: WireReader, end: number): wire.AuthUserDeleteResponse {
  let header: wire.ResponseHeader | null = null;
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header };
}

function readAuthUserChangePasswordResponse(from: WireReader, end: number): wire.AuthUserChangePasswordResponse {
  let header: wire.ResponseHeader | null = null;
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header };
}

function readAuthUserGrantRoleResponse(from: WireReader, end: number): wire.AuthUserGrantRoleResponse {
  let header: wire.ResponseHeader | null = null;
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header };
}

function readAuthUserRevokeRoleResponse(from: WireReader, end: number): wire.AuthUserRevokeRoleResponse {
  let header: wire.ResponseHeader | null = null;
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header };
}

function readAuthRoleAddResponse(from: WireReader, end: number): wire.AuthRoleAddResponse {
  let header: wire.ResponseHeader | null = null;
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header };
}

function readAuthRoleGetResponse(from: WireReader, end: number): wire.AuthRoleGetResponse {
  let header: wire.ResponseHeader | null = null;
  const perm: wire.Permission[] = [];
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      case 18:
        perm.push(readPermission(from, from.begin()));
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header, perm };
}

function readPermission(from: WireReader, end: number): wire.Permission {
  let permType: wire.PermissionType | wire.UnknownEnum = PERMISSION_TYPE_NAMES[0];
  let key = NO_BYTES;
  let rangeEnd = NO_BYTES;
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 8:
        permType = from.enumeration(PERMISSION_TYPE_NAMES);
        break;
      case 18:
        key = from.bytes();
        break;
      case 26:
        rangeEnd = from.bytes();
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { permType, key, rangeEnd };
}

function readAuthRoleListResponse(from: WireReader, end: number): wire.AuthRoleListResponse {
  let header: wire.ResponseHeader | null = null;
  const roles: string[] = [];
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      case 18:
        roles.push(from.string());
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header, roles };
}

function readAuthRoleDeleteResponse(from: WireReader, end: number): wire.AuthRoleDeleteResponse {
  let header: wire.ResponseHeader | null = null;
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header };
}

function readAuthRoleGrantPermissionResponse(from: WireReader, end: number): wire.AuthRoleGrantPermissionResponse {
  let header: wire.ResponseHeader | null = null;
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header };
}

function readAuthRoleRevokePermissionResponse(from: WireReader, end: number): wire.AuthRoleRevokePermissionResponse {
  let header: wire.ResponseHeader | null = null;
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header };
}

function readLockResponse(from: WireReader, end: number): wire.LockResponse {
  let header: wire.ResponseHeader | null = null;
  let key = NO_BYTES;
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      case 18:
        key = from.bytes();
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header, key };
}

function readUnlockResponse(from: WireReader, end: number): wire.UnlockResponse {
  let header: wire.ResponseHeader | null = null;
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header };
}

function readCampaignResponse(from: WireReader, end: number): wire.CampaignResponse {
  let header: wire.ResponseHeader | null = null;
  let leader: wire.LeaderKey | null = null;
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      case 18:
        leader = readLeaderKey(from, from.begin());
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header, leader };
}

function readLeaderKey(from: WireReader, end: number): wire.LeaderKey {
  let name = NO_BYTES;
  let key = NO_BYTES;
  let rev = 0;
  let lease = '0';
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        name = from.bytes();
        break;
      case 18:
        key = from.bytes();
        break;
      case 24:
        rev = from.int64('LeaderKey.rev');
        break;
      case 32:
        lease = from.int64Id();
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { name, key, rev, lease };
}

function readProclaimResponse(from: WireReader, end: number): wire.ProclaimResponse {
  let header: wire.ResponseHeader | null = null;
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header };
}

function readLeaderResponse(from: WireReader, end: number): wire.LeaderResponse {
  let header: wire.ResponseHeader | null = null;
  let kv: wire.KeyValue | null = null;
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      case 18:
        kv = readKeyValue(from, from.begin());
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header, kv };
}

function readResignResponse(from: WireReader, end: number): wire.ResignResponse {
  let header: wire.ResponseHeader | null = null;
  while (from.position < end) {
    const tag = from.tag();
    switch (tag) {
      case 10:
        header = readResponseHeader(from, from.begin());
        break;
      default:
        from.skip(tag);
    }
  }
  from.finish(end);
  return { header };
}

/** The RPCs by their gRPC path: their messages by name, and the code for them. */
export const RPC_CODECS = {
  '/etcdserverpb.KV/Range': { request: 'RangeRequest', response: 'RangeResponse', write: writeRangeRequest, read: readRangeResponse },
  '/etcdserverpb.KV/RangeStream': { request: 'RangeRequest', response: 'RangeStreamResponse', write: writeRangeRequest, read: readRangeStreamResponse },
  '/etcdserverpb.KV/Put': { request: 'PutRequest', response: 'PutResponse', write: writePutRequest, read: readPutResponse },
  '/etcdserverpb.KV/DeleteRange': { request: 'DeleteRangeRequest', response: 'DeleteRangeResponse', write: writeDeleteRangeRequest, read: readDeleteRangeResponse },
  '/etcdserverpb.KV/Txn': { request: 'TxnRequest', response: 'TxnResponse', write: writeTxnRequest, read: readTxnResponse },
  '/etcdserverpb.KV/Compact': { request: 'CompactionRequest', response: 'CompactionResponse', write: writeCompactionRequest, read: readCompactionResponse },
  '/etcdserverpb.Watch/Watch': { request: 'WatchRequest', response: 'WatchResponse', write: writeWatchRequest, read: readWatchResponse },
  '/etcdserverpb.Lease/LeaseGrant': { request: 'LeaseGrantRequest', response: 'LeaseGrantResponse', write: writeLeaseGrantRequest, read: readLeaseGrantResponse },
  '/etcdserverpb.Lease/LeaseRevoke': { request: 'LeaseRevokeRequest', response: 'LeaseRevokeResponse', write: writeLeaseRevokeRequest, read: readLeaseRevokeResponse },
  '/etcdserverpb.Lease/LeaseKeepAlive': { request: 'LeaseKeepAliveRequest', response: 'LeaseKeepAliveResponse', write: writeLeaseKeepAliveRequest, read: readLeaseKeepAliveResponse },
  '/etcdserverpb.Lease/LeaseTimeToLive': { request: 'LeaseTimeToLiveRequest', response: 'LeaseTimeToLiveResponse', write: writeLeaseTimeToLiveRequest, read: readLeaseTimeToLiveResponse },
  '/etcdserverpb.Lease/LeaseLeases': { request: 'LeaseLeasesRequest', response: 'LeaseLeasesResponse', write: writeLeaseLeasesRequest, read: readLeaseLeasesResponse },
  '/etcdserverpb.Cluster/MemberAdd': { request: 'MemberAddRequest', response: 'MemberAddResponse', write: writeMemberAddRequest, read: readMemberAddResponse },
  '/etcdserverpb.Cluster/MemberRemove': { request: 'MemberRemoveRequest', response: 'MemberRemoveResponse', write: writeMemberRemoveRequest, read: readMemberRemoveResponse },
  '/etcdserverpb.Cluster/MemberUpdate': { request: 'MemberUpdateRequest', response: 'MemberUpdateResponse', write: writeMemberUpdateRequest, read: readMemberUpdateResponse },
  '/etcdserverpb.Cluster/MemberList': { request: 'MemberListRequest', response: 'MemberListResponse', write: writeMemberListRequest, read: readMemberListResponse },
  '/etcdserverpb.Cluster/MemberPromote': { request: 'MemberPromoteRequest', response: 'MemberPromoteResponse', write: writeMemberPromoteRequest, read: readMemberPromoteResponse },
  '/etcdserverpb.Maintenance/Alarm': { request: 'AlarmRequest', response: 'AlarmResponse', write: writeAlarmRequest, read: readAlarmResponse },
  '/etcdserverpb.Maintenance/Status': { request: 'StatusRequest', response: 'StatusResponse', write: writeStatusRequest, read: readStatusResponse },
  '/etcdserverpb.Maintenance/Defragment': { request: 'DefragmentRequest', response: 'DefragmentResponse', write: writeDefragmentRequest, read: readDefragmentResponse },
  '/etcdserverpb.Maintenance/Hash': { request: 'HashRequest', response: 'HashResponse', write: writeHashRequest, read: readHashResponse },
  '/etcdserverpb.Maintenance/HashKV': { request: 'HashKVRequest', response: 'HashKVResponse', write: writeHashKVRequest, read: readHashKVResponse },
  '/etcdserverpb.Maintenance/Snapshot': { request: 'SnapshotRequest', response: 'SnapshotResponse', write: writeSnapshotRequest, read: readSnapshotResponse },
  '/etcdserverpb.Maintenance/MoveLeader': { request: 'MoveLeaderRequest', response: 'MoveLeaderResponse', write: writeMoveLeaderRequest, read: readMoveLeaderResponse },
  '/etcdserverpb.Maintenance/Downgrade': { request: 'DowngradeRequest', response: 'DowngradeResponse', write: writeDowngradeRequest, read: readDowngradeResponse },
  '/etcdserverpb.Auth/AuthEnable': { request: 'AuthEnableRequest', response: 'AuthEnableResponse', write: writeAuthEnableRequest, read: readAuthEnableResponse },
  '/etcdserverpb.Auth/AuthDisable': { request: 'AuthDisableRequest', response: 'AuthDisableResponse', write: writeAuthDisableRequest, read: readAuthDisableResponse },
  '/etcdserverpb.Auth/AuthStatus': { request: 'AuthStatusRequest', response: 'AuthStatusResponse', write: writeAuthStatusRequest, read: readAuthStatusResponse },
  '/etcdserverpb.Auth/Authenticate': { request: 'AuthenticateRequest', response: 'AuthenticateResponse', write: writeAuthenticateRequest, read: readAuthenticateResponse },
  '/etcdserverpb.Auth/UserAdd': { request: 'AuthUserAddRequest', response: 'AuthUserAddResponse', write: writeAuthUserAddRequest, read: readAuthUserAddResponse },
  '/etcdserverpb.Auth/UserGet': { request: 'AuthUserGetRequest', response: 'AuthUserGetResponse', write: writeAuthUserGetRequest, read: readAuthUserGetResponse },
  '/etcdserverpb.Auth/UserList': { request: 'AuthUserListRequest', response: 'AuthUserListResponse', write: writeAuthUserListRequest, read: readAuthUserListResponse },
  '/etcdserverpb.Auth/UserDelete': { request: 'AuthUserDeleteRequest', response: 'AuthUserDeleteResponse', write: writeAuthUserDeleteRequest, read: readAuthUserDeleteResponse },
  '/etcdserverpb.Auth/UserChangePassword': { request: 'AuthUserChangePasswordRequest', response: 'AuthUserChangePasswordResponse', write: writeAuthUserChangePasswordRequest, read: readAuthUserChangePasswordResponse },
  '/etcdserverpb.Auth/UserGrantRole': { request: 'AuthUserGrantRoleRequest', response: 'AuthUserGrantRoleResponse', write: writeAuthUserGrantRoleRequest, read: readAuthUserGrantRoleResponse },
  '/etcdserverpb.Auth/UserRevokeRole': { request: 'AuthUserRevokeRoleRequest', response: 'AuthUserRevokeRoleResponse', write: writeAuthUserRevokeRoleRequest, read: readAuthUserRevokeRoleResponse },
  '/etcdserverpb.Auth/RoleAdd': { request: 'AuthRoleAddRequest', response: 'AuthRoleAddResponse', write: writeAuthRoleAddRequest, read: readAuthRoleAddResponse },
  '/etcdserverpb.Auth/RoleGet': { request: 'AuthRoleGetRequest', response: 'AuthRoleGetResponse', write: writeAuthRoleGetRequest, read: readAuthRoleGetResponse },
  '/etcdserverpb.Auth/RoleList': { request: 'AuthRoleListRequest', response: 'AuthRoleListResponse', write: writeAuthRoleListRequest, read: readAuthRoleListResponse },
  '/etcdserverpb.Auth/RoleDelete': { request: 'AuthRoleDeleteRequest', response: 'AuthRoleDeleteResponse', write: writeAuthRoleDeleteRequest, read: readAuthRoleDeleteResponse },
  '/etcdserverpb.Auth/RoleGrantPermission': { request: 'AuthRoleGrantPermissionRequest', response: 'AuthRoleGrantPermissionResponse', write: writeAuthRoleGrantPermissionRequest, read: readAuthRoleGrantPermissionResponse },
  '/etcdserverpb.Auth/RoleRevokePermission': { request: 'AuthRoleRevokePermissionRequest', response: 'AuthRoleRevokePermissionResponse', write: writeAuthRoleRevokePermissionRequest, read: readAuthRoleRevokePermissionResponse },
  '/v3lockpb.Lock/Lock': { request: 'LockRequest', response: 'LockResponse', write: writeLockRequest, read: readLockResponse },
  '/v3lockpb.Lock/Unlock': { request: 'UnlockRequest', response: 'UnlockResponse', write: writeUnlockRequest, read: readUnlockResponse },
  '/v3electionpb.Election/Campaign': { request: 'CampaignRequest', response: 'CampaignResponse', write: writeCampaignRequest, read: readCampaignResponse },
  '/v3electionpb.Election/Proclaim': { request: 'ProclaimRequest', response: 'ProclaimResponse', write: writeProclaimRequest, read: readProclaimResponse },
  '/v3electionpb.Election/Leader': { request: 'LeaderRequest', response: 'LeaderResponse', write: writeLeaderRequest, read: readLeaderResponse },
  '/v3electionpb.Election/Observe': { request: 'LeaderRequest', response: 'LeaderResponse', write: writeLeaderRequest, read: readLeaderResponse },
  '/v3electionpb.Election/Resign': { request: 'ResignRequest', response: 'ResignResponse', write: writeResignRequest, read: readResignResponse },
};
