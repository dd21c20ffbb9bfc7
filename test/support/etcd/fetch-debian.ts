/**
 * Fetches etcd as Debian packages, without root and without touching the machine's own package lists: apt-get works
 * in a temporary folder of ours, verifies signatures as always, and the packages are unpacked, not installed.
 */
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  candidates,
  INDEX_TARGETS_FORMAT,
  isMainArchive,
  parseDeb822,
  parseIndexTargets,
  parseOsRelease,
  parseSourcesList,
  withKeys,
  type AptSource,
} from './apt-sources.js';
import { inspect } from './binaries.js';
import { cachedVersions, publish, stagingFolder } from './cache.js';
import { run } from './run.js';
import { at, firstOf, type Search } from './search.js';
import { temporaryFolder } from './temporary-folder.js';
import { matches, upstreamVersion } from './version.js';

const SERVER = 'etcd-server';
const CLIENT = 'etcd-client';
const KEYRING_PACKAGE = 'debian-archive-keyring';
const MACHINE_KEYRINGS = '/usr/share/keyrings';
const KEYRINGS = ['debian-archive-keyring.pgp', 'debian-archive-keyring.gpg', 'ubuntu-archive-keyring.gpg'];
const DOWNLOAD_TIMEOUT_MS = 5 * 60_000;

/**
 * @returns the release that is in the cache now.
 * @throws {NothingFoundError} when no archive has one that fits and runs; the reasons are in `search.tried`.
 */
export async function fetchFromDebian(search: Search): Promise<string> {
  const distribution = parseOsRelease(await readFile('/etc/os-release', 'utf8').catch(() => ''));
  const sources = await at('packages', machineSources);
  const archives = candidates(sources, distribution, (version) => matches(version, search.wanted));
  if (archives.length === 0) throw new Error(`packages: apt of this ${distribution.id} names no archive to look in`);
  const own = sources.find((source) => isMainArchive(source, distribution));
  const attempts = archives.map(
    (archive) => () => at(`packages of ${archive.suite} at ${archive.uri}`, () => fetchFrom(archive, own, search)),
  );
  return firstOf(search, attempts, search.log);
}

/** Asks apt for the archives it has lists of, and where it has none, reads the files it would read. */
async function machineSources(): Promise<AptSource[]> {
  const output = await run('apt-get', ['indextargets', '--format', INDEX_TARGETS_FORMAT, 'Created-By: Packages']);
  const [listed, fromFiles] = [parseIndexTargets(output), await sourcesFromFiles()];
  return listed.length > 0 ? withKeys(listed, fromFiles) : fromFiles;
}

async function sourcesFromFiles(): Promise<AptSource[]> {
  const parts = '/etc/apt/sources.list.d';
  const names = await readdir(parts).catch(() => []);
  const paths = ['/etc/apt/sources.list', ...names.map((name) => join(parts, name))];
  const sources = await Promise.all(
    paths.map(async (path) => {
      const text = await readFile(path, 'utf8').catch(() => '');
      return path.endsWith('.sources') ? parseDeb822(text) : parseSourcesList(text);
    }),
  );
  return sources.flat();
}

async function fetchFrom(archive: AptSource, own: AptSource | undefined, search: Search): Promise<string> {
  search.log(`Looking for etcd in ${archive.suite} at ${archive.uri}`);
  return inTemporaryFolder(async (folder) => {
    const apt = await openArchive(folder, archive, own);
    const offered = await offeredVersions(apt);
    const packaged = offered.find((version) => matches(upstreamVersion(version), search.wanted));
    if (packaged === undefined) throw new Error(`${SERVER} is ${offered.join(', ') || 'not there'}`);
    const version = upstreamVersion(packaged);
    if ((await cachedVersions(search.cacheFolder)).includes(version)) return version;
    search.log(`Fetching etcd ${version} from ${archive.suite}`);
    await apt.download([`${SERVER}=${packaged}`, `${CLIENT}=${packaged}`]);
    return unpackIntoCache(folder, version, search);
  });
}

async function offeredVersions(apt: Apt): Promise<string[]> {
  const table = await apt.cache(['madison', SERVER]).catch(() => '');
  return table.split('\n').flatMap((line) => line.split('|')[1]?.trim() ?? []);
}

async function unpackIntoCache(folder: string, version: string, search: Search): Promise<string> {
  const staged = await stagingFolder(search.cacheFolder);
  const unpacked = join(staged, 'unpacked');
  await unpackAll(folder, unpacked);
  for (const program of await readdir(join(unpacked, 'usr/bin'))) {
    await rename(join(unpacked, 'usr/bin', program), join(staged, program));
  }
  await rm(unpacked, { recursive: true });
  await inspect(join(staged, 'etcd')); // one from a newer Debian may need a newer C library than there is here
  await publish(search.cacheFolder, staged, version);
  return version;
}

