/** What importing each entry point of the built package loads: nobody has to install what they do not use. */
import { beforeAll, describe, expect, it } from '@jest/globals';
import { startChild } from '../support/index.js';
import { requireBuild } from './support/built.js';

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

/** The installed packages that a program loads which imports only this. */
async function packagesOf(entryPoint: string): Promise<Set<string>> {
  const program = `await import(${JSON.stringify(entryPoint)}); console.log('imported');`;
  const args = ['--import', dataUrl(REGISTER_HOOK), '--input-type=module', '--eval', program];
  await using child = await startChild(process.execPath, args);
  await child.waitForOutput(/^imported$/m);
  const { code } = await child.exited();
  if (code !== 0) throw new Error(`importing ${entryPoint} failed:\n${child.output}`);
  return new Set([...child.output.matchAll(/^loads (.+)$/gm)].map(([, name = '']) => name));
}

const NEST = ['@nestjs/common', '@nestjs/core', 'rxjs'];

describe('importing', () => {
  beforeAll(async () => {
    await requireBuild();
  }, 120_000);

  it.each([
    { entryPoint: 'nest-etcd/client', loads: ['@grpc/grpc-js'], not: [...NEST, '@nestjs/terminus', 'prom-client'] },
    { entryPoint: 'nest-etcd', loads: ['@grpc/grpc-js', ...NEST], not: ['@nestjs/terminus', 'prom-client'] },
    { entryPoint: 'nest-etcd/health', loads: [...NEST, '@nestjs/terminus'], not: ['prom-client'] },
    { entryPoint: 'nest-etcd/metrics', loads: ['@nestjs/common', 'prom-client'], not: ['@nestjs/terminus'] },
  ])('$entryPoint loads $loads and not $not', async ({ entryPoint, loads, not }) => {
    const packages = await packagesOf(entryPoint);

    expect(loads.filter((name) => !packages.has(name))).toEqual([]);
    expect(not.filter((name) => packages.has(name))).toEqual([]);
  });
});
