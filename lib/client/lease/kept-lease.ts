/** One lease that is kept alive: what is known of it, until when that holds, and who wants to know. */
import type { ResponseHeader } from '../rpc/response-header.js';
import type { LeaseLostReason } from './lease-lost.js';

/** An acknowledged renewal. */
export interface LeaseRenewal {
  /** The lease's ID in hex. */
  readonly id: string;
  /** The TTL the server gave it, in seconds. */
  readonly ttlSeconds: number;
  /** Until when it holds, in milliseconds as `performance.now()` counts: the TTL, counted from when the renewal was sent. */
  readonly expiresAt: number;
  readonly header: ResponseHeader;
}

/** What proves that a lease was alive, counted from `sentAt`: the local time at which the request was sent, not answered. */
export interface LeaseProof {
  readonly sentAt: number;
  readonly ttlSeconds: number;
  /**
   * `grant`: made by this client, and not renewed since. `doubted`: the same, but the first renewal did not find it; it
   * is asked for once more, since older servers renew before a grant is everywhere (etcd #13932). `renewal`: renewed.
   */
  readonly by: 'grant' | 'doubted' | 'renewal';
}

/** What is known of a lease. unproven -> held; both -> lost, for good. */
export type KeptLeaseState =
  /** Nothing is known yet: it is renewed, and given up at `giveUpAt` if no answer has come by then. */
  | { readonly name: 'unproven'; readonly since: number; readonly giveUpAt: number }
  /** It is alive on the server at least until `expiresAt`. */
  | { readonly name: 'held'; readonly proof: LeaseProof; readonly expiresAt: number }
  /** It is not kept alive any more; `proof` is the last one there was. */
  | { readonly name: 'lost'; readonly lost: LeaseLostReason; readonly proof: LeaseProof | undefined };

/** Somebody who wants a lease kept alive. */
export interface LeaseFollower {
  onRenewed(renewal: LeaseRenewal): void;
  /** The last call. */
  onLost(lost: LeaseLostReason): void;
}

/** One lease. Its followers share its renewals. */
export class KeptLease {
  readonly followers = new Set<LeaseFollower>();
  private current: KeptLeaseState;

  constructor(
    readonly id: string,
    state: KeptLeaseState,
  ) {
    this.current = state;
  }

  get state(): KeptLeaseState {
    return this.current;
  }

  /** The last proof that it was alive; `undefined` when there never was one. */
  get proof(): LeaseProof | undefined {
    return this.current.name === 'unproven' ? undefined : this.current.proof;
  }

  /** Whether it is known to be alive at `now`, on the local clock. */
  isHeldAt(now: number): boolean {
    return this.current.name === 'held' && now < this.current.expiresAt;
  }

  /** When it is lost, unless it is renewed before. */
  get deadline(): number {
    switch (this.current.name) {
      case 'unproven':
        return this.current.giveUpAt;
      case 'held':
        return this.current.expiresAt;
      case 'lost':
        return -Infinity;
    }
  }

  /** From when on it was to be renewed. */
  get knownSince(): number {
    switch (this.current.name) {
      case 'unproven':
        return this.current.since;
      case 'held':
        return this.current.proof.sentAt;
      case 'lost':
        return Infinity;
    }
  }

  /** How long a renewal is good for; while that is unknown, how long the first answer is waited for. */
  get goodForMs(): number {
    switch (this.current.name) {
      case 'unproven':
        return this.current.giveUpAt - this.current.since;
      case 'held':
        return this.current.proof.ttlSeconds * 1_000;
      case 'lost':
        return 0;
    }
  }

  /** A follower is ready to wait longer for the first answer. */
  waitUntil(giveUpAt: number): void {
    if (this.current.name === 'unproven' && giveUpAt > this.current.giveUpAt) this.enter({ ...this.current, giveUpAt });
  }

  /** Takes note of a proof. A lease that was lost stays lost: its holder was told. */
  prove(proof: LeaseProof): void {
    this.enter({ name: 'held', proof, expiresAt: expiryOf(proof) });
  }

  lose(lost: LeaseLostReason): void {
    this.enter({ name: 'lost', lost, proof: this.proof });
    for (const follower of [...this.followers]) follower.onLost(lost);
    this.followers.clear();
  }

  private enter(state: KeptLeaseState): void {
    if (this.current.name !== 'lost') this.current = state;
  }
}

/** The end of what a proof proves, on the local clock. */
export function expiryOf({ sentAt, ttlSeconds }: LeaseProof): number {
  return sentAt + ttlSeconds * 1_000;
}
