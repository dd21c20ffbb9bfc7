/** Keeps the endpoints as the cluster's own member list says, without ever ending up with none that answers. */
import type { Clock } from '../clock.js';
import { parseEndpoint, type Endpoint } from '../endpoint.js';
import { EtcdUnavailableError, describeFailures } from '../errors.js';
import type { EtcdTlsOptions } from '../options.js';
import type { Endpoints } from './endpoints.js';
import type * as wire from './generated/messages.js';
import { MEMBER_LIST } from './methods.js';
import type { CallOptions, Rpc } from './rpc.js';

/** What a sync works with. */
export interface MemberSyncParts {
  readonly rpc: Rpc;
  readonly endpoints: Endpoints;
  readonly clock: Clock;
  readonly tls: EtcdTlsOptions | undefined;
  /** How long an advertised endpoint has to answer before the list is taken. */
  readonly connectTimeoutMs: number;
  readonly onSynced: (endpoints: readonly string[]) => void;
  readonly onFailed: (error: Error) => void;
}

/** Syncs on demand and from time to time. */
export class MemberSync {
  private cancelNext: (() => void) | undefined;
  private isClosed = false;

  constructor(private readonly parts: MemberSyncParts) {}

  /**
   * Replaces the endpoints with the client URLs of all started voting members.
   *
   * Unlike clientv3's `Sync`, the list is taken only when at least one of its endpoints can be reached from here: members
   * often advertise addresses that are good inside their own network only.
   *
   * @throws {EtcdUnavailableError} when no advertised endpoint can be used; the endpoints then stay as they were.
   */
  async sync(options: CallOptions): Promise<readonly string[]> {
    const { members } = await this.parts.rpc.unary(MEMBER_LIST, { linearizable: true }, options);
    const advertised = this.usable(members);
    if (advertised.length === 0) {
      throw new EtcdUnavailableError('the member list names no endpoint that this client may use');
    }
    await this.requireReachable(advertised);
    this.parts.endpoints.replace(advertised);
    const list = this.parts.endpoints.list();
    this.parts.onSynced(list);
    return list;
  }

  /** Syncs every `intervalMs`, first after one interval. A failure is told and changes nothing. */
  start(intervalMs: number): void {
    if (this.isClosed) return;
    this.cancelNext = this.parts.clock.after(intervalMs, () => void this.tick(intervalMs), 'background');
  }

  close(): void {
    this.isClosed = true;
    this.cancelNext?.();
  }

  private async tick(intervalMs: number): Promise<void> {
    try {
      await this.sync({});
    } catch (error) {
      if (!this.isClosed) this.parts.onFailed(error as Error);
    }
    this.start(intervalMs);
  }

  private usable(members: readonly wire.Member[]): readonly Endpoint[] {
    const voting = members.filter(({ name, isLearner }) => name !== '' && !isLearner);
    const urls = new Set(voting.flatMap(({ clientURLs }) => clientURLs));
    return [...urls].flatMap((url) => this.parse(url));
  }

  private parse(url: string): readonly Endpoint[] {
    try {
      const endpoint = parseEndpoint(url, 'clientURL');
      const wouldBePlaintext = endpoint.security === 'plaintext' && this.parts.tls !== undefined;
      return wouldBePlaintext ? [] : [endpoint];
    } catch {
      return []; // An address that cannot be dialled from anywhere is no reason to give up the others.
    }
  }

  private requireReachable(advertised: readonly Endpoint[]): Promise<void> {
    const { endpoints, clock, connectTimeoutMs } = this.parts;
    const connections = advertised.map(({ text }) => endpoints.at(text));
    for (const connection of connections) connection.wake();
    return new Promise((resolve, reject) => {
      let cancelWait: (() => void) | undefined;
      const cancelTimer = clock.after(connectTimeoutMs, () => {
        cancelWait?.();
        const failures = connections.flatMap(({ failure }) => failure ?? []);
        reject(new EtcdUnavailableError(`no advertised endpoint answers: ${describeFailures(failures)}`, failures));
      });
      const check = (): void => {
        const done = endpoints.isClosed || connections.some(({ isConnected }) => isConnected);
        if (!done) {
          cancelWait = endpoints.wait(check);
          return;
        }
        cancelTimer();
        resolve();
      };
      check();
    });
  }
}
