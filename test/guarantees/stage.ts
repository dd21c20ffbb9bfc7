/** Where it all happens: three members with authentication, a bad network before each, one client that watches and one that writes. */
import { EtcdClient } from '../../lib/client/client.js';
import { progressNotifyFlag } from '../support/etcd/flags.js';
import { findEtcd, startCluster, startProxy, type Etcd, type TcpProxy } from '../support/index.js';
import { StoreHistory } from './store-history.js';

/** Everything that is written and watched begins so. */
export const ROOT = 'g/';

const USER = { username: 'ann', password: 'a secret' };
/** Short enough to end many times in a run. */
const TOKEN_TTL_SECONDS = 3;

export class Stage implements AsyncDisposable {
  readonly history = new StoreHistory();
  /** Watches through the proxies. */
  readonly watching: EtcdClient;
  /** Writes past them. */
  readonly writing: EtcdClient;

  private constructor(
    readonly etcd: Etcd,
    readonly proxies: readonly TcpProxy[],
  ) {
    this.watching = new EtcdClient({ endpoints: proxies.map(({ endpoint }) => endpoint), auth: USER });
    this.writing = new EtcdClient({ endpoints: etcd.endpoints, auth: USER, callTimeoutMs: 3_000 });
  }

  /** @param random decides what the proxies decide by chance. */
  static async start(random: () => number): Promise<Stage> {
    const { version } = await findEtcd();
    const flags = { 'max-request-bytes': 65_536, 'bcrypt-cost': 4, ...progressNotifyFlag(version, '1s') };
    const etcd = await startCluster({ auth: { token: 'simple', tokenTtlSeconds: TOKEN_TTL_SECONDS }, flags });
    await etcd.auth.addRole('app', [{ type: 'readwrite', prefix: ROOT }]);
    await etcd.auth.addUser(USER.username, USER.password, ['app']);
    const ports = etcd.members.map(({ port }) => port);
    return new Stage(etcd, await Promise.all(ports.map((targetPort) => startProxy({ targetPort, random }))));
  }

  /** Reads back what happened since it was last asked. */
  async collect(): Promise<void> {
    this.history.append(await this.etcd.gateway.history('', this.history.lastRevision + 1));
  }

  /** Has the store forget everything but the present, once it is written down here. */
  async compact(): Promise<void> {
    await this.collect();
    const revision = this.history.newestWithoutDeletion();
    if (revision === undefined || revision <= this.history.firstKept) return;
    this.history.compacted(revision);
    await this.etcd.gateway.compact(revision);
  }

  /** Has the members forget every token that was given out: a password that is set ends them, even if it is the same one. */
  async loseTokens(): Promise<void> {
    await this.etcd.auth.changePassword(USER.username, USER.password);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.watching.close(), this.writing.close()]);
    await Promise.all(this.proxies.map((proxy) => proxy.close()));
    await this.etcd.stop();
  }
}
