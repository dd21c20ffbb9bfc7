/** The transport over node:http2: one socket, one session, and one HTTP/2 stream for each call. */
import { constants, type ClientHttp2Session, type OutgoingHttpHeaders } from 'node:http2';
import type { Socket } from 'node:net';
import type { Clock } from '../../clock.js';
import type { Endpoint } from '../../endpoint.js';
import type { ResolvedOptions } from '../../options.js';
import { isAway, isConfigurationFault } from '../connect-failure.js';
import { explainHangUp } from '../hang-up.js';
import type {
  Connect,
  Headers,
  RpcStatus,
  StreamListener,
  Transport,
  TransportEvents,
  TransportStream,
} from '../transport.js';
import { Dialer, type DialFailure } from './dialer.js';
import { Http2Call, type CallConnection } from './http2-call.js';
import { KeepAlive } from './keep-alive.js';
import { tlsSettings } from './tls-settings.js';
import { UnstartedCall } from './unstarted-call.js';

/** Makes the connector of a client. */
export function http2Connector(options: ResolvedOptions, userAgent: string, clock: Clock): Connect {
  const agent = `${userAgent} node-http2/${process.versions.node}`;
  return (endpoint, events) => new Http2Transport(endpoint, options, agent, clock, events);
}

/** What an open connection consists of. */
interface Line {
  readonly session: ClientHttp2Session;
  readonly socket: Socket;
}

/** What the connection is doing. */
type Phase =
  | { readonly name: 'dialing'; readonly dialer: Dialer }
  | ({ readonly name: 'ready' } & Line)
  /** Takes no more calls; those under way may end. */
  | ({ readonly name: 'draining' } & Line)
  | { readonly name: 'closed' };

const WITH_BODY = { endStream: false };
const TOO_MANY_PINGS = 'too_many_pings';

/** Keeps the message of a unary call until its status is there. */
class OneAnswer implements StreamListener {
  private message: Uint8Array | undefined;

  constructor(private readonly done: (status: RpcStatus, message: Uint8Array | undefined) => void) {}

  onMessage(message: Uint8Array): void {
    this.message = message;
  }

  onStatus(status: RpcStatus): void {
    this.done(status, this.message);
  }
}

class Http2Transport implements Transport, CallConnection {
  readonly mostBytes: number;
  private readonly isTls: boolean;
  private readonly prepared = new WeakMap<Headers, Map<string, OutgoingHttpHeaders>>();
  private phase: Phase;
  private keepAlive: KeepAlive | undefined;
  private calls = 0;
  private lastError: Error | undefined;

  constructor(
    private readonly endpoint: Endpoint,
    private readonly options: ResolvedOptions,
    private readonly agent: string,
    private readonly clock: Clock,
    private readonly events: TransportEvents,
  ) {
    this.mostBytes = options.maxResponseBytes;
    const tls = tlsSettings(endpoint, options);
    this.isTls = tls !== undefined;
    const dialer = new Dialer(endpoint, tls, clock, {
      onOpen: (session, socket) => this.onOpen({ session, socket }),
      onFailed: (failures) => this.explain(failures),
    });
    this.phase = { name: 'dialing', dialer };
  }

  get bytesReceived(): number {
    return 'socket' in this.phase ? this.phase.socket.bytesRead : 0;
  }

  unary(
    path: string,
    headers: Headers,
    message: Uint8Array,
    done: (status: RpcStatus, message: Uint8Array | undefined) => void,
  ): () => void {
    const call = this.start(path, headers, new OneAnswer(done));
    if (call instanceof Http2Call) {
      call.readAll();
      call.sendLast(message);
    }
    return () => call.cancel();
  }

  duplex(path: string, headers: Headers, listener: StreamListener): TransportStream {
    return this.start(path, headers, listener);
  }

  close(): void {
    const { phase } = this;
    switch (phase.name) {
      case 'dialing':
        this.phase = { name: 'closed' };
        return phase.dialer.close();
      case 'ready':
      case 'draining':
        return this.wind(phase);
      case 'closed':
        return;
    }
  }

  isGone(): boolean {
    return this.phase.name === 'closed' || ('session' in this.phase && this.phase.session.destroyed);
  }

  callEnded(): void {
    this.calls -= 1;
    if (this.calls > 0) return;
    if (this.phase.name === 'draining') this.close();
    else if (this.phase.name === 'ready') this.setBusy(this.phase.session, false);
  }

  distrust(reason: string): void {
    this.fail(`the connection is given up: ${reason}`);
  }

