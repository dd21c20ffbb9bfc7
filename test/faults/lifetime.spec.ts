/** How calls and clients end, and that nothing of them is left: promises C1 and C8, groups A and G. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import { getEventListeners } from 'node:events';
import { EtcdClient } from '../../lib/client/client.js';
import { EtcdAbortedError, EtcdClosedError } from '../../lib/client/errors.js';
import { builtLibrary } from '../support/built.js';
import { startChild } from '../support/child.js';
import { failureOf } from '../support/failure.js';
import { eventually, type Etcd, type TcpProxy } from '../support/index.js';
import { runningMs } from '../support/running-time.js';
import { behindProxy } from './support/behind-proxy.js';

const stage = behindProxy();
let etcd: Etcd;
let proxy: TcpProxy;
let client: EtcdClient;

beforeEach(() => {
  ({ etcd, proxy, client } = stage);
});

/** Calls that the member has begun and not ended, by its own metrics. */
async function runningOnServer(method: string): Promise<number> {
  const text = await (await fetch(`${etcd.endpoint}/metrics`)).text();
  const sum = (name: string): number =>
    [...text.matchAll(new RegExp(`^${name}\\{[^}]*grpc_method="${method}"[^}]*\\} (\\S+)$`, 'gm'))]
      .map(([, value]) => Number(value))
      .reduce((total, value) => total + value, 0);
  return sum('grpc_server_started_total') - sum('grpc_server_handled_total');
}

describe('A call with a signal', () => {
  it('that has aborted already is not sent, and says so (C1, A18)', async () => {
    const reason = new Error('not needed any more');

    const error = await failureOf(client.kv.put('a', 'x', { signal: AbortSignal.abort(reason) }));

    expect(error).toBeInstanceOf(EtcdAbortedError);
    expect(error).toMatchObject({ outcome: 'not-applied', attempts: 0, cause: reason });
  });

  it('that aborts while the answer is on its way ends at once with an unknown outcome (C1, A18)', async () => {
    proxy.hold('s2c');
    const controller = new AbortController();
    const put = failureOf(client.kv.put('a', 'x', { signal: controller.signal }));
    await eventually(() => client.stats().inFlight === 1);
    await new Promise((resolve) => setTimeout(resolve, 50));

    const abortedAt = runningMs();
    controller.abort();
    const error = await put;

    expect(runningMs() - abortedAt).toBeLessThan(500);
    expect(error).toMatchObject({ code: 'ETCD_ABORTED', outcome: 'unknown' });
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
  });
});

describe('Calls that end early', () => {
  it('are cancelled on the server, by a signal and by their time (C1)', async () => {
    await etcd.gateway.put('frozen', 'x');
    const before = await runningOnServer('Range');
    await etcd.members[0]!.freeze();
    const controller = new AbortController();
    const reads = [
      failureOf(client.kv.get('frozen', { signal: controller.signal })),
      failureOf(client.kv.get('frozen', { timeoutMs: 300 })),
    ];

    await new Promise((resolve) => setTimeout(resolve, 200));
    controller.abort();
    await Promise.all(reads);
    await etcd.members[0]!.resume();

    await eventually(async () => (await runningOnServer('Range')) <= before, { timeoutMs: 10_000 });
  }, 30_000);

  it('leave nothing behind, 10,000 of them: no call, no listener, no timer (C1)', async () => {
    const controller = new AbortController();
    const timersBefore = activeTimers();
    proxy.hold('s2c');
    const reads = Array.from({ length: 10_000 }, () => client.kv.get('a', { signal: controller.signal }));
    const settled = Promise.allSettled(reads);
    expect(client.stats().inFlight).toBe(10_000);

    controller.abort();
    const results = await settled;

    expect(results.every(({ status }) => status === 'rejected')).toBe(true);
    expect(client.stats().inFlight).toBe(0);
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
    expect(activeTimers()).toBeLessThanOrEqual(timersBefore + 1); // the client's own background timer may run
    proxy.release();
    await client.kv.get('a');
    await eventually(async () => (await runningOnServer('Range')) === 0, { timeoutMs: 10_000 });
  }, 60_000);
});

/** Timers that keep this process alive. */
function activeTimers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
}

