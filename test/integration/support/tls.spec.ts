/** The launcher with TLS, looked at by a TLS client of Node: what members show, and whom they let in. */
import { connect, type PeerCertificate, type TLSSocket } from 'node:tls';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CertificateAuthority, startEtcd, type Etcd, type KeyPair } from '../../support/index.js';

interface Caller {
  readonly ca: string;
  readonly client?: KeyPair;
  readonly servername?: string;
}

/** Asks for `/health` and returns what the member showed of itself, once it has answered. */
async function visit(etcd: Etcd, { ca, client, servername = 'localhost' }: Caller): Promise<PeerCertificate> {
  const port = etcd.members[0]!.port;
  const socket: TLSSocket = connect({ port, host: '127.0.0.1', ca, servername, ...client });
  try {
    socket.write('GET /health HTTP/1.0\r\n\r\n');
    await once(socket, 'data');
    return socket.getPeerCertificate();
  } finally {
    socket.destroy();
  }
}

describe('a member with TLS', () => {
  let etcd: Etcd;

  beforeAll(async () => {
    etcd = await startEtcd({ tls: true });
  });
  afterAll(() => etcd.stop());

  it('serves those who trust its authority, under its names and its address', async () => {
    expect(etcd.endpoint).toMatch(/^https:/);
    const shown = await visit(etcd, { ca: etcd.tls!.ca });

    expect(shown.subjectaltname).toBe('DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1');
    await etcd.gateway.put('a', 'x');
    expect(await etcd.etcdctl('get', 'a', '--print-value-only')).toBe('x\n');
  });

  it('refuses plaintext', async () => {
    const answer = await fetch(`${etcd.endpoint.replace('https', 'http')}/health`).then(
      (response) => response.status,
      () => 'no answer',
    );

    expect([400, 'no answer']).toContain(answer);
  });

  it('is refused by those who trust another authority', async () => {
    const stranger = await CertificateAuthority.create('another');

    await expect(visit(etcd, { ca: stranger.ca })).rejects.toThrow(/certificate/);
  });

  it('shows another certificate from the next connection on when its file is replaced', async () => {
    const { authority, ca } = etcd.tls!;

    await etcd.tls!.replaceServerCertificate(await authority.issueServer({ dnsNames: ['moved.test'] }));
    expect((await visit(etcd, { ca, servername: 'moved.test' })).subjectaltname).toContain('DNS:moved.test');
    await expect(visit(etcd, { ca })).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });

    await etcd.tls!.replaceServerCertificate(await authority.issueServer({ notAfter: new Date(Date.now() - 1000) }));
    await expect(visit(etcd, { ca })).rejects.toMatchObject({ code: 'CERT_HAS_EXPIRED' });

    await etcd.tls!.replaceServerCertificate(await authority.issueServer());
    await visit(etcd, { ca });
  });
});

describe('a member that asks for client certificates', () => {
  it('lets in only those of its own authority, and takes their common name for the user', async () => {
    const etcd = await startEtcd({ tls: { clientCertAuth: true }, auth: true });
    const { ca, client, authority } = etcd.tls!;
    const stranger = await CertificateAuthority.create('another');

    await visit(etcd, { ca, client });
    await expect(visit(etcd, { ca })).rejects.toThrow(/certificate required|bad certificate/);
    await expect(visit(etcd, { ca, client: await stranger.issueClient('root') })).rejects.toThrow(
      /unknown ca|bad certificate/,
    );
    await expect(
      visit(etcd, { ca, client: await authority.issueClient('late', { notAfter: new Date(Date.now() - 1000) }) }),
    ).rejects.toThrow(/certificate/);
    await etcd.gateway.put('a', 'x');
    await etcd.stop();
  });
});

describe('a member with a bad certificate', () => {
  it('still starts, so that a client can be seen to refuse it', async () => {
    const authority = await CertificateAuthority.create();
    const server = await authority.issueServer({ notAfter: new Date(Date.now() - 1000) });

    const etcd = await startEtcd({ tls: { authority, server } });

    await expect(visit(etcd, { ca: authority.ca })).rejects.toMatchObject({ code: 'CERT_HAS_EXPIRED' });
    await etcd.stop();
  });
});
