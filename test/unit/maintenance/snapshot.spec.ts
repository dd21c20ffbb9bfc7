/** Snapshots as they pass: verified to the last byte, opened again only while nothing was handed out, saved whole or not at all. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EtcdClosedError, EtcdInvalidArgumentError, EtcdUnavailableError } from '../../../lib/client/errors.js';
import { EtcdMaintenance } from '../../../lib/client/maintenance/maintenance.js';
import { EtcdSnapshotError } from '../../../lib/client/maintenance/snapshot-error.js';
import type * as wire from '../../../lib/client/rpc/generated/messages.js';
import { SNAPSHOT } from '../../../lib/client/rpc/methods.js';
import type { RpcCallOptions } from '../../../lib/client/rpc/rpc.js';
import { EtcdAuthenticationError, EtcdPermissionDeniedError } from '../../../lib/client/server-errors.js';
import { FakeClock } from '../../support/fake-clock.js';
import { FakeRpc, type FakeStream } from '../../support/fake-rpc.js';

type Stream = FakeStream<wire.SnapshotRequest, wire.SnapshotResponse>;
type Script = (stream: Stream, options: RpcCallOptions) => void;

const PIECE = 1_024;
const DB = Buffer.from(Array.from({ length: 4 * PIECE }, (_, index) => (index * 31) % 251));
const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();
const FILE = Buffer.concat([DB, sha256(DB)]);

const message = (blob: Uint8Array, remainingBytes: number, version = ''): wire.SnapshotResponse => ({
  header: null,
  remainingBytes,
  blob,
  version,
});

/** What a server sends: the database in pieces, then its digest on its own. */
function messagesOf(db: Uint8Array, digest: Uint8Array = sha256(db), version = ''): wire.SnapshotResponse[] {
  const pieces: wire.SnapshotResponse[] = [];
  for (let at = 0; at < db.byteLength; at += PIECE) {
    const blob = db.subarray(at, at + PIECE);
    pieces.push(message(blob, db.byteLength - at - blob.byteLength, version));
  }
  return [...pieces, message(digest, 0)];
}

const sends =
  (...messages: wire.SnapshotResponse[]): Script =>
  (stream) =>
    stream.deliver(...messages).end();

const breaks =
  (error: Error, ...messages: wire.SnapshotResponse[]): Script =>
  (stream) =>
    stream.deliver(...messages).fail(error);

const lostConnection = (): EtcdUnavailableError =>
  new EtcdUnavailableError('the connection failed: reset', [], { method: 'Maintenance.Snapshot' });

/** The first stream follows the first script, and so on. */
function setUp(...scripts: Script[]): { rpc: FakeRpc; clock: FakeClock; maintenance: EtcdMaintenance } {
  const rpc = new FakeRpc();
  const clock = new FakeClock();
  rpc.onStream(SNAPSHOT, (stream, options) => {
    const script = scripts[rpc.streams.length - 1];
    if (script === undefined) throw new Error(`stream ${rpc.streams.length} was not expected`);
    script(stream, options);
  });
  return { rpc, clock, maintenance: new EtcdMaintenance(rpc, () => [], clock) };
}

async function readAll(chunks: AsyncIterable<{ readonly bytes: Uint8Array }>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const { bytes } of chunks) parts.push(bytes);
  return Buffer.concat(parts);
}

