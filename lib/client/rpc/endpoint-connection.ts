/**
 * One endpoint over time: connected or not, healthy or set aside, and when it is tried again.
 *
 * - A connection attempt is one transport; a failed or lost one is thrown away and a new one made after a jittered pause.
 * - An endpoint that owes an answer and has given none to anyone for a while is probed. If it does not answer the probe
 *   either, it is set aside (`sick`) and probed until it serves again; so is one that says it has no leader or is a
 *   learner. A caller's short deadline, a slow request or a large answer never condemns it: the probe is answered.
 */
import type { Clock, Random } from '../clock.js';
import type { Endpoint } from '../endpoint.js';
import { EtcdConfigError, type EndpointFailure } from '../errors.js';
import { backoffMs } from './backoff.js';
import type {
  Connect,
  Headers,
  RpcStatus,
  StreamListener,
  Transport,
  TransportEvents,
  TransportStream,
} from '../transport/transport.js';

/** What an endpoint is doing. Each state carries only the facts that are true in it. */
export type EndpointState =
  /** Nothing was tried yet. */
  | { readonly name: 'idle' }
  /** An attempt is under way; `lastFailure` is why the one before it failed. */
  | { readonly name: 'connecting'; readonly attempt: number; readonly lastFailure: string | undefined }
  /** Connected and in use. */
  | { readonly name: 'ready' }
  /** Connected, but set aside until a probe is answered. */
  | { readonly name: 'sick'; readonly reason: string }
  /** Waiting for the next attempt. `misconfigured`: only a change of certificates or of the endpoint can mend it. */
  | {
      readonly name: 'backoff';
      readonly attempt: number;
      readonly reason: string;
      readonly misconfigured: boolean;
      readonly delayMs: number;
    }
  /** Ended for good. */
  | { readonly name: 'closed' };

const NEXT = {
  idle: ['connecting', 'closed'],
  connecting: ['ready', 'backoff', 'closed'],
  ready: ['sick', 'backoff', 'closed'],
  sick: ['ready', 'sick', 'backoff', 'closed'],
  backoff: ['connecting', 'closed'],
  closed: [],
} as const satisfies Record<EndpointState['name'], readonly EndpointState['name'][]>;

/** Asks an endpoint whether it serves. Answers with the reason why not, or `undefined` when it does. */
export type Probe = (transport: Transport, done: (sickness: string | undefined) => void) => () => void;

/** What an endpoint needs from the client. */
export interface EndpointContext {
  readonly connect: Connect;
  readonly probe: Probe;
  readonly clock: Clock;
  readonly random: Random;
  readonly connectTimeoutMs: number;
  readonly maxReconnectDelayMs: number;
  /** Told after each change of state. */
  readonly onState: (connection: EndpointConnection, state: EndpointState) => void;
}

/** A unary call in flight on an endpoint. */
export interface PendingCall {
  /** Called when a probe shows that the endpoint does not serve: a read may move to another one. */
  onUnserved(): void;
}

const FIRST_RECONNECT_MS = 100;
/** A handshake can also break because a member restarts or a certificate is being replaced: it has to fail twice. */
const SURE_AFTER_ATTEMPTS = 2;
const FIRST_PROBE_MS = 250;
const MAX_PROBE_PAUSE_MS = 2_000;
/** Silence after which an endpoint that owes an answer is probed. */
const SILENCE_MS = 1_000;
/** More than pings and their answers are: so much, while a probe waits, comes of a large answer on a slow line. */
const SIGN_OF_LIFE_BYTES = 1_024;
/** Time for the answer to a probe. Together with SILENCE_MS it bounds what a frozen member costs a reader. */
const PROBE_TIMEOUT_MS = 700;

/** One endpoint over time. */
export class EndpointConnection {
  private current: EndpointState = { name: 'idle' };
  // Hard private: `util.inspect` would find the headers of calls in it, and with them the token.
  #transport: Transport | undefined;
  private cancelTimer: (() => void) | undefined;
  private cancelProbe: (() => void) | undefined;
  private cancelWatch: (() => void) | undefined;
  private readonly pending = new Set<PendingCall>();
  /** Since when the endpoint owes an answer and has given none; `undefined` while it owes nothing. */
  private silentSince: number | undefined;
  private probes = 0;
  private streams = 0;

  constructor(
    readonly endpoint: Endpoint,
    private readonly context: EndpointContext,
  ) {}

  get state(): EndpointState {
    return this.current;
  }

