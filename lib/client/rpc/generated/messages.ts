/** The messages of the etcd API as TypeScript types. Written by `npm run generate` from `proto/`; not to be edited. */

/**
 * An identifier of 64 bits, as lowercase hex without `0x` and without leading zeros, as `etcdctl` prints it; `'0'` for
 * none. A negative lease begins with `-`.
 */
export type Identifier = string;

/** A value of an enum that a newer server knows and this package does not, with its number. */
export type UnknownEnum = `UNKNOWN_${number}`;

/** One key as it was at one revision of the store. */
export interface KeyValue {
  /** The key. Any bytes; never empty. */
  readonly key: Uint8Array;
  /** The revision at which the key came into being, or came back after its last deletion. */
  readonly createRevision: number;
  /** The revision of the last change to the key. In the event of a deletion: the revision of the deletion. */
  readonly modRevision: number;
  /** How many times the key was written since it was created: 1 after the first write, 0 once it is deleted. */
  readonly version: number;
  /** The value. Any bytes, also none. */
  readonly value: Uint8Array;
  /** The lease that takes the key with it when it ends; none if the key stays until somebody deletes it. */
  readonly lease: Identifier;
}

/** One change to one key, as a watch reports it. */
export interface Event {
  /** Whether the key was written or went away. */
  readonly type: EventType | UnknownEnum;
  /** The key after the change. A deletion fills in only `key` and `modRevision`. */
  readonly kv: KeyValue | null;
  /** The key before the change; only if the watch asked for it, the key existed, and its history is still kept. */
  readonly prevKv: KeyValue | null;
}

/**
 * What can happen to a key.
 *
 * - `PUT`: The key was written: created or overwritten.
 * - `DELETE`: The key went away: deleted, or its lease ended.
 */
export type EventType = 'PUT' | 'DELETE';

/** How a user may sign in. */
export interface UserAddOptions {
  /** True for a user without a password, who is known by the common name of a client certificate. */
  readonly noPassword?: boolean | undefined;
}

/** A user as the server stores it. No call of the client API carries it. */
export interface User {
  /** The user's name. */
  readonly name: Uint8Array;
  /** The hash of the user's password. */
  readonly password: Uint8Array;
  /** The names of the roles granted to the user. */
  readonly roles: readonly string[];
  /** How the user may sign in. */
  readonly options: UserAddOptions | null;
}

/** The right to read or write one key or one range of keys. */
export interface PermissionInput {
  /** What is allowed. */
  readonly permType?: PermissionType | UnknownEnum | undefined;
  /** The key, or the first key of the range. */
  readonly key?: Uint8Array | undefined;
  /** The end of the range, not part of it; empty for the single key, one zero byte for every key from `key` on. */
  readonly rangeEnd?: Uint8Array | undefined;
}

/** The right to read or write one key or one range of keys. */
export interface Permission {
  /** What is allowed. */
  readonly permType: PermissionType | UnknownEnum;
  /** The key, or the first key of the range. */
  readonly key: Uint8Array;
  /** The end of the range, not part of it; empty for the single key, one zero byte for every key from `key` on. */
  readonly rangeEnd: Uint8Array;
}

/**
 * What a permission allows.
 *
 * - `READ`: To read and to watch.
 * - `WRITE`: To write and to delete.
 * - `READWRITE`: Both.
 */
export type PermissionType = 'READ' | 'WRITE' | 'READWRITE';

/** A role as the server stores it. No call of the client API carries it. */
export interface Role {
  /** The role's name. */
  readonly name: Uint8Array;
  /** What users with this role may do. */
  readonly keyPermission: readonly Permission[];
}

/** Who answered, and how far the store was by then. */
export interface ResponseHeader {
  /** The cluster that answered. */
  readonly clusterId: Identifier;
  /** The member that answered. */
  readonly memberId: Identifier;
  /**
   * The revision of the store when the answer was made. For a write: the revision the write made.
   * In answers of a watch: every event of the watch up to this revision has been sent.
   */
  readonly revision: number;
  /** The Raft term of the member that answered. */
  readonly raftTerm: number;
}

/** Which keys to read, when in history, and how to hand them over. */
export interface RangeRequest {
  /** The key, or the first key of the range. Never empty; one zero byte is the lowest key. */
  readonly key?: Uint8Array | undefined;
  /**
   * The end of the range, not part of it. Empty for the single key; one zero byte for every key from `key` on;
   * `key` with its last byte raised by one for every key that starts with `key`.
   */
  readonly rangeEnd?: Uint8Array | undefined;
  /** The most keys to answer with; 0 for all. Applied after sorting. */
  readonly limit?: number | undefined;
  /** The revision at which to read; 0 or less for the newest. */
  readonly revision?: number | undefined;
  /** Which way to sort. */
  readonly sortOrder?: SortOrder | UnknownEnum | undefined;
  /** What to sort by. */
  readonly sortTarget?: SortTarget | UnknownEnum | undefined;
  /** True to let the asked member answer from what it has: quicker, works without a leader, may be behind. */
  readonly serializable?: boolean | undefined;
  /** True to leave the values out. */
  readonly keysOnly?: boolean | undefined;
  /** True to answer with the count and no keys. */
  readonly countOnly?: boolean | undefined;
  /** Leaves out keys last written before this revision; 0 for no bound. Since 3.1. */
  readonly minModRevision?: number | undefined;
  /** Leaves out keys last written after this revision; 0 for no bound. Since 3.1. */
  readonly maxModRevision?: number | undefined;
  /** Leaves out keys created before this revision; 0 for no bound. Since 3.1. */
  readonly minCreateRevision?: number | undefined;
  /** Leaves out keys created after this revision; 0 for no bound. Since 3.1. */
  readonly maxCreateRevision?: number | undefined;
}

/**
 * Which way to sort.
 *
 * - `NONE`: As the store keeps them: by key, ascending. The cheapest, and the only one that stops at the limit.
 * - `ASCEND`: Lowest first.
 * - `DESCEND`: Highest first.
 */
export type SortOrder = 'NONE' | 'ASCEND' | 'DESCEND';

