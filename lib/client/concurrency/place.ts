/** A place in a queue: a key of ours, from before it is put until it is certainly gone. */
import type { EtcdError } from '../errors.js';
import { prefix, toBytes, type Value } from '../key-range.js';
import type { KeyValue } from '../key-value.js';
import { compare } from '../kv/compare.js';
import { del, get, put } from '../kv/operations.js';
import { EtcdLeaseNotFoundError } from '../server-errors.js';
import { nextEvent } from './key-events.js';
import { guardAgainstLateKey } from './late-key.js';
import { mayBeApplied, persist } from './patience.js';
import type { Obstacle, QueueRule } from './queue-rule.js';
import { readTogether } from './read-together.js';
import type { Session } from './session.js';
import type { Tools } from './tools.js';
import type { WaitScope } from './wait-scope.js';

/** What is known of the key. Neither state is ever left for the one before it. */
type PlaceState =
  /** It was not seen in the store. */
  | { readonly name: 'unseen' }
  /** It was seen in the store, created at this revision. */
  | { readonly name: 'seen'; readonly createRevision: number };

/** What was found when the place was taken. */
export interface Entered {
  /** The place in the queue; also the fencing token. */
  readonly createRevision: number;
  /** The revision of the store at that time. */
  readonly revision: number;
  /** Whether there was nobody to wait for. */
  readonly isFirst: boolean;
}

/** Makes the error for the loss of the place. */
export type ToLost = (reason: 'lease-lost' | 'key-gone', cause?: unknown) => EtcdError;

/** What a place is made of. */
export interface PlaceParts {
  readonly tools: Tools;
  readonly rule: QueueRule;
  readonly session: Session;
  readonly value: Value;
  /** The key, by the rule. */
  readonly key: string;
  readonly toLost: ToLost;
}

/**
 * One key in a queue. Put by a transaction that puts it only once, however often it has to be sent; taken out only as
 * long as it is the same key, and also if a put whose answer was lost arrives after that.
 */
export class QueuePlace {
  readonly key: string;
  /** The key that stood in the way when it was last looked. */
  blockedBy: string | undefined;
  private state: PlaceState = { name: 'unseen' };
  private mayComeLate = false;

  constructor(private readonly parts: PlaceParts) {
    this.key = parts.key;
  }

  /**
   * Takes the place, or finds it taken for this session already, as after a lost answer or a restart.
   *
   * @param giveUpAt no try begins after this time, as the clock counts.
   * @throws {EtcdError} the scope's reason, or why the key could not be put.
   */
  async enter(scope: WaitScope, giveUpAt: number): Promise<Entered> {
    const onFailure = (error: unknown): void => {
      if (mayBeApplied(error)) this.mayComeLate = true;
    };
    try {
      for (;;) {
        const attempt = (): Promise<Entered | undefined> => this.tryToEnter(scope.signal);
        const entered = await persist(this.parts.tools, scope.signal, attempt, { until: giveUpAt, onFailure });
        if (entered !== undefined) return entered;
      }
    } catch (error) {
      throw error instanceof EtcdLeaseNotFoundError ? this.parts.toLost('lease-lost', error) : error;
    }
  }

  /**
   * Waits until nobody stands before this place any more. Each look sees, at one revision, who does and whether the place
   * is still there.
   *
   * @returns the revision at which that was seen.
   * @throws {EtcdError} the scope's reason, or why it cannot be waited.
   */
  async waitForTurn({ createRevision }: Entered, scope: WaitScope): Promise<number> {
    const { tools, rule } = this.parts;
    const { signal } = scope;
    const reads = [get(this.key, { keysOnly: true }), rule.ahead(createRevision)] as const;
    for (;;) {
      const { header, found } = await persist(tools, signal, () => readTogether(tools.kv, reads, { signal }));
      const [own, ahead] = found;
      if (own[0]?.createRevision !== createRevision) throw this.parts.toLost('key-gone');
      const obstacle = rule.obstacle(ahead);
      if (obstacle === undefined) return header.revision;
      this.blockedBy = obstacle.keys[0]?.key;
      await this.waitFor(obstacle, header.revision + 1, signal);
    }
  }

  /**
   * Takes the key out of the store, if it is there. One try; may be called again after a failure.
   *
   * @throws {EtcdError} when it could not be done.
   */
  async leave(): Promise<void> {
    const { tools, session } = this.parts;
    if (this.state.name === 'unseen' && !this.mayComeLate) return;
    const { createRevision, revision } = await this.find();
    if (createRevision !== undefined) {
      // By create revision: a repetition that comes late touches nobody's key, also none of our own next place.
      const isSame = compare(this.key).createRevision('=', createRevision);
      await tools.kv.txn().if(isSame).then(del(this.key)).commit({ idempotent: true });
    }
    if (this.mayComeLate) guardAgainstLateKey(tools, session, this.key, revision + 1);
  }

  private async tryToEnter(signal: AbortSignal): Promise<Entered | undefined> {
    const { tools, rule, session, value } = this.parts;
    const { key } = this;
    const answer = await tools.kv
      .txn()
      .if(compare(key).createRevision('=', 0))
      .then(put(key, value, { lease: session.leaseId }), rule.front)
      .else(get(key), rule.front)
      .commit({ signal });
    const { revision } = answer.header;
    const found = answer.succeeded ? undefined : answer.responses[0].kvs[0];
    if (found !== undefined && !(await this.adopt(found, signal))) return undefined;
    const createRevision = found?.createRevision ?? revision;
    this.state = { name: 'seen', createRevision };
    const front = answer.responses[1].kvs;
    this.blockedBy = front[0]?.key;
    return { createRevision, revision, isFirst: rule.isFirst(front, createRevision) };
  }

  /** The key is there: it shall hang on our lease and say what we say. @returns whether it does; else it is gone. */
  private async adopt(found: KeyValue, signal: AbortSignal): Promise<boolean> {
    const { tools, session, value } = this.parts;
    const isSame = Buffer.compare(found.valueBytes, toBytes(value, 'value')) === 0;
    if (isSame && found.lease === session.leaseId) return true;
    const { succeeded } = await tools.kv
      .txn()
      .if(compare(this.key).createRevision('=', found.createRevision))
      .then(put(this.key, value, { lease: session.leaseId }))
      .commit({ signal, idempotent: true });
    return succeeded;
  }

  private async waitFor({ keys, deletions }: Obstacle, startRevision: number, signal: AbortSignal): Promise<void> {
    const waited = new Set(keys.map(({ key }) => key));
    let left = deletions;
    const range = keys.length === 1 && keys[0] !== undefined ? keys[0].key : prefix(this.parts.rule.prefix);
    await nextEvent(this.parts.tools, range, {
      startRevision,
      only: 'delete',
      signal,
      isIt: ({ kv }) => waited.delete(kv.key) && --left === 0,
    });
  }

  /** Where the key is now, as far as it is ours. */
  private async find(): Promise<{ readonly createRevision: number | undefined; readonly revision: number }> {
    const { tools, session } = this.parts;
    if (this.state.name === 'seen' && !this.mayComeLate)
      return { createRevision: this.state.createRevision, revision: 0 };
    const { kvs, header } = await tools.kv.range(this.key);
    const isOurs = kvs[0]?.lease === session.leaseId;
    return { createRevision: isOurs ? kvs[0]?.createRevision : undefined, revision: header.revision };
  }
}