async function unpackAll(folder: string, target: string): Promise<void> {
  const packages = (await readdir(folder)).filter((name) => name.endsWith('.deb'));
  for (const name of packages) await run('dpkg-deb', ['-x', join(folder, name), target]);
}

/** apt-get and apt-cache, working with one archive in one folder. */
interface Apt {
  cache(args: readonly string[]): Promise<string>;
  download(packages: readonly string[]): Promise<unknown>;
}

/**
 * Reads an archive's list of packages. When its signature is by a key this machine does not know, which a newer
 * suite's may be, the keys come from the keyring package of the machine's own suite, whose signature it can verify.
 */
async function openArchive(folder: string, archive: AptSource, own: AptSource | undefined): Promise<Apt> {
  const keys = archive.signedBy ?? keyringsIn(MACHINE_KEYRINGS);
  try {
    return await updatedApt(folder, { ...archive, signedBy: keys });
  } catch (error) {
    if (!own || !/NO_PUBKEY|not signed|verif/i.test(String(error))) throw error;
    const keyring = await fetchKeyring(folder, { ...own, signedBy: keys });
    return updatedApt(folder, { ...archive, signedBy: keyring });
  }
}

async function fetchKeyring(folder: string, own: AptSource): Promise<string> {
  const target = join(folder, 'keyring');
  await mkdir(target, { recursive: true });
  const apt = await updatedApt(target, own);
  await apt.download([KEYRING_PACKAGE]);
  await unpackAll(target, target);
  return keyringsIn(join(target, 'usr/share/keyrings'));
}

const keyringsIn = (folder: string): string =>
  KEYRINGS.map((name) => join(folder, name))
    .filter((path) => existsSync(path))
    .join(' ');

async function updatedApt(folder: string, archive: AptSource): Promise<Apt> {
  const config = await writeAptFolder(folder, archive);
  const env = { ...process.env, APT_CONFIG: config, LC_ALL: 'C' };
  const options = { env, cwd: folder, timeoutMs: DOWNLOAD_TIMEOUT_MS };
  await run('apt-get', ['-q', 'update'], options);
  return {
    cache: (args) => run('apt-cache', args, options),
    download: (packages) => run('apt-get', ['-q', 'download', ...packages], options),
  };
}

/** @returns the path of the configuration with which apt uses this folder and archive only. */
async function writeAptFolder(folder: string, archive: AptSource): Promise<string> {
  const inside = (...names: string[]): string => join(folder, ...names);
  await Promise.all(
    ['lists/partial', 'cache/archives/partial', 'sources'].map((name) => mkdir(inside(name), { recursive: true })),
  );
  await writeFile(inside('status'), '');
  await writeFile(inside('sources', 'etcd.sources'), await sourceParagraph(archive));
  await writeFile(
    inside('apt.conf'),
    `${await machineSettings()}
Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "${inside('sources')}";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State::lists "${inside('lists')}";
Dir::State::status "${inside('status')}";
Dir::Cache "${inside('cache')}";
Acquire::Languages "none";
Acquire::Retries "2";
APT::Update::Error-Mode "any";
`,
  );
  return inside('apt.conf');
}

async function sourceParagraph({ uri, suite, components, signedBy }: AptSource): Promise<string> {
  const architecture = (await run('dpkg', ['--print-architecture'])).trim();
  return `Types: deb
URIs: ${uri}
Suites: ${suite}
Components: ${components.join(' ')}
Architectures: ${architecture}
Targets: Packages
${signedBy ? `Signed-By: ${signedBy}\n` : ''}`;
}

/** How this machine reaches its mirrors (proxies, timeouts, checks): all of its settings for transfers, none of its hooks. */
async function machineSettings(): Promise<string> {
  const dump = await run('apt-config', ['dump', '--no-empty', '--format', '%F "%v";%n']);
  const wanted = /^Acquire::(?!IndexTargets|CompressionTypes|Changelogs|Languages)/;
  return dump
    .split('\n')
    .filter((line) => wanted.test(line))
    .join('\n');
}

async function inTemporaryFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await temporaryFolder(tmpdir());
  await chmod(folder.path, 0o755); // apt gives up root for the user _apt, who has to get in
  try {
    return await work(folder.path);
  } finally {
    await folder.remove();
  }
}