/**
 * What to sort by.
 *
 * - `KEY`: By key, byte for byte.
 * - `VERSION`: By the number of writes since creation.
 * - `CREATE`: By the revision of creation.
 * - `MOD`: By the revision of the last write.
 * - `VALUE`: By value, byte for byte.
 */
export type SortTarget = 'KEY' | 'VERSION' | 'CREATE' | 'MOD' | 'VALUE';

/** The keys that were asked for. */
export interface RangeResponse {
  /** The state of the cluster when the answer was made; its revision is the newest one, also for a read in the past. */
  readonly header: ResponseHeader | null;
  /** The keys, in the order asked for; none if only the count was asked for. */
  readonly kvs: readonly KeyValue[];
  /** True if the limit cut keys off. */
  readonly more: boolean;
  /** How many keys the range holds, whatever the limit and the revision bounds left of them. */
  readonly count: number;
}

/** One piece of a streamed read. Since 3.7. */
export interface RangeStreamResponse {
  /** The next keys. `header`, `more` and `count` are filled in only in the last piece. */
  readonly rangeResponse: RangeResponse | null;
}

/** What to write. */
export interface PutRequest {
  /** The key. Never empty. */
  readonly key?: Uint8Array | undefined;
  /** The value. Has to be empty with `ignoreValue`. */
  readonly value?: Uint8Array | undefined;
  /** The lease to attach the key to; none to detach it. Has to be none with `ignoreLease`. */
  readonly lease?: Identifier | undefined;
  /** True to answer with the key as it was before. Since 3.1. */
  readonly prevKv?: boolean | undefined;
  /** True to keep the value the key has; an error if there is no such key. Since 3.2. */
  readonly ignoreValue?: boolean | undefined;
  /** True to keep the lease the key has; an error if there is no such key. Since 3.2. */
  readonly ignoreLease?: boolean | undefined;
}

/** The key is written. */
export interface PutResponse {
  /** The state of the cluster; its revision is the one this write made. */
  readonly header: ResponseHeader | null;
  /** The key as it was before, if that was asked for and the key existed. Since 3.1. */
  readonly prevKv: KeyValue | null;
}

/** What to delete. */
export interface DeleteRangeRequest {
  /** The key, or the first key of the range. Never empty. */
  readonly key?: Uint8Array | undefined;
  /** The end of the range, not part of it; same rules as in RangeRequest. */
  readonly rangeEnd?: Uint8Array | undefined;
  /** True to answer with the deleted keys as they were before. Since 3.1. */
  readonly prevKv?: boolean | undefined;
}

/** The keys are deleted. */
export interface DeleteRangeResponse {
  /** The state of the cluster after the deletion. */
  readonly header: ResponseHeader | null;
  /** How many keys there were to delete. */
  readonly deleted: number;
  /** The keys as they were before, if that was asked for. Since 3.1. */
  readonly prevKvs: readonly KeyValue[];
}

/** One operation of a transaction: exactly one of these. */
export interface RequestOp {
  /** Reads. */
  readonly requestRange?: RangeRequest | undefined;
  /** Writes. */
  readonly requestPut?: PutRequest | undefined;
  /** Deletes. */
  readonly requestDeleteRange?: DeleteRangeRequest | undefined;
  /** Compares again and branches further. Since 3.3. */
  readonly requestTxn?: TxnRequest | undefined;
}

/** The answer to one operation of a transaction: the one that fits the operation. */
export interface ResponseOp {
  /** The keys read. */
  readonly responseRange?: RangeResponse | undefined;
  /** The outcome of the write. */
  readonly responsePut?: PutResponse | undefined;
  /** The outcome of the deletion. */
  readonly responseDeleteRange?: DeleteRangeResponse | undefined;
  /** The outcome of the nested transaction. Since 3.3. */
  readonly responseTxn?: TxnResponse | undefined;
}

/** One condition of a transaction: `target` of `key` stands in relation `result` to the value given here. */
export interface Compare {
  /** How the stored value has to relate to the given one. */
  readonly result?: CompareResult | UnknownEnum | undefined;
  /** What is compared; the field below that is set has to fit. */
  readonly target?: CompareTarget | UnknownEnum | undefined;
  /** The key, or the first key of the range. Never empty. */
  readonly key?: Uint8Array | undefined;
  /** With target VERSION: the number of writes to compare with. */
  readonly version?: number | undefined;
  /** With target CREATE: the revision to compare with. */
  readonly createRevision?: number | undefined;
  /** With target MOD: the revision to compare with. */
  readonly modRevision?: number | undefined;
  /** With target VALUE: the value to compare with. */
  readonly value?: Uint8Array | undefined;
  /** With target LEASE: the lease to compare with. Since 3.3. */
  readonly lease?: Identifier | undefined;
  /** The end of a range all of whose keys have to meet the condition; same rules as in RangeRequest. Since 3.3. */
  readonly rangeEnd?: Uint8Array | undefined;
}

/**
 * How the stored value has to relate to the given one.
 *
 * - `EQUAL`: Stored and given value are the same.
 * - `GREATER`: The stored value is greater than the given one.
 * - `LESS`: The stored value is less than the given one.
 * - `NOT_EQUAL`: Stored and given value differ. Since 3.1.
 */
export type CompareResult = 'EQUAL' | 'GREATER' | 'LESS' | 'NOT_EQUAL';

/**
 * What about the key is compared. A key that does not exist compares as 0, and as false by value.
 *
 * - `VERSION`: The number of writes since creation.
 * - `CREATE`: The revision of creation.
 * - `MOD`: The revision of the last write.
 * - `VALUE`: The value, byte for byte.
 * - `LEASE`: The lease. Since 3.3.
 */
export type CompareTarget = 'VERSION' | 'CREATE' | 'MOD' | 'VALUE' | 'LEASE';

/** Conditions, and what to do if they hold or fail. */
export interface TxnRequest {
  /** The conditions; they hold if each one does, and if there is none. */
  readonly compare?: readonly Compare[] | undefined;
  /** What to do if they hold, in this order. */
  readonly success?: readonly RequestOp[] | undefined;
  /** What to do if one fails, in this order. */
  readonly failure?: readonly RequestOp[] | undefined;
}

