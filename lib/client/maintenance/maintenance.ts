/** Looking after the members one by one, as etcd's Maintenance service does it. */
import { systemClock, type Clock } from '../clock.js';
import { requireMemberId } from '../member-id.js';
import { ALARM, DEFRAGMENT, DOWNGRADE, HASH, HASH_KV, MOVE_LEADER, SNAPSHOT, STATUS } from '../rpc/methods.js';
import type * as wire from '../rpc/generated/messages.js';
import { headerOf, type ResponseHeader } from '../rpc/response-header.js';
import type { CallOptions, Rpc } from '../rpc/rpc.js';
import { EtcdNotLeaderError } from '../server-errors.js';
import { toAlarmRequest, toAlarmResponse, type Alarm, type AlarmResponse } from './alarm.js';
import { findLeaderEndpoint } from './leader.js';
import { toMemberStatus, type MemberStatus } from './member-status.js';
import { writeSnapshot, type SavedSnapshot } from './snapshot-file.js';
import { EtcdSnapshot } from './snapshot.js';
import { TimeBudget } from './time-budget.js';

/** The hash of a member's whole database. */
export interface HashResponse {
  /** The member that answered, and its revision. */
  readonly header: ResponseHeader;
  readonly hash: number;
}

/** The hash of a member's keys and their history. */
export interface HashKvResponse {
  /** The member that answered, and its revision. */
  readonly header: ResponseHeader;
  readonly hash: number;
  /** Where the hashed history begins: hashes compare only when this is the same. -1 when nothing was compacted yet. */
  readonly compactRevision: number;
  /** Where it ends; `undefined` before 3.6. */
  readonly hashRevision: number | undefined;
}

/** Up to where to hash. */
export interface HashKvOptions extends CallOptions {
  /**
   * The last revision to hash. To compare members, ask each for the same one.
   *
   * @default 0, the newest one that the member has
   */
  readonly revision?: number | undefined;
}

/** Where to take a snapshot. */
export interface SnapshotOptions extends CallOptions {
  /**
   * The member to take it from, by its endpoint. It holds what this member has applied so far, so a member that lags
   * gives an older one.
   *
   * @default the next healthy endpoint
   */
  readonly endpoint?: string | undefined;
}

/** The outcome of a downgrade request. */
export interface DowngradeResponse {
  readonly header: ResponseHeader;
  /** The version the cluster runs as now, for example `3.5.0`, or `3.7` from newer releases. */
  readonly version: string;
}

/** Defragmenting copies the whole database: about ten seconds a gigabyte on a slow disk. */
const DEFRAGMENT_TIMEOUT_MS = 300_000;
/** Hashing reads the whole database. */
const HASH_TIMEOUT_MS = 60_000;
/** The server waits up to 5 seconds and two election timeouts itself; its answer says more than a deadline of ours. */
const CLUSTER_CHANGE_TIMEOUT_MS = 10_000;

/**
 * The Maintenance service. Nest injects it by this class.
 *
 * Calls that take an `endpoint` speak to that one member, over the connection the client has to it: one of the client's
 * endpoints, or any other, which then gets a connection of its own that is kept. With authentication on, all but
 * `status` and `alarms` are for root; some releases want root for these too.
 */
export class EtcdMaintenance {
  /** @param endpoints the client's endpoints at the time of the call, to look for the leader. */
  constructor(
    private readonly rpc: Rpc,
    private readonly endpoints: () => readonly string[] = () => [],
    private readonly clock: Clock = systemClock,
  ) {}

  /**
   * Asks one member for its state. Needs no quorum.
   *
   * @param endpoint the member's endpoint, one of the client's or any other.
   * @throws {EtcdPermissionDeniedError} with authentication on, in releases that let only root ask (3.4.42 to 3.4.45,
   *   3.5.28 to 3.5.31, 3.6.0 to 3.6.11): the member is alive all the same.
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
   * @param options.endpoint asks this member; it answers from what it knows.
   * @returns an empty list when there are none.
   * @see etcd `clientv3.Maintenance.AlarmList`
   *
   * @example
   * const alarms = await etcd.maintenance.alarms(); // [{ memberId: '8e9e05c52164694d', alarm: 'NOSPACE' }]
   */
  async alarms(options: CallOptions & { readonly endpoint?: string } = {}): Promise<readonly Alarm[]> {
    return (await this.listAlarms(options)).alarms;
  }

