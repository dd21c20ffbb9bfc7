/** Endpoints from SRV records, asked from a DNS server of the test. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { getEventListeners } from 'node:events';
import { discoverEndpoints, type DnsDiscoveryOptions } from '../../lib/client/discovery.js';
import { EtcdUnavailableError } from '../../lib/client/errors.js';
import { eventually } from '../support/eventually.js';
import { startDnsServer, type DnsServer } from '../support/dns-server.js';

const PLAIN = '_etcd-client._tcp.example.test';
const SECURE = '_etcd-client-ssl._tcp.example.test';

let dns: DnsServer;

beforeEach(async () => {
  dns = await startDnsServer();
});

afterEach(async () => {
  await dns[Symbol.asyncDispose]();
});

function discover(options: DnsDiscoveryOptions = {}): Promise<readonly string[]> {
  return discoverEndpoints('example.test', { servers: [dns.address], ...options });
}

describe('discoverEndpoints', () => {
  it('makes https endpoints of one name and http endpoints of the other, https first', async () => {
    dns.setService(PLAIN, [{ target: 'a.example.test', port: 2379 }]);
    dns.setService(SECURE, [{ target: 'b.example.test', port: 2380 }]);

    const endpoints = await discover();

    expect(endpoints).toEqual(['https://b.example.test:2380', 'http://a.example.test:2379']);
    expect(dns.questions.sort()).toEqual([SECURE, PLAIN].sort());
  });

  it('puts lower priorities first, and among equals higher weights', async () => {
    dns.setService(PLAIN, [
      { target: 'last.example.test', port: 1, priority: 20, weight: 100 },
      { target: 'second.example.test', port: 2, priority: 10, weight: 1 },
      { target: 'first.example.test', port: 3, priority: 10, weight: 50 },
    ]);

    const endpoints = await discover();

    expect(endpoints.map((endpoint) => new URL(endpoint).hostname.split('.')[0])).toEqual(['first', 'second', 'last']);
  });

  it('asks for the cluster of a service name', async () => {
    dns.setService('_etcd-client-blue._tcp.example.test', [{ target: 'blue.example.test', port: 2379 }]);

    expect(await discover({ serviceName: 'blue' })).toEqual(['http://blue.example.test:2379']);
  });

  it('fails when neither name has records, and says what was asked and answered', async () => {
    const error: unknown = await discover().catch((caught: unknown) => caught);

    expect(error).toBeInstanceOf(EtcdUnavailableError);
    expect((error as EtcdUnavailableError).endpoints).toEqual([
      { endpoint: SECURE, reason: expect.stringContaining('ENOTFOUND') },
      { endpoint: PLAIN, reason: expect.stringContaining('ENOTFOUND') },
    ]);
    expect((error as Error).message).toContain('example.test');
  });

  it('ends in its time when the DNS server does not answer, and asks again meanwhile (C1)', async () => {
    dns.isSilent = true;

    const startedAt = performance.now();
    const error: unknown = await discover({ timeoutMs: 2_500 }).catch((caught: unknown) => caught);

    expect(error).toBeInstanceOf(EtcdUnavailableError);
    expect((error as EtcdUnavailableError).endpoints.map(({ reason }) => reason)).toEqual([
      'no answer within 2500 ms',
      'no answer within 2500 ms',
    ]);
    expect(performance.now() - startedAt).toBeLessThan(3_000);
    expect(dns.questions.length).toBeGreaterThanOrEqual(4);
  });

  it('ends with its signal (C1)', async () => {
    dns.isSilent = true;
    const reason = new Error('no longer needed');
    const controller = new AbortController();
    const discovering = discover({ signal: controller.signal }).catch((caught: unknown) => caught);
    await eventually(() => dns.questions.length === 2);

    controller.abort(reason);

    expect(await discovering).toMatchObject({ code: 'ETCD_ABORTED', cause: reason });
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
    expect(await discover({ signal: controller.signal }).catch((caught: unknown) => caught)).toMatchObject({
      code: 'ETCD_ABORTED',
    });
  });

  it.each([0, -1, NaN, Infinity])('refuses %p as its time', async (timeoutMs) => {
    await expect(discover({ timeoutMs })).rejects.toMatchObject({ code: 'ETCD_INVALID_ARGUMENT' });
  });
});
