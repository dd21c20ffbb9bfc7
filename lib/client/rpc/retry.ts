/** Whether a failed attempt is worth another, and of what kind: a pure decision, made in one place. */
import type { BackoffLimits } from './backoff.js';
import type { Failure } from './status.js';

/** What to do after a failed attempt. */
export type Decision = 'give-up' | 'refresh-token' | 'elsewhere';

/** What the decision depends on beside the failure itself. */
export interface RepeatFacts {
  /** The call reads, or its caller said that applying it twice does no harm. */
  readonly mayRepeat: boolean;
  /** The call is for one endpoint and no other. */
  readonly isPinned: boolean;
  /** How often the token of this call was refused already. */
  readonly tokenRefusals: number;
  /** The client has credentials to get a token with. */
  readonly hasTokens: boolean;
}

/** Pauses between attempts: short, since an election is over within a second or two, and spread. */
export const RETRY_LIMITS: BackoffLimits = { firstMs: 25, maxMs: 400 };

/** A server that refuses every fresh token must not be asked for ever. */
const MAX_TOKEN_REFUSALS = 3;

/**
 * A read is repeated whenever another attempt may succeed. A write is repeated only when the server refused it before
 * applying anything (its token, no leader, a learner), or nobody began to carry it out: etcd gives at-most-once writes,
 * and a blind retry would break that.
 *
 * @see etcd `client/v3/retry.go`, `isSafeRetryMutableRPC`; promise C2
 */
export function repeatDecision(failure: Failure, facts: RepeatFacts): Decision {
  switch (failure.fate) {
    case 'token':
      return tokenDecision(failure, facts);
    case 'refused':
      return facts.isPinned ? 'give-up' : 'elsewhere';
    case 'unsent':
      return 'elsewhere';
    case 'interrupted':
      return facts.mayRepeat ? 'elsewhere' : 'give-up';
    case 'final':
    case 'unclear':
      return 'give-up';
  }
}

/** Users of client certificates have no token, but race with changes of the auth store like everyone else. */
function tokenDecision(failure: Failure, { hasTokens, tokenRefusals }: RepeatFacts): Decision {
  if (tokenRefusals >= MAX_TOKEN_REFUSALS) return 'give-up';
  if (hasTokens) return 'refresh-token';
  return failure.reason === 'AuthOldRevision' ? 'elsewhere' : 'give-up';
}
