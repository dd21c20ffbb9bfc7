/** What the decorators of leaderships leave on a method. */

/** One `@LeaderOnly()`, `@OnLeadershipAcquired()` or `@OnLeadershipLost()`. */
export interface LeadershipNote {
  readonly electionName: string;
  readonly client: string | undefined;
}

export const LEADER_ONLY = 'nest-etcd:leader-only';
export const ON_ACQUIRED = 'nest-etcd:on-leadership-acquired';
export const ON_LOST = 'nest-etcd:on-leadership-lost';
