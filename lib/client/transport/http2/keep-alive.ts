/** Pings on a connection that calls wait on: a peer that is gone without a word is found out by them. */
import type { ClientHttp2Session } from 'node:http2';
import type { Clock } from '../../clock.js';
import type { ResolvedOptions } from '../../options.js';

type Intervals = Pick<ResolvedOptions, 'keepAliveTimeMs' | 'keepAliveTimeoutMs'>;

/** Servers count pings without calls as abuse, so that none is sent then (gRPC's proposal A8). */
export class KeepAlive {
  private isBusy = false;
  private cancelTimer: (() => void) | undefined;

  /** @param onDead told when a ping was not answered in time. */
  constructor(
    private readonly session: ClientHttp2Session,
    private readonly intervals: Intervals,
    private readonly clock: Clock,
    private readonly onDead: (reason: string) => void,
  ) {}

  /** Whether calls are under way. A wait that has begun goes on without them: pings must not come quicker for it. */
  setBusy(isBusy: boolean): void {
    this.isBusy = isBusy;
    if (isBusy && this.cancelTimer === undefined) this.waitForTurn();
  }

  stop(): void {
    this.isBusy = false;
    this.cancelTimer?.();
    this.cancelTimer = undefined;
  }

  private waitForTurn(): void {
    this.cancelTimer = this.clock.after(this.intervals.keepAliveTimeMs, () => this.ping(), 'background');
  }

  private ping(): void {
    this.cancelTimer = undefined;
    // A session that drains sends none.
    if (!this.isBusy || this.session.closed || this.session.destroyed) return;
    const { keepAliveTimeoutMs } = this.intervals;
    const reason = `no answer to a ping within ${keepAliveTimeoutMs} ms`;
    this.cancelTimer = this.clock.after(keepAliveTimeoutMs, () => this.onSilence(reason), 'background');
    this.session.ping((error) => this.onPong(error));
  }

  /** When this process was held up, the answer may be there and unread: it is read before anybody is called dead. */
  private onSilence(reason: string): void {
    const silence = this.cancelTimer;
    setImmediate(() => {
      if (silence === this.cancelTimer) this.onDead(reason);
    });
  }

  /** An error is the connection's own end, which is told of elsewhere. */
  private onPong(error: Error | null): void {
    if (error !== null) return this.stop();
    if (this.cancelTimer === undefined) return;
    this.cancelTimer();
    this.waitForTurn();
  }
}
