/** Ties the life of one client to that of the app. The client itself knows nothing of Nest. */
import type { BeforeApplicationShutdown, Logger, OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import type { EtcdClient } from '../client/index.js';
import { requireEtcd } from './eager-start.js';
import type { EtcdClientRegistry } from './etcd-client-registry.js';
import type { Lifecycle } from './etcd-module-options.js';
import type { LockBodies } from './locks/lock-bodies.js';
import { isSettledWithin } from './settled-within.js';

/** What the host of a client needs. */
export interface HostParts {
  readonly name: string;
  readonly client: EtcdClient;
  readonly bodies: LockBodies;
  readonly lifecycle: Lifecycle;
  readonly registry: EtcdClientRegistry;
  readonly logger: Logger;
}

/**
 * Starts and ends one client with the app.
 *
 * - `onModuleInit`: with `connect: 'eager'`, waits for etcd; modules that depend on this one start after it.
 * - `beforeApplicationShutdown`: the place for what peers have to see at once, while HTTP still drains: handlers of
 *   watches, elections, registrations. It belongs to those who start such work, such as `EtcdWatchHandlers`. From
 *   here on requests that wait for a lock have `shutdownTimeoutMs` to get it: HTTP waits for them, without a limit.
 * - `onApplicationShutdown`: tells what runs under locks to end and waits for it, then closes the client: only then have
 *   open HTTP requests, which may still use both, ended.
 *
 * It is injected with the client rather than looking it up, and the hooks of the shutdown may be called again: Nest may
 * run its shutdown more than once.
 */
export class EtcdClientHost implements OnModuleInit, BeforeApplicationShutdown, OnApplicationShutdown {
  private waitsEnd: NodeJS.Timeout | undefined;
  private closing: Promise<void> | undefined;

  constructor(private readonly parts: HostParts) {
    parts.registry.add(parts.name, parts.client, parts.lifecycle);
  }

  async onModuleInit(): Promise<void> {
    const { name, client, lifecycle } = this.parts;
    if (lifecycle.connect === 'lazy') return;
    try {
      await requireEtcd(name, client, lifecycle.startTimeoutMs);
    } catch (error) {
      await this.onApplicationShutdown();
      throw error;
    }
  }

  beforeApplicationShutdown(): void {
    if (this.closing !== undefined) return;
    const { bodies, lifecycle } = this.parts;
    this.waitsEnd ??= setTimeout(() => bodies.endWaits(), lifecycle.shutdownTimeoutMs).unref();
  }

  onApplicationShutdown(): Promise<void> {
    clearTimeout(this.waitsEnd);
    this.closing ??= this.close();
    return this.closing;
  }

  /** Never throws and never takes longer than allowed: the rest of the app has to be shut down too. */
  private async close(): Promise<void> {
    const { client, logger } = this.parts;
    const { shutdownTimeoutMs, ...lifecycle } = this.parts.lifecycle;
    const drainMs = Math.min(lifecycle.drainMs, shutdownTimeoutMs);
    try {
      await this.endBodies();
      const isClosed = await isSettledWithin(client.close({ drainMs }), shutdownTimeoutMs);
      if (isClosed) logger.log('closed');
      else logger.warn(`not closed within ${shutdownTimeoutMs} ms (shutdownTimeoutMs); going on without`);
    } catch (error) {
      logger.error('closing failed', error);
    }
  }

  private async endBodies(): Promise<void> {
    const { bodies, lifecycle, logger } = this.parts;
    const { shutdownTimeoutMs } = lifecycle;
    if (await bodies.stop(shutdownTimeoutMs)) return;
    logger.warn(
      `${bodies.count} methods or functions still run under locks after ${shutdownTimeoutMs} ms (shutdownTimeoutMs); ` +
        'their locks are given back without waiting for them',
    );
  }
}
