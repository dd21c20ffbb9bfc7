/** Which token stands for which client and service: the class for the default client, a string for a named one. */
import type { InjectionToken } from '@nestjs/common';
import { EtcdClient } from '../client/index.js';
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
