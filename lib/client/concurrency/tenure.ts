/** What a place in a queue rests on: a session, its own or a shared one, and the turn to use its key; and how all that is given back. */
import { EtcdInvalidArgumentError } from '../errors.js';
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
  if (!(given instanceof Session))
    throw new EtcdInvalidArgumentError('session', 'must be one of concurrency.session()', given);
  if (ttlSeconds !== undefined)
    throw new EtcdInvalidArgumentError('ttlSeconds', 'cannot be combined with session, which has one');
}

/** The session that was chosen, open. */
export function chosenSession(
  tools: Tools,
  { session, ttlSeconds }: SessionChoice,
  signal: AbortSignal,
): Promise<Session> {
  return session === undefined ? openSession(tools, { ttlSeconds, signal }) : Promise.resolve(session);
}

/** A session and, once there is one, a place in a queue on it. */
export class Tenure {
  private place: QueuePlace | undefined;
  private attempt: Promise<void> | undefined;
  private failures = 0;
  private isTryingAgain = false;
  private goneAt = Infinity;

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
   * Gives everything back: resolves when the key is gone. Idempotent. After a failure that may pass it goes on trying in
   * the background, until the key has gone with its lease; may be called again all the same.
   *
   * @throws {EtcdError} when this try failed.
   */
  giveBack(): Promise<void> {
    this.attempt ??= this.tryToGiveBack();
    return this.attempt;
  }

  private async tryToGiveBack(): Promise<void> {
    this.goneAt = Math.min(this.goneAt, this.tools.clock.now() + this.session.ttlSeconds * 1_000);
    try {
      await this.giveBackOnce();
      this.endTurn();
    } catch (error) {
      this.attempt = undefined;
      this.failures += 1;
      if (isPassing(error) && !this.isGoneAnyway()) void this.tryAgainLater();
      else this.endTurn();
      throw error;
    }
  }

  /** An own session has nothing on it but the key: one round trip takes both, and a put that comes late finds no lease. */
  private async giveBackOnce(): Promise<void> {
    if (this.session.isOrphaned) return;
    if (this.isOwn) await this.session.close();
    else if (this.session.isAlive) await this.place?.leave();
  }

  private isGoneAnyway(): boolean {
    return this.isOwn ? this.tools.clock.now() >= this.goneAt : !this.session.isAlive;
  }

  private async tryAgainLater(): Promise<void> {
    if (this.isTryingAgain) return;
    this.isTryingAgain = true;
    const { clock, random, closing } = this.tools;
    try {
      await pause(clock, backoffMs(this.failures, PAUSES, random), closing, 'background');
      this.isTryingAgain = false;
      await this.giveBack();
    } catch {
      return; // the client has closed, or the next try is on its way
    }
  }
}
