/** The package as npm installs it: in an ES module app on Nest 12, in a CommonJS app on Nest 11, and where the optional peers are missing. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startEtcd, type Etcd } from './support/index.js';
import { builtLibrary, ROOT_FOLDER } from './support/built.js';
import { run } from './support/etcd/run.js';

const FIXTURES = join(ROOT_FOLDER, 'test/package');
const TSC = join(ROOT_FOLDER, 'node_modules/typescript/bin/tsc');
const INSTALL_TIMEOUT_MS = 180_000;
/** A program that uses the package and closes what it opened is gone well before this. */
const EXIT_TIMEOUT_MS = 20_000;

let etcd: Etcd;
let folder: string;
let tarball: string;

beforeAll(async () => {
  builtLibrary();
  folder = await mkdtemp(join(tmpdir(), 'nest-etcd-package-'));
  [etcd, tarball] = await Promise.all([startEtcd(), pack()]);
}, 60_000);

afterAll(async () => {
  await etcd.stop();
  await rm(folder, { recursive: true, force: true });
});

async function pack(): Promise<string> {
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
  const [packed] = JSON.parse(await run('npm', args, { cwd: ROOT_FOLDER })) as { filename: string }[];
  return join(folder, packed!.filename);
}

/** A fresh folder with the files of a fixture. */
async function project(fixture: string, ...shared: string[]): Promise<string> {
  const target = join(folder, fixture);
  await cp(join(FIXTURES, fixture), target, { recursive: true });
  await Promise.all(shared.map((file) => cp(join(FIXTURES, file), join(target, file))));
  return target;
}

/** `--prefix`: npm tells the npm it starts where the project is, which here is another one. */
async function install(target: string, ...packages: string[]): Promise<void> {
  const quiet = ['--no-audit', '--no-fund', '--no-package-lock', '--ignore-scripts', '--loglevel=error'];
  const args = ['install', '--prefix', target, '--prefer-offline', ...quiet, ...packages];
  await run('npm', args, { cwd: target, timeoutMs: INSTALL_TIMEOUT_MS });
}

async function compile(target: string): Promise<void> {
  await run(process.execPath, [TSC, '-p', target]);
}

/** Runs a program to its own end; one that is kept alive by something it did not close is killed and fails the test. */
async function output(target: string, ...args: string[]): Promise<unknown> {
  const env = { ...process.env, NODE_OPTIONS: '', ETCD_ENDPOINTS: etcd.endpoints.join(',') };
  return JSON.parse(await run(process.execPath, args, { cwd: target, env, timeoutMs: EXIT_TIMEOUT_MS }));
}

/** What the app prints, whatever the Nest under it. */
const WORKS = {
  value: 'stored',
  healthStatus: 200,
  health: expect.objectContaining({ status: 'ok', info: { etcd: expect.objectContaining({ status: 'up' }) } }),
  puts: [expect.stringMatching(/grpc_code="OK".* 1$/)],
};

describe('the packed package', () => {
  it(
    'serves an ES module app on Nest 12 and Terminus 12',
    async () => {
      const target = await project('esm-nest12', 'app.ts', 'tsconfig.json');
      await install(target, tarball);
      await compile(target);

      expect(await output(target, 'dist/app.js', 'esm')).toEqual(WORKS);
    },
    INSTALL_TIMEOUT_MS,
  );

  it(
    'serves a CommonJS app on Nest 11 and Terminus 11, and plain require()',
    async () => {
      const target = await project('cjs-nest11', 'app.ts', 'tsconfig.json', 'plain-commonjs.cjs');
      await install(target, tarball);
      await compile(target);

      expect(await output(target, 'dist/app.js', 'cjs')).toEqual(WORKS);
      expect(await output(target, 'plain-commonjs.cjs')).toEqual({ value: 'stored', isSameClass: true });
    },
    INSTALL_TIMEOUT_MS,
  );

  it(
    'needs no Nest for the client, and neither Terminus nor prom-client for the module',
    async () => {
      const target = await project('bare');

      await install(target, tarball);
      expect(await output(target, 'client.js')).toEqual({ value: 'stored' });

      await install(target, '@nestjs/common@12.5.1', '@nestjs/core@12.5.1', 'reflect-metadata@0.2.2', 'rxjs@7.8.2');
      expect(await output(target, 'nest.js')).toEqual({ value: 'stored' });
    },
    INSTALL_TIMEOUT_MS,
  );
});
