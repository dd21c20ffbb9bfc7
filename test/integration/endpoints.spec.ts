/** Endpoints in every form, and lists of them that change: on real members, and with a look at the wire. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { EtcdClient } from '../../lib/client/client.js';
import { EtcdConfigError, EtcdUnavailableError, EtcdUnsupportedError } from '../../lib/client/errors.js';
import type { EtcdClientEvent } from '../../lib/client/rpc/status-feed.js';
import { memberArguments } from '../support/etcd/flags.js';
import { Member } from '../support/etcd/member.js';
import { temporaryFolder, type TemporaryFolder } from '../support/etcd/temporary-folder.js';
import { prepareTls, type ClusterTls } from '../support/etcd/tls.js';
import {
  CertificateAuthority,
  eventually,
  findEtcd,
  freePorts,
  startCluster,
  startEtcd,
  type Etcd,
} from '../support/index.js';
import { HAS_IPV6 } from '../support/ipv6.js';
import { runningMs } from '../support/running-time.js';
import { startWireServer } from '../support/wire-server.js';

/** One member that listens on IPv4, on IPv6 and on a socket. */
class MemberEverywhere {
  private constructor(
    readonly port: number,
    readonly socket: string,
    readonly tls: ClusterTls,
    private readonly member: Member,
    private readonly folder: TemporaryFolder,
  ) {}

  static async start(secure: boolean): Promise<MemberEverywhere> {
    const { etcd, version } = await findEtcd();
    const folder = await temporaryFolder();
    const [port = 0, peerPort = 0] = await freePorts(2);
    const socket = join(folder.path, 'client.sock');
    const dataFolder = join(folder.path, 'data');
    await mkdir(dataFolder, { mode: 0o700 });
    const tls = await prepareTls(folder.path, {});
    const s = secure ? 's' : '';
    const clientUrl = `http${s}://127.0.0.1:${port}`;
    const place = { name: 'everywhere', clientUrl, peerUrl: `http://127.0.0.1:${peerPort}`, dataFolder };
    const urls = [clientUrl, ...(HAS_IPV6 ? [`http${s}://[::1]:${port}`] : []), `unix${s}://${socket}`];
    const flags = { 'listen-client-urls': urls.join(','), ...(secure ? tls.flags : {}) };
    const member = new Member({
      name: place.name,
      endpoint: clientUrl,
      binary: etcd,
      args: memberArguments({ version, place, cluster: [place], clusterToken: 'forms', flags }),
      logFile: join(folder.path, 'log'),
      identity: secure ? tls.nameless : undefined,
    });
    await member.start();
    await member.ready();
    return new MemberEverywhere(port, socket, tls, member, folder);
  }

  async stop(): Promise<void> {
    await this.member.kill();
    await this.folder.remove();
  }
}

/** What a form is called, and how an endpoint is written in it. */
type Form = [string, (at: MemberEverywhere) => string];

const IPV6_PLAINTEXT: Form[] = [
  ['[IPv6]:port', ({ port }) => `[::1]:${port}`],
  ['http://[IPv6]', ({ port }) => `http://[::1]:${port}`],
];
const IPV6_TLS: Form[] = [['https://[IPv6]', ({ port }) => `https://[::1]:${port}`]];

describe('A member in plaintext', () => {
  let member: MemberEverywhere;

  beforeAll(async () => {
    member = await MemberEverywhere.start(false);
  }, 60_000);

  afterAll(async () => {
    await member.stop();
  });

  it.each<Form>([
    ['host:port', ({ port }) => `127.0.0.1:${port}`],
    ['name:port', ({ port }) => `localhost:${port}`],
    ['http://', ({ port }) => `http://127.0.0.1:${port}`],
    ['http:// with a slash at its end', ({ port }) => `http://127.0.0.1:${port}/`],
    ...(HAS_IPV6 ? IPV6_PLAINTEXT : []),
    ['unix:absolute', ({ socket }) => `unix:${socket}`],
    ['unix://absolute', ({ socket }) => `unix://${socket}`],
    ['unix:relative', ({ socket }) => `unix:${relative(process.cwd(), socket)}`],
    ['unix://relative', ({ socket }) => `unix://${relative(process.cwd(), socket)}`],
  ])('is reached by %s', async (_, form) => {
    const endpoint = form(member);
    await using client = new EtcdClient({ endpoints: endpoint });

    await client.kv.put('forms', endpoint);

    expect((await client.kv.get('forms'))?.value).toBe(endpoint);
    expect(client.stats().endpoints).toEqual([{ endpoint, state: 'ready', reason: undefined }]);
  });
});

