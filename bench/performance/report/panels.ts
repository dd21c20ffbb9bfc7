/** Two kinds of panels, and the grid that they are put in: bars for clients, and curves over what is in flight. */
import { show } from '../figures.js';
import { type Summary } from '../statistics.js';
import { SUBJECTS, type SubjectName } from '../subjects.js';
import { bar, COLOURS, curve, line, picture, text, whisker } from './svg.js';

const WIDTH = 940;
const COLUMNS = 2;
const MARGIN = 16;
const CELL = (WIDTH - MARGIN) / COLUMNS - MARGIN;
const HEAD = 28;
const ROW = 22;
const LABEL = 176;
const VALUE = 64;
const CURVES_HEIGHT = 220;

/** Draws itself at a place, and says how high it is. */
export interface Panel {
  readonly height: number;
  draw(x: number, y: number): string;
}

export interface Point {
  readonly subject: SubjectName;
  readonly summary: Summary;
}

/** One bar for each client, all from zero on one scale, with the lowest and the highest round. */
export function barPanel(title: string, points: readonly Point[]): Panel {
  const scale = (CELL - LABEL - VALUE) / Math.max(...points.map(({ summary }) => summary.max));
  const row = ({ subject, summary }: Point, x: number, y: number): string =>
    [
      text(x + LABEL - 8, y + 12, SUBJECTS[subject].title, { anchor: 'end' }),
      bar(x + LABEL, y, summary.median * scale, ROW - 6, COLOURS[subject]),
      whisker(x + LABEL + summary.min * scale, x + LABEL + summary.max * scale, y + ROW / 2 - 3),
      text(x + LABEL + summary.max * scale + 6, y + 12, show(summary.median)),
    ].join('');
  return {
    height: HEAD + points.length * ROW,
    draw: (x, y) =>
      [
        text(x, y + 12, title, { isBold: true }),
        ...points.map((point, index) => row(point, x, y + HEAD + index * ROW)),
      ].join('\n'),
  };
}

export interface Curve {
  readonly subject: SubjectName;
  /** What is in flight, and the value. */
  readonly points: readonly (readonly [number, number])[];
}

/** One curve for each client, over a logarithmic scale from 1 to 1,024. */
export function curvePanel(title: string, curves: readonly Curve[]): Panel {
  const top = Math.max(...curves.flatMap(({ points }) => points.map(([, value]) => value))) * 1.1;
  const [left, width, plot] = [40, CELL - 60, CURVES_HEIGHT - HEAD - 24];
  const placeX = (x: number, inFlight: number): number => x + left + (Math.log2(inFlight) / 10) * width;
  const placeY = (y: number, value: number): number => y + HEAD + plot * (1 - value / top);
  const axes = (x: number, y: number): string[] => [
    ...ticks(top).flatMap((value) => [
      line(x + left, placeY(y, value), x + left + width, placeY(y, value)),
      text(x + left - 6, placeY(y, value) + 4, value.toLocaleString('en'), { anchor: 'end' }),
    ]),
    ...[1, 16, 64, 256, 1_024].map((at) => text(placeX(x, at), y + HEAD + plot + 18, String(at), { anchor: 'middle' })),
  ];
  return {
    height: CURVES_HEIGHT,
    draw: (x, y) =>
      [
        text(x, y + 12, title, { isBold: true }),
        ...axes(x, y),
        ...curves.map(({ subject, points }) =>
          curve(
            points.map(([inFlight, value]) => [placeX(x, inFlight), placeY(y, value)]),
            COLOURS[subject],
          ),
        ),
      ].join('\n'),
  };
}

/** Round values from zero up to `top`: at most six, at least three. */
function ticks(top: number): number[] {
  const power = 10 ** Math.floor(Math.log10(top));
  const step = [0.2, 0.5, 1, 2].map((part) => part * power).find((size) => top / size <= 6)!;
  return Array.from({ length: Math.floor(top / step) + 1 }, (_, index) => index * step);
}

/** Which colour is whose, for curves. */
export function legend(subjects: readonly SubjectName[]): Panel {
  return {
    height: HEAD + subjects.length * ROW,
    draw: (x, y) =>
      subjects
        .map((subject, index) => {
          const at = y + HEAD + index * ROW;
          return `${bar(x, at, 14, 14, COLOURS[subject])}${text(x + 22, at + 12, SUBJECTS[subject].title)}`;
        })
        .join('\n'),
  };
}

/** Puts panels beside and below each other. */
export function grid(title: string, panels: readonly Panel[]): string {
  let y = MARGIN + HEAD;
  const shapes = [text(MARGIN, MARGIN + 12, title, { isBold: true })];
  for (let first = 0; first < panels.length; first += COLUMNS) {
    const row = panels.slice(first, first + COLUMNS);
    row.forEach((panel, column) => shapes.push(panel.draw(MARGIN + column * (CELL + MARGIN), y)));
    y += Math.max(...row.map(({ height }) => height)) + MARGIN;
  }
  return picture(WIDTH, y, title, shapes);
}
