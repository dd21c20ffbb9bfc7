/** The whole app: the client from the environment, the routes, and what validates input and translates errors. */
import { Module, StandardSchemaValidationPipe } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { APP_FILTER, APP_PIPE } from '@nestjs/core';
import { EtcdExceptionFilter, EtcdModule } from 'nest-etcd';
import { EtcdHealthModule } from 'nest-etcd/health';
import { EtcdMetricsModule } from 'nest-etcd/metrics';
import { Environment } from './environment.js';
import { HealthController } from './health.controller.js';
import { KvController } from './kv/kv.controller.js';

@Module({
  imports: [
    ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true, validationSchema: Environment }),
    EtcdModule.forRootAsync({
      inject: [ConfigService],
      useFactory: (config: ConfigService<Environment, true>) => ({
        endpoints: config.get('ETCD_ENDPOINTS', { infer: true }),
      }),
    }),
    EtcdHealthModule,
    EtcdMetricsModule.forRoot(), // serves GET /metrics
  ],
  controllers: [KvController, HealthController],
  providers: [
    { provide: APP_PIPE, useClass: StandardSchemaValidationPipe },
    { provide: APP_FILTER, useClass: EtcdExceptionFilter },
  ],
})
export class AppModule {}
