/** A double barrier: nobody begins before everybody is there, and nobody goes before everybody is done. */
import type { EtcdError } from '../errors.js';
import { EtcdInvalidArgumentError } from '../errors.js';
import { prefix } from '../key-range.js';
import type { KeyValue } from '../key-value.js';
import { compare } from '../kv/compare.js';
import { del, get, put } from '../kv/operations.js';
import type { ResponseHeader } from '../kv/responses.js';
import type { CallOptions } from '../rpc/rpc.js';
import { EtcdBarrierFullError } from './concurrency-errors.js';
import { nextEvent } from './key-events.js';
import { persist } from './patience.js';
import { QueuePlace } from './place.js';
import type { QueueRule } from './queue-rule.js';
import { readTogether } from './read-together.js';
import type { Session } from './session.js';
import type { Tools } from './tools.js';
import { WaitScope } from './wait-scope.js';

/** Options of `enter` and `leave`. */
export type DoubleBarrierOptions = Pick<CallOptions, 'signal'>;

/** Where a participant is. Outside and inside take turns. */
type BarrierState =
  | { readonly name: 'outside' }
  /** Entering or leaving: neither may be begun. */
  | { readonly name: 'moving' }
  | { readonly name: 'inside'; readonly place: QueuePlace; readonly readyRevision: number };

/** Who is there, and whether everybody was, at one revision. */
interface Look {
  readonly header: ResponseHeader;
  /** By age. */
  readonly waiters: readonly KeyValue[];
  readonly ready: KeyValue | undefined;
}

/**
 * One participant of a double barrier. Keys: `<key>/waiters/…` for each participant, on its session, and `<key>/ready`.
 *
 * @see etcd `recipe.DoubleBarrier`
 */
export class DoubleBarrier {
  private readonly rule: QueueRule;
  private readonly readyKey: string;
  private state: BarrierState = { name: 'outside' };

  /** @internal use `concurrency.doubleBarrier()`. */
  constructor(
    private readonly tools: Tools,
    /** What stands before the keys. */
    readonly key: string,
    /** How many participants it is for. */
    readonly count: number,
    private readonly session: Session,
  ) {
    this.rule = waiting(key);
    this.readyKey = `${key}/ready`;
  }

  /**
   * Enters, and waits until `count` participants have.
   *
   * @throws {EtcdBarrierFullError} when as many are in already.
   * @throws {EtcdError} the session's end, when that comes first.
   * @throws {EtcdAbortedError} when the signal aborts. After none of these it counts as entered.
   */
  async enter({ signal }: DoubleBarrierOptions = {}): Promise<void> {
    this.move('outside');
    const key = this.rule.keyFor(this.session.leaseId);
    const { tools, rule, session } = this;
    const toLost = (_reason: string, cause?: unknown): EtcdError => (cause ?? new EtcdBarrierFullError(this.key, this.count)) as EtcdError;
    const place = new QueuePlace({ tools, rule, session, value: '', key, toLost });
    try {
      const readyRevision = await this.within(signal, (scope) => this.enterAt(place, scope));
      this.state = { name: 'inside', place, readyRevision };
    } catch (error) {
      this.state = { name: 'outside' };
      await place.leave().catch(() => undefined); // the key goes with the session at the latest
      throw error;
    }
  }

  /**
   * Leaves, and waits until everybody has.
   *
   * @throws {EtcdError} the session's end, when that comes first.
   * @throws {EtcdAbortedError} when the signal aborts; leaving may be tried again.
   */
  async leave({ signal }: DoubleBarrierOptions = {}): Promise<void> {
    const inside = this.move('inside');
    try {
      await this.within(signal, (scope) => this.leaveFrom(inside, scope.signal));
      this.state = { name: 'outside' };
    } catch (error) {
      this.state = inside;
      throw error;
    }
  }
}
