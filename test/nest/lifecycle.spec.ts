/** The life of a client in a Nest app: eager start, shutdown by `close()` and by signals, and what is left behind. */
import { status } from '@grpc/grpc-js';
import { afterEach, beforeAll, afterAll, describe, expect, it, jest } from '@jest/globals';
import { Injectable, type BeforeApplicationShutdown, type OnApplicationShutdown } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  EtcdAuthenticationError,
  EtcdClient,
  EtcdModule,
  EtcdStartError,
  EtcdUnavailableError,
  type EtcdModuleOptions,
} from '../../lib/nest/index.js';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { eventually, startChild, startEtcd, type Child, type Etcd } from '../support/index.js';
import { runningMs } from '../support/running-time.js';
import { closedEndpoint, rootModule, startContext } from './support/apps.js';
import { CapturedLog } from './support/captured-log.js';
import { Refusal, startFakeEtcd, type FakeEtcd } from './support/fake-etcd.js';

let etcd: Etcd;
const children: Child[] = [];
const fakes: FakeEtcd[] = [];

beforeAll(async () => {
  etcd = await startEtcd();
});

afterAll(async () => {
  await etcd.stop();
});

afterEach(async () => {
  for (const child of children.splice(0)) await child.stop();
  for (const fake of fakes.splice(0)) fake.kill();
});

async function startFake(): Promise<FakeEtcd> {
  const fake = await startFakeEtcd();
  fakes.push(fake);
  return fake;
}

async function startApp(program: string, env: Record<string, string>, flags: readonly string[] = []): Promise<Child> {
  const args = ['--import', 'tsx', ...flags, `test/nest/apps/${program}`];
  const child = await startChild(process.execPath, args, { env: { ...env, NO_COLOR: '1' } });
  children.push(child);
  return child;
}

function eager(endpoints: string | readonly string[], more: Partial<EtcdModuleOptions> = {}): EtcdModuleOptions {
  return { endpoints, connect: 'eager', ...more };
}

