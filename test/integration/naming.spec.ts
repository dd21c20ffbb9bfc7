/** Services that are registered in etcd, and gRPC clients that find them there. */
import * as grpc from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ClientsModule, Transport, type ClientGrpc } from '@nestjs/microservices';
import { firstValueFrom, type Observable } from 'rxjs';
import { EtcdClient } from '../../lib/client/client.js';
import { registerEtcdResolver } from '../../lib/client/naming/grpc-resolver.js';
import { ServiceEndpoints } from '../../lib/client/naming/service-endpoints.js';
import { startContext } from '../nest/support/apps.js';
import { eventually, startEtcd, startProxy, type Etcd, type TcpProxy } from '../support/index.js';
import { runningMs } from '../support/running-time.js';
import { Asker, startWho, WHO_PROTO, type WhoServer } from './naming/who.js';

let etcd: Etcd;
let proxy: TcpProxy;
let client: EtcdClient;
let endpoints: ServiceEndpoints;
let target: string;
let tests = 0;
const cleanUps: (() => unknown)[] = [];

const PICK_FIRST = { 'grpc.service_config': '{"loadBalancingConfig":[{"pick_first":{}}]}' };

beforeAll(async () => {
  etcd = await startEtcd({ own: true });
  proxy = await startProxy({ targetPort: etcd.members[0]!.port });
  client = new EtcdClient({ endpoints: [proxy.endpoint] });
  registerEtcdResolver(grpc, client);
});

beforeEach(() => {
  target = `services/who-${++tests}`;
  endpoints = new ServiceEndpoints(client, target);
});

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

afterAll(async () => {
  await client.close();
  await proxy.close();
  await etcd.stop();
});

/** Starts a server and registers it under its name. */
async function serve(name: string): Promise<WhoServer> {
  const server = await startWho(name);
  cleanUps.push(() => server.stop());
  await endpoints.add(name, { address: server.address });
  return server;
}

function asker(options: grpc.ChannelOptions = {}): Asker {
  const asking = new Asker(`etcd:///${target}`, options);
  cleanUps.push(() => asking.close());
  return asking;
}

const answeredBy = (asking: Asker, names: string[]): Promise<boolean> =>
  eventually(async () => (await asking.askOften(6)).join() === names.join(), { what: `answers of ${names.join()}` });

describe('The endpoints of a service', () => {
  it('are kept as Go keeps them, and listed by name', async () => {
    await endpoints.add('b', { address: '10.0.0.2:80', metadata: { zone: 'x' } });
    await endpoints.update([
      { op: 'add', name: 'a', endpoint: { address: '10.0.0.1:80' } },
      { op: 'delete', name: 'nobody' },
    ]);

    expect((await etcd.gateway.getPrefix(target)).map(({ key, value }) => [key, value])).toEqual([
      [`${target}/a`, '{"Op":0,"Addr":"10.0.0.1:80","Metadata":null}'],
      [`${target}/b`, '{"Op":0,"Addr":"10.0.0.2:80","Metadata":{"zone":"x"}}'],
    ]);
    expect([...(await endpoints.list()).endpoints]).toEqual([
      ['a', { address: '10.0.0.1:80' }],
      ['b', { address: '10.0.0.2:80', metadata: { zone: 'x' } }],
    ]);
  });

  it('are gone with their lease, and the watch tells', async () => {
    const { id } = await client.lease.grant(60);
    await endpoints.add('a', { address: 'a:1' }, { lease: id });
    const lists = endpoints.watch();
    const first = await lists.next();

    await client.lease.revoke(id);
    const second = await lists.next();

    expect(first.value?.endpoints.size).toBe(1);
    expect(second.value?.endpoints.size).toBe(0);
    await lists.return?.();
  });

  it('are listed anew after an outage that was longer than the history kept', async () => {
    await endpoints.add('a', { address: 'a:1' });
    const lists = endpoints.watch();
    await lists.next();
    const next = lists.next();

    await proxy.cut();
    await etcd.gateway.delete(`${target}/a`);
    await etcd.gateway.compact(await etcd.gateway.put(`${target}/b`, '{"Addr":"b:1"}'));
    await proxy.mend();

    expect([...((await next).value?.endpoints ?? [])]).toEqual([['b', { address: 'b:1' }]]);
    await lists.return?.();
  });

  it('live in a namespace, too', async () => {
    const inside = new ServiceEndpoints(client.namespace('app/'), target);

    await inside.add('a', { address: 'a:1' });

    expect((await etcd.gateway.getPrefix('app/')).map(({ key }) => key)).toEqual([`app/${target}/a`]);
    expect([...(await inside.list()).endpoints.keys()]).toEqual(['a']);
  });
});

