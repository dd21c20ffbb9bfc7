/** `npm run bench:streams`: each scenario of watches and leases several times with each client; rewrites its chapter of docs/reliability.md. */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import type { Figures } from './figures.js';
import { STREAM_SCENARIOS } from './stream-scenarios.js';
import { chapterOf, withFigures, type Results, type Series } from './report.js';
import { resultsOf, ROOT } from './results.js';
import { SUBJECTS, type SubjectName } from './subjects.js';

const RUN_LIMIT_MS = 180_000;
const PAGE = join(ROOT, 'docs', 'reliability.md');

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: '3' },
    /** Some scenarios, separated by commas: their figures are printed, and nothing is written. */
    only: { type: 'string' },
  },
});

/** One run in a process of its own, which is this program with the scenario and the client as its arguments. */
async function runOnce(scenario: string, subject: SubjectName): Promise<Figures> {
  const args = ['--import', 'tsx', import.meta.filename, scenario, subject];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: RUN_LIMIT_MS });
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as Figures;
}

async function measure(scenario: string, subject: SubjectName): Promise<Series> {
  const { title, subjects } = STREAM_SCENARIOS[scenario]!;
  const runs: Figures[] = [];
  for (let run = 0; subjects.includes(subject) && run < Number(options.runs); run++) {
    runs.push(await runOnce(scenario, subject));
    console.error(`${scenario} ${subject} ${run + 1}: ${JSON.stringify(runs.at(-1))}`);
  }
  return { scenario, title, subject, runs };
}

async function measureAll(scenarios: readonly string[]): Promise<Results> {
  const loadBefore = loadavg()[0]!;
  const series: Series[] = [];
  for (const scenario of scenarios) {
    for (const subject of SUBJECTS) series.push(await measure(scenario, subject));
  }
  return resultsOf(series, loadBefore);
}

async function main(): Promise<void> {
  const results = await measureAll(options.only?.split(',') ?? Object.keys(STREAM_SCENARIOS));
  const chapter = chapterOf(results);
  console.log(chapter);
  if (options.only !== undefined) return;
  await writeFile(join(import.meta.dirname, 'stream-results.json'), `${JSON.stringify(results, undefined, 2)}\n`);
  await writeFile(PAGE, withFigures(await readFile(PAGE, 'utf8'), 'streams', chapter));
}

/** A client that leaves a rejection unhandled must not end the run; how many there were is a figure like the others. */
async function runAlone(scenario: string, subject: SubjectName): Promise<void> {
  let unhandled = 0;
  process.on('unhandledRejection', () => (unhandled += 1));
  process.on('uncaughtException', () => (unhandled += 1));
  const figures = await STREAM_SCENARIOS[scenario]!.run(subject);
  console.log(JSON.stringify({ ...figures, ...(unhandled > 0 ? { 'unhandled errors': unhandled } : {}) }));
  process.exit(0); // a client that keeps its process alive after close() must not hold up the next run
}

const [scenario, subject] = positionals;
if (scenario !== undefined && subject !== undefined) await runAlone(scenario, subject as SubjectName);
else await main();
