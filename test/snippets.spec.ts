/**
 * The TypeScript in the pages of docs/ compiles, against the package as it is published. A page says in a comment that
 * begins with `given` what its pieces take for granted, one name a line.
 */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { builtLibrary, ROOT_FOLDER } from './support/built.js';
import { run } from './support/etcd/run.js';

/** In the project, so that the pieces import the package by its name. */
const FOLDER = join(ROOT_FOLDER, '.cache/docs');
const TSC = join(ROOT_FOLDER, 'node_modules/typescript/bin/tsc');
const GIVEN = /^<!-- given\n(?<given>[\s\S]*?)^-->$/m;
const PIECE = /^```ts\n(?<piece>[\s\S]*?)^```$/gm;
const IMPORT = /^import .*;$/gm;

const TSCONFIG = {
  extends: '../../tsconfig.json',
  compilerOptions: { noUnusedLocals: false, rootDir: '.' },
  include: ['*.ts'],
  exclude: [],
};

/** The pieces of a page, each a module: its imports, what is given, and the rest in a function that nobody calls. */
function modulesOf(page: string): string[] {
  const given = GIVEN.exec(page)?.groups?.['given']?.split('\n') ?? [];
  return [...page.matchAll(PIECE)].map(({ groups }) => {
    const piece = groups?.['piece'] ?? '';
    const imports = piece.match(IMPORT) ?? [];
    const missing = given.filter(
      (line) => !imports.some((own) => imported(line).some((name) => imported(own).includes(name))),
    );
    return [
      ...imports,
      ...missing,
      'export async function piece(): Promise<void> {',
      piece.replace(IMPORT, ''),
      '}',
    ].join('\n');
  });
}

/** The names that a line imports. */
function imported(line: string): string[] {
  return /^import (?:type )?\{ (.*) \} from/.exec(line)?.[1]?.split(', ') ?? [];
}

describe('The pages of docs/', () => {
  const files: string[] = [];

  beforeAll(async () => {
    builtLibrary();
    await rm(FOLDER, { recursive: true, force: true });
    await mkdir(FOLDER, { recursive: true });
    await writeFile(join(FOLDER, 'tsconfig.json'), JSON.stringify(TSCONFIG));
    const pages = (await readdir(join(ROOT_FOLDER, 'docs'))).filter((name) => name.endsWith('.md'));
    for (const name of pages) {
      const modules = modulesOf(await readFile(join(ROOT_FOLDER, 'docs', name), 'utf8'));
      for (const [index, text] of modules.entries()) {
        files.push(`${name.replace('.md', '')}-${index + 1}.ts`);
        await writeFile(join(FOLDER, files.at(-1)!), text);
      }
    }
  });

  it('show TypeScript that compiles', async () => {
    expect(files).toContain('locks-1.ts');

    await run(process.execPath, [TSC, '-p', FOLDER]);
  }, 120_000);
});
