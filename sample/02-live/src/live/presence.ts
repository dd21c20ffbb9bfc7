/** Says by a key that this process is up: the key goes when the process does, with or without a goodbye. */
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { EtcdClient, type EtcdNamespace, type LeaseKeepAlive } from 'nest-etcd';
import { PREFIX } from '../prefix.js';

const TTL_SECONDS = 10;
const RETRY_MS = 1_000;

/** What the page shows of the lease. */
export interface LeaseStatus {
  readonly id: string;
  readonly key: string;
  readonly isAlive: boolean;
  /** Milliseconds for which it is known to be alive yet. */
  readonly remainingMs: number;
}

@Injectable()
export class Presence implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(Presence.name);
  private readonly etcd: EtcdNamespace;
  private readonly key = `presence/${hostname()}-${process.pid}`;
  private readonly stopping = new AbortController();
  private beat: LeaseKeepAlive | undefined;

  constructor(etcd: EtcdClient) {
    this.etcd = etcd.namespace(PREFIX);
  }

  /** `undefined` while there is none. */
  get status(): LeaseStatus | undefined {
    if (this.beat === undefined) return undefined;
    return {
      id: this.beat.id,
      key: this.key,
      isAlive: this.beat.isAlive,
      remainingMs: Math.round(this.beat.remainingMs()),
    };
  }

  private isStopping(): boolean {
    return this.stopping.signal.aborted;
  }

  onApplicationBootstrap(): void {
    void this.stayPresent();
  }

  /** Before HTTP drains, so that nobody sends work here any more. */
  async beforeApplicationShutdown(): Promise<void> {
    this.stopping.abort();
    if (this.beat === undefined) return;
    await this.etcd.lease.revoke(this.beat.id, { timeoutMs: 1_000 }).catch((error: unknown) => {
      this.logger.warn(`the lease is left to end by itself: ${String(error)}`);
    });
  }

  /** A lease that is lost, as in a long outage, is replaced by a new one. */
  private async stayPresent(): Promise<void> {
    const { signal } = this.stopping;
    while (!this.isStopping()) {
      try {
        const { id } = await this.etcd.lease.grant(TTL_SECONDS, { signal });
        this.beat = this.etcd.lease.keepAlive(id);
        await this.etcd.kv.put(this.key, 'up', { lease: id, signal });
        await this.beat.lost;
      } catch (error) {
        if (!this.isStopping()) this.logger.warn(`not present, trying again: ${String(error)}`);
        await this.beat?.close();
      }
      await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}
