/** Reads that travel together on a real cluster of three with a member that freezes, hangs or dies. Promises C1, C3. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { EtcdClient } from '../../lib/client/client.js';
import type { Etcd } from '../support/etcd/cluster.js';
import { eventually, startCluster } from '../support/index.js';
import { runningMs } from '../support/running-time.js';

const KEYS = 20;
/** What a single call would see of a frozen member at worst: 1 s of silence, 0.7 s for a probe, and a second try. */
const WORST_MS = 2_000;

let cluster: Etcd;
let client: EtcdClient;

beforeAll(async () => {
  cluster = await startCluster({ members: 3 });
}, 120_000);

afterEach(async () => {
  await client.close();
  for (const member of cluster.members) if (!member.isAwake) await member.resume();
});

afterAll(async () => {
  await cluster.stop();
});

/** One read. Times are those of `runningMs()`. */
interface Timed {
  readonly startedAt: number;
  readonly tookMs: number;
  readonly error: unknown;
}

/** Reads a few keys together, again and again, without waiting for answers, as the requests of a server come in. */
class Reader {
  readonly records: Timed[] = [];
  private readonly running = new Set<Promise<void>>();
  private isOver = false;
  private readonly loop = this.run();

  async stop(): Promise<void> {
    this.isOver = true;
    await this.loop;
    await Promise.all(this.running);
  }

  private async run(): Promise<void> {
    while (!this.isOver) {
      for (let index = 0; index < KEYS; index++) this.start(`coalesced/${index}`);
      await delay(20);
    }
  }

  private start(key: string): void {
    const startedAt = runningMs();
    const end = (error: unknown): void => {
      this.records.push({ startedAt, tookMs: runningMs() - startedAt, error });
      this.running.delete(read);
    };
    const read = client.kv.get(key).then(
      () => end(undefined),
      (error: unknown) => end(error),
    );
    this.running.add(read);
  }
}

describe('A frozen member', () => {
  it('costs reads that travel together at most 2 s and no error, and holds up none that travel elsewhere (C3)', async () => {
    client = new EtcdClient({ endpoints: cluster.endpoints });
    await client.ready();
    await eventually(() => client.stats().endpoints.every(({ state }) => state === 'ready'));
    const frozen = ((await cluster.leaderIndex()) + 1) % 3;
    const reader = new Reader();
    await delay(300);

    const frozenAt = runningMs();
    await cluster.members[frozen]!.freeze();
    await delay(3_000);
    await reader.stop();

    expect(reader.records.filter(({ error }) => error !== undefined)).toEqual([]);
    expect(Math.max(...reader.records.map(({ tookMs }) => tookMs))).toBeLessThan(WORST_MS);
    // Two members of three answer: before the frozen one is noticed, a third of the reads is caught by it, and not more.
    const before = reader.records.filter(({ startedAt }) => startedAt > frozenAt && startedAt < frozenAt + 700);
    const quick = before.filter(({ tookMs }) => tookMs < 500);
    expect(before.length).toBeGreaterThan(KEYS * 5);
    expect(quick.length / before.length).toBeGreaterThan(0.5);
  }, 40_000);
});

describe('A cluster that does not answer', () => {
  it('ends each of several reads that travel together at its own time, with what was waited for (C1)', async () => {
    client = new EtcdClient({ endpoints: cluster.endpoints });
    await client.ready();
    await Promise.all(cluster.members.map((member) => member.freeze()));

    const startedAt = runningMs();
    const ends = await Promise.all(
      [400, 800, 800, 1_200].map(async (timeoutMs, index) => {
        const error: unknown = await client.kv
          .get(`coalesced/${index}`, { timeoutMs })
          .catch((caught: unknown) => caught);
        return { error, lateMs: runningMs() - startedAt - timeoutMs };
      }),
    );

    expect(ends.map(({ error }) => error)).toMatchObject(
      [400, 800, 800, 1_200].map((timeoutMs) => ({ code: 'ETCD_DEADLINE_EXCEEDED', method: 'KV.Range', timeoutMs })),
    );
    for (const { lateMs } of ends) expect(lateMs).toBeLessThan(350);
    expect(client.stats().inFlight).toBe(0);
  }, 40_000);
});
