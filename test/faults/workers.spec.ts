/** Clients in worker threads that are ended from outside: row G7. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { builtLibrary } from '../support/built.js';
import { startChild } from '../support/child.js';
import type { Etcd } from '../support/etcd/cluster.js';
import { eventually, startEtcd } from '../support/index.js';
import { startProxy, type TcpProxy } from '../support/tcp-proxy.js';

let etcd: Etcd;
let proxy: TcpProxy;

beforeAll(async () => {
  etcd = await startEtcd({ own: true });
  proxy = await startProxy({ targetPort: etcd.members[0]!.port });
}, 60_000);

afterAll(async () => {
  await proxy.close();
  await etcd.stop();
});

/** Uses the client with a watch and a lease, says so, and goes on. */
function program(say: string): string {
  return `(async () => {
    const { EtcdClient } = await import(${JSON.stringify(`${builtLibrary()}/client/index.js`)});
    const etcd = new EtcdClient({ endpoints: ${JSON.stringify(proxy.endpoint)} });
    const watcher = etcd.watch.watch('workers/');
    const lease = await etcd.lease.grant(30);
    etcd.lease.keepAlive(lease.id);
    await watcher.created;
    ${say}
    setInterval(() => etcd.kv.get('workers/a'), 1);
  })();`;
}

describe('A worker thread that uses a client', () => {
  it('can be terminated at any time, and its connection is gone (G7)', async () => {
    const worker = new Worker(program(`require('node:worker_threads').parentPort.postMessage('running');`), {
      eval: true,
    });
    const errors: unknown[] = [];
    worker.on('error', (error) => errors.push(error));
    await once(worker, 'message');
    expect(proxy.openConnections).toBe(1);

    await worker.terminate();

    await eventually(() => proxy.openConnections === 0, { what: 'the connection closed' });
    expect(errors).toEqual([]);
  });
});

describe('A process that uses a client', () => {
  it('can call process.exit() with calls, a watch and a lease under way, and prints nothing of it (G7)', async () => {
    const child = await startChild(process.execPath, ['-e', program(`setTimeout(() => process.exit(7), 100);`)]);

    const { code } = await child.exited();

    expect({ code, output: child.output }).toEqual({ code: 7, output: '' });
    await eventually(() => proxy.openConnections === 0, { what: 'the connection closed' });
  });
});
