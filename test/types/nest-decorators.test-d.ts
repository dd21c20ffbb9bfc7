/** What `@WithEtcdLock()`, `@LeaderOnly()` and the handlers of leaderships may stand on. */
import {
  LeaderOnly,
  OnLeadershipAcquired,
  OnLeadershipLost,
  WithEtcdLock,
  type Leadership,
  type LeadershipLost,
} from '../../lib/nest/index.js';

export class Locked {
  @WithEtcdLock('a')
  async byName(id: string): Promise<number> {
    return Promise.resolve(id.length);
  }

  /* The key may look at the first arguments only. */
  @WithEtcdLock((id: string) => `orders/${id}`, { ttlSeconds: 5, waitMs: 100, client: 'audit' })
  async byArgument(id: string, amount: number): Promise<number> {
    return Promise.resolve(id.length + amount);
  }

  @WithEtcdLock('a', { onBusy: 'skip' })
  async nothing(): Promise<void> {
    await Promise.resolve();
  }

  @WithEtcdLock('a', { onBusy: 'skip' })
  async maybe(): Promise<number | undefined> {
    return Promise.resolve(1);
  }

  // @ts-expect-error a key cannot take what the method is not called with
  @WithEtcdLock((id: number) => `orders/${id}`)
  async otherArgument(id: string): Promise<number> {
    return Promise.resolve(id.length);
  }

  // @ts-expect-error callers of a method that may be skipped get undefined
  @WithEtcdLock('a', { onBusy: 'skip' })
  async always(): Promise<number> {
    return Promise.resolve(1);
  }

  // @ts-expect-error under a lock a method takes time
  @WithEtcdLock('a')
  atOnce(): number {
    return 1;
  }
}

export class Led {
  @LeaderOnly('a')
  async nothing(): Promise<void> {
    await Promise.resolve();
  }

  @LeaderOnly('a', { onFollower: 'throw' })
  async always(id: string): Promise<number> {
    return Promise.resolve(id.length);
  }

  // @ts-expect-error callers on followers get undefined
  @LeaderOnly('a')
  async skipped(): Promise<number> {
    return Promise.resolve(1);
  }

  @OnLeadershipAcquired('a')
  @OnLeadershipAcquired('b', { client: 'audit' })
  acquired({ fencingToken }: Leadership): number {
    return fencingToken;
  }

  @OnLeadershipLost('a')
  async lost({ reason }: LeadershipLost): Promise<string> {
    return Promise.resolve(reason);
  }

  @OnLeadershipLost('a')
  withoutArgument(): void {
    return;
  }

  // @ts-expect-error who has lost a leadership has none
  @OnLeadershipLost('a')
  wrong({ isLeader }: Leadership): boolean {
    return isLeader;
  }
}
