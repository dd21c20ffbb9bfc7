/** `EtcdModule.forFeature`: a module works in a namespace of its own, by injection and by decorators, and no other module does. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  Inject,
  Injectable,
  Module,
  type DynamicModule,
  type INestApplicationContext,
  type Type,
} from '@nestjs/common';
import {
  currentLeadership,
  currentLock,
  EtcdClient,
  EtcdConcurrency,
  EtcdElections,
  EtcdKv,
  EtcdLease,
  EtcdLocks,
  EtcdModule,
  EtcdModuleError,
  EtcdNamespace,
  EtcdWatch,
  getEtcdKvToken,
  InjectEtcdElections,
  InjectEtcdKv,
  InjectEtcdLocks,
  InjectEtcdNamespace,
  LeaderOnly,
  OnEtcdWatch,
  OnLeadershipAcquired,
  prefix,
  WithEtcdLock,
  type Leadership,
  type WatchEvent,
} from '../../lib/nest/index.js';
import { errorOf } from '../support/failure.js';
import { eventually, type Etcd } from '../support/index.js';
import { rootModule, startContext } from './support/apps.js';
import { stageOfApps } from './support/stage.js';

const stage = stageOfApps();
const { apps, calls, client } = stage;
let etcd: Etcd;

beforeEach(async () => {
  ({ etcd } = stage);
  await etcd.gateway.deletePrefix('shop/');
});

async function start(...imports: (DynamicModule | Type)[]): Promise<INestApplicationContext> {
  const { app } = await startContext({ imports });
  apps.push(app);
  return app;
}

/** A module of its own that injects everything there is. */
function consumer(...imports: DynamicModule[]): { module: Type; Consumer: ReturnType<typeof consumerClass> } {
  const Consumer = consumerClass();
  return { module: rootModule({ imports, providers: [Consumer] }), Consumer };
}

function consumerClass() {
  @Injectable()
  class Consumer {
    constructor(
      readonly client: EtcdClient,
      readonly kv: EtcdKv,
      readonly watch: EtcdWatch,
      readonly lease: EtcdLease,
      readonly concurrency: EtcdConcurrency,
      readonly locks: EtcdLocks,
      readonly elections: EtcdElections,
    ) {}
  }
  return Consumer;
}

async function keys(): Promise<string[]> {
  return (await etcd.gateway.getPrefix('shop/')).map(({ key }) => key);
}

