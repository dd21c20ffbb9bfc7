/** What `EtcdModule` takes: the client's options, and a few of its own that say how it lives in an app. */
import type { InjectionToken, ModuleMetadata, OptionalFactoryDependency, Provider, Type } from '@nestjs/common';
import { EtcdConfigError, type EtcdClientOptions } from '../client/index.js';
import { EtcdModuleError } from './errors.js';

/** How a client lives in an app. */
export interface EtcdLifecycleOptions {
  /**
   * `'lazy'`: the app starts whether etcd is there or not, and the first call connects. `'eager'`: the start waits until
   * etcd has answered a read, and fails with each endpoint's reason when it does not.
   *
   * @default 'lazy'
   */
  readonly connect?: 'lazy' | 'eager' | undefined;
  /**
   * Milliseconds that the start of the app waits for etcd with `connect: 'eager'`.
   *
   * @default 5_000
   * @remarks an integer from 1 to 2_147_483_647.
   */
  readonly startTimeoutMs?: number | undefined;
  /**
   * Milliseconds that the shutdown of the app waits for running handlers of `@OnEtcdWatch`, and then again for the client
   * to close; after them it goes on without.
   *
   * @default 5_000
   * @remarks an integer from 1 to 2_147_483_647.
   */
  readonly shutdownTimeoutMs?: number | undefined;
}

/** What `forRoot` takes beside `name` and `isGlobal`, and what the factory of `forRootAsync` returns. */
export interface EtcdModuleOptions extends Omit<EtcdClientOptions, 'name'>, EtcdLifecycleOptions {}

/** What has to be known before any factory runs, since tokens depend on it. */
export interface EtcdRegistrationOptions {
  /**
   * The client's name: it is injected by `@InjectEtcd('name')` and `getEtcdToken('name')`. Each client of an app has its own.
   *
   * @default 'default', which is injected by its class
   */
  readonly name?: string | undefined;
  /**
   * Whether every module of the app can inject the client without importing `EtcdModule`.
   *
   * @default true
   */
  readonly isGlobal?: boolean | undefined;
}

/** A class that makes the options, for `useClass` and `useExisting`. */
export interface EtcdOptionsFactory {
  createEtcdOptions(): EtcdModuleOptions | Promise<EtcdModuleOptions>;
}

/** What `forRootAsync` takes: exactly one of `useFactory`, `useClass` and `useExisting`. */
export interface EtcdModuleAsyncOptions extends EtcdRegistrationOptions, Pick<ModuleMetadata, 'imports'> {
  /** Returns the options, or a promise of them; gets what `inject` names, so its parameters need their types written. */
  readonly useFactory?: ((...args: never[]) => EtcdModuleOptions | Promise<EtcdModuleOptions>) | undefined;
  /** A class of which Nest makes an instance here. */
  readonly useClass?: Type<EtcdOptionsFactory> | undefined;
  /** A class of which an imported module has an instance. */
  readonly useExisting?: Type<EtcdOptionsFactory> | undefined;
  /** What `useFactory` gets, in order. */
  readonly inject?: (InjectionToken | OptionalFactoryDependency)[] | undefined;
  /** Providers that the factory needs and no module exports. */
  readonly extraProviders?: Provider[] | undefined;
}

/** How a client lives in an app: complete and checked. */
export interface Lifecycle {
  readonly connect: 'lazy' | 'eager';
  readonly startTimeoutMs: number;
  readonly shutdownTimeoutMs: number;
}

const DEFAULT_TIMEOUT_MS = 5_000;
const LONGEST = 2 ** 31 - 1;

/**
 * The module's own options, apart from the client's.
 *
 * @throws {EtcdModuleError} when they are no object or hold a name.
 * @throws {EtcdConfigError} when one of them is out of range.
 */
export function splitOptions(name: string, options: EtcdModuleOptions): [Lifecycle, EtcdClientOptions] {
  requireNamelessObject(name, options);
  const { connect = 'lazy', startTimeoutMs, shutdownTimeoutMs, ...clientOptions } = options;
  if (!['lazy', 'eager'].includes(connect)) throw new EtcdConfigError('connect', "must be 'lazy' or 'eager'", connect);
  const lifecycle = {
    connect,
    startTimeoutMs: timeoutOf('startTimeoutMs', startTimeoutMs),
    shutdownTimeoutMs: timeoutOf('shutdownTimeoutMs', shutdownTimeoutMs),
  };
  return [lifecycle, { ...clientOptions, name }];
}

function requireNamelessObject(name: string, options: unknown): void {
  if (typeof options !== 'object' || options === null) {
    const got = options === null ? 'null' : typeof options;
    throw new EtcdModuleError(
      `EtcdModule got no options for the client "${name}" (${got}); pass or return an object such as { endpoints: ['http://127.0.0.1:2379'] }`,
    );
  }
  if ('name' in options && options.name !== undefined) {
    throw new EtcdModuleError(
      `the options that were made for the etcd client "${name}" hold a name; write it beside the factory, since tokens ` +
        "depend on it before the factory runs: EtcdModule.forRootAsync({ name: '…', useFactory: … })",
    );
  }
}

function timeoutOf(option: string, value: number | undefined): number {
  if (value === undefined) return DEFAULT_TIMEOUT_MS;
  if (Number.isInteger(value) && value >= 1 && value <= LONGEST) return value;
  throw new EtcdConfigError(option, `must be an integer from 1 to ${LONGEST}`, value);
}
