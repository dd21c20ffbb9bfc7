/** What really happened to a store: every change, read back by revision without the client under test, and what was there before. */
import type { StoredEvent } from '../support/etcd/gateway.js';

/** A key as it was stored. */
export interface Stored {
  readonly key: string;
  readonly value: string;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  /** Lowercase hex; `undefined` without a lease. */
  readonly lease: string | undefined;
}

/** One change to one key. */
export interface Change {
  readonly type: 'put' | 'delete';
  readonly revision: number;
  /** Of a deletion only the key and the revision mean something. */
  readonly kv: Stored;
  readonly before: Stored | undefined;
}

/** History that the store was told to forget. */
interface Compaction {
  /** The oldest revision that is kept. */
  readonly revision: number;
  /** When it was asked for, by `performance.now()`. */
  readonly at: number;
}

/** Every change since the store was empty, in order. */
export class StoreHistory {
  readonly changes: Change[] = [];
  readonly compactions: Compaction[] = [];
  private readonly current = new Map<string, Stored>();
  private readonly byName = new Map<string, Change>();

  /** The revision of the last change that is known; 1 for an empty store. */
  get lastRevision(): number {
    return this.changes.at(-1)?.revision ?? 1;
  }

  /** The first revision that the store still has. */
  get firstKept(): number {
    return this.compactions.at(-1)?.revision ?? 2;
  }

  /** Adds what happened after {@link lastRevision}. */
  append(events: readonly StoredEvent[]): void {
    for (const { type, kv } of events) {
      const change = { type, revision: kv.modRevision, kv: toStored(kv), before: this.current.get(kv.key) };
      this.changes.push(change);
      this.byName.set(nameOf(change.revision, kv.key), change);
      if (type === 'put') this.current.set(kv.key, change.kv);
      else this.current.delete(kv.key);
    }
  }

  /** Takes note of a compaction that is about to happen. */
  compacted(revision: number): void {
    this.compactions.push({ revision, at: performance.now() });
  }

  /** The change of this key in this revision. */
  find(revision: number, key: string): Change | undefined {
    return this.byName.get(nameOf(revision, key));
  }

  /** What a range held at a revision, by key. */
  stateAt(revision: number, covers: (key: string) => boolean): Map<string, Stored> {
    const state = new Map<string, Stored>();
    for (const { type, kv, revision: at } of this.changes) {
      if (at > revision) break;
      if (!covers(kv.key)) continue;
      if (type === 'put') state.set(kv.key, kv);
      else state.delete(kv.key);
    }
    return state;
  }

  /**
   * The newest revision that deleted nothing. Releases before 3.4.36 and 3.5.18 lose a deletion whose revision is the
   * compacted one (etcd #19249), which is not what is looked for here.
   */
  newestWithoutDeletion(): number | undefined {
    const deleting = new Set(this.changes.filter(({ type }) => type === 'delete').map(({ revision }) => revision));
    return this.changes.findLast(({ revision }) => !deleting.has(revision))?.revision;
  }
}

/** Whether two keys are stored alike. */
export function isSame(one: Stored | undefined, other: Stored | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return (
    one.key === other.key &&
    one.value === other.value &&
    one.createRevision === other.createRevision &&
    one.modRevision === other.modRevision &&
    one.version === other.version &&
    one.lease === other.lease
  );
}

/** Only what is compared. */
export function toStored({ key, value, createRevision, modRevision, version, lease }: Stored): Stored {
  return { key, value, createRevision, modRevision, version, lease };
}

const nameOf = (revision: number, key: string): string => `${revision} ${key}`;
