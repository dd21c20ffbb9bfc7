/** Looking after the members of a real cluster: status, leadership, alarms, defragmentation, hashes, downgrades, snapshots. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  EtcdAbortedError,
  EtcdBadLeaderTransfereeError,
  EtcdClient,
  EtcdClosedError,
  type EtcdError,
  EtcdFutureRevisionError,
  EtcdNoSpaceError,
  EtcdPermissionDeniedError,
  EtcdUnavailableError,
  type HashKvResponse,
} from '../../lib/client/index.js';
import { run } from '../support/etcd/run.js';
import { temporaryFolder, type TemporaryFolder } from '../support/etcd/temporary-folder.js';
import { compareVersions } from '../support/etcd/version.js';
import { eventually, findEtcd, startCluster, startEtcd, startProxy, type Etcd } from '../support/index.js';

const MIB = 1024 * 1024;

/** Makes the database about as large as asked. */
async function fill({ kv }: EtcdClient, bytes: number): Promise<void> {
  const value = 'x'.repeat(64 * 1024);
  for (let written = 0; written < bytes; written += value.length) await kv.put(`fill/${written % MIB}`, value);
}

const isAtLeast = (etcd: Etcd, version: string): boolean => compareVersions(etcd.version, version) >= 0;

describe('EtcdMaintenance on three members', () => {
  let etcd: Etcd;
  let client: EtcdClient;

  beforeAll(async () => {
    etcd = await startCluster();
    client = new EtcdClient({ endpoints: etcd.endpoints });
  });

  afterAll(async () => {
    await client.close();
    await etcd.stop();
  });

  /** The ID of a member that does not lead, and its index. */
  async function someFollower(): Promise<{ index: number; id: string }> {
    const index = ((await etcd.leaderIndex()) + 1) % 3;
    return { index, id: (await etcd.status(index)).memberId };
  }

  it('tells the status of each member by its endpoint', async () => {
    const leader = await etcd.leaderIndex();

    const statuses = await Promise.all(client.endpoints.map((endpoint) => client.maintenance.status(endpoint)));

    expect(statuses.map(({ version }) => version)).toEqual([etcd.version, etcd.version, etcd.version]);
    expect(new Set(statuses.map(({ header }) => header.memberId)).size).toBe(3);
    for (const status of statuses) {
      expect(status.leader).toBe(statuses[leader]!.header.memberId);
      expect(status.dbSize).toBeGreaterThanOrEqual(status.dbSizeInUse);
      expect(status).toMatchObject({ isLearner: false, errors: [], downgradeTo: undefined });
    }
  });

  it('moves the leader by whatever endpoint, since it finds the leader', async () => {
    for (let turn = 0; turn < 3; turn++) {
      const { index, id } = await someFollower();

      await client.maintenance.moveLeader(id);

      expect(await etcd.leaderIndex()).toBe(index);
    }
  });

  it('moves the leader with a client that knows a follower only, by the addresses of the member list', async () => {
    const { index, id } = await someFollower();
    await using lone = new EtcdClient({ endpoints: etcd.endpoints[index]! });

    await lone.maintenance.moveLeader(id);

    expect(await etcd.leaderIndex()).toBe(index);
  });

  it('is fine with a target that leads already, and refuses one that does not exist', async () => {
    const { memberId } = await etcd.status(await etcd.leaderIndex());

    await client.maintenance.moveLeader(memberId);

    await expect(client.maintenance.moveLeader('123abc')).rejects.toBeInstanceOf(EtcdBadLeaderTransfereeError);
    expect((await etcd.status(await etcd.leaderIndex())).memberId).toBe(memberId);
  });

  it('moves the leader while a member is down', async () => {
    const { index, id } = await someFollower();
    const down = [0, 1, 2].find((other) => other !== index && other !== (index + 2) % 3)!;
    await etcd.members[down]!.kill();

    await client.maintenance.moveLeader(id);
    expect(await etcd.leaderIndex()).toBe(index);

    await etcd.members[down]!.restart();
  });

  it('arms an alarm that stops all writes, and disarms it, one or all', async () => {
    const { maintenance, kv } = client;
    const [first, second] = [(await etcd.status(0)).memberId, (await etcd.status(1)).memberId];

    const armed = await maintenance.armAlarm({ memberId: first, alarm: 'NOSPACE' });
    await maintenance.armAlarm({ memberId: second, alarm: 'NOSPACE' });

    expect(armed.alarms).toEqual([{ memberId: first, alarm: 'NOSPACE' }]);
    expect(await maintenance.alarms()).toHaveLength(2);
    await expect(kv.put('a', 'x')).rejects.toBeInstanceOf(EtcdNoSpaceError);
    expect((await maintenance.status(etcd.endpoints[0]!)).errors.join()).toContain('NOSPACE');

    const one = await maintenance.disarmAlarm({ memberId: second, alarm: 'NOSPACE' });
    expect(one.alarms).toEqual([{ memberId: second, alarm: 'NOSPACE' }]);
    await expect(kv.put('a', 'x')).rejects.toBeInstanceOf(EtcdNoSpaceError);

    const rest = await maintenance.disarmAlarms();
    expect(rest.alarms).toEqual([{ memberId: first, alarm: 'NOSPACE' }]);
    expect(rest.header !== undefined).toBe(isAtLeast(etcd, '3.5.0'));
    expect(await maintenance.alarms()).toEqual([]);
    expect((await maintenance.disarmAlarms()).alarms).toEqual([]);
    await kv.put('a', 'x');
  });

  it('hashes the same keys to the same value on all members', async () => {
    const { header } = await client.kv.put('hashed', 'x');
    const hash = (endpoint: string): Promise<HashKvResponse> =>
      eventually(() => client.maintenance.hashKv(endpoint, { revision: header.revision }), { what: 'caught up' });

    const before = await Promise.all(etcd.endpoints.map(hash));
    const { header: next } = await client.kv.put('hashed', 'y');
    const after = await client.maintenance.hashKv(etcd.endpoints[0]!, { revision: next.revision });

    expect(new Set(before.map((answer) => `${answer.hash} ${answer.compactRevision}`)).size).toBe(1);
    expect(new Set(before.map((answer) => answer.header.memberId)).size).toBe(3);
    expect(after.hash).not.toBe(before[0]!.hash);
    expect(after.hashRevision).toBe(isAtLeast(etcd, '3.6.0') ? next.revision : undefined);
    await expect(
      client.maintenance.hashKv(etcd.endpoints[0]!, { revision: next.revision + 1_000 }),
    ).rejects.toBeInstanceOf(EtcdFutureRevisionError);
    expect((await client.maintenance.hash(etcd.endpoints[0]!)).hash).toBeGreaterThan(0);
  });

  it('gives unused space back, on the member it is told to', async () => {
    const { maintenance, kv } = client;
    await fill(client, 4 * MIB);
    const { header } = await kv.put('last', 'x');
    await kv.compact(header.revision, { physical: true });
    const sizes = (): Promise<number[]> =>
      Promise.all(etcd.endpoints.map(async (endpoint) => (await maintenance.status(endpoint)).dbSize));
    const before = await eventually(
      async () => {
        await kv.put('nudge', 'x'); // a member counts its free pages when it commits
        const { dbSize, dbSizeInUse } = await maintenance.status(etcd.endpoints[1]!);
        return dbSizeInUse < dbSize - 2 * MIB ? await sizes() : undefined;
      },
      { what: 'unused space' },
    );

    await maintenance.defragment(etcd.endpoints[1]!);

    const after = await sizes();
    expect(after[1]).toBeLessThan(before[1]! - MIB);
    expect(after[0]).toBeGreaterThanOrEqual(before[0]!);
    expect((await kv.get('last'))?.value).toBe('x');
  });

  it('reuses the connection it has to an endpoint, also to one that is not of its list', async () => {
    await using proxy = await startProxy({ targetPort: etcd.members[0]!.port });
    await using other = new EtcdClient({ endpoints: etcd.endpoints[1]! });

    for (let turn = 0; turn < 5; turn++) await other.maintenance.status(proxy.endpoint);
    await other.maintenance.hashKv(proxy.endpoint);

    expect(proxy.connections).toBe(1);
  });

  it('C1: ends a call to an endpoint where nobody listens, and says why', async () => {
    const endpoint = 'http://127.0.0.1:9';

    const error = await client.maintenance.defragment(endpoint, { timeoutMs: 300 }).catch((reason: unknown) => reason);

    expect(error).toBeInstanceOf(EtcdUnavailableError);
    expect(error).toMatchObject({ method: 'Maintenance.Defragment', outcome: 'not-applied' });
  });

  it('C1: says that the leader cannot be found when no member is there', async () => {
    await using lost = new EtcdClient({ endpoints: ['http://127.0.0.1:9', 'http://127.0.0.1:10'] });

    const error = await lost.maintenance.moveLeader('1', { timeoutMs: 300 }).catch((reason: unknown) => reason);

    expect(error).toBeInstanceOf(EtcdUnavailableError);
    expect(error).toMatchObject({ method: 'Maintenance.MoveLeader', outcome: 'not-applied' });
    expect((error as EtcdUnavailableError).endpoints.map(({ endpoint }) => endpoint)).toEqual([
      'http://127.0.0.1:9',
      'http://127.0.0.1:10',
    ]);
    expect(String(error)).toContain('ECONNREFUSED');
  });
});

