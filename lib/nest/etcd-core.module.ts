/** What all clients of one application share. Static, so that Nest makes one per application however many clients there are. */
import { Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import type { EtcdInterceptor } from '../client/index.js';
import { EtcdClientRegistry } from './etcd-client-registry.js';
import { ETCD_APP_INTERCEPTORS, ETCD_METRICS_INTERCEPTOR } from './etcd.tokens.js';
import { EtcdWatchHandlers } from './watch/watch-handlers.js';
import { EtcdWatchExplorer } from './watch/watch.explorer.js';

/** Tokens under which other wings export an interceptor from a global module, the first outermost. */
const WINGS = [ETCD_METRICS_INTERCEPTOR];

/**
 * The registry of clients, the handlers of watches, and the interceptors that other wings bring.
 *
 * Clients ask for those by injection, so Nest itself makes the wing's interceptor before the first client, in whatever
 * order the modules are imported: no call goes unmeasured, and without such a wing calls cost nothing more.
 */
@Module({
  imports: [DiscoveryModule],
  providers: [
    EtcdClientRegistry,
    EtcdWatchExplorer,
    EtcdWatchHandlers,
    {
      provide: ETCD_APP_INTERCEPTORS,
      useFactory: (...brought: (EtcdInterceptor | undefined)[]) => brought.filter((one) => one !== undefined),
      inject: WINGS.map((token) => ({ token, optional: true })),
    },
  ],
  exports: [EtcdClientRegistry, EtcdWatchHandlers, ETCD_APP_INTERCEPTORS],
})
export class EtcdCoreModule {}
