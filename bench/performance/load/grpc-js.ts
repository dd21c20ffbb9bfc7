/** What grpc-js makes of the proto files, with the options of proto-loader's own documentation, and nothing above it. */
import { join } from 'node:path';
import {
  credentials,
  loadPackageDefinition,
  type ClientDuplexStream,
  type Client,
  type ServiceClientConstructor,
} from '@grpc/grpc-js';
import { loadSync, type PackageDefinition } from '@grpc/proto-loader';
import type { LoadClient, MakeClient, Watched } from './client.js';

interface KeyValue {
  readonly key: Buffer;
  readonly value: Buffer;
}

interface RangeResponse {
  readonly kvs: readonly KeyValue[];
}

interface WatchResponse {
  readonly watch_id: string;
  readonly created: boolean;
  readonly events: readonly { readonly kv: KeyValue }[];
}

type Unary = (request: object, done: (error: Error | null, response: unknown) => void) => void;
type Service = Client & Readonly<Record<string, Unary>>;

/** The definition of etcd's API, as proto-loader reads it. The program is started in the project's folder. */
export function loadDefinition(): PackageDefinition {
  const options = { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true };
  return loadSync('rpc.proto', { ...options, includeDirs: [join(process.cwd(), 'proto')] });
}

/** Loaded with this module, as the modules of the others load theirs. */
const api = loadPackageDefinition(loadDefinition())['etcdserverpb'] as Record<string, ServiceClientConstructor>;

export const makeClient: MakeClient = (endpoint) => new Stubs(endpoint);

class Stubs implements LoadClient {
  private readonly kv: Service;
  private readonly watches: Service;
  private readonly onEvent = new Map<string, (value: string) => void>();
  private readonly created: ((watchId: string) => void)[] = [];
  private stream: ClientDuplexStream<object, WatchResponse> | undefined;

  constructor(endpoint: string) {
    const stub = (name: string): Service =>
      new api[name]!(new URL(endpoint).host, credentials.createInsecure(), {
        'grpc.max_receive_message_length': -1,
      }) as unknown as Service;
    this.kv = stub('KV');
    this.watches = stub('Watch');
  }

  async get(key: string): Promise<number> {
    const { kvs } = (await this.call('Range', { key: Buffer.from(key) })) as RangeResponse;
    return kvs[0]?.value.toString().length ?? 0;
  }

  put(key: string, value: string): Promise<unknown> {
    return this.call('Put', { key: Buffer.from(key), value: Buffer.from(value) });
  }

  readTxn(key: string, other: string): Promise<unknown> {
    const read = (name: string): object => ({ request_range: { key: Buffer.from(name) } });
    return this.call('Txn', { compare: [exists(key)], success: [read(key), read(other)] });
  }

  writeTxn(key: string, value: string): Promise<unknown> {
    const write = { request_put: { key: Buffer.from(key), value: Buffer.from(value) } };
    return this.call('Txn', { compare: [exists(key)], success: [write] });
  }

  async range(prefix: string): Promise<number> {
    const request = { key: Buffer.from(prefix), range_end: endOf(prefix) };
    const { kvs } = (await this.call('Range', request)) as RangeResponse;
    return kvs.reduce((sum, { key, value }) => sum + key.toString().length + value.toString().length, 0);
  }

  async watch(watched: Watched, onEvent: (value: string) => void): Promise<void> {
    const keys =
      'key' in watched
        ? { key: Buffer.from(watched.key) }
        : { key: Buffer.from(watched.prefix), range_end: endOf(watched.prefix) };
    const request = { ...keys, start_revision: watched.startRevision ?? 0 };
    const watchId = await new Promise<string>((resolve) => {
      this.created.push(resolve);
      this.watchStream().write({ create_request: request });
    });
    this.onEvent.set(watchId, onEvent);
  }

  close(): Promise<void> {
    this.stream?.on('error', () => undefined).cancel();
    this.kv.close();
    this.watches.close();
    return Promise.resolve();
  }

  private call(method: string, request: object): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.kv[method]!(request, (error, response) => (error === null ? resolve(response) : reject(error)));
    });
  }

  /** One stream for all watches. The answers to creations come in the order of the requests. */
  private watchStream(): ClientDuplexStream<object, WatchResponse> {
    if (this.stream !== undefined) return this.stream;
    const open = this.watches['Watch'] as unknown as () => ClientDuplexStream<object, WatchResponse>;
    this.stream = open.call(this.watches);
    return this.stream.on('data', (response: WatchResponse) => {
      if (response.created) this.created.shift()?.(response.watch_id);
      const onEvent = this.onEvent.get(response.watch_id);
      for (const { kv } of response.events) onEvent?.(kv.value.toString());
    });
  }
}

function exists(key: string): object {
  return { key: Buffer.from(key), target: 'VERSION', result: 'GREATER', version: 0 };
}

/** The first key after all keys with this start. */
function endOf(prefix: string): Buffer {
  const end = Buffer.from(prefix);
  end[end.length - 1]! += 1;
  return end;
}
