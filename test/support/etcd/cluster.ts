/** A running etcd of one member or several, and all that a test may do to it. */
import { eventually } from '../eventually.js';
import { type AuthAdmin, type Credentials } from './auth.js';
import { type EtcdBinaries } from './binaries.js';
import { Gateway, hexId } from './gateway.js';
import { type Member } from './member.js';
import { run } from './run.js';
import { type ClusterTls } from './tls.js';

/** What a member says about itself and the cluster. */
export interface MemberStatus {
  /** Identifiers in lowercase hex; `leader` is `undefined` while there is none. */
  readonly memberId: string;
  readonly leader: string | undefined;
  readonly revision: number;
  readonly raftTerm: number;
  readonly version: string;
}

/** @internal What {@link Etcd} is made of. */
export interface EtcdParts {
  readonly version: string;
  readonly endpoints: readonly string[];
  readonly members: readonly Member[];
  readonly binaries: EtcdBinaries | undefined;
  readonly tls: ClusterTls | undefined;
  readonly auth: (gateway: () => Gateway) => AuthAdmin;
  readonly remove: () => Promise<void>;
}

export class Etcd implements AsyncDisposable {
  /** To look into the store and write to it without the client under test, as root once authentication is on. */
  readonly gateway: Gateway;
  /** Users and roles. */
  readonly auth: AuthAdmin;
  private readonly gateways: readonly Gateway[];

  constructor(private readonly parts: EtcdParts) {
    this.auth = parts.auth(() => this.gateway);
    this.gateway = this.gatewayTo(() => this.awakeEndpoints());
    this.gateways = parts.endpoints.map((endpoint) => this.gatewayTo(() => [endpoint]));
  }

  /** Of the servers, such as `3.5.30`. */
  get version(): string {
    return this.parts.version;
  }

  /** URLs for clients, one for each member. */
  get endpoints(): readonly string[] {
    return this.parts.endpoints;
  }

  /** The first of {@link endpoints}. */
  get endpoint(): string {
    return this.endpoints[0]!;
  }

  /** Empty when this etcd was not started by the tests (`ETCD_ENDPOINTS`): nothing can be killed then. */
  get members(): readonly Member[] {
    return this.parts.members;
  }

  /** Certificates, when TLS was asked for. */
  get tls(): ClusterTls | undefined {
    return this.parts.tls;
  }

  /** A gateway that asks one member only. */
  gatewayOf(index: number): Gateway {
    const gateway = this.gateways[index];
    if (!gateway) throw new Error(`there is no member ${index}`);
    return gateway;
  }

  /** A gateway that asks as somebody else, `undefined` meaning without a name. */
  as(user: Credentials | undefined): Gateway {
    return this.gatewayTo(
      () => this.awakeEndpoints(),
      () => user,
    );
  }

  /** A gateway that shows a token which the test has got or made itself. */
  withToken(token: string): Gateway {
    return new Gateway({ endpoints: () => this.awakeEndpoints(), identity: this.tls?.nameless, token });
  }

  async status(index: number): Promise<MemberStatus> {
    const answer = await this.gatewayOf(index).call('/v3/maintenance/status', {});
    const header = answer['header'] as Readonly<Record<string, string>>;
    return {
      memberId: hexId(header['member_id'])!,
      leader: hexId(answer['leader']),
      revision: Number(header['revision']),
      raftTerm: Number(header['raft_term']),
      version: String(answer['version']),
    };
  }

  /** @returns which member leads, once all members that are awake agree on one of them; waits for an election. */
  leaderIndex(options: { readonly timeoutMs?: number } = {}): Promise<number> {
    return eventually(() => this.agreedLeader(), { what: 'a leader that all agree on', ...options }).then(
      ({ index }) => index,
    );
  }

  /** Has the leader hand over to another member; resolves when all know the new one. */
  async moveLeader(toIndex: number): Promise<void> {
    const from = await this.leaderIndex();
    if (from === toIndex) return;
    const { memberId } = await this.status(toIndex);
    const targetID = BigInt(`0x${memberId}`).toString();
    await this.gatewayOf(from).call('/v3/maintenance/transfer-leadership', { targetID });
    await eventually(async () => (await this.leaderIndex()) === toIndex, { what: `member ${toIndex} leading` });
  }

  /** Runs `etcdctl` against all members, as root once authentication is on. @returns what it printed. */
  etcdctl(...args: string[]): Promise<string> {
    const program = this.parts.binaries?.etcdctl;
    if (program === undefined) throw new Error('no etcdctl beside the etcd in use, nor on the PATH');
    const { tls, endpoints } = this;
    const { root } = this.auth;
    return run(program, [
      `--endpoints=${endpoints.join(',')}`,
      ...(tls ? [`--cacert=${tls.caFile}`, `--cert=${tls.clientCertFile}`, `--key=${tls.clientKeyFile}`] : []),
      ...(root ? [`--user=${root.name}:${root.password}`] : []),
      ...args,
    ]);
  }

  /** Ends all members and removes their data. An etcd that was not started by the tests goes on. */
  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill()));
    await this.parts.remove();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  private gatewayTo(
    endpoints: () => readonly string[],
    user: () => Credentials | undefined = () => this.auth.root,
  ): Gateway {
    return new Gateway({ endpoints, identity: this.tls?.nameless, user });
  }

  private awakeEndpoints(): readonly string[] {
    if (this.members.length === 0) return this.endpoints;
    return this.members.filter((member) => member.isAwake).map((member) => member.endpoint);
  }

  private async agreedLeader(): Promise<{ index: number } | undefined> {
    const statuses = await Promise.all(
      this.endpoints.map(async (_, index) => {
        const isAwake = this.members[index]?.isAwake ?? true;
        return isAwake ? await this.status(index) : undefined;
      }),
    );
    const leaders = new Set(statuses.flatMap((status) => (status ? [status.leader] : [])));
    const [leader] = leaders;
    const index = statuses.findIndex((status) => status?.memberId === leader);
    return leaders.size === 1 && leader !== undefined && index !== -1 ? { index } : undefined;
  }
}
