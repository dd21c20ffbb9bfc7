/** The few shapes that the plots are drawn with. */
import { type SubjectName } from '../subjects.js';

export const COLOURS: Readonly<Record<SubjectName, string>> = {
  'nest-etcd': '#1d4ed8',
  'nest-etcd-single': '#7ea6f4',
  'nest-etcd-scan': '#4f83ea',
  'nest-etcd-grpc-js': '#7a5cc9',
  'nest-etcd-metrics': '#12307f',
  etcd3: '#d97706',
  'grpc-js': '#9ca3af',
  go: '#0d9488',
};

const INK = '#1f2937';
const FAINT = '#d1d5db';

type Anchor = 'start' | 'middle' | 'end';

export function text(
  x: number,
  y: number,
  words: string,
  { anchor = 'start', isBold = false }: TextOptions = {},
): string {
  const weight = isBold ? ' font-weight="600"' : '';
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}" fill="${INK}"${weight}>${escape(words)}</text>`;
}

interface TextOptions {
  readonly anchor?: Anchor;
  readonly isBold?: boolean;
}

export function bar(x: number, y: number, width: number, height: number, colour: string): string {
  return `<rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${height}" fill="${colour}"/>`;
}

export function line(x1: number, y1: number, x2: number, y2: number, colour = FAINT): string {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="${colour}"/>`;
}

/** From the lowest to the highest value. */
export function whisker(from: number, to: number, y: number): string {
  return [line(from, y, to, y, INK), line(from, y - 3, from, y + 3, INK), line(to, y - 3, to, y + 3, INK)].join('');
}

export function curve(points: readonly (readonly [number, number])[], colour: string): string {
  const path = points.map(([x, y]) => `${round(x)},${round(y)}`).join(' ');
  const dots = points.map(([x, y]) => `<circle cx="${round(x)}" cy="${round(y)}" r="3" fill="${colour}"/>`);
  return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>${dots.join('')}`;
}

/** A whole picture, on white, so that it can be read on a dark page too. */
export function picture(width: number, height: number, title: string, shapes: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" font-family="system-ui, sans-serif" font-size="12">`,
    `<title>${escape(title)}</title>`,
    `<rect width="${width}" height="${height}" rx="6" fill="#ffffff"/>`,
    ...shapes,
    '</svg>\n',
  ].join('\n');
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escape(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('`', '');
}
