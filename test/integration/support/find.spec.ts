/** Finding etcd: what a person names comes first, what does not fit is passed over, and a failure says all that was tried. */
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { findEtcd, type EtcdBinaries } from '../../support/index.js';

const VARIABLES = ['ETCD_BIN', 'ETCD_VERSION', 'PATH', 'GOPROXY'] as const;
const before = Object.fromEntries(VARIABLES.map((name) => [name, process.env[name]]));

let real: EtcdBinaries;
let folder: string;

beforeAll(async () => {
  real = await findEtcd();
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nest-etcd-find-test-'));
  delete process.env['ETCD_VERSION'];
});
afterEach(async () => {
  for (const name of VARIABLES) {
    if (before[name] === undefined) Reflect.deleteProperty(process.env, name);
    else process.env[name] = before[name];
  }
  await rm(folder, { recursive: true });
});

/** A program that says it is some version of etcd. */
async function pretend(version: string): Promise<string> {
  const path = join(folder, 'etcd');
  await writeFile(path, `#!/bin/sh\necho "etcd Version: ${version}"\n`);
  await chmod(path, 0o755);
  return path;
}

describe('findEtcd', () => {
  it('takes the program that ETCD_BIN names before any other', async () => {
    process.env['ETCD_BIN'] = await pretend('3.5.99');

    expect(await findEtcd()).toMatchObject({ etcd: join(folder, 'etcd'), version: '3.5.99' });
  });

  it('fails when the program that ETCD_BIN names does not run, rather than take another', async () => {
    process.env['ETCD_BIN'] = join(folder, 'absent');

    await expect(findEtcd()).rejects.toThrow(`ETCD_BIN is ${folder}/absent, which does not run`);
  });

  it('takes the one on the PATH, with the etcdctl beside it', async () => {
    await symlink(real.etcd, join(folder, 'etcd'));
    await symlink(real.etcd, join(folder, 'etcdctl'));
    process.env['PATH'] = `${folder}:${before['PATH']!}`;

    expect(await findEtcd()).toEqual({
      etcd: join(folder, 'etcd'),
      etcdctl: join(folder, 'etcdctl'),
      version: real.version,
    });
  });

  it('passes over what is another version than the one asked for', async () => {
    process.env['ETCD_BIN'] = await pretend('3.3.0');
    await mkdir(join(folder, 'installed'));
    await symlink(real.etcd, join(folder, 'installed', 'etcd'));
    process.env['PATH'] = `${folder}/installed:${before['PATH']!}`;
    const installed = { etcd: join(folder, 'installed', 'etcd'), version: real.version };

    expect(await findEtcd({ version: real.version })).toMatchObject(installed);
    process.env['ETCD_VERSION'] = real.version;
    expect(await findEtcd()).toMatchObject(installed);
  });

  it('lists every place and why it had nothing when there is no etcd to be had', async () => {
    process.env['PATH'] = folder;
    process.env['GOPROXY'] = 'off';

    const search = findEtcd({ version: '9.9.9', cacheFolder: join(folder, 'cache') });

    const { message } = await search.then(
      () => new Error('found one'),
      (error: unknown) => error as Error,
    );
    expect(message).toMatch(/^No etcd 9\.9\.9 to run\. Tried:/);
    for (const place of [
      'ETCD_BIN: not set',
      'PATH: no etcd',
      'cache: no ',
      'Go module',
      'packages:',
      'Set ETCD_ENDPOINTS',
    ]) {
      expect(message).toContain(place);
    }
  });
});
