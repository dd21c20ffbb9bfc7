/** Who leads, over time. */
import { EtcdInvalidArgumentError } from '../errors.js';
import { prefix } from '../key-range.js';
import type { KeyValue } from '../key-value.js';
import type { Follower } from '../watch/follow.js';
import type { WatchEvent } from '../watch/event.js';
import type { Tools } from './tools.js';

/**
 * The leader of an election, now and after each change: the leader's key, whose value is what it says of itself, or
 * `undefined` while nobody leads. Each leader and each proclamation, in order; after a long outage those in between may
 * be missing, but it never goes back.
 *
 * Read it with one loop. Leaving the loop ends it.
 */
export class LeaderObserver implements AsyncIterable<KeyValue | undefined, void, undefined>, AsyncDisposable {
  private readonly follower: Follower;
  private isRead = false;

  /** @internal use `concurrency.observe()`. */
  constructor(tools: Tools, name: string, signal: AbortSignal | undefined) {
    this.follower = tools.watch.follow(prefix(`${name}/`), { signal });
  }

  /** @throws {EtcdInvalidArgumentError} when it is being read already. */
  [Symbol.asyncIterator](): AsyncIterableIterator<KeyValue | undefined, void, undefined> {
    if (this.isRead)
      throw new EtcdInvalidArgumentError('observer', 'can be read by one loop only; observe once for each');
    this.isRead = true;
    return new ObserverLoop(leaders(this.follower), this.follower);
  }

  /** Ends it. Idempotent. */
  close(): Promise<void> {
    return this.follower.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** A loop that ends when it is left, also while it waits. */
class ObserverLoop implements AsyncIterableIterator<KeyValue | undefined, void, undefined> {
  constructor(
    private readonly source: AsyncGenerator<KeyValue | undefined, void, undefined>,
    private readonly follower: Follower,
  ) {}

  next(): Promise<IteratorResult<KeyValue | undefined, void>> {
    return this.source.next();
  }

  async return(): Promise<IteratorResult<KeyValue | undefined, void>> {
    await this.follower.close();
    return this.source.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

async function* leaders(follower: Follower): AsyncGenerator<KeyValue | undefined, void, undefined> {
  const candidates = new Map<string, KeyValue>();
  let told: { readonly leader: KeyValue | undefined } | undefined;
  for await (const batch of follower.batches()) {
    if (batch.type === 'reset') {
      candidates.clear();
      for (const kv of batch.kvs) candidates.set(kv.key, kv);
    }
    const steps = batch.type === 'reset' ? [[]] : revisions(batch.events);
    for (const events of steps) {
      for (const { type, kv } of events) {
        if (type === 'put') candidates.set(kv.key, kv);
        else candidates.delete(kv.key);
      }
      const leader = firstOf(candidates.values());
      if (told !== undefined && isSame(told.leader, leader)) continue;
      told = { leader };
      yield leader;
    }
  }
}

/** What one transaction changed is seen as a whole. */
function revisions(events: readonly WatchEvent[]): readonly WatchEvent[][] {
  const groups: WatchEvent[][] = [];
  for (const event of events) {
    const last = groups.at(-1);
    if (last?.[0]?.revision === event.revision) last.push(event);
    else groups.push([event]);
  }
  return groups;
}

/** The leader is the candidate that came first. */
function firstOf(candidates: Iterable<KeyValue>): KeyValue | undefined {
  let first: KeyValue | undefined;
  for (const kv of candidates) {
    if (first === undefined || kv.createRevision < first.createRevision) first = kv;
  }
  return first;
}

function isSame(a: KeyValue | undefined, b: KeyValue | undefined): boolean {
  return a?.key === b?.key && a?.modRevision === b?.modRevision;
}
