/**
 * One endpoint over time: connected or not, healthy or set aside, and when it is tried again.
 *
 * - A connection attempt is one transport; a failed or lost one is thrown away and a new one made after a jittered pause.
 * - An endpoint that is connected but silent, leaderless or a learner is set aside (`sick`) and probed until it serves
 *   again. Only its silence towards everyone sets it aside: one caller's deadline or one large answer does not, since the
 *   probe is answered meanwhile.
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
} from './transport.js';

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
  /** Called when the endpoint turns out to be silent: a read may move to another one. */
  onSilent(): void;
}

const FIRST_RECONNECT_MS = 100;
/** A handshake can also break because a member restarts or a certificate is being replaced: it has to fail twice. */
const SURE_AFTER_ATTEMPTS = 2;
const FIRST_PROBE_MS = 250;
const MAX_PROBE_PAUSE_MS = 2_000;
/** Silence after which an endpoint with calls in flight is set aside and probed. */
const SILENCE_MS = 1_000;
/** Time for the answer to a probe. Together with SILENCE_MS it bounds what a frozen member costs a reader. */
const PROBE_TIMEOUT_MS = 700;

/** One endpoint over time. */
export class EndpointConnection {
  private current: EndpointState = { name: 'idle' };
  private transport: Transport | undefined;
  private cancelTimer: (() => void) | undefined;
  private cancelProbe: (() => void) | undefined;
  private cancelWatch: (() => void) | undefined;
  private readonly pending = new Set<PendingCall>();
  private heardAt = 0;
  private probes = 0;

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
    this.track(pending);
    const cancel = this.live().unary(path, headers, message, (status, answer) => {
      this.untrack(pending);
      this.heardAt = this.context.clock.now();
      done(status, answer);
    });
    return () => {
      this.untrack(pending);
      cancel();
    };
  }

  duplex(path: string, headers: Headers, listener: StreamListener): TransportStream {
    return this.live().duplex(path, headers, listener);
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
    this.transport?.close();
    this.transport = undefined;
    this.enter({ name: 'closed' });
  }

  private live(): Transport {
    if (this.transport === undefined) throw new Error(`bug: a call on an endpoint that is ${this.current.name}`);
    return this.transport;
  }

  private connect(attempt: number, lastFailure: string | undefined): void {
    this.enter({ name: 'connecting', attempt, lastFailure });
    const { clock, connectTimeoutMs } = this.context;
    const down = (reason: string, misconfigured: boolean): void => this.onDown(attempt, reason, misconfigured);
    this.cancelTimer = clock.after(
      connectTimeoutMs,
      () => down(`no HTTP/2 connection within ${connectTimeoutMs} ms`, false),
      'background',
    );
    try {
      this.transport = this.openTransport(down);
    } catch (error) {
      down(error instanceof Error ? error.message : String(error), error instanceof EtcdConfigError);
    }
  }

  /** Events of a transport that was given up come too late and are dropped. */
  private openTransport(down: TransportEvents['onDown']): Transport {
    const isCurrent = (): boolean =>
      transport === undefined || this.transport === undefined || this.transport === transport;
    const transport: Transport | undefined = this.context.connect(this.endpoint, {
      onReady: () => {
        if (isCurrent()) this.onReady();
      },
      onDown: (reason, misconfigured) => {
        if (isCurrent()) down(reason, misconfigured);
      },
    });
    return transport;
  }

  private onReady(): void {
    if (this.current.name !== 'connecting') return;
    this.clearTimers();
    this.heardAt = this.context.clock.now();
    this.enter({ name: 'ready' });
  }

  private onDown(attempt: number, reason: string, misconfigured: boolean): void {
    if (this.current.name === 'closed' || this.current.name === 'backoff') return;
    const next = this.current.name === 'connecting' ? attempt + 1 : 1;
    const sure = misconfigured && attempt >= SURE_AFTER_ATTEMPTS;
    this.clearTimers();
    this.transport?.close();
    this.transport = undefined;
    const limits = { firstMs: FIRST_RECONNECT_MS, maxMs: this.context.maxReconnectDelayMs };
    const delayMs = backoffMs(next, limits, this.context.random);
    this.cancelTimer = this.context.clock.after(delayMs, () => this.connect(next, reason), 'background');
    this.enter({ name: 'backoff', attempt: next, reason, misconfigured: sure, delayMs });
  }

  private track(pending: PendingCall): void {
    if (this.pending.size === 0) this.heardAt = this.context.clock.now();
    this.pending.add(pending);
    this.cancelWatch ??= this.context.clock.after(SILENCE_MS, () => this.checkSilence(), 'background');
  }

  private untrack(pending: PendingCall): void {
    this.pending.delete(pending);
  }

  /** One timer an endpoint, not one a call: it runs while there are calls in flight. */
  private checkSilence(): void {
    this.cancelWatch = undefined;
    if (this.pending.size === 0 || !this.isConnected) return;
    const silentMs = this.context.clock.now() - this.heardAt;
    if (silentMs >= SILENCE_MS && this.current.name === 'ready') {
      this.enter({ name: 'sick', reason: `no answer for ${Math.round(silentMs)} ms` });
      this.probe();
    }
    const nextMs = silentMs >= SILENCE_MS ? SILENCE_MS : SILENCE_MS - silentMs;
    this.cancelWatch = this.context.clock.after(nextMs, () => this.checkSilence(), 'background');
  }

  private probe(): void {
    if (this.transport === undefined) return;
    this.probes += 1;
    const cancelCall = this.context.probe(this.transport, (sickness) => this.onProbed(sickness));
    const cancelTimeout = this.context.clock.after(PROBE_TIMEOUT_MS, () => this.onProbeTimeout(), 'background');
    this.cancelProbe = () => {
      cancelCall();
      cancelTimeout();
    };
  }

  private onProbed(sickness: string | undefined): void {
    this.endProbe();
    if (this.current.name !== 'sick') return;
    this.heardAt = this.context.clock.now();
    if (sickness === undefined) {
      this.probes = 0;
      this.enter({ name: 'ready' });
    } else {
      this.enter({ name: 'sick', reason: sickness });
      this.probeLater();
    }
  }

  private onProbeTimeout(): void {
    this.endProbe();
    if (this.current.name !== 'sick') return;
    this.probeLater();
    for (const call of [...this.pending]) call.onSilent();
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
