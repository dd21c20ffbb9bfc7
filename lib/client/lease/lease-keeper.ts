/** Keeps leases alive: who wants which one, when each is renewed, and when it is lost. */
import type { Clock, Random } from '../clock.js';
import { EtcdClosedError, type EtcdError } from '../errors.js';
import type * as wire from '../rpc/generated/messages.js';
import { LEASE_KEEP_ALIVE } from '../rpc/methods.js';
import { headerOf } from '../rpc/response-header.js';
import type { Rpc } from '../rpc/rpc.js';
import { EtcdLeaseNotFoundError } from '../server-errors.js';
import { KeepAliveStream } from './keep-alive-stream.js';
import { expiryOf, KeptLease, type KeptLeaseState, type LeaseFollower, type LeaseProof } from './kept-lease.js';
import { KnownLeases } from './known-leases.js';
import { clientClosed, expired, notFound, notPermitted, revoked, type LeaseLostReason } from './lease-lost.js';
import { beatMs, firstBeatMs } from './renewal-limits.js';
import { Schedule } from './schedule.js';

/** What the keeper needs. */
export interface LeaseKeeperParts {
  readonly rpc: Rpc;
  readonly clock: Clock;
  readonly random: Random;
}

/** What the Lease service is doing, in numbers. */
export interface LeaseStats {
  /** Leases that are kept alive now. */
  readonly keptAlive: number;
  /** Milliseconds since the renewal was sent that is the oldest one a kept lease still lives on; 0 without any. */
  readonly oldestRenewalMs: number;
  /** Leases lost against the will of their holder, since the client was made: expired, revoked elsewhere, not permitted. */
  readonly lost: number;
  /** Renewals that were acknowledged, since the client was made. */
  readonly renewals: number;
  /** Keep-alive streams that were opened, since the client was made. */
  readonly streams: number;
}

/** How much before the deadline the loss is told: timers are late by a few milliseconds, and the holder must not be. */
const TELL_EARLY_MS = 10;
/** How much before its turn a lease may be renewed together with others: nothing against the seconds that a TTL has. */
const BEAT_EARLY_MS = 25;
/** Milliseconds until a lease that was just granted, and was not found, is looked for again. */
const SECOND_LOOK_MS = 250;

/** Keeps leases alive. Each is one record, however many follow it. */
export class LeaseKeeper {
  private readonly leases = new Map<string, KeptLease>();
  private readonly known = new KnownLeases();
  private readonly beats: Schedule<KeptLease>;
  private readonly deadlines: Schedule<KeptLease>;
  private readonly stream: KeepAliveStream;
  private isClosed = false;
  private lost = 0;
  private renewals = 0;

  constructor(private readonly parts: LeaseKeeperParts) {
    this.beats = new Schedule(parts.clock, (lease) => this.stream.renew(lease), BEAT_EARLY_MS);
    this.deadlines = new Schedule(parts.clock, (lease) => this.expire(lease));
    this.stream = new KeepAliveStream({
      ...parts,
      onSent: (lease, checkAt) => this.beats.set(lease, checkAt),
      onAnswer: (lease, sentAt, answer) => this.onAnswer(lease, sentAt, answer),
      onRefused: (lease, error) => this.onRefused(lease, error),
      onClosed: () => this.close(),
    });
  }

  /** Takes note of a grant, or of what else proves that a lease is alive. */
  remember(id: string, proof: LeaseProof): void {
    if (!this.isClosed) this.known.remember(id, proof);
  }

  /**
   * Keeps a lease alive from now on.
   *
   * @param waitMs how long to wait for the first answer when nothing is known of the lease.
   * @throws {EtcdClosedError} when the client is closed.
   */
  follow(id: string, follower: LeaseFollower, waitMs: number): KeptLease {
    if (this.isClosed) throw new EtcdClosedError({ method: LEASE_KEEP_ALIVE.label });
    const lease = this.leases.get(id) ?? this.start(id, waitMs);
    if (lease.state.name === 'lost') throw lease.state.lost.error;
    lease.followers.add(follower);
    lease.waitUntil(this.parts.clock.now() + waitMs);
    this.watchDeadline(lease);
    return lease;
  }

  /** A follower is content. The lease of which it was the last one is not renewed any more. */
  leave(lease: KeptLease, follower: LeaseFollower): void {
    if (!lease.followers.delete(follower) || lease.followers.size > 0) return;
    if (lease.state.name === 'held') this.known.remember(lease.id, lease.state.proof);
    this.drop(lease);
  }

  /** Renews a lease without waiting for its turn. */
  renewNow(lease: KeptLease): void {
    if (lease.state.name !== 'lost') this.stream.renew(lease);
  }

  /** This client revoked the lease. */
  onRevoked(id: string): void {
    this.end(id, revoked(id));
  }

  /** Some other call was told that there is no such lease. */
  onNotFound(id: string): void {
    if (this.end(id, notFound(id))) this.lost += 1;
  }

