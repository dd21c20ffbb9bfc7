/** A reader that sleeps through a flood: what it costs, what it loses, whom it holds up. Promises W1 and W4, row C8. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { EtcdClient } from '../../lib/client/client.js';
import { prefix } from '../../lib/client/key-range.js';
import { put } from '../../lib/client/kv/operations.js';
import type { WatchEvent } from '../../lib/client/watch/event.js';
import { keptBytes } from '../support/heap.js';
import { startEtcd, type Etcd } from '../support/index.js';

const EVENTS_PER_REVISION = 25;
const WRITERS = 8;

let etcd: Etcd;
let client: EtcdClient;

beforeAll(async () => {
  etcd = await startEtcd({ own: true });
  client = new EtcdClient({ endpoints: etcd.endpoints });
}, 60_000);

afterAll(async () => {
  await client.close();
  await etcd.stop();
});

/** Writes so many events, in transactions, while `onWrite` is told of each. */
async function flood(folder: string, events: number, onWrite: () => void = () => undefined): Promise<void> {
  let left = events / EVENTS_PER_REVISION;
  const write = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const operations = Array.from({ length: EVENTS_PER_REVISION }, (_, index) =>
        put(`${folder}/${index}`, `${left}`),
      );
      await client.kv
        .txn()
        .then(...operations)
        .commit();
      onWrite();
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, write));
}

/** The median time from a write to its event in another watch of the same client, while a flood goes on. */
async function medianDelayMs(during: Promise<void>): Promise<number> {
  const state = { isOver: false };
  void during.finally(() => (state.isOver = true));
  const delays: number[] = [];
  const watcher = client.watch.watch('other');
  const events = watcher[Symbol.asyncIterator]();
  await watcher.created;
  while (!state.isOver) {
    const writtenAt = performance.now();
    await Promise.all([client.kv.put('other', 'x'), events.next()]);
    delays.push(performance.now() - writtenAt);
  }
  await watcher.close();
  return delays.sort((one, other) => one - other)[Math.floor(delays.length / 2)]!;
}

const shown = ({ type, kv, revision }: Pick<WatchEvent, 'type' | 'kv' | 'revision'>): string =>
  `${type} ${kv.key}=${kv.value}@${revision}`;

describe('A reader that sleeps (W4, C8)', () => {
  it('gets all of 100,000 events once it wakes, keeps a bounded number, and delays nobody by 50 ms', async () => {
    const delayBeforeMs = await medianDelayMs(flood('unwatched', 10_000));
    const sleeper = client.watch.watch(prefix('flood/'));
    const startRevision = (await sleeper.created) + 1;
    const keptBefore = keptBytes();
    let [mostRevisions, mostBytes] = [0, 0];

    const delayMs = await medianDelayMs(
      flood('flood', 100_000, () => {
        mostRevisions = Math.max(mostRevisions, sleeper.bufferedRevisions);
        mostBytes = Math.max(mostBytes, client.watch.stats().bufferedBytes);
      }),
    );
    const growth = keptBytes() - keptBefore;

    expect(mostRevisions).toBe(1_000);
    expect(mostBytes).toBeLessThanOrEqual(16 * 1024 * 1024);
    expect(growth).toBeLessThan(32 * 1024 * 1024);
    expect(client.watch.stats()).toMatchObject({ paused: 1, bufferedRevisions: 1_000 });

    const events: string[] = [];
    for await (const event of sleeper) if (events.push(shown(event)) === 100_000) break;
    // The machine may be busier at one time than at another, and the more so the slower it is.
    const delayAfterMs = await medianDelayMs(flood('unwatched', 10_000));
    expect(delayMs).toBeLessThan(2 * Math.max(delayBeforeMs, delayAfterMs) + 50);
    const truth = await etcd.gateway.history('flood/', startRevision);
    expect(events).toEqual(truth.map(({ type, kv }) => `${type} ${kv.key}=${kv.value}@${kv.modRevision}`));
  }, 180_000);
});