describe('EtcdMaintenance with TLS', () => {
  it('C6: sends nothing in the clear, not even to an endpoint that a single call names', async () => {
    await using etcd = await startEtcd({ own: true, tls: true });
    await using plaintext = await startEtcd({ own: true });
    await using client = new EtcdClient({ endpoints: etcd.endpoints, tls: { ca: etcd.tls!.ca, ...etcd.tls!.client } });
    await using proxy = await startProxy({ targetPort: plaintext.members[0]!.port });

    const error = await client.maintenance.status(proxy.endpoint).catch((reason: unknown) => reason);

    expect(error).toBeInstanceOf(EtcdUnavailableError);
    expect(String(error)).toContain('tls cannot be combined with the plaintext endpoint');
    expect(proxy.connections).toBe(0);
    expect((await client.maintenance.status(etcd.endpoint)).version).toBe(etcd.version);
  });
});

describe('EtcdMaintenance downgrades', () => {
  let etcd: Etcd;
  let client: EtcdClient;

  beforeAll(async () => {
    etcd = await startEtcd({ own: true });
    client = new EtcdClient({ endpoints: etcd.endpoints });
  });

  afterAll(async () => {
    await client.close();
    await etcd.stop();
  });

  const oneBelow = (): string => {
    const [major = 3, minor = 0] = etcd.version.split('.').map(Number);
    return `${major}.${minor - 1}.0`;
  };

  it('validates, enables and cancels, or says which release can', async () => {
    const { maintenance } = client;
    const steps = [
      () => maintenance.downgradeValidate(oneBelow()),
      () => maintenance.downgradeValidate('9.9.0'),
      () => maintenance.downgradeCancel(),
      () => maintenance.downgradeEnable(oneBelow()),
      () => maintenance.downgradeEnable(oneBelow()),
      () => maintenance.downgradeCancel(),
      () => maintenance.downgradeCancel(),
    ];

    const outcomes: string[] = [];
    for (const step of steps) outcomes.push(await step().then(() => 'ok', describeRefusal));

    expect(outcomes).toEqual(expectedOutcomes(steps.length));
  });

  it('shows a downgrade under way in the status, since 3.6', async () => {
    const { maintenance } = client;
    await maintenance.downgradeEnable(oneBelow(), { timeoutMs: 1_000 }).catch(() => undefined);

    const { downgradeTo } = await maintenance.status(etcd.endpoint);
    await maintenance.downgradeCancel({ timeoutMs: 1_000 }).catch(() => undefined);

    expect(downgradeTo?.startsWith(oneBelow().slice(0, 3))).toBe(isAtLeast(etcd, '3.6.0') ? true : undefined);
    expect((await maintenance.status(etcd.endpoint)).downgradeTo).toBeUndefined();
  });

  /**
   * 3.5 carries an enable or a cancel out, and then says that it has timed out: the next step shows that it is done.
   * Newer releases are fine with a cancel when there is nothing to cancel.
   */
  function expectedOutcomes(count: number): string[] {
    if (!isAtLeast(etcd, '3.5.0')) return Array.from({ length: count }, () => 'ETCD_UNSUPPORTED 3.5');
    const [done, idle] = isAtLeast(etcd, '3.6.0') ? ['ok', 'ok'] : ['Timeout', 'NoInflightDowngrade'];
    return ['ok', 'InvalidDowngradeTargetVersion', idle, done, 'DowngradeInProcess', done, idle];
  }

  function describeRefusal(error: unknown): string {
    const { code, since, reason } = error as { code: string; since?: string; reason?: string };
    return reason ?? `${code} ${String(since)}`;
  }
});

