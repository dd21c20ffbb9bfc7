/** Endpoints that we register are found by Go's own naming package and its gRPC, and the reverse. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import * as grpc from '@grpc/grpc-js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { EtcdClient } from '../../lib/client/client.js';
import { registerEtcdResolver } from '../../lib/client/naming/grpc-resolver.js';
import { ServiceEndpoints } from '../../lib/client/naming/service-endpoints.js';
import { Asker, startWho } from '../integration/naming/who.js';
import { startEtcd, type Etcd } from '../support/index.js';
import { goProgram, MISSING } from './go-program.js';

const program = await goProgram('naming-go');

describe('Endpoints beside Go', () => {
  if (program.missing !== undefined) {
    it(`is not tried on this machine: ${program.missing}`, () => {
      expect(program.missing).toMatch(MISSING);
    });
    return;
  }
  const { path } = program;
  let etcd: Etcd;
  let client: EtcdClient;
  let endpoints: ServiceEndpoints;
  let target: string;
  let tests = 0;

  beforeAll(async () => {
    etcd = await startEtcd();
    client = new EtcdClient({ endpoints: etcd.endpoints });
  });

  beforeEach(() => {
    target = `interop-naming/${process.pid}/${++tests}`;
    endpoints = new ServiceEndpoints(client, target);
  });

  afterAll(async () => {
    await client.close();
    await etcd.stop();
  });

  /** @returns the lines that the program printed. */
  async function runGo(what: string, ...args: string[]): Promise<string[]> {
    const { stdout } = await promisify(execFile)(path, [etcd.endpoint, what, target, ...args]);
    return stdout.split('\n').filter((line) => line !== '');
  }

  describe('An endpoint', () => {
    it('of ours is listed by Go, with its metadata', async () => {
      await endpoints.add('plain', { address: '10.0.0.1:80' });
      await endpoints.add('rich', { address: '[::1]:80', metadata: { zone: 'a', weights: [1, 2.5], note: '<&>' } });

      expect(await runGo('list')).toEqual([
        `${target}/plain 10.0.0.1:80 null`,
        `${target}/rich [::1]:80 {"note":"\\u003c\\u0026\\u003e","weights":[1,2.5],"zone":"a"}`,
      ]);
    });

    it('of Go is listed by ours, with its metadata', async () => {
      await runGo('add', 'plain', '10.0.0.1:80');
      await runGo('add', 'rich', '10.0.0.2:80', '{"zone":"a","note":"<&>"}');

      const { endpoints: found, unreadable } = await endpoints.list();

      expect([...found]).toEqual([
        ['plain', { address: '10.0.0.1:80' }],
        ['rich', { address: '10.0.0.2:80', metadata: { zone: 'a', note: '<&>' } }],
      ]);
      expect(unreadable).toEqual([]);
    });

    it('is kept the same, byte for byte, by both', async () => {
      await runGo('add', 'go', '10.0.0.1:80', '{"a":1,"b":["x"]}');
      await endpoints.add('ours', { address: '10.0.0.1:80', metadata: { a: 1, b: ['x'] } });

      const [first, second] = await etcd.gateway.getPrefix(`${target}/`);

      expect(second?.value).toBe(first?.value);
    });

    it('of each is deleted by the other', async () => {
      await runGo('add', 'go', 'a:1');
      await endpoints.add('ours', { address: 'b:1' });

      await runGo('delete', 'ours');
      expect([...(await endpoints.list()).endpoints.keys()]).toEqual(['go']);
      await endpoints.delete('go');

      expect(await runGo('list')).toEqual([]);
    });
  });

  describe('A gRPC server', () => {
    it('that we registered is found by a gRPC client of Go', async () => {
      const server = await startWho('ours');
      await endpoints.add('ours', { address: server.address });

      expect(await runGo('ask')).toEqual(['ours']);
      server.stop();
    });

    it('that Go registered is found by our gRPC client', async () => {
      const server = await startWho('theirs');
      await runGo('add', 'theirs', server.address);
      registerEtcdResolver(grpc, client);
      const asker = new Asker(`etcd:///${target}`);

      expect(await asker.ask()).toBe('theirs');
      asker.close();
      server.stop();
    });
  });
});
