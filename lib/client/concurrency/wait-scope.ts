/** One wait with everything that may end it early: its caller's signal, its deadline, the death of its session, the client. */
import { EtcdAbortedError, type EtcdError } from '../errors.js';
import { check, reasonOf } from './patience.js';
import type { Tools } from './tools.js';

/** Whoever tells of an end. @returns how to stop listening. */
export interface EndSource {
  onEnd(task: (error: EtcdError) => void): () => void;
}

/** Aborts its own signal, once, with the error that the wait is to fail with. Has to be closed. */
export class WaitScope {
  private readonly controller = new AbortController();
  private readonly releases: (() => void)[] = [];

  constructor(
    private readonly tools: Pick<Tools, 'aborts' | 'clock' | 'closing'>,
    private readonly method: string,
    signal: AbortSignal | undefined,
  ) {
    if (signal !== undefined) this.listenTo(signal, () => this.abortedBy(signal));
    this.listenTo(tools.closing, () => reasonOf(tools.closing));
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** @throws {EtcdError} why the wait has ended, if it has. */
  check(): void {
    check(this.signal);
  }

  /** Ends the wait now. */
  end(error: EtcdError): void {
    this.controller.abort(error);
  }

  /** Ends the wait when `source` does. */
  endWith(source: EndSource, toError: (cause: EtcdError) => EtcdError): void {
    this.releases.push(source.onEnd((cause) => this.controller.abort(toError(cause))));
  }

  /** Ends the wait when its time is over; `Infinity` for never. */
  expireAfter(delayMs: number, toError: () => EtcdError): void {
    if (delayMs === Infinity) return;
    this.releases.push(this.tools.clock.after(delayMs, () => this.controller.abort(toError())));
  }

  /** Lets go of all listeners and timers. The signal stays as it is. */
  close(): void {
    for (const release of this.releases.splice(0)) release();
  }

  private listenTo(signal: AbortSignal, toError: () => EtcdError): void {
    const task = (): void => this.controller.abort(toError());
    if (signal.aborted) {
      task();
      return;
    }
    this.tools.aborts.add(signal, task);
    this.releases.push(() => this.tools.aborts.remove(signal, task));
  }

  private abortedBy({ reason }: AbortSignal): EtcdError {
    return new EtcdAbortedError({ method: this.method, cause: reason as unknown });
  }
}
