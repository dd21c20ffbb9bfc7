/** Decorators that inject a client or one of its services by the client's name. */
import { Inject } from '@nestjs/common';
import type { ServiceName } from './etcd-services.js';
import { getEtcdNamespaceToken, getEtcdToken, serviceToken } from './etcd.tokens.js';

/**
 * Injects something of a client into a parameter or a property.
 *
 * @param clientName the client's name. @default 'default'
 */
export type EtcdInjector = (clientName?: string) => ReturnType<typeof Inject>;

/**
 * Injects a client. The default one needs no decorator: its class is its token.
 *
 * @example
 * constructor(private readonly etcd: EtcdClient, @InjectEtcd('audit') private readonly audit: EtcdClient) {}
 */
export const InjectEtcd: EtcdInjector = (clientName) => Inject(getEtcdToken(clientName));

/**
 * Injects the KV service of a client. That of the default client needs no decorator.
 *
 * @example
 * constructor(private readonly kv: EtcdKv, @InjectEtcdKv('audit') private readonly audit: EtcdKv) {}
 */
export const InjectEtcdKv = injectorOf('EtcdKv');

/** Injects the Watch service of a client. That of the default client needs no decorator. */
export const InjectEtcdWatch = injectorOf('EtcdWatch');

/** Injects the Lease service of a client. That of the default client needs no decorator. */
export const InjectEtcdLease = injectorOf('EtcdLease');

/** Injects the Concurrency service of a client. That of the default client needs no decorator. */
export const InjectEtcdConcurrency = injectorOf('EtcdConcurrency');

/**
 * Injects the locks of a client. Those of the default client need no decorator.
 *
 * @example
 * constructor(private readonly locks: EtcdLocks, @InjectEtcdLocks('audit') private readonly auditLocks: EtcdLocks) {}
 */
export const InjectEtcdLocks = injectorOf('EtcdLocks');

/** Injects the elections of a client. Those of the default client need no decorator. */
export const InjectEtcdElections = injectorOf('EtcdElections');

/**
 * Injects a namespace that the module has by `EtcdModule.forFeature({ name, … })`. One without a name needs no decorator:
 * the class `EtcdNamespace` is its token.
 */
export const InjectEtcdNamespace: EtcdInjector = (name) => Inject(getEtcdNamespaceToken(name));

/** Injects the Auth service of a client. That of the default client needs no decorator. */
export const InjectEtcdAuth = injectorOf('EtcdAuth');

/** Injects the Cluster service of a client. That of the default client needs no decorator. */
export const InjectEtcdCluster = injectorOf('EtcdCluster');

/** Injects the Maintenance service of a client. That of the default client needs no decorator. */
export const InjectEtcdMaintenance = injectorOf('EtcdMaintenance');

function injectorOf(service: ServiceName): EtcdInjector {
  return (clientName) => Inject(serviceToken(service, clientName));
}
