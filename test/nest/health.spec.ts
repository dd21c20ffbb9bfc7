/** Health checks of real etcd through Terminus, on Express and Fastify. */
import { status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Get, Inject, type INestApplication, type ModuleMetadata } from '@nestjs/common';
import { HealthCheck, HealthCheckService, type HealthCheckResult } from '@nestjs/terminus';
import { setTimeout as delay } from 'node:timers/promises';
import { EtcdHealthIndicator, EtcdHealthModule, type EtcdPingCheckOptions } from '../../lib/health/index.js';
import { EtcdClient, EtcdModule, EtcdModuleError, type EtcdModuleOptions } from '../../lib/nest/index.js';
import { eventually, startCluster, startEtcd, startProxy, type Etcd } from '../support/index.js';
import { runningMs } from '../support/running-time.js';
import { closedEndpoint, PLATFORMS, startContext, startHttp, type Platform } from './support/apps.js';
import { Refusal, startFakeEtcd, type FakeEtcd } from './support/fake-etcd.js';

const ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** What the route answers. */
interface Health {
  readonly httpStatus: number;
  readonly status: string;
  readonly etcd: Record<string, unknown> & { readonly endpoints: readonly Record<string, unknown>[] };
  readonly text: string;
  readonly tookMs: number;
}

function appMetadata(options: EtcdModuleOptions, check: EtcdPingCheckOptions): ModuleMetadata {
  @Controller('health')
  class HealthController {
    constructor(
      @Inject(HealthCheckService) private readonly health: HealthCheckService,
      @Inject(EtcdHealthIndicator) private readonly etcd: EtcdHealthIndicator,
    ) {}

    @Get()
    @HealthCheck()
    check(): Promise<HealthCheckResult> {
      return this.health.check([() => this.etcd.pingCheck('etcd', check)]);
    }
  }
  return { imports: [EtcdModule.forRoot(options), EtcdHealthModule], controllers: [HealthController] };
}

async function startApp(
  options: EtcdModuleOptions,
  check: EtcdPingCheckOptions = {},
  platform: Platform = 'express',
): Promise<{ app: INestApplication; health: () => Promise<Health> }> {
  const { app, url } = await startHttp(appMetadata(options, check), platform);
  ends.push(() => app.close());
  return { app, health: () => askHealth(url) };
}

async function askHealth(url: string): Promise<Health> {
  const startedAt = runningMs();
  const response = await fetch(`${url}/health`);
  const text = await response.text();
  const { status, details } = JSON.parse(text) as { status: string; details: { etcd: Health['etcd'] } };
  return { httpStatus: response.status, status, etcd: details.etcd, text, tookMs: runningMs() - startedAt };
}

async function startFake(): Promise<FakeEtcd> {
  const fake = await startFakeEtcd();
  ends.push(() => fake[Symbol.asyncDispose]());
  return fake;
}

