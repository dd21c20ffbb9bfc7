/** Sees to it while the app starts that each method with `@WithEtcdLock()` will find its locks. */
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { EtcdClientRegistry } from '../etcd-client-registry.js';
import { serviceToken } from '../etcd.tokens.js';
import { EtcdHandlerExplorer, type FoundMethod } from '../handlers/handler.explorer.js';
import { scopeFor } from '../handlers/scope-for.js';
import { injectedService, setService, type WantedService } from '../injected-service.js';
import { LOCKED } from './with-etcd-lock.decorator.js';

type Note = WantedService<'EtcdLocks'>;

/** Nest has injected the locks where it made the instance; where a factory did, this does. */
@Injectable()
export class EtcdLockedMethods implements OnModuleInit {
  constructor(
    @Inject(EtcdHandlerExplorer) private readonly explorer: EtcdHandlerExplorer,
    @Inject(EtcdClientRegistry) private readonly clients: EtcdClientRegistry,
  ) {}

  /** @throws {EtcdModuleError} for a method that could not work. Those of requests are seen to when they are called. */
  async onModuleInit(): Promise<void> {
    const found = this.explorer.exploreSingletons<Note>({ decorator: '@WithEtcdLock', name: LOCKED });
    for (const method of found) for (const wanted of method.notes) await this.provide(method, wanted);
  }

  private async provide(method: FoundMethod<Note>, wanted: Note): Promise<void> {
    if (injectedService(method.instance, wanted) !== undefined) return;
    const locks = await method.inject(serviceToken(wanted.service, wanted.client));
    if (locks === undefined) await scopeFor(`@WithEtcdLock on ${method.label}`, method, wanted.client, this.clients);
    else setService(method.instance, wanted, locks);
  }
}
