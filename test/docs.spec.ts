/** What docs/promises.md, the table of faults and docs/reliability.md say of tests and figures is so. */
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { chapterOf, withFigures, type Results } from '../bench/reliability/report.js';

const TESTS = import.meta.dirname;
const ROOT = join(TESTS, '..');
/** Chapters with figures, and where those are. */
const CHAPTERS = [
  ['calls', 'results.json'],
  ['streams', 'stream-results.json'],
  ['locks', 'lock-results.json'],
].filter(([, file]) => existsSync(join(ROOT, 'bench', 'reliability', file!))) as [string, string][];
/** Promises; those on calls end with C8, and further numbers are faults. */
const PROMISE = /\b(?:C[1-8]|[WLKM][1-9]\d?)\b/g;

function read(...path: string[]): Promise<string> {
  return readFile(join(ROOT, ...path), 'utf8');
}

/** The rows of all tables of a page, cell by cell. */
function rowsOf(page: string): string[][] {
  const lines = page.split('\n').filter((line) => line.startsWith('| ') && !/^\| (?:-|Name|row|issue)/.test(line));
  return lines.map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );
}

/** Names of spec files, without their ending, in backticks. */
function specsIn(cell: string): string[] {
  return [...cell.matchAll(/`([a-z]+(?:[/-][a-z]+)*)`/g)].map(([, name]) => name!);
}

async function specFiles(): Promise<string[]> {
  const files = await readdir(TESTS, { recursive: true });
  return files.filter((file) => file.endsWith('.spec.ts'));
}

describe('docs/promises.md', () => {
  it('names tests that name the promise', async () => {
    const wrong: string[] = [];

    for (const [promise = '', , tests = ''] of rowsOf(await read('docs', 'promises.md'))) {
      expect(specsIn(tests)).not.toEqual([]);
      for (const spec of specsIn(tests)) {
        const text = await read('test', `${spec}.spec.ts`).catch(() => '');
        if (!new RegExp(`\\b${promise}\\b`).test(text)) wrong.push(`${promise}: ${spec}`);
      }
    }

    expect(wrong).toEqual([]);
  });

  it('has every promise that a test names', async () => {
    const known = new Set(rowsOf(await read('docs', 'promises.md')).map(([promise]) => promise));
    const unknown: string[] = [];

    for (const file of await specFiles()) {
      const titles = (await read('test', file)).matchAll(/\b(?:describe|it)(?:\.each)?\(?[^\n]*\n?[^\n]*/g);
      const named = [...titles].flatMap(([title]) => title.match(PROMISE) ?? []);
      unknown.push(...named.filter((name) => !known.has(name)).map((name) => `${name}: ${file}`));
    }

    expect([...new Set(unknown)]).toEqual([]);
  });
});

describe('The table of faults', () => {
  it('names tests that exist', async () => {
    const page = await read('test', 'faults', 'README.md');

    const specs = new Set(rowsOf(page).flatMap((cells) => specsIn(cells.at(-1)!)));
    const isThere = (spec: string): boolean =>
      existsSync(join(TESTS, `${spec}.spec.ts`)) || existsSync(join(TESTS, 'faults', `${spec}.spec.ts`));

    expect(specs.size).toBeGreaterThan(20);
    expect([...specs].filter((spec) => !isThere(spec))).toEqual([]);
  });
});

describe('docs/reliability.md', () => {
  it.each(CHAPTERS)('shows the figures of the chapter "%s" as they were measured', async (name, file) => {
    const page = await read('docs', 'reliability.md');
    const results = JSON.parse(await read('bench', 'reliability', file)) as Results;

    expect(withFigures(page, name, chapterOf(results))).toBe(page);
  });
});
