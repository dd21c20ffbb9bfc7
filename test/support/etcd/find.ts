/** Finds an etcd to run: named by the person, installed, fetched before, or fetched now. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { inspect, onPath, type EtcdBinaries } from './binaries.js';
import { cachedVersions, defaultCacheFolder, readChoice } from './cache.js';
import { fetchEtcd } from './fetch.js';
import { at, firstOf, NothingFoundError, type Search } from './search.js';
import { matches, newestMatch } from './version.js';

export interface FindOptions {
  /** A release (`3.4.23`), a line of releases (`3.5`), or `latest`. @default `ETCD_VERSION`, else the newest that runs */
  readonly version?: string | undefined;
  /** @default `.cache/etcd` in this project */
  readonly cacheFolder?: string | undefined;
  /** Told what takes long, in one line each. */
  readonly log?: ((line: string) => void) | undefined;
}

const found = new Map<string, Promise<EtcdBinaries>>();

/**
 * Looks in `ETCD_BIN`, on the `PATH`, among the copies fetched before, and at last fetches one.
 * The answer is kept for the life of this process.
 *
 * @throws {Error} when nothing can be had; its message lists every place and why it had nothing.
 */
export function findEtcd(options: FindOptions = {}): Promise<EtcdBinaries> {
  const wanted = options.version ?? (process.env['ETCD_VERSION'] || undefined);
  const cacheFolder = options.cacheFolder ?? defaultCacheFolder();
  const key = JSON.stringify([wanted, cacheFolder, process.env['ETCD_BIN'], process.env['PATH']]);
  let answer = found.get(key);
  if (!answer) {
    answer = find({ wanted, cacheFolder, log: options.log ?? (() => undefined), tried: [] });
    found.set(key, answer);
    answer.catch(() => found.delete(key));
  }
  return answer;
}

async function find(search: Search): Promise<EtcdBinaries> {
  await requireNamedOneToRun();
  const places = [fromEnvironment, fromPath, fromCache, fromFetching, fromOlderCache];
  try {
    return await firstOf(
      search,
      places.map((place) => () => place(search)),
    );
  } catch (error) {
    throw error instanceof NothingFoundError ? failure(search) : error;
  }
}

function failure({ wanted, tried }: Search): Error {
  const what = wanted === undefined ? 'etcd' : `etcd ${wanted}`;
  return new Error(
    `No ${what} to run. Tried:\n${tried.map((reason) => `  - ${reason}`).join('\n')}\n` +
      'Set ETCD_ENDPOINTS to use one that runs already, or ETCD_BIN to the path of an etcd program.',
  );
}

/** A path that a person has set is taken at its word: if it does not run, that is an error and no reason to look on. */
async function requireNamedOneToRun(): Promise<void> {
  const path = process.env['ETCD_BIN'];
  if (path) await at(`ETCD_BIN is ${path}, which does not run`, () => inspect(path));
}

async function fromEnvironment(search: Search): Promise<EtcdBinaries> {
  const path = process.env['ETCD_BIN'];
  if (!path) throw new Error('ETCD_BIN: not set');
  return at('ETCD_BIN', () => fitting(path, search));
}

async function fromPath(search: Search): Promise<EtcdBinaries> {
  const path = onPath('etcd');
  if (path === undefined) throw new Error('PATH: no etcd on it');
  return at('PATH', () => fitting(path, search));
}

/** Only what is sure to be the newest that fits counts here: an exact release, or what an earlier search chose. */
async function fromCache(search: Search): Promise<EtcdBinaries> {
  const version = await readChoice(search.cacheFolder, search.wanted);
  if (version === undefined) throw new Error(`cache: ${search.cacheFolder} has no copy chosen before`);
  return at('cache', () => fitting(join(search.cacheFolder, version, 'etcd'), search));
}

async function fromFetching(search: Search): Promise<EtcdBinaries> {
  const version = await fetchEtcd(search);
  return at('fetched copy', () => fitting(join(search.cacheFolder, version, 'etcd'), search));
}

/** Without a network, the newest copy that fits is better than none. */
async function fromOlderCache(search: Search): Promise<EtcdBinaries> {
  const version = newestMatch(await cachedVersions(search.cacheFolder), search.wanted);
  if (version === undefined) throw new NothingFoundError('no older copy either');
  return at('older copy', () => fitting(join(search.cacheFolder, version, 'etcd'), search));
}

async function fitting(path: string, { wanted }: Search): Promise<EtcdBinaries> {
  if (!existsSync(path)) throw new Error(`no ${path}`);
  const binaries = await inspect(path);
  if (!matches(binaries.version, wanted)) throw new Error(`${path} is ${binaries.version}`);
  return binaries;
}
