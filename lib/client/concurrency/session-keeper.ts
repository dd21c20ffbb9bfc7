/** Keeps a session: opens a new one whenever the one there is was lost, and has the caller set it up again. */
import { EtcdAbortedError } from '../errors.js';
import { backoffMs } from '../rpc/backoff.js';
import { orAborted, pause } from './patience.js';
import { openSession, type Session, type SessionOptions } from './session.js';
import type { Tools } from './tools.js';
import { WaitScope } from './wait-scope.js';

/** Sets up what hangs on a session: puts keys with its lease, for example. Run for each new session. */
export type SessionSetUp = (session: Session) => void | Promise<void>;

/** Options of `concurrency.keepSession()`. */
export interface KeepSessionOptions extends Omit<SessionOptions, 'leaseId'> {
  /**
   * Told of each failure to replace a lost session: opening one failed, or the set-up did. It is tried again.
   *
   * @default nobody is told
   */
  readonly onFailure?: ((error: unknown) => void) | undefined;
}

/** A cluster that comes back is not to be met by all clients in the same moment. */
const PAUSES = { firstMs: 100, maxMs: 5_000 };
const METHOD = 'Concurrency.KeepSession';

/**
 * A session that is replaced when it is lost. One that somebody closed or orphaned is not: that was meant, and ends the
 * keeping.
 */
export class SessionKeeper implements AsyncDisposable {
  /** Resolves when no session is kept any more: after {@link close}, the signal's abort, or with the client. Never rejects. */
  readonly closed: Promise<void>;
  private readonly scope: WaitScope;
  private current: Session;

  /** @internal use `concurrency.keepSession()`. */
  constructor(
    private readonly tools: Tools,
    private readonly setUp: SessionSetUp,
    private readonly options: KeepSessionOptions,
    first: Session,
  ) {
    this.current = first;
    this.scope = new WaitScope(tools, METHOD, options.signal);
    this.closed = this.run();
  }

  /** The newest session. While the next one is not there yet, it is one that has ended. */
  get session(): Session {
    return this.current;
  }

  /**
   * Closes the session, and opens no other. Idempotent.
   *
   * @throws {EtcdError} when the lease could not be revoked; it ends by itself after its TTL.
   */
  async close(): Promise<void> {
    this.scope.end(new EtcdAbortedError({ method: METHOD }, 'the session is not kept any more'));
    await this.current.close();
    await this.closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async run(): Promise<void> {
    try {
      for (;;) {
        const { reason } = await this.current.lost;
        if (reason === 'closed' || reason === 'client-closed') return;
        this.current = await this.replace();
      }
    } catch {
      return; // it was closed while there was no session
    } finally {
      this.scope.close();
    }
  }

  private async replace(): Promise<Session> {
    const { signal } = this.scope;
    // With this signal a session whose set-up outlasts the keeper is closed, too.
    const options = { ...this.options, signal };
    for (let tries = 1; ; tries++) {
      await pause(this.tools.clock, backoffMs(tries, PAUSES, this.tools.random), signal, 'background');
      try {
        return await orAborted(setUpSession(this.tools, this.setUp, options), signal);
      } catch (error) {
        this.scope.check();
        this.tell(error);
      }
    }
  }

  /** A listener that throws must not cost the session. */
  private tell(error: unknown): void {
    try {
      this.options.onFailure?.(error);
    } catch {
      return;
    }
  }
}

/** @throws what opening the session or the set-up threw; no session is left then. */
export async function setUpSession(tools: Tools, setUp: SessionSetUp, options: SessionOptions): Promise<Session> {
  const session = await openSession(tools, options);
  try {
    await setUp(session);
    return session;
  } catch (error) {
    await session.close().catch(() => undefined); // the lease ends by itself
    throw error;
  }
}
