/** What a member says of itself. */
import { STATUS } from '../rpc/methods.js';
import type * as wire from '../rpc/generated/messages.js';
import { headerOf, type ResponseHeader } from '../rpc/response-header.js';

/** What a member says of itself. Sizes are in bytes; fields that an older server does not know have their zero value. */
export interface MemberStatus {
  /** The member's ID and its view of revision and term. */
  readonly header: ResponseHeader;
  /** The server's release, for example `3.5.30`. */
  readonly version: string;
  /** Size of the database file. */
  readonly dbSize: number;
  /** Size of the part of the database in use; the rest can be won back by defragmenting. */
  readonly dbSizeInUse: number;
  /** The leader's member ID; `undefined` when the member knows none. */
  readonly leader: string | undefined;
  readonly isLearner: boolean;
  readonly raftIndex: number;
  readonly raftTerm: number;
  readonly raftAppliedIndex: number;
  /** What the member complains about: alarms and the lack of a leader. */
  readonly errors: readonly string[];
  /** Version of the data on disk; since 3.6. */
  readonly storageVersion: string;
  /** The quota of the database in bytes; since 3.6. */
  readonly dbSizeQuota: number;
  /** The release the cluster is on its way down to; `undefined` when there is no downgrade, and before 3.6. */
  readonly downgradeTo: string | undefined;
}

export function toMemberStatus(answer: wire.StatusResponse): MemberStatus {
  return {
    header: headerOf(STATUS, answer),
    version: answer.version,
    dbSize: answer.dbSize,
    dbSizeInUse: answer.dbSizeInUse,
    leader: answer.leader === '0' ? undefined : answer.leader,
    isLearner: answer.isLearner,
    raftIndex: answer.raftIndex,
    raftTerm: answer.raftTerm,
    raftAppliedIndex: answer.raftAppliedIndex,
    errors: answer.errors,
    storageVersion: answer.storageVersion,
    dbSizeQuota: answer.dbSizeQuota,
    downgradeTo: answer.downgradeInfo?.enabled === true ? answer.downgradeInfo.targetVersion : undefined,
  };
}