/** Which way a transaction went, and what came of it. */
export interface TxnResponse {
  /** The state of the cluster after the transaction. */
  readonly header: ResponseHeader | null;
  /** True if the conditions held. */
  readonly succeeded: boolean;
  /** One answer for each operation that was run, in the same order. */
  readonly responses: readonly ResponseOp[];
}

/** How much history to drop. */
export interface CompactionRequest {
  /** The revision below which history goes; it stays readable itself. */
  readonly revision?: number | undefined;
  /** True to answer only once the dropped history is out of the asked member's database too. */
  readonly physical?: boolean | undefined;
}

/** History is dropped. */
export interface CompactionResponse {
  /** The state of the cluster after the compaction. */
  readonly header: ResponseHeader | null;
}

/** Asks for the hash of a database; there is nothing to choose. */
export type HashRequest = Readonly<Record<string, never>>;

/** Up to which revision to hash. Since 3.3. */
export interface HashKVRequest {
  /** The last revision to hash; 0 for the newest. */
  readonly revision?: number | undefined;
}

/** The hash of the keys of a member. Since 3.3. */
export interface HashKVResponse {
  /** The member that answered, and its revision. */
  readonly header: ResponseHeader | null;
  /** The hash of the keys and their history from `compactRevision` to `hashRevision`. */
  readonly hash: number;
  /** The compacted revision at which the hash begins; hashes compare only if this is the same. */
  readonly compactRevision: number;
  /** The revision at which the hash ends. Since 3.6. */
  readonly hashRevision: number;
}

/** The hash of the database of a member. */
export interface HashResponse {
  /** The member that answered, and its revision. */
  readonly header: ResponseHeader | null;
  /** The hash of the whole database. */
  readonly hash: number;
}

/** Asks for a copy of the database; there is nothing to choose. Since 3.3. */
export type SnapshotRequest = Readonly<Record<string, never>>;

/** One piece of a database. Since 3.3. */
export interface SnapshotResponse {
  /** Absent in practice: servers leave it out. */
  readonly header: ResponseHeader | null;
  /** How many bytes of the database are still to come. */
  readonly remainingBytes: number;
  /** The next bytes of the database, in order; in the last piece the SHA-256 digest of all of them. */
  readonly blob: Uint8Array;
  /** The release whose storage format the database has. Since 3.6. */
  readonly version: string;
}

/** One request on a watch stream: exactly one of these. */
export interface WatchRequest {
  /** Starts a watch. */
  readonly createRequest?: WatchCreateRequest | undefined;
  /** Ends a watch. */
  readonly cancelRequest?: WatchCancelRequest | undefined;
  /** Asks how far the watches of this stream have come. Since 3.4. */
  readonly progressRequest?: WatchProgressRequest | undefined;
}

/** What to watch. */
export interface WatchCreateRequest {
  /** The key, or the first key of the range. */
  readonly key?: Uint8Array | undefined;
  /** The end of the range, not part of it; same rules as in RangeRequest. */
  readonly rangeEnd?: Uint8Array | undefined;
  /** The first revision to report, itself included; 0 for what happens from now on. */
  readonly startRevision?: number | undefined;
  /** True to be told the revision now and then while nothing happens, as a place from which to resume. */
  readonly progressNotify?: boolean | undefined;
  /** The events to leave out. Since 3.1. */
  readonly filters?: readonly (FilterType | UnknownEnum)[] | undefined;
  /** True to have each event tell the key as it was before. Since 3.1. */
  readonly prevKv?: boolean | undefined;
  /** The ID the watch shall have on its stream; 0 to have the server choose one. Since 3.4. */
  readonly watchId?: number | undefined;
  /** True to have answers that would be very large split into several. Since 3.4. */
  readonly fragment?: boolean | undefined;
}

/**
 * Which events to leave out.
 *
 * - `NOPUT`: Leaves writes out.
 * - `NODELETE`: Leaves deletions out.
 */
export type FilterType = 'NOPUT' | 'NODELETE';

/** Which watch to end. Since 3.1. */
export interface WatchCancelRequest {
  /** The ID of the watch on its stream. */
  readonly watchId?: number | undefined;
}

/** Asks how far the watches of this stream have come; there is nothing to choose. Since 3.4. */
export type WatchProgressRequest = Readonly<Record<string, never>>;

/** Events, or news of a watch. */
export interface WatchResponse {
  /** The state of the cluster when the answer was made. */
  readonly header: ResponseHeader | null;
  /** The watch this is about; -1 for an answer to a progress request, and for a watch that was refused. */
  readonly watchId: number;
  /** True in the answer that says the watch is now in place. */
  readonly created: boolean;
  /** True in the last answer of a watch. */
  readonly canceled: boolean;
  /** Not 0 if the watch ended because history it needed is gone: the oldest revision that can still be watched. */
  readonly compactRevision: number;
  /** Why the watch ended. Since 3.4. */
  readonly cancelReason: string;
  /** True if the next answer continues this one. Since 3.4. */
  readonly fragment: boolean;
  /** What happened, in order of revision. */
  readonly events: readonly Event[];
}

/** How long a lease shall live. */
export interface LeaseGrantRequest {
  /** For how many seconds without renewal. The server may make it longer. */
  readonly TTL?: number | undefined;
  /** The ID the lease shall have; none to have the server choose one. */
  readonly ID?: Identifier | undefined;
}

/** The lease is made. */
export interface LeaseGrantResponse {
  /** The state of the cluster when the lease was made. */
  readonly header: ResponseHeader | null;
  /** The lease. */
  readonly ID: Identifier;
  /** How many seconds it lives without renewal, as the server chose. */
  readonly TTL: number;
  /** Why no lease was made; servers report that as the status of the call and leave this empty. */
  readonly error: string;
}

/** Which lease to end. */
export interface LeaseRevokeRequest {
  /** The lease. */
  readonly ID?: Identifier | undefined;
}

