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

/** @param parent by default in memory where there is such a place: a disk's fsync would set the pace of every test. */
export async function temporaryFolder(parent = isWritable(MEMORY) ? MEMORY : tmpdir()): Promise<TemporaryFolder> {
  const path = await mkdtemp(join(parent, 'nest-etcd-'));
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
