/** Refuses modules that have two namespaces under one name, of which Nest would silently take the first. */
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { EtcdModuleError } from '../errors.js';
import { DEFAULT_CLIENT } from '../etcd.tokens.js';
import { EtcdHandlerExplorer } from '../handlers/handler.explorer.js';
import { FEATURE, type Feature } from './feature.js';

type NestModule = ReturnType<EtcdHandlerExplorer['modules']>[number];

/** Looks at what each module imports. */
@Injectable()
export class EtcdFeatureCheck implements OnModuleInit {
  constructor(@Inject(EtcdHandlerExplorer) private readonly explorer: EtcdHandlerExplorer) {}

  /** @throws {EtcdModuleError} that names the module. */
  onModuleInit(): void {
    for (const module of this.explorer.modules()) requireDistinct(module.name, featuresOf(module));
  }
}

/** `forFeature` makes a module that holds nothing but the one with the providers. */
function featuresOf({ imports }: NestModule): Feature[] {
  return [...imports]
    .flatMap((imported) => [...imported.imports])
    .map((inner) => inner.getProviderByKey<Feature | undefined>(FEATURE) as { instance?: Feature } | undefined)
    .flatMap((wrapper) => wrapper?.instance ?? []);
}

function requireDistinct(moduleName: string, features: readonly Feature[]): void {
  const seen = new Map<string, Feature>();
  for (const feature of features) {
    const { name, scope } = feature;
    const other = seen.get(name);
    if (other !== undefined && other.scope.id !== scope.id) throw new EtcdModuleError(twiceText(moduleName, name));
    seen.set(name, feature);
  }
}

function twiceText(moduleName: string, name: string): string {
  const what = name === DEFAULT_CLIENT ? 'two namespaces without a name' : `two namespaces named "${name}"`;
  return (
    `${moduleName} imports ${what}, so nobody can say which keys its services mean; give each EtcdModule.forFeature a name ` +
    "of its own, and inject by it: @InjectEtcdKv('name')"
  );
}
