/** The resolver for gRPC: what it tells grpc-js, and when. */
import { describe, expect, it } from '@jest/globals';
import { EtcdKv } from '../../../lib/client/kv/kv.js';
import {
  registerEtcdResolver,
  type EtcdResolverOptions,
  type GrpcModule,
} from '../../../lib/client/naming/grpc-resolver.js';
import { RANGE } from '../../../lib/client/rpc/methods.js';
import { EtcdPermissionDeniedError } from '../../../lib/client/server-errors.js';
import { settle } from '../../support/fake-clock.js';
import { rangeAnswer, stored, text } from '../kv/answers.js';
import { created, deleted, FakeEtcd, header, put, sent } from '../watch/fake-etcd.js';

interface Target {
  readonly scheme?: string;
  readonly authority?: string;
  readonly path: string;
}

interface Resolver {
  updateResolution(): void;
  destroy(): void;
}

interface ResolverClass {
  new (target: Target, listener: unknown, options: object): Resolver;
  getDefaultAuthority(target: Target): string;
}

/** What the resolver told grpc-js. */
interface Told {
  readonly addresses: readonly unknown[] | undefined;
  readonly failure: string | undefined;
  readonly serviceConfig: unknown;
}

class FakeMetadata {
  readonly isFake = true;
}

const UNAVAILABLE = 14;

/** grpc-js, as far as resolvers see it, and an etcd behind it. */
function connect(options?: EtcdResolverOptions): {
  etcd: FakeEtcd;
  registered: Map<string, ResolverClass>;
  resolve: (path?: string, channelOptions?: object) => { resolver: Resolver; told: Told[] };
} {
  const etcd = new FakeEtcd();
  const registered = new Map<string, ResolverClass>();
  const grpc: GrpcModule = {
    experimental: { registerResolver: (scheme, type: ResolverClass) => void registered.set(scheme, type) },
    Metadata: FakeMetadata,
    status: { UNAVAILABLE },
  };
  const kv = new EtcdKv(etcd.rpc, { maxTxnOperations: 128, callTimeoutMs: 5_000 });
  registerEtcdResolver(grpc, { kv, watch: etcd.watch }, options);
  const resolve = (path = 'svc', channelOptions = {}): { resolver: Resolver; told: Told[] } => {
    const told: Told[] = [];
    const listener = (
      result: { ok: true; value: { addresses: unknown[] }[] } | { ok: false; error: { details: string } },
      _attributes: object,
      serviceConfig: unknown,
    ): boolean => {
      const addresses = result.ok ? result.value.flatMap((endpoint) => endpoint.addresses) : undefined;
      if (!result.ok) expect(result.error).toMatchObject({ code: UNAVAILABLE, metadata: expect.any(FakeMetadata) });
      told.push({ addresses, failure: result.ok ? undefined : result.error.details, serviceConfig });
      return true;
    };
    const resolver = new (registered.get('etcd')!)({ scheme: 'etcd', authority: '', path }, listener, channelOptions);
    return { resolver, told };
  };
  return { etcd, registered, resolve };
}

const json = (address: string): string => `{"Op":0,"Addr":"${address}","Metadata":null}`;

/** Answers the first read with these addresses. */
function serve(etcd: FakeEtcd, ...addresses: string[]): void {
  const kvs = addresses.map((address, index) => stored(`svc/${index}`, json(address)));
  etcd.rpc.answerAlways(RANGE, rangeAnswer(kvs, { header: header(5) }));
}

const ROUND_ROBIN = { ok: true, value: { loadBalancingConfig: [{ round_robin: {} }], methodConfig: [] } };

