/** What is read while the loop works on what came before it, and called back when the loop is left. */
import type { AbortListeners } from '../rpc/abort-listeners.js';

/** A page on its way before it is asked for. */
export class PageAhead<Page> {
  /** Its failure is for who asks for it: nothing is unhandled while nobody does. */
  readonly page: Promise<Page>;
  private readonly controller = new AbortController();

  /**
   * @param signal the caller's own, which ends this too.
   * @param read begins to read the page, until its signal aborts.
   */
  constructor(
    private readonly signal: AbortSignal | undefined,
    private readonly aborts: AbortListeners,
    read: (signal: AbortSignal) => Promise<Page>,
  ) {
    if (signal !== undefined) aborts.add(signal, this.cancel);
    this.page = read(this.controller.signal).finally(this.stopListening);
    this.page.catch(() => undefined);
  }

  readonly cancel = (): void => this.controller.abort(this.signal?.reason);

  private readonly stopListening = (): void => {
    if (this.signal !== undefined) this.aborts.remove(this.signal, this.cancel);
  };
}
