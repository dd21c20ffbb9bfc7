/** The seam to the wire as the services see it: a request/response call, or a two-way stream. Types only. */

/** What every call takes last. */
export interface CallOptions {
  /** Ends the call: it rejects with `EtcdAbortedError`, and is cancelled on the server. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Milliseconds the call may take, retries and waiting for a connection included.
   *
   * @default the client's `callTimeoutMs` for unary calls; streams have no deadline.
   * @remarks an integer from 1 to 2_147_483_647.
   */
  readonly timeoutMs?: number | undefined;
  /**
   * The member must know a leader, or it refuses the call with `EtcdNoLeaderError` at once instead of waiting for one.
   *
   * @default false for unary calls
   * @see etcd `clientv3.WithRequireLeader`
   */
  readonly requireLeader?: boolean | undefined;
}

/**
 * What a method does to the store: `'read'` may be repeated freely; `'write'` is sent again only when it certainly
 * was not applied.
 */
export type Effect = 'read' | 'write';

/** What the service that makes a call knows about it, beside what the caller asked for. */
export interface RpcCallOptions extends CallOptions {
  /** Overrides the method's effect for this request, for example for a transaction that only reads. */
  readonly effect?: Effect | undefined;
  /** A write that may be applied twice without harm: it is retried like a read. */
  readonly idempotent?: boolean | undefined;
  /** Sends the call to this endpoint and to no other. */
  readonly endpoint?: string | undefined;
  /** Does the rest of what another call began: it is made even while the client only finishes what it has begun. */
  readonly continues?: boolean | undefined;
}

/** How requests and answers flow, in the words of gRPC's metrics. */
export type CallType = 'unary' | 'server_stream' | 'bidi_stream';

/** An RPC of etcd. */
export interface MethodInfo {
  /** The gRPC path, for example `/etcdserverpb.KV/Range`. */
  readonly path: string;
  /** The gRPC service, for example `etcdserverpb.KV`. */
  readonly service: string;
  /** The RPC's own name, for example `Range`. */
  readonly name: string;
  /** How errors call it, for example `KV.Range`. */
  readonly label: string;
  readonly type: CallType;
  readonly effect: Effect;
  /** The first etcd release that has it, when that is later than 3.4. */
  readonly since: string | undefined;
}

/** A unary RPC with the types of its request and its answer. */
export interface UnaryMethod<Req, Res> extends MethodInfo {
  readonly type: 'unary';
  /** Carries the types; never set. */
  readonly shape?: (request: Req) => Res;
}

/** A streaming RPC with the types of its messages. */
export interface DuplexMethod<Req, Res> extends MethodInfo {
  readonly type: 'server_stream' | 'bidi_stream';
  /** Carries the types; never set. */
  readonly shape?: (request: Req) => Res;
}

/** The one way to an etcd server. */
export interface Rpc {
  /** Makes one call, retried as its effect allows, until it has an answer or its time is over. */
  unary<Req extends object, Res>(method: UnaryMethod<Req, Res>, request: Req, options?: RpcCallOptions): Promise<Res>;

  /** Opens a stream on one endpoint. It is not reopened: a break ends the iteration with the typed error. */
  duplex<Req extends object, Res>(method: DuplexMethod<Req, Res>, options?: RpcCallOptions): Duplex<Req, Res>;
}

/**
 * A stream on one endpoint: answers by iteration, requests by `send`.
 *
 * Iterate once, one `next()` at a time. Messages are pulled: only a few are read ahead of the loop, then the connection's
 * own flow control holds the server back.
 */
export interface Duplex<Req, Res> extends AsyncIterable<Res> {
  /** Sends a request, or keeps it until the stream is open. Does nothing once the stream has ended. */
  send(request: Req): void;
  /** Says that no more requests follow. */
  halfClose(): void;
  /**
   * Cancels the stream on the server and ends the iteration without an error.
   *
   * @param silence given when the stream is closed because answers it owed did not come, in words for status and errors:
   *   its endpoint is set aside until it answers a probe.
   */
  close(silence?: string): void;
  /**
   * Says that an answer on this open stream refuses its token or its member, in the server's words, as etcd refuses one
   * watch of many. The next stream gets a new token, or goes elsewhere. Ends nothing.
   *
   * @returns whether another stream may do better.
   */
  refused(serverText: string): boolean;
  /** The endpoint the stream runs on, once it is open. */
  readonly endpoint: string | undefined;
}
