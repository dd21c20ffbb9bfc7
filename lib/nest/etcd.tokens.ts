/** Which token stands for which client and service: the class for the default client, a string for a named one. */
import type { InjectionToken } from '@nestjs/common';
import { EtcdClient, EtcdKv, EtcdMaintenance } from '../client/index.js';

/** The name of the client that is injected without a name. */
export const DEFAULT_CLIENT = 'default';

/**
 * Where `nest-etcd/metrics` leaves its interceptor for all clients of an application. A string, so that this wing
 * need not import that one.
 */
export const ETCD_METRICS_INTERCEPTOR = 'ETCD_METRICS_INTERCEPTOR';

/** The interceptors that every client of the application gets, outside of its own. */
export const ETCD_APP_INTERCEPTORS = 'ETCD_APP_INTERCEPTORS';

/** The class itself for the default client, `Class:name` for a named one. */
export function tokenOf<T>(type: InjectionToken<T>, typeName: string, clientName = DEFAULT_CLIENT): InjectionToken<T> {
  return clientName === DEFAULT_CLIENT ? type : `${typeName}:${clientName}`;
}

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
 * The token of a client's KV service.
 *
 * @param name the client's name. @default 'default'
 *
 * @example
 * const testing = await Test.createTestingModule({ imports: [AppModule] })
 *   .overrideProvider(getEtcdKvToken()).useValue({ get: () => Promise.resolve(undefined) })
 *   .compile();
 */
export function getEtcdKvToken(name?: string): InjectionToken<EtcdKv> {
  return tokenOf(EtcdKv, 'EtcdKv', name);
}

/**
 * The token of a client's Maintenance service.
 *
 * @param name the client's name. @default 'default'
 */
export function getEtcdMaintenanceToken(name?: string): InjectionToken<EtcdMaintenance> {
  return tokenOf(EtcdMaintenance, 'EtcdMaintenance', name);
}
