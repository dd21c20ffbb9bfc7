/** The changes of a live view, as one loop of several gets them. */
import type { EtcdError } from '../errors.js';
import type { WatchEvent } from './event.js';
import type { FollowReset } from './follow.js';

/** The whole content, in place of changes that were too many to keep for a loop that is behind. */
export type ViewReset = Omit<FollowReset, 'reason'> & { readonly reason: FollowReset['reason'] | 'behind' };

/** What a loop over a view gets. */
export type ViewChange = ViewReset | WatchEvent;

/** Past this many the loop gets the content as a whole, which says the same. */
const MAX_UNREAD = 1_000;

interface Waiting {
  readonly resolve: (result: IteratorResult<ViewChange, void>) => void;
  readonly reject: (error: EtcdError) => void;
}

/** One loop over the changes of a view. */
export class ViewChanges implements AsyncIterableIterator<ViewChange, void, undefined> {
  private readonly unread: ViewChange[] = [];
  private readonly waiting: Waiting[] = [];
  private isBehind = false;
  private ended: { error: EtcdError | undefined } | undefined;

  /**
   * @param current the whole content as it is now.
   * @param onEnd called when the loop is left.
   */
  constructor(
    private readonly current: () => ViewReset,
    private readonly onEnd: () => void,
  ) {}

  push(change: ViewChange): void {
    if (this.unread.length >= MAX_UNREAD) this.isBehind = true;
    if (change.type === 'reset') this.isBehind = false;
    if (this.isBehind || change.type === 'reset') this.unread.length = 0;
    if (!this.isBehind) this.unread.push(change);
    this.wake();
  }

  /** @param error what the loop throws once it has read the rest. */
  end(error: EtcdError | undefined): void {
    this.ended ??= { error };
    this.wake();
  }

  next(): Promise<IteratorResult<ViewChange, void>> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      this.wake();
    });
  }

  return(): Promise<IteratorResult<ViewChange, void>> {
    this.unread.length = 0;
    this.isBehind = false;
    this.onEnd();
    this.end(undefined);
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  private wake(): void {
    for (;;) {
      const first = this.waiting[0];
      if (first === undefined) return;
      const value = this.take();
      if (value !== undefined) first.resolve({ done: false, value });
      else if (!this.finish(first)) return;
      this.waiting.shift();
    }
  }

  private take(): ViewChange | undefined {
    if (!this.isBehind) return this.unread.shift();
    this.isBehind = false;
    return this.current();
  }

  private finish({ resolve, reject }: Waiting): boolean {
    if (this.ended === undefined) return false;
    if (this.ended.error === undefined) resolve({ done: true, value: undefined });
    else reject(this.ended.error);
    this.ended.error = undefined;
    return true;
  }
}
