/** What was measured, with the facts of the machine and of the programs it was measured on. */
import { readFile } from 'node:fs/promises';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import { findEtcd } from '../../test/support/index.js';
import type { Results, Series } from './report.js';

export const ROOT = join(import.meta.dirname, '..', '..');

/** @param loadBefore the machine's load over one minute before the first run. */
export async function resultsOf(series: readonly Series[], loadBefore: number): Promise<Results> {
  return {
    takenAt: new Date().toISOString(),
    node: process.version,
    etcd: (await findEtcd()).version,
    subjects: { 'nest-etcd': await releaseOf(ROOT), etcd3: await releaseOf(join(ROOT, 'node_modules', 'etcd3')) },
    machine: {
      cpu: cpus()[0]?.model.trim() ?? 'unknown',
      cores: cpus().length,
      memoryGib: Math.round(totalmem() / 2 ** 30),
    },
    load: [loadBefore, loadavg()[0]!],
    series,
  };
}

async function releaseOf(folder: string): Promise<string> {
  const { version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { version: string };
  return version;
}