describe('The resolver', () => {
  it('tells the addresses that are registered, and again when they change', async () => {
    const { etcd, resolve } = connect();
    serve(etcd, '10.0.0.1:80', '[::1]:81', 'orders.local:82', 'unix:/run/orders.sock');
    const { resolver, told } = resolve();
    resolver.updateResolution();
    await settle();

    await etcd.answer(created(1, 5), sent(1, [deleted('svc/0', 6), put('svc/4', 6, json('10.0.0.4:80'))]));

    const others = [{ host: '::1', port: 81 }, { host: 'orders.local', port: 82 }, { path: '/run/orders.sock' }];
    expect(told.map(({ addresses }) => addresses)).toEqual([
      [{ host: '10.0.0.1', port: 80 }, ...others],
      [...others, { host: '10.0.0.4', port: 80 }],
    ]);
    resolver.destroy();
  });

  it('says nothing before it is asked, and never while it is asked', async () => {
    const { etcd, resolve } = connect();
    serve(etcd, 'a:1');
    const { resolver, told } = resolve();
    await settle();
    expect(etcd.rpc.calls).toEqual([]);

    resolver.updateResolution();
    resolver.updateResolution();
    expect(told).toEqual([]);
    await settle();

    expect([told.length, etcd.rpc.calls.length]).toEqual([1, 1]);
    resolver.destroy();
  });

  it('says nothing when only metadata changes', async () => {
    const { etcd, resolve } = connect();
    serve(etcd, 'a:1');
    const { resolver, told } = resolve();
    resolver.updateResolution();
    await settle();

    await etcd.answer(created(1, 5), sent(1, [put('svc/0', 6, '{"Addr":"a:1","Metadata":{"weight":2}}')]));

    expect(told).toHaveLength(1);
    resolver.destroy();
  });

  it('tells each address once, and none that is not one', async () => {
    const { etcd, resolve } = connect();
    serve(etcd, 'a:1', 'a:1', 'a', ':1', 'a:b', 'a:99999', '::1:80', '[a:1', '');
    const { resolver, told } = resolve();
    resolver.updateResolution();
    await settle();

    expect(told.map(({ addresses }) => addresses)).toEqual([[{ host: 'a', port: 1 }]]);
    resolver.destroy();
  });

  it('lets calls fail, rather than wait, while nobody is registered', async () => {
    const { etcd, resolve } = connect();
    serve(etcd);
    const { resolver, told } = resolve();
    resolver.updateResolution();
    await settle();

    expect(told.map(({ failure }) => failure)).toEqual(['no endpoint is registered in etcd for svc']);
    resolver.destroy();
  });

  it('takes the last address back before it lets calls fail', async () => {
    const { etcd, resolve } = connect();
    serve(etcd, 'a:1');
    const { resolver, told } = resolve();
    resolver.updateResolution();
    await settle();

    await etcd.answer(created(1, 5), sent(1, [deleted('svc/0', 6)]));

    expect(told.slice(1)).toMatchObject([{ addresses: [] }, { failure: expect.stringContaining('no endpoint') }]);
    resolver.destroy();
  });

  it('tells why it cannot resolve, and begins anew when it is asked again', async () => {
    const { etcd, resolve } = connect();
    const facts = { reason: 'PermissionDenied', serverMessage: 'etcdserver: permission denied' };
    etcd.rpc.answer(RANGE, new EtcdPermissionDeniedError(facts));
    serve(etcd, 'a:1');
    const { resolver, told } = resolve();
    resolver.updateResolution();
    await settle();
    expect(told).toMatchObject([{ failure: 'etcdserver: permission denied' }]);

    resolver.updateResolution();
    await settle();

    expect(told.slice(1)).toMatchObject([{ addresses: [{ host: 'a', port: 1 }] }]);
    resolver.destroy();
  });

  it('says nothing more after its end, closes its watch, and may begin again', async () => {
    const { etcd, resolve } = connect();
    serve(etcd, 'a:1');
    const { resolver, told } = resolve();
    resolver.updateResolution();
    await settle();
    await etcd.answer(created(1, 5));

    resolver.destroy();
    await settle();
    expect([told.length, etcd.watch.stats().watches]).toEqual([1, 0]);

    resolver.updateResolution();
    await settle();
    expect([told.length, etcd.watch.stats().watches]).toEqual([2, 1]);
    resolver.destroy();
  });

  it('spreads calls over all addresses, unless the gRPC client says otherwise', async () => {
    const { etcd, resolve } = connect();
    serve(etcd, 'a:1');
    const usual = resolve();
    const own = resolve('svc', { 'grpc.service_config': '{}' });
    for (const { resolver } of [usual, own]) resolver.updateResolution();
    await settle();

    expect(usual.told[0]?.serviceConfig).toEqual(ROUND_ROBIN);
    expect(own.told[0]?.serviceConfig).toBeNull();
    for (const { resolver } of [usual, own]) resolver.destroy();
  });

  it.each([
    ['etcd:///services/orders', { authority: '', path: 'services/orders' }, 'services/orders/', 'orders'],
    ['etcd://ignored/orders', { authority: 'ignored', path: 'orders' }, 'orders/', 'orders'],
    ['etcd:////services/orders', { authority: '', path: '/services/orders' }, '/services/orders/', 'orders'],
    ['etcd:/services/orders', { path: '/services/orders' }, 'services/orders/', 'orders'],
    ['etcd:orders v2/', { path: 'orders v2/' }, 'orders v2//', 'orders-v2'],
  ])('reads %s as the Go resolver does', async (_text, target, key, authority) => {
    const { etcd, registered } = connect();
    serve(etcd);
    const type = registered.get('etcd')!;
    const resolver = new type({ scheme: 'etcd', ...target }, () => true, {});

    resolver.updateResolution();
    await settle();
    resolver.destroy();

    expect(etcd.rpc.requests(RANGE).map((request) => text(request.key))).toEqual([key]);
    expect(type.getDefaultAuthority({ scheme: 'etcd', ...target })).toBe(authority);
  });

  it('is registered under another scheme when asked to', () => {
    const { registered } = connect({ scheme: 'etcd-eu' });

    expect([...registered.keys()]).toEqual(['etcd-eu']);
  });

  it.each(['', '1st', 'etcd:', '__proto__'])('is not registered under %p, which is no scheme', (scheme) => {
    expect(() => connect({ scheme })).toThrow('argument scheme must be a letter');
  });

  it('is registered in nothing but grpc-js', () => {
    const { watch } = new FakeEtcd();
    const store = { watch } as unknown as Parameters<typeof registerEtcdResolver>[1];

    expect(() => registerEtcdResolver({} as GrpcModule, store)).toThrow(
      'argument grpc must be the module @grpc/grpc-js',
    );
  });

  it('says which grpc-js it needs when it meets an older one', () => {
    const { registered } = connect();
    const ofOldGrpc = { onSuccessfulResolution: () => undefined };

    expect(() => new (registered.get('etcd')!)({ path: 'svc' }, ofOldGrpc, {})).toThrow('@grpc/grpc-js 1.14');
  });
});
