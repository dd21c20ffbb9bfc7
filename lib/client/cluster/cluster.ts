/** The members of the cluster, as etcd's Cluster service has them. */
import { EtcdProtocolError } from '../errors.js';
import { requireMemberId } from '../member-id.js';
import { MEMBER_ADD, MEMBER_LIST, MEMBER_PROMOTE, MEMBER_REMOVE, MEMBER_UPDATE } from '../rpc/methods.js';
import type * as wire from '../rpc/generated/messages.js';
import { headerOf, type ResponseHeader } from '../rpc/response-header.js';
import type { CallOptions, MethodInfo, Rpc } from '../rpc/rpc.js';
import { requirePeerUrls } from './peer-url.js';

/** A member of the cluster. */
export interface Member {
  /** In hex, as `etcdctl` prints it. */
  readonly id: string;
  /** Its name; empty until it has been started for the first time. */
  readonly name: string;
  /** The addresses by which the other members reach it. */
  readonly peerUrls: readonly string[];
  /** The addresses by which clients reach it; empty until it has been started for the first time. */
  readonly clientUrls: readonly string[];
  /** Whether it follows without a vote. */
  readonly isLearner: boolean;
}

/** The members. */
export interface MembersResponse {
  readonly header: ResponseHeader;
  /** All members, after the call has taken effect. */
  readonly members: readonly Member[];
}

/** The members, and the one that was added. */
export interface MemberAddResponse extends MembersResponse {
  /** The new member, with the ID it got. */
  readonly member: Member;
}

/** How to list the members. */
export interface MemberListOptions extends CallOptions {
  /**
   * Whether the list is confirmed by a quorum. With `false` the member that is asked answers from what it has: works
   * without a quorum, may be behind.
   *
   * @default true
   * @remarks etcd 3.4 ignores it and always answers from what the asked member has. Go: `WithSerializable` is its opposite.
   */
  readonly linearizable?: boolean | undefined;
}

/**
 * The Cluster service. Nest injects it by this class.
 *
 * With authentication on, only root may change the members.
 */
export class EtcdCluster {
  constructor(private readonly rpc: Rpc) {}

  /**
   * Adds a member that votes from the start. Add it here first and start its process then (`--initial-cluster-state
   * existing`). Until it runs it counts for the quorum: a cluster of one stops at once until the second is up, so
   * prefer {@link memberAddAsLearner}.
   *
   * @param peerUrls the addresses by which the other members will reach it.
   * @throws {EtcdInvalidArgumentError} when a URL has not the form `http://host:port`; nothing was sent.
   * @throws {EtcdMemberExistsError} when a member has one of these URLs.
   * @throws {EtcdMembershipError} when too few members run for another one to be safe.
   * @throws {EtcdUnhealthyError} when some member was not connected to the others for the last 5 seconds.
   * @see etcd `clientv3.Cluster.MemberAdd`
   *
   * @example
   * const { member } = await etcd.cluster.memberAdd('http://10.0.0.4:2380');
   */
  async memberAdd(peerUrls: string | readonly string[], options: CallOptions = {}): Promise<MemberAddResponse> {
    return this.add({ peerURLs: requirePeerUrls(peerUrls), isLearner: false }, options);
  }

  /**
   * Adds a member that follows without a vote, so that it cannot harm the quorum while it catches up. Make it a voter
   * with {@link memberPromote}. etcd allows one learner at a time unless told otherwise (`--max-learners`).
   *
   * @param peerUrls the addresses by which the other members will reach it.
   * @throws {EtcdInvalidArgumentError} when a URL has not the form `http://host:port`; nothing was sent.
   * @throws {EtcdMemberExistsError} when a member has one of these URLs.
   * @throws {EtcdMembershipError} when there are as many learners as allowed.
   * @see etcd `clientv3.Cluster.MemberAddAsLearner`
   *
   * @example
   * const { member } = await etcd.cluster.memberAddAsLearner('http://10.0.0.4:2380');
   * // … start it, then
   * await etcd.cluster.memberPromote(member.id);
   */
  async memberAddAsLearner(
    peerUrls: string | readonly string[],
    options: CallOptions = {},
  ): Promise<MemberAddResponse> {
    return this.add({ peerURLs: requirePeerUrls(peerUrls), isLearner: true }, options);
  }

