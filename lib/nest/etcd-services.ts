/** The services of a client that can be injected, in one table: a new service is one line here. */
import type { InjectionToken } from '@nestjs/common';
import {
  EtcdAuth,
  EtcdCluster,
  EtcdConcurrency,
  EtcdKv,
  EtcdLease,
  EtcdMaintenance,
  EtcdWatch,
} from '../client/index.js';
import type { EtcdScope } from './etcd-scope.js';
import { EtcdElections } from './leadership/etcd-elections.js';
import { EtcdLocks } from './locks/etcd-locks.js';

/** A service, and how it is had. */
export interface InjectableService {
  /** The class that is the token for the default client. Only its identity matters: Nest never makes one. */
  readonly type: InjectionToken<object>;
  readonly of: (scope: EtcdScope) => object;
}

/** Services that a namespace has, too. */
export const NAMESPACE_SERVICES = {
  EtcdKv: { type: EtcdKv, of: ({ view }) => view.kv },
  EtcdWatch: { type: EtcdWatch, of: ({ view }) => view.watch },
  EtcdLease: { type: EtcdLease, of: ({ view }) => view.lease },
  EtcdConcurrency: { type: EtcdConcurrency, of: ({ view }) => view.concurrency },
  EtcdLocks: { type: EtcdLocks, of: ({ view, bodies }) => new EtcdLocks(view.concurrency, bodies) },
  EtcdElections: {
    type: EtcdElections,
    of: (scope) => new EtcdElections(scope.view.concurrency, (name) => scope.campaign(name)),
  },
} as const satisfies Record<string, InjectableService>;

/** Each service under the name that the tokens of named clients begin with; class names do not survive minifiers. */
export const SERVICES = {
  ...NAMESPACE_SERVICES,
  EtcdAuth: { type: EtcdAuth, of: ({ client }) => client.auth },
  EtcdCluster: { type: EtcdCluster, of: ({ client }) => client.cluster },
  EtcdMaintenance: { type: EtcdMaintenance, of: ({ client }) => client.maintenance },
} as const satisfies Record<string, InjectableService>;

/** The name of a service. */
export type ServiceName = keyof typeof SERVICES;

/** The service of that name. */
export type ServiceOf<Name extends ServiceName> = (typeof SERVICES)[Name]['type']['prototype'];
