/** What a reader has to know of the machine and the versions: nothing that tells whose machine it is. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import { findEtcd } from '../../test/support/index.js';
import { run } from '../../test/support/etcd/run.js';
import { findGo } from '../../test/support/go-program.js';
import { GO_FOLDER } from './folders.js';
import type { Machine } from './results.js';

export function machineFacts(): Machine {
  const [first] = cpus();
  return {
    cpu: first?.model ?? 'unknown',
    cores: cpus().length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    loadBefore: Math.round(loadavg()[0]! * 100) / 100,
  };
}

export async function versionFacts(): Promise<Record<string, string>> {
  return {
    'Node.js': process.versions.node,
    etcd: (await findEtcd()).version,
    'nest-etcd': await versionIn(new URL('../../package.json', import.meta.url)),
    etcd3: await installedVersion('etcd3'),
    'grpc-js': await installedVersion('@grpc/grpc-js'),
    ...(await goVersions()),
  };
}

async function goVersions(): Promise<Record<string, string>> {
  const go = findGo();
  if (go === undefined) return {};
  const [, goVersion = 'unknown'] = /go(\d\S*)/.exec(await run(go, ['env', 'GOVERSION'])) ?? [];
  const [, client = 'unknown'] = /client\/v3 v(\S+)/.exec(await readFile(join(GO_FOLDER, 'go.mod'), 'utf8')) ?? [];
  return { Go: goVersion, 'its client': client };
}

function installedVersion(name: string): Promise<string> {
  return versionIn(createRequire(import.meta.url).resolve(`${name}/package.json`));
}

async function versionIn(file: string | URL): Promise<string> {
  return (JSON.parse(await readFile(file, 'utf8')) as { version: string }).version;
}
