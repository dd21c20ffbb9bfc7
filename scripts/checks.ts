/** The checks of the project that start nothing: each is a command that succeeds or fails. */
import { join } from 'node:path';
import { collect, type Command } from './command.js';
import { CACHE_FOLDER, tool } from './project.js';

/** One check. */
export interface Check extends Command {
  readonly name: string;
}

/** Checks that run one after the other. */
type Lane = readonly Check[];

const ESLINT_CACHE = join(CACHE_FOLDER, 'eslint');

const FORMAT: Check = { name: 'format', command: tool('prettier'), args: ['--check', '--log-level', 'warn', '.'] };
const LINT: Check = {
  name: 'lint',
  command: tool('eslint'),
  args: ['.', '--max-warnings', '0', '--cache', '--cache-location', `${ESLINT_CACHE}/`],
};
const IMPORT_RULES: Check = {
  name: 'import rules',
  command: tool('depcruise'),
  args: ['lib', 'test', 'sample', 'scripts', 'bench', '--output-type', 'err'],
};
const GENERATED_CODE: Check = {
  name: 'generated code',
  command: tool('tsx'),
  args: ['scripts/generate.ts', '--check'],
};
const TYPES: Check = { name: 'types', command: tool('tsc'), args: ['-p', 'tsconfig.json', '--noEmit'] };
const LIBRARY: Check = { name: 'build of the library', command: tool('nest'), args: ['build', 'lib'] };
const SAMPLES: Check = {
  name: 'build of the samples',
  command: tool('nest'),
  args: ['build', 'basic', 'live', 'cluster'],
};

/**
 * Stages of lanes that run at the same time, two for the two cores that a CI machine has.
 *
 * The library comes first: the sample takes its types from what was built, as a user would, and so lint and types need it.
 */
const STAGES: readonly (readonly Lane[])[] = [
  [[LIBRARY], [GENERATED_CODE, IMPORT_RULES]],
  [[LINT], [FORMAT, TYPES, SAMPLES]],
];

/** How many checks {@link staticFailures} runs. */
export const STATIC_CHECK_COUNT = STAGES.flat(2).length;

/** Runs the checks of the project, whatever the earlier ones say. @returns the names of those that failed */
export async function staticFailures(): Promise<string[]> {
  const failed: string[] = [];
  for (const lanes of STAGES) failed.push(...(await Promise.all(lanes.map(failuresOf))).flat());
  return failed;
}

/** Runs checks one after the other. @returns the names of those that failed */
export async function failuresOf(checks: readonly Check[]): Promise<string[]> {
  const failed: string[] = [];
  for (const check of checks) {
    if (!(await passes(check))) failed.push(check.name);
  }
  return failed;
}

/** Shows what a check said only if it failed. */
async function passes(check: Check): Promise<boolean> {
  const startedAt = performance.now();
  const { code, output } = await collect(check);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  if (code === 0) console.log(`✔ ${check.name} (${seconds} s)`);
  else console.log(`✘ ${check.name}: exit code ${code} (${seconds} s)\n${output}\n`);
  return code === 0;
}
