/**
 * Encodes the requests and decodes the answers of KV, Watch and Lease. Written by `npm run generate` from `proto/`; not to be
 * edited.
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
const EVENT_EVENT_TYPE_NAMES = ['PUT', 'DELETE'] as const;

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

/** The RPCs that have code of their own, by their gRPC path: their messages by name, and that code. */
export const GENERATED_CODECS = {
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
};
