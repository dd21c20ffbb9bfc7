/** Metrics of real apps: every client of the app is measured, and `/metrics` serves it on Express and Fastify. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Module, VersioningType, type ModuleMetadata } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Counter, Registry } from 'prom-client';
import { EtcdMetricsModule } from '../../lib/metrics/index.js';
import { EtcdClient, EtcdKv, EtcdModule, EtcdModuleError, getEtcdKvToken } from '../../lib/nest/index.js';
import { startEtcd, type Etcd } from '../support/index.js';
import { closedEndpoint, PLATFORMS, rootModule, startContext, startHttp } from './support/apps.js';
import { CapturedLog } from './support/captured-log.js';
import { startFakeEtcd } from './support/fake-etcd.js';

let etcd: Etcd;
let registry: Registry;
const ends: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  etcd = await startEtcd();
});

afterAll(async () => {
  await etcd.stop();
});

beforeEach(() => {
  registry = new Registry();
});

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function start(metadata: ModuleMetadata): Promise<Awaited<ReturnType<typeof startContext>>['app']> {
  const { app } = await startContext(metadata);
  ends.push(() => app.close());
  return app;
}

/** The value of the one series that matches; 0 when there is none. */
async function valueOf(pattern: RegExp, from = registry): Promise<number> {
  const lines = (await from.metrics()).split('\n').filter((line) => !line.startsWith('#') && pattern.test(line));
  if (lines.length > 1) throw new Error(`several series match ${String(pattern)}:\n${lines.join('\n')}`);
  return Number(lines[0]?.split(' ').at(-1) ?? 0);
}

function seriesIn(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.slice(0, line.lastIndexOf(' ')));
}

const etcdModule = (): ReturnType<typeof EtcdModule.forRoot> => EtcdModule.forRoot({ endpoints: etcd.endpoints });

describe('GET /metrics', () => {
  it.each(PLATFORMS)('serves the right counts as text, on %s', async (platform) => {
    const metadata = { imports: [etcdModule(), EtcdMetricsModule.forRoot({ registry })] };
    const { app, url } = await startHttp(metadata, platform);
    ends.push(() => app.close());
    const kv = app.get(EtcdKv);
    await kv.put('metrics/a', 'x');
    await kv.put('metrics/b', 'x');
    await kv.get('metrics/a');

    const response = await fetch(`${url}/metrics`);
    const text = await response.text();

    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    const kvLabels = 'client="default",grpc_type="unary",grpc_service="etcdserverpb.KV"';
    expect(text).toContain(`grpc_client_handled_total{${kvLabels},grpc_method="Put",grpc_code="OK"} 2`);
    expect(text).toContain(`grpc_client_handled_total{${kvLabels},grpc_method="Range",grpc_code="OK"} 1`);
    expect(text).toContain(`grpc_client_handling_seconds_count{${kvLabels},grpc_method="Put"} 2`);
    expect(text).toContain(`etcd_client_endpoint_state{client="default",endpoint="${etcd.endpoint}",state="ready"} 1`);
  });

  it('is served at another path, also when the app has versions', async () => {
    const module = rootModule({
      imports: [etcdModule(), EtcdMetricsModule.forRoot({ registry, path: 'internal/stats' })],
    });
    const app = await NestFactory.create(module, { logger: new CapturedLog(), abortOnError: false });
    app.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' });
    await app.listen(0, '127.0.0.1');
    ends.push(() => app.close());
    const url = await app.getUrl();

    expect((await fetch(`${url}/internal/stats`)).status).toBe(200);
    expect((await fetch(`${url}/metrics`)).status).toBe(404);
  });

  it('is not there with path: false, and the metrics still are', async () => {
    const imports = [etcdModule(), EtcdMetricsModule.forRoot({ registry, path: false })];
    const { app, url } = await startHttp({ imports });
    ends.push(() => app.close());

    expect((await fetch(`${url}/metrics`)).status).toBe(404);
    expect(registry.getSingleMetric('grpc_client_handled_total')).toBeDefined();
  });

  it('serves two apps at two paths in one process', async () => {
    const [a, b] = [new Registry(), new Registry()];
    const first = await startHttp({ imports: [etcdModule(), EtcdMetricsModule.forRoot({ registry: a, path: 'a' })] });
    const second = await startHttp({ imports: [etcdModule(), EtcdMetricsModule.forRoot({ registry: b, path: 'b' })] });
    ends.push(
      () => first.app.close(),
      () => second.app.close(),
    );
    await first.app.get(EtcdKv).get('x');

    expect((await fetch(`${first.url}/a`)).status).toBe(200);
    expect((await fetch(`${second.url}/a`)).status).toBe(404);
    expect((await fetch(`${second.url}/b`)).status).toBe(200);
    expect([await valueOf(/handled_total.*Range/, a), await valueOf(/handled_total.*Range/, b)]).toEqual([1, 0]);
  });
});

