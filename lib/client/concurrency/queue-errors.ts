/** How the errors of a queue are called: a lock and an election fail in the same ways, under different names. */
import type { EtcdError } from '../errors.js';
import {
  EtcdCampaignTimeoutError,
  EtcdLeadershipLostError,
  EtcdLockLostError,
  EtcdLockTimeoutError,
  type LeadershipLostReason,
  type LockLostReason,
} from './concurrency-errors.js';

/** Makes the errors of one queue. */
export interface QueueErrors<Reason extends string, Lost extends EtcdError & { readonly reason: Reason }> {
  /** How errors call what was tried. */
  readonly method: string;
  /** The reason that stands for giving back by one's own will. */
  readonly givenBack: Reason;
  timeout(waitMs: number, blockedBy: string | undefined): EtcdError;
  lost(key: string, reason: Reason | 'lease-lost' | 'key-gone', cause?: unknown): Lost;
}

/** The errors of a lock. */
export type LockErrors = QueueErrors<LockLostReason, EtcdLockLostError>;

/** The errors of an election. */
export type ElectionErrors = QueueErrors<LeadershipLostReason, EtcdLeadershipLostError>;

export function lockErrors(name: string): LockErrors {
  return {
    method: 'Concurrency.Lock',
    givenBack: 'released',
    timeout: (waitMs, blockedBy) => new EtcdLockTimeoutError(name, waitMs, blockedBy),
    lost: (key, reason, cause) => new EtcdLockLostError(name, key, reason, cause),
  };
}

export function electionErrors(name: string): ElectionErrors {
  return {
    method: 'Concurrency.Campaign',
    givenBack: 'resigned',
    timeout: (waitMs, blockedBy) => new EtcdCampaignTimeoutError(name, waitMs, blockedBy),
    lost: (key, reason, cause) => new EtcdLeadershipLostError(name, key, reason, cause),
  };
}