describe('one member', () => {
  let etcd: Etcd;

  beforeAll(async () => {
    etcd = await startEtcd({ own: true });
  });

  afterAll(async () => {
    await etcd.stop();
  });

  it.each(PLATFORMS)('is up with version, leader and db size, on %s', async (platform) => {
    const { health } = await startApp({ endpoints: etcd.endpoints }, {}, platform);

    const { httpStatus, status, etcd: seen } = await health();

    expect([httpStatus, status, seen['status']]).toEqual([200, 'ok', 'up']);
    expect(seen).toMatchObject({ version: etcd.version, alarms: [], serving: 1 });
    expect(seen['leader']).toMatch(/^[0-9a-f]+$/);
    expect(seen['dbSize']).toBeGreaterThan(0);
    expect(seen.endpoints).toEqual([
      {
        endpoint: etcd.endpoint,
        reachable: true,
        version: etcd.version,
        member: seen['leader'],
        leader: seen['leader'],
        isLeader: true,
        learner: false,
        dbSize: expect.any(Number),
        dbSizeInUse: expect.any(Number),
        alarms: [],
      },
    ]);
  });

  it('M17 is down within a second of its death, with the reason, and up within 2 seconds of its return', async () => {
    const { health } = await startApp({ endpoints: etcd.endpoints });
    await health();

    await etcd.members[0]!.kill();
    const killedAt = runningMs();
    const down = await eventually(async () => [await health()].find(({ httpStatus }) => httpStatus === 503));
    const downAfterMs = runningMs() - killedAt;
    await etcd.members[0]!.restart();
    const backAt = runningMs();
    const up = await eventually(async () => [await health()].find(({ httpStatus }) => httpStatus === 200));
    const upAfterMs = runningMs() - backAt;

    expect(downAfterMs).toBeLessThan(1_000);
    expect(down.status).toBe('error');
    expect(down.etcd['message']).toMatch(
      new RegExp(`^0 of 1 endpoints serve, 1 needed \\(require: 'quorum'\\); ${etcd.endpoint}: .+`),
    );
    expect(upAfterMs).toBeLessThan(2_500);
    expect(up.etcd['status']).toBe('up');
  });

  it('M2 is down while etcd was never there, and up once it comes', async () => {
    const [member] = etcd.members;
    await member!.kill();
    const { health } = await startApp({ endpoints: etcd.endpoints });

    const before = await health();
    await member!.restart();
    const healedFrom = runningMs();
    await eventually(async () => (await health()).httpStatus === 200);

    expect(before.httpStatus).toBe(503);
    expect(before.etcd['message']).toContain('ECONNREFUSED');
    expect(runningMs() - healedFrom).toBeLessThan(3_000);
  });

  it('M17 is down within its time behind a black hole, and up soon after', async () => {
    const proxy = await startProxy({ targetPort: etcd.members[0]!.port });
    ends.push(() => proxy.close());
    const { health } = await startApp({ endpoints: proxy.endpoint }, { linearizable: true, cacheMs: 0 });
    await health();

    proxy.blackHole();
    const down = await health();
    await proxy.mend();
    const mendedAt = runningMs();
    await eventually(async () => (await health()).httpStatus === 200);

    expect(down.httpStatus).toBe(503);
    expect(down.tookMs).toBeLessThan(1_000);
    expect(down.etcd['message']).toContain('the linearizable read failed');
    expect(down.etcd.endpoints[0]).toMatchObject({ reachable: false, reason: 'no answer within 900 ms' });
    expect(runningMs() - mendedAt).toBeLessThan(2_500);
  });

  it('M17 is degraded, still with 200, while the NOSPACE alarm is raised', async () => {
    const { health } = await startApp({ endpoints: etcd.endpoints }, { cacheMs: 0 });
    const alarm = { memberID: 0, alarm: 'NOSPACE' };
    await etcd.gateway.call('/v3/maintenance/alarm', { action: 'ACTIVATE', ...alarm });

    const raised = await health();
    await etcd.gateway.call('/v3/maintenance/alarm', { action: 'DEACTIVATE', ...alarm });
    const disarmed = await health();

    expect([raised.httpStatus, raised.status, raised.etcd['status']]).toEqual([200, 'degraded', 'degraded']);
    expect(raised.etcd).toMatchObject({ alarms: ['NOSPACE'], message: 'alarm NOSPACE is raised' });
    expect(disarmed.etcd).toMatchObject({ status: 'up', alarms: [] });
  });
});

