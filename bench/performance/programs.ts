/** The programs that make the load, made ready to run: without a loader in them that would be measured as well. */
import { mkdir, readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { transformFile } from '@swc/core';
import { buildGoProgram, findGo } from '../../test/support/go-program.js';
import { COMPILED_FOLDER, GO_FOLDER, LOAD_FOLDER } from './folders.js';
import type { Programs } from './processes.js';

/** @param goIsWanted building it takes a minute the first time. */
export async function preparePrograms(goIsWanted: boolean): Promise<Programs> {
  await compile();
  const go = goIsWanted ? await goProgram() : { reason: 'not asked for' };
  const node = [process.execPath, '--expose-gc'];
  return {
    commandFor: (subject) =>
      subject === 'go' && 'program' in go ? [go.program] : [...node, join(COMPILED_FOLDER, 'main.js'), subject],
    flood: [process.execPath, join(COMPILED_FOLDER, 'flood.js')],
    leftOut: 'reason' in go ? { go: go.reason } : {},
  };
}

/** Each file is put in its place at once: somebody else may be running it. */
async function compile(): Promise<void> {
  await mkdir(COMPILED_FOLDER, { recursive: true });
  for (const file of await readdir(LOAD_FOLDER)) {
    const jsc = { target: 'es2022', parser: { syntax: 'typescript' } } as const;
    const { code } = await transformFile(join(LOAD_FOLDER, file), { jsc, module: { type: 'es6' }, swcrc: false });
    const compiled = join(COMPILED_FOLDER, file.replace(/\.ts$/, '.js'));
    await writeFile(`${compiled}.${process.pid}`, code);
    await rename(`${compiled}.${process.pid}`, compiled);
  }
}

/** Without Go, or without what the program is made of, the rest is measured nevertheless. */
async function goProgram(): Promise<{ readonly program: string } | { readonly reason: string }> {
  const go = findGo();
  if (go === undefined) return { reason: 'there is no Go toolchain on this machine' };
  try {
    return { program: await buildGoProgram(go, GO_FOLDER) };
  } catch (error) {
    return { reason: `its program cannot be built here: ${error instanceof Error ? error.message : String(error)}` };
  }
}
