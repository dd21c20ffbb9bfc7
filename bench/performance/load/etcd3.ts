/** The package `etcd3`, with the options it has by default but for the limit of 4 MiB on answers. */
import { Etcd3 } from 'etcd3';
import type { LoadClient, MakeClient, Watched } from './client.js';

export const makeClient: MakeClient = (endpoint) => new Peer(endpoint);

class Peer implements LoadClient {
  private readonly client: Etcd3;
  private renewed = 0;

  constructor(endpoint: string) {
    this.client = new Etcd3({ hosts: endpoint, grpcOptions: { 'grpc.max_receive_message_length': -1 } });
  }

  async get(key: string): Promise<number> {
    return (await this.client.get(key).string())?.length ?? 0;
  }

  put(key: string, value: string): Promise<unknown> {
    return this.client.put(key).value(value).exec();
  }

  readTxn(key: string, other: string): Promise<unknown> {
    return this.client.if(key, 'Version', '>', 0).then(this.client.get(key), this.client.get(other)).commit();
  }

  writeTxn(key: string, value: string): Promise<unknown> {
    return this.client.if(key, 'Version', '>', 0).then(this.client.put(key).value(value)).commit();
  }

  async range(prefix: string): Promise<number> {
    const { kvs } = await this.client.getAll().prefix(prefix).exec();
    return kvs.reduce((sum, { key, value }) => sum + key.toString().length + value.toString().length, 0);
  }

  async watch(watched: Watched, onEvent: (value: string) => void): Promise<unknown> {
    const all = this.client.watch();
    const builder = 'key' in watched ? all.key(watched.key) : all.prefix(watched.prefix);
    if (watched.startRevision !== undefined) builder.startRevision(String(watched.startRevision));
    const watcher = await builder.create();
    return watcher.on('put', (kv) => onEvent(kv.value.toString()));
  }

  async keepAlive(ttlSeconds: number): Promise<void> {
    const lease = this.client.lease(ttlSeconds);
    lease.on('keepaliveSucceeded', () => (this.renewed += 1));
    await lease.grant();
  }

  renewals(): number {
    return this.renewed;
  }

  close(): Promise<void> {
    this.client.close();
    return Promise.resolve();
  }
}