describe('EtcdMaintenance snapshots', () => {
  let etcd: Etcd;
  let client: EtcdClient;
  let folder: TemporaryFolder;

  beforeAll(async () => {
    etcd = await startCluster();
    client = new EtcdClient({ endpoints: etcd.endpoints });
    folder = await temporaryFolder();
    await fill(client, 3 * MIB);
  });

  afterAll(async () => {
    await client.close();
    await folder.remove();
    await etcd.stop();
  });

  it("saves a file that etcd's own tools find whole and restore", async () => {
    const path = join(folder.path, 'etcd.db');
    await client.kv.put('restored', 'x');

    const saved = await client.maintenance.saveSnapshot(path, { endpoint: etcd.endpoints[2]! });

    const file = await readFile(path);
    expect(saved).toMatchObject({ path, bytes: file.byteLength, endpoint: etcd.endpoints[2] });
    expect(saved.bytes).toBeGreaterThan(3 * MIB);
    expect(saved.bytes % 512).toBe(32);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(folder.path)).toEqual(['etcd.db']);
    const digest = createHash('sha256').update(file.subarray(0, -32)).digest();
    expect(digest.equals(file.subarray(-32))).toBe(true);
    const tool = await snapshotTool();
    const dataFolder = join(folder.path, 'restored');
    const outputs =
      tool === undefined
        ? []
        : [
            await run(tool, ['snapshot', 'status', path]),
            await run(tool, ['snapshot', 'restore', path, '--data-dir', dataFolder]),
          ];
    expect(outputs).toHaveLength(tool === undefined ? 0 : 2);
    expect(existsSync(dataFolder)).toBe(tool !== undefined);
  });

  /** `etcdutl`, or before 3.5 `etcdctl`; of 3.6 and newer there may be only `etcdctl`, which cannot do it any more. */
  async function snapshotTool(): Promise<string | undefined> {
    const { etcd: program, etcdctl } = await findEtcd();
    const etcdutl = join(dirname(program), 'etcdutl');
    if (existsSync(etcdutl)) return etcdutl;
    return isAtLeast(etcd, '3.6.0') ? undefined : etcdctl;
  }

  it('counts down to zero, and hands out every byte', async () => {
    const snapshot = client.maintenance.snapshot({ endpoint: etcd.endpoints[0]! });

    let bytes = 0;
    const remaining: number[] = [];
    for await (const chunk of snapshot) {
      bytes += chunk.bytes.byteLength;
      remaining.push(chunk.remainingBytes);
    }

    expect(snapshot.bytes).toBe(bytes);
    expect(remaining).toEqual([...remaining].sort((a, b) => b - a));
    expect(remaining.slice(-2)).toEqual([0, 0]);
    expect(remaining[0]).toBeGreaterThan(2 * MIB);
    expect(snapshot.endpoint).toBe(etcd.endpoints[0]);
  });

  it('waits for a slow reader without reading ahead much', async () => {
    await using proxy = await startProxy({ targetPort: etcd.members[0]!.port });
    await using slow = new EtcdClient({ endpoints: proxy.endpoint });

    const iterator = slow.maintenance.snapshot()[Symbol.asyncIterator]();
    await iterator.next();
    const settled = await eventually(() => stable(() => proxy.bytes('s2c')), { what: 'the server waits' });
    await iterator.return(undefined);

    expect(settled).toBeLessThan(3 * MIB);
  });

  /** The value, once it has been the same for a while. */
  async function stable(read: () => number): Promise<number | undefined> {
    const before = read();
    await new Promise((resolve) => setTimeout(resolve, 150));
    return before > 0 && read() === before ? before : undefined;
  }

  it('leaves nothing behind when the connection breaks in the middle', async () => {
    await using proxy = await startProxy({ targetPort: etcd.members[0]!.port });
    await using broken = new EtcdClient({ endpoints: proxy.endpoint });
    const path = join(folder.path, 'broken.db');
    await broken.ready();

    // Slowly, so that the first pieces are there before the end: without any the snapshot would be asked for again.
    proxy.throttle({ bytesPerSecond: 4 * MIB });
    proxy.resetAfter('s2c', MIB);
    const error = await broken.maintenance.saveSnapshot(path).catch((reason: unknown) => reason);

    expect(error).toBeInstanceOf(EtcdUnavailableError);
    expect(error).toMatchObject({ method: 'Maintenance.Snapshot' });
    expect((await readdir(folder.path)).filter((name) => name.startsWith('broken'))).toEqual([]);
  });

  it('ends with its signal, with its timeout, and with the client', async () => {
    const path = join(folder.path, 'ended.db');
    await using proxy = await startProxy({ targetPort: etcd.members[0]!.port });
    proxy.throttle({ bytesPerSecond: 256 * 1024 });
    const slow = new EtcdClient({ endpoints: proxy.endpoint });
    await slow.ready();
    const abort = new AbortController();

    const timedOut = slow.maintenance.saveSnapshot(path, { timeoutMs: 200 });
    await expect(timedOut).rejects.toMatchObject({ code: 'ETCD_DEADLINE_EXCEEDED' });
    const aborted = slow.maintenance.saveSnapshot(path, { signal: abort.signal });
    abort.abort();
    await expect(aborted).rejects.toBeInstanceOf(EtcdAbortedError);
    const closed = slow.maintenance.saveSnapshot(path);
    await slow.close();
    await expect(closed).rejects.toBeInstanceOf(EtcdClosedError);

    expect((await readdir(folder.path)).filter((name) => name.startsWith('ended'))).toEqual([]);
  });
});