  /**
   * Raises an alarm in the name of a member: from then on the whole cluster refuses writes. For drills, and to hold
   * writes back by hand. Fine when it is raised already.
   *
   * @see etcd `Maintenance.Alarm` with `ACTIVATE`; the Go client has no method for it
   *
   * @example
   * await etcd.maintenance.armAlarm({ memberId, alarm: 'NOSPACE' });
   */
  async armAlarm(alarm: Alarm, options: CallOptions = {}): Promise<AlarmResponse> {
    return toAlarmResponse(await this.rpc.unary(ALARM, toAlarmRequest('ACTIVATE', alarm), options));
  }

  /**
   * Takes one alarm back. A `NOSPACE` alarm comes again with the next write unless space was made before: compact,
   * defragment each member, then disarm.
   *
   * @returns the alarm in `alarms`; an empty list when it was not raised.
   * @see etcd `clientv3.Maintenance.AlarmDisarm`
   *
   * @example
   * for (const alarm of await etcd.maintenance.alarms()) await etcd.maintenance.disarmAlarm(alarm);
   */
  async disarmAlarm(alarm: Alarm, options: CallOptions = {}): Promise<AlarmResponse> {
    return toAlarmResponse(await this.rpc.unary(ALARM, toAlarmRequest('DEACTIVATE', alarm), options));
  }

  /**
   * Takes back all alarms of all members, one after the other. When one fails the call fails, and those before it are
   * disarmed; calling again is fine.
   *
   * @returns the alarms that were disarmed, with the header of the last answer; Go leaves the header out.
   * @see etcd `clientv3.Maintenance.AlarmDisarm` with an empty member and `NONE`
   *
   * @example
   * const { alarms } = await etcd.maintenance.disarmAlarms();
   */
  async disarmAlarms(options: CallOptions = {}): Promise<AlarmResponse> {
    let { header, alarms } = await this.listAlarms(options);
    const disarmed: Alarm[] = [];
    for (const alarm of alarms) {
      ({ header, alarms } = await this.disarmAlarm(alarm, options));
      disarmed.push(...alarms);
    }
    return { header, alarms: disarmed };
  }

  /**
   * Gives the unused part of a member's database file back to the disk. The member answers nothing else meanwhile, so
   * take one member after the other, the leader last, and not more often than needed. When it fails with
   * `EtcdDeadlineExceededError` the member goes on: wait for it before the next one.
   *
   * @param options.timeoutMs default 300_000, not the client's `callTimeoutMs`.
   * @see etcd `clientv3.Maintenance.Defragment`
   *
   * @example
   * for (const endpoint of etcd.endpoints) await etcd.maintenance.defragment(endpoint);
   */
  async defragment(endpoint: string, options: CallOptions = {}): Promise<void> {
    await this.rpc.unary(
      DEFRAGMENT,
      {},
      { ...options, endpoint, timeoutMs: options.timeoutMs ?? DEFRAGMENT_TIMEOUT_MS },
    );
  }

  /**
   * Hashes the keys of one member with their history, to find out whether members hold the same.
   *
   * @param options.timeoutMs default 60_000, not the client's `callTimeoutMs`.
   * @throws {EtcdCompactedError} when `revision` is compacted already.
   * @throws {EtcdFutureRevisionError} when the member has not got as far as `revision` yet.
   * @see etcd `clientv3.Maintenance.HashKV`
   *
   * @example
   * const { header } = await etcd.kv.range('any');
   * const answers = await Promise.all(
   *   etcd.endpoints.map((endpoint) => etcd.maintenance.hashKv(endpoint, { revision: header.revision })),
   * );
   * const isConsistent = new Set(answers.map(({ hash, compactRevision }) => `${hash} ${compactRevision}`)).size === 1;
   */
  async hashKv(endpoint: string, options: HashKvOptions = {}): Promise<HashKvResponse> {
    const { revision = 0, ...call } = options;
    const answer = await this.rpc.unary(
      HASH_KV,
      { revision },
      { ...call, endpoint, timeoutMs: call.timeoutMs ?? HASH_TIMEOUT_MS },
    );
    return {
      header: headerOf(HASH_KV, answer),
      hash: answer.hash,
      compactRevision: answer.compactRevision,
      hashRevision: answer.hashRevision === 0 ? undefined : answer.hashRevision,
    };
  }

