/** Builds a Go program, once for each state of its sources. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onPath } from './etcd/binaries.js';
import { run } from './etcd/run.js';

const CACHE_FOLDER = fileURLToPath(new URL('../../.cache/interop', import.meta.url));
const SOURCES = ['main.go', 'go.mod', 'go.sum'];
const USUAL_PLACE = '/usr/local/go/bin/go';
const BUILD_TIMEOUT_MS = 10 * 60_000;

/** The `go` of this machine: on the `PATH`, or where it is usually unpacked; `undefined` where there is none. */
export function findGo(): string | undefined {
  return onPath('go') ?? (existsSync(USUAL_PLACE) ? USUAL_PLACE : undefined);
}

/** @param folder where its sources are. @returns the path of the program. */
export async function buildGoProgram(go: string, folder: string): Promise<string> {
  const sources = await Promise.all(SOURCES.map((file) => readFile(join(folder, file))));
  const hash = createHash('sha256');
  for (const source of sources) hash.update(source);
  const program = join(CACHE_FOLDER, `${basename(folder)}-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(program)) return program;
  // Built elsewhere, so that the toolchain writes nothing into the checkout.
  const copy = await mkdtemp(join(tmpdir(), 'nest-etcd-go-'));
  try {
    for (const file of SOURCES) await cp(join(folder, file), join(copy, file));
    const env = { ...process.env, GOFLAGS: '-mod=mod', GOWORK: 'off', CGO_ENABLED: '0' };
    await run(go, ['build', '-o', 'program', '.'], { cwd: copy, env, timeoutMs: BUILD_TIMEOUT_MS });
    await mkdir(CACHE_FOLDER, { recursive: true });
    await cp(join(copy, 'program'), `${program}.new`);
    await rename(`${program}.new`, program);
  } finally {
    await rm(copy, { recursive: true });
  }
  return program;
}
