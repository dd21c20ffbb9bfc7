/** `EtcdModule`: a client of etcd, and its services, as providers of a Nest app. Wiring only. */
import { Module, type DynamicModule } from '@nestjs/common';
import { EtcdModuleError } from './errors.js';
import type { EtcdModuleAsyncOptions, EtcdModuleOptions, EtcdRegistrationOptions } from './etcd-module-options.js';
import { ConfigurableModuleClass } from './etcd.module-definition.js';
import { featureModule } from './feature/etcd-feature.module.js';
import type {
  EtcdFeatureAsyncOptions,
  EtcdFeatureOptions,
  EtcdFeatureRegistrationOptions,
} from './feature/etcd-feature-options.js';

/**
 * A client of etcd, and its services, as providers of a Nest app: one client for each `forRoot` or `forRootAsync`.
 *
 * The default client is injected by class (`EtcdClient`, `EtcdKv`, …), a named one by `@InjectEtcd('name')`,
 * `@InjectEtcdKv('name')`, …. Nothing is made before the app starts; what is wrong with the options fails the start.
 * `app.enableShutdownHooks()` makes signals close the client too, as `app.close()` does.
 *
 * @example
 * @Module({ imports: [EtcdModule.forRoot({ endpoints: ['http://127.0.0.1:2379'] })] })
 * export class AppModule {}
 */
@Module({})
export class EtcdModule extends ConfigurableModuleClass {
  /**
   * A client with options that are known now.
   *
   * @returns a module whose start fails with {@link EtcdModuleError} when the name is taken, with `EtcdConfigError` when
   *   an option is missing or wrong, and, with `connect: 'eager'`, with {@link EtcdStartError} when etcd cannot be used.
   *
   * @example
   * EtcdModule.forRoot({ name: 'audit', endpoints: ['http://127.0.0.1:2379'], connect: 'eager' })
   */
  static override forRoot(options: EtcdModuleOptions & EtcdRegistrationOptions): DynamicModule {
    return super.forRoot(typeof options === 'object' ? options : ({} as EtcdModuleOptions));
  }

  /**
   * A client with options that are made while the app starts.
   *
   * @returns a module whose start fails as that of `forRoot` does, and when not exactly one of `useFactory`, `useClass`
   *   and `useExisting` is given.
   *
   * @example
   * EtcdModule.forRootAsync({
   *   imports: [ConfigModule],
   *   inject: [ConfigService],
   *   useFactory: (config: ConfigService) => ({ endpoints: config.getOrThrow<string>('ETCD').split(',') }),
   * })
   *
   * @example
   * EtcdModule.forRootAsync(etcdConfig.asProvider()) // export const etcdConfig = registerAs('etcd', () => ({ … }))
   */
  static override forRootAsync(options: EtcdModuleAsyncOptions): DynamicModule {
    const mistake = mistakeIn(options);
    const { useFactory, useClass, useExisting, ...rest } = options;
    if (mistake !== undefined) return super.forRootAsync({ ...rest, useFactory: () => Promise.reject(mistake) });
    return super.forRootAsync({
      ...rest,
      ...(useFactory && { useFactory: useFactory as OptionsFactory }),
      ...(useClass && { useClass }),
      ...(useExisting && { useExisting }),
    });
  }

  /**
   * A namespace for the module that imports this: there `EtcdKv`, `EtcdWatch`, `EtcdLease`, `EtcdConcurrency`, `EtcdLocks`
   * and `EtcdElections` are injected by class and work below the prefix, and so do `@OnEtcdWatch`, `@WithEtcdLock`,
   * `@LeaderOnly`, `@OnLeadershipAcquired` and `@OnLeadershipLost`. `EtcdNamespace` is the namespace itself, and
   * `EtcdClient` still the whole client. Other modules see nothing of it.
   *
   * Two namespaces in one module need names. `app.get(EtcdKv)` asks for no module in particular; `app.get(EtcdClient).kv`
   * is the whole store.
   *
   * @returns a module whose start fails with `EtcdConfigError` when the namespace cannot be, and with
   *   {@link EtcdModuleError} when there is no such client, or the importing module has two namespaces of one name.
   *
   * @example
   * @Module({ imports: [EtcdModule.forFeature({ namespace: 'orders/' })], providers: [Orders] })
   * export class OrdersModule {}
   *
   * @example
   * EtcdModule.forFeature({ namespace: 'log/', client: 'audit', name: 'log' }) // @InjectEtcdKv('log')
   */
  static forFeature(options: EtcdFeatureOptions & EtcdFeatureRegistrationOptions): DynamicModule {
    const { namespace, ...registration } = typeof options === 'object' ? options : ({} as EtcdFeatureOptions);
    return withFeature(featureModule(registration, { useFactory: () => ({ namespace }) }));
  }

  /**
   * The same with a namespace that is known only when the app starts.
   *
   * @example
   * EtcdModule.forFeatureAsync({
   *   inject: [ConfigService],
   *   useFactory: (config: ConfigService) => ({ namespace: `${config.getOrThrow<string>('STAGE')}/orders/` }),
   * })
   */
  static forFeatureAsync(options: EtcdFeatureAsyncOptions): DynamicModule {
    return withFeature(featureModule(options, options));
  }
}

/** In a module within the one that is imported: Nest takes what it finds there before anything else, in all its releases. */
function withFeature(feature: DynamicModule): DynamicModule {
  return { module: EtcdModule, imports: [feature], exports: [feature] };
}

type OptionsFactory = (...args: unknown[]) => EtcdModuleOptions | Promise<EtcdModuleOptions>;

/** Made here and thrown at the start, so that the stack shows the line that has to be changed. */
function mistakeIn(options: EtcdModuleAsyncOptions): EtcdModuleError | undefined {
  const given = (['useFactory', 'useClass', 'useExisting'] as const).filter((way) => options[way] !== undefined);
  if (given.length === 1) return undefined;
  const found = given.length === 0 ? 'none of them' : given.join(' and ');
  return new EtcdModuleError(
    `EtcdModule.forRootAsync for the client "${options.name ?? 'default'}" needs exactly one of useFactory, useClass ` +
      `and useExisting, and got ${found}`,
  );
}
