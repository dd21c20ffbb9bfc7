/** Decorators that inject a client or one of its services by the client's name. */
import { Inject } from '@nestjs/common';
import { getEtcdKvToken, getEtcdMaintenanceToken, getEtcdToken } from './etcd.tokens.js';

/**
 * Injects a client. The default one needs no decorator: its class is its token.
 *
 * @param name the client's name. @default 'default'
 *
 * @example
 * constructor(private readonly etcd: EtcdClient, @InjectEtcd('audit') private readonly audit: EtcdClient) {}
 */
export function InjectEtcd(name?: string): ReturnType<typeof Inject> {
  return Inject(getEtcdToken(name));
}

/**
 * Injects the KV service of a client. That of the default client needs no decorator.
 *
 * @param name the client's name. @default 'default'
 *
 * @example
 * constructor(private readonly kv: EtcdKv, @InjectEtcdKv('audit') private readonly audit: EtcdKv) {}
 */
export function InjectEtcdKv(name?: string): ReturnType<typeof Inject> {
  return Inject(getEtcdKvToken(name));
}

/**
 * Injects the Maintenance service of a client. That of the default client needs no decorator.
 *
 * @param name the client's name. @default 'default'
 */
export function InjectEtcdMaintenance(name?: string): ReturnType<typeof Inject> {
  return Inject(getEtcdMaintenanceToken(name));
}
