/** An ownership, of a lock or of a leadership: from when it was proved until it ends, told by one signal. */
import type { EtcdError } from '../errors.js';
import { compare, type Compare } from '../kv/compare.js';
import type { OwnKey } from './own-key.js';
import { untilKeyGone } from './own-key.js';
import type { QueueErrors } from './queue-errors.js';
import type { Session } from './session.js';
import type { Tenure } from './tenure.js';
import type { Tools } from './tools.js';
import { WaitScope } from './wait-scope.js';

/** How an ownership ended. */
export interface Lost<Reason extends string, E extends EtcdError> {
  readonly reason: Reason;
  readonly error: E;
}

/** Held until its one end; nothing leads back. */
type HoldingState<Reason extends string, E extends EtcdError> =
  | { readonly name: 'held' }
  /** Given back, or lost: it is not ours any more. */
  | { readonly name: 'ended'; readonly lost: Lost<Reason, E> };

/** What an ownership is made of. */
export interface HoldingParts<Reason extends string, E extends EtcdError & { readonly reason: Reason }> {
  readonly tools: Tools;
  readonly tenure: Tenure;
  readonly own: OwnKey;
  readonly errors: QueueErrors<Reason, E>;
}

/** What a lock and a leadership have in common. */
export class Holding<Reason extends string, E extends EtcdError & { readonly reason: Reason }> {
  readonly key: string;
  readonly createRevision: number;
  readonly lost: Promise<Lost<Reason, E>>;
  readonly guard: Compare;
  private state: HoldingState<Reason, E> = { name: 'held' };
  private readonly controller = new AbortController();
  private readonly scope: WaitScope;
  private resolveLost!: (lost: Lost<Reason, E>) => void;

  constructor(private readonly parts: HoldingParts<Reason, E>) {
    const { tools, tenure, own, errors } = parts;
    this.key = own.key;
    this.createRevision = own.createRevision;
    this.guard = compare(own.key).createRevision('=', own.createRevision);
    this.lost = new Promise((resolve) => (this.resolveLost = resolve));
    this.scope = new WaitScope(tools, errors.method, undefined);
    this.scope.endWith({ onEnd: (task) => tenure.session.onEnd(task) }, (cause) => {
      this.end('lease-lost', cause);
      return cause;
    });
    if (this.state.name === 'held') this.watchKey();
  }

  get session(): Session {
    return this.parts.tenure.session;
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** Worked out from the clock: right also when timers are late because the process was blocked. */
  get isHeld(): boolean {
    return this.state.name === 'held' && this.session.isAlive;
  }

  remainingMs(): number {
    return this.isHeld ? this.session.remainingMs() : 0;
  }

  /** The error that says why it is not held; `undefined` while it is. */
  get lostError(): E | undefined {
    if (this.state.name === 'ended') return this.state.lost.error;
    // The clock knows already what no timer has told yet.
    return this.session.isAlive ? undefined : this.parts.errors.lost(this.key, 'lease-lost');
  }

  /** The store said that the key is not ours any more. */
  keyGone(cause?: unknown): E {
    return this.end('key-gone', cause);
  }

  /** Whoever listens to the signal is told before the next owner can be. What was lost is not ours to give back. */
  giveBack(): Promise<void> {
    const { errors, tenure } = this.parts;
    const { reason } = this.end(errors.givenBack);
    return reason === errors.givenBack ? tenure.giveBack() : Promise.resolve();
  }

  /** Aborts the signal although it is still held: whoever holds it shall come to an end. */
  stop(reason: EtcdError): void {
    this.controller.abort(reason);
  }

  private watchKey(): void {
    const { tools, own } = this.parts;
    untilKeyGone(tools, own, this.scope.signal).then(
      () => this.end('key-gone'),
      () => undefined, // over, or not to be watched: the lease is proof enough
    );
  }

  /** The only line that changes the state is in here. */
  private end(reason: Reason | 'lease-lost' | 'key-gone', cause?: unknown): E {
    if (this.state.name === 'ended') return this.state.lost.error;
    const error = this.parts.errors.lost(this.key, reason, cause);
    this.state = { name: 'ended', lost: { reason: error.reason, error } };
    this.resolveLost(this.state.lost);
    this.controller.abort(error);
    this.scope.end(error);
    this.scope.close();
    if (reason !== this.parts.errors.givenBack) this.parts.tenure.giveBack().catch(() => undefined); // it ends with its lease
    return error;
  }
}
