/** What was built, for who uses the library as its users do: through `dist/` and the exports of package.json. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT_FOLDER = fileURLToPath(new URL('../..', import.meta.url));

/** What a build is made of and where it goes. */
interface Build {
  readonly sources: string;
  readonly output: string;
  /** Of the output; a build writes all of it or nothing. */
  readonly file: string;
  readonly command: string;
}

const LIBRARY: Build = { sources: 'lib', output: 'dist', file: 'client/index.js', command: 'npm run build' };

function sampleBuild(name: string): Build {
  const folder = join('sample', name);
  const output = join(folder, 'dist');
  return { sources: join(folder, 'src'), output, file: 'main.js', command: 'npm run build:samples' };
}

/**
 * @returns the folder of the library's build.
 * @throws {Error} when there is none or its sources changed since: such a test would judge yesterday's code.
 */
export function builtLibrary(): string {
  return requireFresh(LIBRARY);
}

/** The same for a sample. @param name its folder, such as `01-basic` */
export function builtSample(name: string): string {
  builtLibrary();
  return requireFresh(sampleBuild(name));
}

/** Whether the library is built and up to date. */
export function isLibraryBuilt(): boolean {
  return faultOf(LIBRARY) === undefined;
}

/** The same for a sample by itself. */
export function isSampleBuilt(name: string): boolean {
  return faultOf(sampleBuild(name)) === undefined;
}

function requireFresh(build: Build): string {
  const fault = faultOf(build);
  if (fault !== undefined) throw new Error(`${build.output} is ${fault}: ${build.command}`);
  return join(ROOT_FOLDER, build.output);
}

function faultOf({ sources, output, file }: Build): string | undefined {
  const builtFile = join(ROOT_FOLDER, output, file);
  if (!existsSync(builtFile)) return 'not built';
  const builtAtMs = statSync(builtFile).mtimeMs;
  const changed = filesUnder(join(ROOT_FOLDER, sources)).find((source) => statSync(source).mtimeMs > builtAtMs);
  return changed === undefined ? undefined : `older than ${relative(ROOT_FOLDER, changed)}`;
}

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