  /** Why a lease was not renewed lately, as far as that is known. */
  whyNotRenewed(lease: KeptLease): EtcdError | undefined {
    return this.stream.whyNotRenewed(lease);
  }

  stats(): LeaseStats {
    const now = this.parts.clock.now();
    let oldest = now;
    for (const { state } of this.leases.values()) {
      if (state.name === 'held') oldest = Math.min(oldest, state.proof.sentAt);
    }
    return {
      keptAlive: this.leases.size,
      oldestRenewalMs: now - oldest,
      lost: this.lost,
      renewals: this.renewals,
      streams: this.stream.openedCount,
    };
  }

  /** Ends it all: nothing is renewed any more, and no timer is left. */
  close(): void {
    this.isClosed = true;
    this.known.clear();
    for (const lease of [...this.leases.values()]) this.lose(lease, clientClosed());
  }

  private start(id: string, waitMs: number): KeptLease {
    const now = this.parts.clock.now();
    const proof = this.known.take(id);
    const isGood = proof !== undefined && expiryOf(proof) - TELL_EARLY_MS > now;
    const state: KeptLeaseState = isGood
      ? { name: 'held', proof, expiresAt: expiryOf(proof) }
      : { name: 'unproven', since: now, giveUpAt: now + waitMs };
    const lease = new KeptLease(id, state);
    this.leases.set(id, lease);
    const beatAt = isGood ? proof.sentAt + firstBeatMs(proof.ttlSeconds, this.parts.random) : now;
    if (beatAt <= now) this.stream.renew(lease);
    else this.beats.set(lease, beatAt);
    return lease;
  }

  private watchDeadline(lease: KeptLease): void {
    this.deadlines.set(lease, lease.deadline - TELL_EARLY_MS);
  }

  private onAnswer(lease: KeptLease, sentAt: number, answer: wire.LeaseKeepAliveResponse): void {
    // A process that was blocked may get to read the answer before it gets to its timers: what is lost is lost first.
    this.deadlines.runDue();
    if (lease.state.name === 'lost') return;
    if (answer.TTL > 0) this.onRenewed(lease, { sentAt, ttlSeconds: answer.TTL, by: 'renewal' }, answer);
    else this.onUnknown(lease);
  }

  private onRenewed(lease: KeptLease, proof: LeaseProof, answer: wire.LeaseKeepAliveResponse): void {
    const header = headerOf(LEASE_KEEP_ALIVE, answer);
    this.renewals += 1;
    lease.prove(proof);
    this.watchDeadline(lease);
    this.beats.set(lease, proof.sentAt + beatMs(proof.ttlSeconds, this.parts.random));
    const { id } = lease;
    const renewal = { id, ttlSeconds: proof.ttlSeconds, expiresAt: lease.deadline, header };
    for (const follower of [...lease.followers]) follower.onRenewed(renewal);
  }

  /** Not found; a lease that was only just granted gets a second look. */
  private onUnknown(lease: KeptLease): void {
    const { state } = lease;
    if (state.name !== 'held' || state.proof.by !== 'grant') {
      this.loseUnwanted(lease, notFound(lease.id));
      return;
    }
    lease.prove({ ...state.proof, by: 'doubted' });
    const now = this.parts.clock.now();
    this.beats.set(lease, now + Math.min(SECOND_LOOK_MS, (state.expiresAt - now) / 2));
  }

  private onRefused(lease: KeptLease, error: EtcdError): void {
    const isGone = error instanceof EtcdLeaseNotFoundError;
    this.loseUnwanted(lease, isGone ? notFound(lease.id) : notPermitted(lease.id, error));
  }

  private expire(lease: KeptLease): void {
    const { goodForMs, deadline, state } = lease;
    const lateMs = this.parts.clock.now() - deadline;
    const cause = this.stream.whyNotRenewed(lease);
    this.loseUnwanted(lease, expired(lease.id, { goodForMs, wasProven: state.name === 'held', lateMs, cause }));
  }

  private loseUnwanted(lease: KeptLease, lost: LeaseLostReason): void {
    this.lost += 1;
    this.lose(lease, lost);
  }

  /** @returns whether the lease was kept alive. */
  private end(id: string, lost: LeaseLostReason): boolean {
    this.known.take(id);
    const lease = this.leases.get(id);
    if (lease !== undefined) this.lose(lease, lost);
    return lease !== undefined;
  }

  /** Forgotten before its followers hear of it, since they may ask for the same lease again at once. */
  private lose(lease: KeptLease, lost: LeaseLostReason): void {
    this.drop(lease);
    lease.lose(lost);
  }

  private drop(lease: KeptLease): void {
    if (this.leases.get(lease.id) === lease) this.leases.delete(lease.id);
    this.beats.delete(lease);
    this.deadlines.delete(lease);
    this.stream.forget(lease);
    if (this.leases.size === 0) this.stream.close();
  }
}