  /**
   * Hashes the whole database of one member, bookkeeping included. Members that hold the same keys may differ in it:
   * made for etcd's own tests. Use {@link hashKv} to compare members.
   *
   * @param options.timeoutMs default 60_000, not the client's `callTimeoutMs`.
   * @see etcd `Maintenance.Hash`; the Go client has no method for it
   *
   * @example
   * const { hash } = await etcd.maintenance.hash(etcd.endpoints[0]);
   */
  async hash(endpoint: string, options: CallOptions = {}): Promise<HashResponse> {
    const answer = await this.rpc.unary(
      HASH,
      {},
      { ...options, endpoint, timeoutMs: options.timeoutMs ?? HASH_TIMEOUT_MS },
    );
    return { header: headerOf(HASH, answer), hash: answer.hash };
  }

  /**
   * Hands leadership to another member, and resolves when it leads. The request goes to the leader, wherever it is:
   * found by the status of the client's endpoints, else by the addresses of the member list. When leadership moves at
   * the same moment, the new leader is looked for once.
   *
   * @param targetMemberId a voting member. Fine when it leads already.
   * @param options.timeoutMs for the search and the move together; default 10_000, not the client's `callTimeoutMs`.
   * @throws {EtcdBadLeaderTransfereeError} when there is no such member, or it is a learner.
   * @throws {EtcdNoLeaderError} when the cluster has no leader now.
   * @throws {EtcdUnavailableError} when the leader cannot be reached; `endpoints` says what was tried.
   * @throws {EtcdNotLeaderError} when leadership moved twice meanwhile.
   * @see etcd `clientv3.Maintenance.MoveLeader`, which goes to the next endpoint in turn and fails on two of three
   *
   * @example
   * await etcd.maintenance.moveLeader('8e9e05c52164694d');
   */
  async moveLeader(targetMemberId: string, options: CallOptions = {}): Promise<void> {
    const targetID = requireMemberId(targetMemberId, 'targetMemberId');
    const budget = new TimeBudget(this.clock, options.timeoutMs ?? CLUSTER_CHANGE_TIMEOUT_MS);
    try {
      await this.askLeaderToMove(targetID, budget, options.signal);
    } catch (error) {
      if (!(error instanceof EtcdNotLeaderError)) throw error;
      await this.askLeaderToMove(targetID, budget, options.signal);
    }
  }

  /**
   * Asks whether the cluster could go down to an older release. Changes nothing.
   *
   * @param version the release to go to, one minor release below, for example `3.5.0`.
   * @param options.timeoutMs default 10_000, not the client's `callTimeoutMs`.
   * @throws {EtcdDowngradeError} when it could not; `reason` says why.
   * @throws {EtcdUnsupportedError} on etcd 3.4, with `since: '3.5'`.
   * @see etcd `clientv3.Maintenance.Downgrade` with `DowngradeValidate`
   *
   * @example
   * await etcd.maintenance.downgradeValidate('3.5.0');
   */
  async downgradeValidate(version: string, options: CallOptions = {}): Promise<DowngradeResponse> {
    return this.downgrade({ action: 'VALIDATE', version }, 'read', options);
  }

  /**
   * Starts a downgrade: from then on members may be replaced, one by one, by those of the older release. It ends by
   * itself when all run it. Take a snapshot first.
   *
   * etcd 3.5 does it and then answers `request timed out` (`EtcdServerTimeoutError`, outcome unknown) all the same: ask
   * {@link downgradeValidate}, which is refused with `DowngradeInProcess` when it is under way.
   *
   * @param version the release to go to, one minor release below, for example `3.5.0`.
   * @param options.timeoutMs default 10_000, not the client's `callTimeoutMs`.
   * @throws {EtcdDowngradeError} when it cannot be done, or one is under way; `reason` says which.
   * @throws {EtcdUnsupportedError} on etcd 3.4, with `since: '3.5'`.
   * @see etcd `clientv3.Maintenance.Downgrade` with `DowngradeEnable`
   *
   * @example
   * await etcd.maintenance.downgradeEnable('3.5.0');
   */
  async downgradeEnable(version: string, options: CallOptions = {}): Promise<DowngradeResponse> {
    return this.downgrade({ action: 'ENABLE', version }, 'write', options);
  }

