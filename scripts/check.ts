/** `npm run check`: all that can be said without running the code: the static checks, and the package as it would be published. */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { run as capture } from '../test/support/etcd/run.js';
import { failuresOf, staticFailures, type Check } from './checks.js';
import { CACHE_FOLDER, ROOT_FOLDER, tool } from './project.js';

const PACK_FOLDER = join(CACHE_FOLDER, 'pack');

/** Packs what the static checks have built. @returns the tarball */
async function pack(): Promise<string> {
  await rm(PACK_FOLDER, { recursive: true, force: true });
  await mkdir(PACK_FOLDER, { recursive: true });
  const printed = await capture('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', PACK_FOLDER], {
    cwd: ROOT_FOLDER,
  });
  const [packed] = JSON.parse(printed) as { filename: string }[];
  return join(PACK_FOLDER, packed?.filename ?? '');
}

/** `esm-only`: CommonJS programs load the package with `require` of ES modules, which every supported Node.js has. */
function packageChecks(tarball: string): Check[] {
  return [
    { name: 'package manifest', command: tool('publint'), args: ['run', tarball, '--strict'] },
    {
      name: 'package types',
      command: tool('attw'),
      args: [tarball, '--profile', 'esm-only', '--no-definitely-typed', '--format', 'ascii'],
    },
    { name: 'nothing unused', command: tool('knip'), args: [] },
  ];
}

async function main(): Promise<void> {
  const failed = [...(await staticFailures()), ...(await failuresOf(packageChecks(await pack())))];
  console.log(failed.length === 0 ? '\nAll checks passed' : `\nChecks that failed: ${failed.join(', ')}`);
  process.exitCode = failed.length === 0 ? 0 : 1;
}

await main();
