/** What `@OnEtcdWatch()` may stand on: methods that take what they will be called with. */
import { OnEtcdWatch, type FollowChange, type PutEvent, type WatchEvent } from '../../lib/nest/index.js';

export class Handlers {
  @OnEtcdWatch('a')
  onEvent(event: WatchEvent): string {
    return event.kv.key;
  }

  @OnEtcdWatch('a', { follow: true })
  async onChange(change: FollowChange): Promise<void> {
    await Promise.resolve(change.revision);
  }

  @OnEtcdWatch('a', { follow: true })
  @OnEtcdWatch('b', { prevKv: true })
  withoutArgument(): void {
    return;
  }

  @OnEtcdWatch('a', { only: 'put' })
  onPut(event: PutEvent): boolean {
    return event.isCreate;
  }

  // @ts-expect-error a follower also hands over resets
  @OnEtcdWatch('a', { follow: true })
  ignoresResets(event: WatchEvent): string {
    return event.kv.key;
  }

  // @ts-expect-error events are no numbers
  @OnEtcdWatch('a')
  wrong(event: number): number {
    return event;
  }

  // @ts-expect-error events are more than puts
  @OnEtcdWatch('a')
  putsOnly(event: PutEvent): boolean {
    return event.isCreate;
  }
}