describe('close()', () => {
  it('ends calls in flight within 100 ms, each with its outcome, and refuses later ones (C8, G1)', async () => {
    proxy.hold('s2c');
    const running = [client.kv.put('a', 'x'), client.kv.get('a'), client.kv.range('a')].map(failureOf);
    await new Promise((resolve) => setTimeout(resolve, 50));

    const closedAt = runningMs();
    await Promise.all([client.close(), client.close()]);
    const errors = await Promise.all(running);

    expect(runningMs() - closedAt).toBeLessThan(100);
    expect(errors.every((error) => error instanceof EtcdClosedError)).toBe(true);
    expect(errors.map(({ outcome }) => outcome)).toEqual(['unknown', undefined, undefined]);
    expect(await failureOf(client.kv.put('b', 'x'))).toMatchObject({ code: 'ETCD_CLOSED', outcome: 'not-applied' });
    expect(client.state).toBe('closed');
  });

  it('during an outage ends what waits for a connection too (C8, G3)', async () => {
    await proxy.cut();
    await eventually(() => client.state === 'unavailable');
    const waiting = failureOf(client.kv.put('a', 'x'));

    await client.close();

    expect(await waiting).toMatchObject({ code: 'ETCD_CLOSED', outcome: 'not-applied' });
  });

  it('with drainMs lets calls in flight finish and refuses new ones (C8, G5)', async () => {
    proxy.hold('s2c');
    const running = [client.kv.put('drained', 'x'), client.kv.get('a')];
    await eventually(async () => (await etcd.gateway.get('drained')) !== undefined);

    const closing = client.close({ drainMs: 20_000 });
    const refused = await failureOf(client.kv.put('refused', 'x'));
    proxy.release();
    await Promise.all(running);
    const answeredAt = runningMs();
    await closing;

    expect(runningMs() - answeredAt).toBeLessThan(5_000);
    expect(refused).toMatchObject({ code: 'ETCD_CLOSED', outcome: 'not-applied' });
    expect(await etcd.gateway.get('refused')).toBeUndefined();
  }, 40_000);

  it('with drainMs waits no longer than that, and says what became of the calls (C8, G5)', async () => {
    proxy.hold('s2c');
    const put = failureOf(client.kv.put('a', 'x'));
    await eventually(() => client.stats().inFlight === 1);

    const startedAt = performance.now();
    await client.close({ drainMs: 300 });

    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(290);
    expect(await put).toMatchObject({ code: 'ETCD_CLOSED', outcome: 'unknown' });
  });

  it('with drainMs gives sessions back, too (C8, G5)', async () => {
    const session = await client.concurrency.session({ ttlSeconds: 60 });
    expect(await etcd.gateway.leases()).toContain(session.leaseId);

    await Promise.all([client.kv.get('a'), client.close({ drainMs: 20_000 })]);

    expect(await etcd.gateway.leases()).not.toContain(session.leaseId);
  });

  it('without drainMs ends the wait of one with it (C8, G5)', async () => {
    proxy.hold('s2c');
    const put = failureOf(client.kv.put('a', 'x'));
    await eventually(() => client.stats().inFlight === 1);

    const draining = client.close({ drainMs: 60_000 });
    await client.close();
    await draining;

    expect(await put).toMatchObject({ code: 'ETCD_CLOSED', outcome: 'unknown' });
  });

  it.each([-1, 0.5, NaN, Infinity, 2 ** 31])('refuses to drain for %p ms, and stays open (G5)', async (drainMs) => {
    await expect(client.close({ drainMs })).rejects.toThrow('argument drainMs must be an integer from 0 to 2147483647');
    await client.kv.get('a');
  });

  it('a hundred times in one process leaves no socket and no timer (C8, G4)', async () => {
    const before = process.getActiveResourcesInfo().length;

    for (let index = 0; index < 100; index++) {
      await using short = new EtcdClient({ endpoints: etcd.endpoints });
      await short.kv.get('a');
    }

    await eventually(() => process.getActiveResourcesInfo().length <= before, { timeoutMs: 5_000 });
  }, 30_000);
});

/** A program that uses the client, ends in the given way, and prints when it is done; it must then exit by itself. */
function program(endpoint: string, body: string): string[] {
  const script = `
    import { EtcdClient } from ${JSON.stringify(`${builtLibrary()}/client/index.js`)};
    const etcd = new EtcdClient({ endpoints: [${JSON.stringify(endpoint)}] });
    ${body}
    console.log('done');`;
  return ['--input-type=module', '-e', script];
}

async function exitOf(endpoint: string, body: string): Promise<{ code: number | null; ms: number }> {
  const child = await startChild(process.execPath, program(endpoint, body));
  await child.waitForOutput(/done/);
  const doneAt = runningMs();
  const { code } = await child.exited();
  return { code, ms: runningMs() - doneAt };
}

describe('A process that uses a client', () => {
  it('exits by itself once the client is closed (C8, G2)', async () => {
    const { code, ms } = await exitOf(etcd.endpoint, `await etcd.kv.put('a', 'x'); await etcd.close();`);

    expect(code).toBe(0);
    expect(ms).toBeLessThan(2_000);
  });

  it('exits by itself after closing with calls in flight on a dead network (C8, G1)', async () => {
    proxy.blackHole();
    const body = `
      const put = etcd.kv.put('a', 'x').catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 300));
      await etcd.close();
      await put;`;

    const { code, ms } = await exitOf(`http://127.0.0.1:${proxy.port}`, body);

    expect(code).toBe(0);
    expect(ms).toBeLessThan(2_000);
  });

  it('is not kept alive by a client that was never used, nor by an idle one that was not closed (C8)', async () => {
    const unused = await exitOf(etcd.endpoint, '');
    const idle = await exitOf(etcd.endpoint, `await etcd.kv.get('a');`);

    expect([unused.code, idle.code]).toEqual([0, 0]);
    expect(Math.max(unused.ms, idle.ms)).toBeLessThan(2_000);
  });

  it('is kept alive by a stream that waits for its first connection, and ends with what came of it (C1)', async () => {
    const read = `
      const pieces = etcd.maintenance.snapshot()[Symbol.asyncIterator]();
      await pieces.next().then(() => console.log('a piece'), (error) => console.log(error.code));
      await pieces.return();`;
    const served = await startChild(process.execPath, program(etcd.endpoint, read));
    const closing = `setTimeout(() => etcd.close(), 300).unref(); ${read}`;
    const refused = await startChild(process.execPath, program('http://127.0.0.1:1', closing));

    await Promise.all([served.exited(), refused.exited()]);

    expect([served.output, refused.output]).toEqual(['a piece\ndone\n', 'ETCD_CLOSED\ndone\n']);
  });

  it('prints nothing, whatever goes wrong', async () => {
    await proxy.cut();
    const body = `await etcd.kv.put('a', 'x', { timeoutMs: 300 }).catch(() => undefined); await etcd.close();`;
    const child = await startChild(process.execPath, program(`http://127.0.0.1:${proxy.port}`, body));

    await child.exited();

    expect(child.output).toBe('done\n');
  });
});
