/** The renewal of one lease on streams of its own, after a refusal that may be about it ended the shared stream. */
import type { Clock, Random } from '../clock.js';
import { EtcdClosedError, EtcdUnavailableError, type EtcdError } from '../errors.js';
import { backoffMs } from '../rpc/backoff.js';
import type * as wire from '../rpc/generated/messages.js';
import { LEASE_KEEP_ALIVE } from '../rpc/methods.js';
import type { Duplex, Rpc } from '../rpc/rpc.js';
import { EtcdLeaseNotFoundError, EtcdPermissionDeniedError } from '../server-errors.js';
import type { KeptLease } from './kept-lease.js';
import { pauseLimits, silenceLimitMs } from './renewal-limits.js';

/** Told once how it ended, unless it was cancelled. */
export interface LoneEvents {
  readonly onAnswer: (sentAt: number, answer: wire.LeaseKeepAliveResponse) => void;
  readonly onRefused: (error: EtcdError) => void;
  readonly onClosed: () => void;
}

interface LoneAnswer {
  readonly sentAt: number;
  readonly answer: wire.LeaseKeepAliveResponse;
}

interface LoneParts {
  readonly rpc: Rpc;
  readonly clock: Clock;
  readonly random: Random;
}

/** Tries until there is an answer or a refusal that is surely about this lease, or until it is cancelled. */
export class LoneRenewal {
  /** What the last try failed with. */
  lastError: EtcdError | undefined;
  private isCancelled = false;
  private stream: Duplex<wire.LeaseKeepAliveRequest, wire.LeaseKeepAliveResponse> | undefined;
  private tries = 0;
  private cancelPause: (() => void) | undefined;

  constructor(
    private readonly lease: KeptLease,
    private readonly parts: LoneParts,
    private readonly events: LoneEvents,
  ) {}

  start(): void {
    void this.tryOnce();
  }

  cancel(): void {
    this.isCancelled = true;
    this.cancelPause?.();
    this.stream?.close();
  }

  private async tryOnce(): Promise<void> {
    this.tries += 1;
    const answer = await this.ask().catch((error: unknown) => error as EtcdError);
    if (this.isCancelled) return;
    if (answer instanceof Error) this.onFailure(answer);
    else this.events.onAnswer(answer.sentAt, answer.answer);
  }

  private async ask(): Promise<LoneAnswer> {
    const { rpc, clock } = this.parts;
    const timeoutMs = Math.ceil(silenceLimitMs(this.lease.goodForMs, this.tries - 1));
    const sentAt = clock.now();
    const stream = rpc.duplex(LEASE_KEEP_ALIVE, { requireLeader: true, timeoutMs });
    this.stream = stream;
    stream.send({ ID: this.lease.id });
    for await (const answer of stream) return { sentAt, answer };
    throw new EtcdUnavailableError('the server ended the stream of a renewal without an answer', [], {
      method: LEASE_KEEP_ALIVE.label,
      endpoint: stream.endpoint,
      attempts: 1,
    });
  }

  private onFailure(error: EtcdError): void {
    this.lastError = error;
    if (error instanceof EtcdClosedError) {
      this.events.onClosed();
      return;
    }
    if (error instanceof EtcdPermissionDeniedError || error instanceof EtcdLeaseNotFoundError) {
      this.events.onRefused(error);
      return;
    }
    const pauseMs = backoffMs(this.tries, pauseLimits([this.lease]), this.parts.random);
    this.cancelPause = this.parts.clock.after(pauseMs, () => void this.tryOnce());
  }
}
