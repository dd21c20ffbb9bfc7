/** Ordered reads on a real cluster, one member of which is behind and cannot catch up. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { EtcdClient } from '../../lib/client/client.js';
import { EtcdStaleReadError } from '../../lib/client/views/stale-read-error.js';
import { eventually, startCluster, type Etcd, type Member } from '../support/index.js';
import { runningMs } from '../support/running-time.js';

let etcd: Etcd;
let client: EtcdClient;
let behind: Member;
let ahead: Member;
let asleep: readonly Member[];
/** The revision of the last write, which the member that is behind has not heard of. */
let revision: number;

const SERIALIZABLE = { serializable: true } as const;
/** What is sent to a member that sleeps waits for it in its sockets; past 512 messages a leader sends no more. */
const WRITES = 1_500;

/**
 * Of four members, one sleeps through many writes. Then only that one and one that knows them all are awake: two of four
 * are no majority, so there is no leader that could tell it. Both answer serializable reads.
 */
beforeAll(async () => {
  etcd = await startCluster({ members: 4 });
  const index = await etcd.leaderIndex();
  const [leader, second, third, fourth] = etcd.members.map((_, offset) => etcd.members[(index + offset) % 4]!);
  [ahead, asleep, behind] = [second!, [leader!, third!], fourth!];
  await using writer = new EtcdClient({ endpoints: [leader!.endpoint] });
  await writer.kv.put('a', 'old');

  await behind.freeze();
  for (let write = 1; write < WRITES; write++) await writer.kv.put('a', 'old');
  revision = (await writer.kv.put('a', 'new')).header.revision;
  await eventually(async () => (await statusOf(ahead)).revision === revision, { what: 'the last write is ahead' });
  for (const member of asleep) await member.freeze();
  await eventually(async () => (await statusOf(ahead)).leader === undefined, { what: 'the leader is given up' });
  await behind.resume();
  await eventually(async () => (await statusOf(behind)).leader === undefined, { what: 'nobody leads' });
}, 180_000);

afterAll(async () => {
  await client.close();
  await etcd.stop();
});

const statusOf = (member: Member): ReturnType<Etcd['status']> => etcd.status(etcd.members.indexOf(member));

/** A client of these members, all of them connected. */
async function connect(...members: readonly Member[]): Promise<EtcdClient> {
  const connected = new EtcdClient({ endpoints: members.map(({ endpoint }) => endpoint) });
  await eventually(
    async () => {
      await connected.kv.get('a', SERIALIZABLE);
      return connected.stats().endpoints.every(({ state }) => state === 'ready');
    },
    { what: 'all members are connected' },
  );
  return connected;
}

describe('Serializable reads while a member is behind', () => {
  it('go back in time without a guard', async () => {
    client = await connect(ahead, behind);

    const values = new Set<string | undefined>();
    for (let read = 0; read < 10; read++) values.add((await client.kv.get('a', SERIALIZABLE))?.value);

    expect([...values].sort()).toEqual(['new', 'old']);
    expect((await statusOf(behind)).revision).toBeLessThan(revision);
  });

  it('never go back under the guard, once something newer was seen', async () => {
    const ordered = client.ordered({ revision });

    const values: (string | undefined)[] = [];
    for (let read = 0; read < 20; read++) values.push((await ordered.kv.get('a', SERIALIZABLE))?.value);

    expect(values).toEqual(values.map(() => 'new'));
    expect(ordered.revision).toBe(revision);
  });

  it('never go back when many run at once', async () => {
    const ordered = client.ordered({ revision });

    const reads = Array.from({ length: 40 }, () => ordered.kv.range('a', SERIALIZABLE));

    for (const { header } of await Promise.all(reads)) expect(header.revision).toBeGreaterThanOrEqual(revision);
  });

  it('may be old until then', async () => {
    const own = await connect(behind);

    expect((await own.ordered().kv.get('a', SERIALIZABLE))?.value).toBe('old');
    await own.close();
  });

  it('fail within their time when nobody who answers has caught up, and say so', async () => {
    const own = await connect(behind);
    const startedAt = runningMs();

    const reading = own.ordered({ revision }).kv.get('a', { ...SERIALIZABLE, timeoutMs: 1_000 });

    await expect(reading).rejects.toBeInstanceOf(EtcdStaleReadError);
    expect(runningMs() - startedAt).toBeLessThan(1_500);
    const currentRevision = (await statusOf(behind)).revision;
    await expect(reading).rejects.toMatchObject({ seenRevision: revision, currentRevision });
    await own.close();
  });

  it('succeed as soon as the member has caught up', async () => {
    const own = await connect(behind);
    const reading = own.ordered({ revision }).kv.get('a', { ...SERIALIZABLE, timeoutMs: 20_000 });

    for (const member of asleep) await member.resume();

    expect((await reading)?.value).toBe('new');
    await own.close();
  }, 40_000);
});
