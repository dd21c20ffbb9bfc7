/** The static methods of `EtcdModule`, as Nest's builder makes them, and what they add for each client. */
import { ConfigurableModuleBuilder, Module, type DynamicModule, type Provider } from '@nestjs/common';
import { clientProviders, publicTokens } from './etcd-client.providers.js';
import { EtcdCoreModule } from './etcd-core.module.js';
import type { EtcdModuleOptions } from './etcd-module-options.js';
import { DEFAULT_CLIENT } from './etcd.tokens.js';

interface Extras {
  readonly name: string | undefined;
  readonly isGlobal: boolean | undefined;
  readonly extraProviders: Provider[] | undefined;
}

const NO_EXTRAS: Extras = { name: undefined, isGlobal: undefined, extraProviders: undefined };

/** Provided in each dynamic module for itself; never exported. */
const OPTIONS = 'ETCD_MODULE_OPTIONS';

export const { ConfigurableModuleClass } = new ConfigurableModuleBuilder<EtcdModuleOptions>({
  optionsInjectionToken: OPTIONS,
})
  .setClassMethodName('forRoot')
  .setFactoryMethodName('createEtcdOptions')
  .setExtras(NO_EXTRAS, addClient)
  .build();

/** Holds the providers of one client. */
@Module({})
class EtcdClientModule {}

/**
 * The client stands in a module of its own, and a global one is not exported by the module that the user imports: a module
 * looks through its imports first, the global ones last, so what it has by `forFeature` is found before the client.
 */
function addClient({ module, imports = [], providers = [] }: DynamicModule, extras: Extras): DynamicModule {
  const { name = DEFAULT_CLIENT, isGlobal = true, extraProviders = [] } = extras;
  const client: DynamicModule = {
    module: EtcdClientModule,
    global: isGlobal,
    imports: [...imports, EtcdCoreModule],
    providers: [...providers, ...extraProviders, ...clientProviders(name, OPTIONS)],
    exports: publicTokens(name),
  };
  return { module, imports: [client], exports: isGlobal ? [] : [client] };
}
