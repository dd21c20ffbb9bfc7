/** Keeps the endpoints as the cluster's own member list says, without ever ending up with none that answers. */
import type { Clock } from '../clock.js';
import { parseEndpoint, type Endpoint } from '../endpoint.js';
import {
  EtcdAbortedError,
  EtcdClosedError,
  EtcdUnavailableError,
  describeFailures,
  type EtcdError,
} from '../errors.js';
import type { EndpointConnection } from './endpoint-connection.js';
import type { Endpoints } from './endpoints.js';
import type * as wire from './generated/messages.js';
import { MEMBER_LIST } from './methods.js';
import type { CallOptions, Rpc } from './rpc.js';

/** What a sync works with. */
export interface MemberSyncParts {
  readonly rpc: Rpc;
  readonly endpoints: Endpoints;
  readonly clock: Clock;
  /** Throws for an endpoint that the client's options forbid: it is left out. */
  readonly requireAllowed: (endpoint: Endpoint) => void;
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
    const { rpc, endpoints, clock } = this.parts;
    const startedAt = clock.now();
    const { members } = await rpc.unary(MEMBER_LIST, { linearizable: true }, options);
    const advertised = this.usable(members);
    if (advertised.length === 0) {
      throw new EtcdUnavailableError('the member list names no endpoint that this client may use');
    }
    const leftMs = (options.timeoutMs ?? Infinity) - (clock.now() - startedAt);
    await this.requireReachable(advertised, leftMs, options.signal);
    endpoints.replace(advertised);
    const list = endpoints.list();
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
      this.parts.requireAllowed(endpoint);
      return [endpoint];
    } catch {
      return []; // An address that cannot or must not be dialled is no reason to give up the others.
    }
  }

  /** Endpoints that are not of the list are tried beside it, and given up again when none can be reached. */
  private async requireReachable(
    advertised: readonly Endpoint[],
    leftMs: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { endpoints, connectTimeoutMs } = this.parts;
    const fresh = advertised.map(({ text }) => text).filter((text) => !endpoints.has(text));
    try {
      await this.waitForAny(
        advertised.map(({ text }) => endpoints.at(text)),
        Math.min(connectTimeoutMs, leftMs),
        signal,
      );
    } catch (error) {
      endpoints.giveUp(fresh);
      throw error;
    }
  }

  private waitForAny(
    connections: readonly EndpointConnection[],
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { endpoints, clock } = this.parts;
    for (const connection of connections) connection.wake();
    return new Promise((resolve, reject) => {
      let cancelWait: (() => void) | undefined;
      const settle = (error: EtcdError | undefined): void => {
        cancelWait?.();
        cancelTimer();
        signal?.removeEventListener('abort', onAbort);
        if (error === undefined) resolve();
        else reject(error);
      };
      const onAbort = (): void => settle(new EtcdAbortedError({ cause: signal?.reason }));
      const cancelTimer = clock.after(timeoutMs, () => settle(unreachable(connections)));
      const check = (): void => {
        if (endpoints.isClosed) return settle(new EtcdClosedError());
        if (connections.some(({ isConnected }) => isConnected)) return settle(undefined);
        cancelWait = endpoints.wait(check);
      };
      signal?.addEventListener('abort', onAbort);
      if (signal?.aborted === true) onAbort();
      else check();
    });
  }
}

function unreachable(connections: readonly EndpointConnection[]): EtcdUnavailableError {
  const failures = connections.flatMap(({ failure }) => failure ?? []);
  return new EtcdUnavailableError(`no advertised endpoint answers: ${describeFailures(failures)}`, failures);
}
