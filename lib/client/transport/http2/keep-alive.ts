/** Pings on a connection that calls wait on: a peer that is gone without a word is found out by them. */
import type { ClientHttp2Session } from 'node:http2';
import type { Clock } from '../../clock.js';
import type { ResolvedOptions } from '../../options.js';

type Intervals = Pick<ResolvedOptions, 'keepAliveTimeMs' | 'keepAliveTimeoutMs'>;

/** What is pinged. */
export interface Pinged {
  readonly session: ClientHttp2Session;
  readonly socket: { readonly bytesRead: number };
}

/** Servers count pings without calls as abuse, so that none is sent then (gRPC's proposal A8). */
export class KeepAlive {
  private isBusy = false;
  private cancelTimer: (() => void) | undefined;

  /** @param onDead told when a ping was not answered in time. */
  constructor(
    private readonly line: Pinged,
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
    const { session, socket } = this.line;
    // A session that closes sends none.
    if (!this.isBusy || session.closed || session.destroyed) return;
    const { bytesRead } = socket;
    this.cancelTimer = this.clock.after(
      this.intervals.keepAliveTimeoutMs,
      () => this.onSilence(bytesRead),
      'background',
    );
    session.ping((error) => this.onPong(error));
  }

  /**
   * When this process was held up, the answer may be there and unread: it is read before anybody is called dead. And it
   * may wait behind a large answer on a slow line: who sends anything is alive.
   */
  private onSilence(bytesRead: number): void {
    const silence = this.cancelTimer;
    setImmediate(() => {
      if (silence !== this.cancelTimer) return;
      if (this.line.socket.bytesRead > bytesRead) this.waitForTurn();
      else this.onDead(`no answer to a ping within ${this.intervals.keepAliveTimeoutMs} ms`);
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
