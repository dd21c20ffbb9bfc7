/** Which token stands for which client and service: the class for the default client, a string for a named one. */
import type { InjectionToken } from '@nestjs/common';
import { EtcdClient, EtcdNamespace } from '../client/index.js';
import type { EtcdScope } from './etcd-scope.js';
import { SERVICES, type ServiceName, type ServiceOf } from './etcd-services.js';

/** The name of the client that is injected without a name. */
export const DEFAULT_CLIENT = 'default';

/**
 * Where `nest-etcd/metrics` leaves its interceptor for all clients of an application. A string, so that this wing
 * need not import that one.
 */
export const ETCD_METRICS_INTERCEPTOR = 'ETCD_METRICS_INTERCEPTOR';

/** The interceptors that every client of the application gets, outside of its own. */
export const ETCD_APP_INTERCEPTORS = 'ETCD_APP_INTERCEPTORS';

/**
 * Gives the token of a service of a client, for `app.get()`, `inject` and `overrideProvider()`.
 *
 * @param clientName the client's name. @default 'default'
 */
export type ServiceTokenGetter<Service> = (clientName?: string) => InjectionToken<Service>;

/**
 * The token of a client, for `app.get()`, `inject` and `overrideProvider()`.
 *
 * @param name the client's name. @default 'default'
 *
 * @example
 * const etcd = app.get(getEtcdToken('audit'));
 */
export function getEtcdToken(name?: string): InjectionToken<EtcdClient> {
  return tokenOf(EtcdClient, 'EtcdClient', name);
}

/**
 * The token of a namespace, in a module that has it by `EtcdModule.forFeature`.
 *
 * @param name the namespace's name. @default 'default'
 */
export function getEtcdNamespaceToken(name?: string): InjectionToken<EtcdNamespace> {
  return tokenOf(EtcdNamespace, 'EtcdNamespace', name);
}

/** The token of what services and decorators of that name work on: a client, or a namespace that the module has. */
export function scopeToken(name: string = DEFAULT_CLIENT): InjectionToken<EtcdScope> {
  return `ETCD_SCOPE:${name}`;
}

/** The token of the whole of a client, which no namespace takes the place of. */
export function clientScopeToken(clientName: string): InjectionToken<EtcdScope> {
  return `ETCD_CLIENT_SCOPE:${clientName}`;
}

/** The token of a service of a client. */
export function serviceToken<Name extends ServiceName>(
  service: Name,
  clientName?: string,
): InjectionToken<ServiceOf<Name>> {
  return tokenOf<ServiceOf<Name>>(SERVICES[service].type, service, clientName);
}

/**
 * The token of a client's KV service.
 *
 * @example
 * const testing = await Test.createTestingModule({ imports: [AppModule] })
 *   .overrideProvider(getEtcdKvToken()).useValue({ get: () => Promise.resolve(undefined) })
 *   .compile();
 */
export const getEtcdKvToken = getterFor('EtcdKv');

/** The token of a client's Watch service. */
export const getEtcdWatchToken = getterFor('EtcdWatch');

/** The token of a client's Lease service. */
export const getEtcdLeaseToken = getterFor('EtcdLease');

/** The token of a client's Concurrency service: sessions, locks, elections, software transactions. */
export const getEtcdConcurrencyToken = getterFor('EtcdConcurrency');

/** The token of a client's locks. */
export const getEtcdLocksToken = getterFor('EtcdLocks');

/** The token of a client's elections. */
export const getEtcdElectionsToken = getterFor('EtcdElections');

/** The token of a client's Auth service. */
export const getEtcdAuthToken = getterFor('EtcdAuth');

/** The token of a client's Cluster service. */
export const getEtcdClusterToken = getterFor('EtcdCluster');

/** The token of a client's Maintenance service. */
export const getEtcdMaintenanceToken = getterFor('EtcdMaintenance');

function getterFor<Name extends ServiceName>(service: Name): ServiceTokenGetter<ServiceOf<Name>> {
  return (clientName) => serviceToken(service, clientName);
}

/** The class itself for the default client, `Class:name` for a named one. */
function tokenOf<T>(type: InjectionToken<T>, typeName: string, clientName = DEFAULT_CLIENT): InjectionToken<T> {
  return clientName === DEFAULT_CLIENT ? type : `${typeName}:${clientName}`;
}
