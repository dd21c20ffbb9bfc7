/** Finds the methods with `@OnEtcdWatch()` in an app, and makes them callable with Nest's enhancers around them. */
import { Inject, Injectable } from '@nestjs/common';
import {
  ApplicationConfig,
  DiscoveryService,
  ExternalContextCreator,
  MetadataScanner,
  type ModulesContainer,
} from '@nestjs/core';
import { EtcdModuleError } from '../errors.js';
import { WATCH_ARGUMENTS, watchesOf, type WatchMetadata } from './watch-metadata.js';

/** A method that wants to be called, once for each of its watches. */
export interface FoundHandler {
  /** `Class@method`, for the log. */
  readonly label: string;
  readonly watches: readonly WatchMetadata[];
  /** Guards, interceptors, pipes and filters apply. */
  readonly call: (change: object) => Promise<unknown>;
}

type Wrapper = ReturnType<DiscoveryService['getProviders']>[number];
type Method = (...args: unknown[]) => unknown;

/** What `@UseFilters()` leaves on classes and methods. Nest has no public name for it. */
const FILTERS = '__exceptionFilters__';
const CONTEXT_TYPE = 'etcd';
const EVENT_ONLY = { exchangeKeyForValue: (_type: number, _data: unknown, [event]: unknown[]) => event };

/** Looks at every provider and controller of the app. One for each app, however many clients there are. */
@Injectable()
export class EtcdWatchExplorer {
  constructor(
    @Inject(DiscoveryService) private readonly discovery: DiscoveryService,
    @Inject(MetadataScanner) private readonly scanner: MetadataScanner,
    @Inject(ExternalContextCreator) private readonly contexts: ExternalContextCreator,
    @Inject(ApplicationConfig) private readonly config: ApplicationConfig,
  ) {}

  /** @throws {EtcdModuleError} for a handler in a class of which there is not exactly one instance. */
  explore(): FoundHandler[] {
    const seen = new Set<object>();
    // The injected list of modules is a Map, which does not work behind the proxies of an `instanceDecorator`; this is the bare one.
    const modules = [...(this.contexts['modulesContainer'] as ModulesContainer).values()];
    const wrappers = [...this.discovery.getProviders({}, modules), ...this.discovery.getControllers({}, modules)];
    return wrappers.filter(({ isAlias }) => !isAlias).flatMap((wrapper) => this.handlersOf(wrapper, seen));
  }

  private handlersOf(wrapper: Wrapper, seen: Set<object>): FoundHandler[] {
    if (!wrapper.isDependencyTreeStatic() || wrapper.isTransient) {
      this.refuseHandlersOf(wrapper);
      return [];
    }
    const instance: unknown = wrapper.instance;
    if (typeof instance !== 'object' || instance === null || seen.has(instance)) return [];
    seen.add(instance);
    const prototype = Object.getPrototypeOf(instance) as object | null;
    return this.methodsOf(prototype).map(([name, method]) => ({
      label: `${instance.constructor.name}@${name}`,
      watches: watchesOf(method),
      call: this.callable(instance, name, method),
    }));
  }

  private refuseHandlersOf(wrapper: Wrapper): void {
    const prototype: unknown = wrapper.metatype?.prototype;
    const [found] = this.methodsOf(typeof prototype === 'object' ? prototype : null);
    if (found === undefined) return;
    const why = wrapper.isTransient
      ? 'is transient, so there is an instance for each place that injects it'
      : 'is request-scoped, or depends on a provider that is, so there is an instance for each request';
    throw new EtcdModuleError(
      `@OnEtcdWatch on ${wrapper.name}@${found[0]} cannot work: ${wrapper.name} ${why}, and none for events; ` +
        'move the method to a provider with the default scope',
    );
  }

  private methodsOf(prototype: object | null): [string, Method][] {
    if (prototype === null) return [];
    const methods = prototype as Readonly<Record<string, Method>>;
    return this.scanner
      .getAllMethodNames(prototype)
      .map((name): [string, Method | undefined] => [name, methods[name]])
      .filter((entry): entry is [string, Method] => entry[1] !== undefined && watchesOf(entry[1]).length > 0);
  }

  /** The method of the prototype: an instance may be a proxy, whose methods do not carry what enhancers are found by. */
  private callable(instance: object, name: string, method: Method): FoundHandler['call'] {
    const enhancers = { guards: true, interceptors: true, filters: this.hasFilters(instance, method) };
    return this.contexts.create(
      instance,
      method,
      name,
      WATCH_ARGUMENTS,
      EVENT_ONLY,
      undefined,
      undefined,
      enhancers,
      CONTEXT_TYPE,
    );
  }

  /** Where nobody has declared a filter, Nest's own would only log the error a second time. */
  private hasFilters(instance: object, method: Method): boolean {
    const declared = [instance.constructor, method].some((target) => Reflect.hasMetadata(FILTERS, target));
    return declared || this.config.getGlobalFilters().length > 0 || this.config.getGlobalRequestFilters().length > 0;
  }
}