describe('A gRPC client of etcd:///target', () => {
  it('spreads its calls over all servers, and follows them as they come and go', async () => {
    await Promise.all([serve('one'), serve('two')]);
    const asking = asker();
    expect(await asking.askOften()).toEqual(['one', 'two']);

    await serve('three');
    await answeredBy(asking, ['one', 'three', 'two']);
    await endpoints.delete('one');
    await answeredBy(asking, ['three', 'two']);
  });

  it('goes on with the servers it knows while etcd is away', async () => {
    await Promise.all([serve('one'), serve('two')]);
    const asking = asker();
    await asking.ask();

    await proxy.cut();
    const names = await asking.askOften();
    await proxy.mend();

    expect(names).toEqual(['one', 'two']);
    await serve('three');
    await answeredBy(asking, ['one', 'three', 'two']);
  });

  it.each([
    ['spreads its calls', {}],
    ['goes to the first', PICK_FIRST],
  ])(
    'that %s fails at once while nobody is registered, says why, and serves as soon as somebody is',
    async (_how, options) => {
      const asking = asker(options);
      const startedAt = runningMs();
      const failure = await asking.ask().catch((error: unknown) => error as grpc.ServiceError);

      expect(failure).toMatchObject({
        code: grpc.status.UNAVAILABLE,
        details: expect.stringContaining(`no endpoint is registered in etcd for ${target}`),
      });
      expect(runningMs() - startedAt).toBeLessThan(2_000);

      await serve('late');
      await eventually(() => asking.ask().catch(() => undefined), { what: 'an answer of the late server' });
    },
  );

  it('no longer asks a server that is not registered any more, be it the last', async () => {
    await serve('last');
    const asking = asker();
    expect(await asking.ask()).toBe('last');

    await endpoints.delete('last');
    const asked = (): Promise<unknown> =>
      asking.ask().then(
        () => undefined,
        (error: unknown) => error,
      );

    expect(await eventually(asked, { what: 'a failure' })).toMatchObject({ code: grpc.status.UNAVAILABLE });
    await serve('next');
    await answeredBy(asking, ['next']);
  });

  it('keeps to the first while it is there, when told to pick the first, and goes to the next one then', async () => {
    await Promise.all([serve('a'), serve('b')]);
    const asking = asker(PICK_FIRST);
    expect(await asking.askOften()).toEqual(['a']);

    await endpoints.delete('a');

    await answeredBy(asking, ['b']);
  });

  it('waits no longer than its deadline for an etcd that was never there', async () => {
    const nobody = new EtcdClient({ endpoints: ['http://127.0.0.1:9'] });
    registerEtcdResolver(grpc, nobody, { scheme: 'etcd-away' });
    const asking = new Asker(`etcd-away:///${target}`);
    cleanUps.push(
      () => nobody.close(),
      () => asking.close(),
    );

    await expect(asking.ask(300)).rejects.toMatchObject({ code: grpc.status.DEADLINE_EXCEEDED });
  });

  it('is told when the client that resolves is closed', async () => {
    const closed = new EtcdClient({ endpoints: etcd.endpoints });
    registerEtcdResolver(grpc, closed, { scheme: 'etcd-closed' });
    await closed.close();
    const asking = new Asker(`etcd-closed:///${target}`);
    cleanUps.push(() => asking.close());

    await expect(asking.ask()).rejects.toMatchObject({
      code: grpc.status.UNAVAILABLE,
      details: expect.stringContaining('closed'),
    });
  });
});

describe('A gRPC client of Nest', () => {
  interface Who {
    am(request: object): Observable<{ readonly name: string }>;
  }

  it('finds its servers', async () => {
    await Promise.all([serve('one'), serve('two')]);
    const { app } = await startContext({
      imports: [
        ClientsModule.register([
          {
            name: 'WHO',
            transport: Transport.GRPC,
            options: { url: `etcd:///${target}`, package: 'who', protoPath: WHO_PROTO },
          },
        ]),
      ],
    });
    cleanUps.push(() => app.close());
    const who = app.get<ClientGrpc>('WHO').getService<Who>('Who');

    const names = new Set<string>();
    for (let call = 0; call < 12; call++) names.add((await firstValueFrom(who.am({}))).name);

    expect([...names].sort()).toEqual(['one', 'two']);
  });
});
