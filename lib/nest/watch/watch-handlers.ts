/** Runs the handlers of `@OnEtcdWatch()` for as long as the app serves. */
import {
  Inject,
  Injectable,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnModuleInit,
} from '@nestjs/common';
import { loggerOf } from '../client-log.js';
import { EtcdModuleError } from '../errors.js';
import { EtcdClientRegistry } from '../etcd-client-registry.js';
import { DEFAULT_CLIENT } from '../etcd.tokens.js';
import { HandledWatch, type ChangeSource } from './handled-watch.js';
import type { WatchMetadata } from './watch-metadata.js';
import { EtcdWatchExplorer, type FoundHandler } from './watch.explorer.js';

interface Running {
  readonly watch: HandledWatch;
  readonly stopTimeoutMs: number;
}

/**
 * Finds the handlers while the app starts, so that what is wrong with one fails the start; watches once it has started;
 * and stops before HTTP drains and before any client closes.
 */
@Injectable()
export class EtcdWatchHandlers implements OnModuleInit, OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly failures = new Map<string, number>();
  private found: readonly FoundHandler[] = [];
  private running: Running[] = [];

  constructor(
    @Inject(EtcdWatchExplorer) private readonly explorer: EtcdWatchExplorer,
    @Inject(EtcdClientRegistry) private readonly clients: EtcdClientRegistry,
  ) {}

  /** How many calls have failed, of handlers of this client. */
  failuresOf(clientName: string): number {
    return this.failures.get(clientName) ?? 0;
  }

  /** @throws {EtcdModuleError} for a handler that cannot work. */
  onModuleInit(): void {
    this.found = this.explorer.explore();
    for (const { label, watches } of this.found) {
      for (const { options } of watches) explain(label, () => this.clients.get(options.client));
    }
  }

  /** @throws {EtcdModuleError} for a range or an option that cannot work; nothing runs then. */
  async onApplicationBootstrap(): Promise<void> {
    try {
      for (const handler of this.found) {
        for (const metadata of handler.watches) this.running.push(this.start(handler, metadata));
      }
    } catch (error) {
      await this.beforeApplicationShutdown();
      throw error;
    }
  }

  /** May be called more than once. */
  async beforeApplicationShutdown(): Promise<void> {
    const running = this.running.splice(0);
    await Promise.all(running.map(({ watch, stopTimeoutMs }) => watch.stop(stopTimeoutMs)));
  }

  private start({ label, call }: FoundHandler, metadata: WatchMetadata): Running {
    const { client: name = DEFAULT_CLIENT } = metadata.options;
    const watch = new HandledWatch({
      label,
      call,
      source: explain(label, () => this.open(metadata)),
      logger: loggerOf(name),
      onFailure: () => this.failures.set(name, this.failuresOf(name) + 1),
    });
    return { watch, stopTimeoutMs: this.clients.lifecycleOf(name).shutdownTimeoutMs };
  }

  private open({ range, options }: WatchMetadata): ChangeSource {
    const { watch } = this.clients.get(options.client);
    return options.follow === true ? watch.follow(range, options) : watch.watch(range, options);
  }
}

/** @throws {EtcdModuleError} that names the handler. */
function explain<T>(label: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new EtcdModuleError(`@OnEtcdWatch on ${label} cannot work: ${reason}`, { cause: error });
  }
}