  /**
   * Gives a learner a vote.
   *
   * @throws {EtcdMembershipError} when it is no learner, or has not caught up with the leader yet (`reason`
   *   `LearnerNotReady`): wait a little and call again.
   * @throws {EtcdMemberNotFoundError} when there is no such member.
   * @see etcd `clientv3.Cluster.MemberPromote`
   *
   * @example
   * await etcd.cluster.memberPromote(member.id);
   */
  async memberPromote(memberId: string, options: CallOptions = {}): Promise<MembersResponse> {
    const answer = await this.rpc.unary(MEMBER_PROMOTE, { ID: requireMemberId(memberId) }, options);
    return toMembersResponse(MEMBER_PROMOTE, answer);
  }

  /**
   * Replaces all peer URLs of a member. Before 3.5.31 and 3.6.12 this turns a learner into a voter.
   *
   * @throws {EtcdInvalidArgumentError} when a URL has not the form `http://host:port`; nothing was sent.
   * @throws {EtcdMemberNotFoundError} when there is no such member.
   * @throws {EtcdMemberExistsError} when another member has one of these URLs.
   * @see etcd `clientv3.Cluster.MemberUpdate`
   *
   * @example
   * await etcd.cluster.memberUpdate(member.id, ['http://10.0.1.4:2380']);
   */
  async memberUpdate(
    memberId: string,
    peerUrls: string | readonly string[],
    options: CallOptions = {},
  ): Promise<MembersResponse> {
    const request = { ID: requireMemberId(memberId), peerURLs: requirePeerUrls(peerUrls) };
    return toMembersResponse(MEMBER_UPDATE, await this.rpc.unary(MEMBER_UPDATE, request, options));
  }

  /**
   * Takes a member out for good: its process ends, and its data cannot be used to join again.
   *
   * @returns the members that are left.
   * @throws {EtcdMemberNotFoundError} when there is no such member.
   * @throws {EtcdMembershipError} when too few members would be left running.
   * @throws {EtcdUnhealthyError} when some member was not connected to the others for the last 5 seconds.
   * @see etcd `clientv3.Cluster.MemberRemove`
   *
   * @example
   * await etcd.cluster.memberRemove('8e9e05c52164694d');
   */
  async memberRemove(memberId: string, options: CallOptions = {}): Promise<MembersResponse> {
    const answer = await this.rpc.unary(MEMBER_REMOVE, { ID: requireMemberId(memberId) }, options);
    return toMembersResponse(MEMBER_REMOVE, answer);
  }

  /**
   * Lists the members.
   *
   * @see etcd `clientv3.Cluster.MemberList`
   *
   * @example
   * const { members } = await etcd.cluster.memberList();
   * const endpoints = members.flatMap(({ clientUrls }) => clientUrls);
   */
  async memberList(options: MemberListOptions = {}): Promise<MembersResponse> {
    const { linearizable = true, ...call } = options;
    return toMembersResponse(MEMBER_LIST, await this.rpc.unary(MEMBER_LIST, { linearizable }, call));
  }

  private async add(request: wire.MemberAddRequest, options: CallOptions): Promise<MemberAddResponse> {
    const answer = await this.rpc.unary(MEMBER_ADD, request, options);
    if (answer.member === null) {
      throw new EtcdProtocolError('the answer does not name the new member', {
        method: MEMBER_ADD.label,
        outcome: 'unknown',
      });
    }
    return { ...toMembersResponse(MEMBER_ADD, answer), member: toMember(answer.member) };
  }
}

function toMembersResponse(
  method: MethodInfo,
  answer: { readonly header: wire.ResponseHeader | null; readonly members: readonly wire.Member[] },
): MembersResponse {
  return { header: headerOf(method, answer), members: answer.members.map(toMember) };
}

function toMember({ ID, name, peerURLs, clientURLs, isLearner }: wire.Member): Member {
  return { id: ID, name, peerUrls: peerURLs, clientUrls: clientURLs, isLearner };
}
