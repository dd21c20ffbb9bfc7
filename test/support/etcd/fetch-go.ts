/** Builds etcd from its Go modules, where a Go toolchain is installed: the only way to releases no package has. */
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from './binaries.js';
import { cachedVersions, publish, stagingFolder } from './cache.js';
import { run } from './run.js';
import { at, type Search } from './search.js';
import { temporaryFolder } from './temporary-folder.js';
import { isRelease, newestMatch } from './version.js';

const SERVER = 'go.etcd.io/etcd/server/v3';
const CLIENT = 'go.etcd.io/etcd/etcdctl/v3';
const USUAL_PLACE = '/usr/local/go/bin';
const BUILD_TIMEOUT_MS = 15 * 60_000;

/**
 * @returns the release that is in the cache now.
 * @throws {Error} when it could not be built.
 */
export async function fetchFromGo(search: Search): Promise<string> {
  const folder = await temporaryFolder(tmpdir());
  try {
    return await at(`Go module ${SERVER}`, () => build(folder.path, search));
  } finally {
    await folder.remove();
  }
}

async function build(folder: string, search: Search): Promise<string> {
  await writeFile(join(folder, 'go.mod'), 'module build\n\ngo 1.21\n');
  const version = await chooseVersion(folder, search.wanted);
  if ((await cachedVersions(search.cacheFolder)).includes(version)) return version;
  search.log(`Building etcd ${version} with Go; this takes a minute or two`);
  await writeFile(
    join(folder, 'go.mod'),
    // a module of our own, since `go install` refuses modules that replace others
    `module build\n\ngo 1.21\n\nrequire (\n\t${SERVER} v${version}\n\t${CLIENT} v${version}\n)\n`,
  );
  const staged = await stagingFolder(search.cacheFolder);
  await go(folder, ['build', '-trimpath', '-ldflags=-s -w', '-o', join(staged, 'etcd'), SERVER]);
  await go(folder, ['build', '-trimpath', '-ldflags=-s -w', '-o', join(staged, 'etcdctl'), CLIENT]);
  await inspect(join(staged, 'etcd'));
  await publish(search.cacheFolder, staged, version);
  return version;
}

async function chooseVersion(folder: string, wanted: string | undefined): Promise<string> {
  if (wanted !== undefined && isRelease(wanted)) return wanted;
  const [, ...tags] = (await go(folder, ['list', '-m', '-versions', SERVER])).trim().split(/\s+/);
  const version = newestMatch(
    tags.map((tag) => tag.replace(/^v/, '')),
    wanted,
  );
  if (version === undefined) throw new Error(`no release fits ${wanted ?? 'latest'}`);
  return version;
}

function go(folder: string, args: readonly string[]): Promise<string> {
  const path = `${process.env['PATH'] ?? ''}:${USUAL_PLACE}`;
  const env = { ...process.env, PATH: path, GOFLAGS: '-mod=mod', GOWORK: 'off', CGO_ENABLED: '0' };
  return run('go', args, { cwd: folder, env, timeoutMs: BUILD_TIMEOUT_MS });
}
