/**
 * The one stream over which all leases of a client are renewed, across its breaks.
 *
 * - What is to be renewed waits in the order of its deadlines, and a bounded number is under way: after an outage the
 *   leases that are nearest to their end go first.
 * - A stream whose answers stop coming is closed, its endpoint set aside, and another one opened.
 * - A refusal ends the stream for all, although it is about one lease: the oldest one under way, since etcd answers in
 *   order. That one is tried on a stream of its own, and the others go on.
 */
import type { Clock, Random } from '../clock.js';
import { EtcdClosedError, type EtcdError } from '../errors.js';
import { backoffMs } from '../rpc/backoff.js';
import type * as wire from '../rpc/generated/messages.js';
import { LEASE_KEEP_ALIVE } from '../rpc/methods.js';
import type { Rpc } from '../rpc/rpc.js';
import type { KeptLease } from './kept-lease.js';
import { LoneRenewal } from './lone-renewal.js';
import { isAboutOneLease, pauseLimits, silenceLimitMs } from './renewal-limits.js';
import { RenewalStream } from './renewal-stream.js';
import { TimeQueue } from './time-queue.js';

/** What the stream needs, and whom it tells. */
export interface KeepAliveStreamParts {
  readonly rpc: Rpc;
  readonly clock: Clock;
  readonly random: Random;
  /** A renewal is on its way: call `renew` again at `lookAt` if no answer has come by then. */
  readonly onSent: (lease: KeptLease, lookAt: number) => void;
  readonly onAnswer: (lease: KeptLease, sentAt: number, answer: wire.LeaseKeepAliveResponse) => void;
  /** The server refuses to renew this lease. */
  readonly onRefused: (lease: KeptLease, error: EtcdError) => void;
  /** The client was closed. */
  readonly onClosed: () => void;
}

/** What the stream is doing. */
type StreamState =
  /** There is none; the next renewal opens one. */
  | { readonly name: 'none' }
  | { readonly name: 'open'; readonly stream: RenewalStream }
  /** It broke; the next one may be opened after a pause. */
  | { readonly name: 'pausing'; readonly cancel: () => void };

/** A stream that answered and lived this long was a good one: the pauses begin anew. */
const LIVED_MS = 1_000;

/** The one stream over which all leases of a client are renewed. */
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

  /** Renews a lease as soon as possible; of one that is being renewed already, looks why there is no answer. */
  renew(lease: KeptLease): void {
    if (this.alone.has(lease) || this.waiting.has(lease)) return;
    if (this.state.name === 'open' && this.state.stream.isRenewing(lease)) {
      this.look(this.state.stream, lease);
    } else {
      this.waiting.set(lease, lease.deadline);
      this.pump();
    }
  }

  /** Nobody wants this lease renewed any more. */
  forget(lease: KeptLease): void {
    this.waiting.delete(lease);
    this.alone.get(lease)?.cancel();
    this.alone.delete(lease);
    if (this.state.name === 'open') this.state.stream.forget(lease);
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
    if (state.name === 'open') state.stream.close();
    if (state.name === 'pausing') state.cancel();
  }

  /** Why a lease that needs it was not renewed lately, as far as that is known. */
  whyNotRenewed(lease: KeptLease): EtcdError | undefined {
    const { lastBreak } = this;
    const broken = lastBreak !== undefined && lastBreak.at >= lease.knownSince ? lastBreak.error : undefined;
    const failure = this.alone.get(lease)?.lastError ?? broken;
    return this.state.name === 'open' ? (this.state.stream.whyUnanswered(lease, failure) ?? failure) : failure;
  }

  private pump(): void {
    if (this.state.name === 'none' && this.waiting.size > 0) this.open();
    while (this.state.name === 'open' && !this.state.stream.isFull) {
      const lease = this.waiting.takeFirst();
      if (lease === undefined) return;
      this.parts.onSent(lease, this.state.stream.renew(lease, this.silenceLimitMs(lease)));
    }
  }

  private open(): void {
    const { rpc, clock } = this.parts;
    try {
      const stream = new RenewalStream(rpc.duplex(LEASE_KEEP_ALIVE, { requireLeader: true }), clock, {
        onAnswer: (lease, sentAt, answer) => this.onAnswer(stream, () => this.parts.onAnswer(lease, sentAt, answer)),
        onEnd: (error) => this.onEnd(stream, error),
      });
      this.opened += 1;
      this.enter({ name: 'open', stream });
      stream.start();
    } catch (error) {
      this.onBreak([], error as EtcdError);
    }
  }

  /** Answers of a stream that was given up come too late. */
  private onAnswer(stream: RenewalStream, tell: () => void): void {
    if (!this.isCurrent(stream)) return;
    this.silences = 0;
    tell();
    this.pump();
  }

  private onEnd(stream: RenewalStream, error: EtcdError): void {
    if (this.isCurrent(stream)) this.breakUp(stream, error);
  }

  private isCurrent(stream: RenewalStream): boolean {
    return this.state.name === 'open' && this.state.stream === stream;
  }

  /** Nothing has come for this renewal in good time: is it the endpoint, or only this answer? */
  private look(stream: RenewalStream, lease: KeptLease): void {
    const verdict = stream.judge(lease, this.silenceLimitMs(lease));
    switch (verdict.name) {
      case 'wait':
        this.parts.onSent(lease, verdict.untilAt);
        break;
      case 'skipped':
        this.breakUp(stream, verdict.error);
        stream.close();
        break;
      case 'silent':
        this.silences += 1;
        this.breakUp(stream, verdict.error);
        // Told on, so that the next stream and other calls go elsewhere until the endpoint answers a probe.
        stream.close(verdict.reason);
        break;
    }
  }

  private breakUp(stream: RenewalStream, error: EtcdError): void {
    const wasGood = stream.hasAnswered && this.parts.clock.now() - stream.since >= LIVED_MS;
    if (wasGood) this.breaks = 0;
    this.onBreak(stream.interrupted(), error);
  }

  private onBreak(interrupted: readonly KeptLease[], error: EtcdError): void {
    if (error instanceof EtcdClosedError) {
      this.parts.onClosed();
      return;
    }
    this.breaks += 1;
    this.lastBreak = { error, at: this.parts.clock.now() };
    const suspect = isAboutOneLease(error) ? interrupted[0] : undefined;
    for (const lease of interrupted) {
      if (lease !== suspect) this.waiting.set(lease, lease.deadline);
    }
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
      onAnswer: (sentAt, answer) => settle(() => this.parts.onAnswer(lease, sentAt, answer)),
      onRefused: (error) => settle(() => this.parts.onRefused(lease, error)),
      onClosed: () => settle(this.parts.onClosed),
    });
    this.alone.set(lease, renewal);
    renewal.start();
  }

  private silenceLimitMs(lease: KeptLease): number {
    return silenceLimitMs(lease.goodForMs, this.silences);
  }

  /** The only line that changes the state. */
  private enter(state: StreamState): void {
    this.state = state;
  }
}