describe('three members', () => {
  let cluster: Etcd;

  beforeAll(async () => {
    cluster = await startCluster();
  });

  afterAll(async () => {
    await cluster.stop();
  });

  it('are up, degraded without one, down without two, and all that in time', async () => {
    const { health } = await startApp({ endpoints: cluster.endpoints }, { cacheMs: 0 });
    const leader = await cluster.leaderIndex();
    const [first, second] = cluster.members.filter((_, index) => index !== leader);

    const whole = await health();
    await first!.kill();
    const degraded = await eventually(async () => [await health()].find(({ status }) => status === 'degraded'));
    await second!.kill();
    const down = await eventually(async () => [await health()].find(({ status }) => status === 'error'));
    await Promise.all([first!.restart(), second!.restart()]);
    const healed = await eventually(async () => [await health()].find(({ status }) => status === 'ok'));

    expect(whole.etcd).toMatchObject({ status: 'up', serving: 3 });
    expect(whole.etcd.endpoints.filter(({ isLeader }) => isLeader === true)).toHaveLength(1);
    expect(degraded).toMatchObject({ httpStatus: 200, etcd: { status: 'degraded', serving: 2 } });
    expect(degraded.etcd['message']).toContain(first!.endpoint);
    expect(down).toMatchObject({ httpStatus: 503, etcd: { status: 'down' } });
    expect(healed.etcd).toMatchObject({ status: 'up', serving: 3 });
    for (const { tookMs } of [degraded, down]) expect(tookMs).toBeLessThan(1_000);
  });
});

