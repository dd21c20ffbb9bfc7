/** Both transports to the same end, on a real member: what is above them must not see which of them it is. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { EtcdClient, prefix, type EtcdTransport } from '../../lib/client/index.js';
import { startEtcd, type Etcd } from '../support/index.js';

let etcd: Etcd;

beforeAll(async () => {
  etcd = await startEtcd();
});

afterAll(() => etcd.stop());

describe.each<EtcdTransport>(['http2', 'grpc-js'])('Over %s', (transport) => {
  let client: EtcdClient;

  beforeEach(() => {
    client = new EtcdClient({ endpoints: etcd.endpoints, transport, maxResponseBytes: 100_000 });
  });

  afterEach(() => client.close());

  it('what was put is read, also when it is large', async () => {
    const value = Buffer.alloc(90_000, transport);

    await client.kv.put(`${transport}/large`, value);

    expect(Buffer.from((await client.kv.get(`${transport}/large`))!.valueBytes).equals(value)).toBe(true);
  });

  it('a refusal of the server comes with its words', async () => {
    await expect(client.kv.put(`${transport}/leased`, 'x', { lease: '7b' })).rejects.toMatchObject({
      code: 'ETCD_LEASE_NOT_FOUND',
      outcome: 'not-applied',
    });
  });

  it('an answer that is too large is refused', async () => {
    await Promise.all(['1', '2'].map((key) => client.kv.put(`${transport}/two/${key}`, Buffer.alloc(60_000))));

    await expect(client.kv.range(prefix(`${transport}/two/`))).rejects.toMatchObject({
      code: 'ETCD_MESSAGE_TOO_LARGE',
    });
  });

  it('a call that is given up ends at once, and the connection serves the next one', async () => {
    const giveUp = new AbortController();
    await client.ready();
    const call = client.kv.put(`${transport}/given-up`, 'x', { signal: giveUp.signal });
    giveUp.abort();

    await expect(call).rejects.toMatchObject({ code: 'ETCD_ABORTED' });
    await expect(client.kv.get(`${transport}/nothing`)).resolves.toBeUndefined();
  });

  it('a watch gets its events, and its end', async () => {
    const watcher = client.watch.watch(`${transport}/watched`);
    await watcher.created;

    await client.kv.put(`${transport}/watched`, 'a');
    await client.kv.put(`${transport}/watched`, 'b');

    const seen: string[] = [];
    for await (const { kv } of watcher) {
      seen.push(kv.value);
      if (seen.length === 2) break;
    }
    expect(seen).toEqual(['a', 'b']);
  });
});
