/** What all clients of one application share. Static, so that Nest makes one per application however many clients there are. */
import { Module } from '@nestjs/common';
import type { EtcdInterceptor } from '../client/index.js';
import { EtcdClientRegistry } from './etcd-client-registry.js';
import { ETCD_APP_INTERCEPTORS, ETCD_METRICS_INTERCEPTOR } from './etcd.tokens.js';

/** Tokens under which other wings export an interceptor from a global module, the first outermost. */
const WINGS = [ETCD_METRICS_INTERCEPTOR];

/**
 * The registry of clients, and the interceptors that other wings bring.
 *
 * Clients ask for those by injection, so Nest itself makes the wing's interceptor before the first client, in whatever
 * order the modules are imported: no call goes unmeasured, and without such a wing calls cost nothing more.
 */
@Module({
  providers: [
    EtcdClientRegistry,
    {
      provide: ETCD_APP_INTERCEPTORS,
      useFactory: (...brought: (EtcdInterceptor | undefined)[]) => brought.filter((one) => one !== undefined),
      inject: WINGS.map((token) => ({ token, optional: true })),
    },
  ],
  exports: [EtcdClientRegistry, ETCD_APP_INTERCEPTORS],
})
export class EtcdCoreModule {}
