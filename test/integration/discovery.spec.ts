/** Clients whose endpoints come from DNS, in plaintext and with TLS. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { EtcdClient } from '../../lib/client/client.js';
import { discoverEndpoints } from '../../lib/client/discovery.js';
import { startDnsServer, type DnsServer } from '../support/dns-server.js';
import { freePorts, startCluster, startEtcd } from '../support/index.js';

let dns: DnsServer;

beforeAll(async () => {
  dns = await startDnsServer();
});

afterAll(async () => {
  await dns[Symbol.asyncDispose]();
});

function discover(domain: string): Promise<readonly string[]> {
  return discoverEndpoints(domain, { servers: [dns.address] });
}

describe('discoverEndpoints', () => {
  it('finds the members of a cluster in the order of their priorities, one of which may be away', async () => {
    await using etcd = await startCluster({ members: 3 });
    const [awayPort = 0] = await freePorts(1);
    const ports = [awayPort, ...etcd.members.map(({ port }) => port)];
    dns.setService(
      '_etcd-client._tcp.plain.test',
      ports.map((port, index) => ({ target: 'localhost', port, priority: 40 - 10 * index })),
    );

    const endpoints = await discover('plain.test');
    await using client = new EtcdClient({ endpoints });
    await client.kv.put('discovered', 'x');

    expect(endpoints).toEqual(ports.toReversed().map((port) => `http://localhost:${port}`));
    expect((await etcd.gateway.get('discovered'))?.value).toBe('x');
  });

  it('finds members that speak TLS, whose certificates have to match the names in DNS (C6)', async () => {
    await using etcd = await startEtcd({ own: true, tls: true });
    dns.setService('_etcd-client-ssl._tcp.secure.test', [{ target: 'localhost', port: etcd.members[0]!.port }]);

    const endpoints = await discover('secure.test');
    await using client = new EtcdClient({ endpoints, tls: { ca: etcd.tls!.ca } });
    await client.kv.put('discovered', 'x');

    expect(endpoints).toEqual([`https://localhost:${etcd.members[0]!.port}`]);
    expect((await etcd.gateway.get('discovered'))?.value).toBe('x');
  });
});
