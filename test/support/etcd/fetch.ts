/** Gets an etcd that is not on this machine yet, from packages or from source, into the cache. */
import { PACKAGED_VERSIONS } from './apt-sources.js';
import { cachedVersions, readChoice, withLock, writeChoice } from './cache.js';
import { fetchFromDebian } from './fetch-debian.js';
import { fetchFromGo } from './fetch-go.js';
import { type Search } from './search.js';
import { matches } from './version.js';

/** @returns the release that is in the cache now; `undefined`, with the reasons in `search.tried`, when there is none. */
export function fetchEtcd(search: Search): Promise<string | undefined> {
  return withLock(search.cacheFolder, async () => {
    const already = await fetchedMeanwhile(search);
    if (already !== undefined) return already;
    const version = await fromAnySource(search);
    if (version !== undefined) await writeChoice(search.cacheFolder, search.wanted, version);
    return version;
  });
}

/** Packages first when one is known to fit, since they take seconds; a build otherwise, since no package will fit. */
async function fromAnySource(search: Search): Promise<string | undefined> {
  const packaged = search.wanted !== 'latest' && PACKAGED_VERSIONS.some((version) => matches(version, search.wanted));
  if (packaged) return (await fetchFromDebian(search)) ?? fetchFromGo(search);
  return (await fetchFromGo(search)) ?? fetchFromDebian(search);
}

/** Another process may have fetched it while this one waited for the lock. */
async function fetchedMeanwhile({ cacheFolder, wanted }: Search): Promise<string | undefined> {
  const version = await readChoice(cacheFolder, wanted);
  return version !== undefined && (await cachedVersions(cacheFolder)).includes(version) ? version : undefined;
}
