/** Who may use a key of a shared session next: one at a time, first come first served, within this process. */
import { orAborted } from './patience.js';

/** Turns by key. */
export class Turns {
  private readonly tails = new Map<string, Promise<void>>();

  /** Whether somebody has the turn for this key, or waits for it. */
  isTaken(key: string): boolean {
    return this.tails.has(key);
  }

  /**
   * Waits for the turn.
   *
   * @returns how to hand it on; to be called once, sooner or later.
   * @throws {EtcdError} the signal's reason; the turn is given up then.
   */
  async take(key: string, signal: AbortSignal): Promise<() => void> {
    const before = this.tails.get(key);
    const { promise: mine, done } = newTurn();
    const tail = before === undefined ? mine : before.then(() => mine);
    this.tails.set(key, tail);
    void tail.then(() => {
      if (this.tails.get(key) === tail) this.tails.delete(key);
    });
    try {
      if (before !== undefined) await orAborted(before, signal);
    } catch (error) {
      done();
      throw error;
    }
    return done;
  }
}

function newTurn(): { readonly promise: Promise<void>; readonly done: () => void } {
  let done = (): void => undefined;
  const promise = new Promise<void>((resolve) => (done = resolve));
  return { promise, done };
}
