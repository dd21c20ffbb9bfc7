/** Members of a make-believe cluster behind the lowest seam: which of them connect, hang, answer, or fall silent is scripted. */
import type { Endpoint } from '../../lib/client/endpoint.js';
import type { MethodInfo } from '../../lib/client/rpc/rpc.js';
import {
  GrpcCode,
  type Connect,
  type Headers,
  type RpcStatus,
  type StreamListener,
  type Transport,
  type TransportEvents,
  type TransportStream,
} from '../../lib/client/transport/transport.js';
import { serverCodecOf } from './server-codec.js';

/** What a member does when somebody connects. */
export type ConnectBehaviour =
  | 'accept'
  /** Takes the connection and says nothing more. */
  | 'hang'
  /** Cannot even be tried, for example because a certificate file is not there. */
  | { readonly throws: Error }
  | { readonly refuses: string; readonly misconfigured?: boolean };

/** What a member does with a call: leave it open, or settle it by the call's own methods. */
export type Reply = (call: FakeTransportCall) => void;

/** One unary call as the member sees it. */
export class FakeTransportCall {
  state: 'open' | 'answered' | 'cancelled' = 'open';

  constructor(
    readonly endpoint: string,
    readonly path: string,
    readonly headers: Readonly<Record<string, string>>,
    readonly request: unknown,
    private readonly done: (status: RpcStatus, message: Uint8Array | undefined) => void,
  ) {}

  /** Succeeds. Arrives later, as over a network. */
  answer(response: object): void {
    this.end({ code: GrpcCode.ok, details: '' }, serverCodecOf(this.path).encodeResponse(response));
  }

  /** Fails with a status, by default with the code of an error that etcd does not list. */
  fail(details: string, code: number = GrpcCode.unknown, cut?: RpcStatus['cut']): void {
    this.end({ code, details, cut }, undefined);
  }

  /** Succeeds with these bytes, or with none at all. */
  answerBytes(message: Uint8Array | undefined): void {
    this.end({ code: GrpcCode.ok, details: '' }, message);
  }

  private end(status: RpcStatus, message: Uint8Array | undefined): void {
    if (this.state !== 'open') return;
    queueMicrotask(() => {
      if (this.state !== 'open') return;
      this.state = 'answered';
      this.done(status, message);
    });
  }
}

/** One stream as the member sees it. */
export class FakeTransportStream implements TransportStream {
  /** What the client sent, decoded, in order. */
  readonly requests: unknown[] = [];
  isHalfClosed = false;
  state: 'open' | 'ended' | 'cancelled' = 'open';
  private readonly waiting: Uint8Array[] = [];
  private end: RpcStatus | undefined;
  private asked = 0;

  constructor(
    readonly endpoint: string,
    readonly path: string,
    readonly headers: Readonly<Record<string, string>>,
    private readonly listener: StreamListener,
  ) {}

  /** Messages that lie in the connection because the client has not asked for them. */
  get unread(): number {
    return this.waiting.length;
  }

  /** Sends messages to the client, which get through as far as it asks for them. */
  deliver(...responses: object[]): void {
    for (const response of responses) this.waiting.push(serverCodecOf(this.path).encodeResponse(response));
    this.pump();
  }

  /** Sends bytes that are no message of this RPC. */
  deliverBytes(bytes: Uint8Array): void {
    this.waiting.push(bytes);
    this.pump();
  }

  /** Ends the stream once the client has read what was sent before; `undefined` for no error. */
  finish(details?: string, code: number = GrpcCode.unknown): void {
    this.end = details === undefined ? { code: GrpcCode.ok, details: '' } : { code, details };
    this.pump();
  }

  send(message: Uint8Array): void {
    if (this.isHalfClosed) throw new Error('broken seam: sent after the half-close');
    if (this.state !== 'open') throw new Error(`broken seam: sent on a stream that is ${this.state}`);
    this.requests.push(serverCodecOf(this.path).decodeRequest(message));
  }

  read(): void {
    if (this.asked > 0) throw new Error('broken seam: read() twice for one message');
    this.asked += 1;
    this.pump();
  }

  halfClose(): void {
    if (this.isHalfClosed) throw new Error('broken seam: half-closed twice');
    this.isHalfClosed = true;
  }

  cancel(): void {
    if (this.state === 'open') this.state = 'cancelled';
  }

  /** The connection is gone: nothing that was sent is still delivered. */
  breakOff(details: string): void {
    this.waiting.length = 0;
    this.finish(details, GrpcCode.unavailable);
  }

  private pump(): void {
    queueMicrotask(() => {
      if (this.state !== 'open') return;
      const message = this.asked > 0 ? this.waiting.shift() : undefined;
      if (message !== undefined) {
        this.asked -= 1;
        this.listener.onMessage(message);
      } else if (this.end !== undefined && this.waiting.length === 0) {
        this.state = 'ended';
        this.listener.onStatus(this.end);
      }
    });
  }
}

/** One connection attempt, and what came of it. */
class FakeConnection implements Transport {
  get bytesReceived(): number {
    return this.member.bytesSent;
  }

  state: 'connecting' | 'ready' | 'down' = 'connecting';
  readonly calls: FakeTransportCall[] = [];
  readonly streams: FakeTransportStream[] = [];

  constructor(
    private readonly member: FakeMember,
    private readonly events: TransportEvents,
  ) {}

  accept(): void {
    if (this.state !== 'connecting') return;
    this.state = 'ready';
    this.events.onReady();
  }

