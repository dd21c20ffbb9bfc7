/** `EtcdHealthModule`: the health indicator, and Terminus with it. */
import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { EtcdCoreModule } from '../nest/etcd-core.module.js';
import { EtcdHealthIndicator } from './etcd.health.js';

/**
 * Import it where the health controller is. It exports `TerminusModule` too, so that the controller can inject
 * `HealthCheckService`; to configure Terminus, list `TerminusModule.forRoot(…)` before it.
 *
 * @example
 * @Module({ imports: [EtcdModule.forRoot({ endpoints: '127.0.0.1:2379' }), EtcdHealthModule], controllers: [HealthController] })
 * export class AppModule {}
 */
@Module({
  imports: [TerminusModule, EtcdCoreModule],
  providers: [EtcdHealthIndicator],
  exports: [EtcdHealthIndicator, TerminusModule],
})
export class EtcdHealthModule {}