/** The lease has ended and its keys are deleted. */
export interface LeaseRevokeResponse {
  /** The state of the cluster after that. */
  readonly header: ResponseHeader | null;
}

/** How much time a lease has left, as members tell each other. No call of the client API carries it. Since 3.4. */
export interface LeaseCheckpoint {
  /** The lease. */
  readonly ID?: Identifier | undefined;
  /** How many seconds it has left. */
  readonly remaining_TTL?: number | undefined;
}

/** Time left of several leases, as members tell each other. No call of the client API carries it. Since 3.4. */
export interface LeaseCheckpointRequest {
  /** One entry for each lease. */
  readonly checkpoints?: readonly LeaseCheckpoint[] | undefined;
}

/** Members took note. No call of the client API carries it. Since 3.4. */
export interface LeaseCheckpointResponse {
  /** The state of the cluster after that. */
  readonly header: ResponseHeader | null;
}

/** Which lease to renew. */
export interface LeaseKeepAliveRequest {
  /** The lease. */
  readonly ID?: Identifier | undefined;
}

/** The lease is renewed, or gone. */
export interface LeaseKeepAliveResponse {
  /** The state of the cluster when the answer was made. */
  readonly header: ResponseHeader | null;
  /** The lease. */
  readonly ID: Identifier;
  /** How many seconds it lives from the renewal on; 0 if there is no such lease any more. */
  readonly TTL: number;
}

/** Which lease to look at. Since 3.1. */
export interface LeaseTimeToLiveRequest {
  /** The lease. */
  readonly ID?: Identifier | undefined;
  /** True to be told the attached keys too. */
  readonly keys?: boolean | undefined;
}

/** How a lease is doing. Since 3.1. */
export interface LeaseTimeToLiveResponse {
  /** The state of the cluster when the answer was made. */
  readonly header: ResponseHeader | null;
  /** The lease. */
  readonly ID: Identifier;
  /** How many seconds it has left; -1 if there is no such lease. */
  readonly TTL: number;
  /** How many seconds it lives without renewal, as granted. */
  readonly grantedTTL: number;
  /** The attached keys, if they were asked for. */
  readonly keys: readonly Uint8Array[];
}

/** Asks for all leases; there is nothing to choose. Since 3.3. */
export type LeaseLeasesRequest = Readonly<Record<string, never>>;

/** One lease of the list. Since 3.3. */
export interface LeaseStatus {
  /** The lease. */
  readonly ID: Identifier;
}

/** All leases. Since 3.3. */
export interface LeaseLeasesResponse {
  /** The state of the cluster when the answer was made. */
  readonly header: ResponseHeader | null;
  /** The leases, in no order that means anything. */
  readonly leases: readonly LeaseStatus[];
}

/** One member of the cluster. */
export interface Member {
  /** The member. */
  readonly ID: Identifier;
  /** Its name; empty until it has been started for the first time. */
  readonly name: string;
  /** The addresses by which the other members reach it. */
  readonly peerURLs: readonly string[];
  /** The addresses by which clients reach it; none until it has been started for the first time. */
  readonly clientURLs: readonly string[];
  /** True for a member that follows without a vote. Since 3.4. */
  readonly isLearner: boolean;
}

/** The member to add. */
export interface MemberAddRequest {
  /** The addresses by which the other members will reach it. */
  readonly peerURLs?: readonly string[] | undefined;
  /** True to add it without a vote. Since 3.4. */
  readonly isLearner?: boolean | undefined;
}

/** The member is added. */
export interface MemberAddResponse {
  /** The state of the cluster after that. */
  readonly header: ResponseHeader | null;
  /** The new member. */
  readonly member: Member | null;
  /** All members, the new one included. */
  readonly members: readonly Member[];
}

/** Which member to take out. */
export interface MemberRemoveRequest {
  /** The member. */
  readonly ID?: Identifier | undefined;
}

/** The member is out. */
export interface MemberRemoveResponse {
  /** The state of the cluster after that. */
  readonly header: ResponseHeader | null;
  /** The members that are left. */
  readonly members: readonly Member[];
}

/** Which member to change, and how. */
export interface MemberUpdateRequest {
  /** The member. */
  readonly ID?: Identifier | undefined;
  /** The addresses by which the other members reach it from now on, all of them. */
  readonly peerURLs?: readonly string[] | undefined;
}

/** The member is changed. */
export interface MemberUpdateResponse {
  /** The state of the cluster after that. */
  readonly header: ResponseHeader | null;
  /** All members. Since 3.1. */
  readonly members: readonly Member[];
}

/** Asks for the members. */
export interface MemberListRequest {
  /** True to have the list confirmed by the leader; false to take what the asked member knows. Since 3.5. */
  readonly linearizable?: boolean | undefined;
}

/** The members. */
export interface MemberListResponse {
  /** The state of the cluster when the answer was made. */
  readonly header: ResponseHeader | null;
  /** All members. */
  readonly members: readonly Member[];
}

/** Which learner to give a vote. Since 3.4. */
export interface MemberPromoteRequest {
  /** The member. */
  readonly ID?: Identifier | undefined;
}

/** The member has a vote. Since 3.4. */
export interface MemberPromoteResponse {
  /** The state of the cluster after that. */
  readonly header: ResponseHeader | null;
  /** All members. */
  readonly members: readonly Member[];
}

/** Asks for defragmentation; there is nothing to choose. */
export type DefragmentRequest = Readonly<Record<string, never>>;

/** The database file is compact again. */
export interface DefragmentResponse {
  /** Absent in practice: servers leave it out. */
  readonly header: ResponseHeader | null;
}

/** To whom leadership goes. Since 3.3. */
export interface MoveLeaderRequest {
  /** The member that shall lead. */
  readonly targetID?: Identifier | undefined;
}

/** Leadership has moved. Since 3.3. */
export interface MoveLeaderResponse {
  /** The member that answered. */
  readonly header: ResponseHeader | null;
}

/**
 * What can be wrong enough for the cluster to hold back.
 *
 * - `NONE`: Nothing; in a request: any kind.
 * - `NOSPACE`: A member's database has reached its quota: the cluster takes no more writes.
 * - `CORRUPT`: A member's data differs from the others'. Since 3.3.
 */