  /** Whether a call may be started now: healthy, or at least connected. */
  get isConnected(): boolean {
    return this.current.name === 'ready' || this.current.name === 'sick';
  }

  /** Whether the last attempt failed by what waiting cannot mend. */
  get isMisconfigured(): boolean {
    return this.current.name === 'backoff' && this.current.misconfigured;
  }

  /** Whether the last attempt to connect has failed, and no other has succeeded since. */
  get isAway(): boolean {
    return this.current.name === 'backoff' || (this.current.name === 'connecting' && this.current.attempt > 1);
  }

  /** Why this endpoint cannot be used now, as far as it is known. */
  get failure(): EndpointFailure | undefined {
    const reason = reasonOf(this.current);
    return reason === undefined ? undefined : { endpoint: this.endpoint.text, reason };
  }

  /** Starts to connect if nothing was tried yet; later attempts start by themselves. */
  wake(): void {
    if (this.current.name === 'idle') this.connect(1, undefined);
  }

  /** Starts a unary call. `done` gets its status and answer unless the returned function was called before. */
  unary(
    path: string,
    headers: Headers,
    message: Uint8Array,
    pending: PendingCall,
    done: (status: RpcStatus, message: Uint8Array | undefined) => void,
  ): () => void {
    const cancel = this.live().unary(path, headers, message, (status, answer) => {
      this.pending.delete(pending);
      this.hear();
      done(status, answer);
    });
    this.track(pending);
    return () => {
      this.pending.delete(pending);
      cancel();
    };
  }

  /** Starts a stream. At its end, however it comes, {@link streamEnded} has to be called. */
  duplex(path: string, headers: Headers, listener: StreamListener): TransportStream {
    const stream = this.live().duplex(path, headers, listener);
    this.streams += 1;
    return stream;
  }

  streamEnded(): void {
    this.streams -= 1;
  }

  /** Whether a call or a stream is under way here. */
  get isBusy(): boolean {
    return this.pending.size > 0 || this.streams > 0;
  }

  /** Sets a connected endpoint aside for a reason seen by a call: no leader, or a learner. It is probed until it serves. */
  setAside(reason: string): void {
    if (this.current.name !== 'ready') return;
    this.enter({ name: 'sick', reason });
    this.probeLater();
  }

  /** Ends it for good. Calls in flight are the caller's to end first. */
  close(): void {
    if (this.current.name === 'closed') return;
    this.clearTimers();
    this.#transport?.close();
    this.#transport = undefined;
    this.enter({ name: 'closed' });
    this.moveReads();
  }

