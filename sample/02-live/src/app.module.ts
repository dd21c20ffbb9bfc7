/** The whole app: the client from the environment, the keys, what is live, and what validates input and translates errors. */
import { Module, StandardSchemaValidationPipe } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { APP_FILTER, APP_PIPE } from '@nestjs/core';
import { EtcdExceptionFilter, EtcdModule } from 'nest-etcd';
import { EtcdMetricsModule } from 'nest-etcd/metrics';
import { Environment } from './environment.js';
import { KeysController } from './keys/keys.controller.js';
import { Changes } from './live/changes.js';
import { LiveController } from './live/live.controller.js';
import { LiveKeys } from './live/live-keys.js';
import { Presence } from './live/presence.js';

@Module({
  imports: [
    ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true, validationSchema: Environment }),
    EtcdModule.forRootAsync({
      inject: [ConfigService],
      useFactory: (config: ConfigService<Environment, true>) => ({
        endpoints: config.get('ETCD_ENDPOINTS', { infer: true }),
      }),
    }),
    EtcdMetricsModule.forRoot(), // serves GET /metrics
  ],
  controllers: [KeysController, LiveController],
  providers: [
    Changes,
    LiveKeys,
    Presence,
    { provide: APP_PIPE, useClass: StandardSchemaValidationPipe },
    { provide: APP_FILTER, useClass: EtcdExceptionFilter },
  ],
})
export class AppModule {}
