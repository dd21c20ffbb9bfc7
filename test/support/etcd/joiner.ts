/** A member that is to join a running cluster: it has an address before it has an ID. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { findEtcd } from './find.js';
import { memberArguments, type MemberPlace } from './flags.js';
import { Member } from './member.js';
import { freePorts } from './ports.js';
import { temporaryFolder, type TemporaryFolder } from './temporary-folder.js';

/** What a cluster says of a member of it. */
export interface KnownMember {
  readonly name: string;
  readonly peerUrls: readonly string[];
}

export class Joiner implements AsyncDisposable {
  private member: Member | undefined;

  private constructor(
    readonly place: MemberPlace,
    private readonly folder: TemporaryFolder,
  ) {}

  /** Picks ports and a folder; starts nothing. */
  static async prepare(name: string): Promise<Joiner> {
    const folder = await temporaryFolder();
    const [clientPort = 0, peerPort = 0] = await freePorts(2);
    const dataFolder = join(folder.path, name);
    await mkdir(dataFolder, { mode: 0o700 });
    const url = (port: number): string => `http://127.0.0.1:${port}`;
    return new Joiner({ name, clientUrl: url(clientPort), peerUrl: url(peerPort), dataFolder }, folder);
  }

  /**
   * Starts its process, without waiting until it is healthy. It must have been added before.
   *
   * @param members all that the cluster has, this one included or not.
   */
  async start(members: readonly KnownMember[]): Promise<Member> {
    const { etcd, version } = await findEtcd();
    const others = members
      .filter(({ name }) => name !== '' && name !== this.place.name)
      .map(({ name, peerUrls }) => ({ ...this.place, name, peerUrl: peerUrls[0]! }));
    const flags = { 'initial-cluster-state': 'existing' };
    const cluster = [...others, this.place];
    this.member = new Member({
      name: this.place.name,
      endpoint: this.place.clientUrl,
      binary: etcd,
      args: memberArguments({ version, place: this.place, cluster, clusterToken: 'joined', flags }),
      logFile: join(this.folder.path, 'log'),
    });
    await this.member.start();
    return this.member;
  }

  /** Ends its process, and removes its data. */
  async remove(): Promise<void> {
    await this.member?.kill();
    await this.folder.remove();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.remove();
  }
}
