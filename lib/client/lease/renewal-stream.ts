/**
 * One stream of renewals from its opening to its end: which are under way, which answer belongs to which, and whether
 * the endpoint has fallen silent.
 *
 * A lease has at most one renewal under way, and it is never sent again on the same stream: so no answer is taken for
 * that of a later renewal than its own, and what it proves is counted from the right moment.
 */
import type { Clock } from '../clock.js';
import { EtcdUnavailableError, type EtcdError } from '../errors.js';
import type * as wire from '../rpc/generated/messages.js';
import { LEASE_KEEP_ALIVE } from '../rpc/methods.js';
import type { Duplex } from '../rpc/rpc.js';
import type { KeptLease } from './kept-lease.js';

/** Who is told what happens on the stream. */
export interface RenewalStreamEvents {
  readonly onAnswer: (lease: KeptLease, sentAt: number, answer: wire.LeaseKeepAliveResponse) => void;
  /** The stream has ended, by the server or by `close()`. The last call. */
  readonly onEnd: (error: EtcdError) => void;
}

/** What a missing answer means. */
export type Verdict =
  /** It may still come: look again then. */
  | { readonly name: 'wait'; readonly untilAt: number }
  /** Nothing comes from the endpoint. */
  | { readonly name: 'silent'; readonly reason: string; readonly error: EtcdError }
  /** Later renewals were answered, this one was passed over. */
  | { readonly name: 'skipped'; readonly error: EtcdError };

/** A renewal that was sent and not answered yet. */
interface Renewal {
  /** Whom it is for; `undefined` once nobody wants it any more: its answer is still to come. */
  lease: KeptLease | undefined;
  readonly sentAt: number;
  /** Counts the renewals of the stream, from 1. */
  readonly number: number;
  /** When it was to be looked at. */
  lookAt: number;
}

/** Renewals under way at once: enough for thousands a second, few enough that an urgent one does not wait long. */
const MAX_UNDER_WAY = 256;
/** Whoever looks this late was kept from running, and answers may lie unread. */
const BLOCKED_MS = 100;

/** One stream of renewals. */
export class RenewalStream {
  /** When it was opened. */
  readonly since: number;
  private readonly underWay = new Map<string, Renewal>();
  private sent = 0;
  private lastAnswered = 0;
  /** When the last answer came; before the first one, when the stream was found to be connected. */
  private heardAt: number | undefined;

  constructor(
    private readonly duplex: Duplex<wire.LeaseKeepAliveRequest, wire.LeaseKeepAliveResponse>,
    private readonly clock: Clock,
    private readonly events: RenewalStreamEvents,
  ) {
    this.since = clock.now();
  }

  /** Begins to read answers. Called once. */
  start(): void {
    void this.read();
  }

  get isFull(): boolean {
    return this.underWay.size >= MAX_UNDER_WAY;
  }

  get hasAnswered(): boolean {
    return this.lastAnswered > 0;
  }

  isRenewing(lease: KeptLease): boolean {
    return this.underWay.get(lease.id)?.lease === lease;
  }

  /** The leases whose renewals are under way, the oldest renewal first. */
  interrupted(): KeptLease[] {
    return [...this.underWay.values()].flatMap(({ lease }) => lease ?? []);
  }

  /**
   * Sends the renewal of a lease. One that nobody waits for any more, of the same lease, is taken over instead.
   *
   * @returns when to {@link judge}, if no answer has come by then.
   */
  renew(lease: KeptLease, limitMs: number): number {
    const now = this.clock.now();
    const lookAt = now + limitMs;
    const abandoned = this.underWay.get(lease.id);
    if (abandoned === undefined) {
      this.sent += 1;
      this.underWay.set(lease.id, { lease, sentAt: now, number: this.sent, lookAt });
      this.duplex.send({ ID: lease.id });
    } else {
      abandoned.lease = lease;
      abandoned.lookAt = lookAt;
    }
    this.noteConnected();
    return lookAt;
  }

  /** Nobody wants this lease renewed any more. */
  forget(lease: KeptLease): void {
    const renewal = this.underWay.get(lease.id);
    if (renewal?.lease === lease) renewal.lease = undefined;
  }

  /** What it means that a lease that is being renewed has no answer yet. */
  judge(lease: KeptLease, limitMs: number): Verdict {
    const now = this.clock.now();
    const renewal = this.underWay.get(lease.id);
    if (renewal === undefined) return { name: 'wait', untilAt: now + limitMs };
    this.noteConnected();
    if (now - renewal.lookAt > BLOCKED_MS) this.heardAt = now;
    const quietMs = now - Math.max(this.heardAt ?? now, renewal.sentAt);
    if (limitMs - quietMs < 1) return this.silent(`no answer to renewals of leases for ${Math.round(quietMs)} ms`);
    if (this.wasSkipped(renewal, lease))
      return { name: 'skipped', error: this.failure('an answer to a renewal went missing') };
    renewal.lookAt = now + limitMs - quietMs;
    return { name: 'wait', untilAt: renewal.lookAt };
  }

  /** Why a lease has no answer yet; `undefined` when it is not being renewed here. */
  whyUnanswered(lease: KeptLease, cause: EtcdError | undefined): EtcdError | undefined {
    const renewal = this.underWay.get(lease.id);
    if (renewal?.lease !== lease) return undefined;
    if (this.duplex.endpoint === undefined) return cause ?? this.failure('no endpoint could be reached');
    return this.failure(`no answer to a renewal for ${Math.round(this.clock.now() - renewal.sentAt)} ms`, cause);
  }

  /** @param silence given when the endpoint is to be set aside for it. */
  close(silence?: string): void {
    this.duplex.close(silence);
  }

  private async read(): Promise<void> {
    try {
      for await (const answer of this.duplex) this.onMessage(answer);
      this.events.onEnd(this.failure('the server ended the stream of renewals'));
    } catch (error) {
      this.events.onEnd(error as EtcdError);
    }
  }

  private onMessage(answer: wire.LeaseKeepAliveResponse): void {
    this.heardAt = this.clock.now();
    const renewal = this.underWay.get(answer.ID);
    if (renewal === undefined) return;
    this.underWay.delete(answer.ID);
    this.lastAnswered = Math.max(this.lastAnswered, renewal.number);
    if (renewal.lease !== undefined) this.events.onAnswer(renewal.lease, renewal.sentAt, answer);
  }

  /** The time until the stream is connected says nothing about the endpoint. */
  private noteConnected(): void {
    if (this.duplex.endpoint !== undefined) this.heardAt ??= this.clock.now();
  }

  /** etcd answers in order; a proxy may not. Past a third of the TTL the answer is taken for lost. */
  private wasSkipped({ number, sentAt }: Renewal, { goodForMs }: KeptLease): boolean {
    return this.lastAnswered > number && this.clock.now() - sentAt >= goodForMs / 3;
  }

  private silent(reason: string): Verdict {
    return { name: 'silent', reason, error: this.failure(reason) };
  }

  private failure(text: string, cause?: EtcdError): EtcdError {
    const { endpoint } = this.duplex;
    return new EtcdUnavailableError(text, [], { method: LEASE_KEEP_ALIVE.label, attempts: 1, endpoint, cause });
  }
}
