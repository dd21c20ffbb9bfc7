/** The benchmark does all of its work with every client, and its page says what its results say. No time is judged. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { BARS, judge } from '../../bench/performance/bars.js';
import { casesOf, reasonAgainst } from '../../bench/performance/cases.js';
import { renderPage } from '../../bench/performance/report/page.js';
import { plotsOf } from '../../bench/performance/report/plots.js';
import { watchProfile } from '../../bench/performance/report/tables.js';
import { seriesAt, type Results, type Series } from '../../bench/performance/results.js';
import type { SubjectName } from '../../bench/performance/subjects.js';
import { builtLibrary } from '../support/built.js';
import { startChild, type Exit } from '../support/index.js';

const fileAt = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
/** Building the Go program for the first time is part of it. */
const RUN_TIMEOUT_MS = 900_000;

describe('npm run bench -- --smoke', () => {
  let folder: string;
  let exit: Exit;
  let printed: string;
  let results: Results;

  beforeAll(async () => {
    builtLibrary();
    folder = await mkdtemp(join(tmpdir(), 'nest-etcd-bench-'));
    const program = fileAt('bench/performance/main.ts');
    const child = await startChild(process.execPath, ['--import', 'tsx', program, '--smoke', '--output', folder]);
    exit = await child.exited();
    printed = child.output;
    results = JSON.parse(await readFile(join(folder, 'performance/results.json'), 'utf8')) as Results;
  }, RUN_TIMEOUT_MS);

  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('ends well, and prints a table of each workload', () => {
    const titles = casesOf('smoke').map(({ title }) => `### ${title}`);

    expect({ ...exit, printed }).toMatchObject({ code: 0, printed: expect.stringContaining('| workload ') });
    for (const title of titles) expect(printed).toContain(title);
  });

  it('has every client do something of each workload, unless it says why not', () => {
    const asked = casesOf('smoke').flatMap((one) =>
      one.levels.flatMap(({ inFlight, subjects }) =>
        subjects
          .filter((subject) => (reasonAgainst(one, subject) ?? results.leftOut[subject]) === undefined)
          .map((subject) => ({ case: one.id, inFlight, subject })),
      ),
    );
    const idle = asked.filter((spot) => !((seriesAt(results, spot)?.samples['operations']?.[0] ?? 0) > 0));

    expect(asked.length).toBeGreaterThan(0);
    expect(idle).toEqual([]);
  });

  it('has every watch that catches up read all that waits for it', () => {
    const cases = casesOf('smoke').filter(({ workload }) => workload === 'history');
    const read = results.series.filter((one) => cases.some(({ id }) => id === one.case));
    const waiting = (name: string): number => {
      const { count, keys, versions } = cases.find(({ id }) => id === name)!;
      return (count === 1 ? keys : count) * versions;
    };

    expect(read.length).toBeGreaterThanOrEqual(6);
    for (const { case: name, samples } of read) expect(samples['operations']).toEqual([waiting(name)]);
  });

  it('counts what the server and the writing program cost while events are read', () => {
    const live = results.series.filter((one) => one.case.startsWith('watch-'));

    expect(live.length).toBeGreaterThanOrEqual(6);
    for (const { samples } of live) {
      expect(samples['serverCores']?.[0]).toBeGreaterThanOrEqual(0);
      expect(samples['writerCores']?.[0]).toBeGreaterThanOrEqual(0);
    }
  });

  it('draws its plots', async () => {
    const plots = ['throughput', 'cpu', 'process'].map((name) => join(folder, `performance/${name}.svg`));
    const drawn = await Promise.all(plots.map((plot) => readFile(plot, 'utf8')));

    for (const svg of drawn) expect(svg).toMatch(/^<svg .*<rect .*<\/svg>\n$/s);
    for (const svg of drawn) expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  });
});

describe('A bar', () => {
  const FIRST = BARS[0]!;
  const series = (subject: SubjectName, perSecond: readonly number[]): Series => {
    const { case: name, inFlight } = FIRST.value;
    return { case: name, inFlight, subject, samples: { perSecond } };
  };

  it('is judged by the ratio of the medians, and shows the spread of the rounds', () => {
    const ours = series('nest-etcd', [90, 140, 160, 150, 900]);
    const theirs = series('etcd3', [10, 10, 10, 10, 10]);

    const [verdict] = judge({ series: [ours, theirs] });

    expect(FIRST.limit).toEqual({ atLeast: 15 });
    expect(verdict).toMatchObject({ isMet: true, measured: { median: 15, min: 9, max: 90 } });
  });

  it('is missed below its limit, and neither met nor missed without figures', () => {
    const ours = series('nest-etcd', [90, 140, 140, 150, 900]);

    const [missed] = judge({ series: [ours, series('etcd3', [10, 10, 10, 10, 10])] });
    const [unknown] = judge({ series: [ours] });

    expect(missed).toMatchObject({ isMet: false, measured: { median: 14 } });
    expect(unknown).toMatchObject({ isMet: undefined, measured: undefined });
  });
});

describe('The profile of watches', () => {
  const live = { case: 'watch-1', inFlight: 1, subject: 'nest-etcd' } as const;

  it('shows who is busy, in cores: the median of each', () => {
    const samples = { serverCores: [0.2, 0.9, 0.7], writerCores: [0.25, 0.25, 0.3], cpuMsPerSecond: [200, 150, 100] };

    const profile = watchProfile({ set: 'quick', series: [{ ...live, samples }] });

    expect(profile).toContain('| One watch on a prefix, live | nest-etcd | 0.70 | 0.25 | 0.15 | 1.10 |');
  });

  it('has no writing program where nothing is written meanwhile', () => {
    const samples = { serverCores: [0.5], cpuMsPerSecond: [500] };

    const profile = watchProfile({ set: 'quick', series: [{ ...live, case: 'history-1', samples }] });

    expect(profile).toMatch(/\| nest-etcd \| 0\.50 \| – \| 0\.50 \| 1\.00 \|$/);
  });

  it('is not there where nobody told what the server costs', () => {
    const samples = { perSecond: [100], cpuMsPerSecond: [500] };

    expect(watchProfile({ set: 'quick', series: [{ ...live, samples }] })).toBeUndefined();
  });
});

describe('docs/performance.md', () => {
  let results: Results;

  beforeAll(async () => {
    results = JSON.parse(await readFile(fileAt('docs/performance/results.json'), 'utf8')) as Results;
  });

  it('says what the results say', async () => {
    const page = await readFile(fileAt('docs/performance.md'), 'utf8');

    expect(page).toBe(await renderPage(page, results));
  });

  it('shows the plots of the results', async () => {
    for (const { file, svg } of plotsOf(results)) {
      expect(await readFile(fileAt(`docs/performance/${file}`), 'utf8')).toBe(svg);
    }
  });
});
