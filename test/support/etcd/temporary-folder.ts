/** A folder for data that may be lost, gone again after the test run whatever happens. */
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { guardFolder } from '../guarded-process.js';

const MEMORY = '/dev/shm';

export interface TemporaryFolder {
  readonly path: string;
  remove(): Promise<void>;
}

/** In memory where the machine has such a place: a disk's fsync would set the pace of every test. */
export async function temporaryFolder(): Promise<TemporaryFolder> {
  const path = await mkdtemp(join(isWritable(MEMORY) ? MEMORY : tmpdir(), 'nest-etcd-'));
  const release = guardFolder(path);
  return {
    path,
    async remove() {
      await rm(path, { recursive: true, force: true, maxRetries: 5 });
      release();
    },
  };
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
