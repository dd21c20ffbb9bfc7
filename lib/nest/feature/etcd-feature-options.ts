/** What `EtcdModule.forFeature` takes. */
import type { InjectionToken, ModuleMetadata, OptionalFactoryDependency } from '@nestjs/common';
import { EtcdConfigError, type Key } from '../../client/index.js';
import { isName } from '../decorator-options.js';

/** Which keys a module works with. */
export interface EtcdFeatureOptions {
  /** What all keys of the module start with: in the store they do, in the module nobody writes or sees it. */
  readonly namespace: Key;
}

/** What has to be known before any factory runs, since tokens depend on it. */
export interface EtcdFeatureRegistrationOptions {
  /**
   * The name of the client whose store it is.
   *
   * @default 'default'
   */
  readonly client?: string | undefined;
  /**
   * The namespace's name, for modules with more than one: its services are injected by `@InjectEtcdKv('name')` and the
   * like then, and decorators take it as `client`.
   *
   * @default 'default', whose services are injected by their classes
   */
  readonly name?: string | undefined;
  /**
   * Modules that have the client, where that is not global, or what `inject` names.
   *
   * @default none
   */
  readonly imports?: ModuleMetadata['imports'] | undefined;
}

/** What `forFeatureAsync` takes. */
export interface EtcdFeatureAsyncOptions extends EtcdFeatureRegistrationOptions {
  /** Returns the options, or a promise of them; gets what `inject` names, so its parameters need their types written. */
  readonly useFactory: (...args: never[]) => EtcdFeatureOptions | Promise<EtcdFeatureOptions>;
  /** What `useFactory` gets, in order. */
  readonly inject?: (InjectionToken | OptionalFactoryDependency)[] | undefined;
}

/** @throws {EtcdConfigError} when it is no prefix of keys. */
export function requireNamespace(options: unknown): Key {
  const namespace = (options as EtcdFeatureOptions | undefined)?.namespace as unknown;
  if (isName(namespace)) return namespace;
  if (namespace instanceof Uint8Array && namespace.byteLength > 0) return namespace;
  throw new EtcdConfigError('namespace', 'must be text or bytes, and not empty', namespace ?? String(namespace));
}
