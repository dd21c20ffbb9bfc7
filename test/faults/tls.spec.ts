/** TLS on a real member: what works, and what the error says when it does not. Promise C6. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EtcdClient, type EtcdClientOptions } from '../../lib/client/client.js';
import { EtcdUnavailableError } from '../../lib/client/errors.js';
import type { Etcd } from '../support/etcd/cluster.js';
import { temporaryFolder, type TemporaryFolder } from '../support/etcd/temporary-folder.js';
import { CertificateAuthority, eventually, startEtcd } from '../support/index.js';
import { runningMs } from '../support/running-time.js';

/** An attempt to connect has this long; a certificate that cannot work has to be told of within it. */
const CONNECT_TIMEOUT_MS = 2_000;

let authority: CertificateAuthority;
let folder: TemporaryFolder;
const started: Etcd[] = [];
const clients: EtcdClient[] = [];

beforeAll(async () => {
  authority = await CertificateAuthority.create();
  folder = await temporaryFolder();
}, 60_000);

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
});

afterAll(async () => {
  await Promise.all(started.map((etcd) => etcd.stop()));
  await folder.remove();
});

async function start(tls: Parameters<typeof startEtcd>[0] & object): Promise<Etcd> {
  const etcd = await startEtcd({ own: true, ...tls });
  started.push(etcd);
  return etcd;
}

function connect(options: EtcdClientOptions): EtcdClient {
  const client = new EtcdClient(options);
  clients.push(client);
  return client;
}

/** The error of a first read, and how long it took. */
async function firstFailure(options: EtcdClientOptions): Promise<{ error: EtcdUnavailableError; tookMs: number }> {
  const startedAt = runningMs();
  const error: unknown = await connect(options)
    .kv.get('a')
    .then(
      () => undefined,
      (caught: unknown) => caught,
    );
  expect(error).toBeInstanceOf(EtcdUnavailableError);
  return { error: error as EtcdUnavailableError, tookMs: runningMs() - startedAt };
}

describe('A member that speaks TLS', () => {
  let etcd: Etcd;

  beforeAll(async () => {
    etcd = await start({ tls: { authority } });
  }, 60_000);

  it('is reached with its authority as PEM text, as bytes and as a file, by address and by name (C6)', async () => {
    const byName = etcd.endpoint.replace('127.0.0.1', 'localhost');
    const cases: EtcdClientOptions[] = [
      { endpoints: etcd.endpoint, tls: { ca: authority.ca } },
      { endpoints: byName, tls: { ca: Buffer.from(authority.ca) } },
      { endpoints: etcd.endpoint.replace('https://', ''), tls: { ca: etcd.tls!.caFile } },
    ];

    for (const options of cases) {
      const { kvs } = await connect(options).kv.range('a');
      expect(kvs).toEqual([]);
    }
  });

  it('is refused when its authority is not trusted, and the error says so at once (C6)', async () => {
    const other = await CertificateAuthority.create();

    const { error, tookMs } = await firstFailure({ endpoints: etcd.endpoint, tls: { ca: other.ca } });

    expect(error.message).toMatch(/certificate/i);
    expect(error.endpoints).toEqual([{ endpoint: etcd.endpoint, reason: expect.stringMatching(/certificate/i) }]);
    expect(tookMs).toBeLessThan(CONNECT_TIMEOUT_MS);
  });

  it('is refused when its certificate is for another name, which the error names (C6)', async () => {
    const { error, tookMs } = await firstFailure({
      endpoints: etcd.endpoint,
      tls: { ca: authority.ca, serverName: 'etcd.example' },
    });

    expect(error.message).toMatch(/etcd\.example/);
    expect(tookMs).toBeLessThan(CONNECT_TIMEOUT_MS);
  });

  it('tells a client that talks plaintext to write https:// (C6)', async () => {
    const { error, tookMs } = await firstFailure({ endpoints: etcd.endpoint.replace('https://', 'http://') });

    expect(error.message).toContain('https://');
    expect(tookMs).toBeLessThan(CONNECT_TIMEOUT_MS);
  });
});

