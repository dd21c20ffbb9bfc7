/** The whole app: each instance of it campaigns, one of them runs the job, and all of them show who and what. */
import { Module } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { ScheduleModule } from '@nestjs/schedule';
import { EtcdModule } from 'nest-etcd';
import { ClusterController } from './cluster/cluster.controller.js';
import { ClusterView } from './cluster/cluster-view.js';
import { Environment } from './environment.js';
import { TickJob } from './jobs/tick.job.js';

@Module({
  imports: [
    ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true, validationSchema: Environment }),
    EtcdModule.forRootAsync({
      inject: [ConfigService],
      useFactory: (config: ConfigService<Environment, true>) => ({
        endpoints: config.get('ETCD_ENDPOINTS', { infer: true }),
        campaign: {
          value: config.get('INSTANCE', { infer: true }),
          ttlSeconds: config.get('TTL_SECONDS', { infer: true }),
        },
      }),
    }),
    // All keys of this module, those of the election too, begin with it in the store.
    EtcdModule.forFeature({ namespace: 'cluster-jobs/' }),
    ScheduleModule.forRoot(),
  ],
  controllers: [ClusterController],
  providers: [ClusterView, TickJob],
})
export class AppModule {}