  /** Every open call and stream breaks off, then the transport says that it is down. */
  drop(reason: string, misconfigured = false): void {
    if (this.state === 'down') return;
    this.state = 'down';
    for (const call of this.calls) call.fail(reason, GrpcCode.unavailable);
    for (const stream of this.streams) stream.breakOff(reason);
    queueMicrotask(() => this.events.onDown(reason, misconfigured));
  }

  unary(
    path: string,
    headers: Headers,
    message: Uint8Array,
    done: (status: RpcStatus, message: Uint8Array | undefined) => void,
  ): () => void {
    if (this.state !== 'ready') throw new Error(`broken seam: a call on a transport that is ${this.state}`);
    const request: unknown = serverCodecOf(path).decodeRequest(message);
    const call = new FakeTransportCall(this.member.endpoint, path, Object.fromEntries(headers), request, done);
    this.calls.push(call);
    this.member.receive(call);
    return () => {
      if (call.state === 'open') call.state = 'cancelled';
    };
  }

  duplex(path: string, headers: Headers, listener: StreamListener): TransportStream {
    if (this.state !== 'ready') throw new Error(`broken seam: a stream on a transport that is ${this.state}`);
    const stream = new FakeTransportStream(this.member.endpoint, path, Object.fromEntries(headers), listener);
    this.streams.push(stream);
    this.member.streams.push(stream);
    return stream;
  }

  close(): void {
    this.state = 'down';
    this.member.closed += 1;
  }
}

/** One member, by the endpoint under which the client knows it. */
export class FakeMember {
  /** What happens to connection attempts from now on. */
  onConnect: ConnectBehaviour = 'accept';
  /** How often somebody tried to connect. */
  connects = 0;
  /** How many connections the client has closed itself. */
  closed = 0;
  /** What has arrived of its answers so far, in bytes. */
  bytesSent = 0;
  /** Every unary call this member got, in order. */
  readonly calls: FakeTransportCall[] = [];
  /** Every stream that was opened here, in order. */
  readonly streams: FakeTransportStream[] = [];
  private readonly connections: FakeConnection[] = [];
  private readonly replies = new Map<string, Reply>();
  /** What arrived while the member was frozen. */
  private readonly unheard: FakeTransportCall[] = [];
  private isSilent = false;

  constructor(
    readonly endpoint: string,
    private readonly cluster: FakeCluster,
  ) {}

  /** Says what happens to calls of a method; those without a reply stay open. */
  on(method: MethodInfo, reply: Reply): this {
    this.replies.set(method.path, reply);
    return this;
  }

  /** Says nothing any more, like a process that was stopped; connections stay. */
  freeze(): void {
    this.isSilent = true;
  }

  /** Works again. What arrived meanwhile is dealt with now, also what the client has given up: it cannot be called back. */
  thaw(): void {
    this.isSilent = false;
    for (const call of this.unheard.splice(0)) this.replies.get(call.path)?.(call);
  }

  /** Breaks the connections that are up. */
  drop(reason = 'read ECONNRESET', misconfigured = false): void {
    for (const connection of this.connections) connection.drop(reason, misconfigured);
  }

  /** Lets the attempts that hang get through after all. */
  acceptHanging(): void {
    for (const connection of this.connections) connection.accept();
  }

  /** The calls of one method, in order. */
  callsOf(method: MethodInfo): FakeTransportCall[] {
    return this.calls.filter(({ path }) => path === method.path);
  }

  /** The last stream of a method; fails when there is none. */
  lastStream(method: MethodInfo): FakeTransportStream {
    const stream = this.streams.filter(({ path }) => path === method.path).at(-1);
    if (stream === undefined) throw new Error(`no ${method.label} stream on ${this.endpoint}`);
    return stream;
  }

  /** @internal a connection attempt */
  connect(events: TransportEvents): Transport {
    this.connects += 1;
    const behaviour = this.onConnect;
    if (typeof behaviour === 'object' && 'throws' in behaviour) throw behaviour.throws;
    const connection = new FakeConnection(this, events);
    this.connections.push(connection);
    if (behaviour === 'accept') queueMicrotask(() => connection.accept());
    else if (behaviour !== 'hang') queueMicrotask(() => connection.drop(behaviour.refuses, behaviour.misconfigured));
    return connection;
  }

  /** @internal a call that arrived */
  receive(call: FakeTransportCall): void {
    this.calls.push(call);
    this.cluster.calls.push(call);
    if (this.isSilent) this.unheard.push(call);
    else this.replies.get(call.path)?.(call);
  }
}

/**
 * All members, and every call in the order of arrival.
 *
 * @example
 * const cluster = new FakeCluster();
 * cluster.member('http://a:1').on(PUT, (call) => call.answer({}));
 * new Endpoints(endpoints, { …, connect: cluster.connect });
 */
export class FakeCluster {
  readonly calls: FakeTransportCall[] = [];
  private readonly members = new Map<string, FakeMember>();

  readonly connect: Connect = ({ text }: Endpoint, events) => this.member(text).connect(events);

  /** The member behind an endpoint; made when it is first asked for. */
  member(endpoint: string): FakeMember {
    const member = this.members.get(endpoint) ?? new FakeMember(endpoint, this);
    this.members.set(endpoint, member);
    return member;
  }

  /** Every member there is. */
  all(): FakeMember[] {
    return [...this.members.values()];
  }

  /** Says what happens to calls of a method on every member there is. */
  on(method: MethodInfo, reply: Reply): this {
    for (const member of this.members.values()) member.on(method, reply);
    return this;
  }

  /** The endpoints that got the calls of a method, in order. */
  endpointsOf(method: MethodInfo): string[] {
    return this.calls.filter(({ path }) => path === method.path).map(({ endpoint }) => endpoint);
  }
}