describe('EtcdMaintenance.snapshot', () => {
  it('yields the database and then its digest, as one file', async () => {
    const { rpc, maintenance } = setUp((stream) => {
      stream.deliver(...messagesOf(DB));
      setImmediate(() => stream.end());
    });

    const snapshot = maintenance.snapshot();
    const file = await readAll(snapshot);

    expect(file.equals(FILE)).toBe(true);
    expect(snapshot).toMatchObject({ bytes: FILE.byteLength, endpoint: 'http://fake:2379', version: undefined });
    expect(rpc.streams[0]).toMatchObject({ sent: [{}], isHalfClosed: true });
  });

  it('counts the remaining bytes of the database down to zero', async () => {
    const { maintenance } = setUp(sends(...messagesOf(DB)));

    const remaining: number[] = [];
    for await (const { remainingBytes } of maintenance.snapshot()) remaining.push(remainingBytes);

    expect(remaining).toEqual([3 * PIECE, 2 * PIECE, PIECE, 0, 0]);
  });

  it('tells the storage version once the server has', async () => {
    const { maintenance } = setUp(sends(...messagesOf(DB, sha256(DB), '3.6.0')));

    const snapshot = maintenance.snapshot();
    await readAll(snapshot);

    expect(snapshot.version).toBe('3.6.0');
  });

  it('takes a digest that comes in one message with the end of the database', async () => {
    const { maintenance } = setUp(sends(message(DB.subarray(0, PIECE), 3 * PIECE), message(FILE.subarray(PIECE), 0)));

    expect((await readAll(maintenance.snapshot())).equals(FILE)).toBe(true);
  });

  it('opens nothing before it is read, and asks the chosen endpoint', async () => {
    const opened: RpcCallOptions[] = [];
    const { rpc, maintenance } = setUp((stream, options) => {
      opened.push(options);
      stream.deliver(...messagesOf(DB)).end();
    });
    const { signal } = new AbortController();

    const snapshot = maintenance.snapshot({ endpoint: 'http://10.0.0.2:2379', signal });
    expect(rpc.streams).toEqual([]);
    await readAll(snapshot);

    expect(opened).toEqual([{ endpoint: 'http://10.0.0.2:2379', signal, timeoutMs: undefined }]);
  });

  it('holds the digest back when it is not that of the bytes, so that the file stays incomplete', async () => {
    const damaged = Buffer.from(DB);
    damaged[100]! ^= 1;
    const { maintenance } = setUp(sends(...messagesOf(damaged, sha256(DB))));

    const parts: Uint8Array[] = [];
    const error = await (async () => {
      for await (const { bytes } of maintenance.snapshot()) parts.push(bytes);
    })().catch((reason: unknown) => reason);

    expect(error).toBeInstanceOf(EtcdSnapshotError);
    expect(error).toMatchObject({ fault: 'digest', method: 'Maintenance.Snapshot', endpoint: 'http://fake:2379' });
    expect(String(error)).toContain(sha256(DB).toString('hex'));
    expect(Buffer.concat(parts).equals(damaged)).toBe(true);
  });

  it.each([
    ['ends in the middle of the database', messagesOf(DB).slice(0, 2), 'incomplete'],
    ['ends before the digest', messagesOf(DB).slice(0, 4), 'digest'],
    ['ends with half a digest', [...messagesOf(DB).slice(0, 4), message(sha256(DB).subarray(0, 16), 0)], 'incomplete'],
    ['holds nothing', [], 'incomplete'],
    ['holds a digest of nothing', messagesOf(Buffer.alloc(0)), 'size'],
    ['is not made of whole pages', messagesOf(DB.subarray(0, 1_000)), 'size'],
  ])('refuses a snapshot that %s', async (_what, messages, fault) => {
    const { maintenance } = setUp(sends(...messages));

    const error = await readAll(maintenance.snapshot()).catch((reason: unknown) => reason);

    expect(error).toBeInstanceOf(EtcdSnapshotError);
    expect(error).toMatchObject({ code: 'ETCD_SNAPSHOT', fault });
  });

  it('throws the error of a stream that breaks in the middle, and does not begin anew', async () => {
    const broken = lostConnection();
    const { rpc, maintenance } = setUp(breaks(broken, ...messagesOf(DB).slice(0, 3)));

    await expect(readAll(maintenance.snapshot())).rejects.toBe(broken);
    expect(rpc.streams).toHaveLength(1);
  });

  it('C5: opens the stream anew when the token was refused, and nobody notices', async () => {
    const facts = { reason: 'InvalidAuthToken', serverMessage: 'etcdserver: invalid auth token' };
    const { rpc, maintenance } = setUp(breaks(new EtcdAuthenticationError(facts)), sends(...messagesOf(DB)));

    expect((await readAll(maintenance.snapshot())).equals(FILE)).toBe(true);
    expect(rpc.streams).toHaveLength(2);
  });

  it('C3: opens the stream anew when it breaks before anything was handed out', async () => {
    const { maintenance } = setUp(breaks(lostConnection(), messagesOf(DB)[0]!), sends(...messagesOf(DB)));

    const snapshot = maintenance.snapshot();

    expect((await readAll(snapshot)).equals(FILE)).toBe(true);
    expect(snapshot.bytes).toBe(FILE.byteLength);
  });

  it('gives up after three streams', async () => {
    const last = lostConnection();
    const { rpc, maintenance } = setUp(breaks(lostConnection()), breaks(lostConnection()), breaks(last));

    await expect(readAll(maintenance.snapshot())).rejects.toBe(last);
    expect(rpc.streams).toHaveLength(3);
  });

  it.each([
    ['may not', new EtcdPermissionDeniedError({ reason: 'PermissionDenied', serverMessage: 'denied' })],
    [
      'cannot reach any endpoint',
      new EtcdUnavailableError('none', [{ endpoint: 'http://a:1', reason: 'certificate' }]),
    ],
    ['is closed', new EtcdClosedError()],
  ])('does not try again when the client %s', async (_what, error) => {
    const { rpc, maintenance } = setUp(breaks(error));

    await expect(readAll(maintenance.snapshot())).rejects.toBe(error);
    expect(rpc.streams).toHaveLength(1);
  });

  it('C1: gives all its streams one time together', async () => {
    const timeouts: (number | undefined)[] = [];
    const { clock, maintenance } = setUp(
      (stream, { timeoutMs }) => {
        timeouts.push(timeoutMs);
        void clock.advance(300).then(() => stream.fail(lostConnection()));
      },
      (stream, { timeoutMs }) => {
        timeouts.push(timeoutMs);
        stream.deliver(...messagesOf(DB)).end();
      },
    );

    await readAll(maintenance.snapshot({ timeoutMs: 1_000 }));

    expect(timeouts).toEqual([1_000, 700]);
  });

  it('C7: refuses a timeout out of range when it is read', async () => {
    const { maintenance } = setUp();

    await expect(readAll(maintenance.snapshot({ timeoutMs: 0.5 }))).rejects.toBeInstanceOf(EtcdInvalidArgumentError);
  });

  it('ends on the server when the loop is left', async () => {
    const { rpc, maintenance } = setUp((stream) => stream.deliver(...messagesOf(DB).slice(0, 3)));

    for await (const { bytes } of maintenance.snapshot()) {
      expect(bytes.byteLength).toBe(PIECE);
      break;
    }

    expect(rpc.streams[0]?.isClosed).toBe(true);
  });

  it('ends the loop without an error when it is closed', async () => {
    const { rpc, maintenance } = setUp((stream) => stream.deliver(...messagesOf(DB).slice(0, 3)));
    const snapshot = maintenance.snapshot();

    const remaining: number[] = [];
    for await (const { remainingBytes } of snapshot) {
      remaining.push(remainingBytes);
      if (remaining.length === 2) await snapshot[Symbol.asyncDispose]();
    }

    expect(remaining).toEqual([3 * PIECE, 2 * PIECE]);
    expect(rpc.streams[0]?.isClosed).toBe(true);
  });

  it('opens nothing when it was closed before', async () => {
    const { rpc, maintenance } = setUp();
    const snapshot = maintenance.snapshot();
    snapshot.close();

    expect((await readAll(snapshot)).byteLength).toBe(0);
    expect(rpc.streams).toEqual([]);
  });
});

