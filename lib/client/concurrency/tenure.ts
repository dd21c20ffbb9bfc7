/** What a place in a queue rests on: a session, its own or a shared one, and the turn to use its key; and how all that is given back. */
import { EtcdDeadlineExceededError, EtcdInvalidArgumentError, type EtcdError } from '../errors.js';
import { backoffMs } from '../rpc/backoff.js';
import { isPassing, pause } from './patience.js';
import type { QueuePlace } from './place.js';
import { openSession, Session } from './session.js';
import type { Tools } from './tools.js';

/** On which session something is done: one of its own, which ends with it, or one that is given. */
export type SessionChoice =
  | {
      /**
       * How long it outlives its holder: after a crash it is free after this time. A cluster, a network or an event loop
       * that stands still for longer costs it.
       *
       * @default 30
       * @remarks whole seconds from 1; the server raises what is below its minimum, mostly 2. Go: 60 by default.
       */
      readonly ttlSeconds?: number | undefined;
      readonly session?: undefined;
    }
  | {
      /**
       * The session to do it on. Saves the two round trips that an own session costs, and ends with it at the latest.
       *
       * @default a session of its own
       */
      readonly session: Session;
      readonly ttlSeconds?: undefined;
    };

/** Pauses between tries to give something back; there is time, since the lease ends it anyway. */
const PAUSES = { firstMs: 100, maxMs: 2_000 };

/** @throws {EtcdInvalidArgumentError} when both are given, or the session is none. Types say the same. */
export function requireSessionChoice({ session, ttlSeconds }: SessionChoice): void {
  const given: unknown = session;
  if (given === undefined) return;
  if (!(given instanceof Session)) throw new EtcdInvalidArgumentError('session', 'must be one of concurrency.session()', given);
  if (ttlSeconds !== undefined) throw new EtcdInvalidArgumentError('ttlSeconds', 'cannot be combined with session, which has one');
}

/** The session that was chosen, open. */
export function chosenSession(tools: Tools, { session, ttlSeconds }: SessionChoice, signal: AbortSignal): Promise<Session> {
  return session === undefined ? openSession(tools, { ttlSeconds, signal }) : Promise.resolve(session);
}

/** A session and, once there is one, a place in a queue on it. */
export class Tenure {
  private place: QueuePlace | undefined;
  private done: Promise<void> | undefined;
  private lastError: EtcdError | undefined;

  constructor(
    private readonly tools: Tools,
    readonly session: Session,
    private readonly isOwn: boolean,
    private readonly endTurn: () => void,
  ) {}

  /** From now on there is a key to be taken out. */
  hold(place: QueuePlace): void {
    this.place = place;
  }

  /**
   * Gives everything back: resolves when the key is gone. Idempotent. Goes on trying in the background when it fails, as
   * long as the key has not gone with its lease; may be waited for again.
   *
   * @throws {EtcdError} when it took longer than a call may take.
   */
  giveBack(): Promise<void> {
    this.done ??= this.keepTrying().finally(this.endTurn);
    return this.within(this.tools.callTimeoutMs, this.done);
  }

  private async keepTrying(): Promise<void> {
    const { clock, random, closing } = this.tools;
    const until = clock.now() + this.session.ttlSeconds * 1_000;
    for (let tries = 1; ; tries++) {
      try {
        await this.giveBackOnce();
        return;
      } catch (error) {
        this.lastError = error as EtcdError;
        if (!isPassing(error)) throw error;
      }
      if (this.isOwn ? clock.now() >= until : !this.session.isAlive) return; // it has gone with its lease
      await pause(clock, backoffMs(tries, PAUSES, random), closing, 'background');
    }
  }

  /** An own session has nothing on it but the key: one round trip takes both, and a put that comes late finds no lease. */
  private async giveBackOnce(): Promise<void> {
    if (this.isOwn) await this.session.close();
    else if (this.session.isAlive) await this.place?.leave();
  }

  private within(limitMs: number, done: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.tools.clock.after(limitMs, () => reject(this.lastError ?? this.timeoutError(limitMs)));
      void done.then(resolve, reject).finally(cancel);
    });
  }

  private timeoutError(limitMs: number): EtcdError {
    return new EtcdDeadlineExceededError(limitMs, 'waiting for the key to be deleted; it goes with its lease at the latest');
  }
}