describe('in a module with EtcdModule.forFeature', () => {
  it('every service that is injected by class works below the prefix, and the client is the whole', async () => {
    const { module, Consumer } = consumer(EtcdModule.forFeature({ namespace: 'shop/' }));
    const app = await start(client(), module);
    const { client: whole, kv, watch, lease, concurrency, locks, elections } = app.get(Consumer, { strict: false });

    const { id } = await lease.grant(60);
    await kv.put('a', '1', { lease: id });
    expect((await whole.kv.get('shop/a'))?.value).toBe('1');
    expect(await lease.timeToLive(id, { keys: true })).toMatchObject({ keys: ['a'] });
    const watcher = watch.watch('b');
    await watcher.created;
    await whole.kv.put('shop/b', '2');
    const first = await watcher[Symbol.asyncIterator]().next();
    expect((first.value as WatchEvent).kv.key).toBe('b');
    await watcher.close();
    await locks.lock('locks/x', async ({ guard }) => {
      expect((await kv.txn().if(guard).then().commit()).succeeded).toBe(true);
      expect(await keys()).toContainEqual(expect.stringMatching('^shop/locks/x/'));
    });
    await elections.whileLeader('election', async () => {
      expect(await keys()).toContainEqual(expect.stringMatching('^shop/election/'));
      expect(await concurrency.leader('election')).toBeDefined();
    });
    await lease.revoke(id);
  });

  it('EtcdNamespace is the namespace itself', async () => {
    @Injectable()
    class Orders {
      constructor(
        readonly etcd: EtcdNamespace,
        @InjectEtcdNamespace('deep') readonly deep: EtcdNamespace,
      ) {}
    }
    const features = [
      EtcdModule.forFeature({ namespace: 'shop/' }),
      EtcdModule.forFeature({ namespace: Buffer.from('shop/deep/'), name: 'deep' }),
    ];
    const app = await start(client(), rootModule({ imports: features, providers: [Orders] }));
    const { etcd: shop, deep } = app.get(Orders, { strict: false });

    expect([shop.prefix, deep.prefix]).toEqual(['shop/', 'shop/deep/']);
  });

  it('other modules see nothing of it, however many there are', async () => {
    const features = ['shop/a/', 'shop/b/'].map((namespace) => consumer(EtcdModule.forFeature({ namespace })));
    const plain = consumer();
    // Before and after the others: Nest looks for providers in the order in which modules were imported.
    const app = await start(plain.module, ...features.map(({ module }) => module), client(), consumer().module);

    for (const [index, { Consumer }] of [...features, plain].entries()) {
      await app.get(Consumer, { strict: false }).kv.put(index === 2 ? 'shop/plain' : 'key', 'x');
    }

    expect(await keys()).toEqual(['shop/a/key', 'shop/b/key', 'shop/plain']);
  });

  describe.each(['reference', 'deep-hash'] as const)('where Nest knows modules by %s', (moduleIdGeneratorAlgorithm) => {
    it.each([
      ['forFeature', (namespace: string) => EtcdModule.forFeature({ namespace })],
      ['forFeatureAsync', (namespace: string) => EtcdModule.forFeatureAsync({ useFactory: () => ({ namespace }) })],
    ])('two of %s stay apart', async (_how, featureOf) => {
      const consumers = ['shop/a/', 'shop/b/'].map((namespace) => consumer(featureOf(namespace)));
      const imports = [client(), ...consumers.map(({ module }) => module)];
      const { app } = await startContext({ imports }, { moduleIdGeneratorAlgorithm });
      apps.push(app);

      for (const { Consumer } of consumers) await app.get(Consumer, { strict: false }).kv.put('key', 'x');

      expect(await keys()).toEqual(['shop/a/key', 'shop/b/key']);
    });

    it('one that two modules import is the same to both', async () => {
      const feature = EtcdModule.forFeature({ namespace: 'shop/' });
      const consumers = [consumer(feature), consumer(feature)];
      const imports = [client(), ...consumers.map(({ module }) => module)];
      const { app } = await startContext({ imports }, { moduleIdGeneratorAlgorithm });
      apps.push(app);

      const [one, two] = consumers.map(({ Consumer }) => app.get(Consumer, { strict: false }));

      expect(one!.locks).toBe(two!.locks);
    });
  });

  it.each(['before', 'after'])('its services count also where the client is imported %s it', async (where) => {
    const Consumer = consumerClass();
    const feature = EtcdModule.forFeature({ namespace: 'shop/' });
    const imports = where === 'before' ? [client(), feature] : [feature, client()];
    const { app } = await startContext({ imports, providers: [Consumer] });
    apps.push(app);

    await app.get(Consumer).kv.put('here', 'x');
    await app.get(Consumer).locks.lock('lock', async ({ key }) => {
      expect(key).toMatch(/^lock\//);
      expect(await keys()).toEqual(['shop/here', `shop/${key}`]);
    });
  });

  it('several stand side by side by name, on several clients, and one may stand twice', async () => {
    @Injectable()
    class Orders {
      constructor(
        readonly kv: EtcdKv,
        @InjectEtcdKv('log') readonly log: EtcdKv,
        @InjectEtcdLocks('log') readonly locks: EtcdLocks,
        @InjectEtcdElections('log') readonly elections: EtcdElections,
        @InjectEtcdKv('audit') readonly audit: EtcdKv,
      ) {}
    }
    const imports = [
      EtcdModule.forFeature({ namespace: 'shop/orders/' }),
      EtcdModule.forFeature({ namespace: 'shop/orders/' }),
      EtcdModule.forFeature({ namespace: 'shop/log/', client: 'audit', name: 'log' }),
    ];
    const app = await start(client(), client({ name: 'audit' }), rootModule({ imports, providers: [Orders] }));
    const { kv, log, audit, locks, elections } = app.get(Orders, { strict: false });

    await Promise.all([kv.put('1', 'x'), log.put('1', 'x'), audit.put('shop/1', 'x')]);

    expect(await keys()).toEqual(['shop/1', 'shop/log/1', 'shop/orders/1']);
    expect(await locks.lock('lock', ({ key }) => keys().then((all) => all.includes(`shop/log/${key}`)))).toBe(true);
    expect(elections.isLeader('none')).toBe(false);
  });

  it('may be handed on by another module', async () => {
    const shared = rootModule({ imports: [EtcdModule.forFeature({ namespace: 'shop/' })], exports: [EtcdModule] });
    const Consumer = consumerClass();
    const app = await start(client(), rootModule({ imports: [shared as never], providers: [Consumer] }));

    await app.get(Consumer, { strict: false }).kv.put('shared', 'x');

    expect(await keys()).toEqual(['shop/shared']);
  });

  it('takes a client that is not global from the modules it is told', async () => {
    const hidden = client({ isGlobal: false });
    const feature = EtcdModule.forFeature({ namespace: 'shop/', imports: [hidden] });
    const Consumer = consumerClass();
    const app = await start(rootModule({ imports: [feature, hidden], providers: [Consumer] }));

    await app.get(Consumer, { strict: false }).kv.put('hidden', 'x');

    expect(await keys()).toEqual(['shop/hidden']);
  });

  it('its prefix may come from a factory', async () => {
    @Module({ providers: [{ provide: 'STAGE', useValue: 'shop/test/' }], exports: ['STAGE'] })
    class Stage {}
    const { module, Consumer } = consumer(
      EtcdModule.forFeatureAsync({
        imports: [Stage],
        inject: ['STAGE'],
        useFactory: (stage: string) => Promise.resolve({ namespace: stage }),
      }),
    );
    const app = await start(client(), module);

    await app.get(Consumer, { strict: false }).kv.put('staged', 'x');

    expect(await keys()).toEqual(['shop/test/staged']);
  });
});

describe('the decorators in a module with EtcdModule.forFeature', () => {
  @Injectable()
  class Decorated {
    constructor(@Inject(EtcdKv) readonly kv: EtcdKv) {}

    @OnEtcdWatch(prefix('watched/'))
    onEvent({ kv }: WatchEvent): void {
      calls.push(`event ${kv.key}`);
    }

    @WithEtcdLock('lock')
    async locked(): Promise<string> {
      const { key, guard } = currentLock();
      const { succeeded } = await this.kv.txn().if(guard).then().commit();
      return `${succeeded} ${(await keys()).includes(`shop/${key}`)}`;
    }

    @LeaderOnly('election')
    async led(): Promise<string | undefined> {
      const { key, guard } = currentLeadership();
      const { succeeded } = await this.kv.txn().if(guard).then().commit();
      return `${succeeded} ${(await keys()).includes(`shop/${key}`)}`;
    }

    @OnLeadershipAcquired('election')
    acquired({ key }: Leadership): void {
      calls.push(key.replace(/\/.*/, ''));
    }
  }

  it.each([
    ['made by Nest', Decorated],
    ['made by a factory', { provide: Decorated, useFactory: (kv: EtcdKv) => new Decorated(kv), inject: [EtcdKv] }],
  ])('work below its prefix, on an instance %s', async (_how, provider) => {
    const feature = EtcdModule.forFeature({ namespace: 'shop/' });
    const app = await start(client(), rootModule({ imports: [feature], providers: [provider] }));
    const decorated = app.get(Decorated, { strict: false });
    const { watch } = app.get(EtcdClient);
    await eventually(() => watch.stats().streams > 0 && calls.length > 0, { what: 'the watch and the leadership' });
    const probe = watch.watch('shop/probe');
    await probe.created;
    await probe.close();

    await etcd.gateway.put('watched/elsewhere', 'x');
    await etcd.gateway.put('shop/watched/a', 'x');
    await eventually(() => calls.length === 2, { what: 'the event' });

    expect(calls).toEqual(['election', 'event watched/a']);
    expect(await decorated.locked()).toBe('true true');
    expect(await decorated.led()).toBe('true true');
  });

  it('campaign once for modules that share the namespace, and apart for those that do not', async () => {
    function campaigner(namespace: string): Type {
      class Campaigner {
        @OnLeadershipAcquired('election')
        acquired({ isLeader }: Leadership): void {
          calls.push(`${namespace} ${isLeader}`);
        }
      }
      return rootModule({ imports: [EtcdModule.forFeature({ namespace })], providers: [Campaigner] });
    }
    const namespaces = ['shop/a/', 'shop/a/', 'shop/b/'];

    await start(client(), ...namespaces.map(campaigner));
    await eventually(() => calls.length === 3, { what: 'the leaderships' });

    expect(calls.sort()).toEqual(['shop/a/ true', 'shop/a/ true', 'shop/b/ true']);
    expect((await keys()).map((key) => key.replace(/\/[^/]*$/, ''))).toEqual(['shop/a/election', 'shop/b/election']);
  });

  it('take its name for that of a client', async () => {
    class Named {
      @WithEtcdLock('lock', { client: 'log' })
      async locked(): Promise<boolean> {
        const { key } = currentLock();
        return (await keys()).includes(`shop/log/${key}`);
      }

      @OnEtcdWatch('watched', { client: 'log' })
      onEvent({ kv }: WatchEvent): void {
        calls.push(kv.key);
      }
    }
    const feature = EtcdModule.forFeature({ namespace: 'shop/log/', name: 'log' });
    const app = await start(client(), rootModule({ imports: [feature], providers: [Named] }));
    await eventually(() => app.get(EtcdClient).watch.stats().streams > 0, { what: 'the watch' });
    const probe = app.get(EtcdClient).watch.watch('shop/probe');
    await probe.created;
    await probe.close();

    await etcd.gateway.put('shop/log/watched', 'x');
    await eventually(() => calls.length === 1, { what: 'the event' });

    expect(calls).toEqual(['watched']);
    expect(await app.get(Named, { strict: false }).locked()).toBe(true);
  });
});

describe('what is wrong with a feature fails the start', () => {
  it.each([
    ['empty text', ''],
    ['no bytes', new Uint8Array()],
    ['a number', 7],
    ['nothing', undefined],
  ])('a namespace of %s', async (_what, namespace) => {
    const feature = EtcdModule.forFeature({ namespace: namespace as string });

    expect(await errorOf(start(client(), feature))).toMatchObject({
      code: 'ETCD_CONFIG',
      option: 'namespace',
      rule: 'must be text or bytes, and not empty',
    });
  });

  it('a client that there is not, or that it does not see', async () => {
    const nowhere = await errorOf(start(client(), EtcdModule.forFeature({ namespace: 'shop/', client: 'nowhere' })));
    const hidden = await errorOf(start(client({ isGlobal: false }), EtcdModule.forFeature({ namespace: 'shop/' })));

    expect(nowhere).toBeInstanceOf(EtcdModuleError);
    expect(nowhere).toMatchObject({
      message: expect.stringMatching(/finds no etcd client "nowhere".*name: 'nowhere'/),
    });
    expect(hidden).toMatchObject({ message: expect.stringMatching(/finds no etcd client "default".*imports/) });
  });

  it('two namespaces of one name in one module', async () => {
    @Module({
      imports: ['shop/a/', 'shop/b/'].map((namespace) => EtcdModule.forFeature({ namespace })),
    })
    class OrdersModule {}

    const error = await errorOf(start(client(), OrdersModule));

    expect(error).toBeInstanceOf(EtcdModuleError);
    expect(error).toMatchObject({
      message: expect.stringMatching(/^OrdersModule imports two namespaces without a name/),
    });
  });
});

it('getEtcdKvToken of a namespace is that of a client of the same name, for fakes in tests', () => {
  expect(getEtcdKvToken('log')).toBe('EtcdKv:log');
  expect(getEtcdKvToken()).toBe(EtcdKv);
});