  private live(): Transport {
    if (this.#transport === undefined) throw new Error(`bug: a call on an endpoint that is ${this.current.name}`);
    return this.#transport;
  }

  private connect(attempt: number, lastFailure: string | undefined): void {
    this.enter({ name: 'connecting', attempt, lastFailure });
    if (this.current.name !== 'connecting') return; // whoever was told of it has closed the client
    const { clock, connectTimeoutMs } = this.context;
    const down = (reason: string, misconfigured: boolean): void => this.onDown(attempt, reason, misconfigured);
    this.cancelTimer = clock.after(
      connectTimeoutMs,
      () => down(`no HTTP/2 connection within ${connectTimeoutMs} ms`, false),
      'background',
    );
    try {
      this.#transport = this.openTransport(down);
    } catch (error) {
      down(error instanceof Error ? error.message : String(error), error instanceof EtcdConfigError);
    }
  }

  /** Events of a transport that was given up come too late and are dropped. */
  private openTransport(down: TransportEvents['onDown']): Transport {
    const transport = this.context.connect(this.endpoint, {
      onReady: () => {
        if (this.#transport === transport) this.onReady();
      },
      onDown: (reason, misconfigured) => {
        if (this.#transport === transport) down(reason, misconfigured);
      },
    });
    return transport;
  }

  private onReady(): void {
    if (this.current.name !== 'connecting') return;
    this.clearTimers();
    this.silentSince = undefined;
    this.enter({ name: 'ready' });
  }

  private onDown(attempt: number, reason: string, misconfigured: boolean): void {
    if (this.current.name === 'closed' || this.current.name === 'backoff') return;
    const wasConnecting = this.current.name === 'connecting';
    const next = wasConnecting ? attempt + 1 : 1;
    const sure = misconfigured && wasConnecting && attempt >= SURE_AFTER_ATTEMPTS;
    this.clearTimers();
    this.#transport?.close();
    this.#transport = undefined;
    const limits = { firstMs: FIRST_RECONNECT_MS, maxMs: this.context.maxReconnectDelayMs };
    const delayMs = backoffMs(next, limits, this.context.random);
    this.cancelTimer = this.context.clock.after(delayMs, () => this.connect(next, reason), 'background');
    this.enter({ name: 'backoff', attempt: next, reason, misconfigured: sure, delayMs });
    this.moveReads();
  }

  /** Nobody watches over what is still under way here, since the connection is gone: what may go elsewhere does. */
  private moveReads(): void {
    for (const call of [...this.pending]) call.onUnserved();
  }

  /** A call that its caller gave up stays unanswered: many short deadlines in a row hide no silence. */
  private track(pending: PendingCall): void {
    this.pending.add(pending);
    this.silentSince ??= this.context.clock.now();
    this.watchSilence(SILENCE_MS);
  }

  private hear(): void {
    this.silentSince = this.pending.size === 0 ? undefined : this.context.clock.now();
  }

  /** One timer an endpoint, not one a call: it runs while the endpoint is healthy and owes an answer. */
  private watchSilence(delayMs: number): void {
    this.cancelWatch ??= this.context.clock.after(delayMs, () => this.checkSilence(), 'background');
  }

  private checkSilence(): void {
    this.cancelWatch = undefined;
    if (this.current.name !== 'ready' || this.silentSince === undefined) return;
    const silentMs = this.context.clock.now() - this.silentSince;
    if (silentMs >= SILENCE_MS) this.probe();
    else this.watchSilence(SILENCE_MS - silentMs);
  }

  private probe(): void {
    if (this.#transport === undefined || this.cancelProbe !== undefined) return;
    this.probes += 1;
    const receivedBefore = this.#transport.bytesReceived;
    const cancelCall = this.context.probe(this.#transport, (sickness) => this.onProbed(sickness));
    const cancelTimeout = this.context.clock.after(
      PROBE_TIMEOUT_MS,
      () => this.onProbeTimeout(receivedBefore),
      'background',
    );
    this.cancelProbe = () => {
      cancelCall();
      cancelTimeout();
    };
  }

  private onProbed(sickness: string | undefined): void {
    this.endProbe();
    if (!this.isConnected) return;
    this.hear();
    if (sickness === undefined) this.recover();
    else this.fallSick(sickness);
  }

  private onProbeTimeout(receivedBefore: number): void {
    this.endProbe();
    if (!this.isConnected) return;
    const received = (this.#transport?.bytesReceived ?? 0) - receivedBefore;
    if (received >= SIGN_OF_LIFE_BYTES) {
      this.hear();
      return this.recover();
    }
    const since = this.silentSince ?? this.context.clock.now() - PROBE_TIMEOUT_MS;
    this.fallSick(`no answer for ${Math.round(this.context.clock.now() - since)} ms`);
  }

  private recover(): void {
    this.probes = 0;
    this.cancelTimer?.();
    this.cancelTimer = undefined;
    if (this.current.name === 'sick') this.enter({ name: 'ready' });
    if (this.silentSince !== undefined) this.watchSilence(SILENCE_MS);
  }

  private fallSick(reason: string): void {
    this.enter({ name: 'sick', reason });
    this.probeLater();
    for (const call of [...this.pending]) call.onUnserved();
  }

  private probeLater(): void {
    const limits = { firstMs: FIRST_PROBE_MS, maxMs: MAX_PROBE_PAUSE_MS };
    const pauseMs = backoffMs(this.probes + 1, limits, this.context.random);
    this.cancelTimer?.();
    this.cancelTimer = this.context.clock.after(pauseMs, () => this.probe(), 'background');
  }

  private endProbe(): void {
    this.cancelProbe?.();
    this.cancelProbe = undefined;
  }

  private clearTimers(): void {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
    this.cancelWatch?.();
    this.cancelWatch = undefined;
    this.endProbe();
    this.probes = 0;
  }

  /** The only line that changes state, so the only line to report, test and reason about. */
  private enter(next: EndpointState): void {
    const allowed: readonly string[] = NEXT[this.current.name];
    if (!allowed.includes(next.name)) throw new Error(`bug: endpoint ${this.current.name} -> ${next.name}`);
    this.current = next;
    this.context.onState(this, next);
  }
}

function reasonOf(state: EndpointState): string | undefined {
  switch (state.name) {
    case 'backoff':
    case 'sick':
      return state.reason;
    case 'connecting':
      return state.lastFailure ?? 'still connecting';
    case 'idle':
    case 'ready':
    case 'closed':
      return undefined;
  }
}
