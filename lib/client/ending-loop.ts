/** A loop over a generator that ends when it is left, also while the generator waits. */

/** Left alone, a generator that waits hears of the end only when what it waits for has come. */
export class EndingLoop<T> implements AsyncIterableIterator<T, void, undefined> {
  /** @param end makes whatever the generator waits for come to an end. */
  constructor(
    private readonly source: AsyncGenerator<T, void, undefined>,
    private readonly end: () => void,
  ) {}

  next(): Promise<IteratorResult<T, void>> {
    return this.source.next();
  }

  return(): Promise<IteratorResult<T, void>> {
    this.end();
    return this.source.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
