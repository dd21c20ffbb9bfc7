/** Work that has begun and not ended: something to wait for before what it needs is taken away. */

/** Keeps count of work. */
export class RunningWork {
  private readonly running = new Set<Promise<unknown>>();

  /** How much of it runs now. */
  get count(): number {
    return this.running.size;
  }

  /** Begins the work, and returns what comes of it. */
  async run<T>(work: () => T | Promise<T>): Promise<T> {
    const result = Promise.resolve().then(work);
    this.running.add(result);
    try {
      return await result;
    } finally {
      this.running.delete(result);
    }
  }

  /** Resolves when nothing runs any more, also nothing that begins meanwhile. Never rejects. */
  async ended(): Promise<void> {
    while (this.running.size > 0) await Promise.allSettled(this.running);
  }
}
