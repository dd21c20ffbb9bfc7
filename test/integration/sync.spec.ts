/** The list of endpoints kept as the cluster's own member list says: by hand and from time to time. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { EtcdClient } from '../../lib/client/client.js';
import { EtcdUnavailableError } from '../../lib/client/errors.js';
import type { EtcdClientEvent } from '../../lib/client/rpc/status-feed.js';
import { Joiner } from '../support/etcd/joiner.js';
import { failureOf } from '../support/failure.js';
import { eventually, freePorts, startCluster, startEtcd, type Etcd } from '../support/index.js';
import { runningMs } from '../support/running-time.js';
import { startWireServer, type WireServer } from '../support/wire-server.js';

const MEMBER_LIST = '/etcdserverpb.Cluster/MemberList';

/** A member as a fake cluster lists it. */
interface Listed {
  readonly name: string;
  readonly clientURLs: readonly string[];
  readonly isLearner?: boolean;
}

/** A server that answers with this member list. */
async function startListing(members: (self: WireServer) => readonly Listed[]): Promise<WireServer> {
  const server = await startWireServer();
  return server.on(MEMBER_LIST, () => ({
    members: members(server).map((member, index) => ({
      ID: String(index + 1),
      peerURLs: [],
      isLearner: false,
      ...member,
    })),
  }));
}

/** What the client tells from now on. */
function collect(client: EtcdClient): EtcdClientEvent[] {
  const events: EtcdClientEvent[] = [];
  void (async () => {
    for await (const event of client.status()) events.push(event);
  })();
  return events;
}

describe('sync() on a real cluster', () => {
  let etcd: Etcd;

  beforeAll(async () => {
    etcd = await startCluster({ members: 3, flags: { 'strict-reconfig-check': false } });
  }, 120_000);

  afterAll(async () => {
    await etcd.stop();
  });

  it('finds the other members by one of them', async () => {
    await using client = new EtcdClient({ endpoints: etcd.endpoint });

    const endpoints = await client.sync();

    expect([...endpoints].sort()).toEqual([...etcd.endpoints].sort());
    expect(client.endpoints).toEqual(endpoints);
    await client.kv.put('synced', 'x');
  });

  it('leaves out learners, and members that were added and have not started', async () => {
    await using client = new EtcdClient({ endpoints: etcd.endpoint });
    await using learner = await Joiner.prepare('learner');
    const added = await client.cluster.memberAddAsLearner(learner.place.peerUrl);
    await learner.start(added.members);
    await eventually(async () => (await client.cluster.memberList()).members.some(({ name }) => name === 'learner'));
    const [port = 0] = await freePorts(1);
    const unstarted = await client.cluster.memberAdd(`http://127.0.0.1:${port}`);

    const endpoints = await client.sync();

    expect([...endpoints].sort()).toEqual([...etcd.endpoints].sort());
    await client.cluster.memberRemove(unstarted.member.id);
    await client.cluster.memberRemove(added.member.id);
  });

  it('keeps the endpoints that were given when members advertise addresses that are good inside only (C4)', async () => {
    await using inside = await startEtcd({ own: true, flags: { 'advertise-client-urls': 'http://127.0.0.1:1' } });
    await using client = new EtcdClient({ endpoints: inside.endpoint, connectTimeoutMs: 500 });

    const events = collect(client);

    const error = await failureOf(client.sync());
    const eventCount = events.length;
    await delay(1_000);

    expect(error).toBeInstanceOf(EtcdUnavailableError);
    expect(error.message).toContain('http://127.0.0.1:1');
    expect(client.endpoints).toEqual([inside.endpoint]);
    expect(events.slice(eventCount)).toEqual([]); // nobody goes on trying the advertised addresses
    await client.kv.put('still', 'x');
  });
});

