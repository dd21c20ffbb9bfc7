/** A barrier: a key that holds back everybody who waits for it until it is gone. */
import type { KeyRangeLike } from '../key-range.js';
import { compare } from '../kv/compare.js';
import { del, put } from '../kv/operations.js';
import type { CallOptions } from '../rpc/rpc.js';
import { nextEvent } from './key-events.js';
import { persist } from './patience.js';
import type { Session } from './session.js';
import type { Tools } from './tools.js';
import { WaitScope } from './wait-scope.js';

/** Options of `hold`. */
export interface HoldOptions extends CallOptions {
  /**
   * Releases the barrier when this session ends, so that a crash does not hold everybody back for ever.
   *
   * @default none: it holds until somebody releases it, as in Go
   */
  readonly session?: Session | undefined;
}

/**
 * A barrier, at one key. Making one sends nothing.
 *
 * @see etcd `recipe.Barrier`
 */
export class Barrier {
  /** @internal use `concurrency.barrier()`. */
  constructor(
    private readonly tools: Tools,
    /** The key whose existence holds everybody back. */
    readonly key: string,
  ) {}

  /**
   * Closes the barrier.
   *
   * @returns false when it is closed already.
   * @throws {EtcdError} with `outcome: 'unknown'` when it cannot be known whether it was closed.
   */
  async hold({ session, ...call }: HoldOptions = {}): Promise<boolean> {
    const { key } = this;
    const isOpen = compare(key).version('=', 0);
    const write = session === undefined ? put(key, '') : put(key, '', { lease: session.leaseId });
    return (await this.tools.kv.txn().if(isOpen).then(write).commit(call)).succeeded;
  }

  /**
   * Opens the barrier, for everybody who waits and who comes later.
   *
   * @returns false when it was open.
   */
  async release(call: CallOptions = {}): Promise<boolean> {
    const answer = await this.tools.kv.txn().then(del(this.key)).commit(call);
    return answer.succeeded && answer.responses[0].deleted > 0;
  }

  /**
   * Waits until the barrier is open; returns at once when it is. Survives lost connections and members.
   *
   * @throws {EtcdAbortedError} when the signal aborts.
   */
  async wait({ signal }: Pick<CallOptions, 'signal'> = {}): Promise<void> {
    const scope = new WaitScope(this.tools, 'Concurrency.Barrier', signal);
    try {
      await untilGone(this.tools, this.key, scope.signal);
    } finally {
      scope.close();
    }
  }
}

/** Waits until no key of the range is left. */
export async function untilGone(tools: Tools, range: KeyRangeLike, signal: AbortSignal): Promise<void> {
  for (;;) {
    const look = (): ReturnType<Tools['kv']['range']> => tools.kv.range(range, { signal, limit: 1, keysOnly: true });
    const { kvs, header } = await persist(tools, signal, look);
    if (kvs[0] === undefined) return;
    await nextEvent(tools, kvs[0].keyBytes, { startRevision: header.revision + 1, only: 'delete', signal });
  }
}