async function errorOfStart(options: EtcdModuleOptions): Promise<EtcdStartError> {
  const error: unknown = await startContext({ imports: [EtcdModule.forRoot(options)] }).catch(
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(EtcdStartError);
  return error as EtcdStartError;
}

/** Without keep-alive: an idle connection of ours would hold up the server's end. */
async function ask(url: string): Promise<{ status: number | undefined; body: string }> {
  const [response] = (await once(get(url, { agent: false }), 'response')) as [IncomingMessage];
  return { status: response.statusCode, body: await text(response) };
}

describe("connect: 'eager'", () => {
  it('has read from etcd when the start is over', async () => {
    const { app } = await startContext({ imports: [EtcdModule.forRoot(eager(etcd.endpoints))] });

    expect(app.get(EtcdClient).state).toBe('ready');
    await app.close();
  });

  it("M3 fails the start with each endpoint's reason once its time is over", async () => {
    const endpoints = [await closedEndpoint(), await closedEndpoint()];
    const [startedAt, ranBefore] = [performance.now(), runningMs()];

    const error = await errorOfStart(eager(endpoints, { startTimeoutMs: 600 }));

    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(590);
    expect(runningMs() - ranBefore).toBeLessThan(900);
    expect(error.message).toMatch(/^the etcd client "default" has connect: 'eager' and cannot be used/);
    for (const endpoint of endpoints) {
      expect(error.message).toContain(endpoint);
      expect(error.endpoints).toContainEqual({ endpoint, reason: expect.stringContaining('ECONNREFUSED') });
    }
    expect(error.message).toContain("with connect: 'lazy' the app starts without it");
    expect(error.cause).toBeInstanceOf(EtcdUnavailableError);
  });

  it('has closed the client when the start has failed', async () => {
    const options = eager(await closedEndpoint(), { startTimeoutMs: 200 });
    const root = rootModule({ imports: [EtcdModule.forRoot(options)] });
    const app = await NestFactory.create(root, { logger: new CapturedLog(), abortOnError: false });

    await expect(app.init()).rejects.toBeInstanceOf(EtcdStartError);

    expect(app.get(EtcdClient).state).toBe('closed');
  });

  it('fails the start when etcd does not accept the credentials', async () => {
    const fake = await startFake();
    fake.answer('/etcdserverpb.Auth/Authenticate', () => {
      return new Refusal(status.INVALID_ARGUMENT, 'etcdserver: authentication failed, invalid user ID or password');
    });
    const auth = { username: 'root', password: 'hunter2' };

    const error = await errorOfStart(eager(fake.endpoint, { auth }));

    expect(error.cause).toBeInstanceOf(EtcdAuthenticationError);
    expect(error.message).toContain('invalid user ID or password');
    expect(error.message).not.toContain('hunter2');
  });

  it('takes a refusal for lack of permission for an answer', async () => {
    const fake = await startFake();
    fake.answer('/etcdserverpb.KV/Range', () => new Refusal(status.PERMISSION_DENIED, 'etcdserver: permission denied'));

    const { app } = await startContext({ imports: [EtcdModule.forRoot(eager(fake.endpoint))] });

    expect(fake.count('/etcdserverpb.KV/Range')).toBe(1);
    await app.close();
  });

  it('fails the start when the cluster has no leader', async () => {
    const fake = await startFake();
    fake.answer('/etcdserverpb.KV/Range', () => new Refusal(status.UNAVAILABLE, 'etcdserver: no leader'));

    const error = await errorOfStart(eager(fake.endpoint, { startTimeoutMs: 700 }));

    expect(error.message).toContain('no leader');
  });

  it('M3 ends the process with a code other than 0, and nothing holds it up', async () => {
    const child = await startApp('lifecycle-app.ts', {
      ETCD: await closedEndpoint(),
      CONNECT: 'eager',
      START_TIMEOUT_MS: '500',
    });

    await child.waitForOutput(/failed to start: EtcdStartError: the etcd client "default"/);
    const failedAt = runningMs();
    const { code } = await child.exited();

    expect(code).toBe(1);
    expect(runningMs() - failedAt).toBeLessThan(1_000);
  });

  it('M8 gives up at once when SIGTERM comes while it waits', async () => {
    const child = await startApp('lifecycle-app.ts', {
      ETCD: await closedEndpoint(),
      CONNECT: 'eager',
      START_TIMEOUT_MS: '30000',
    });
    await child.waitForOutput(/starting[^]*cannot use/);
    const toldAt = runningMs();

    child.signal('SIGTERM');
    await child.exited();

    expect(runningMs() - toldAt).toBeLessThan(2_000);
    expect(child.output).toContain('the process got SIGTERM while it waited');
  });

  it('leaves signals alone that nobody handles', async () => {
    const listeners = process.listenerCount('SIGTERM');

    await errorOfStart(eager(await closedEndpoint(), { startTimeoutMs: 200 }));

    expect(listeners).toBe(0);
    expect(process.listenerCount('SIGTERM')).toBe(0);
  });
});

describe('shutdown', () => {
  it('closes the client after HTTP has drained and after those who use it have had their say', async () => {
    const seen: string[] = [];
    @Injectable()
    class User implements BeforeApplicationShutdown, OnApplicationShutdown {
      constructor(private readonly client: EtcdClient) {}

      beforeApplicationShutdown(): void {
        seen.push(`before: ${this.client.state}`);
      }

      onApplicationShutdown(): void {
        seen.push(`on: ${this.client.state}`);
      }
    }
    const { app } = await startContext({
      imports: [EtcdModule.forRoot(eager(etcd.endpoints))],
      providers: [User],
    });
    const client = app.get(EtcdClient);

    await app.close();

    expect(seen).toEqual(['before: ready', 'on: ready']);
    expect(client.state).toBe('closed');
  });

  it('lets a call of background work finish before the client closes (G5)', async () => {
    const fake = await startFake();
    const answers: (() => void)[] = [];
    fake.answer('/etcdserverpb.KV/Put', () => new Promise((resolve) => answers.push(() => resolve({}))));
    const options = { endpoints: fake.endpoint, drainMs: 20_000, shutdownTimeoutMs: 20_000 };
    const { app } = await startContext({ imports: [EtcdModule.forRoot(options)] });
    const put = app.get(EtcdClient).kv.put('a', 'x', { timeoutMs: 20_000 });
    await eventually(() => answers.length === 1);

    const closing = app.close();
    await eventually(() => app.get(EtcdClient).state === 'closed');
    answers[0]!();
    await closing;

    await expect(put).resolves.toBeDefined();
  });

  it('waits for no call longer than drainMs (G5)', async () => {
    const fake = await startFake();
    fake.answer('/etcdserverpb.KV/Put', () => new Promise(() => undefined));
    const { app } = await startContext({ imports: [EtcdModule.forRoot({ endpoints: fake.endpoint, drainMs: 50 })] });
    const put = app
      .get(EtcdClient)
      .kv.put('a', 'x')
      .catch((error: unknown) => error);
    await eventually(() => fake.count('/etcdserverpb.KV/Put') === 1);
    const startedAt = runningMs();

    await app.close();

    expect(runningMs() - startedAt).toBeLessThan(1_500);
    expect(await put).toMatchObject({ code: 'ETCD_CLOSED', outcome: 'unknown' });
  });

  it('M7 is one shutdown when close() is called twice and at the same time', async () => {
    const { app, log } = await startContext({ imports: [EtcdModule.forRoot(eager(etcd.endpoints))] });
    const close = jest.spyOn(app.get(EtcdClient), 'close');

    await Promise.all([app.close(), app.close()]);
    await app.close();

    expect(close).toHaveBeenCalledTimes(1);
    expect(log.of('Etcd').filter((line) => line.endsWith('closed'))).toHaveLength(1);
  });

  it('M7 is quick while etcd is down and a call waits for it', async () => {
    const { app } = await startContext({ imports: [EtcdModule.forRoot({ endpoints: await closedEndpoint() })] });
    const waiting = app.get(EtcdClient).kv.get('a');
    const refused = waiting.catch((error: unknown) => error);
    const startedAt = runningMs();

    await app.close();

    expect(runningMs() - startedAt).toBeLessThan(500);
    expect(await refused).toMatchObject({ code: 'ETCD_CLOSED' });
  });

  it('M7 waits for a start that is under way, and then closes', async () => {
    const root = rootModule({ imports: [EtcdModule.forRoot(eager(await closedEndpoint(), { startTimeoutMs: 400 }))] });
    const log = new CapturedLog();
    const app = await NestFactory.create(root, { logger: log, abortOnError: false });
    let hasEnded = false;
    const starting = app.init().catch((error: unknown) => {
      hasEnded = true;
      return error;
    });
    await eventually(() => log.of('Etcd').length > 0, { what: 'the start that waits' });

    await app.close();

    expect(hasEnded).toBe(true);
    expect(await starting).toBeInstanceOf(EtcdStartError);
    expect(app.get(EtcdClient).state).toBe('closed');
  });

  it('M7 does not wait for a client that does not close', async () => {
    const { app, log } = await startContext({
      imports: [EtcdModule.forRoot({ endpoints: etcd.endpoints, shutdownTimeoutMs: 100 })],
    });
    const client = app.get(EtcdClient);
    const close = jest.spyOn(client, 'close').mockReturnValue(new Promise(() => undefined));
    const startedAt = runningMs();

    await app.close();

    expect(runningMs() - startedAt).toBeLessThan(400);
    expect(log.of('Etcd')).toEqual(['warn: not closed within 100 ms (shutdownTimeoutMs); going on without']);
    close.mockRestore();
    await client.close();
  });

  it('shuts the rest of the app down even when closing fails', async () => {
    const { app, log } = await startContext({ imports: [EtcdModule.forRoot({ endpoints: etcd.endpoints })] });
    jest.spyOn(app.get(EtcdClient), 'close').mockRejectedValue(new Error('stuck'));

    await app.close();

    expect(log.of('Etcd')).toEqual([expect.stringMatching(/^error: closing failed Error: stuck/)]);
  });
});

describe('a process of its own', () => {
  it('M4 answers the request that is in flight at SIGTERM, then closes the client, then ends by itself', async () => {
    await etcd.gateway.put('slow', 'but steady');
    const child = await startApp('lifecycle-app.ts', { ETCD: etcd.endpoint });
    const [, url = ''] = await child.waitForOutput(/listening on (\S+)/);
    const answer = ask(`${url}/slow`);
    await child.waitForOutput(/in flight/);

    child.signal('SIGTERM');
    const { status, body } = await answer;
    const answeredAt = runningMs();
    const exit = await child.exited();

    expect(status).toBe(200);
    expect(JSON.parse(body)).toEqual({ value: 'but steady', state: 'ready' });
    expect(child.output).toMatch(/drained, etcd is ready[^]*\[Etcd\] closed/);
    expect(exit).toEqual({ code: null, signal: 'SIGTERM' });
    expect(runningMs() - answeredAt).toBeLessThan(2_000);
  });

  it('M9 is as it was after 100 apps have come and gone', async () => {
    const child = await startApp('churn-app.ts', { ETCD: etcd.endpoint }, ['--expose-gc']);

    const [, result = ''] = await child.waitForOutput(/churned (.*)/, 60_000);
    const { code } = await child.exited();
    const { baseline, left, timers, grownBytes } = JSON.parse(result) as Record<string, never>;

    expect(left).toEqual(baseline);
    expect(timers).toBe(0);
    expect(grownBytes).toBeLessThan(3_000_000);
    expect(code).toBe(0);
  }, 90_000);
});
