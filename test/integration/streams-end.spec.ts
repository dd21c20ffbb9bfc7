/** What is left of watches and kept leases on a member once they are closed, by the member's own count. Promise C8, row C18. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { EtcdClient } from '../../lib/client/client.js';
import { allKeys, prefix } from '../../lib/client/key-range.js';
import { sumOfMetric } from '../support/etcd/metrics.js';
import { eventually, startEtcd, type Etcd } from '../support/index.js';

const NOTHING = { watches: 0, watchStreams: 0, openWatchCalls: 0, openKeepAliveCalls: 0 };

let etcd: Etcd;

beforeEach(async () => {
  etcd = await startEtcd({ own: true });
});

afterEach(() => etcd.stop());

async function openCalls(method: string): Promise<number> {
  const labels = { grpc_method: method };
  const handled = await sumOfMetric(etcd, 'grpc_server_handled_total', labels);
  return (await sumOfMetric(etcd, 'grpc_server_started_total', labels)) - handled;
}

async function leftOver(): Promise<typeof NOTHING> {
  return {
    watches: await sumOfMetric(etcd, 'etcd_debugging_mvcc_watcher_total'),
    watchStreams: await sumOfMetric(etcd, 'etcd_debugging_mvcc_watch_stream_total'),
    openWatchCalls: await openCalls('Watch'),
    openKeepAliveCalls: await openCalls('LeaseKeepAlive'),
  };
}

async function expectNothingLeft(): Promise<void> {
  await eventually(async () => JSON.stringify(await leftOver()) === JSON.stringify(NOTHING), {
    what: 'nothing left on the member',
  }).catch(() => undefined);
  expect(await leftOver()).toEqual(NOTHING);
}

interface InUse {
  readonly all: readonly { close(): Promise<void> }[];
  readonly counts: typeof NOTHING;
}

/** Watches of every kind, one that is paused and one in the middle of history among them, and leases that are renewed. */
async function useAll(client: EtcdClient): Promise<InUse> {
  const { watch, kv, lease } = client;
  const paused = watch.watch(prefix('used/'), { maxBufferedRevisions: 1 });
  const watches = Array.from({ length: 20 }, (_, index) => watch.watch(`used/${index}`));
  watches.push(watch.watch(allKeys(), { ownStream: true }), watch.watch('used/1', { requireLeader: false }));
  await Promise.all([paused, ...watches].map(({ created }) => created));
  for (let index = 0; index < 5; index++) await kv.put(`used/${index}`, 'x');
  await eventually(() => paused.state === 'paused', { what: 'the pause' });
  const following = watch.follow(prefix('used/'));
  const changes = following[Symbol.asyncIterator]();
  await changes.next();
  void changes.next().catch(() => undefined); // its watch begins; that it ends with the client is no failure
  const view = watch.view(prefix('used/'));
  await view.ready;
  const leases = await Promise.all(Array.from({ length: 20 }, () => lease.grant(60)));
  const beats = leases.map(({ id }) => lease.keepAlive(id));
  await Promise.all(leases.map(({ id }) => lease.keepAliveOnce(id)));
  await eventually(() => watch.stats().watches === 25, { what: 'all watches' });
  const counts = { watches: 24, watchStreams: 3, openWatchCalls: 3, openKeepAliveCalls: 1 };
  return { all: [paused, ...watches, following, view, ...beats], counts };
}

describe('On a member', () => {
  it('nothing is left of watches and leases when each is closed (C18)', async () => {
    await using client = new EtcdClient({ endpoints: etcd.endpoints });
    const { all, counts } = await useAll(client);
    await eventually(async () => JSON.stringify(await leftOver()) === JSON.stringify(counts), { what: 'all in use' });

    await Promise.all(all.map((each) => each.close()));

    await expectNothingLeft();
  });

  it('nothing is left when the client is closed (C8)', async () => {
    const client = new EtcdClient({ endpoints: etcd.endpoints });
    const { counts } = await useAll(client);
    await eventually(async () => JSON.stringify(await leftOver()) === JSON.stringify(counts), { what: 'all in use' });

    await client.close();

    await expectNothingLeft();
  });
});
