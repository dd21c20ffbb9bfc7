/** A transport whose code is loaded when it is asked for: grpc-js is large, and most clients do without it. */
import { EtcdConfigError } from '../errors.js';
import type { Endpoint } from '../endpoint.js';
import type {
  Connect,
  Headers,
  RpcStatus,
  StreamListener,
  Transport,
  TransportEvents,
  TransportStream,
} from './transport.js';

/** A connector like the one that `load` resolves to. */
export function lateConnector(load: () => Promise<Connect>): Connect {
  return (endpoint, events) => new LateTransport(load, endpoint, events);
}

class LateTransport implements Transport {
  private transport: Transport | undefined;
  private isClosed = false;

  constructor(
    load: () => Promise<Connect>,
    endpoint: Endpoint,
    private readonly events: TransportEvents,
  ) {
    load()
      .then((connect) => {
        if (!this.isClosed) this.transport = connect(endpoint, events);
      })
      .catch((error: unknown) => this.onError(error as Error));
  }

  get bytesReceived(): number {
    return this.transport?.bytesReceived ?? 0;
  }

  unary(
    path: string,
    headers: Headers,
    message: Uint8Array,
    done: (status: RpcStatus, message: Uint8Array | undefined) => void,
  ): () => void {
    return this.loaded().unary(path, headers, message, done);
  }

  duplex(path: string, headers: Headers, listener: StreamListener): TransportStream {
    return this.loaded().duplex(path, headers, listener);
  }

  close(): void {
    this.isClosed = true;
    this.transport?.close();
  }

  /** Calls are started when it has said that it is ready, and not before. */
  private loaded(): Transport {
    if (this.transport === undefined) throw new Error('bug: a call on a connection that is not there yet');
    return this.transport;
  }

  private onError(error: Error): void {
    if (!this.isClosed) this.events.onDown(error.message, error instanceof EtcdConfigError);
  }
}
