/** A double barrier: nobody begins before everybody is there, and nobody goes before everybody is done. */
import { EtcdInvalidArgumentError, type EtcdError } from '../errors.js';
import { prefix } from '../key-range.js';
import type { KeyValue } from '../key-value.js';
import { compare } from '../kv/compare.js';
import { del, get, put } from '../kv/operations.js';
import type { CallOptions } from '../rpc/rpc.js';
import { EtcdBarrierFullError, EtcdBarrierLostError } from './concurrency-errors.js';
import { nextEvent } from './key-events.js';
import { persist } from './patience.js';
import { QueuePlace } from './place.js';
import { participating, type QueueRule } from './queue-rule.js';
import { readTogether } from './read-together.js';
import type { Session } from './session.js';
import type { Tools } from './tools.js';
import { WaitScope } from './wait-scope.js';

/** Options of `enter` and `leave`. */
export type DoubleBarrierOptions = Pick<CallOptions, 'signal'>;

/** A participant that is in, with all the others. */
interface Inside {
  readonly name: 'inside';
  readonly place: QueuePlace;
  readonly createRevision: number;
  /** When everybody was there: who came later belongs to the next round. */
  readonly readyRevision: number;
}

/** outside -> moving -> inside -> moving -> outside; a move that fails ends where it began. */
type BarrierState = { readonly name: 'outside' } | { readonly name: 'moving' } | Inside;

