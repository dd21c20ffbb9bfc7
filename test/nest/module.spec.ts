/** `EtcdModule` in Nest apps: every way to register it, named clients, what is wrong told at start. */
import { afterEach, describe, expect, it } from '@jest/globals';
import { Inject, Injectable, Module, type INestApplicationContext, type ModuleMetadata } from '@nestjs/common';
import { ConfigModule, ConfigService, registerAs } from '@nestjs/config';
import { NestFactory } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import {
  EtcdAuth,
  EtcdClient,
  EtcdClosedError,
  EtcdCluster,
  EtcdConcurrency,
  EtcdConfigError,
  EtcdKv,
  EtcdLease,
  EtcdMaintenance,
  EtcdModule,
  EtcdModuleError,
  EtcdWatch,
  InjectEtcd,
  InjectEtcdKv,
  InjectEtcdMaintenance,
  getEtcdKvToken,
  getEtcdMaintenanceToken,
  getEtcdToken,
  type EtcdModuleOptions,
  type EtcdOptionsFactory,
} from '../../lib/nest/index.js';
import { SERVICES } from '../../lib/nest/etcd-services.js';
import { eventually } from '../support/index.js';
import { runningMs } from '../support/running-time.js';
import { closedEndpoint, rootModule, startContext, startHttp } from './support/apps.js';
import { CapturedLog } from './support/captured-log.js';
import { startFakeEtcd, type FakeEtcd } from './support/fake-etcd.js';

const ENDPOINT = 'http://127.0.0.1:2379'; // nothing connects to it: clients are lazy

const apps: INestApplicationContext[] = [];
const fakes: FakeEtcd[] = [];

afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
  for (const fake of fakes.splice(0)) fake.kill();
});

async function start(metadata: ModuleMetadata): Promise<INestApplicationContext> {
  const { app } = await startContext(metadata);
  apps.push(app);
  return app;
}

async function startFake(): Promise<FakeEtcd> {
  const fake = await startFakeEtcd();
  fakes.push(fake);
  return fake;
}

function nameOf(app: INestApplicationContext, name?: string): string {
  return app.get<EtcdClient>(getEtcdToken(name)).name;
}

function endpointsOf(app: INestApplicationContext, name?: string): readonly string[] {
  return app.get<EtcdClient>(getEtcdToken(name)).endpoints;
}

