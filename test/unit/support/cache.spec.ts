/** The folder of fetched copies: what is in it, and that two processes do not prepare a copy at once. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { cachedVersions, publish, readChoice, stagingFolder, withLock, writeChoice } from '../../support/etcd/cache.js';

const NO_SUCH_PID = 2 ** 22 + 1; // above the kernel's highest

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nest-etcd-cache-test-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function prepare(text: string): Promise<string> {
  const staged = await stagingFolder(folder);
  await writeFile(join(staged, 'etcd'), text);
  return staged;
}

describe('the cache', () => {
  it('lists the releases it holds, and nothing else that lies there', async () => {
    await publish(folder, await prepare('x'), '3.5.30');
    await prepare('half done');
    await writeChoice(folder, '3.5', '3.5.30');

    expect(await cachedVersions(folder)).toEqual(['3.5.30']);
    expect(await cachedVersions(join(folder, 'absent'))).toEqual([]);
  });

  it('keeps the copy that was there first', async () => {
    await publish(folder, await prepare('first'), '3.5.30');
    await publish(folder, await prepare('second'), '3.5.30');

    expect(await readFile(join(folder, '3.5.30', 'etcd'), 'utf8')).toBe('first');
    expect(await readdir(folder)).toEqual(['3.5.30']);
  });

  it('remembers what was chosen for a line of releases and by default, but never what is latest', async () => {
    await writeChoice(folder, '3.5', '3.5.30');
    await writeChoice(folder, undefined, '3.5.16');
    await writeChoice(folder, 'latest', '3.7.3');

    expect(await readChoice(folder, '3.5')).toBe('3.5.30');
    expect(await readChoice(folder, undefined)).toBe('3.5.16');
    expect(await readChoice(folder, 'latest')).toBeUndefined();
    expect(await readChoice(folder, '3.4')).toBeUndefined();
    expect(await readChoice(folder, '3.4.23')).toBe('3.4.23');
  });
});

describe('the lock of the cache', () => {
  it('lets one work at a time, and the next one after a failure too', async () => {
    const steps: string[] = [];
    const work = (name: string, fails: boolean) => async () => {
      steps.push(`${name} begins`);
      await new Promise((resolve) => setTimeout(resolve, 20));
      steps.push(`${name} ends`);
      if (fails) throw new Error(name);
    };

    const results = await Promise.allSettled([withLock(folder, work('a', true)), withLock(folder, work('b', false))]);

    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
    expect(steps.map((step) => step.split(' ')[1])).toEqual(['begins', 'ends', 'begins', 'ends']);
    expect(await readdir(folder)).toEqual([]);
  });

  it('is void when its process is gone, and what that process left half done is removed', async () => {
    await writeFile(join(folder, '.lock'), String(NO_SUCH_PID));
    const leftover = await prepare('half done');

    await withLock(folder, () => Promise.resolve());

    expect(existsSync(leftover)).toBe(false);
  });

  it('makes the folder it is for', async () => {
    const absent = join(folder, 'a', 'b');
    await withLock(absent, () => mkdir(join(absent, 'made')));

    expect(await readdir(absent)).toEqual(['made']);
  });
});
