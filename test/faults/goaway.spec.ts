/** Connections that the other side winds down, as proxies and restarting servers do: row A25. */
import { describe, expect, it } from '@jest/globals';
import { EtcdClient } from '../../lib/client/client.js';
import { eventually } from '../support/index.js';
import { startWireServer } from '../support/wire-server.js';

const RANGE = '/etcdserverpb.KV/Range';
const PUT = '/etcdserverpb.KV/Put';
/** For the load, which takes some three seconds. Before its test's own time is up. */
const LOAD_MS = 20_000;

/** A door that answers wait at until it is opened. */
function gate(): { open: () => void; passed: Promise<void> } {
  let open!: () => void;
  const passed = new Promise<void>((resolve) => (open = resolve));
  return { open, passed };
}

describe('A connection that says GOAWAY', () => {
  it('finishes the calls that run on it, while new ones go to a new connection (C2, C3, A25)', async () => {
    await using server = await startWireServer();
    await using client = new EtcdClient({ endpoints: server.endpoint });
    const door = gate();
    server.on(PUT, ({ session }) => (session === 1 ? door.passed.then(() => ({})) : {}));
    server.on(RANGE, ({ session }) => (session === 1 ? door.passed.then(() => ({})) : { count: session }));
    const onOld = [client.kv.put('a', 'x'), client.kv.put('b', 'x'), client.kv.get('a')];
    await eventually(() => server.requests.length === 3);

    server.goAway();
    const { count } = await client.kv.range('new');
    await client.kv.put('new', 'x');
    expect(server.openSessions).toBe(2);
    door.open();
    await Promise.all(onOld);

    expect(count).toBe(2);
    expect(server.requestsTo(PUT).map(({ session }) => session)).toEqual([1, 1, 2]);
    await eventually(() => server.openSessions === 1, { what: 'the old connection closed' });
  });

  it('again and again under load fails no call (C3, A25)', async () => {
    await using server = await startWireServer();
    await using client = new EtcdClient({ endpoints: server.endpoint });
    await client.ready();
    const failures: unknown[] = [];
    let calls = 0;
    const giveUpAt = performance.now() + LOAD_MS;
    const rounds = setInterval(() => server.goAway(), 150);

    const worker = async (write: boolean): Promise<void> => {
      for (; calls < 200 || server.sessions < 16; calls++) {
        if (performance.now() > giveUpAt) throw new Error(`only ${calls} calls on ${server.sessions} connections`);
        await (write ? client.kv.put('a', 'x') : client.kv.get('a')).catch((error: unknown) => failures.push(error));
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    try {
      await Promise.all([worker(true), worker(true), worker(false), worker(false)]);
    } finally {
      clearInterval(rounds);
    }

    expect(failures).toEqual([]);
  });
});
