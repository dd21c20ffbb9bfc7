/** `npm run bench:reliability`: each scenario several times with each client; rewrites its chapter of docs/reliability.md. */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import type { Figures } from './figures.js';
import { chapterOf, withFigures, type Results, type Series } from './report.js';
import { resultsOf, ROOT } from './results.js';
import { SCENARIOS } from './scenarios.js';
import { SUBJECTS, type SubjectName } from './subjects.js';

const RUN_LIMIT_MS = 240_000;
const FOLDER = import.meta.dirname;
const RESULTS = join(FOLDER, 'results.json');
const PAGE = join(ROOT, 'docs', 'reliability.md');

const { values: options } = parseArgs({
  options: {
    runs: { type: 'string', default: '3' },
    /** Some scenarios, separated by commas: their figures are printed, and nothing is written. */
    only: { type: 'string' },
    /** Rewrites the page from the figures that are there, and measures nothing. */
    'page-only': { type: 'boolean', default: false },
  },
});

/** A run whose scenario could not be carried out, as on a machine that is too busy, says nothing of the client: once more. */
async function runOnce(scenario: string, subject: SubjectName, triesLeft = 2): Promise<Figures> {
  const args = ['--import', 'tsx', join(FOLDER, 'run-one.ts'), scenario, subject];
  try {
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: RUN_LIMIT_MS });
    return JSON.parse(stdout.trim().split('\n').at(-1)!) as Figures;
  } catch (error) {
    console.error(`${scenario} ${subject} could not be carried out`, error);
    if (triesLeft === 0) throw error;
    return runOnce(scenario, subject, triesLeft - 1);
  }
}

async function measure(scenario: string, subject: SubjectName): Promise<Series> {
  const runs: Figures[] = [];
  for (let run = 0; run < Number(options.runs); run++) {
    runs.push(await runOnce(scenario, subject));
    console.error(`${scenario} ${subject} ${run + 1}: ${JSON.stringify(runs.at(-1))}`);
  }
  return { scenario, title: SCENARIOS[scenario]!.title, subject, runs };
}

async function measureAll(scenarios: readonly string[]): Promise<Results> {
  const loadBefore = loadavg()[0]!;
  const series: Series[] = [];
  for (const scenario of scenarios) {
    for (const subject of SUBJECTS) series.push(await measure(scenario, subject));
  }
  return resultsOf(series, loadBefore);
}

async function rewritePage(): Promise<void> {
  const results = JSON.parse(await readFile(RESULTS, 'utf8')) as Results;
  await writeFile(PAGE, withFigures(await readFile(PAGE, 'utf8'), 'calls', chapterOf(results)));
}

async function main(): Promise<void> {
  if (options['page-only']) return rewritePage();
  const results = await measureAll(options.only?.split(',') ?? Object.keys(SCENARIOS));
  console.log(chapterOf(results));
  if (options.only !== undefined) return;
  await writeFile(RESULTS, `${JSON.stringify(results, undefined, 2)}\n`);
  await rewritePage();
}

await main();
