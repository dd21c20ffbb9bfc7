/** The providers of one client: itself, its services, and the host that starts and ends it. */
import type { FactoryProvider, InjectionToken } from '@nestjs/common';
import { EtcdClient, type EtcdInterceptor } from '../client/index.js';
import { loggerOf, logStatus } from './client-log.js';
import { EtcdClientHost } from './etcd-client.host.js';
import { EtcdClientRegistry } from './etcd-client-registry.js';
import { splitOptions, type EtcdModuleOptions } from './etcd-module-options.js';
import { SERVICES, type ServiceName } from './etcd-services.js';
import { ETCD_APP_INTERCEPTORS, getEtcdToken, serviceToken } from './etcd.tokens.js';

const SERVICE_NAMES = Object.keys(SERVICES) as ServiceName[];

/** What a module with this client can be asked for. */
export function publicTokens(name: string): InjectionToken[] {
  return [getEtcdToken(name), ...SERVICE_NAMES.map((service) => serviceToken(service, name))];
}

/** All factories: nothing is made before the app starts. */
export function clientProviders(name: string, optionsToken: InjectionToken): FactoryProvider[] {
  const client = getEtcdToken(name);
  return [
    {
      provide: client,
      useFactory: (options: EtcdModuleOptions, interceptors: readonly EtcdInterceptor[]) =>
        makeClient(name, options, interceptors),
      inject: [optionsToken, ETCD_APP_INTERCEPTORS],
    },
    ...SERVICE_NAMES.map((service) => ({
      provide: serviceToken(service, name),
      useFactory: SERVICES[service].of,
      inject: [client],
    })),
    {
      provide: EtcdClientHost,
      useFactory: (options: EtcdModuleOptions, made: EtcdClient, registry: EtcdClientRegistry) => {
        const [lifecycle] = splitOptions(name, options);
        return new EtcdClientHost({ name, client: made, lifecycle, registry, logger: loggerOf(name) });
      },
      inject: [optionsToken, client, EtcdClientRegistry],
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
