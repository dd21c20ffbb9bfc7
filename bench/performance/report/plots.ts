/** Which plots there are, and what is in them. */
import { samplesAt } from '../bars.js';
import { casesOf, type Case } from '../cases.js';
import { type Results } from '../results.js';
import { summarize } from '../statistics.js';
import { type SubjectName } from '../subjects.js';
import { barPanel, curvePanel, grid, legend, type Curve, type Panel, type Point } from './panels.js';

/** A plot, and what the page says about it. */
export interface Plot {
  readonly file: string;
  readonly title: string;
  readonly svg: string;
}

/** Calls are shown with 256 in flight, where there are several loads. */
const SHOWN_IN_FLIGHT = 256;

/** All plots for which there are figures. */
export function plotsOf(results: Results): readonly Plot[] {
  const cases = casesOf(results.set).filter(({ id }) => results.series.some((one) => one.case === id));
  const ofRates = cases.filter(({ figures }) => figures[0] === 'perSecond');
  const ofCosts = cases.filter(({ figures }) => figures.includes('cpuUs'));
  const ofStart = cases.filter(({ workload }) => workload === 'start');
  const ofMemory = cases.filter(({ workload }) => workload === 'memory');
  const plots: readonly [string, string, readonly Panel[]][] = [
    ['throughput.svg', 'Operations per second: more is better', bars(results, ofRates, 'perSecond')],
    ['cpu.svg', 'CPU of the client for each operation, in µs: less is better', bars(results, ofCosts, 'cpuUs')],
    ['in-flight.svg', 'CPU of the client for each call, in µs, by what is in flight', curves(results, cases)],
    [
      'process.svg',
      'Start and memory: less is better',
      [
        ...bars(results, ofStart, 'importMs', ': import, ms'),
        ...bars(results, ofStart, 'firstAnswerMs', ': first answer, ms'),
        ...bars(results, ofStart, 'residentMiB', ': memory when idle, MiB'),
        ...bars(results, ofMemory, 'peakMiB', ', MiB'),
      ],
    ],
  ];
  return plots.flatMap(([file, title, panels]) =>
    panels.length === 0 ? [] : [{ file, title, svg: grid(title, panels) }],
  );
}

function bars(results: Results, cases: readonly Case[], figure: string, unit = ''): Panel[] {
  return cases.flatMap((one) => {
    const level = one.levels.find(({ inFlight }) => inFlight === SHOWN_IN_FLIGHT) ?? one.levels[0]!;
    const points = level.subjects.flatMap((subject): Point[] => {
      const summary = summarize(samplesAt(results, { case: one.id, inFlight: level.inFlight, subject, figure }));
      return summary === undefined ? [] : [{ subject, summary }];
    });
    const load = one.levels.length > 1 ? `, ${level.inFlight} in flight` : '';
    return points.length === 0 ? [] : [barPanel(`${one.title}${load}${unit}`, points)];
  });
}

function curves(results: Results, cases: readonly Case[]): Panel[] {
  const several = cases.filter(({ levels }) => levels.length > 1);
  const all = several.map((one) => ({ one, curves: curvesOf(results, one) }));
  const subjects = new Set(all.flatMap((panel) => panel.curves.map(({ subject }) => subject)));
  const panels = all.flatMap((panel) => (panel.curves.length === 0 ? [] : [curvePanel(panel.one.title, panel.curves)]));
  return panels.length === 0 ? [] : [...panels, legend([...subjects])];
}

function curvesOf(results: Results, one: Case): Curve[] {
  const subjects = [...new Set(one.levels.flatMap((level) => level.subjects))];
  return subjects.flatMap((subject: SubjectName): Curve[] => {
    const points = one.levels.flatMap(({ inFlight }): [number, number][] => {
      const summary = summarize(samplesAt(results, { case: one.id, inFlight, subject, figure: 'cpuUs' }));
      return summary === undefined ? [] : [[inFlight, summary.median]];
    });
    return points.length < 2 ? [] : [{ subject, points }];
  });
}