export type AlarmType = 'NONE' | 'NOSPACE' | 'CORRUPT';

/** What to do about alarms, and about which. */
export interface AlarmRequest {
  /** What to do. */
  readonly action?: AlarmAction | UnknownEnum | undefined;
  /** The member it is about; none for any member. */
  readonly memberID?: Identifier | undefined;
  /** The kind of alarm; NONE for any kind. */
  readonly alarm?: AlarmType | UnknownEnum | undefined;
}

/**
 * What to do about alarms.
 *
 * - `GET`: List them.
 * - `ACTIVATE`: Raise one.
 * - `DEACTIVATE`: Clear one.
 */
export type AlarmAction = 'GET' | 'ACTIVATE' | 'DEACTIVATE';

/** An alarm that is raised. */
export interface AlarmMember {
  /** The member it is about. */
  readonly memberID: Identifier;
  /** What is wrong. */
  readonly alarm: AlarmType | UnknownEnum;
}

/** Alarms, after what was asked is done. */
export interface AlarmResponse {
  /** The state of the cluster after that. */
  readonly header: ResponseHeader | null;
  /** The alarms listed, raised or cleared. */
  readonly alarms: readonly AlarmMember[];
}

/** What to do about a downgrade. Since 3.5. */
export interface DowngradeRequest {
  /** What to do. */
  readonly action?: DowngradeAction | UnknownEnum | undefined;
  /** The release to go to, such as `3.6.0`; not used to call it off. */
  readonly version?: string | undefined;
}

/**
 * What to do about a downgrade.
 *
 * - `VALIDATE`: Check whether it could be done.
 * - `ENABLE`: Start it: members may then be replaced by those of the older release.
 * - `CANCEL`: Call it off.
 */
export type DowngradeAction = 'VALIDATE' | 'ENABLE' | 'CANCEL';

/** The outcome of a downgrade request. Since 3.5. */
export interface DowngradeResponse {
  /** The state of the cluster after that. */
  readonly header: ResponseHeader | null;
  /** The release the cluster runs as now. */
  readonly version: string;
}

/** A made-up entry by which etcd's own tests try a version. No call of the client API carries it. Since 3.6. */
export interface DowngradeVersionTestRequest {
  /** The version to try. */
  readonly ver?: string | undefined;
}

/** Asks for the status of a member; there is nothing to choose. */
export type StatusRequest = Readonly<Record<string, never>>;

/** How a member is doing. */
export interface StatusResponse {
  /** The member that answered, and its revision. */
  readonly header: ResponseHeader | null;
  /** The release it runs. */
  readonly version: string;
  /** The bytes its database file takes up. */
  readonly dbSize: number;
  /** The member it takes for the leader; none if it knows of none. */
  readonly leader: Identifier;
  /** The index of the last Raft entry that is safe on a majority. */
  readonly raftIndex: number;
  /** Its Raft term. */
  readonly raftTerm: number;
  /** The index of the last Raft entry it has applied to its store. Since 3.4. */
  readonly raftAppliedIndex: number;
  /** What is wrong with it, such as a missing leader or a raised alarm. Since 3.4. */
  readonly errors: readonly string[];
  /** The bytes of the database file that are in use; defragmentation frees the rest. Since 3.4. */
  readonly dbSizeInUse: number;
  /** True if it follows without a vote. Since 3.4. */
  readonly isLearner: boolean;
  /** The release whose storage format its database has. Since 3.6. */
  readonly storageVersion: string;
  /** The bytes its database may grow to before the NOSPACE alarm. Since 3.6. */
  readonly dbSizeQuota: number;
  /** The downgrade under way. Since 3.6. */
  readonly downgradeInfo: DowngradeInfo | null;
}

/** A downgrade under way, or none. Since 3.6. */
export interface DowngradeInfo {
  /** True while the cluster is on its way to an older release. */
  readonly enabled: boolean;
  /** The release it is on its way to. */
  readonly targetVersion: string;
}

/** Asks to switch authentication on; there is nothing to choose. */
export type AuthEnableRequest = Readonly<Record<string, never>>;

/** Asks to switch authentication off; there is nothing to choose. */
export type AuthDisableRequest = Readonly<Record<string, never>>;

/** Asks whether authentication is on; there is nothing to choose. Since 3.5. */
export type AuthStatusRequest = Readonly<Record<string, never>>;

/** Who wants a token. */
export interface AuthenticateRequest {
  /** The user's name. */
  readonly name?: string | undefined;
  /** The user's password. */
  readonly password?: string | undefined;
}

/** The user to create. */
export interface AuthUserAddRequest {
  /** The user's name. Never empty. */
  readonly name?: string | undefined;
  /** The user's password; empty only with the option `noPassword`. */
  readonly password?: string | undefined;
  /** How the user may sign in. Since 3.4. */
  readonly options?: UserAddOptions | undefined;
  /** The hash of the password. Servers fill it in for each other; clients leave it empty. Since 3.5. */
  readonly hashedPassword?: string | undefined;
}

/** Which user to look at. */
export interface AuthUserGetRequest {
  /** The user's name. */
  readonly name?: string | undefined;
}

/** Which user to delete. */
export interface AuthUserDeleteRequest {
  /** The user's name. */
  readonly name?: string | undefined;
}

/** The password a user shall have. */
export interface AuthUserChangePasswordRequest {
  /** The user's name. */
  readonly name?: string | undefined;
  /** The new password. */
  readonly password?: string | undefined;
  /** The hash of the password. Servers fill it in for each other; clients leave it empty. Since 3.5. */
  readonly hashedPassword?: string | undefined;
}

/** Which role to give to whom. */
export interface AuthUserGrantRoleRequest {
  /** The user's name. */
  readonly user?: string | undefined;
  /** The role's name. */
  readonly role?: string | undefined;
}

/** Which role to take from whom. */
export interface AuthUserRevokeRoleRequest {
  /** The user's name. */
  readonly name?: string | undefined;
  /** The role's name. */
  readonly role?: string | undefined;
}

