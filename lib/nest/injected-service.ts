/** Services that decorated methods need on their instance, set there by Nest as if the class asked for them itself. */
import { Inject, Optional } from '@nestjs/common';
import { EtcdModuleError } from './errors.js';
import type { ServiceName, ServiceOf } from './etcd-services.js';
import { DEFAULT_CLIENT, serviceToken } from './etcd.tokens.js';

/** A service of a client, as a decorator names it. */
export interface WantedService<Name extends ServiceName> {
  readonly service: Name;
  /** @default 'default' */
  readonly client?: string | undefined;
}

/**
 * Has Nest inject a service into each instance of the class, from where the class could inject it: so the namespace of the
 * module, the scope of the provider and the fakes of a test all count. Optional, so that what is missing can be told in
 * words that say what to do.
 */
export function injectService<Name extends ServiceName>(target: object, wanted: WantedService<Name>): void {
  const property = propertyOf(wanted);
  Inject(serviceToken(wanted.service, wanted.client))(target, property);
  Optional()(target, property);
}

/** The service, if it was injected. */
export function injectedService<Name extends ServiceName>(
  instance: object,
  wanted: WantedService<Name>,
): ServiceOf<Name> | undefined {
  return (instance as Record<symbol, ServiceOf<Name> | undefined>)[propertyOf(wanted)];
}

/** For instances that Nest has not made itself, as those of `useFactory` and `useValue`. */
export function setService<Name extends ServiceName>(
  instance: object,
  wanted: WantedService<Name>,
  service: ServiceOf<Name>,
): void {
  Object.defineProperty(instance, propertyOf(wanted), { value: service, configurable: true, writable: true });
}

/** @throws {EtcdModuleError} that says what to do when it was not injected. */
export function requireService<Name extends ServiceName>(
  instance: object,
  label: string,
  wanted: WantedService<Name>,
): ServiceOf<Name> {
  const service = injectedService(instance, wanted);
  if (service !== undefined) return service;
  throw new EtcdModuleError(
    `${label} cannot work: there is no etcd client "${wanted.client ?? DEFAULT_CLIENT}" for it; import EtcdModule with ` +
      'that name, and let Nest make the instance, as it makes providers and controllers',
  );
}

/** By name, so that two copies of this package find the same. */
function propertyOf({ service, client = DEFAULT_CLIENT }: WantedService<ServiceName>): symbol {
  return Symbol.for(`nest-etcd:${service}:${client}`);
}
