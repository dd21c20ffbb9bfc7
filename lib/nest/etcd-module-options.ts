/** What `EtcdModule` takes: the client's options, and a few of its own that say how it lives in an app. */
import { hostname } from 'node:os';
import type { InjectionToken, ModuleMetadata, OptionalFactoryDependency, Provider, Type } from '@nestjs/common';
import { EtcdConfigError, MAX_DELAY_MS, type EtcdClientOptions, type Value } from '../client/index.js';
import { EtcdModuleError } from './errors.js';
import { isTtlSeconds, TTL_RULE } from './limits.js';

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
   * Milliseconds that calls of background work are given to finish when the app shuts down, once HTTP has drained; what
   * runs on then ends with `EtcdClosedError`. `shutdownTimeoutMs` bounds it too. 0 ends them at once.
   *
   * @default 1_000
   * @remarks an integer from 0 to 2_147_483_647.
   */
  readonly drainMs?: number | undefined;
  /**
   * Milliseconds that the shutdown of the app waits for running handlers of watches and leaderships, then again for what
   * runs under locks, and then again for the client to close; after them it goes on without. Requests that wait for a
   * lock while HTTP drains are given as long to get it.
   *
   * @default 5_000
   * @remarks an integer from 1 to 2_147_483_647.
   */
  readonly shutdownTimeoutMs?: number | undefined;
  /**
   * How the app campaigns in the elections that `@LeaderOnly`, `@OnLeadershipAcquired` and `@OnLeadershipLost` name.
   *
   * @default what its own options say
   */
  readonly campaign?: EtcdCampaignOptions | undefined;
}

/** How an app campaigns. */
export interface EtcdCampaignOptions {
  /**
   * What this instance of the app says of itself when it leads, for those who ask who does: an address, for example.
   *
   * @default the name of the host and the ID of the process, as in `web-1-4711`
   */
  readonly value?: Value | undefined;
  /**
   * How long a leadership outlives its holder: after a crash another instance leads after this time. A cluster, a network
   * or an event loop that stands still for longer costs the leadership.
   *
   * @default 30
   * @remarks whole seconds from 1 to 9_000_000_000; the server raises what is below its minimum, mostly 2.
   */
  readonly ttlSeconds?: number | undefined;
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
  readonly drainMs: number;
  readonly shutdownTimeoutMs: number;
  readonly campaign: CampaignSettings;
}

/** How an app campaigns: complete and checked. */
export interface CampaignSettings {
  readonly value: Value;
  /** `undefined`: the client's own default. */
  readonly ttlSeconds: number | undefined;
}

const DEFAULT_TIMEOUT_MS = 5_000;
const DEFAULT_DRAIN_MS = 1_000;

/**
 * The module's own options, apart from the client's.
 *
 * @throws {EtcdModuleError} when they are no object or hold a name.
 * @throws {EtcdConfigError} when one of them is out of range.
 */
export function splitOptions(name: string, options: EtcdModuleOptions): [Lifecycle, EtcdClientOptions] {
  requireNamelessObject(name, options);
  const { connect = 'lazy', startTimeoutMs, drainMs, shutdownTimeoutMs, campaign, ...clientOptions } = options;
  if (!['lazy', 'eager'].includes(connect)) throw new EtcdConfigError('connect', "must be 'lazy' or 'eager'", connect);
  const lifecycle = {
    connect,
    startTimeoutMs: millisecondsOf('startTimeoutMs', startTimeoutMs, { byDefault: DEFAULT_TIMEOUT_MS, min: 1 }),
    drainMs: millisecondsOf('drainMs', drainMs, { byDefault: DEFAULT_DRAIN_MS, min: 0 }),
    shutdownTimeoutMs: millisecondsOf('shutdownTimeoutMs', shutdownTimeoutMs, {
      byDefault: DEFAULT_TIMEOUT_MS,
      min: 1,
    }),
    campaign: campaignSettings(campaign),
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

function millisecondsOf(
  option: string,
  value: number | undefined,
  { byDefault, min }: { readonly byDefault: number; readonly min: number },
): number {
  if (value === undefined) return byDefault;
  if (Number.isInteger(value) && value >= min && value <= MAX_DELAY_MS) return value;
  throw new EtcdConfigError(option, `must be an integer from ${min} to ${MAX_DELAY_MS}`, value);
}

function campaignSettings(campaign: unknown = {}): CampaignSettings {
  if (typeof campaign !== 'object' || campaign === null) {
    throw new EtcdConfigError('campaign', 'must be an object such as { ttlSeconds: 15 }', campaign);
  }
  const { value = `${hostname()}-${process.pid}`, ttlSeconds } = campaign as EtcdCampaignOptions;
  const isValue = typeof value === 'string' || (value as unknown) instanceof Uint8Array;
  if (!isValue) throw new EtcdConfigError('campaign.value', 'must be text or bytes', value);
  if (ttlSeconds === undefined || isTtlSeconds(ttlSeconds)) return { value, ttlSeconds };
  throw new EtcdConfigError('campaign.ttlSeconds', TTL_RULE, ttlSeconds);
}