/** The role to create. */
export interface AuthRoleAddRequest {
  /** The role's name. Never empty. */
  readonly name?: string | undefined;
}

/** Which role to look at. */
export interface AuthRoleGetRequest {
  /** The role's name. */
  readonly role?: string | undefined;
}

/** Asks for all users; there is nothing to choose. */
export type AuthUserListRequest = Readonly<Record<string, never>>;

/** Asks for all roles; there is nothing to choose. */
export type AuthRoleListRequest = Readonly<Record<string, never>>;

/** Which role to delete. */
export interface AuthRoleDeleteRequest {
  /** The role's name. */
  readonly role?: string | undefined;
}

/** Which permission to add to which role. */
export interface AuthRoleGrantPermissionRequest {
  /** The role's name. */
  readonly name?: string | undefined;
  /** The permission; it replaces one on the same key or range. */
  readonly perm?: PermissionInput | undefined;
}

/** Which permission to take from which role. */
export interface AuthRoleRevokePermissionRequest {
  /** The role's name. */
  readonly role?: string | undefined;
  /** The key, or the first key of the range, exactly as granted. */
  readonly key?: Uint8Array | undefined;
  /** The end of the range, exactly as granted; empty for a single key. */
  readonly rangeEnd?: Uint8Array | undefined;
}

/** Authentication is on. */
export interface AuthEnableResponse {
  /** The state of the cluster after that. */
  readonly header: ResponseHeader | null;
}

/** Authentication is off. */
export interface AuthDisableResponse {
  /** The state of the cluster after that. */
  readonly header: ResponseHeader | null;
}

/** Whether authentication is on. Since 3.5. */
export interface AuthStatusResponse {
  /** The state of the cluster when the answer was made. */
  readonly header: ResponseHeader | null;
  /** True if it is on. */
  readonly enabled: boolean;
  /** How often users, roles and permissions have changed; a token is good for one such revision or a later one. */
  readonly authRevision: number;
}

/** The user is known. */
export interface AuthenticateResponse {
  /** The state of the cluster when the answer was made. */
  readonly header: ResponseHeader | null;
  /** What to send as `token` in the metadata of the other calls, until it expires. */
  readonly token: string;
}

/** The user is created. */
export interface AuthUserAddResponse {
  /** The state of the cluster after that. */
  readonly header: ResponseHeader | null;
}

/** A user's roles. */
export interface AuthUserGetResponse {
  /** The state of the cluster when the answer was made. */
  readonly header: ResponseHeader | null;
  /** The names of the roles granted to the user. */
  readonly roles: readonly string[];
}

/** The user is deleted. */
export interface AuthUserDeleteResponse {
  /** The state of the cluster after that. */
  readonly header: ResponseHeader | null;
}

/** The password is changed. */
export interface AuthUserChangePasswordResponse {
  /** The state of the cluster after that. */
  readonly header: ResponseHeader | null;
}

/** The user has the role. */
export interface AuthUserGrantRoleResponse {
  /** The state of the cluster after that. */
  readonly header: ResponseHeader | null;
}

/** The user has the role no more. */
export interface AuthUserRevokeRoleResponse {
  /** The state of the cluster after that. */
  readonly header: ResponseHeader | null;
}

/** The role is created. */
export interface AuthRoleAddResponse {
  /** The state of the cluster after that. */
  readonly header: ResponseHeader | null;
}

/** A role's permissions. */
export interface AuthRoleGetResponse {
  /** The state of the cluster when the answer was made. */
  readonly header: ResponseHeader | null;
  /** The permissions the role carries. */
  readonly perm: readonly Permission[];
}

/** All roles. */
export interface AuthRoleListResponse {
  /** The state of the cluster when the answer was made. */
  readonly header: ResponseHeader | null;
  /** The names of the roles. */
  readonly roles: readonly string[];
}

/** All users. */
export interface AuthUserListResponse {
  /** The state of the cluster when the answer was made. */
  readonly header: ResponseHeader | null;
  /** The names of the users. */
  readonly users: readonly string[];
}

/** The role is deleted. */
export interface AuthRoleDeleteResponse {
  /** The state of the cluster after that. */
  readonly header: ResponseHeader | null;
}

/** The permission is added. */
export interface AuthRoleGrantPermissionResponse {
  /** The state of the cluster after that. */
  readonly header: ResponseHeader | null;
}

/** The permission is taken away. */
export interface AuthRoleRevokePermissionResponse {
  /** The state of the cluster after that. */
  readonly header: ResponseHeader | null;
}

/** Which lock to take, and for how long. */
export interface LockRequest {
  /** The name of the lock: the prefix of the keys that those who hold it or wait for it leave in the store. */
  readonly name?: Uint8Array | undefined;
  /** The lease that bounds the ownership. Without one the server grants a lease of its own that nobody renews. */
  readonly lease?: Identifier | undefined;
}

/** The lock is held. */
export interface LockResponse {
  /** The state of the cluster when the lock was taken. */
  readonly header: ResponseHeader | null;
  /** The key that exists for as long as the lock is held: the ticket for Unlock, and the thing to compare in a Txn. */
  readonly key: Uint8Array;
}

/** Which ownership to give up. */
export interface UnlockRequest {
  /** The key that Lock answered with. */
  readonly key?: Uint8Array | undefined;
}

/** The lock is given back. */
export interface UnlockResponse {
  /** The state of the cluster after the key was deleted. */
  readonly header: ResponseHeader | null;
}

/** Which election to stand for, and what to show once it is won. */
export interface CampaignRequest {
  /** The name of the election: the prefix of the candidates' keys. */
  readonly name?: Uint8Array | undefined;
  /** The lease that bounds the leadership, and the candidacy before it. */
  readonly lease?: Identifier | undefined;
  /** The value shown while leading; see Proclaim. */
  readonly value?: Uint8Array | undefined;
}

/** The election is won. */
export interface CampaignResponse {
  /** The state of the cluster when the election was won. */
  readonly header: ResponseHeader | null;
  /** What the leader needs for Proclaim and Resign. */
  readonly leader: LeaderKey | null;
}

