/** This project's client, as built, in its variants. */
import { compare, EtcdClient, EtcdClosedError, get, prefix, put, type EtcdClientOptions } from 'nest-etcd/client';
import type { LoadClient, MakeClient, Watched } from './client.js';

type Variant = Omit<EtcdClientOptions, 'endpoints'>;

export const makeClient: MakeClient = (endpoint) => new NestEtcd(endpoint, {});

/** Every read is a call of its own. */
export const makeSingleClient: MakeClient = (endpoint) => new NestEtcd(endpoint, { coalesceReads: false });

/** Over the other transport. */
export const makeGrpcJsClient: MakeClient = (endpoint) => new NestEtcd(endpoint, { transport: 'grpc-js' });

/** Ranges are scanned, in pieces. */
export const makeScanningClient: MakeClient = (endpoint) => new Scanning(endpoint, {});

/** Counts and times its calls. */
export async function loadMeteredClient(): Promise<MakeClient> {
  const { Registry } = await import('prom-client');
  const { etcdMetricsInterceptor } = await import('nest-etcd/metrics');
  const interceptors = [etcdMetricsInterceptor({ registry: new Registry() })];
  return (endpoint) => new NestEtcd(endpoint, { interceptors });
}

class NestEtcd implements LoadClient {
  protected readonly client: EtcdClient;

  constructor(endpoint: string, variant: Variant) {
    this.client = new EtcdClient({ endpoints: endpoint, ...variant });
  }

  async get(key: string): Promise<number> {
    return (await this.client.kv.get(key))?.value.length ?? 0;
  }

  put(key: string, value: string): Promise<unknown> {
    return this.client.kv.put(key, value);
  }

  readTxn(key: string, other: string): Promise<unknown> {
    return this.client.kv.txn().if(compare(key).version('>', 0)).then(get(key), get(other)).commit();
  }

  writeTxn(key: string, value: string): Promise<unknown> {
    return this.client.kv.txn().if(compare(key).version('>', 0)).then(put(key, value)).commit();
  }

  async range(start: string): Promise<number> {
    const { kvs } = await this.client.kv.range(prefix(start));
    return kvs.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
  }

  watch(watched: Watched, onEvent: (value: string) => void): Promise<unknown> {
    const { startRevision } = watched;
    const watcher = this.client.watch.watch('key' in watched ? watched.key : prefix(watched.prefix), { startRevision });
    const read = async (): Promise<void> => {
      for await (const { kv } of watcher) onEvent(kv.value);
    };
    read().catch((error: unknown) => {
      if (!(error instanceof EtcdClosedError)) throw error;
    });
    return watcher.created;
  }

  async keepAlive(ttlSeconds: number): Promise<void> {
    const { id } = await this.client.lease.grant(ttlSeconds);
    this.client.lease.keepAlive(id);
  }

  renewals(): number {
    return this.client.stats().lease.renewals;
  }

  async view(start: string): Promise<(key: string) => string | undefined> {
    const view = this.client.watch.view(prefix(start));
    await view.ready;
    return (key) => view.get(key)?.value;
  }

  close(): Promise<void> {
    return this.client.close();
  }
}

class Scanning extends NestEtcd {
  override async range(start: string): Promise<number> {
    let sum = 0;
    for await (const { key, value } of this.client.kv.scan(prefix(start))) sum += key.length + value.length;
    return sum;
  }
}