  private start(path: string, headers: Headers, listener: StreamListener): Http2Call | UnstartedCall {
    const { phase } = this;
    if (phase.name !== 'ready') return new UnstartedCall(`the connection is ${phase.name}`, listener);
    try {
      const stream = phase.session.request(this.headersOf(path, headers), WITH_BODY);
      this.calls += 1;
      if (this.calls === 1) this.setBusy(phase.session, true);
      return new Http2Call(stream, this, listener);
    } catch (error) {
      // Mostly it is about to say so; but node:http2 also closes a session without a word, when it cannot send a frame.
      const { closed, destroyed } = phase.session;
      if (closed || destroyed) queueMicrotask(() => this.distrust('no more calls can be started on it'));
      return new UnstartedCall((error as Error).message, listener);
    }
  }

  /** The same object for all calls with the same headers: node:http2 makes a copy of it. */
  private headersOf(path: string, headers: Headers): OutgoingHttpHeaders {
    let paths = this.prepared.get(headers);
    if (paths === undefined) this.prepared.set(headers, (paths = new Map<string, OutgoingHttpHeaders>()));
    let prepared = paths.get(path);
    if (prepared === undefined) paths.set(path, (prepared = this.prepare(path, headers)));
    return prepared;
  }

  private prepare(path: string, headers: Headers): OutgoingHttpHeaders {
    return {
      ...Object.fromEntries(headers),
      [constants.HTTP2_HEADER_METHOD]: constants.HTTP2_METHOD_POST,
      [constants.HTTP2_HEADER_SCHEME]: this.isTls ? 'https' : 'http',
      [constants.HTTP2_HEADER_AUTHORITY]: this.endpoint.authority,
      [constants.HTTP2_HEADER_PATH]: path,
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': this.agent,
    };
  }

  /** A connection without calls does not keep the process alive. */
  private setBusy(session: ClientHttp2Session, isBusy: boolean): void {
    if (isBusy) session.ref();
    else session.unref();
    this.keepAlive?.setBusy(isBusy);
  }

  private onOpen(line: Line): void {
    const { session } = line;
    this.phase = { name: 'ready', ...line };
    session.on('goaway', (code: number, _last: number, data?: Uint8Array) => this.onGoAway(code, data));
    session.on('error', (error: Error) => (this.lastError = error));
    session.once('close', () => this.onClosed());
    this.keepAlive = new KeepAlive(line, this.options, this.clock, (reason) => drop(line, reason));
    this.events.onReady();
  }

  /** Calls that run may end on this connection; node:http2 sees to those the server will not carry out. */
  private onGoAway(code: number, data: Uint8Array | undefined): void {
    const text = Buffer.from(data ?? []).toString();
    const advice = text === TOO_MANY_PINGS ? ': it refuses so many pings; raise keepAliveTimeMs' : '';
    this.fail(`the endpoint closes the connection (GOAWAY, code ${code}${text && `, ${text}`})${advice}`);
  }

  private onClosed(): void {
    this.fail(`the connection was lost${this.lastError ? `: ${this.lastError.message}` : ''}`);
  }

  /** Of several addresses the one counts that got furthest: the others are likely not there at all. */
  private explain(failures: readonly DialFailure[]): void {
    const at = Math.max(
      0,
      failures.findIndex((failure) => !isAway(failure)),
    );
    const others = failures.filter((failure, index) => index !== at && failure !== undefined);
    explainHangUp(this.endpoint, this.isTls, failures[at], (explained) =>
      this.fail([explained, ...new Set(others)].join('; '), isConfigurationFault(explained)),
    );
  }

  /** The attempt, or the connection, is over. */
  private fail(reason: string, misconfigured = false): void {
    if (this.phase.name === 'draining' || this.phase.name === 'closed') return;
    this.close();
    this.events.onDown(reason, misconfigured);
  }

  /** Lets the calls under way end. Without any there is no need to wait for the peer to hang up as well. */
  private wind({ session, socket }: Line): void {
    this.phase = this.calls > 0 ? { name: 'draining', session, socket } : { name: 'closed' };
    if (this.calls > 0) {
      // The session is not closed, so that pings go on; where GOAWAY has closed it, TCP's own find a peer that is gone.
      socket.setKeepAlive(true, this.options.keepAliveTimeMs);
      return;
    }
    this.keepAlive?.stop();
    session.destroy();
    // Later, so that what tells the peer of it goes out. node:http2 itself would wait until the peer has taken it, or hangs up.
    setImmediate(() => socket.destroy());
  }
}

/** Drops the socket too: a session that has something left to write waits for its peer to take it. */
function drop({ session, socket }: Line, reason: string): void {
  session.destroy(new Error(reason));
  socket.destroy();
}