/** Who is there, and when everybody was, at one revision. */
interface Look {
  readonly revision: number;
  /** Those who came first, first. */
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
    this.rule = participating(key);
    this.readyKey = `${key}/ready`;
  }

  /**
   * Enters, and waits until `count` participants have.
   *
   * @throws {EtcdBarrierFullError} when as many are in already.
   * @throws {EtcdBarrierLostError} when the session ends before.
   * @throws {EtcdAbortedError} when the signal aborts. After none of these it counts as entered, unless its key could not
   *   be deleted: that goes with the session.
   */
  async enter({ signal }: DoubleBarrierOptions = {}): Promise<void> {
    const { state } = this;
    if (state.name !== 'outside') throw wrongState('enter', state);
    const place = this.newPlace();
    await this.move(state, signal, async (scope) => {
      try {
        return await this.enterAt(place, scope);
      } catch (error) {
        await place.leave().catch(() => undefined); // the key goes with the session at the latest
        throw error;
      }
    });
  }

  /**
   * Leaves, and waits until everybody who was in has.
   *
   * @throws {EtcdBarrierLostError} when the session ends before.
   * @throws {EtcdAbortedError} when the signal aborts; it may be tried again.
   */
  async leave({ signal }: DoubleBarrierOptions = {}): Promise<void> {
    const { state } = this;
    if (state.name !== 'inside') throw wrongState('leave', state);
    await this.move(state, signal, (scope) => this.leaveFrom(state, scope.signal));
  }

  /** The only line that changes the state is in here. */
  private async move(
    from: BarrierState,
    signal: AbortSignal | undefined,
    go: (scope: WaitScope) => Promise<BarrierState>,
  ): Promise<void> {
    const scope = new WaitScope(this.tools, 'Concurrency.DoubleBarrier', signal);
    const enter = (state: BarrierState): void => void (this.state = state);
    enter({ name: 'moving' });
    try {
      scope.endWith(this.session, (cause) => new EtcdBarrierLostError(this.key, 'lease-lost', cause));
      scope.check();
      enter(await go(scope));
    } catch (error) {
      enter(from);
      scope.check();
      throw error;
    } finally {
      scope.close();
    }
  }

  private async enterAt(place: QueuePlace, scope: WaitScope): Promise<Inside> {
    const { tools, count } = this;
    const { signal } = scope;
    if ((await this.look(signal)).waiters.length >= count) throw new EtcdBarrierFullError(this.key, count);
    const { createRevision } = await place.enter(scope, tools.clock.now() + tools.callTimeoutMs);
    for (;;) {
      const look = await this.look(signal);
      if (look.ready !== undefined && look.ready.modRevision > createRevision) {
        return { name: 'inside', place, createRevision, readyRevision: look.ready.modRevision };
      }
      const position = look.waiters.findIndex((kv) => kv.createRevision === createRevision);
      if (position < 0) throw new EtcdBarrierLostError(this.key, 'key-gone');
      if (position >= count) throw new EtcdBarrierFullError(this.key, count);
      if (look.waiters.length >= count) await this.sayReady(look, signal);
      else await this.untilMoreCame(look, signal);
    }
  }

  /** Everybody is there. Whoever sees it says so, since the last to come may have crashed; it is said once. */
  private async sayReady({ ready }: Look, signal: AbortSignal): Promise<void> {
    const isUnsaid = compare(this.readyKey).modRevision('=', ready?.modRevision ?? 0);
    const say = this.tools.kv.txn().if(isUnsaid).then(put(this.readyKey, ''));
    await persist(this.tools, signal, () => say.commit({ signal }));
  }

  private async untilMoreCame({ revision, waiters }: Look, signal: AbortSignal): Promise<void> {
    let missing = this.count - waiters.length;
    await nextEvent(this.tools, prefix(`${this.key}/`), {
      startRevision: revision + 1,
      only: 'put',
      signal,
      isIt: ({ kv }) => kv.key === this.readyKey || --missing <= 0,
    });
  }

  /**
   * The first to have come is the last to go: it waits for all others, one after the other, and they, gone themselves, wait
   * for it. So a participant that crashes holds nobody back for longer than its lease.
   */
  private async leaveFrom(
    { place, createRevision, readyRevision }: Inside,
    signal: AbortSignal,
  ): Promise<BarrierState> {
    for (;;) {
      const { waiters, revision } = await this.look(signal, readyRevision);
      const first = waiters[0];
      const last = waiters.at(-1);
      if (first === undefined || last === undefined) return { name: 'outside' };
      const isFirst = first.createRevision === createRevision;
      if (isFirst && waiters.length === 1) {
        await this.leaveLast(first, readyRevision, signal);
        return { name: 'outside' };
      }
      if (!isFirst) await persist(this.tools, signal, () => place.leave());
      const awaited = isFirst ? last.key : first.key;
      await nextEvent(this.tools, awaited, { startRevision: revision + 1, only: 'delete', signal });
    }
  }

  /** The last one clears up, unless the next round has begun. */
  private async leaveLast(own: KeyValue, readyRevision: number, signal: AbortSignal): Promise<void> {
    const isMine = compare(own.key).createRevision('=', own.createRevision);
    const isThisRound = compare(this.readyKey).modRevision('=', readyRevision);
    const clearUp = this.tools.kv.txn().if(isMine, isThisRound).then(del(this.readyKey), del(own.key));
    const { succeeded } = await persist(this.tools, signal, () => clearUp.commit({ signal, idempotent: true }));
    if (succeeded) return;
    const justLeave = this.tools.kv.txn().if(isMine).then(del(own.key));
    await persist(this.tools, signal, () => justLeave.commit({ signal, idempotent: true }));
  }

  /** @param maxCreateRevision leaves out who came after this revision. */
  private async look(signal: AbortSignal, maxCreateRevision?: number): Promise<Look> {
    const reads = [
      get(prefix(this.rule.prefix), { sort: { by: 'create', order: 'ascend' }, maxCreateRevision, keysOnly: true }),
      get(this.readyKey),
    ] as const;
    const { header, found } = await persist(this.tools, signal, () => readTogether(this.tools.kv, reads, { signal }));
    const [waiters, ready] = found;
    return { revision: header.revision, waiters, ready: ready[0] };
  }

  private newPlace(): QueuePlace {
    const { tools, rule, session } = this;
    const toLost = (reason: 'lease-lost' | 'key-gone', cause?: unknown): EtcdError =>
      new EtcdBarrierLostError(this.key, reason, cause);
    return new QueuePlace({ tools, rule, session, value: '', key: rule.keyFor(session.leaseId), toLost });
  }
}

function wrongState(what: string, { name }: BarrierState): EtcdInvalidArgumentError {
  const rule = `cannot ${what}: the participant is ${name === 'moving' ? 'entering or leaving' : name}`;
  return new EtcdInvalidArgumentError('barrier', rule);
}
