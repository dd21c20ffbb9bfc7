/**
 * The one stream over which all leases are renewed, across its breaks.
 *
 * - A lease has at most one renewal under way. It is sent again only on a new stream, so an answer is never taken for
 *   that of a later renewal than it belongs to.
 * - What is to be renewed waits in the order of its deadlines, and a bounded number is under way: after an outage the
 *   leases that are nearest to their end go first.
 * - A stream whose answers stop coming is closed, its endpoint set aside, and another one opened.
 * - A refusal ends the stream for all, although it is about one lease: the oldest one under way, since etcd answers in
 *   order. That one is tried on a stream of its own, and the others go on.
 */
import type { Clock, Random } from '../clock.js';
import { EtcdClosedError, EtcdUnavailableError, type EtcdError } from '../errors.js';
import { backoffMs } from '../rpc/backoff.js';
import type * as wire from '../rpc/generated/messages.js';
import { LEASE_KEEP_ALIVE } from '../rpc/methods.js';
import type { Duplex, Rpc } from '../rpc/rpc.js';
import type { KeptLease } from './kept-lease.js';
import { LoneRenewal, type LoneAnswer } from './lone-renewal.js';
import { isAboutOneLease, pauseLimits, silenceLimitMs } from './renewal-limits.js';
import { TimeQueue } from './time-queue.js';

/** What the stream needs, and whom it tells. */
export interface KeepAliveStreamParts {
  readonly rpc: Rpc;
  readonly clock: Clock;
  readonly random: Random;
  /** A renewal is on its way: call `renew` again at `checkAt` if no answer has come by then. */
  readonly onSent: (lease: KeptLease, checkAt: number) => void;
  readonly onAnswer: (lease: KeptLease, sentAt: number, answer: wire.LeaseKeepAliveResponse) => void;
  /** The server refuses to renew this lease. */
  readonly onRefused: (lease: KeptLease, error: EtcdError) => void;
  /** The client was closed. */
  readonly onClosed: () => void;
}

type KeepAliveDuplex = Duplex<wire.LeaseKeepAliveRequest, wire.LeaseKeepAliveResponse>;

/** A renewal that was sent and not answered yet. */
interface Renewal {
  /** Whom it is for; `undefined` once nobody wants it any more: its answer is still to come. */
  lease: KeptLease | undefined;
  readonly sentAt: number;
  /** Counts the renewals of a stream. */
  readonly number: number;
}

interface OpenStream {
  readonly name: 'open';
  readonly duplex: KeepAliveDuplex;
  readonly since: number;
  readonly underWay: Map<string, Renewal>;
  /** How many renewals were sent. */
  sent: number;
  /** The highest number of a renewal that was answered; 0 for none. */
  answered: number;
  /** When the last answer came; before that, when the stream was first seen to be connected. */
  heardAt: number | undefined;
}

/** What the stream is doing. */
type StreamState =
  /** There is none; the next renewal opens one. */
  | { readonly name: 'none' }
  | OpenStream
  /** It broke; the next one is opened after a pause. */
  | { readonly name: 'pausing'; readonly cancel: () => void };

/** Renewals under way at once: enough for thousands a second, few enough that an urgent one does not wait long. */
const MAX_UNDER_WAY = 256;
/** A stream that answered and lived this long was a good one: the pauses begin anew. */
const LIVED_MS = 1_000;

/** The one stream over which all leases are renewed. */
export class KeepAliveStream {
  private state: StreamState = { name: 'none' };
  private readonly waiting = new TimeQueue<KeptLease>();
  private readonly alone = new Map<KeptLease, LoneRenewal>();
  private breaks = 0;
  private silences = 0;
  private opened = 0;
  private lastBreak: { readonly error: EtcdError; readonly at: number } | undefined;

  constructor(private readonly parts: KeepAliveStreamParts) {}

  /** How many streams were opened so far. */
  get openedCount(): number {
    return this.opened;
  }

  /** Renews a lease as soon as possible; of one that is under way already, looks why there is no answer. */
  renew(lease: KeptLease): void {
    if (this.alone.has(lease) || this.waiting.has(lease)) return;
    if (this.state.name === 'open' && this.state.underWay.get(lease.id)?.lease === lease) {
      return this.check(this.state, lease);
    }
    this.waiting.set(lease, lease.deadline);
    this.pump();
  }

