/** The programs of one etcd release, and whether they run on this machine. */
import { existsSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { run } from './run.js';
import { versionFromOutput } from './version.js';

export interface EtcdBinaries {
  readonly etcd: string;
  /** `undefined` when an installed etcd came without it. */
  readonly etcdctl: string | undefined;
  /** As `etcd --version` says it, such as `3.5.30`. */
  readonly version: string;
}

/**
 * Runs the program to learn its version, which proves that it runs here.
 *
 * @throws {Error} when it does not run, or is no etcd.
 */
export async function inspect(etcd: string): Promise<EtcdBinaries> {
  const version = versionFromOutput(await run(etcd, ['--version'], { timeoutMs: 10_000 }));
  if (version === undefined) throw new Error(`${etcd} does not say its version`);
  const beside = join(dirname(etcd), 'etcdctl');
  return { etcd, etcdctl: existsSync(beside) ? beside : onPath('etcdctl'), version };
}

/** @returns where the `PATH` has a program; `undefined` when it has none. */
export function onPath(program: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path));
}
