/** `npm run bench:reliability`, `bench:streams`, `bench:locks`: each scenario of a chapter several times with each client; rewrites it in docs/reliability.md. */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { CHAPTERS, type ChapterName } from './chapters.js';
import type { Figures } from './figures.js';
import { chapterOf, withFigures, type Results, type Series } from './report.js';
import { resultsOf, ROOT } from './results.js';
import { SUBJECTS, type SubjectName } from './subjects.js';

const RUN_LIMIT_MS = 240_000;
const FOLDER = import.meta.dirname;
const PAGE = join(ROOT, 'docs', 'reliability.md');

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: '3' },
    /** Some scenarios, separated by commas: their figures are printed, and nothing is written. */
    only: { type: 'string' },
    /** Rewrites the page from the figures that are there, and measures nothing. */
    'page-only': { type: 'boolean', default: false },
  },
});

/** A run whose scenario could not be carried out, as on a machine that is too busy, says nothing of the client: once more. */
async function runOnce(run: readonly string[], triesLeft = 2): Promise<Figures> {
  const args = ['--import', 'tsx', join(FOLDER, 'run-one.ts'), ...run];
  try {
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: RUN_LIMIT_MS });
    return JSON.parse(stdout.trim().split('\n').at(-1)!) as Figures;
  } catch (error) {
    console.error(`${run.join(' ')} could not be carried out`, error);
    if (triesLeft === 0) throw error;
    return runOnce(run, triesLeft - 1);
  }
}

async function measure(chapter: ChapterName, scenario: string, subject: SubjectName): Promise<Series> {
  const { title, subjects } = CHAPTERS[chapter].scenarios[scenario]!;
  const runs: Figures[] = [];
  for (let run = 1; subjects.includes(subject) && run <= Number(options.runs); run++) {
    runs.push(await runOnce([chapter, scenario, subject]));
    console.error(`${scenario} ${subject} ${run}: ${JSON.stringify(runs.at(-1))}`);
  }
  return { scenario, title, subject, runs };
}

function scenariosOf(chapter: ChapterName): readonly string[] {
  const all = Object.keys(CHAPTERS[chapter].scenarios);
  const asked = options.only?.split(',') ?? all;
  const unknown = asked.filter((name) => !all.includes(name));
  if (unknown.length > 0) throw new Error(`there is no scenario ${unknown.join()} in ${chapter}: ${all.join()}`);
  return asked;
}

async function measureAll(chapter: ChapterName): Promise<Results> {
  const loadBefore = loadavg()[0]!;
  const series: Series[] = [];
  for (const scenario of scenariosOf(chapter)) {
    for (const subject of SUBJECTS) series.push(await measure(chapter, scenario, subject));
  }
  return resultsOf(series, loadBefore);
}

async function rewritePage(chapter: ChapterName, results: Results): Promise<void> {
  await writeFile(PAGE, withFigures(await readFile(PAGE, 'utf8'), chapter, chapterOf(results)));
}

async function write(chapter: ChapterName): Promise<void> {
  const file = join(FOLDER, CHAPTERS[chapter].results);
  if (options['page-only']) return rewritePage(chapter, JSON.parse(await readFile(file, 'utf8')) as Results);
  const results = await measureAll(chapter);
  console.log(chapterOf(results));
  if (options.only !== undefined) return;
  await writeFile(file, `${JSON.stringify(results, undefined, 2)}\n`);
  await rewritePage(chapter, results);
}

for (const chapter of positionals) {
  if (!Object.hasOwn(CHAPTERS, chapter))
    throw new Error(`there is no chapter ${chapter}: ${Object.keys(CHAPTERS).join()}`);
  await write(chapter as ChapterName);
}