  /** Nobody wants this lease renewed any more. */
  forget(lease: KeptLease): void {
    this.waiting.delete(lease);
    this.alone.get(lease)?.cancel();
    this.alone.delete(lease);
    if (this.state.name !== 'open') return;
    const renewal = this.state.underWay.get(lease.id);
    if (renewal?.lease === lease) renewal.lease = undefined;
  }

  /** Closes the stream; the next renewal opens another one. */
  close(): void {
    for (const renewal of this.alone.values()) renewal.cancel();
    this.alone.clear();
    this.waiting.clear();
    this.breaks = 0;
    this.silences = 0;
    const { state } = this;
    this.enter({ name: 'none' });
    if (state.name === 'open') state.duplex.close();
    if (state.name === 'pausing') state.cancel();
  }

  /** Why a lease that needs it was not renewed lately, as far as that is known. */
  whyNotRenewed(lease: KeptLease): EtcdError | undefined {
    const failure = this.alone.get(lease)?.lastError ?? this.lastErrorSince(lease);
    if (this.state.name !== 'open') return failure;
    const renewal = this.state.underWay.get(lease.id);
    if (renewal?.lease !== lease) return failure;
    const { endpoint } = this.state.duplex;
    if (endpoint === undefined) return failure ?? this.failure('no endpoint could be reached', undefined, undefined);
    const waitedMs = Math.round(this.parts.clock.now() - renewal.sentAt);
    return this.failure(`no answer to a renewal for ${waitedMs} ms`, endpoint, failure);
  }

  private lastErrorSince(lease: KeptLease): EtcdError | undefined {
    const since = lease.state.name === 'held' ? lease.state.proof.sentAt : -Infinity;
    return this.lastBreak !== undefined && this.lastBreak.at >= since ? this.lastBreak.error : undefined;
  }

  private pump(): void {
    if (this.state.name === 'none' && this.waiting.size > 0) this.open();
    while (this.state.name === 'open' && this.state.underWay.size < MAX_UNDER_WAY) {
      const lease = this.waiting.takeFirst();
      if (lease === undefined) return;
      this.send(this.state, lease);
    }
  }

  private open(): void {
    const since = this.parts.clock.now();
    let duplex: KeepAliveDuplex;
    try {
      duplex = this.parts.rpc.duplex(LEASE_KEEP_ALIVE, { requireLeader: true });
    } catch (error) {
      return this.onBreak(undefined, error as EtcdError);
    }
    this.opened += 1;
    const open: OpenStream = {
      name: 'open',
      duplex,
      since,
      underWay: new Map(),
      sent: 0,
      answered: 0,
      heardAt: undefined,
    };
    this.enter(open);
    void this.read(open);
  }

  private async read(open: OpenStream): Promise<void> {
    try {
      for await (const answer of open.duplex) this.onMessage(open, answer);
      this.onBreak(open, this.failure('the server ended the stream of renewals', open.duplex.endpoint, undefined));
    } catch (error) {
      this.onBreak(open, error as EtcdError);
    }
  }

  /** A renewal of the same lease that nobody waits for any more is taken over, so that its answer cannot be mistaken. */
  private send(open: OpenStream, lease: KeptLease): void {
    const now = this.parts.clock.now();
    const abandoned = open.underWay.get(lease.id);
    if (abandoned !== undefined) {
      abandoned.lease = lease;
    } else {
      open.sent += 1;
      open.underWay.set(lease.id, { lease, sentAt: now, number: open.sent });
      open.duplex.send({ ID: lease.id });
    }
    this.parts.onSent(lease, now + this.silenceLimitMs(lease));
  }

  private onMessage(open: OpenStream, answer: wire.LeaseKeepAliveResponse): void {
    if (this.state !== open) return;
    open.heardAt = this.parts.clock.now();
    this.silences = 0;
    const renewal = open.underWay.get(answer.ID);
    if (renewal === undefined) return;
    open.underWay.delete(answer.ID);
    open.answered = Math.max(open.answered, renewal.number);
    if (renewal.lease !== undefined) this.parts.onAnswer(renewal.lease, renewal.sentAt, answer);
    this.pump();
  }

