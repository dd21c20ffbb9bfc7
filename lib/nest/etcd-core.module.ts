/** What all clients of one application share. Static, so that Nest makes one per application however many clients there are. */
import { Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import type { EtcdInterceptor } from '../client/index.js';
import { EtcdClientRegistry } from './etcd-client-registry.js';
import { ETCD_APP_INTERCEPTORS, ETCD_METRICS_INTERCEPTOR } from './etcd.tokens.js';
import { EtcdFeatureCheck } from './feature/feature-check.js';
import { EtcdHandlerExplorer } from './handlers/handler.explorer.js';
import { CampaignTable } from './leadership/campaign-table.js';
import { EtcdCampaigns } from './leadership/campaigns.js';
import { EtcdLockedMethods } from './locks/locked-methods.js';
import { EtcdWatchHandlers } from './watch/watch-handlers.js';

/** Tokens under which other wings export an interceptor from a global module, the first outermost. */
const WINGS = [ETCD_METRICS_INTERCEPTOR];

/**
 * The registry of clients, what runs the decorated methods, and the interceptors that other wings bring.
 *
 * Clients ask for those by injection, so Nest itself makes the wing's interceptor before the first client, in whatever
 * order the modules are imported: no call goes unmeasured, and without such a wing calls cost nothing more.
 */
@Module({
  imports: [DiscoveryModule],
  providers: [
    EtcdClientRegistry,
    EtcdHandlerExplorer,
    EtcdFeatureCheck,
    EtcdWatchHandlers,
    EtcdLockedMethods,
    CampaignTable,
    EtcdCampaigns,
    {
      provide: ETCD_APP_INTERCEPTORS,
      useFactory: (...brought: (EtcdInterceptor | undefined)[]) => brought.filter((one) => one !== undefined),
      inject: WINGS.map((token) => ({ token, optional: true })),
    },
  ],
  exports: [EtcdClientRegistry, EtcdWatchHandlers, CampaignTable, EtcdCampaigns, ETCD_APP_INTERCEPTORS],
})
export class EtcdCoreModule {}
