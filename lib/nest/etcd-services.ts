/** The services of a client that can be injected, in one table: a new service is one line here. */
import type { InjectionToken } from '@nestjs/common';
import {
  EtcdAuth,
  EtcdCluster,
  EtcdKv,
  EtcdLease,
  EtcdMaintenance,
  EtcdWatch,
  type EtcdClient,
} from '../client/index.js';

/** A service, and where the client keeps it. */
export interface InjectableService {
  /** The class that is the token for the default client. Only its identity matters: Nest never makes one. */
  readonly type: InjectionToken<object>;
  readonly of: (client: EtcdClient) => object;
}

/** Each service under the name that the tokens of named clients begin with; class names do not survive minifiers. */
export const SERVICES = {
  EtcdKv: { type: EtcdKv, of: ({ kv }) => kv },
  EtcdWatch: { type: EtcdWatch, of: ({ watch }) => watch },
  EtcdLease: { type: EtcdLease, of: ({ lease }) => lease },
  EtcdAuth: { type: EtcdAuth, of: ({ auth }) => auth },
  EtcdCluster: { type: EtcdCluster, of: ({ cluster }) => cluster },
  EtcdMaintenance: { type: EtcdMaintenance, of: ({ maintenance }) => maintenance },
} as const satisfies Record<string, InjectableService>;

/** The name of a service. */
export type ServiceName = keyof typeof SERVICES;

/** The service of that name. */
export type ServiceOf<Name extends ServiceName> = (typeof SERVICES)[Name]['type']['prototype'];
