/** The chapter of figures in docs/reliability.md: the right numbers, and nothing else of the page touched. */
import { describe, expect, it } from '@jest/globals';
import { chapterOf, withFigures, type Results, type Series } from '../../../bench/reliability/report.js';

function results(series: readonly Series[], load: readonly [number, number] = [0.1, 0.2]): Results {
  return {
    takenAt: '2026-11-21T12:00:00.000Z',
    node: 'v20.20.2',
    etcd: '3.5.30',
    subjects: { ours: '1.0.0', theirs: '2.0.0' },
    machine: { cpu: 'Some CPU', cores: 2, memoryGib: 8 },
    load,
    series,
  };
}

function series(subject: string, ...runs: Series['runs']): Series {
  return { scenario: 'kill', title: 'a kill', subject, runs };
}

describe('The chapter', () => {
  it('shows the median and the worst of each figure, side by side', () => {
    const chapter = chapterOf(
      results([
        series('ours', { 'gap, ms': 500.4 }, { 'gap, ms': 1_200 }, { 'gap, ms': 400 }),
        series('theirs', { 'gap, ms': 7 }, { 'gap, ms': 7 }, { 'gap, ms': 7 }),
      ]),
    );

    expect(chapter).toContain('| a kill | gap, ms | 500 (1,200) | 7            |');
    expect(chapter).toContain('3 runs of each: the median, and in brackets the worst');
    expect(chapter).toContain('2026-11-21 with etcd 3.5.30 and Node.js v20.20.2 on 2 cores (Some CPU)');
  });

  it('leaves out what was 0 for all, says so, and keeps the first figure of a scenario', () => {
    const nothing = { 'gap, ms': 0, lost: 0, twice: 0 };
    const chapter = chapterOf(results([series('ours', nothing), series('theirs', { ...nothing, twice: 3 })]));

    expect(chapter).toMatch(/^\| a kill \| gap, ms +\| 0 +\| 0 +\|$/m);
    expect(chapter).toMatch(/^\| +\| twice +\| 0 +\| 3 +\|$/m);
    expect(chapter).not.toMatch(/^\| +\| lost/m);
    expect(chapter).toContain('Rows that were 0 in every run of every client are left out: lost.');
  });

  it('shows that a client could not run a scenario', () => {
    expect(chapterOf(results([series('ours', { n: 1 })]))).toMatch(/^\| a kill \| n +\| 1 +\| – +\|$/m);
  });

  it('says that the machine had other work, where it had', () => {
    const runs = [series('ours', { n: 1 })];

    expect(chapterOf(results(runs, [2.5, 1]))).toContain('other work ran beside it');
    expect(chapterOf(results(runs, [1.9, 1]))).not.toContain('other work');
  });
});

describe('A page', () => {
  const page = 'before\n\n<!-- figures: a -->\n\nold\n\n<!-- /figures: a -->\n\nafter\n';

  it('gets a chapter between its marks, and is the same the second time', () => {
    const once = withFigures(page, 'a', 'new\n');

    expect(once).toBe(page.replace('old', 'new'));
    expect(withFigures(once, 'a', 'new')).toBe(once);
  });

  it('without the marks is not touched', () => {
    expect(() => withFigures(page, 'b', 'new')).toThrow('the page has no <!-- figures: b -->');
  });
});
