/** The folder of etcd programs fetched before, shared by all processes that work in this checkout. */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isRelease } from './version.js';

const STAGING = '.staging-';
const LOCK = '.lock';
const LOCK_STALE_AFTER_MS = 15 * 60_000;

/** Outside `node_modules`, so that `npm ci` does not throw the copies away. */
export function defaultCacheFolder(): string {
  return fileURLToPath(new URL('../../../.cache/etcd', import.meta.url));
}

/** @returns the releases of which there is a copy, in no order. */
export async function cachedVersions(cacheFolder: string): Promise<string[]> {
  const names = await readdir(cacheFolder).catch(() => []);
  return names.filter(isRelease);
}

/** @returns the release to use for `wanted`: an exact one itself, else what an earlier search chose as the newest. */
export async function readChoice(cacheFolder: string, wanted: string | undefined): Promise<string | undefined> {
  if (wanted !== undefined && isRelease(wanted)) return wanted;
  if (wanted === 'latest') return undefined; // it may have changed since
  const text = await readFile(choiceFile(cacheFolder, wanted), 'utf8').catch(() => '');
  return text.trim() || undefined;
}

/** Keeps what a search chose, so that the next one need not ask the archives again. */
export async function writeChoice(cacheFolder: string, wanted: string | undefined, version: string): Promise<void> {
  if (wanted === version) return;
  await writeFile(choiceFile(cacheFolder, wanted), `${version}\n`);
}

const choiceFile = (cacheFolder: string, wanted = 'default'): string => join(cacheFolder, `newest-${wanted}.txt`);

/** @returns a fresh folder in the cache to prepare a copy in; {@link publish} gives it its place. */
export async function stagingFolder(cacheFolder: string): Promise<string> {
  const folder = join(cacheFolder, `${STAGING}${randomUUID()}`);
  await mkdir(folder, { recursive: true });
  return folder;
}

/** Moves a prepared copy to its place in one step; a copy that is there already stays. */
export async function publish(cacheFolder: string, staged: string, version: string): Promise<void> {
  try {
    await rename(staged, join(cacheFolder, version));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
    await rm(staged, { recursive: true });
  }
}

/** Runs `work` while no other process prepares a copy in the same folder. */
export async function withLock<T>(cacheFolder: string, work: () => Promise<T>): Promise<T> {
  const lock = join(cacheFolder, LOCK);
  await mkdir(cacheFolder, { recursive: true });
  while (!(await tryLock(lock))) await delay(100);
  try {
    await removeLeftovers(cacheFolder);
    return await work();
  } finally {
    await removeLeftovers(cacheFolder);
    await rm(lock, { force: true });
  }
}

async function tryLock(lock: string): Promise<boolean> {
  try {
    await writeFile(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    if (await isStale(lock)) await rm(lock, { force: true });
    return false;
  }
}

/** A lock is void when its process is gone, or when it has been held longer than any fetch takes. */
async function isStale(lock: string): Promise<boolean> {
  try {
    const { mtimeMs, size } = await stat(lock);
    if (Date.now() - mtimeMs > LOCK_STALE_AFTER_MS) return true;
    return size > 0 && !isAlive(Number(await readFile(lock, 'utf8')));
  } catch {
    return false; // released meanwhile
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Half-prepared copies, of a failure or of a process that was killed: who holds the lock knows that nobody works on them. */
async function removeLeftovers(cacheFolder: string): Promise<void> {
  const names = await readdir(cacheFolder);
  const leftovers = names.filter((name) => name.startsWith(STAGING));
  await Promise.all(leftovers.map((name) => rm(join(cacheFolder, name), { recursive: true, force: true })));
}
