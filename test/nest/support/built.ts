/** The package as it is built, for tests of what is published. */
import { readdir, stat } from 'node:fs/promises';
import { startChild } from '../../support/index.js';

const BUILT = ['nest', 'client', 'health', 'metrics'].map((wing) => `dist/${wing}/index.js`);

/** Builds the library unless what is built is newer than its source. `npm test` has built it before. */
export async function requireBuild(): Promise<void> {
  if ((await oldest(BUILT)) > (await newestSource())) return;
  await using build = await startChild('node_modules/.bin/nest', ['build', 'lib']);
  const { code } = await build.exited();
  if (code !== 0) throw new Error(`the library does not build:\n${build.output}`);
}

async function oldest(files: readonly string[]): Promise<number> {
  const times = await Promise.all(files.map((file) => changedAt(file).catch(() => 0)));
  return Math.min(...times);
}

async function newestSource(): Promise<number> {
  const entries = await readdir('lib', { recursive: true });
  const times = await Promise.all(
    entries.filter((name) => name.endsWith('.ts')).map((name) => changedAt(`lib/${name}`)),
  );
  return Math.max(...times);
}

async function changedAt(file: string): Promise<number> {
  return (await stat(file)).mtimeMs;
}