  /** Nothing has come for this renewal in good time: is it the endpoint, or only this answer? */
  private check(open: OpenStream, lease: KeptLease): void {
    const renewal = open.underWay.get(lease.id);
    if (renewal === undefined) return;
    const now = this.parts.clock.now();
    const limitMs = this.silenceLimitMs(lease);
    // The time until the stream is connected says nothing about the endpoint.
    if (open.duplex.endpoint !== undefined) open.heardAt ??= now;
    const quietMs = now - Math.max(open.heardAt ?? now, renewal.sentAt);
    if (quietMs >= limitMs) return this.giveUp(open, `no answer to renewals of leases for ${Math.round(quietMs)} ms`);
    if (this.wasSkipped(open, renewal, lease)) return this.drop(open, 'an answer to a renewal went missing');
    this.parts.onSent(lease, now + limitMs - quietMs);
  }

  /** etcd answers in order; a proxy may not. Past a third of the TTL the answer is taken for lost. */
  private wasSkipped(open: OpenStream, renewal: Renewal, lease: KeptLease): boolean {
    const ageMs = this.parts.clock.now() - renewal.sentAt;
    return open.answered > renewal.number && ageMs >= lease.goodForMs / 3;
  }

  /** The endpoint is told on, so that the next stream and other calls go elsewhere until it answers a probe. */
  private giveUp(open: OpenStream, reason: string): void {
    this.silences += 1;
    const { endpoint } = open.duplex;
    this.onBreak(open, this.failure(reason, endpoint, undefined));
    open.duplex.close(reason);
  }

  private drop(open: OpenStream, reason: string): void {
    const { endpoint } = open.duplex;
    this.onBreak(open, this.failure(reason, endpoint, undefined));
    open.duplex.close();
  }

  /** @param open the stream that broke; `undefined` when it could not even be opened. */
  private onBreak(open: OpenStream | undefined, error: EtcdError): void {
    if (open !== undefined && this.state !== open) return;
    if (error instanceof EtcdClosedError) return this.parts.onClosed();
    const now = this.parts.clock.now();
    const wasGood = open !== undefined && open.answered > 0 && now - open.since >= LIVED_MS;
    this.breaks = wasGood ? 1 : this.breaks + 1;
    this.lastBreak = { error, at: now };
    const interrupted = [...(open?.underWay.values() ?? [])].flatMap(({ lease }) => lease ?? []);
    const suspect = isAboutOneLease(error) ? interrupted.shift() : undefined;
    for (const lease of interrupted) this.waiting.set(lease, lease.deadline);
    this.pause();
    if (suspect !== undefined) this.isolate(suspect);
  }

  private pause(): void {
    const pauseMs = backoffMs(this.breaks, pauseLimits(this.waiting.items()), this.parts.random);
    const cancel = this.parts.clock.after(pauseMs, () => {
      this.enter({ name: 'none' });
      this.pump();
    });
    this.enter({ name: 'pausing', cancel });
  }

  private isolate(lease: KeptLease): void {
    const settle = (tell: () => void): void => {
      if (this.alone.delete(lease)) tell();
    };
    const renewal = new LoneRenewal(lease, this.parts, {
      onAnswer: ({ sentAt, answer }: LoneAnswer) => settle(() => this.parts.onAnswer(lease, sentAt, answer)),
      onRefused: (error) => settle(() => this.parts.onRefused(lease, error)),
      onClosed: () => settle(this.parts.onClosed),
    });
    this.alone.set(lease, renewal);
    renewal.start();
  }

  private silenceLimitMs(lease: KeptLease): number {
    return silenceLimitMs(lease.goodForMs, this.silences);
  }

  private failure(text: string, endpoint: string | undefined, cause: EtcdError | undefined): EtcdError {
    return new EtcdUnavailableError(text, [], { method: LEASE_KEEP_ALIVE.label, attempts: 1, endpoint, cause });
  }

  /** The only line that changes the state. */
  private enter(state: StreamState): void {
    this.state = state;
  }
}
