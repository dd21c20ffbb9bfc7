/** Finds the decorated methods of an app, and makes them callable with Nest's enhancers around them. */
import { Inject, Injectable, Optional, type InjectionToken, type Type } from '@nestjs/common';
import {
  ApplicationConfig,
  DiscoveryService,
  ExternalContextCreator,
  MetadataScanner,
  ModuleRef,
  type ModulesContainer,
} from '@nestjs/core';
import { EtcdModuleError } from '../errors.js';
import { decorationsOf, HANDLER_ARGUMENTS, type DecorationName } from './decorations.js';

/** Which decorator is looked for. */
export interface Wanted {
  /** As it is written, for errors: `@OnEtcdWatch`. */
  readonly decorator: string;
  readonly name: DecorationName;
}

/** A decorated method of an instance of which there is exactly one. */
export interface FoundMethod<Note> {
  /** `Class@method`, for the log. */
  readonly label: string;
  readonly instance: object;
  /** What the decorators have left, the upper one first. */
  readonly notes: readonly Note[];
  /** Calls it with one argument. Guards, interceptors, pipes and filters apply. */
  readonly call: (argument: object) => Promise<unknown>;
  /** What the class could inject by this token; `undefined` when it could not. */
  readonly inject: <T>(token: InjectionToken<T>) => Promise<T | undefined>;
}

type Wrapper = ReturnType<DiscoveryService['getProviders']>[number];
type NestModule = NonNullable<Wrapper['host']>;
type Method = (...args: unknown[]) => unknown;

/** What `@UseFilters()` leaves on classes and methods. Nest has no public name for it. */
const FILTERS = '__exceptionFilters__';
const CONTEXT_TYPE = 'etcd';
const ARGUMENT_ONLY = { exchangeKeyForValue: (_type: number, _data: unknown, [argument]: unknown[]) => argument };

/** Looks at every provider and controller of the app. One for each app, however many clients there are. */
@Injectable()
export class EtcdHandlerExplorer {
  constructor(
    @Inject(DiscoveryService) private readonly discovery: DiscoveryService,
    @Inject(MetadataScanner) private readonly scanner: MetadataScanner,
    @Inject(ExternalContextCreator) private readonly contexts: ExternalContextCreator,
    @Inject(ApplicationConfig) private readonly config: ApplicationConfig,
  ) {}

  /** @throws {EtcdModuleError} for a method of a class of which there is not exactly one instance. */
  explore<Note>(wanted: Wanted): FoundMethod<Note>[] {
    return this.find(wanted, (wrapper) => this.refuseMethodsOf(wrapper, wanted));
  }

  /** The same, without those of which there is not exactly one instance. */
  exploreSingletons<Note>(wanted: Wanted): FoundMethod<Note>[] {
    return this.find(wanted, () => undefined);
  }

  /** The modules of the app. */
  modules(): NestModule[] {
    // The injected list of modules is a Map, which does not work behind the proxies of an `instanceDecorator`; this is the bare one.
    return [...(this.contexts['modulesContainer'] as ModulesContainer).values()];
  }

  private find<Note>(wanted: Wanted, onOther: (wrapper: Wrapper) => void): FoundMethod<Note>[] {
    const seen = new Set<object>();
    const modules = this.modules();
    const wrappers = [...this.discovery.getProviders({}, modules), ...this.discovery.getControllers({}, modules)];
    return wrappers
      .filter(({ isAlias }) => !isAlias)
      .flatMap((wrapper) => {
        if (wrapper.isDependencyTreeStatic() && !wrapper.isTransient)
          return this.methodsOf<Note>(wrapper, wanted, seen);
        onOther(wrapper);
        return [];
      });
  }

  private methodsOf<Note>(wrapper: Wrapper, { name }: Wanted, seen: Set<object>): FoundMethod<Note>[] {
    const instance: unknown = wrapper.instance;
    if (typeof instance !== 'object' || instance === null || seen.has(instance)) return [];
    seen.add(instance);
    const prototype = Object.getPrototypeOf(instance) as object | null;
    return this.decorated(prototype, name).map(([methodName, method]) => ({
      label: `${instance.constructor.name}@${methodName}`,
      instance,
      notes: decorationsOf(method, name) as readonly Note[],
      call: this.callable(instance, methodName, method),
      inject: (token) => injectedInto(wrapper.host, token),
    }));
  }

  private refuseMethodsOf(wrapper: Wrapper, { decorator, name }: Wanted): void {
    const prototype: unknown = wrapper.metatype?.prototype;
    const [found] = this.decorated(typeof prototype === 'object' ? prototype : null, name);
    if (found === undefined) return;
    const why = wrapper.isTransient
      ? 'is transient, so there is an instance for each place that injects it'
      : 'is request-scoped, or depends on a provider that is, so there is an instance for each request';
    throw new EtcdModuleError(
      `${decorator} on ${wrapper.name}@${found[0]} cannot work: ${wrapper.name} ${why}, and none for events; ` +
        'move the method to a provider with the default scope',
    );
  }

  private decorated(prototype: object | null, name: DecorationName): [string, Method][] {
    if (prototype === null) return [];
    const methods = prototype as Readonly<Record<string, Method>>;
    return this.scanner
      .getAllMethodNames(prototype)
      .map((methodName): [string, Method | undefined] => [methodName, methods[methodName]])
      .filter((entry): entry is [string, Method] => entry[1] !== undefined && decorationsOf(entry[1], name).length > 0);
  }

  /** The method of the prototype: an instance may be a proxy, whose methods do not carry what enhancers are found by. */
  private callable(instance: object, name: string, method: Method): (argument: object) => Promise<unknown> {
    const enhancers = { guards: true, interceptors: true, filters: this.hasFilters(instance, method) };
    return this.contexts.create(
      instance,
      method,
      name,
      HANDLER_ARGUMENTS,
      ARGUMENT_ONLY,
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

/** Asks Nest itself, by a class that is injected in the module and thrown away: only so the imports of the module count. */
async function injectedInto<T>(module: NestModule | undefined, token: InjectionToken<T>): Promise<T | undefined> {
  if (module === undefined) return undefined;
  const { instance: moduleRef } = module.getProviderByKey<ModuleRef>(ModuleRef);
  return (await moduleRef.create<Probe<T>>(probeOf(token))).found;
}

interface Probe<T> {
  readonly found: T | undefined;
}

function probeOf<T>(token: InjectionToken<T>): Type<Probe<T>> {
  class EtcdProbe implements Probe<T> {
    constructor(readonly found: T | undefined) {}
  }
  Inject(token)(EtcdProbe, undefined, 0);
  Optional()(EtcdProbe, undefined as never, 0);
  return EtcdProbe;
}
