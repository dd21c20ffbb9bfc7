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
import type { EtcdScope } from '../etcd-scope.js';
import { EtcdHandlerExplorer, type FoundMethod } from '../handlers/handler.explorer.js';
import { scopeFor } from '../handlers/scope-for.js';
import { HandledWatch, type ChangeSource } from './handled-watch.js';
import { ON_WATCH, type WatchMetadata } from './watch-metadata.js';

/** A watch that is to be opened for a method. */
interface Wanted {
  readonly handler: FoundMethod<WatchMetadata>;
  readonly metadata: WatchMetadata;
  readonly scope: EtcdScope;
}

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
  private wanted: readonly Wanted[] = [];
  private running: Running[] = [];

  constructor(
    @Inject(EtcdHandlerExplorer) private readonly explorer: EtcdHandlerExplorer,
    @Inject(EtcdClientRegistry) private readonly clients: EtcdClientRegistry,
  ) {}

  /** How many calls have failed, of handlers of this client. */
  failuresOf(clientName: string): number {
    return this.failures.get(clientName) ?? 0;
  }

  /** @throws {EtcdModuleError} for a handler that cannot work. */
  async onModuleInit(): Promise<void> {
    const found = this.explorer.explore<WatchMetadata>({ decorator: '@OnEtcdWatch', name: ON_WATCH });
    const all = found.flatMap((handler) => handler.notes.map((metadata) => ({ handler, metadata })));
    this.wanted = await Promise.all(
      all.map(async ({ handler, metadata }) => {
        const what = `@OnEtcdWatch on ${handler.label}`;
        return { handler, metadata, scope: await scopeFor(what, handler, metadata.options.client, this.clients) };
      }),
    );
  }

  /** @throws {EtcdModuleError} for a range or an option that cannot work; nothing runs then. */
  async onApplicationBootstrap(): Promise<void> {
    try {
      for (const wanted of this.wanted) this.running.push(this.start(wanted));
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

  private start({ handler: { label, call }, metadata, scope }: Wanted): Running {
    const { clientName } = scope;
    const watch = new HandledWatch({
      label,
      call,
      source: explain(label, () => open(scope, metadata)),
      logger: loggerOf(clientName),
      onFailure: () => this.failures.set(clientName, this.failuresOf(clientName) + 1),
    });
    return { watch, stopTimeoutMs: this.clients.lifecycleOf(clientName).shutdownTimeoutMs };
  }
}

function open({ view: { watch } }: EtcdScope, { range, options }: WatchMetadata): ChangeSource {
  return options.follow === true ? watch.follow(range, options) : watch.watch(range, options);
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
