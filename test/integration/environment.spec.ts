/** The variables of etcdctl, used for a connection of ours and for etcdctl itself: both have to mean the same. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { EtcdClient } from '../../lib/client/client.js';
import { optionsFromEnvironment } from '../../lib/client/environment.js';
import { findEtcd, startChild, startEtcd, type Etcd } from '../support/index.js';

let etcd: Etcd;

beforeAll(async () => {
  etcd = await startEtcd({ own: true, tls: { clientCertAuth: true }, auth: true });
}, 60_000);

afterAll(async () => {
  await etcd.stop();
});

/** What a person who uses etcdctl on this cluster has set. */
function environment(): Record<string, string> {
  return {
    ETCDCTL_ENDPOINTS: etcd.endpoints.join(','),
    ETCDCTL_CACERT: etcd.tls!.caFile,
    ETCDCTL_CERT: etcd.tls!.clientCertFile,
    ETCDCTL_KEY: etcd.tls!.clientKeyFile,
    ETCDCTL_USER: `${etcd.auth.root!.name}:${etcd.auth.root!.password}`,
    ETCDCTL_COMMAND_TIMEOUT: '10s',
    ETCDCTL_DIAL_TIMEOUT: '3s',
  };
}

describe('optionsFromEnvironment', () => {
  it('connects as etcdctl does with the same variables: TLS, client certificate, user and password', async () => {
    const variables = environment();
    await using client = new EtcdClient({ ...optionsFromEnvironment(variables), name: 'from-environment' });

    await client.kv.put('environment', 'ours');
    const { etcdctl } = await findEtcd();
    const program = await startChild(etcdctl!, ['get', 'environment', '--print-value-only'], {
      env: { ...variables, ETCDCTL_API: '3' },
    });
    const { code } = await program.exited();

    expect({ code, output: program.output.trim() }).toEqual({ code: 0, output: 'ours' });
    expect(client.stats().tokenRefreshes).toBe(1);
  });

  it('takes the user and the password apart where the password has a variable of its own', async () => {
    const { name, password } = etcd.auth.root!;
    const variables = { ...environment(), ETCDCTL_USER: name, ETCDCTL_PASSWORD: password };
    await using client = new EtcdClient(optionsFromEnvironment(variables));

    await client.kv.put('environment', 'apart');

    expect((await etcd.gateway.get('environment'))?.value).toBe('apart');
  });

  it('without a certificate is refused by a member that asks for one, and the error says so (C6)', async () => {
    const variables = { ...environment(), ETCDCTL_CERT: '', ETCDCTL_KEY: '' };
    await using client = new EtcdClient(optionsFromEnvironment(variables));

    await expect(client.kv.get('environment')).rejects.toThrow(/certificate/i);
  });
});
