/** Watches of keys that nobody writes, and histories that are compacted while they are away. Promises W2, W3 and W5, rows C5 and C21. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { EtcdClient } from '../../lib/client/client.js';
import { prefix } from '../../lib/client/key-range.js';
import type { FollowChange } from '../../lib/client/watch/follow.js';
import { progressNotifyFlag } from '../support/etcd/flags.js';
import { eventually, findEtcd, startEtcd, startProxy, type Etcd, type TcpProxy } from '../support/index.js';

let etcd: Etcd;
let proxy: TcpProxy;
let client: EtcdClient;

beforeAll(async () => {
  const { version } = await findEtcd();
  etcd = await startEtcd({ own: true, flags: progressNotifyFlag(version, '200ms') });
  proxy = await startProxy({ targetPort: etcd.members[0]!.port });
  client = new EtcdClient({ endpoints: proxy.endpoint });
}, 60_000);

afterAll(async () => {
  await client.close();
  await proxy.close();
  await etcd.stop();
});

describe('A quiet watch whose history is compacted while it is away', () => {
  it('goes on where progress notices told it how far it was, and otherwise ends with the revision; `follow` survives both', async () => {
    const informed = client.watch.watch('quiet/informed', { progressNotify: true });
    const uninformed = client.watch.watch('quiet/uninformed');
    const following = client.watch.follow(prefix('quiet/followed/'))[Symbol.asyncIterator]();
    const nextChange = async (): Promise<FollowChange | undefined> => (await following.next()).value ?? undefined;
    expect(await nextChange()).toMatchObject({ type: 'reset', reason: 'start' });
    const change = nextChange();
    await Promise.all([informed.created, uninformed.created]);
    await etcd.gateway.put('busy', '1');
    const revision = await etcd.gateway.put('busy', '2');
    await eventually(() => informed.nextRevision > revision, { what: 'a progress notice' });

    await proxy.cut();
    await etcd.gateway.compact(revision);
    await proxy.mend();
    const uninformedEnd = await uninformed[Symbol.asyncIterator]()
      .next()
      .catch((error: unknown) => error);
    await etcd.gateway.put('quiet/informed', 'after');
    await etcd.gateway.put('quiet/followed/a', 'after');

    expect(uninformedEnd).toMatchObject({ code: 'ETCD_COMPACTED', compactRevision: revision });
    const events = informed[Symbol.asyncIterator]();
    expect((await events.next()).value).toMatchObject({ type: 'put', kv: { key: 'quiet/informed', value: 'after' } });
    expect(await change).toMatchObject({ type: 'put', kv: { key: 'quiet/followed/a', value: 'after' } });
    await following.return?.();
  });
});
