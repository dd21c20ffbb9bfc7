/** What goes wrong with locks, elections and barriers: errors of their own. */
import { describeValue, EtcdError } from '../errors.js';

/** Others had the lock for longer than the caller wanted to wait. Nothing of the wait is left in the store. */
export class EtcdLockTimeoutError extends EtcdError {
  readonly code = 'ETCD_LOCK_TIMEOUT';

  constructor(
    /** The lock's name. */
    readonly lockName: string,
    /** How long was waited for others, in milliseconds. */
    readonly waitMs: number,
    /** The key that was in the way last, `<name>/<lease ID>` of who has it or waits before us; `undefined` if it is held here, by the same session. */
    readonly blockedBy: string | undefined,
  ) {
    super(`lock ${describeValue(lockName)} was not free ${within(waitMs)}; ${inTheWay(blockedBy)}`, {
      method: 'Concurrency.Lock',
    });
  }
}

/** Why a lock is no longer held, or its place in the queue is gone. */
export type LockLostReason =
  /** The session's lease can no longer be proved to be alive, or was ended; `error.cause` says why. */
  | 'lease-lost'
  /** Somebody deleted the lock's key, as an operator may to break a lock. */
  | 'key-gone'
  /** It was given back, by `release()`. */
  | 'released';

/**
 * The lock is not held (any more), or its session ended while it was waited for. What was done under it may have
 * overlapped with the next holder, unless it was guarded: see `guard` and `fencingToken`.
 */
export class EtcdLockLostError extends EtcdError {
  readonly code = 'ETCD_LOCK_LOST';

  constructor(
    /** The lock's name. */
    readonly lockName: string,
    /** The key that stood for us in the store. */
    readonly key: string,
    readonly reason: LockLostReason,
    cause?: unknown,
  ) {
    super(`lock ${describeValue(lockName)} ${LOST[reason]} (key ${describeValue(key)})${because(cause)}`, {
      method: 'Concurrency.Lock',
      cause,
    });
  }
}

/** Others led for longer than the caller wanted to wait. Nothing of the candidacy is left in the store. */
export class EtcdCampaignTimeoutError extends EtcdError {
  readonly code = 'ETCD_CAMPAIGN_TIMEOUT';

  constructor(
    /** The election's name. */
    readonly electionName: string,
    /** How long was waited for others, in milliseconds. */
    readonly waitMs: number,
    /** The key that was in the way last, of the leader or of a candidate before us; `undefined` if it is held here, by the same session. */
    readonly blockedBy: string | undefined,
  ) {
    super(`election ${describeValue(electionName)} was not won ${within(waitMs)}; ${inTheWay(blockedBy)}`, {
      method: 'Concurrency.Campaign',
    });
  }
}

/** Why somebody does not lead (any more). */
export type LeadershipLostReason =
  /** The session's lease can no longer be proved to be alive, or was ended; `error.cause` says why. */
  | 'lease-lost'
  /** Somebody deleted the candidate's key. */
  | 'key-gone'
  /** It was given up, by `resign()`. */
  | 'resigned';

/** The leadership is over, or the session ended during the campaign. Another one may lead already. */
export class EtcdLeadershipLostError extends EtcdError {
  readonly code = 'ETCD_LEADERSHIP_LOST';

  constructor(
    /** The election's name. */
    readonly electionName: string,
    /** The candidate's key in the store. */
    readonly key: string,
    readonly reason: LeadershipLostReason,
    cause?: unknown,
  ) {
    const what = reason === 'resigned' ? 'was given up by resigning' : LOST[reason];
    super(`leadership of ${describeValue(electionName)} ${what} (key ${describeValue(key)})${because(cause)}`, {
      method: 'Concurrency.Campaign',
      cause,
    });
  }
}

/** As many as the barrier is for have entered already. */
export class EtcdBarrierFullError extends EtcdError {
  readonly code = 'ETCD_BARRIER_FULL';

  constructor(
    /** The barrier's key. */
    readonly key: string,
    /** How many it is for. */
    readonly count: number,
  ) {
    super(`barrier ${describeValue(key)} has ${count} participants already, as many as it is for`, {
      method: 'Concurrency.DoubleBarrier',
    });
  }
}

/** The participant does not count at the barrier any more. */
export class EtcdBarrierLostError extends EtcdError {
  readonly code = 'ETCD_BARRIER_LOST';

  constructor(
    /** The barrier's key. */
    readonly key: string,
    /** The session ended, or somebody deleted the participant's key. */
    readonly reason: 'lease-lost' | 'key-gone',
    cause?: unknown,
  ) {
    super(`the place at barrier ${describeValue(key)} ${LOST[reason]}${because(cause)}`, {
      method: 'Concurrency.DoubleBarrier',
      cause,
    });
  }
}

const LOST: Readonly<Record<LockLostReason, string>> = {
  'lease-lost': 'is lost: its session has ended',
  'key-gone': 'is lost: somebody deleted its key',
  released: 'was released',
};

function because(cause: unknown): string {
  return cause instanceof Error ? `: ${cause.message}` : '';
}

function within(waitMs: number): string {
  return waitMs === 0 ? 'at once' : `within ${waitMs} ms`;
}

function inTheWay(key: string | undefined): string {
  return key === undefined
    ? 'the same session has it or waits for it already'
    : `in the way is key ${describeValue(key)}`;
}
