/** The package as npm installs it: in an ES module app on Nest 12, in a CommonJS app on Nest 11, and where the optional peers are missing. */
import { cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startEtcd, type Etcd } from './support/index.js';
import { builtLibrary, ROOT_FOLDER } from './support/built.js';
import { run } from './support/etcd/run.js';
import { guardFolder } from './support/guarded-process.js';

const FIXTURES = join(ROOT_FOLDER, 'test/package');
const TSC = join(ROOT_FOLDER, 'node_modules/typescript/bin/tsc');
const INSTALL_TIMEOUT_MS = 180_000;
/** A program that uses the package and closes what it opened is gone well before this. */
const EXIT_TIMEOUT_MS = 20_000;

let etcd: Etcd;
let folder: string;
let releaseFolder: () => void;
/** Prepared at the same time, since installing is mostly waiting. */
let esmApp: Promise<string>;
let commonJsApp: Promise<string>;
let bareProgram: Promise<string>;

beforeAll(async () => {
  builtLibrary();
  folder = await mkdtemp(join(tmpdir(), 'nest-etcd-package-'));
  releaseFolder = guardFolder(folder);
  const [started, tarball] = await Promise.all([startEtcd(), pack()]);
  etcd = started;
  esmApp = compiled(installed('esm-nest12', tarball, 'app.ts', 'tsconfig.json'));
  commonJsApp = compiled(installed('cjs-nest11', tarball, 'app.ts', 'tsconfig.json', 'plain-commonjs.cjs'));
  bareProgram = installed('bare', tarball);
  await Promise.allSettled([esmApp, commonJsApp, bareProgram]); // a failure is that of its own test
}, 240_000);

afterAll(async () => {
  await etcd.stop();
  await rm(folder, { recursive: true, force: true });
  releaseFolder();
});

async function pack(): Promise<string> {
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
  const [packed] = JSON.parse(await run('npm', args, { cwd: ROOT_FOLDER })) as { filename: string }[];
  return join(folder, packed!.filename);
}

/** A fresh folder with the files of a fixture, what its package.json asks for, and our package. */
async function installed(fixture: string, tarball: string, ...shared: string[]): Promise<string> {
  const target = join(folder, fixture);
  await cp(join(FIXTURES, fixture), target, { recursive: true });
  await Promise.all(shared.map((file) => cp(join(FIXTURES, file), join(target, file))));
  await install(target, tarball);
  return target;
}

/** `--prefix`: npm tells the npm it starts where the project is, which here is another one. */
async function install(target: string, ...packages: string[]): Promise<void> {
  const quiet = ['--no-audit', '--no-fund', '--no-package-lock', '--ignore-scripts', '--loglevel=error'];
  const args = ['install', '--prefix', target, '--prefer-offline', ...quiet, ...packages];
  await run('npm', args, { cwd: target, timeoutMs: INSTALL_TIMEOUT_MS });
}

/** Gives one project some of the packages of another: what is not named cannot be found from it. */
async function borrow(target: string, source: string, ...packages: string[]): Promise<void> {
  await mkdir(join(target, 'node_modules/@nestjs'), { recursive: true });
  const paths = packages.map((name) => join('node_modules', name));
  await Promise.all(paths.map((path) => symlink(join(source, path), join(target, path))));
}

async function compiled(ready: Promise<string>): Promise<string> {
  const target = await ready;
  await run(process.execPath, [TSC, '-p', target]);
  return target;
}

/** Runs a program to its own end; one that is kept alive by something it did not close is killed and fails the test. */
async function output(target: string, ...args: string[]): Promise<unknown> {
  const env = { ...process.env, NODE_OPTIONS: '', ETCD_ENDPOINTS: etcd.endpoints.join(',') };
  return JSON.parse(await run(process.execPath, args, { cwd: target, env, timeoutMs: EXIT_TIMEOUT_MS }));
}

/** What the app prints, whatever the Nest under it. */
const WORKS = {
  value: 'stored',
  scoped: { isGuarded: true, isBelowPrefix: true },
  health: [200, expect.objectContaining({ status: 'ok', info: { etcd: expect.objectContaining({ status: 'up' }) } })],
  puts: [expect.stringMatching(/grpc_code="OK".* 1$/)],
};

/** What Terminus answers when one of two endpoints serves. */
function half(status: string, etcdDetails: object): unknown {
  const message = expect.stringMatching(/^http:\/\/127\.0\.0\.1:1: /);
  const etcd = expect.objectContaining({ ...etcdDetails, serving: 1, message });
  return [200, expect.objectContaining({ status, info: { etcd }, error: {}, details: { etcd } })];
}

describe('the packed package', () => {
  it('serves an ES module app on Nest 12 and Terminus 12, which tells what is degraded', async () => {
    const app = await esmApp;

    expect(await output(app, 'dist/app.js', 'esm')).toEqual({
      ...WORKS,
      halfHealth: half('degraded', { status: 'degraded' }),
    });
  });

  it('serves a CommonJS app on Nest 11 and Terminus 11, which calls it up with a remark, and plain require()', async () => {
    const app = await commonJsApp;

    expect(await output(app, 'dist/app.js', 'cjs')).toEqual({
      ...WORKS,
      halfHealth: half('ok', { status: 'up', degraded: true }),
    });
    expect(await output(app, 'plain-commonjs.cjs')).toEqual({ value: 'stored', isSameClass: true });
  });

  it('needs no Nest for the client', async () => {
    expect(await output(await bareProgram, 'client.js')).toEqual({ value: 'stored' });
  });

  it('needs neither Terminus nor prom-client for the module', async () => {
    const program = await bareProgram;
    await borrow(program, await esmApp, '@nestjs/common', '@nestjs/core', 'reflect-metadata', 'rxjs');

    expect(await output(program, 'nest.js')).toEqual({ value: null });
  });
});
