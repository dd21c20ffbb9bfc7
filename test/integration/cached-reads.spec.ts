/** A live view does what a leasing cache is for: reads without a round trip, that can be made as strong as any. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { EtcdClient } from '../../lib/client/client.js';
import { prefix } from '../../lib/client/key-range.js';
import type { LiveView } from '../../lib/client/watch/live-view.js';
import { startEtcd, type Etcd } from '../support/index.js';

let etcd: Etcd;
let client: EtcdClient;
let other: EtcdClient;
let view: LiveView;
let calls = 0;

beforeAll(async () => {
  etcd = await startEtcd();
  const interceptor = { unary: (_call: unknown, next: () => Promise<unknown>) => ((calls += 1), next()) };
  client = new EtcdClient({ endpoints: etcd.endpoints, interceptors: [interceptor] });
  other = new EtcdClient({ endpoints: etcd.endpoints });
  await other.kv.put('cached/n', '0');
  view = client.watch.view(prefix('cached/'));
  await view.ready;
});

afterAll(async () => {
  await Promise.all([client.close(), other.close()]);
  await etcd.stop();
});

describe('Reads of a live view', () => {
  it('cost no call, however many they are', () => {
    const before = calls;

    for (let read = 0; read < 10_000; read++) view.get('cached/n');

    expect(calls).toBe(before);
  });

  it('see what was written before, by waiting for its revision', async () => {
    for (let n = 1; n <= 50; n++) {
      const { header } = await client.kv.put('cached/n', String(n));
      await view.waitForRevision(header.revision);

      expect(view.get('cached/n')?.value).toBe(String(n));
    }
  });

  it('see what anybody wrote before, by asking the store first how far it is: that is a linearizable read', async () => {
    for (let n = 100; n <= 150; n++) {
      await other.kv.put('cached/n', String(n));
      const { header } = await client.kv.range('cached/n', { keysOnly: true });
      await view.waitForRevision(header.revision);

      expect(view.get('cached/n')?.value).toBe(String(n));
    }
  });

  it('guard a write: one that rests on what is no longer so is not made', async () => {
    const stale = view.get('cached/n')!;
    await other.kv.put('cached/n', 'changed');

    const refused = await client.kv.update('cached/n', 'mine', { revision: stale.modRevision });
    await view.waitForRevision(refused.header.revision);
    const { modRevision: revision } = view.get('cached/n')!;

    expect(refused.succeeded).toBe(false);
    expect(await client.kv.update('cached/n', 'mine', { revision })).toMatchObject({ succeeded: true });
  });
});