describe('EtcdMaintenance.saveSnapshot', () => {
  let folder: string;
  let path: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nest-etcd-snapshot-'));
    path = join(folder, 'etcd.db');
  });

  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('writes a file that only its owner can read, and leaves nothing else behind', async () => {
    const { maintenance } = setUp(sends(...messagesOf(DB, sha256(DB), '3.6.0')));

    const saved = await maintenance.saveSnapshot(path);

    expect(saved).toEqual({ path, bytes: FILE.byteLength, endpoint: 'http://fake:2379', version: '3.6.0' });
    expect((await readFile(path)).equals(FILE)).toBe(true);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(FILE.byteLength % 512).toBe(32);
    expect(await readdir(folder)).toEqual(['etcd.db']);
  });

  it('replaces an older snapshot, and a part left behind with another mode', async () => {
    await writeFile(path, 'old');
    await writeFile(`${path}.part`, Buffer.alloc(10_000, 1));
    await chmod(`${path}.part`, 0o644);
    const { maintenance } = setUp(sends(...messagesOf(DB)));

    await maintenance.saveSnapshot(path);

    expect((await readFile(path)).equals(FILE)).toBe(true);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it.each([
    ['is damaged', sends(...messagesOf(DB, sha256(Buffer.from('other')))), EtcdSnapshotError],
    ['ends too early', sends(...messagesOf(DB).slice(0, 2)), EtcdSnapshotError],
    ['breaks in the middle', breaks(lostConnection(), ...messagesOf(DB).slice(0, 3)), EtcdUnavailableError],
  ])('keeps the older one and removes the part when the snapshot %s', async (_what, script, type) => {
    await writeFile(path, 'old');
    const { maintenance } = setUp(script);

    await expect(maintenance.saveSnapshot(path)).rejects.toBeInstanceOf(type);

    expect(await readFile(path, 'utf8')).toBe('old');
    expect(await readdir(folder)).toEqual(['etcd.db']);
  });

  it('says which file cannot be written and why, before the server is asked', async () => {
    const { rpc, maintenance } = setUp();
    const nowhere = join(folder, 'no', 'such', 'etcd.db');

    const error = await maintenance.saveSnapshot(nowhere).catch((reason: unknown) => reason);

    expect(error).toBeInstanceOf(EtcdSnapshotError);
    expect(error).toMatchObject({ fault: 'file', cause: { code: 'ENOENT' } });
    expect(String(error)).toContain(nowhere);
    expect(rpc.streams).toEqual([]);
  });

  it('removes the part when it cannot be given its name', async () => {
    await mkdir(path);
    const { maintenance } = setUp(sends(...messagesOf(DB)));

    await expect(maintenance.saveSnapshot(path)).rejects.toMatchObject({ fault: 'file' });
    expect(await readdir(folder)).toEqual(['etcd.db']);
  });

  it('does not pass off the unfinished part of another save as its own', async () => {
    const part = `${path}.part`;
    const { maintenance } = setUp((stream) => {
      stream.deliver(...messagesOf(DB));
      void writeFile(`${part}.other`, 'unfinished')
        .then(() => rename(`${part}.other`, part))
        .then(() => stream.end());
    });

    const error = await maintenance.saveSnapshot(path).catch((reason: unknown) => reason);

    expect(String(error)).toContain('another save to the same path is under way');
    expect(await readdir(folder)).not.toContain('etcd.db');
  });
});
