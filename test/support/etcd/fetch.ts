/** Gets an etcd that is not on this machine yet, from packages or from source, into the cache. */
import { PACKAGED_VERSIONS } from './apt-sources.js';
import { cachedVersions, readChoice, withLock, writeChoice } from './cache.js';
import { fetchFromDebian } from './fetch-debian.js';
import { fetchFromGo } from './fetch-go.js';
import { firstOf, type Search } from './search.js';
import { matches } from './version.js';

/**
 * @returns the release that is in the cache now.
 * @throws {NothingFoundError} when there is none; the reasons are in `search.tried`.
 */
export function fetchEtcd(search: Search): Promise<string> {
  return withLock(search.cacheFolder, async () => {
    const already = await fetchedMeanwhile(search);
    if (already !== undefined) return already;
    const version = await firstOf(search, sourcesInOrder(search), search.log);
    await writeChoice(search.cacheFolder, search.wanted, version);
    return version;
  });
}

/** Packages first when one is known to fit, since they take seconds; a build otherwise, since no package will fit. */
function sourcesInOrder(search: Search): (() => Promise<string>)[] {
  const { wanted } = search;
  const packages = (): Promise<string> => fetchFromDebian(search);
  const build = (): Promise<string> => fetchFromGo(search);
  const isPackaged = wanted !== 'latest' && PACKAGED_VERSIONS.some((version) => matches(version, wanted));
  return isPackaged ? [packages, build] : [build, packages];
}

/** Another process may have fetched it while this one waited for the lock. */
async function fetchedMeanwhile({ cacheFolder, wanted }: Search): Promise<string | undefined> {
  const version = await readChoice(cacheFolder, wanted);
  return version !== undefined && (await cachedVersions(cacheFolder)).includes(version) ? version : undefined;
}
