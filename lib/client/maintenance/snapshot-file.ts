/** A snapshot on disk: under its name only when it is complete, verified and safe from a crash. */
import { open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { EtcdError } from '../errors.js';
import { EtcdSnapshotError } from './snapshot-error.js';
import type { EtcdSnapshot } from './snapshot.js';

/** A snapshot that was written and verified. */
export interface SavedSnapshot {
  readonly path: string;
  /** Size of the file, the SHA-256 at its end included. */
  readonly bytes: number;
  /** The endpoint of the member it was taken from. */
  readonly endpoint: string | undefined;
  /** The release whose storage format the database has, for example `3.6.0`; `undefined` before 3.6. */
  readonly version: string | undefined;
}

/** It holds every key and the hashes of all passwords, so it is nobody else's to read. */
const MODE = 0o600;

/**
 * Writes the snapshot to `path.part` and gives it its name once it is verified and on the disk. On failure the part is
 * removed, and what had the name before is left alone.
 *
 * @throws {EtcdSnapshotError} when the snapshot is damaged, or a file cannot be written.
 */
export async function writeSnapshot(snapshot: EtcdSnapshot, path: string): Promise<SavedSnapshot> {
  const part = `${path}.part`;
  try {
    await writePart(snapshot, part);
    await rename(part, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(part, { force: true }).catch(() => undefined);
    throw error instanceof EtcdError ? error : fileError(path, error, snapshot.endpoint);
  }
  return { path, bytes: snapshot.bytes, endpoint: snapshot.endpoint, version: snapshot.version };
}

/** What an interrupted save left behind is removed first: its mode may be another, and its bytes must not shine through. */
async function writePart(snapshot: EtcdSnapshot, part: string): Promise<void> {
  await rm(part, { force: true });
  const file = await open(part, 'wx', MODE);
  try {
    for await (const { bytes } of snapshot) await file.writeFile(bytes);
    await file.sync();
    await requireOwn(file, part);
  } finally {
    await file.close();
  }
}

/** Another process that saves to the same path has put its own, unfinished part in place of ours. */
async function requireOwn(file: FileHandle, part: string): Promise<void> {
  const [ours, named] = await Promise.all([file.stat(), stat(part)]);
  if (ours.ino !== named.ino) throw new Error('another save to the same path is under way');
}

/** The new name itself has to reach the disk. Windows has no such call for folders, and does not need it. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function fileError(path: string, cause: unknown, endpoint: string | undefined): EtcdSnapshotError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new EtcdSnapshotError('file', `the snapshot cannot be written to ${path}: ${reason}`, { endpoint, cause });
}
