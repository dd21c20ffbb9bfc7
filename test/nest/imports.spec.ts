/** What importing each entry point of the built package loads: nobody has to install what they do not use. */
import { beforeAll, describe, expect, it } from '@jest/globals';
import { builtLibrary } from '../support/built.js';
import { startChild } from '../support/index.js';

/** Writes the name of every installed package of which a module is resolved, once. */
const RESOLVE_HOOK = `
  import { writeSync } from 'node:fs';
  const seen = new Set();
  export async function resolve(specifier, context, next) {
    const resolved = await next(specifier, context);
    const name = /\\/node_modules\\/((?:@[^/]+\\/)?[^/]+)\\//.exec(resolved.url)?.[1];
    if (name !== undefined && !seen.has(name)) writeSync(1, 'loads ' + name + '\\n');
    seen.add(name);
    return resolved;
  }`;

const REGISTER_HOOK = `import { register } from 'node:module'; register(${JSON.stringify(dataUrl(RESOLVE_HOOK))});`;

function dataUrl(code: string): string {
  return `data:text/javascript,${encodeURIComponent(code)}`;
}

/** The hook does not see what CommonJS modules require: the cache of `require` has that. */
function importOnly(entryPoint: string): string {
  return `
    import { createRequire } from 'node:module';
    await import(${JSON.stringify(entryPoint)});
    for (const file of Object.keys(createRequire('/').cache)) {
      console.log('loads ' + file.match(/.*\\/node_modules\\/((?:@[^/]+\\/)?[^/]+)\\//)?.[1]);
    }
    console.log('imported');`;
}

/** The installed packages that a program loads which imports only this. */
async function packagesOf(entryPoint: string): Promise<Set<string>> {
  const program = importOnly(entryPoint);
  const args = ['--import', dataUrl(REGISTER_HOOK), '--input-type=module', '--eval', program];
  await using child = await startChild(process.execPath, args);
  await child.waitForOutput(/^imported$/m);
  const { code } = await child.exited();
  if (code !== 0) throw new Error(`importing ${entryPoint} failed:\n${child.output}`);
  return new Set([...child.output.matchAll(/^loads (.+)$/gm)].map(([, name = '']) => name));
}

const NEST = ['@nestjs/common', '@nestjs/core', 'rxjs'];
/** Loaded when it is asked for (grpc-js), or by tests only. */
const GRPC = ['@grpc/grpc-js', '@grpc/proto-loader', 'protobufjs'];

describe('importing', () => {
  beforeAll(() => {
    builtLibrary();
  });

  it.each([
    { entryPoint: 'nest-etcd/client', loads: [], not: [...GRPC, ...NEST, '@nestjs/terminus', 'prom-client'] },
    { entryPoint: 'nest-etcd', loads: NEST, not: [...GRPC, '@nestjs/terminus', 'prom-client'] },
    { entryPoint: 'nest-etcd/health', loads: [...NEST, '@nestjs/terminus'], not: ['prom-client'] },
    { entryPoint: 'nest-etcd/metrics', loads: ['@nestjs/common', 'prom-client'], not: ['@nestjs/terminus'] },
  ])('$entryPoint loads $loads and not $not', async ({ entryPoint, loads, not }) => {
    const packages = await packagesOf(entryPoint);

    expect(loads.filter((name) => !packages.has(name))).toEqual([]);
    expect(not.filter((name) => packages.has(name))).toEqual([]);
  });
});
