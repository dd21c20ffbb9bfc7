/** Runs the cases: each with an etcd of its own, its subjects in processes of their own, round after round in turn. */
import { startEtcd } from '../../test/support/index.js';
import { CaseRun } from './case-run.js';
import type { Case } from './cases.js';
import type { Options } from './options.js';
import { Processes, type Programs } from './processes.js';
import type { Series } from './results.js';
import { seed } from './seed.js';

interface Plan {
  readonly options: Options;
  readonly programs: Programs;
  readonly log: (line: string) => void;
}

/** The smoke test shares one etcd and one process for each subject among all cases; otherwise no case sees another. */
export async function measureAll(plan: Plan): Promise<Series[]> {
  const { cases, set } = plan.options;
  const groups = set === 'smoke' ? [cases] : cases.map((one) => [one]);
  const series: Series[] = [];
  for (const group of groups) series.push(...(await measureGroup(group, plan)));
  return series;
}

async function measureGroup(cases: readonly Case[], { options, programs, log }: Plan): Promise<Series[]> {
  await using etcd = await startEtcd({ own: true });
  const { endpoint, members } = etcd;
  await using processes = new Processes(programs, { endpoint, pid: members[0]!.pid! });
  const series: Series[] = [];
  for (const one of cases) {
    const startedAt = performance.now();
    await seed(endpoint, one);
    const run = new CaseRun(one, options, processes);
    series.push(...(await run.measure()));
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
    log([`${one.title} (${seconds} s)`, ...run.failures()].join('\n  '));
  }
  return series;
}
