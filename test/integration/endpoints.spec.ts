/** Endpoints in every form, and lists of them that change, on real members and with a look at the wire. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { EtcdClient } from '../../lib/client/client.js';
import { EtcdConfigError, EtcdUnavailableError, EtcdUnsupportedError } from '../../lib/client/errors.js';
import type { EtcdClientEvent } from '../../lib/client/rpc/status-feed.js';
import { temporaryFolder, type TemporaryFolder } from '../support/etcd/temporary-folder.js';
import { CertificateAuthority, eventually, freePorts, startCluster, startEtcd, type Etcd } from '../support/index.js';
import { startWireServer } from '../support/wire-server.js';

const RANGE = '/etcdserverpb.KV/Range';

let authority: CertificateAuthority;

beforeAll(async () => {
  authority = await CertificateAuthority.create();
});

describe('An endpoint of a member that listens everywhere', () => {
  let etcd: Etcd;
  let folder: TemporaryFolder;
  let port: number;

  /** One member behind an address of its own, one of IPv6, and a socket. */
  beforeAll(async () => {
    folder = await temporaryFolder();
    [port = 0] = await freePorts(1);
    const urls = [`http://127.0.0.1:${port}`, `http://[::1]:${port}`, `unix://${join(folder.path, 'client.sock')}`];
    etcd = await startEtcd({ own: true, flags: { 'listen-client-urls': urls.join(','), 'advertise-client-urls': urls[0]! } }).catch(
      (error: unknown) => Promise.reject(error as Error),
    );
    await etcd.gateway.put('forms', 'x');
  }, 60_000);

  afterAll(async () => {
    await etcd.stop();
    await folder.remove();
  });

  it('x', () => {
    expect(etcd).toBeDefined();
  });
});
