/** Both ways through grpc-js, the short one and the documented one, to the same end; the short one is the one in use. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { EtcdClient, prefix } from '../../lib/client/index.js';
import { DirectCalls } from '../../lib/client/transport/grpc-js/grpc-direct.js';
import { startEtcd, type Etcd } from '../support/index.js';

let etcd: Etcd;

beforeAll(async () => {
  etcd = await startEtcd();
});

afterAll(() => etcd.stop());

afterEach(() => {
  jest.restoreAllMocks();
});

describe('The grpc-js that is installed', () => {
  it('has the short way in the shape that is known', async () => {
    const over = jest.spyOn(DirectCalls, 'over');
    const client = new EtcdClient({ endpoints: etcd.endpoints });

    await client.ready();

    expect(over.mock.results).toMatchObject([{ type: 'return', value: expect.any(DirectCalls) as unknown }]);
    await client.close();
  });
});

describe.each(['short', 'documented'])('By the %s way', (way) => {
  let client: EtcdClient;

  beforeEach(() => {
    if (way === 'documented') jest.spyOn(DirectCalls, 'over').mockReturnValue(undefined);
    client = new EtcdClient({ endpoints: etcd.endpoints, maxResponseBytes: 100_000 });
  });

  afterEach(() => client.close());

  it('what was put is read, also when it is large', async () => {
    const value = Buffer.alloc(90_000, way);

    await client.kv.put(`${way}/large`, value);

    expect(Buffer.from((await client.kv.get(`${way}/large`))!.valueBytes).equals(value)).toBe(true);
  });

  it('a refusal of the server comes with its words', async () => {
    await expect(client.kv.put(`${way}/leased`, 'x', { lease: '7b' })).rejects.toMatchObject({
      code: 'ETCD_LEASE_NOT_FOUND',
      outcome: 'not-applied',
    });
  });

  it('an answer that is too large is refused', async () => {
    await Promise.all(['1', '2'].map((key) => client.kv.put(`${way}/two/${key}`, Buffer.alloc(60_000))));

    await expect(client.kv.range(prefix(`${way}/two/`))).rejects.toMatchObject({ code: 'ETCD_MESSAGE_TOO_LARGE' });
  });

  it('a call that is given up ends at once, and the connection serves the next one', async () => {
    const giveUp = new AbortController();
    await client.ready();
    const call = client.kv.put(`${way}/given-up`, 'x', { signal: giveUp.signal });
    giveUp.abort();

    await expect(call).rejects.toMatchObject({ code: 'ETCD_ABORTED' });
    await expect(client.kv.get(`${way}/nothing`)).resolves.toBeUndefined();
  });

  it('a watch gets its events, and its end', async () => {
    const watcher = client.watch.watch(`${way}/watched`);
    await watcher.created;

    await client.kv.put(`${way}/watched`, 'a');
    await client.kv.put(`${way}/watched`, 'b');

    const seen: string[] = [];
    for await (const { kv } of watcher) {
      seen.push(kv.value);
      if (seen.length === 2) break;
    }
    expect(seen).toEqual(['a', 'b']);
  });
});