describe('sync()', () => {
  it('never leaves the client without an endpoint', async () => {
    await using server = await startListing(() => [
      { name: '', clientURLs: [] },
      { name: 'learner', clientURLs: ['http://127.0.0.1:1'], isLearner: true },
      { name: 'odd', clientURLs: ['not a url'] },
    ]);
    await using client = new EtcdClient({ endpoints: server.endpoint });

    const error = await failureOf(client.sync());

    expect(error).toBeInstanceOf(EtcdUnavailableError);
    expect(client.endpoints).toEqual([server.endpoint]);
    await client.kv.get('a');
  });

  it('takes a list of which one member can be reached, and one place once', async () => {
    await using server = await startListing((self) => [
      { name: 'a', clientURLs: [self.endpoint, self.endpoint] },
      { name: 'b', clientURLs: [self.endpoint] },
      { name: 'away', clientURLs: ['http://127.0.0.1:1'] },
    ]);
    await using client = new EtcdClient({ endpoints: server.endpoint });

    await client.sync();

    expect(client.endpoints).toEqual([server.endpoint, 'http://127.0.0.1:1']);
    expect(server.sessions).toBe(1);
  });

  it('takes no plaintext address when the client has certificates (C6)', async () => {
    await using secure = await startEtcd({
      own: true,
      tls: true,
      flags: { 'advertise-client-urls': 'http://127.0.0.1:1' },
    });
    await using client = new EtcdClient({ endpoints: secure.endpoint, tls: { ca: secure.tls!.ca } });

    const error = await failureOf(client.sync());

    expect(error).toBeInstanceOf(EtcdUnavailableError);
    expect(client.endpoints).toEqual([secure.endpoint]);
  });

  it('ends with its signal', async () => {
    const controller = new AbortController();
    await using server = await startListing(() => [{ name: 'a', clientURLs: ['http://127.0.0.1:1'] }]);
    await using client = new EtcdClient({ endpoints: server.endpoint, connectTimeoutMs: 5_000 });
    const syncing = failureOf(client.sync({ signal: controller.signal }));
    await eventually(() => server.requestsTo(MEMBER_LIST).length === 1);
    await delay(100);

    const abortedAt = runningMs();
    controller.abort();

    expect(await syncing).toMatchObject({ code: 'ETCD_ABORTED' });
    expect(runningMs() - abortedAt).toBeLessThan(1_000);
  });

  it('ends in its time', async () => {
    await using server = await startListing(() => [{ name: 'a', clientURLs: ['http://127.0.0.1:1'] }]);
    await using client = new EtcdClient({ endpoints: server.endpoint, connectTimeoutMs: 5_000 });

    const startedAt = runningMs();
    const error = await failureOf(client.sync({ timeoutMs: 500 }));

    expect(error).toBeInstanceOf(EtcdUnavailableError);
    expect(runningMs() - startedAt).toBeLessThan(1_000);
  });

  it('ends with the client', async () => {
    await using server = await startListing(() => [{ name: 'a', clientURLs: ['http://127.0.0.1:1'] }]);
    const client = new EtcdClient({ endpoints: server.endpoint, connectTimeoutMs: 5_000 });
    const syncing = failureOf(client.sync());
    await eventually(() => server.requestsTo(MEMBER_LIST).length === 1);
    await delay(100);

    await client.close();

    expect(await syncing).toMatchObject({ code: 'ETCD_CLOSED' });
  });
});

describe('autoSyncIntervalMs', () => {
  it('syncs from time to time, tells of each new list and of each failure, and stops with the client', async () => {
    let isBroken = false;
    await using second = await startWireServer();
    await using server = await startWireServer();
    server.on(MEMBER_LIST, () =>
      isBroken
        ? { grpcCode: 13, details: 'broken' }
        : {
            members: [server, second].map(({ endpoint }, id) => ({
              ID: `${id + 1}`,
              name: `m${id}`,
              clientURLs: [endpoint],
            })),
          },
    );
    const client = new EtcdClient({ endpoints: server.endpoint, autoSyncIntervalMs: 1_000 });
    const events = collect(client);

    await eventually(() => client.endpoints.length === 2, { what: 'the first sync' });
    isBroken = true;
    second.on(MEMBER_LIST, () => ({ grpcCode: 13, details: 'broken' }));
    await eventually(() => events.some(({ type }) => type === 'sync-failed'), { what: 'a failed sync' });
    const keptEndpoints = client.endpoints;
    await client.close();
    const asked = server.requestsTo(MEMBER_LIST).length;
    await delay(1_300);

    expect(events).toContainEqual({ type: 'endpoints', endpoints: [server.endpoint, second.endpoint] });
    expect(keptEndpoints).toEqual([server.endpoint, second.endpoint]);
    expect(server.requestsTo(MEMBER_LIST)).toHaveLength(asked);
  });
});