describe('EtcdMetricsModule', () => {
  it.each([
    ['before', (metrics: object, client: object) => [metrics, client]],
    ['after', (metrics: object, client: object) => [client, metrics]],
  ])('measures clients that are imported %s it', async (_where, order) => {
    const imports = order(EtcdMetricsModule.forRoot({ registry, path: false }), etcdModule()) as never[];

    const app = await start({ imports });
    await app.get(EtcdKv).get('a');

    expect(await valueOf(/handled_total.*grpc_code="OK"/)).toBe(1);
  });

  it('measures calls that are made while the app is still being built', async () => {
    const early = { provide: 'EARLY', useFactory: (kv: EtcdKv) => kv.count('a'), inject: [EtcdKv] };

    await start({
      imports: [etcdModule(), EtcdMetricsModule.forRoot({ registry, path: false })],
      providers: [early],
    });

    expect(await valueOf(/handled_total.*grpc_code="OK"/)).toBe(1);
  });

  it('measures clients that only a feature module imports, each under its name', async () => {
    @Module({
      imports: [
        EtcdModule.forRootAsync({ name: 'deep', isGlobal: false, useFactory: () => ({ endpoints: etcd.endpoints }) }),
      ],
      exports: [],
    })
    class FeatureModule {}
    const app = await start({
      imports: [etcdModule(), FeatureModule, EtcdMetricsModule.forRoot({ registry, path: false })],
    });

    await app.get<EtcdKv>(getEtcdKvToken('deep')).put('metrics/deep', 'x');

    expect(await valueOf(/handled_total\{client="deep".*Put/)).toBe(1);
    expect(await valueOf(/handled_total\{client="default"/)).toBe(0);
    expect(await valueOf(/in_flight\{client="deep"/)).toBe(0);
  });

  it('makes its options while the app starts, when asked to', async () => {
    const app = await start({
      imports: [
        etcdModule(),
        EtcdMetricsModule.forRootAsync({
          path: false,
          useFactory: () => Promise.resolve({ registry, prefix: 'app_', labels: { service: 'orders' } }),
        }),
      ],
    });

    await app.get(EtcdKv).get('a');

    expect(await valueOf(/^app_grpc_client_handled_total\{service="orders"/)).toBe(1);
  });

  it('serves the registry that its factory chose', async () => {
    new Counter({ name: 'mine', help: 'of the user', registers: [registry] });
    const imports = [etcdModule(), EtcdMetricsModule.forRootAsync({ useFactory: () => ({ registry }) })];
    const { app, url } = await startHttp({ imports });
    ends.push(() => app.close());

    expect(await (await fetch(`${url}/metrics`)).text()).toContain('mine 0');
  });

  it('can be registered again in the same registry: two apps, a test, a hot reload', async () => {
    const metadata = { imports: [etcdModule(), EtcdMetricsModule.forRoot({ registry, path: false })] };
    const first = await start(metadata);
    await first.get(EtcdKv).get('a');
    const second = await start(metadata);
    await second.get(EtcdKv).get('a');
    const together = await valueOf(/endpoint_state.*ready/);
    await first.close();

    expect(await valueOf(/handled_total.*grpc_code="OK"/)).toBe(2);
    expect(together).toBe(2);
    expect(await valueOf(/endpoint_state.*ready/)).toBe(1);
  });

  it('says so when it is imported twice in one app', async () => {
    const imports = [
      etcdModule(),
      EtcdMetricsModule.forRoot({ registry }),
      EtcdMetricsModule.forRoot({ registry, path: 'again' }),
    ];

    await expect(start({ imports })).rejects.toThrow(EtcdModuleError);
    await expect(start({ imports })).rejects.toThrow(/registered twice; register it once, in the root module/);
  });

  it('works beside a client that was wrapped in a proxy', async () => {
    const instanceDecorator = (instance: unknown): unknown =>
      typeof instance === 'object' && instance !== null ? new Proxy(instance, {}) : instance;
    const app = await NestFactory.createApplicationContext(
      rootModule({ imports: [etcdModule(), EtcdMetricsModule.forRoot({ registry, path: false })] }),
      { logger: new CapturedLog(), abortOnError: false, instrument: { instanceDecorator } },
    );
    ends.push(() => app.close());

    await app.get(EtcdKv).get('a');

    expect(await valueOf(/handled_total.*grpc_code="OK"/)).toBe(1);
    expect(await valueOf(/endpoint_state.*ready/)).toBe(1);
  });
});

describe('M19 the number of series', () => {
  it('does not grow with keys, values and errors, and no label holds one', async () => {
    const fake = await startFakeEtcd();
    ends.push(() => fake[Symbol.asyncDispose]());
    const auth = { username: 'ursula', password: 'hunter2' };
    const app = await start({
      imports: [
        EtcdModule.forRoot({ endpoints: fake.endpoint, auth }),
        EtcdModule.forRoot({ name: 'away', endpoints: await closedEndpoint(), callTimeoutMs: 1 }),
        EtcdMetricsModule.forRoot({ registry, path: false }),
      ],
    });
    const kv = app.get(EtcdKv);
    const away = app.get<EtcdKv>(getEtcdKvToken('away'));
    const use = async (from: number, to: number): Promise<void> => {
      for (let i = from; i < to; i += 100) {
        const keys = Array.from({ length: 100 }, (_, offset) => `key-${i + offset}`);
        await Promise.all(keys.map((key) => kv.put(key, `value-of-${key}`)));
        await expect(away.get(`lost-key-${i}`)).rejects.toMatchObject({ code: 'ETCD_UNAVAILABLE' });
      }
    };
    await use(0, 100);
    const before = seriesIn(await registry.metrics());

    await use(100, 10_100);
    const text = await registry.metrics();

    expect(seriesIn(text)).toEqual(before);
    expect(text).toMatch(/handled_total\{client="default".*Put.* 10100$/m);
    expect(text).toMatch(/handled_total\{client="away".*grpc_code="Unavailable"\} 101$/m);
    expect(text).not.toMatch(/key-|value-|ursula|hunter2|token\.1/);
    expect(app.get(EtcdClient).stats().retries).toBe(0);
  }, 90_000);
});
