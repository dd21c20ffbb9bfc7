/** TLS against peers that stall, hang up, are outdated or are reached by an unusual address: rows H6 to H9 and promise C6. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { createServer as createTlsServer } from 'node:tls';
import { EtcdClient } from '../../lib/client/client.js';
import { EtcdConfigError, EtcdUnavailableError } from '../../lib/client/errors.js';
import type { Etcd } from '../support/etcd/cluster.js';
import { failureOf } from '../support/failure.js';
import { CertificateAuthority, freePorts, startEtcd } from '../support/index.js';
import { HAS_IPV6 } from '../support/ipv6.js';
import { runningMs } from '../support/running-time.js';

let authority: CertificateAuthority;
let etcd: Etcd;

beforeAll(async () => {
  authority = await CertificateAuthority.create();
  etcd = await startEtcd({ own: true, tls: { authority } });
}, 60_000);

afterAll(async () => {
  await etcd.stop();
});

interface Listening extends AsyncDisposable {
  readonly port: number;
}

async function listen(server: Server, { port = 0, host = '127.0.0.1' } = {}): Promise<Listening> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  await new Promise<void>((listening) => server.listen(port, host, listening));
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((closed) => server.close(closed));
    },
  };
}

/** Hands a connection on to a member, as a balancer does that looks at no byte of it. */
function toMember(socket: Socket): void {
  const upstream = connect(etcd.members[0]!.port, '127.0.0.1');
  upstream.on('error', () => socket.destroy());
  socket.on('close', () => upstream.destroy());
  socket.pipe(upstream).pipe(socket);
}

describe('A TLS endpoint', () => {
  it('that takes the connection and never shakes hands costs twelve fresh clients no more than 2.5 s (C4, H6)', async () => {
    await using silent = await listen(createServer((socket) => void socket.resume()));
    const endpoints = [`https://127.0.0.1:${silent.port}`, etcd.endpoint];
    const clients = Array.from({ length: 12 }, () => new EtcdClient({ endpoints, tls: { ca: authority.ca } }));

    const startedAt = runningMs();
    await Promise.all(clients.map((client) => client.kv.get('a')));
    const tookMs = runningMs() - startedAt;
    await Promise.all(clients.map((client) => client.close()));

    expect(tookMs).toBeLessThan(2_500);
  });

  it('behind a balancer that hangs up while its member is away is waited for, as one that refuses is (C1, C6)', async () => {
    const [port = 0] = await freePorts(1);
    const withoutMember = await listen(
      createServer((socket) => void socket.end()),
      { port },
    );
    await using client = new EtcdClient({ endpoints: `https://127.0.0.1:${port}`, tls: { ca: authority.ca } });

    const put = client.kv.put('tls/waited', 'x', { timeoutMs: 10_000 });
    await delay(1_500);
    await withoutMember[Symbol.asyncDispose]();
    await using withMember = await listen(createServer(toMember), { port });

    expect(withMember.port).toBe(port);
    expect((await put).header.revision).toBeGreaterThan(1);
  }, 20_000);

  it('that speaks plaintext in truth is told so at once, with what to write instead (C6)', async () => {
    await using plain = await startEtcd({ own: true });
    await using client = new EtcdClient({ endpoints: plain.endpoint.replace('http://', 'https://') });

    const startedAt = runningMs();
    const error = await failureOf(client.kv.get('a'));

    expect(error).toBeInstanceOf(EtcdUnavailableError);
    expect(error.message).toContain('does not speak TLS: write it as http://');
    expect(runningMs() - startedAt).toBeLessThan(2_000);
  });

  it('that knows nothing newer than TLS 1.1 is refused, and the error says why (C6, H8)', async () => {
    const { cert, key } = await authority.issueServer();
    const outdated = { cert, key, minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    await using server = await listen(createTlsServer(outdated));
    const endpoint = `https://127.0.0.1:${server.port}`;
    await using client = new EtcdClient({ endpoints: endpoint, tls: { ca: authority.ca } });

    const error = await failureOf(client.kv.get('a', { timeoutMs: 3_000 }));

    expect(error).toBeInstanceOf(EtcdUnavailableError);
    expect(error.message).toMatch(/protocol version/);
    expect(error.message).toContain(endpoint);
  });

  it.each([
    ...(HAS_IPV6 ? [['an IPv6 address', '::1', undefined] as const] : []),
    ['a name that only the options give', '127.0.0.1', 'localhost'] as const,
  ])('is reached by %s, which its certificate has to match (C6, H9)', async (_, host, serverName) => {
    await using door = await listen(createServer(toMember), { host });
    const endpoints = `https://${host.includes(':') ? `[${host}]` : host}:${door.port}`;
    await using good = new EtcdClient({ endpoints, tls: { ca: authority.ca, serverName } });
    await using bad = new EtcdClient({ endpoints, tls: { ca: authority.ca, serverName: 'other.test' } });

    await good.kv.get('a');
    const error = await failureOf(bad.kv.get('a'));

    expect(error.message).toMatch(/other\.test/);
  });
});

describe('Options that would send in the clear what should be protected', () => {
  it.each([
    ['http:// beside https:// with certificates', { endpoints: ['https://a:1', 'http://b:1'], tls: { ca: 'PEM' } }],
    ['http:// with certificates', { endpoints: 'http://a:1', tls: {} }],
    ['a key without a certificate', { endpoints: 'https://a:1', tls: { key: 'PEM' } }],
    ['a certificate without a key', { endpoints: 'https://a:1', tls: { cert: 'PEM' } }],
  ])('are refused when the client is made: %s (C6, H7)', (_, options) => {
    expect(() => new EtcdClient(options)).toThrow(EtcdConfigError);
  });

  it('are not those that mix https:// and http:// without certificates: each endpoint is what it says (H7)', async () => {
    await using plain = await startEtcd({ own: true });
    await using client = new EtcdClient({ endpoints: [plain.endpoint, etcd.endpoint] });

    await client.kv.get('a');
    const error = await failureOf(client.maintenance.status(etcd.endpoint));

    expect(error.message).toMatch(/certificate/i); // verified against the authorities of the system
  });
});
