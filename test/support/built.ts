/** What was built, for tests that use the library as its users do: through `dist/` and the exports of package.json. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT_FOLDER = fileURLToPath(new URL('../..', import.meta.url));

/**
 * @returns the folder of the library's build.
 * @throws {Error} when there is none or its sources changed since: such a test would judge yesterday's code.
 */
export function builtLibrary(): string {
  return requireFresh('dist', 'client/index.js', 'lib', 'npm run build');
}

/** The same for a sample. @param name its folder, such as `01-basic` */
export function builtSample(name: string): string {
  builtLibrary();
  const folder = join('sample', name);
  return requireFresh(join(folder, 'dist'), 'main.js', join(folder, 'src'), 'npm run build:samples');
}

function requireFresh(output: string, lastFile: string, sources: string, command: string): string {
  const builtFile = join(ROOT_FOLDER, output, lastFile);
  if (!existsSync(builtFile)) throw new Error(`${output} is not built: ${command}`);
  const builtAtMs = statSync(builtFile).mtimeMs;
  const changed = filesUnder(join(ROOT_FOLDER, sources)).find((file) => statSync(file).mtimeMs > builtAtMs);
  if (changed !== undefined) throw new Error(`${output} is older than ${relative(ROOT_FOLDER, changed)}: ${command}`);
  return join(ROOT_FOLDER, output);
}

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