/** A leadership: which election, and by which key at which revision it is held. */
export interface LeaderKeyInput {
  /** The name of the election. */
  readonly name?: Uint8Array | undefined;
  /** The key that exists for as long as the leadership lasts. */
  readonly key?: Uint8Array | undefined;
  /** The revision at which `key` was created; `key` with another create revision is another leadership. */
  readonly rev?: number | undefined;
  /** The lease that bounds the leadership. */
  readonly lease?: Identifier | undefined;
}

/** A leadership: which election, and by which key at which revision it is held. */
export interface LeaderKey {
  /** The name of the election. */
  readonly name: Uint8Array;
  /** The key that exists for as long as the leadership lasts. */
  readonly key: Uint8Array;
  /** The revision at which `key` was created; `key` with another create revision is another leadership. */
  readonly rev: number;
  /** The lease that bounds the leadership. */
  readonly lease: Identifier;
}

/** Which election to look at. */
export interface LeaderRequest {
  /** The name of the election. */
  readonly name?: Uint8Array | undefined;
}

/** Who leads. */
export interface LeaderResponse {
  /** The state of the cluster when the answer was made. */
  readonly header: ResponseHeader | null;
  /** The leader's key, with the value it shows. */
  readonly kv: KeyValue | null;
}

/** Which leadership to give up. */
export interface ResignRequest {
  /** The leadership, as Campaign answered it. */
  readonly leader?: LeaderKeyInput | undefined;
}

/** The leadership is given up. */
export interface ResignResponse {
  /** The state of the cluster after the leader's key was deleted. */
  readonly header: ResponseHeader | null;
}

/** What the leader shows from now on. */
export interface ProclaimRequest {
  /** The leadership, as Campaign answered it. */
  readonly leader?: LeaderKeyInput | undefined;
  /** The new value. */
  readonly value?: Uint8Array | undefined;
}

/** The new value is shown. */
export interface ProclaimResponse {
  /** The state of the cluster after the value was written. */
  readonly header: ResponseHeader | null;
}