  /**
   * Calls a downgrade off. etcd 3.5 does it and then answers `request timed out`, see {@link downgradeEnable}.
   *
   * @param options.timeoutMs default 10_000, not the client's `callTimeoutMs`.
   * @throws {EtcdDowngradeError} in 3.5, when none is under way (`reason` `NoInflightDowngrade`); newer ones are fine with it.
   * @throws {EtcdUnsupportedError} on etcd 3.4, with `since: '3.5'`.
   * @see etcd `clientv3.Maintenance.Downgrade` with `DowngradeCancel`
   *
   * @example
   * await etcd.maintenance.downgradeCancel();
   */
  async downgradeCancel(options: CallOptions = {}): Promise<DowngradeResponse> {
    return this.downgrade({ action: 'CANCEL' }, 'write', options);
  }

  /**
   * Copies a member's database while it goes on working, in pieces of about 32 KiB that are verified as they pass.
   * Nothing is sent before the first piece is asked for, and the server waits for a slow reader.
   *
   * @param options.timeoutMs for all of it; none by default, since a large database takes its time. A member that
   *   falls silent ends it all the same.
   * @returns the pieces: put together they are the file that `etcdutl snapshot restore` takes. They are complete only
   *   when the loop ends without an error.
   * @throws {EtcdSnapshotError} at the end of the loop, when something is missing or the SHA-256 is wrong.
   * @throws {EtcdUnavailableError} when the stream breaks after the first piece; before, it is opened anew.
   * @see etcd `clientv3.Maintenance.SnapshotWithVersion`, which does not verify
   *
   * @example
   * const snapshot = etcd.maintenance.snapshot({ endpoint: etcd.endpoints[0] });
   * for await (const { bytes, remainingBytes } of snapshot) upload.write(bytes);
   */
  snapshot(options: SnapshotOptions = {}): EtcdSnapshot {
    const { timeoutMs, ...others } = options;
    let budget: TimeBudget | undefined;
    return new EtcdSnapshot(() => {
      if (timeoutMs !== undefined) budget ??= new TimeBudget(this.clock, timeoutMs);
      return this.rpc.duplex(SNAPSHOT, { ...others, timeoutMs: budget?.left() });
    });
  }

  /**
   * Saves a snapshot as a file, readable for its owner only. It is written to `path.part`, verified, flushed to the
   * disk and then renamed, so `path` is always a complete snapshot: this one, or the one before.
   *
   * @param options.timeoutMs for all of it; none by default.
   * @throws {EtcdSnapshotError} when the snapshot is damaged, or the file cannot be written. Nothing is left behind.
   * @throws {EtcdUnavailableError} when the stream breaks. Nothing is left behind.
   * @see etcd `client/v3/snapshot`, `Save`, and `etcdctl snapshot save`
   *
   * @example
   * const { bytes } = await etcd.maintenance.saveSnapshot('/backup/etcd.db', { endpoint: etcd.endpoints[0] });
   */
  async saveSnapshot(path: string, options: SnapshotOptions = {}): Promise<SavedSnapshot> {
    return writeSnapshot(this.snapshot(options), path);
  }

  private async listAlarms(options: CallOptions): Promise<AlarmResponse> {
    return toAlarmResponse(await this.rpc.unary(ALARM, { action: 'GET' }, { ...options, effect: 'read' }));
  }

  private async askLeaderToMove(targetID: string, budget: TimeBudget, signal: AbortSignal | undefined): Promise<void> {
    const endpoint = await findLeaderEndpoint({ rpc: this.rpc, endpoints: this.endpoints(), budget, signal });
    await this.rpc.unary(MOVE_LEADER, { targetID }, { endpoint, signal, timeoutMs: budget.left() });
  }

  private async downgrade(
    request: wire.DowngradeRequest,
    effect: 'read' | 'write',
    options: CallOptions,
  ): Promise<DowngradeResponse> {
    const answer = await this.rpc.unary(DOWNGRADE, request, {
      ...options,
      effect,
      timeoutMs: options.timeoutMs ?? CLUSTER_CHANGE_TIMEOUT_MS,
    });
    return { header: headerOf(DOWNGRADE, answer), version: answer.version };
  }
}