describe('what the check costs and tells', () => {
  it('M18 asks once a second, however many ask', async () => {
    const fake = await startFake();
    const { app } = await startContextWith({ endpoints: fake.endpoint });
    const indicator = app.get(EtcdHealthIndicator);
    const secondsOfAsking = 2;

    let asked = 0;
    const until = performance.now() + secondsOfAsking * 1_000;
    while (performance.now() < until) {
      const answers = await Promise.all(Array.from({ length: 20 }, () => indicator.pingCheck('etcd')));
      asked += answers.length;
      await delay(15);
    }

    expect(asked).toBeGreaterThan(1_000);
    expect(fake.total).toBeLessThanOrEqual(secondsOfAsking + 1);
  });

  it('does not wait for an endpoint that is known to be away', async () => {
    const fake = await startFake();
    const { app } = await startContextWith({ endpoints: [fake.endpoint, await closedEndpoint()] });
    const indicator = app.get(EtcdHealthIndicator);
    const tookMs = async (): Promise<number> => {
      const startedAt = runningMs();
      await indicator.pingCheck('etcd', { cacheMs: 0 });
      return runningMs() - startedAt;
    };
    const first = await tookMs();

    const quick = await eventually(async () => (await tookMs()) < 300);

    expect(first).toBeLessThan(1_000);
    expect(quick).toBe(true);
  });

  it('counts a refusal for lack of permission as alive, without details', async () => {
    const fake = await startFake();
    fake.answer(
      '/etcdserverpb.Maintenance/Status',
      () => new Refusal(status.PERMISSION_DENIED, 'etcdserver: permission denied'),
    );
    fake.answer('/etcdserverpb.KV/Range', () => new Refusal(status.PERMISSION_DENIED, 'etcdserver: permission denied'));
    const { app } = await startContextWith({ endpoints: fake.endpoint });

    const { etcd } = await app.get(EtcdHealthIndicator).pingCheck('etcd', { linearizable: true });

    expect(etcd).toEqual({
      status: 'up',
      alarms: [],
      serving: 1,
      endpoints: [{ endpoint: fake.endpoint, reachable: true }],
    });
  });

  it('is down when etcd does not accept the credentials, and shows none', async () => {
    const fake = await startFake();
    fake.answer('/etcdserverpb.Auth/Authenticate', () => {
      return new Refusal(status.INVALID_ARGUMENT, 'etcdserver: authentication failed, invalid user ID or password');
    });
    const { health } = await startApp({ endpoints: fake.endpoint, auth: { username: 'ursula', password: 'hunter2' } });

    const { httpStatus, etcd, text } = await health();

    expect(httpStatus).toBe(503);
    expect(etcd['message']).toContain('authentication failed, invalid user ID or password');
    expect(text).not.toMatch(/ursula|hunter2/);
  });

  it('is down when the member has no leader, and says so', async () => {
    const fake = await startFake();
    fake.answer('/etcdserverpb.Maintenance/Status', () => ({
      version: '3.5.30',
      leader: '0',
      errors: ['etcdserver: no leader'],
    }));
    const { app } = await startContextWith({ endpoints: fake.endpoint });

    const { etcd } = await app.get(EtcdHealthIndicator).pingCheck('etcd', { require: 'any' });

    expect(etcd).toMatchObject({ status: 'down', message: expect.stringContaining('the member knows no leader') });
  });

  it('is down when the members differ, since etcd then refuses everything', async () => {
    const fake = await startFake();
    fake.answer('/etcdserverpb.Maintenance/Status', () => ({
      version: '3.5.30',
      leader: 'abc',
      errors: ['memberID:2748 alarm:CORRUPT '],
    }));
    const { app } = await startContextWith({ endpoints: fake.endpoint });

    const { etcd } = await app.get(EtcdHealthIndicator).pingCheck('etcd');

    expect(etcd).toMatchObject({ status: 'down', alarms: ['CORRUPT'] });
  });

  it('looks at the client that is asked for, by name or by itself', async () => {
    const [a, b] = [await startFake(), await startFake()];
    const { app } = await startContext({
      imports: [
        EtcdModule.forRoot({ endpoints: await closedEndpoint() }),
        EtcdModule.forRoot({ name: 'b', endpoints: b.endpoint }),
        EtcdHealthModule,
      ],
    });
    const own = new EtcdClient({ endpoints: a.endpoint });
    ends.push(
      () => app.close(),
      () => own.close(),
    );
    const indicator = app.get(EtcdHealthIndicator);

    const named = await indicator.pingCheck('named', { client: 'b' });
    const given = await indicator.pingCheck('given', { client: own });
    const unnamed = await indicator.pingCheck('unnamed', { timeoutMs: 200 });

    expect(named).toMatchObject({ named: { status: 'up', endpoints: [{ endpoint: b.endpoint }] } });
    expect(given).toMatchObject({ given: { status: 'up', endpoints: [{ endpoint: a.endpoint }] } });
    expect(unnamed).toMatchObject({ unnamed: { status: 'down' } });
    await expect(indicator.pingCheck('etcd', { client: 'c' })).rejects.toThrow(
      /there is no etcd client "c" in this app \(there is: "b", "default"\)/,
    );
  });

  it('says so when the app has no client at all', async () => {
    const { app } = await startContext({ imports: [EtcdHealthModule] });
    ends.push(() => app.close());

    await expect(app.get(EtcdHealthIndicator).pingCheck('etcd')).rejects.toBeInstanceOf(EtcdModuleError);
  });
});

describe('Terminus 11, which knows no degraded', () => {
  it('gets up with degraded: true', async () => {
    const session = {
      up: (details: object) => ({ etcd: { ...details, status: 'up' } }),
      down: (details: object) => ({ etcd: { ...details, status: 'down' } }),
    };
    const fake = await startFake();
    fake.answer('/etcdserverpb.Maintenance/Status', () => ({
      version: '3.5.30',
      leader: 'abc',
      errors: ['memberID:2748 alarm:NOSPACE '],
    }));
    const client = new EtcdClient({ endpoints: fake.endpoint });
    ends.push(() => client.close());
    const indicator = new EtcdHealthIndicator({ check: () => session } as never, undefined as never);

    const { etcd } = await indicator.pingCheck('etcd', { client });

    expect(etcd).toMatchObject({ status: 'up', degraded: true, alarms: ['NOSPACE'] });
  });
});

async function startContextWith(options: EtcdModuleOptions): ReturnType<typeof startContext> {
  const started = await startContext({ imports: [EtcdModule.forRoot(options), EtcdHealthModule] });
  ends.push(() => started.app.close());
  return started;
}
