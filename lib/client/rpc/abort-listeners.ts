/**
 * Hangs any number of calls on an abort signal by one listener.
 *
 * With a listener for each call Node.js would print a warning from the eleventh on, and spend time on each addition and
 * removal that grows with their number: half a second for 10,000 calls that share a signal.
 */

interface Entry {
  readonly tasks: Set<() => void>;
  readonly listener: () => void;
}

/** The calls of a client that wait for their signals. */
export class AbortListeners {
  private readonly entries = new WeakMap<AbortSignal, Entry>();

  /** Runs `task` when the signal aborts, unless it is removed before. */
  add(signal: AbortSignal, task: () => void): void {
    const entry = this.entries.get(signal) ?? this.listen(signal);
    entry.tasks.add(task);
  }

  /** Takes a task back. With the last one the listener goes too. */
  remove(signal: AbortSignal, task: () => void): void {
    const entry = this.entries.get(signal);
    if (entry?.tasks.delete(task) === true && entry.tasks.size === 0) this.forget(signal, entry);
  }

  private listen(signal: AbortSignal): Entry {
    const tasks = new Set<() => void>();
    const entry: Entry = { tasks, listener: () => this.run(signal, entry) };
    this.entries.set(signal, entry);
    signal.addEventListener('abort', entry.listener);
    return entry;
  }

  private run(signal: AbortSignal, entry: Entry): void {
    this.forget(signal, entry);
    for (const task of [...entry.tasks]) task();
  }

  private forget(signal: AbortSignal, { listener }: Entry): void {
    this.entries.delete(signal);
    signal.removeEventListener('abort', listener);
  }
}
