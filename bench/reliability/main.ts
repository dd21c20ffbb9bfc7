/** `npm run bench:reliability`: each scenario several times with each client; prints a table and writes the figures as JSON. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { findEtcd } from '../../test/support/index.js';
import { SCENARIOS, type Figures } from './scenarios.js';
import { SUBJECTS, type SubjectName } from './subjects.js';

const RUN_LIMIT_MS = 180_000;
const FOLDER = join(import.meta.dirname);

/** All runs of one scenario with one client. */
interface Series {
  readonly scenario: string;
  readonly subject: SubjectName;
  readonly runs: readonly Figures[];
}

const { values: options } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    only: { type: 'string', default: Object.keys(SCENARIOS).join(',') },
    output: { type: 'string', default: join(FOLDER, 'results.json') },
  },
});

async function runOnce(scenario: string, subject: SubjectName): Promise<Figures> {
  const args = ['--import', 'tsx', join(FOLDER, 'run-one.ts'), scenario, subject];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: RUN_LIMIT_MS });
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as Figures;
}

async function measure(scenario: string, subject: SubjectName): Promise<Series> {
  const runs: Figures[] = [];
  for (let run = 0; run < Number(options.runs); run++) {
    runs.push(await runOnce(scenario, subject));
    console.error(`${scenario} ${subject} ${run + 1}: ${JSON.stringify(runs.at(-1))}`);
  }
  return { scenario, subject, runs };
}

/** `median (worst)` of a figure. */
function summary(runs: readonly Figures[], figure: string): string {
  const sorted = runs.map((run) => run[figure] ?? 0).sort((a, b) => a - b);
  const show = (value: number): string => Math.round(value).toLocaleString('en');
  const median = sorted[Math.floor((sorted.length - 1) / 2)]!;
  return `${show(median)} (${show(sorted.at(-1)!)})`;
}

function table(all: readonly Series[]): string {
  const lines = [`| scenario | figure | ${SUBJECTS.join(' | ')} |`, `|---|---|${SUBJECTS.map(() => '---|').join('')}`];
  for (const [scenario, { title }] of Object.entries(SCENARIOS)) {
    const series = SUBJECTS.flatMap(
      (subject) => all.find((one) => one.scenario === scenario && one.subject === subject) ?? [],
    );
    const figures = new Set(series.flatMap(({ runs }) => runs.flatMap((run) => Object.keys(run))));
    for (const [index, figure] of [...figures].entries()) {
      const cells = series.map(({ runs }) => summary(runs, figure));
      lines.push(`| ${index === 0 ? title : ''} | ${figure} | ${cells.join(' | ')} |`);
    }
  }
  return lines.join('\n');
}

async function main(): Promise<void> {
  const { version } = await findEtcd();
  const all: Series[] = [];
  for (const scenario of options.only.split(',')) {
    for (const subject of SUBJECTS) all.push(await measure(scenario, subject));
  }
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, memoryGib: Math.round(totalmem() / 2 ** 30) };
  const facts = { takenAt: new Date().toISOString(), node: process.version, etcd: version, machine };
  await writeFile(options.output, `${JSON.stringify({ ...facts, series: all }, undefined, 2)}\n`);
  console.log(table(all));
}

await main();
