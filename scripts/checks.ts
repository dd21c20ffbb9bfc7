/** The checks of the project that start nothing: each is a command that succeeds or fails, in the order they run. */
import { join, relative } from 'node:path';
import { startGuarded, waitForExit } from '../test/support/guarded-process.js';
import { CACHE_FOLDER, ROOT_FOLDER, tool } from './project.js';

/** One check. */
export interface Check {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** How long it may take before it is ended and counts as failed. @default 5 minutes */
  readonly timeLimitMs?: number;
}

const TIME_LIMIT_MS = 5 * 60_000;
const ESLINT_CACHE = join(CACHE_FOLDER, 'eslint');

/** The library comes before the lint and the types: the sample takes its types from what was built, as a user would. */
export const STATIC_CHECKS: readonly Check[] = [
  { name: 'format', command: tool('prettier'), args: ['--check', '--log-level', 'warn', '.'] },
  { name: 'generated code', command: tool('tsx'), args: ['scripts/generate.ts', '--check'] },
  { name: 'build of the library', command: tool('nest'), args: ['build', 'lib'] },
  {
    name: 'lint',
    command: tool('eslint'),
    args: ['.', '--max-warnings', '0', '--cache', '--cache-location', `${ESLINT_CACHE}/`],
  },
  { name: 'import rules', command: tool('depcruise'), args: ['lib', 'test', 'sample', 'scripts', '-T', 'err'] },
  { name: 'types', command: tool('tsc'), args: ['-p', 'tsconfig.json', '--noEmit'] },
  { name: 'build of sample/01-basic', command: tool('nest'), args: ['build', 'basic'] },
];

/** Runs a command whose output goes where ours goes. Whatever ends this process ends it too. @returns its exit code */
export async function run({ command, args, timeLimitMs = TIME_LIMIT_MS }: Omit<Check, 'name'>): Promise<number> {
  const started = await startGuarded(command, args, { cwd: ROOT_FOLDER, output: process.stdout.fd });
  const timer = setTimeout(() => {
    console.error(`${relative(ROOT_FOLDER, command)} took longer than ${timeLimitMs / 1000} s and was ended`);
    process.kill(-started.pid, 'SIGKILL');
  }, timeLimitMs);
  const { code } = await waitForExit(started);
  clearTimeout(timer);
  return code ?? 1;
}

/** Runs one check under a heading. @returns whether it passed */
async function passes(check: Check): Promise<boolean> {
  const startedAt = performance.now();
  console.log(`\n▶ ${check.name}`);
  const code = await run(check);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(code === 0 ? `✔ ${check.name} (${seconds} s)` : `✘ ${check.name}: exit code ${code} (${seconds} s)`);
  return code === 0;
}

/** Runs all of them, whatever the earlier ones say. @returns the names of those that failed */
export async function failuresOf(checks: readonly Check[]): Promise<string[]> {
  const failed: string[] = [];
  for (const check of checks) {
    if (!(await passes(check))) failed.push(check.name);
  }
  return failed;
}