describe('A member with TLS', () => {
  let member: MemberEverywhere;

  beforeAll(async () => {
    member = await MemberEverywhere.start(true);
  }, 60_000);

  afterAll(async () => {
    await member.stop();
  });

  it.each<Form>([
    ['https://', ({ port }) => `https://127.0.0.1:${port}`],
    ['https:// by name', ({ port }) => `https://localhost:${port}`],
    ...(HAS_IPV6 ? IPV6_TLS : []),
    ['host:port', ({ port }) => `127.0.0.1:${port}`],
    ['unixs:absolute', ({ socket }) => `unixs:${socket}`],
    ['unixs://absolute', ({ socket }) => `unixs://${socket}`],
    ['unix:absolute', ({ socket }) => `unix:${socket}`],
  ])('is reached by %s, since there are options for TLS (C6)', async (_, form) => {
    const endpoint = form(member);
    await using client = new EtcdClient({ endpoints: endpoint, tls: { ca: member.tls.ca } });

    await client.kv.put('forms', endpoint);

    expect((await client.kv.get('forms'))?.value).toBe(endpoint);
  });

  it('on a socket has to show a certificate for localhost, or for the name that the options give (C6)', async () => {
    const authority = await CertificateAuthority.create();
    const folder = await temporaryFolder();
    const socketPath = join(folder.path, 'etcd.sock');
    const certificate = await authority.issueServer({ dnsNames: ['etcd.test'], ips: [] });
    await using server = await startWireServer({ socketPath, tls: certificate });
    const endpoints = `unixs:${socketPath}`;
    await using named = new EtcdClient({ endpoints, tls: { ca: authority.ca, serverName: 'etcd.test' } });
    await using unnamed = new EtcdClient({ endpoints, tls: { ca: authority.ca } });

    await named.kv.get('a');

    expect(server.requests).toHaveLength(1);
    await expect(unnamed.kv.get('a')).rejects.toThrow(/localhost/);
    await folder.remove();
  });
});

describe('The authority of a request', () => {
  it.each(['127.0.0.1', 'localhost', ...(HAS_IPV6 ? ['::1'] : [])])(
    'is host and port of the endpoint, %s',
    async (host) => {
      await using server = await startWireServer({ host });
      const { host: expected } = new URL(server.endpoint);

      for (const endpoints of [server.endpoint, expected]) {
        await using client = new EtcdClient({ endpoints });
        await client.kv.get('a');
      }

      expect(server.requests.map(({ authority }) => authority)).toEqual([expected, expected]);
    },
  );

  it('is the name of the file for a socket', async () => {
    const folder = await temporaryFolder();
    await using server = await startWireServer({ socketPath: join(folder.path, 'etcd.sock') });
    await using client = new EtcdClient({ endpoints: server.endpoint });

    await client.kv.get('a');

    expect(server.requests.map(({ authority }) => authority)).toEqual(['etcd.sock']);
    await folder.remove();
  });

  it('is that of the member a request goes to, one after the other', async () => {
    await using first = await startWireServer();
    await using second = await startWireServer();
    await using client = new EtcdClient({ endpoints: [first.endpoint, second.endpoint] });
    await eventually(async () => {
      await client.kv.get('a');
      return client.stats().endpoints.every(({ state }) => state === 'ready');
    });

    for (let read = 0; read < 4; read++) await client.kv.get('a');

    for (const server of [first, second]) {
      expect(server.requests.length).toBeGreaterThanOrEqual(2);
      expect(new Set(server.requests.map(({ authority }) => authority))).toEqual(
        new Set([new URL(server.endpoint).host]),
      );
    }
  });
});

describe('setEndpoints', () => {
  let etcd: Etcd;

  beforeAll(async () => {
    etcd = await startCluster({ members: 2 });
  }, 60_000);

  afterAll(async () => {
    await etcd.stop();
  });

  it('before the first call is where that goes', async () => {
    await using client = new EtcdClient({ endpoints: 'http://127.0.0.1:1' });

    client.setEndpoints(etcd.endpoint);
    await client.kv.put('set', 'before');

    expect(client.endpoints).toEqual([etcd.endpoint]);
    expect((await etcd.gateway.get('set'))?.value).toBe('before');
  });

  it('frees calls that wait for endpoints where nobody is', async () => {
    await using client = new EtcdClient({ endpoints: 'http://127.0.0.1:1' });
    const waiting = client.kv.put('set', 'freed');
    await eventually(() => client.state === 'unavailable');

    client.setEndpoints(etcd.endpoints);

    await waiting;
    expect((await etcd.gateway.get('set'))?.value).toBe('freed');
  });

  it('keeps the connections of endpoints that stay, and closes those that go', async () => {
    await using stays = await startWireServer();
    await using goes = await startWireServer();
    await using client = new EtcdClient({ endpoints: [stays.endpoint, goes.endpoint] });
    await client.ready();
    await eventually(() => stays.openSessions === 1 && goes.openSessions === 1);

    client.setEndpoints([stays.endpoint]);
    await client.kv.get('a');

    await eventually(() => goes.openSessions === 0, { what: 'the connection closed' });
    expect(stays.sessions).toBe(1);
  });

  it.each<[string, readonly string[]]>([
    ['an empty list', []],
    ['a list with an endpoint that is none', ['http://127.0.0.1:2379', 'ftp://127.0.0.1:2379']],
  ])('refuses %s, and changes nothing', async (_, endpoints) => {
    await using client = new EtcdClient({ endpoints: etcd.endpoints });

    expect(() => client.setEndpoints(endpoints)).toThrow(EtcdConfigError);

    expect(client.endpoints).toEqual(etcd.endpoints);
    await client.kv.get('a');
  });
});

