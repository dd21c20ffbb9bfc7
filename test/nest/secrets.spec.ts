/** C5 in a whole app: what it logs, measures and answers holds no password, no token and no value (S2, M19). */
import { status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Get, Inject, Param, type ModuleMetadata } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { HealthCheck, HealthCheckService, type HealthCheckResult } from '@nestjs/terminus';
import { Registry } from 'prom-client';
import { EtcdHealthIndicator, EtcdHealthModule } from '../../lib/health/index.js';
import { EtcdMetricsModule } from '../../lib/metrics/index.js';
import { EtcdExceptionFilter, EtcdKv, EtcdModule, getEtcdKvToken } from '../../lib/nest/index.js';
import { eventually, startEtcd, startProxy, type Etcd } from '../support/index.js';
import { PLATFORMS, startHttp } from './support/apps.js';
import { Refusal, startFakeEtcd, type FakeEtcd } from './support/fake-etcd.js';

const PASSWORD = 'correct horse battery staple';
const WRONG_PASSWORD = 'wrong horse';
const TOKEN = 'planted-token.1';
const VALUE = 'value-that-nobody-may-see';
const USER = 'ursula';

let etcd: Etcd;
let fake: FakeEtcd;
const ends: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  etcd = await startEtcd({ own: true, auth: true });
  await etcd.auth.addRole('app', [{ type: 'readwrite', prefix: 'app/' }]);
  await etcd.auth.addUser(USER, PASSWORD, ['app']);
  fake = await startFakeEtcd();
  fake.answer('/etcdserverpb.Auth/Authenticate', () => ({ token: TOKEN }));
  fake.answer('/etcdserverpb.KV/Put', () => new Refusal(status.UNAUTHENTICATED, 'etcdserver: invalid auth token'));
}, 60_000);

afterAll(async () => {
  fake.kill();
  await etcd.stop();
});

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** Three clients: one that may, one with a wrong password, one whose every token is refused. */
function appMetadata(endpoint: string): ModuleMetadata {
  @Controller()
  class StoreController {
    constructor(
      @Inject(EtcdKv) private readonly good: EtcdKv,
      @Inject(getEtcdKvToken('wrong')) private readonly wrong: EtcdKv,
      @Inject(getEtcdKvToken('refused')) private readonly refused: EtcdKv,
      @Inject(HealthCheckService) private readonly terminus: HealthCheckService,
      @Inject(EtcdHealthIndicator) private readonly etcd: EtcdHealthIndicator,
    ) {}

    @Get('put/:client/:key')
    async put(@Param('client') client: 'good' | 'wrong' | 'refused', @Param('key') key: string): Promise<object> {
      return this[client].put(key.replace('-', '/'), VALUE);
    }

    @Get('health')
    @HealthCheck()
    health(): Promise<HealthCheckResult> {
      const clients = ['default', 'wrong', 'refused'];
      return this.terminus.check(clients.map((client) => () => this.etcd.pingCheck(client, { client })));
    }
  }
  const wrong = { username: USER, password: WRONG_PASSWORD };
  return {
    imports: [
      EtcdModule.forRoot({ endpoints: endpoint, auth: { username: USER, password: PASSWORD } }),
      EtcdModule.forRoot({ name: 'wrong', endpoints: endpoint, auth: wrong, autoSyncIntervalMs: 1_000 }),
      EtcdModule.forRoot({ name: 'refused', endpoints: fake.endpoint, auth: wrong }),
      EtcdHealthModule,
      EtcdMetricsModule.forRoot({ registry: new Registry() }),
    ],
    controllers: [StoreController],
    providers: [{ provide: APP_FILTER, useClass: EtcdExceptionFilter }],
  };
}

describe.each(PLATFORMS)('An app on %s, whatever goes wrong', (platform) => {
  it('shows no password, token or value in /metrics, /health, its answers and its log (C5, S2)', async () => {
    const proxy = await startProxy({ targetPort: etcd.members[0]!.port });
    ends.push(() => proxy.close());
    const { app, log, url } = await startHttp(appMetadata(proxy.endpoint), platform);
    ends.push(() => app.close());
    const seen: string[] = [];
    const ask = async (path: string): Promise<number> => {
      const response = await fetch(`${url}/${path}`);
      seen.push(`${path} ${response.status} ${await response.text()}`);
      return response.status;
    };

    expect(await ask('put/good/app-a')).toBe(200);
    expect(await ask('put/good/other-a')).toBe(500); // not allowed
    expect(await ask('put/wrong/app-a')).toBe(500); // no such password
    expect(await ask('put/refused/app-a')).toBe(500); // no token is good enough
    await ask('health');
    await eventually(() => log.of('Etcd:wrong').some((line) => line.includes('the member list could not be read')));
    await proxy.cut();
    await eventually(() => log.of('Etcd').some((line) => line.startsWith('warn: lost')));
    await ask('health');
    await ask('metrics');
    await app.close();

    expect(seen.at(-1)).toMatch(/etcd_client_token_refreshes_total\{client="refused"\} [1-9]/);
    expect(log.text).toContain('invalid auth token');
    expect(log.text).toContain('authentication failed');
    const everything = [...seen, log.text].join('\n');
    for (const secret of [PASSWORD, WRONG_PASSWORD, TOKEN, VALUE]) expect(everything).not.toContain(secret);
    expect(everything).not.toMatch(/\b[A-Za-z]{16}\.\d+\b/); // a simple token of etcd
    expect(seen.join('\n')).not.toContain(USER);
  }, 60_000);
});
