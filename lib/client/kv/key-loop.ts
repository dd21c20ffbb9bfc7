/** Hands out the keys of pages, one by one. */
import type { KeyValue } from '../key-value.js';

interface Page {
  readonly kvs: readonly KeyValue[];
}

/** By hand, since an asynchronous generator costs three promises for each key. */
export class KeyLoop implements AsyncIterableIterator<KeyValue, void, undefined> {
  private kvs: readonly KeyValue[] = [];
  private index = 0;
  private loading: Promise<unknown> = Promise.resolve();

  constructor(private readonly pages: AsyncGenerator<Page, void, undefined>) {}

  next(): Promise<IteratorResult<KeyValue, void>> {
    const kv = this.kvs[this.index++];
    if (kv !== undefined) return Promise.resolve({ done: false, value: kv });
    const loaded = this.loading.then(this.load, this.load);
    this.loading = loaded;
    return loaded;
  }

  async return(): Promise<IteratorResult<KeyValue, void>> {
    this.kvs = [];
    await this.pages.return();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  private readonly load = async (): Promise<IteratorResult<KeyValue, void>> => {
    for (;;) {
      const kv = this.kvs[this.index++];
      if (kv !== undefined) return { done: false, value: kv };
      this.kvs = []; // free while the next page comes
      const page = await this.pages.next();
      if (page.done === true) return page;
      this.kvs = page.value.kvs;
      this.index = 0;
    }
  };
}
