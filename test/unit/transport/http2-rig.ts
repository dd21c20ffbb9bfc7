/** The transport over node:http2 on its own: one connection, and what is told of it and of its calls. */
import { parseEndpoint } from '../../../lib/client/endpoint.js';
import { resolveOptions, type EtcdConnectionOptions } from '../../../lib/client/options.js';
import { http2Connector } from '../../../lib/client/transport/http2/http2-transport.js';
import type { Headers, RpcStatus, Transport, TransportStream } from '../../../lib/client/transport/transport.js';
import { eventually } from '../../support/eventually.js';
import { FakeClock } from '../../support/fake-clock.js';

const PATH = '/etcdserverpb.KV/Range';
const NO_HEADERS: Headers = new Map();

/** How a unary call ended. */
export interface Answer {
  readonly status: RpcStatus;
  readonly message: string | undefined;
}

/** A connection, or the attempt at one. It is closed with the test. */
export class Line implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly transport: Transport;
  /** `ready`, `down: reason` and `misconfigured: reason`, in order. */
  readonly events: string[] = [];

  constructor(endpoint: string, options: Omit<EtcdConnectionOptions, 'endpoints'> = {}) {
    const resolved = resolveOptions({ endpoints: endpoint, ...options });
    const connect = http2Connector(resolved, 'agent/1', this.clock);
    this.transport = connect(parseEndpoint(endpoint, 'endpoint'), {
      onReady: () => this.events.push('ready'),
      onDown: (reason, misconfigured) => this.events.push(`${misconfigured ? 'misconfigured' : 'down'}: ${reason}`),
    });
  }

  /** One that is up. */
  static async open(endpoint: string, options?: Omit<EtcdConnectionOptions, 'endpoints'>): Promise<Line> {
    const line = new Line(endpoint, options);
    await line.event(1);
    return line;
  }

  /** The nth thing that is told of the connection, waited for. */
  event(number: number): Promise<string> {
    return eventually(() => this.events[number - 1], { what: `event ${number} of the connection`, everyMs: 2 });
  }

  /** Starts a unary call. */
  call(message = 'question', headers = NO_HEADERS): { readonly answer: Promise<Answer>; readonly cancel: () => void } {
    let cancel!: () => void;
    const answer = new Promise<Answer>((resolve) => {
      cancel = this.transport.unary(PATH, headers, Buffer.from(message), (status, bytes) =>
        resolve({ status, message: bytes === undefined ? undefined : Buffer.from(bytes).toString() }),
      );
    });
    return { answer, cancel };
  }

  stream(): RecordedStream {
    return new RecordedStream(this.transport);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.transport.close();
    await Promise.resolve();
  }
}

/** A stream, and what was told of it. */
export class RecordedStream {
  readonly messages: string[] = [];
  readonly statuses: RpcStatus[] = [];
  private readonly stream: TransportStream;

  constructor(transport: Transport) {
    this.stream = transport.duplex(PATH, NO_HEADERS, {
      onMessage: (message) => this.messages.push(Buffer.from(message).toString()),
      onStatus: (status) => this.statuses.push(status),
    });
  }

  send(message: string): this {
    this.stream.send(Buffer.from(message));
    return this;
  }

  read(times = 1): this {
    for (let time = 0; time < times; time++) this.stream.read();
    return this;
  }

  halfClose(): this {
    this.stream.halfClose();
    return this;
  }

  cancel(): void {
    this.stream.cancel();
  }

  /** Waits until so many messages have been told. */
  async received(count: number): Promise<void> {
    await eventually(() => this.messages.length >= count, { what: `${count} messages`, everyMs: 2 });
  }

  /** Its status, waited for. */
  status(): Promise<RpcStatus> {
    return eventually(() => this.statuses[0], { what: 'the status', everyMs: 2 });
  }
}
