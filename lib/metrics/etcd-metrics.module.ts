/** `EtcdMetricsModule`: metrics of all clients of a Nest app, and the route that serves them. */
import {
  ConfigurableModuleBuilder,
  Inject,
  Injectable,
  Module,
  type ConfigurableModuleAsyncOptions,
  type DynamicModule,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { EtcdClientRegistry } from '../nest/etcd-client-registry.js';
import { EtcdCoreModule } from '../nest/etcd-core.module.js';
import { ETCD_METRICS_INTERCEPTOR } from '../nest/etcd.tokens.js';
import { EtcdCampaigns } from '../nest/leadership/campaigns.js';
import { EtcdWatchHandlers } from '../nest/watch/watch-handlers.js';
import { observeClients, type AppFigures } from './client-metrics.js';
import { etcdMetricsInterceptor } from './metrics-interceptor.js';
import { METRICS_REGISTRY, metricsControllerAt } from './metrics.controller.js';
import { resolveMetricsOptions, type EtcdMetricsOptions } from './metrics-options.js';

/** What has to be known before the app is built. */
export interface EtcdMetricsRouteOptions {
  /**
   * The path that serves the registry as text, or `false` for none. A global prefix of the app comes before it.
   *
   * @default 'metrics'
   */
  readonly path?: string | false | undefined;
}

const OPTIONS = 'ETCD_METRICS_OPTIONS';

/** Keeps the clients' own numbers in the registry while the app lives. */
@Injectable()
class EtcdMetricsHost implements OnApplicationShutdown {
  private readonly forget: () => void;

  /** @throws {EtcdModuleError} when there is another one: each client could count for one of them only. */
  constructor(
    @Inject(OPTIONS) options: EtcdMetricsOptions,
    @Inject(EtcdClientRegistry) clients: EtcdClientRegistry,
    @Inject(EtcdWatchHandlers) handlers: EtcdWatchHandlers,
    @Inject(EtcdCampaigns) campaigns: EtcdCampaigns,
  ) {
    clients.claim('EtcdMetricsModule');
    const appFigures = (name: string): AppFigures => ({
      handlerFailures: handlers.failuresOf(name),
      leadership: campaigns.countsOf(name),
    });
    this.forget = observeClients({ clients: () => clients.all(), appFigures }, options);
  }

  onApplicationShutdown(): void {
    this.forget();
  }
}

const { ConfigurableModuleClass } = new ConfigurableModuleBuilder<EtcdMetricsOptions>({
  optionsInjectionToken: OPTIONS,
})
  .setClassMethodName('forRoot')
  .setFactoryMethodName('createEtcdMetricsOptions')
  .setExtras<EtcdMetricsRouteOptions>({ path: 'metrics' }, (definition, { path = 'metrics' }) => ({
    ...definition,
    // The clients look for the interceptor from wherever they are.
    global: true,
    imports: [...(definition.imports ?? []), EtcdCoreModule],
    controllers: path === false ? [] : [metricsControllerAt(path)],
    providers: [
      ...(definition.providers ?? []),
      EtcdMetricsHost,
      { provide: ETCD_METRICS_INTERCEPTOR, useFactory: etcdMetricsInterceptor, inject: [OPTIONS] },
      {
        provide: METRICS_REGISTRY,
        useFactory: (options: EtcdMetricsOptions) => resolveMetricsOptions(options).registry,
        inject: [OPTIONS],
      },
    ],
    exports: [ETCD_METRICS_INTERCEPTOR],
  }))
  .build();

/**
 * Metrics of all clients of the app, whatever their names and wherever they are imported: the RPC metrics of
 * {@link etcdMetricsInterceptor}, the gauges of {@link observeEtcdClients}, and a route that serves the registry.
 * Import it once, in the root module; a second time fails the start.
 *
 * @example
 * @Module({ imports: [EtcdModule.forRoot({ endpoints: '127.0.0.1:2379' }), EtcdMetricsModule.forRoot()] })
 * export class AppModule {} // GET /metrics
 */
@Module({})
export class EtcdMetricsModule extends ConfigurableModuleClass {
  /**
   * Metrics with options that are known now.
   *
   * @example
   * EtcdMetricsModule.forRoot({ registry, path: false, labels: { service: 'orders' } })
   */
  static override forRoot(options: EtcdMetricsOptions & EtcdMetricsRouteOptions = {}): DynamicModule {
    return super.forRoot(options);
  }

  /**
   * Metrics with options that are made while the app starts; `path` stands beside the factory.
   *
   * @example
   * EtcdMetricsModule.forRootAsync({ inject: [MY_REGISTRY], useFactory: (registry: Registry) => ({ registry }) })
   */
  static override forRootAsync(
    options: ConfigurableModuleAsyncOptions<EtcdMetricsOptions, 'createEtcdMetricsOptions'> & EtcdMetricsRouteOptions,
  ): DynamicModule {
    return super.forRootAsync(options);
  }
}
