/** A bare HTTP/2 server that plays an etcd member: it shows what a client puts on the wire, and ends connections as told. */
import { once } from 'node:events';
import {
  constants,
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { KeyPair } from './etcd/certificates.js';
import { serverCodecOf } from './server-codec.js';

const LOOPBACK = '127.0.0.1';
const FRAME_HEAD_BYTES = 5;
const HEADER = { clusterId: 'cdf818194e3a8c32', memberId: '8e9e05c52164694d', revision: 1, raftTerm: 2 };

/** One request as it came over the wire. */
export interface WireRequest {
  readonly path: string;
  readonly authority: string;
  readonly headers: IncomingHttpHeaders;
  /** The number of the connection it came on, 1 for the first. */
  readonly session: number;
  /** The decoded message; the first one of a stream. */
  readonly message: Record<string, unknown>;
}

/** A gRPC status that is not OK. */
export interface WireRefusal {
  readonly grpcCode: number;
  readonly details: string;
}

/** What to answer: the message without its header, which is added, or a refusal. */
export type WireAnswer = (request: WireRequest) => object | WireRefusal | Promise<object | WireRefusal>;

export interface WireServerOptions {
  /** Certificate and key; plaintext without them. */
  readonly tls?: KeyPair;
  /** @default 127.0.0.1 */
  readonly host?: string;
  /** A socket to listen on instead of a port. */
  readonly socketPath?: string;
}

/** Starts one that answers reads and writes as an empty store would. */
export async function startWireServer(options: WireServerOptions = {}): Promise<WireServer> {
  const server = new WireServer(options);
  await server.listen();
  return server;
}

export class WireServer implements AsyncDisposable {
  /** Every request, in order. */
  readonly requests: WireRequest[] = [];
  private readonly answers = new Map<string, WireAnswer>([
    ['/etcdserverpb.KV/Range', () => ({ kvs: [], count: 0 })],
    ['/etcdserverpb.KV/Put', () => ({})],
    ['/etcdserverpb.Maintenance/Status', () => ({ version: '3.5.30', leader: HEADER.memberId })],
  ]);
  private readonly server: Http2Server | Http2SecureServer;
  private readonly open = new Set<ServerHttp2Session>();
  private accepted = 0;
  private port = 0;

  constructor(private readonly options: WireServerOptions) {
    this.server = options.tls === undefined ? createServer() : createSecureServer(options.tls);
    this.server.on('session', (session) => this.accept(session));
  }

  /** `http://127.0.0.1:PORT`, `https` with TLS, or the `unix:` path. */
  get endpoint(): string {
    if (this.options.socketPath !== undefined) return `unix:${this.options.socketPath}`;
    const { tls, host = LOOPBACK } = this.options;
    return `${tls === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${this.port}`;
  }

  /** How many connections were made so far. */
  get sessions(): number {
    return this.accepted;
  }

  /** How many connections are open now. */
  get openSessions(): number {
    return this.open.size;
  }

  /** Sets what a unary RPC is answered with from now on. @param path such as `/etcdserverpb.KV/Range` */
  on(path: string, answer: WireAnswer): this {
    this.answers.set(path, answer);
    return this;
  }

  /** The requests to one RPC. */
  requestsTo(path: string): readonly WireRequest[] {
    return this.requests.filter((request) => request.path === path);
  }

  /** Says on every open connection that no more calls are taken on it; those that run may finish. */
  goAway(): void {
    for (const session of this.open) session.goaway(constants.NGHTTP2_NO_ERROR);
  }

  async listen(): Promise<void> {
    const { socketPath, host = LOOPBACK } = this.options;
    if (socketPath === undefined) this.server.listen(0, host);
    else this.server.listen(socketPath);
    await once(this.server, 'listening');
    const address = this.server.address() as AddressInfo | string;
    if (typeof address === 'object') this.port = address.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const session of this.open) session.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private accept(session: ServerHttp2Session): void {
    const number = ++this.accepted;
    this.open.add(session);
    session.on('close', () => this.open.delete(session));
    session.on('error', () => undefined); // a client may end a connection in any way
    session.on('stream', (stream, headers) => void this.serve(stream, headers, number));
  }

  private async serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, session: number): Promise<void> {
    stream.on('error', () => undefined);
    const path = String(headers[':path']);
    const message = await firstMessage(stream, path);
    const request = { path, authority: String(headers[':authority']), headers, session, message };
    this.requests.push(request);
    const answer = this.answers.get(path);
    // A stream has no answer of its own here: it stays open until the client or the connection ends it.
    if (answer === undefined) return;
    reply(stream, path, await answer(request));
  }
}

async function firstMessage(stream: ServerHttp2Stream, path: string): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    const end = FRAME_HEAD_BYTES + (bytes.length < FRAME_HEAD_BYTES ? Infinity : bytes.readUInt32BE(1));
    if (bytes.length >= end) {
      return serverCodecOf(path).decodeRequest(bytes.subarray(FRAME_HEAD_BYTES, end)) as Record<string, unknown>;
    }
  }
  return {};
}

function reply(stream: ServerHttp2Stream, path: string, answer: object | WireRefusal): void {
  if (stream.destroyed) return;
  const head = { ':status': 200, 'content-type': 'application/grpc+proto' };
  if ('grpcCode' in answer) {
    stream.respond({ ...head, 'grpc-status': answer.grpcCode, 'grpc-message': answer.details }, { endStream: true });
    return;
  }
  const body = serverCodecOf(path).encodeResponse({ header: HEADER, ...answer });
  const frameHead = Buffer.alloc(FRAME_HEAD_BYTES);
  frameHead.writeUInt32BE(body.length, 1);
  stream.respond(head, { waitForTrailers: true });
  stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(Buffer.concat([frameHead, body]));
}