/** The RPCs by their gRPC path, with the messages they carry. */
export interface RpcMessages {
  /** Reads one key or a range of keys. */
  readonly '/etcdserverpb.KV/Range': { readonly request: RangeRequest; readonly response: RangeResponse };
  /** Reads a range of keys in pieces, all at one revision. Since 3.7. */
  readonly '/etcdserverpb.KV/RangeStream': { readonly request: RangeRequest; readonly response: RangeStreamResponse };
  /** Writes one key. Raises the revision of the store by one and makes one event. */
  readonly '/etcdserverpb.KV/Put': { readonly request: PutRequest; readonly response: PutResponse };
  /** Deletes one key or a range of keys. Raises the revision by one if anything was there; one event for each key. */
  readonly '/etcdserverpb.KV/DeleteRange': { readonly request: DeleteRangeRequest; readonly response: DeleteRangeResponse };
  /**
   * Compares, then runs one of two lists of operations, all in one step that nobody can see half done.
   * All writes share one revision. A key may be written once only.
   */
  readonly '/etcdserverpb.KV/Txn': { readonly request: TxnRequest; readonly response: TxnResponse };
  /** Drops the history below a revision, which can neither be read nor watched afterwards. */
  readonly '/etcdserverpb.KV/Compact': { readonly request: CompactionRequest; readonly response: CompactionResponse };
  /** One stream for any number of watches: requests create and cancel them, answers carry events with the watch's ID. */
  readonly '/etcdserverpb.Watch/Watch': { readonly request: WatchRequest; readonly response: WatchResponse };
  /** Makes a lease that ends unless it is renewed in time. Keys attached to it are deleted when it ends. */
  readonly '/etcdserverpb.Lease/LeaseGrant': { readonly request: LeaseGrantRequest; readonly response: LeaseGrantResponse };
  /** Ends a lease now, and deletes its keys. */
  readonly '/etcdserverpb.Lease/LeaseRevoke': { readonly request: LeaseRevokeRequest; readonly response: LeaseRevokeResponse };
  /** Renews leases: one stream for any number of them, one answer for each request. */
  readonly '/etcdserverpb.Lease/LeaseKeepAlive': { readonly request: LeaseKeepAliveRequest; readonly response: LeaseKeepAliveResponse };
  /** Tells how long a lease has left, and which keys are attached. Since 3.1. */
  readonly '/etcdserverpb.Lease/LeaseTimeToLive': { readonly request: LeaseTimeToLiveRequest; readonly response: LeaseTimeToLiveResponse };
  /** Lists all leases. Since 3.3. */
  readonly '/etcdserverpb.Lease/LeaseLeases': { readonly request: LeaseLeasesRequest; readonly response: LeaseLeasesResponse };
  /** Adds a member, which has yet to be started. */
  readonly '/etcdserverpb.Cluster/MemberAdd': { readonly request: MemberAddRequest; readonly response: MemberAddResponse };
  /** Takes a member out of the cluster for good. */
  readonly '/etcdserverpb.Cluster/MemberRemove': { readonly request: MemberRemoveRequest; readonly response: MemberRemoveResponse };
  /** Changes the addresses by which the other members reach a member. */
  readonly '/etcdserverpb.Cluster/MemberUpdate': { readonly request: MemberUpdateRequest; readonly response: MemberUpdateResponse };
  /** Lists the members. */
  readonly '/etcdserverpb.Cluster/MemberList': { readonly request: MemberListRequest; readonly response: MemberListResponse };
  /** Makes a learner a voting member. Since 3.4. */
  readonly '/etcdserverpb.Cluster/MemberPromote': { readonly request: MemberPromoteRequest; readonly response: MemberPromoteResponse };
  /** Lists, raises or clears alarms. */
  readonly '/etcdserverpb.Maintenance/Alarm': { readonly request: AlarmRequest; readonly response: AlarmResponse };
  /** Tells how the asked member is doing. */
  readonly '/etcdserverpb.Maintenance/Status': { readonly request: StatusRequest; readonly response: StatusResponse };
  /** Gives free space in the asked member's database file back to its disk. The member answers nobody meanwhile. */
  readonly '/etcdserverpb.Maintenance/Defragment': { readonly request: DefragmentRequest; readonly response: DefragmentResponse };
  /** Computes a hash of the asked member's whole database. Meant for etcd's own tests. */
  readonly '/etcdserverpb.Maintenance/Hash': { readonly request: HashRequest; readonly response: HashResponse };
  /** Computes a hash of the asked member's keys up to a revision; members agree on it unless one is corrupt. Since 3.3. */
  readonly '/etcdserverpb.Maintenance/HashKV': { readonly request: HashKVRequest; readonly response: HashKVResponse };
  /** Sends the asked member's whole database, in pieces, with a SHA-256 digest as the last one. */
  readonly '/etcdserverpb.Maintenance/Snapshot': { readonly request: SnapshotRequest; readonly response: SnapshotResponse };
  /** Hands leadership from the asked member, which has to be the leader, to another. Since 3.3. */
  readonly '/etcdserverpb.Maintenance/MoveLeader': { readonly request: MoveLeaderRequest; readonly response: MoveLeaderResponse };
  /** Checks, starts or calls off the move of the cluster to an older release. Since 3.5. */
  readonly '/etcdserverpb.Maintenance/Downgrade': { readonly request: DowngradeRequest; readonly response: DowngradeResponse };
  /** Switches authentication on. A user `root` with the role `root` has to exist. */
  readonly '/etcdserverpb.Auth/AuthEnable': { readonly request: AuthEnableRequest; readonly response: AuthEnableResponse };
  /** Switches authentication off. */
  readonly '/etcdserverpb.Auth/AuthDisable': { readonly request: AuthDisableRequest; readonly response: AuthDisableResponse };
  /** Tells whether authentication is on. Since 3.5. */
  readonly '/etcdserverpb.Auth/AuthStatus': { readonly request: AuthStatusRequest; readonly response: AuthStatusResponse };
  /** Exchanges a name and a password for a token, which then accompanies the other calls. */
  readonly '/etcdserverpb.Auth/Authenticate': { readonly request: AuthenticateRequest; readonly response: AuthenticateResponse };
  /** Creates a user. The name may not be taken. */
  readonly '/etcdserverpb.Auth/UserAdd': { readonly request: AuthUserAddRequest; readonly response: AuthUserAddResponse };
  /** Tells which roles a user has. */
  readonly '/etcdserverpb.Auth/UserGet': { readonly request: AuthUserGetRequest; readonly response: AuthUserGetResponse };
  /** Lists all users. */
  readonly '/etcdserverpb.Auth/UserList': { readonly request: AuthUserListRequest; readonly response: AuthUserListResponse };
  /** Deletes a user. */
  readonly '/etcdserverpb.Auth/UserDelete': { readonly request: AuthUserDeleteRequest; readonly response: AuthUserDeleteResponse };
  /** Gives a user another password. */
  readonly '/etcdserverpb.Auth/UserChangePassword': { readonly request: AuthUserChangePasswordRequest; readonly response: AuthUserChangePasswordResponse };
  /** Gives a user a role. */
  readonly '/etcdserverpb.Auth/UserGrantRole': { readonly request: AuthUserGrantRoleRequest; readonly response: AuthUserGrantRoleResponse };
  /** Takes a role from a user. */
  readonly '/etcdserverpb.Auth/UserRevokeRole': { readonly request: AuthUserRevokeRoleRequest; readonly response: AuthUserRevokeRoleResponse };
  /** Creates a role without permissions. The name may not be taken. */
  readonly '/etcdserverpb.Auth/RoleAdd': { readonly request: AuthRoleAddRequest; readonly response: AuthRoleAddResponse };
  /** Tells which permissions a role carries. */
  readonly '/etcdserverpb.Auth/RoleGet': { readonly request: AuthRoleGetRequest; readonly response: AuthRoleGetResponse };
  /** Lists all roles. */
  readonly '/etcdserverpb.Auth/RoleList': { readonly request: AuthRoleListRequest; readonly response: AuthRoleListResponse };
  /** Deletes a role, also from the users who have it. */
  readonly '/etcdserverpb.Auth/RoleDelete': { readonly request: AuthRoleDeleteRequest; readonly response: AuthRoleDeleteResponse };
  /** Adds a permission on a key or a range to a role. */
  readonly '/etcdserverpb.Auth/RoleGrantPermission': { readonly request: AuthRoleGrantPermissionRequest; readonly response: AuthRoleGrantPermissionResponse };
  /** Takes the permission on a key or a range from a role. */
  readonly '/etcdserverpb.Auth/RoleRevokePermission': { readonly request: AuthRoleRevokePermissionRequest; readonly response: AuthRoleRevokePermissionResponse };
  /** Waits until the lock is free and takes it. The call stays open while it waits. */
  readonly '/v3lockpb.Lock/Lock': { readonly request: LockRequest; readonly response: LockResponse };
  /** Gives the lock back. */
  readonly '/v3lockpb.Lock/Unlock': { readonly request: UnlockRequest; readonly response: UnlockResponse };
  /** Stands for election and waits until it is won. The call stays open while it waits. */
  readonly '/v3electionpb.Election/Campaign': { readonly request: CampaignRequest; readonly response: CampaignResponse };
  /** Replaces the value that the leader shows, without a new election. */
  readonly '/v3electionpb.Election/Proclaim': { readonly request: ProclaimRequest; readonly response: ProclaimResponse };
  /** Tells who leads now. */
  readonly '/v3electionpb.Election/Leader': { readonly request: LeaderRequest; readonly response: LeaderResponse };
  /** Tells who leads, and again whenever the leader or its value changes, in order. Changes can be skipped, not repeated. */
  readonly '/v3electionpb.Election/Observe': { readonly request: LeaderRequest; readonly response: LeaderResponse };
  /** Gives leadership up, so that another candidate can win. */
  readonly '/v3electionpb.Election/Resign': { readonly request: ResignRequest; readonly response: ResignResponse };
}
