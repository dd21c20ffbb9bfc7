/** The results as tables in Markdown, for the terminal and for the page. */
import { judge, ratio, samplesAt, type Bar, type Verdict } from '../bars.js';
import { casesOf, reasonAgainst, type Case, type Level } from '../cases.js';
import { FIGURES, show } from '../figures.js';
import { seriesAt, type Results } from '../results.js';
import { summarize, type Summary } from '../statistics.js';
import { SUBJECTS, type SubjectName } from '../subjects.js';

type Row = readonly string[];
type Profiled = Pick<Results, 'set' | 'series'>;

function table(head: Row, rows: readonly Row[]): string {
  const line = (cells: Row): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** Each bar of the workloads that were run, what was measured, and whether that meets it. */
export function barTable(results: Results): string {
  const head = ['workload', 'figure', 'bar', 'measured', 'lowest – highest', 'met'];
  const isRun = ({ bar }: Verdict): boolean => results.series.some((one) => one.case === bar.value.case);
  return table(head, judge(results).filter(isRun).map(barRow));
}

function barRow({ bar, measured, isMet }: Verdict): Row {
  const [value, spread] = measured === undefined ? ['–', '–'] : [show(measured.median), spreadOf(measured)];
  return [
    bar.title,
    bar.what,
    limitOf(bar),
    value,
    spread,
    isMet === undefined ? 'not measured' : isMet ? 'yes' : '**no**',
  ];
}

function limitOf({ limit }: Bar): string {
  const [sign, value] = 'atLeast' in limit ? ['≥', limit.atLeast] : ['≤', limit.atMost];
  return `${sign} ${value.toLocaleString('en')}`;
}

function spreadOf({ min, max }: Summary): string {
  return `${show(min)} – ${show(max)}`;
}

/** A section for each case that was run. */
export function caseTables(results: Results): string {
  const run = casesOf(results.set).filter(({ id }) => results.series.some((one) => one.case === id));
  return run.map((one) => `### ${one.title}\n\n${caseTable(one, results)}`).join('\n\n');
}

function caseTable(one: Case, results: Results): string {
  const hasLevels = one.levels.length > 1 || one.levels[0]!.inFlight > 1;
  const figures = one.figures.map((figure) => FIGURES[figure]!.title);
  const head = [...(hasLevels ? ['in flight'] : []), 'client', ...figures, 'nest-etcd is better'];
  const rows = one.levels.flatMap((level) =>
    level.subjects.flatMap((subject): Row[] => {
      if (!isShown(one, level, subject, results)) return [];
      const cells = rowOf(one, level, subject, results);
      return [hasLevels ? [level.inFlight.toLocaleString('en'), ...cells] : cells];
    }),
  );
  const notes = notesOn(one, results);
  return [table(head, rows), ...notes].join('\n\n');
}

/** Whoever was asked, or could not be. */
function isShown(one: Case, { inFlight }: Level, subject: SubjectName, results: Results): boolean {
  const hasReason = (reasonAgainst(one, subject) ?? results.leftOut[subject]) !== undefined;
  return hasReason || seriesAt(results, { case: one.id, inFlight, subject }) !== undefined;
}

function rowOf(one: Case, { inFlight }: Level, subject: SubjectName, results: Results): Row {
  const spot = { case: one.id, inFlight, subject };
  const cells = one.figures.map((figure) => {
    const summary = summarize(samplesAt(results, { ...spot, figure }));
    return summary === undefined ? '–' : `${show(summary.median)} (${spreadOf(summary)})`;
  });
  return [SUBJECTS[subject].title, ...cells, comparison(one, inFlight, subject, results)];
}

/** How the first figure of this client compares with that of a peer. */
function comparison(one: Case, inFlight: number, subject: SubjectName, results: Results): string {
  if (subject === 'nest-etcd') return '';
  const figure = one.figures[0]!;
  const spot = { case: one.id, inFlight, figure };
  const ours = samplesAt(results, { ...spot, subject: 'nest-etcd' });
  const theirs = samplesAt(results, { ...spot, subject });
  const isMore = FIGURES[figure]!.better === 'more';
  const times = isMore ? ratio(ours, theirs) : ratio(theirs, ours);
  return times === undefined || !Number.isFinite(times.median) ? '–' : `${show(times.median)} ×`;
}

/** Who is busy while events are read, if that was measured. Where it is the reader, its cost sets the pace. */
export function watchProfile(results: Profiled): string | undefined {
  const cases = casesOf(results.set).filter(({ workload }) => workload === 'watch' || workload === 'history');
  const rows = cases.flatMap((one) => one.levels[0]!.subjects.flatMap((subject) => profileRow(one, subject, results)));
  if (rows.length === 0) return undefined;
  return table(['load', 'client', 'etcd', 'writing program', 'reading client', 'together'], rows);
}

/** None without figures of the server: not every system tells. */
function profileRow(one: Case, subject: SubjectName, results: Profiled): Row[] {
  const medianOf = (figure: string): number | undefined =>
    summarize(samplesAt(results, { case: one.id, inFlight: one.levels[0]!.inFlight, subject, figure }))?.median;
  const server = medianOf('serverCores');
  if (server === undefined) return [];
  const writer = medianOf('writerCores');
  const reader = medianOf('cpuMsPerSecond')! / 1_000;
  const together = server + (writer ?? 0) + reader;
  const cells = [server, writer, reader, together].map((cores) => (cores === undefined ? '–' : cores.toFixed(2)));
  return [[one.title, SUBJECTS[subject].title, ...cells]];
}

/** Why some have no figures. */
function notesOn(one: Case, results: Results): string[] {
  const subjects = [...new Set(one.levels.flatMap((level) => level.subjects))];
  return subjects.flatMap((subject) => {
    const failure = one.levels
      .map(({ inFlight }) => seriesAt(results, { case: one.id, inFlight, subject })?.failure)
      .find((reason) => reason !== undefined);
    const reason = reasonAgainst(one, subject) ?? results.leftOut[subject] ?? failure;
    return reason === undefined ? [] : [`– ${SUBJECTS[subject].title}: ${reason}.`];
  });
}

/** In one line, where and when all this was measured. */
export function conditions({ set, takenAt, tookSeconds, rounds, seconds, machine, versions }: Results): string {
  const what = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return (
    `The ${set} set, taken on ${takenAt} in ${Math.round(tookSeconds)} s: ${rounds} rounds of ${seconds} s. ` +
    `${machine.cpu}, ${machine.cores} cores for client and server together, ${machine.memoryGib} GiB of memory, ` +
    `load average ${show(machine.loadBefore)} before the run. ${what.join(', ')}.`
  );
}
