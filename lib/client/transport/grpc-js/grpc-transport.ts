/** The transport over grpc-js: one channel is one connection attempt, and the connection that comes of it. */
import { Channel, connectivityState, Metadata, status as grpcStatus, type ChannelOptions } from '@grpc/grpc-js';
import type { Socket } from 'node:net';
import type { Endpoint } from '../../endpoint.js';
import { usesTls, type ResolvedOptions } from '../../options.js';
import { asBuffer } from '../../as-buffer.js';
import { isConfigurationFault } from '../connect-failure.js';
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
import { credentialsFor, handshakeName, socketsOf } from './grpc-credentials.js';
import { connectFailure, understood } from './grpc-words.js';

const NO_MESSAGE_CONTEXT = {};
/** All that grpc-js says when the peer closes the connection before it is one of HTTP/2. */
const HUNG_UP = /^Failed to connect/;
const CANCELLED_TEXT = 'cancelled by the client';
/** The channel is thrown away at its first failure, so its own waits must be longer than anything lives. */
const NEVER_MS = 86_400_000;

/** Makes the connector of a client: it reads certificates anew for each connection, so that replaced files are used. */
export function grpcConnector(options: ResolvedOptions, userAgent: string): Connect {
  return (endpoint, events) => new GrpcTransport(endpoint, options, userAgent, events);
}

function channelOptions(endpoint: Endpoint, options: ResolvedOptions, userAgent: string): ChannelOptions {
  const serverName = handshakeName(endpoint, options.tls?.serverName);
  return {
    'grpc.default_authority': endpoint.authority,
    ...(serverName === undefined ? {} : { 'grpc.ssl_target_name_override': serverName }),
    'grpc.primary_user_agent': userAgent,
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_retries': 0,
    'grpc.enable_channelz': 0,
    'grpc.enable_http_proxy': 0,
    'grpc.service_config_disable_resolution': 1,
    'grpc.initial_reconnect_backoff_ms': NEVER_MS,
    'grpc.max_reconnect_backoff_ms': NEVER_MS,
    'grpc.client_idle_timeout_ms': NEVER_MS,
    'grpc.keepalive_time_ms': options.keepAliveTimeMs,
    'grpc.keepalive_timeout_ms': options.keepAliveTimeoutMs,
    'grpc.keepalive_permit_without_calls': 0,
    'grpc.max_receive_message_length': options.maxResponseBytes,
    'grpc.max_send_message_length': -1,
  };
}

type GrpcCall = ReturnType<Channel['createCall']>;

/** Told what comes in. `onReceiveStatus` is the last call. */
interface GrpcListener {
  onReceiveMetadata(): void;
  onReceiveMessage(message: Uint8Array | null): void;
  onReceiveStatus(status: RpcStatus): void;
}

class GrpcTransport implements Transport {
  private readonly channel: Channel;
  private readonly sockets: Set<Socket>;
  private readonly prepared = new WeakMap<Headers, Metadata>();
  private phase: 'connecting' | 'ready' | 'spent' = 'connecting';

  constructor(
    private readonly endpoint: Endpoint,
    private readonly options: ResolvedOptions,
    userAgent: string,
    private readonly events: TransportEvents,
  ) {
    const channelCredentials = credentialsFor(endpoint, options);
    this.sockets = socketsOf(channelCredentials);
    this.channel = new Channel(endpoint.address, channelCredentials, channelOptions(endpoint, options, userAgent));
    this.follow(this.channel.getConnectivityState(true));
  }

  get bytesReceived(): number {
    let bytes = 0;
    for (const socket of this.sockets) bytes += socket.bytesRead;
    return bytes;
  }

  unary(
    path: string,
    headers: Headers,
    message: Uint8Array,
    done: (status: RpcStatus, message: Uint8Array | undefined) => void,
  ): () => void {
    let answer: Uint8Array | undefined;
    let cancelled = false;
    const call = this.start(path, headers, {
      onReceiveMetadata: ignore,
      onReceiveMessage: (bytes) => (answer = bytes ?? undefined),
      onReceiveStatus: (status) => {
        if (!cancelled) done(understood(status), answer);
      },
    });
    call.startRead();
    call.sendMessageWithContext(NO_MESSAGE_CONTEXT, asBuffer(message));
    call.halfClose();
    return () => {
      cancelled = true;
      call.cancelWithStatus(grpcStatus.CANCELLED, CANCELLED_TEXT);
    };
  }