describe('EtcdMaintenance with authentication on', () => {
  let etcd: Etcd;
  let goodToken: string;

  beforeAll(async () => {
    etcd = await startEtcd({ own: true, auth: true });
    await etcd.auth.addUser('bob', 'bob-secret');
    const { name, password } = etcd.auth.root!;
    await using guest = new EtcdClient({ endpoints: etcd.endpoints });
    goodToken = await guest.auth.authenticate(name, password);
  });

  afterAll(() => etcd.stop());

  /** The calls that 3.4 and 3.5 refuse in words of their own. */
  const CALLS: readonly (readonly [string, (client: EtcdClient, endpoint: string) => Promise<unknown>])[] = [
    ['defragment', ({ maintenance }, endpoint) => maintenance.defragment(endpoint)],
    ['hash', ({ maintenance }, endpoint) => maintenance.hash(endpoint)],
    ['hashKv', ({ maintenance }, endpoint) => maintenance.hashKv(endpoint)],
    ['alarms', ({ maintenance }) => maintenance.alarms()],
    [
      'snapshot',
      async ({ maintenance }) => {
        const snapshot = maintenance.snapshot();
        for await (const { bytes } of snapshot) expect(bytes.byteLength).toBeGreaterThan(0);
      },
    ],
  ];

  it.each(CALLS)('C5: %s gets a new token when the old one is refused', async (_name, call) => {
    const tokens = ['expired.1', goodToken];
    await using client = new EtcdClient({ endpoints: etcd.endpoints, auth: { token: () => tokens.shift() ?? '' } });

    await call(client, etcd.endpoint);

    expect(tokens).toEqual([]);
  });

  it.each(CALLS.filter(([name]) => name !== 'alarms'))('refuses %s to all but root, as denied', async (_name, call) => {
    await using client = new EtcdClient({
      endpoints: etcd.endpoints,
      auth: { username: 'bob', password: 'bob-secret' },
    });

    const error = await call(client, etcd.endpoint).catch((reason: unknown) => reason);

    expect(error).toBeInstanceOf(EtcdPermissionDeniedError);
    expect((error as EtcdError).message).not.toContain('bob-secret');
  });
});