describe('A member whose certificate cannot be accepted', () => {
  it('is refused when the certificate has expired, and the error says so (C6)', async () => {
    const server = await authority.issueServer({ ips: ['127.0.0.1'], notAfter: new Date(Date.now() - 86_400_000) });
    const etcd = await start({ tls: { authority, server } }).catch((error: unknown) => error as Error);

    // The rig itself asks the member over TLS; where it cannot, a bare server shows the certificate.
    if (etcd instanceof Error) throw etcd;
    const { error, tookMs } = await firstFailure({ endpoints: etcd.endpoint, tls: { ca: authority.ca } });

    expect(error.message).toMatch(/expired/i);
    expect(tookMs).toBeLessThan(CONNECT_TIMEOUT_MS);
  });

  it('is refused when the certificate is for another host, and accepted under its own name by serverName (C6)', async () => {
    const server = await authority.issueServer({ dnsNames: ['member.test'], ips: [] });
    const etcd = await start({ tls: { authority, server } });

    const { error } = await firstFailure({ endpoints: etcd.endpoint, tls: { ca: authority.ca } });
    const named = connect({ endpoints: etcd.endpoint, tls: { ca: authority.ca, serverName: 'member.test' } });

    expect(error.message).toMatch(/127\.0\.0\.1/);
    expect((await named.kv.range('a')).kvs).toEqual([]);
  });
});

describe('A member that asks for client certificates', () => {
  it('accepts one of its authority, and refuses none and a foreign one with an error that says so (C6)', async () => {
    const etcd = await start({ tls: { authority, clientCertAuth: true } });
    const own = await authority.issueClient('reader');
    const foreign = await (await CertificateAuthority.create()).issueClient('reader');

    const good = connect({ endpoints: etcd.endpoint, tls: { ca: authority.ca, cert: own.cert, key: own.key } });
    const none = await firstFailure({ endpoints: etcd.endpoint, tls: { ca: authority.ca } });
    const wrong = await firstFailure({
      endpoints: etcd.endpoint,
      tls: { ca: authority.ca, cert: foreign.cert, key: foreign.key },
    });

    expect((await good.kv.range('a')).kvs).toEqual([]);
    expect(none.error.message).toMatch(/certificate/i);
    expect(wrong.error.message).toMatch(/certificate|unknown ca/i);
    expect(Math.max(none.tookMs, wrong.tookMs)).toBeLessThan(CONNECT_TIMEOUT_MS);
  });
});

describe('A member that speaks plaintext', () => {
  it('tells a client that talks TLS that it does not (C6)', async () => {
    const etcd = await start({});

    const { error, tookMs } = await firstFailure({
      endpoints: etcd.endpoint.replace('http://', 'https://'),
      tls: { ca: authority.ca },
    });

    expect(error.message).toMatch(/TLS/);
    expect(tookMs).toBeLessThan(CONNECT_TIMEOUT_MS);
  });
});

describe('Certificates that are replaced on disk', () => {
  it('are used at the next connection, without a new client (C6)', async () => {
    const [first, second] = await Promise.all([CertificateAuthority.create(), CertificateAuthority.create()]);
    const caFile = join(folder.path, 'ca.pem');
    await writeFile(caFile, first.ca);
    const old = await start({ tls: { authority: first } });
    const renewed = await start({ tls: { authority: second } });
    const client = connect({ endpoints: [old.endpoint], tls: { ca: caFile } });
    await client.kv.put('a', 'x');

    await writeFile(caFile, second.ca);
    client.setEndpoints([renewed.endpoint]);

    await eventually(() => client.kv.put('a', 'y', { timeoutMs: 2_000 }), { timeoutMs: 10_000 });
    expect((await renewed.gateway.get('a'))?.value).toBe('y');
  });

  it('that are broken leave the client able to go on once they are mended (C6)', async () => {
    const caFile = join(folder.path, 'broken.pem');
    const etcd = await start({ tls: { authority } });
    await writeFile(caFile, 'half a certif');
    const client = connect({ endpoints: [etcd.endpoint], tls: { ca: caFile } });

    const error: unknown = await client.kv.get('a').catch((caught: unknown) => caught);
    await writeFile(caFile, authority.ca);

    expect(error).toBeInstanceOf(EtcdUnavailableError);
    expect((error as Error).message).not.toContain('half a certif');
    await eventually(() => client.kv.range('a', { timeoutMs: 2_000 }), { timeoutMs: 10_000 });
  });
});
