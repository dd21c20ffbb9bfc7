/** Items in the order of their times, earliest first; an item can be moved or taken out at any place (a binary heap). */

interface Entry<T> {
  readonly item: T;
  at: number;
  index: number;
}

/** Each operation takes time in the logarithm of the number of items. */
export class TimeQueue<T> {
  private readonly heap: Entry<T>[] = [];
  private readonly entries = new Map<T, Entry<T>>();

  get size(): number {
    return this.heap.length;
  }

  /** The earliest time; `undefined` when there is none. */
  get firstAt(): number | undefined {
    return this.heap[0]?.at;
  }

  has(item: T): boolean {
    return this.entries.has(item);
  }

  /** Puts an item in, or moves it to another time. */
  set(item: T, at: number): void {
    const entry = this.entries.get(item);
    if (entry !== undefined) {
      entry.at = at;
      this.settle(entry);
      return;
    }
    const added = { item, at, index: this.heap.length };
    this.entries.set(item, added);
    this.heap.push(added);
    this.rise(added);
  }

  /** Takes the item with the earliest time out. */
  takeFirst(): T | undefined {
    const first = this.heap[0];
    if (first !== undefined) this.delete(first.item);
    return first?.item;
  }

  /** Takes an item out, if it is in. */
  delete(item: T): void {
    const entry = this.entries.get(item);
    if (entry === undefined) return;
    this.entries.delete(item);
    const last = this.heap.pop();
    if (last === undefined || last === entry) return;
    this.place(last, entry.index);
    this.settle(last);
  }

  clear(): void {
    this.heap.length = 0;
    this.entries.clear();
  }

  /** All items, in no order that means anything. */
  *items(): Generator<T, void> {
    for (const { item } of this.heap) yield item;
  }

  private settle(entry: Entry<T>): void {
    this.rise(entry);
    this.sink(entry);
  }

  private rise(entry: Entry<T>): void {
    while (entry.index > 0) {
      const parent = this.heap[(entry.index - 1) >> 1];
      if (parent === undefined || parent.at <= entry.at) return;
      this.swap(entry, parent);
    }
  }

  private sink(entry: Entry<T>): void {
    for (;;) {
      const left = this.heap[2 * entry.index + 1];
      const right = this.heap[2 * entry.index + 2];
      const earlier = right !== undefined && left !== undefined && right.at < left.at ? right : left;
      if (earlier === undefined || earlier.at >= entry.at) return;
      this.swap(entry, earlier);
    }
  }

  private swap(a: Entry<T>, b: Entry<T>): void {
    const { index } = a;
    this.place(a, b.index);
    this.place(b, index);
  }

  private place(entry: Entry<T>, index: number): void {
    entry.index = index;
    this.heap[index] = entry;
  }
}
