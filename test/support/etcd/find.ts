/** Finds an etcd to run: named by the person, installed, fetched before, or fetched now. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { inspect, onPath, type EtcdBinaries } from './binaries.js';
import { cachedVersions, defaultCacheFolder, readChoice } from './cache.js';
import { fetchEtcd } from './fetch.js';
import { type Search } from './search.js';
import { matches, newestMatch } from './version.js';

export interface FindOptions {
  /** A release (`3.4.23`), a line of releases (`3.5`), or `latest`. @default `ETCD_VERSION`, else the newest that runs */
  readonly version?: string | undefined;
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
    answer = search({ wanted, cacheFolder, log: options.log ?? (() => undefined), tried: [] });
    found.set(key, answer);
    answer.catch(() => found.delete(key));
  }
  return answer;
}

async function search(looking: Search): Promise<EtcdBinaries> {
  const binaries =
    (await fromEnvironment(looking)) ??
    (await fromPath(looking)) ??
    (await fromCache(looking)) ??
    (await fromFetching(looking)) ??
    (await fromOlderCache(looking));
  if (binaries) return binaries;
  const what = looking.wanted === undefined ? 'etcd' : `etcd ${looking.wanted}`;
  throw new Error(
    `No ${what} to run. Tried:\n${looking.tried.map((line) => `  - ${line}`).join('\n')}\n` +
      'Set ETCD_ENDPOINTS to use one that runs already, or ETCD_BIN to the path of an etcd program.',
  );
}

/** A path that a person has set is taken at its word: if it does not run, that is an error and not a reason to go on. */
async function fromEnvironment(looking: Search): Promise<EtcdBinaries | undefined> {
  const path = process.env['ETCD_BIN'];
  if (path === undefined || path === '') return skip(looking, 'ETCD_BIN: not set');
  const binaries = await inspect(path).catch((error: unknown) => {
    throw new Error(`ETCD_BIN is ${path}, which does not run: ${textOf(error)}`, { cause: error });
  });
  if (matches(binaries.version, looking.wanted)) return binaries;
  return skip(looking, `ETCD_BIN: ${path} is ${binaries.version}`);
}

async function fromPath(looking: Search): Promise<EtcdBinaries | undefined> {
  const path = onPath('etcd');
  if (path === undefined) return skip(looking, 'PATH: no etcd on it');
  const binaries = await inspect(path).catch((error: unknown) => skip(looking, `PATH: ${textOf(error)}`));
  if (!binaries || matches(binaries.version, looking.wanted)) return binaries;
  return skip(looking, `PATH: ${path} is ${binaries.version}`);
}

/** Only what is sure to be the newest that fits counts here: an exact release, or what an earlier search chose. */
async function fromCache(looking: Search): Promise<EtcdBinaries | undefined> {
  const version = await readChoice(looking.cacheFolder, looking.wanted);
  if (version === undefined) return skip(looking, `cache: no copy chosen before in ${looking.cacheFolder}`);
  return cached(looking, version);
}

async function fromFetching(looking: Search): Promise<EtcdBinaries | undefined> {
  const version = await fetchEtcd(looking);
  return version === undefined ? undefined : cached(looking, version);
}

/** Without a network, the newest copy that fits is better than none. */
async function fromOlderCache(looking: Search): Promise<EtcdBinaries | undefined> {
  const version = newestMatch(await cachedVersions(looking.cacheFolder), looking.wanted);
  return version === undefined ? undefined : cached(looking, version);
}

async function cached(looking: Search, version: string): Promise<EtcdBinaries | undefined> {
  const path = join(looking.cacheFolder, version, 'etcd');
  if (!existsSync(path)) return skip(looking, `cache: no ${version} in ${looking.cacheFolder}`);
  return inspect(path).catch((error: unknown) => skip(looking, `cache: ${textOf(error)}`));
}

function skip(looking: Search, reason: string): undefined {
  looking.tried.push(reason);
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
