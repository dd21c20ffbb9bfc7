/** The providers of one client: itself, its services, and the host that starts and ends it. */
import type { ExistingProvider, FactoryProvider, InjectionToken } from '@nestjs/common';
import { EtcdClient, type EtcdInterceptor } from '../client/index.js';
import { loggerOf, logStatus } from './client-log.js';
import { EtcdClientHost } from './etcd-client.host.js';
import { EtcdClientRegistry } from './etcd-client-registry.js';
import { splitOptions, type EtcdModuleOptions } from './etcd-module-options.js';
import { EtcdScope } from './etcd-scope.js';
import { SERVICES, type ServiceName } from './etcd-services.js';
import { clientScopeToken, ETCD_APP_INTERCEPTORS, getEtcdToken, scopeToken, serviceToken } from './etcd.tokens.js';
import { CampaignTable } from './leadership/campaign-table.js';
import { LockBodies } from './locks/lock-bodies.js';

const SERVICE_NAMES = Object.keys(SERVICES) as ServiceName[];

/** What a module with this client can be asked for. */
export function publicTokens(name: string): InjectionToken[] {
  const services = SERVICE_NAMES.map((service) => serviceToken(service, name));
  return [getEtcdToken(name), clientScopeToken(name), scopeToken(name), ...services];
}

/** The providers of some services, of whatever the module has under that name. */
export function serviceProviders(names: readonly ServiceName[], name: string): FactoryProvider[] {
  return names.map((service) => ({
    provide: serviceToken(service, name),
    useFactory: SERVICES[service].of,
    inject: [scopeToken(name)],
  }));
}

/** All factories: nothing is made before the app starts. */
export function clientProviders(name: string, optionsToken: InjectionToken): (FactoryProvider | ExistingProvider)[] {
  const client = getEtcdToken(name);
  return [
    {
      provide: client,
      useFactory: (options: EtcdModuleOptions, interceptors: readonly EtcdInterceptor[]) =>
        makeClient(name, options, interceptors),
      inject: [optionsToken, ETCD_APP_INTERCEPTORS],
    },
    {
      provide: clientScopeToken(name),
      useFactory: (made: EtcdClient, campaigns: CampaignTable) =>
        new EtcdScope({ clientName: name, client: made, bodies: new LockBodies(), campaigns }),
      inject: [client, CampaignTable],
    },
    { provide: scopeToken(name), useExisting: clientScopeToken(name) },
    ...serviceProviders(SERVICE_NAMES, name),
    {
      provide: EtcdClientHost,
      useFactory: (options: EtcdModuleOptions, { client: made, bodies }: EtcdScope, registry: EtcdClientRegistry) => {
        const [lifecycle] = splitOptions(name, options);
        return new EtcdClientHost({ name, client: made, bodies, lifecycle, registry, logger: loggerOf(name) });
      },
      inject: [optionsToken, clientScopeToken(name), EtcdClientRegistry],
    },
  ];
}

function makeClient(name: string, options: EtcdModuleOptions, brought: readonly EtcdInterceptor[]): EtcdClient {
  const [, clientOptions] = splitOptions(name, options);
  const interceptors = [...brought, ...(clientOptions.interceptors ?? [])];
  const client = new EtcdClient({ ...clientOptions, interceptors });
  void logStatus(client, loggerOf(name));
  return client;
}