describe('ready()', () => {
  it('resolves once one endpoint serves, whatever the others do', async () => {
    await using server = await startWireServer();
    await using client = new EtcdClient({ endpoints: ['http://127.0.0.1:1', server.endpoint] });

    await client.ready();

    expect(client.state).toBe('ready');
  });

  it('fails in its time, and names each endpoint with its own reason', async () => {
    const [first = 0, second = 0] = await freePorts(2);
    const endpoints = [`http://127.0.0.1:${first}`, `http://127.0.0.1:${second}`, 'http://no-such-host.invalid:2379'];
    await using client = new EtcdClient({ endpoints });

    const startedAt = runningMs();
    const error: unknown = await client.ready({ timeoutMs: 1_000 }).catch((caught: unknown) => caught);

    expect(runningMs() - startedAt).toBeLessThan(1_300);
    expect(error).toBeInstanceOf(EtcdUnavailableError);
    expect((error as EtcdUnavailableError).endpoints).toEqual([
      { endpoint: endpoints[0], reason: expect.stringContaining('ECONNREFUSED') },
      { endpoint: endpoints[1], reason: expect.stringContaining('ECONNREFUSED') },
      { endpoint: endpoints[2], reason: expect.stringMatching(/no-such-host\.invalid|still connecting/) },
    ]);
    for (const endpoint of endpoints) expect((error as Error).message).toContain(endpoint);
  });
});

describe('rejectOldCluster', () => {
  it('makes ready() fail at a member of release 3.3, and name it', async () => {
    await using current = await startWireServer();
    await using old = await startWireServer();
    old.on('/etcdserverpb.Maintenance/Status', () => ({ version: '3.3.0' }));
    await using client = new EtcdClient({ endpoints: [current.endpoint, old.endpoint], rejectOldCluster: true });

    const error: unknown = await client.ready().catch((caught: unknown) => caught);

    expect(error).toBeInstanceOf(EtcdUnsupportedError);
    expect(error).toMatchObject({ since: '3.4', endpoint: old.endpoint });
    expect((error as Error).message).toContain('3.3.0');
  });

  it('is content with real members, and with one that is away', async () => {
    await using etcd = await startEtcd({ own: true });
    await using client = new EtcdClient({
      endpoints: [etcd.endpoint, 'http://127.0.0.1:1'],
      rejectOldCluster: true,
      callTimeoutMs: 1_000,
    });

    await client.ready();

    expect(client.state).toBe('ready');
  });
});

describe('status()', () => {
  it('tells how an endpoint is lost and found again, and ends with the client', async () => {
    await using etcd = await startEtcd({ own: true });
    const client = new EtcdClient({ endpoints: etcd.endpoint });
    const events: EtcdClientEvent[] = [];
    const reading = (async () => {
      for await (const event of client.status()) events.push(event);
    })();
    const states = (): readonly string[] => events.flatMap((event) => (event.type === 'endpoint' ? event.state : []));

    await client.ready();
    await etcd.members[0]!.kill();
    await eventually(() => states().includes('backoff'), { what: 'the loss told' });
    await etcd.members[0]!.restart();
    await client.ready({ timeoutMs: 10_000 });
    client.setEndpoints([etcd.endpoint, 'http://127.0.0.1:1']);
    await client.close();
    await reading;

    expect(states().slice(0, 3)).toEqual(['connecting', 'ready', 'backoff']);
    expect(states().slice(3)).toContain('ready');
    const lost = events.find((event) => event.type === 'endpoint' && event.state === 'backoff');
    expect(lost).toMatchObject({ endpoint: etcd.endpoint, reason: expect.stringMatching(/connection/) });
    expect(events).toContainEqual({ type: 'endpoints', endpoints: [etcd.endpoint, 'http://127.0.0.1:1'] });
    expect(states().at(-1)).toBe('closed');
  });
});