describe('EtcdModule.forRoot', () => {
  it('provides the client and each of its services by class', async () => {
    const app = await start({ imports: [EtcdModule.forRoot({ endpoints: ENDPOINT })] });

    const client = app.get(EtcdClient);

    expect(client.endpoints).toEqual([ENDPOINT]);
    for (const type of [EtcdKv, EtcdWatch, EtcdLease, EtcdConcurrency, EtcdAuth, EtcdCluster, EtcdMaintenance]) {
      expect(Object.values(client)).toContain(app.get(type));
    }
    for (const { type } of Object.values(SERVICES)) expect(app.get<object>(type)).toBeInstanceOf(type);
    expect(app.get(getEtcdToken())).toBe(client);
    expect(app.get(getEtcdToken('default'))).toBe(client);
    expect(app.get(getEtcdKvToken())).toBe(client.kv);
    expect(app.get(getEtcdMaintenanceToken())).toBe(client.maintenance);
  });

  it('injects services into a class without any decorator', async () => {
    const etcd = await startFake();
    @Injectable()
    class Orders {
      constructor(readonly kv: EtcdKv) {}
    }
    const app = await start({ imports: [EtcdModule.forRoot({ endpoints: etcd.endpoint })], providers: [Orders] });

    await app.get(Orders).kv.get('a');

    expect(etcd.count('/etcdserverpb.KV/Range')).toBe(1);
  });

  it('is global unless told otherwise', async () => {
    @Injectable()
    class Reader {
      constructor(readonly kv: EtcdKv) {}
    }
    @Module({ providers: [Reader] })
    class FeatureModule {}

    const app = await start({ imports: [FeatureModule, EtcdModule.forRoot({ endpoints: ENDPOINT })] });
    const local = start({ imports: [FeatureModule, EtcdModule.forRoot({ endpoints: ENDPOINT, isGlobal: false })] });

    expect(app.get(Reader).kv).toBeInstanceOf(EtcdKv);
    await expect(local).rejects.toThrow(/can't resolve dependencies of the Reader/);
  });

  it('makes nothing before the app starts', async () => {
    const made = EtcdModule.forRoot({ endpoints: [] });

    await expect(start({ imports: [made] })).rejects.toThrow(EtcdConfigError);
  });

  it('M2 starts within a second while etcd is down, and serves', async () => {
    const endpoint = await closedEndpoint();
    const startedAt = runningMs();

    const { app, url } = await startHttp({ imports: [EtcdModule.forRoot({ endpoints: endpoint })] });
    apps.push(app);

    expect(runningMs() - startedAt).toBeLessThan(1_000);
    expect((await fetch(url)).status).toBe(404);
    expect(app.get(EtcdClient).state).toBe('idle');
  });
});

describe('EtcdModule.forRootAsync', () => {
  it('takes a factory with what it needs', async () => {
    const app = await start({
      imports: [
        EtcdModule.forRootAsync({
          imports: [ConfigModule.forRoot({ ignoreEnvFile: true, load: [() => ({ ETCD: 'http://a:1,http://b:2' })] })],
          inject: [ConfigService],
          useFactory: (config: ConfigService) =>
            Promise.resolve({ endpoints: config.getOrThrow<string>('ETCD').split(',') }),
        }),
      ],
    });

    expect(endpointsOf(app)).toEqual(['http://a:1', 'http://b:2']);
  });

  it('takes a class that makes the options', async () => {
    @Injectable()
    class Options implements EtcdOptionsFactory {
      createEtcdOptions(): EtcdModuleOptions {
        return { endpoints: 'http://from-class:1' };
      }
    }

    const app = await start({ imports: [EtcdModule.forRootAsync({ useClass: Options })] });

    expect(endpointsOf(app)).toEqual(['http://from-class:1']);
  });

  it('takes an instance that another module has', async () => {
    @Injectable()
    class Options implements EtcdOptionsFactory {
      readonly made: EtcdModuleOptions[] = [];

      createEtcdOptions(): Promise<EtcdModuleOptions> {
        const options = { endpoints: 'http://existing:1' };
        this.made.push(options);
        return Promise.resolve(options);
      }
    }
    @Module({ providers: [Options], exports: [Options] })
    class OptionsModule {}

    const app = await start({
      imports: [OptionsModule, EtcdModule.forRootAsync({ imports: [OptionsModule], useExisting: Options })],
    });

    expect(endpointsOf(app)).toEqual(['http://existing:1']);
    expect(app.get(Options).made).toHaveLength(1);
  });

  it('takes extra providers for its factory', async () => {
    const app = await start({
      imports: [
        EtcdModule.forRootAsync({
          extraProviders: [{ provide: 'HOST', useValue: 'http://extra:1' }],
          inject: ['HOST'],
          useFactory: (host: string) => ({ endpoints: host }),
        }),
      ],
    });

    expect(endpointsOf(app)).toEqual(['http://extra:1']);
  });

  it('works with registerAs(…).asProvider(), with and without a name', async () => {
    const etcdConfig = registerAs('etcd', () => ({ endpoints: ['http://config:1'], callTimeoutMs: 700 }));

    const app = await start({
      imports: [
        EtcdModule.forRootAsync(etcdConfig.asProvider()),
        EtcdModule.forRootAsync({ name: 'audit', ...etcdConfig.asProvider() }),
      ],
    });

    expect(endpointsOf(app)).toEqual(['http://config:1']);
    expect(endpointsOf(app, 'audit')).toEqual(['http://config:1']);
    expect(app.get(getEtcdToken('audit'))).not.toBe(app.get(getEtcdToken()));
  });

  it('is global unless told otherwise', async () => {
    @Module({ providers: [{ provide: 'READER', useFactory: (kv: EtcdKv) => kv, inject: [EtcdKv] }] })
    class FeatureModule {}
    const useFactory = (): EtcdModuleOptions => ({ endpoints: ENDPOINT });

    const app = await start({ imports: [FeatureModule, EtcdModule.forRootAsync({ useFactory })] });
    const local = start({ imports: [FeatureModule, EtcdModule.forRootAsync({ useFactory, isGlobal: false })] });

    expect(app.get('READER')).toBeInstanceOf(EtcdKv);
    await expect(local).rejects.toThrow(/READER/);
  });
});

describe('named clients', () => {
  it('M10 three of them in one app keep apart', async () => {
    const [a, b, c] = [await startFake(), await startFake(), await startFake()];
    @Injectable()
    class User {
      constructor(
        readonly etcd: EtcdClient,
        @InjectEtcd('b') readonly b: EtcdClient,
        @InjectEtcdKv('c') readonly c: EtcdKv,
        @InjectEtcdMaintenance('c') readonly maintenance: EtcdMaintenance,
        @InjectEtcd() readonly same: EtcdClient,
        @InjectEtcdKv() readonly kv: EtcdKv,
      ) {}
    }
    const app = await start({
      imports: [
        EtcdModule.forRoot({ endpoints: a.endpoint }),
        EtcdModule.forRoot({ name: 'b', endpoints: b.endpoint }),
        EtcdModule.forRootAsync({ name: 'c', useFactory: () => ({ endpoints: c.endpoint }) }),
      ],
      providers: [User],
    });
    const user = app.get(User);

    await user.b.kv.put('x', 'y');
    await user.c.put('x', 'y');
    await user.c.put('x', 'z');

    expect([a, b, c].map((fake) => fake.count('/etcdserverpb.KV/Put'))).toEqual([0, 1, 2]);
    expect([nameOf(app), nameOf(app, 'b'), nameOf(app, 'c')]).toEqual(['default', 'b', 'c']);
    expect(user.same).toBe(user.etcd);
    expect(user.kv).toBe(user.etcd.kv);
    expect(user.maintenance).toBe(app.get<EtcdClient>(getEtcdToken('c')).maintenance);
  });

  it('M10 two apps in one process do not meet: closing one leaves the other', async () => {
    const etcd = await startFake();
    const metadata = { imports: [EtcdModule.forRoot({ name: 'same', endpoints: etcd.endpoint })] };
    const [first, second] = [await start(metadata), await start(metadata)];
    const gone = first.get<EtcdClient>(getEtcdToken('same'));
    const kept = second.get<EtcdClient>(getEtcdToken('same'));
    await gone.kv.get('a');
    await kept.kv.get('a');

    await first.close();

    await expect(gone.kv.get('a')).rejects.toThrow(EtcdClosedError);
    await expect(kept.kv.get('a')).resolves.toBeUndefined();
  });
});

describe('what is wrong with the registration', () => {
  const useFactory = (): EtcdModuleOptions => ({ endpoints: ENDPOINT });
  @Injectable()
  class Options implements EtcdOptionsFactory {
    createEtcdOptions(): EtcdModuleOptions {
      return { endpoints: ENDPOINT };
    }
  }

  it.each([
    ['no factory', [EtcdModule.forRootAsync({})], /"default" needs exactly one of useFactory.* got none/],
    [
      'two factories',
      [EtcdModule.forRootAsync({ name: 'b', useFactory, useClass: Options })],
      /"b" needs exactly one of useFactory, useClass and useExisting, and got useFactory and useClass/,
    ],
    [
      'two clients without a name',
      [EtcdModule.forRoot({ endpoints: ENDPOINT }), EtcdModule.forRootAsync({ useFactory })],
      /registered twice without a name; .* give the second client a name/,
    ],
    [
      'two clients of one name',
      [EtcdModule.forRoot({ name: 'b', endpoints: ENDPOINT }), EtcdModule.forRoot({ name: 'b', endpoints: ENDPOINT })],
      /two etcd clients are named "b"/,
    ],
    [
      'a name that comes out of the factory',
      [EtcdModule.forRootAsync({ useFactory: () => ({ endpoints: ENDPOINT, name: 'b' }) })],
      /hold a name; write it beside the factory/,
    ],
    [
      'a factory that returns nothing',
      [EtcdModule.forRootAsync({ name: 'b', useFactory: () => undefined as unknown as EtcdModuleOptions })],
      /got no options for the client "b" \(undefined\)/,
    ],
  ])('fails the start: %s', async (_what, imports, message) => {
    const started = start({ imports });

    await expect(started).rejects.toThrow(message);
    await expect(started).rejects.toBeInstanceOf(EtcdModuleError);
  });

  it('points at the line that has to be changed when the factory is missing', async () => {
    const imports = [EtcdModule.forRootAsync({})];

    const error: unknown = await start({ imports }).catch((reason: unknown) => reason);

    expect((error as Error).stack).toContain('module.spec.ts');
    expect((error as Error).stack).not.toContain('@nestjs/core');
  });

  it.each<[string, EtcdModuleOptions, RegExp]>([
    ['no endpoint', { endpoints: [] }, /endpoints must name at least one/],
    ['an option of the client', { endpoints: ENDPOINT, callTimeoutMs: 0 }, /callTimeoutMs must be an integer from 1/],
    [
      'connect',
      { endpoints: ENDPOINT, connect: 'later' as 'lazy' },
      /connect must be 'lazy' or 'eager', but is "later"/,
    ],
    ['startTimeoutMs', { endpoints: ENDPOINT, startTimeoutMs: -1 }, /startTimeoutMs must be an integer from 1/],
    ['drainMs', { endpoints: ENDPOINT, drainMs: -1 }, /drainMs must be an integer from 0/],
    ['shutdownTimeoutMs', { endpoints: ENDPOINT, shutdownTimeoutMs: 2 ** 31 }, /shutdownTimeoutMs must be an integer/],
    ['a typo', { endpoints: ENDPOINT, conect: 'eager' } as EtcdModuleOptions, /option conect is not an option/],
    ['nothing at all', undefined as unknown as EtcdModuleOptions, /endpoints must name at least one/],
  ])('M1 fails the start for bad options: %s', async (_what, options, message) => {
    const started = start({ imports: [EtcdModule.forRoot(options)] });

    await expect(started).rejects.toThrow(message);
    await expect(started).rejects.toBeInstanceOf(EtcdConfigError);
  });

  it('M1 fails the start with the very error that the factory threw', async () => {
    const cause = new Error('the vault is sealed');

    const started = start({ imports: [EtcdModule.forRootAsync({ useFactory: () => Promise.reject(cause) })] });

    await expect(started).rejects.toBe(cause);
  });

  it('M1 shows no password in the error or the log', async () => {
    const log = new CapturedLog();
    const auth = { username: 'root', password: 'hunter2', pasword: 'hunter2' };
    const root = rootModule({ imports: [EtcdModule.forRoot({ endpoints: ENDPOINT, auth })] });

    const error: unknown = await NestFactory.create(root, { logger: log, abortOnError: false }).catch(
      (reason: unknown) => reason,
    );

    expect(error).toBeInstanceOf(EtcdConfigError);
    expect(JSON.stringify([error, String(error), (error as Error).stack, log.text])).not.toContain('hunter2');
  });
});

describe('inside an app', () => {
  it('gives way to a fake, which then needs no endpoint', async () => {
    const fake = { get: () => Promise.resolve(undefined) };
    const testing = Test.createTestingModule({ imports: [EtcdModule.forRoot({ endpoints: ENDPOINT })] });

    const app = await testing.overrideProvider(getEtcdKvToken()).useValue(fake).compile();

    expect(app.get(EtcdKv)).toBe(fake);
    await app.close();
  });

  it('works when Nest wraps every instance in a proxy, as observers do', async () => {
    const etcd = await startFake();
    const log = new CapturedLog();
    const instanceDecorator = (instance: unknown): unknown =>
      typeof instance === 'object' && instance !== null ? new Proxy(instance, {}) : instance;
    const app = await NestFactory.createApplicationContext(
      rootModule({ imports: [EtcdModule.forRoot({ endpoints: etcd.endpoint, connect: 'eager' })] }),
      { logger: log, abortOnError: false, instrument: { instanceDecorator } },
    );

    const client = app.get(EtcdClient);
    await client.ready();
    await app.get(EtcdKv).get('a');
    await app.get(EtcdMaintenance).status(etcd.endpoint);
    for (const { type } of Object.values(SERVICES)) expect(app.get<object>(type).constructor).toBe(type);
    await app.close();

    expect(client.state).toBe('closed');
  });

  it('logs connected, lost and closed, in a context of its own for each client, and no value', async () => {
    const etcd = await startFake();
    const { app, log } = await startContext({
      imports: [
        EtcdModule.forRoot({ endpoints: etcd.endpoint }),
        EtcdModule.forRoot({ name: 'audit', endpoints: etcd.endpoint }),
      ],
    });
    await app.get(EtcdKv).put('secret-key', 'secret-value');

    etcd.kill();
    await eventually(() => log.of('Etcd').some((line) => line.startsWith('warn: lost')), {
      what: 'the loss in the log',
    });
    await etcd.listen();
    await eventually(() => log.of('Etcd').filter((line) => line.includes('connected')).length === 2);
    await app.close();

    expect(log.of('Etcd')).toEqual([
      `log: connected to ${etcd.endpoint}`,
      expect.stringMatching(`^warn: lost ${etcd.endpoint}: .+; trying until it serves$`),
      `log: connected to ${etcd.endpoint}`,
      'log: closed',
    ]);
    expect(log.of('Etcd:audit')).toEqual(['log: closed']);
    expect(log.text).not.toContain('secret');
    etcd.kill();
  });

  it('can be told which module to inject from by a plain token', async () => {
    @Injectable()
    class Reader {
      constructor(@Inject(getEtcdKvToken('b')) readonly kv: EtcdKv) {}
    }

    const app = await start({
      imports: [EtcdModule.forRoot({ name: 'b', endpoints: ENDPOINT })],
      providers: [Reader],
    });

    expect(app.get(Reader).kv).toBe(app.get<EtcdClient>(getEtcdToken('b')).kv);
  });
});
