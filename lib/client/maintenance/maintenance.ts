/** The members' own state, as etcd's Maintenance service tells it. */
import { ALARM, STATUS } from '../rpc/methods.js';
import type * as wire from '../rpc/generated/messages.js';
import type { CallOptions, Rpc } from '../rpc/rpc.js';

/** What a member says of itself. Sizes are in bytes; fields that an older server does not know have their zero value. */
export interface MemberStatus {
  /** The member's ID and its view of revision and term. */
  readonly header: wire.ResponseHeader;
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
}

/** An alarm a member has raised. */
export interface Alarm {
  readonly memberId: string;
  /** `NOSPACE`: the quota is reached, writes are refused. `CORRUPT`: members differ, writes are refused. */
  readonly alarm: wire.AlarmMember['alarm'];
}

/** The Maintenance service. Nest injects it by this class. */
export class EtcdMaintenance {
  constructor(private readonly rpc: Rpc) {}

  /**
   * Asks one member for its state. Needs no quorum.
   *
   * @param endpoint the member's endpoint, one of the client's or any other.
   * @throws {EtcdPermissionDeniedError} with authentication on, in releases that let only root ask.
   * @see etcd `clientv3.Maintenance.Status`
   *
   * @example
   * const { version, dbSize } = await etcd.maintenance.status(etcd.endpoints[0]);
   */
  async status(endpoint: string, options: CallOptions = {}): Promise<MemberStatus> {
    const answer = await this.rpc.unary(STATUS, {}, { ...options, endpoint });
    return toMemberStatus(answer);
  }

  /**
   * Lists the alarms of all members.
   *
   * @returns an empty list when there are none.
   * @see etcd `clientv3.Maintenance.AlarmList`
   *
   * @example
   * const alarms = await etcd.maintenance.alarms(); // [{ memberId: '8e9e05c52164694d', alarm: 'NOSPACE' }]
   */
  async alarms(options: CallOptions & { readonly endpoint?: string } = {}): Promise<readonly Alarm[]> {
    const answer = await this.rpc.unary(ALARM, { action: 'GET' }, { ...options, effect: 'read' });
    return answer.alarms.map(({ memberID, alarm }) => ({ memberId: memberID, alarm }));
  }
}

function toMemberStatus(answer: wire.StatusResponse): MemberStatus {
  return {
    header: answer.header as wire.ResponseHeader,
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
  };
}
