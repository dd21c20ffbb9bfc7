/**
 * Very many leases over one stream, on a cluster whose leader changes. Promise L1.
 * `TEST_LEASES` and `TEST_LEASE_TTL_SECONDS` are small for CI; 10000 and 60 are the figures of docs/reliability.md.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { EtcdClient } from '../../lib/client/client.js';
import type { LeaseKeepAlive } from '../../lib/client/lease/keep-alive.js';
import { sumOfMetric } from '../support/etcd/metrics.js';
import { startCluster, type Etcd } from '../support/index.js';

const LEASES = Number(process.env['TEST_LEASES'] ?? 1_000);
const TTL_SECONDS = Number(process.env['TEST_LEASE_TTL_SECONDS'] ?? 6);
const AT_ONCE = 100;

let etcd: Etcd;
let client: EtcdClient;

beforeAll(async () => {
  etcd = await startCluster();
  client = new EtcdClient({ endpoints: etcd.endpoints });
}, 60_000);

afterAll(async () => {
  await client.close();
  await etcd.stop();
});

async function keepAll(): Promise<LeaseKeepAlive[]> {
  const beats: LeaseKeepAlive[] = [];
  const keepSome = async (): Promise<void> => {
    for (let count = 0; count < LEASES / AT_ONCE; count++) {
      const { id } = await client.lease.grant(TTL_SECONDS);
      beats.push(client.lease.keepAlive(id));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, keepSome));
  return beats;
}

/** Requests, not answers: those that were sent again count as well. */
function renewalsAsked(): Promise<number> {
  return sumOfMetric(etcd, 'grpc_server_msg_received_total', { grpc_method: 'LeaseKeepAlive' });
}

describe(`${LEASES} leases of ${TTL_SECONDS} s (L1)`, () => {
  it(
    'live through three TTLs and a change of the leader, at three requests a TTL each, over one stream',
    async () => {
      const beats = await keepAll();
      await delay(TTL_SECONDS * 333);
      const [askedBefore, since] = [await renewalsAsked(), performance.now()];

      await delay(TTL_SECONDS * 1_500);
      await etcd.moveLeader(((await etcd.leaderIndex()) + 1) % 3);
      await delay(TTL_SECONDS * 1_500);
      const [asked, tookMs] = [(await renewalsAsked()) - askedBefore, performance.now() - since];
      const onServer = new Set(await etcd.gateway.leases());
      const lost = beats.filter(({ isAlive }) => !isAlive);

      expect(await Promise.all(lost.map((beat) => beat.lost))).toEqual([]);
      expect(beats.every(({ id }) => onServer.has(id))).toBe(true);
      const expected = (LEASES * tookMs * 3) / (TTL_SECONDS * 1_000);
      expect(asked / expected).toBeGreaterThan(0.9);
      expect(asked / expected).toBeLessThan(1.1);
      expect(client.lease.stats().streams).toBeLessThanOrEqual(3);
    },
    (TTL_SECONDS * 5 + 120) * 1_000,
  );
});
