/** What `EtcdModule.forFeature` adds to a module: services that work in a namespace of a client. */
import { randomUUID } from 'node:crypto';
import { Module, type DynamicModule, type FactoryProvider, type Provider } from '@nestjs/common';
import { serviceProviders } from '../etcd-client.providers.js';
import { EtcdModuleError } from '../errors.js';
import type { EtcdScope } from '../etcd-scope.js';
import { NAMESPACE_SERVICES, type ServiceName } from '../etcd-services.js';
import { clientScopeToken, DEFAULT_CLIENT, getEtcdNamespaceToken, scopeToken, serviceToken } from '../etcd.tokens.js';
import {
  requireNamespace,
  type EtcdFeatureAsyncOptions,
  type EtcdFeatureRegistrationOptions,
} from './etcd-feature-options.js';
import { FEATURE, FEATURE_ID, type Feature } from './feature.js';

const SERVICE_NAMES = Object.keys(NAMESPACE_SERVICES) as ServiceName[];
const NAMESPACE = 'ETCD_FEATURE_NAMESPACE';

/** Holds the providers of one namespace. */
@Module({})
class EtcdFeatureModule {}

/** The module with the namespace's services. */
export function featureModule(
  registration: EtcdFeatureRegistrationOptions,
  { useFactory, inject = [] }: Pick<EtcdFeatureAsyncOptions, 'useFactory' | 'inject'>,
): DynamicModule {
  const { client = DEFAULT_CLIENT, name = DEFAULT_CLIENT, imports = [] } = registration;
  const makeOptions = useFactory as (...args: unknown[]) => unknown;
  const namespace: FactoryProvider = {
    provide: NAMESPACE,
    useFactory: async (...args: unknown[]) => requireNamespace(await makeOptions(...args)),
    inject,
  };
  // Nest can be told to know modules by their texts (`deep-hash`), and those of factories do not tell namespaces apart.
  const id = { provide: FEATURE_ID, useValue: randomUUID() };
  return {
    module: EtcdFeatureModule,
    imports,
    providers: [id, namespace, ...scopeProviders(client, name), ...serviceProviders(SERVICE_NAMES, name)],
    exports: [
      scopeToken(name),
      getEtcdNamespaceToken(name),
      ...SERVICE_NAMES.map((service) => serviceToken(service, name)),
    ],
  };
}

function scopeProviders(client: string, name: string): Provider[] {
  return [
    {
      provide: scopeToken(name),
      useFactory: (prefix: string | Uint8Array, scope: EtcdScope | undefined) => {
        if (scope === undefined) throw new EtcdModuleError(noClientText(client));
        return scope.inside(prefix);
      },
      inject: [NAMESPACE, { token: clientScopeToken(client), optional: true }],
    },
    {
      provide: getEtcdNamespaceToken(name),
      useFactory: ({ namespace }: EtcdScope) => namespace,
      inject: [scopeToken(name)],
    },
    { provide: FEATURE, useFactory: (scope: EtcdScope): Feature => ({ name, scope }), inject: [scopeToken(name)] },
  ];
}

function noClientText(client: string): string {
  const asked = client === DEFAULT_CLIENT ? 'forRoot({ … })' : `forRoot({ name: '${client}', … })`;
  return (
    `EtcdModule.forFeature finds no etcd client "${client}"; import EtcdModule.${asked} in the root module, or, where that ` +
    'has isGlobal: false, name the module that has it in imports'
  );
}
