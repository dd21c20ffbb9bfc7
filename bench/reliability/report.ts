/** Results as a chapter of docs/reliability.md: pure, so that a test can tell whether the page says what was measured. */
import type { Figures } from './figures.js';

/** All runs of one scenario with one client. */
export interface Series {
  readonly scenario: string;
  /** The scenario in words. */
  readonly title: string;
  readonly subject: string;
  readonly runs: readonly Figures[];
}

/** What was measured, when, and on what. */
export interface Results {
  readonly takenAt: string;
  readonly node: string;
  readonly etcd: string;
  /** Each client with its release. */
  readonly subjects: Readonly<Record<string, string>>;
  readonly machine: { readonly cpu: string; readonly cores: number; readonly memoryGib: number };
  /** The machine's load over one minute before the first run and after the last. */
  readonly load: readonly [number, number];
  readonly series: readonly Series[];
}

/** Puts a text between the marks of this name in a page. */
export function withFigures(page: string, name: string, text: string): string {
  const [begin, end] = [`<!-- figures: ${name} -->`, `<!-- /figures: ${name} -->`];
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`the page has no ${begin} … ${end}`);
  return `${page.slice(0, from)}${begin}\n\n${text.trim()}\n\n${page.slice(to)}`;
}

/** The chapter: what was measured on, and the table. */
export function chapterOf(results: Results): string {
  return [factsOf(results), tableOf(results), leftOutOf(results)].filter((part) => part !== '').join('\n\n');
}

function factsOf({ takenAt, node, etcd, machine, load, series }: Results): string {
  const runs = Math.max(0, ...series.map((one) => one.runs.length));
  const [before, after] = load.map((value) => value.toFixed(1));
  const isBusy = Math.max(...load) > machine.cores;
  return [
    `Taken on ${takenAt.slice(0, 10)} with etcd ${etcd} and Node.js ${node} on ${machine.cores} cores (${machine.cpu}),`,
    `${machine.memoryGib} GiB. ${runs === 1 ? 'One run of each' : `${runs} runs of each: the median, and in brackets the worst`}. Less is better everywhere.`,
    `The load of the machine was ${before} before and ${after} after${isBusy ? ': other work ran beside it, and took its share of the time' : ''}.`,
  ].join('\n');
}

function tableOf({ subjects, series }: Results): string {
  const names = Object.keys(subjects);
  const head = ['', '', ...names.map((name) => `${name} ${subjects[name]}`)];
  const scenarios = [...new Set(series.map(({ scenario }) => scenario))];
  return align([head, ...scenarios.flatMap((scenario) => rowsOf(scenario, names, series))]);
}

/** Whether a figure was 0 in every run of every client. */
function isNothing(series: readonly Series[], figure: string): boolean {
  return series.every(({ runs }) => runs.every((run) => Math.round(run[figure] ?? 0) === 0));
}

/** What was looked at and is in no row, by scenario. */
function leftOutOf({ series }: Results): string {
  const scenarios = [...new Set(series.map(({ scenario }) => scenario))].map((scenario) =>
    series.filter((one) => one.scenario === scenario),
  );
  const names = scenarios.flatMap((of) =>
    figuresOf(of)
      .slice(1)
      .filter((figure) => isNothing(of, figure)),
  );
  if (names.length === 0) return '';
  return `Rows that were 0 in every run of every client are left out: ${[...new Set(names)].join('; ')}.`;
}

function figuresOf(series: readonly Series[]): string[] {
  return [...new Set(series.flatMap(({ runs }) => runs.flatMap((run) => Object.keys(run))))];
}

function rowsOf(scenario: string, names: readonly string[], all: readonly Series[]): string[][] {
  const series = all.filter((one) => one.scenario === scenario);
  const shown = figuresOf(series).filter((figure, index) => index === 0 || !isNothing(series, figure));
  return shown.map((figure, index) => [
    index === 0 ? series[0]!.title : '',
    figure,
    ...names.map((name) => summary(series.find(({ subject }) => subject === name)?.runs ?? [], figure)),
  ]);
}

/** `median (worst)` of a figure; the worst is left out when it is the same. */
function summary(runs: readonly Figures[], figure: string): string {
  if (runs.length === 0) return '–';
  const sorted = runs.map((run) => Math.round(run[figure] ?? 0)).sort((a, b) => a - b);
  const [median, worst] = [sorted[Math.floor((sorted.length - 1) / 2)]!, sorted.at(-1)!].map((value) =>
    value.toLocaleString('en'),
  );
  return median === worst ? median! : `${median} (${worst})`;
}

/** A table as the formatter of the project would lay it out. */
function align(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(3, ...rows.map((row) => row[column]!.length)));
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const [head, ...body] = rows.map((row) => line(row.map((cell, column) => cell.padEnd(widths[column]!))));
  return [head, line(widths.map((width) => '-'.repeat(width))), ...body].join('\n');
}