  duplex(path: string, headers: Headers, listener: StreamListener): TransportStream {
    const call = this.start(path, headers, {
      onReceiveMetadata: ignore,
      onReceiveMessage: (bytes) => {
        if (bytes !== null) listener.onMessage(bytes);
      },
      onReceiveStatus: (status) => listener.onStatus(understood(status)),
    });
    return new GrpcStream(call);
  }

  close(): void {
    const wasConnecting = this.phase === 'connecting';
    this.phase = 'spent';
    this.channel.close();
    if (wasConnecting) for (const socket of this.sockets) socket.destroy();
  }

  private start(path: string, headers: Headers, listener: GrpcListener): GrpcCall {
    const call = this.channel.createCall(path, Infinity, null, null, null);
    call.start(this.metadata(headers), listener);
    return call;
  }

  private metadata(headers: Headers): Metadata {
    let metadata = this.prepared.get(headers);
    if (metadata === undefined) {
      metadata = new Metadata();
      for (const [key, value] of headers) metadata.set(key, value);
      this.prepared.set(headers, metadata);
    }
    return metadata;
  }

  private follow(state: connectivityState): void {
    switch (state) {
      case connectivityState.READY:
        this.phase = 'ready';
        queueMicrotask(() => this.onReady());
        break;
      case connectivityState.TRANSIENT_FAILURE:
        return this.reportFailure();
      case connectivityState.IDLE:
        if (this.phase === 'ready') return this.fail('the connection was closed');
        break;
      case connectivityState.CONNECTING:
        if (this.phase === 'ready') return this.fail('the connection was lost');
        break;
      case connectivityState.SHUTDOWN:
        return;
    }
    if (this.isSpent()) return;
    this.channel.watchConnectivityState(state, Infinity, () => {
      if (!this.isSpent()) this.follow(this.channel.getConnectivityState(false));
    });
  }

  /** Later than grpc-js tells of it, which is before the connection itself can be used. */
  private onReady(): void {
    if (this.isSpent()) return;
    this.events.onReady();
  }

  private isSpent(): boolean {
    return this.phase === 'spent';
  }

  /** grpc-js tells why it could not connect only to a call, so one is made that ends at once. */
  private reportFailure(): void {
    const call = this.channel.createCall('/', Infinity, null, null, null);
    call.start(new Metadata(), {
      onReceiveMetadata: ignore,
      onReceiveMessage: ignore,
      onReceiveStatus: ({ details }) => this.explain(connectFailure(details)),
    });
  }

  private explain(details: string): void {
    const reason = HUNG_UP.test(details) ? undefined : details;
    explainHangUp(this.endpoint, usesTls(this.endpoint, this.options.tls), reason, (explained) => this.fail(explained));
  }

  private fail(reason: string): void {
    if (this.phase === 'spent') return;
    this.close();
    this.events.onDown(reason, isConfigurationFault(reason));
  }
}

/** Before its first message is on its way, a call of grpc-js keeps but the newest one: the others wait here until then. */
class GrpcStream implements TransportStream {
  private phase: 'new' | 'starting' | 'started' = 'new';
  private readonly waiting: Buffer[] = [];
  private halfClosed = false;

  constructor(private readonly call: GrpcCall) {}

  send(message: Uint8Array): void {
    switch (this.phase) {
      case 'new':
        this.phase = 'starting';
        return this.call.sendMessageWithContext({ callback: () => this.onStarted() }, asBuffer(message));
      case 'starting':
        this.waiting.push(asBuffer(message));
        return;
      case 'started':
        return this.call.sendMessageWithContext(NO_MESSAGE_CONTEXT, asBuffer(message));
    }
  }

  read(): void {
    this.call.startRead();
  }

  halfClose(): void {
    this.halfClosed = true;
    if (this.waiting.length === 0) this.call.halfClose();
  }

  cancel(): void {
    this.call.cancelWithStatus(grpcStatus.CANCELLED, CANCELLED_TEXT);
  }

  private onStarted(): void {
    this.phase = 'started';
    const waiting = this.waiting.splice(0);
    for (const message of waiting) this.call.sendMessageWithContext(NO_MESSAGE_CONTEXT, message);
    if (this.halfClosed && waiting.length > 0) this.call.halfClose();
  }
}

function ignore(): void {
  // Nothing of the answer's head or body is needed here.
}
