/** One attempt at a software transaction: what it has read, what it is going to write, and whether that may be committed. */
import { EtcdInvalidArgumentError, EtcdTooManyOperationsError } from '../errors.js';
import { nameOfBytes } from '../key-name.js';
import { keyBytes, toBytes, copyBytes, type Key, type Value } from '../key-range.js';
import { KeyValue } from '../key-value.js';
import { compare, type Compare } from '../kv/compare.js';
import { del, get, put, type GetOperation, type Operation } from '../kv/operations.js';
import type { ReadOptions } from '../kv/range-request.js';
import type { PutValueDetails } from '../kv/put-request.js';
import type { CallOptions } from '../rpc/rpc.js';
import { EtcdCompactedError, EtcdFutureRevisionError } from '../server-errors.js';
import { readTogether } from './read-together.js';
import type { Tools } from './tools.js';

/**
 * How far a transaction is kept apart from others.
 *
 * - `'serializable-snapshot'`: all reads see the store at one revision; it is committed only if nothing it read, and
 *   nothing it writes, was changed since.
 * - `'serializable'`: all reads see the store at one revision; it is committed only if nothing it read was changed since.
 * - `'repeatable-reads'`: a key read twice reads the same; it is committed only if nothing it read was changed since. Reads
 *   of several keys may see different revisions until then, and are cheaper.
 * - `'read-committed'`: sees what was committed at some time, and is committed in any case: updates can be lost.
 *
 * @see etcd `concurrency.Isolation`
 */
export type Isolation = 'serializable-snapshot' | 'serializable' | 'repeatable-reads' | 'read-committed';

/** What an isolation level asks for. */
export interface IsolationRules {
  /** Whether all reads are of one revision. */
  readonly isSnapshot: boolean;
  /** Whether what was read has to be unchanged. */
  readonly checksReads: boolean;
  /** Whether what is written has to be unchanged since the snapshot. */
  readonly checksWrites: boolean;
}

/** What the transaction does with a key. */
type Write =
  | { readonly kind: 'put'; readonly key: Uint8Array; readonly value: Uint8Array; readonly details: StmPutDetails }
  | { readonly kind: 'delete'; readonly key: Uint8Array };

/** Options of a `put` in a transaction. */
export type StmPutDetails = Pick<PutValueDetails, 'lease' | 'ignoreLease'>;

/** What an attempt works with. */
export interface AttemptParts {
  readonly tools: Tools;
  readonly rules: IsolationRules;
  /** The signal, and what is left of the time. */
  readonly callOptions: () => CallOptions;
  /** Whether reads may be answered by any member from what it has, where the isolation allows. */
  readonly mayBeStale: boolean;
}

/** A key by its bytes, one character each: equal texts are equal keys. */
type KeyId = string;

/** What is sent to commit an attempt. */
export interface Commit {
  readonly compares: readonly Compare[];
  readonly operations: readonly Operation[];
  /** The keys compared, to find out which was changed. */
  readonly reads: readonly GetOperation[];
  /** The key that was changed by somebody else, of what those reads found. */
  readonly changedKey: (found: readonly (readonly KeyValue[])[]) => Uint8Array | undefined;
}

const NO_LEASE = '0';

/**
 * What the function given to `stm` reads and writes with. Usable until that function has ended.
 *
 * Reads see the writes of the same transaction. Nothing is written before the function has ended, and then all at once.
 */
export class StmTransaction {
  private readonly values = new Map<KeyId, Promise<KeyValue | undefined>>();
  private readonly reads = new Map<KeyId, { readonly key: Uint8Array; readonly modRevision: number }>();
  private readonly writes = new Map<KeyId, Write>();
  private snapshot: Promise<number> | undefined;
  private snapshotRevision: number | undefined;
  private isOver = false;
  private compacted: EtcdCompactedError | undefined;

  /** @internal made by `concurrency.stm()`. */
  constructor(private readonly parts: AttemptParts) {}

  /**
   * Reads a key.
   *
   * @returns `undefined` if it does not exist. A key that this transaction wrote comes with its new value and, since it is
   *   not committed, with revisions and version 0.
   */
  async get(key: Key): Promise<KeyValue | undefined> {
    const [kv] = await this.getAll([key]);
    return kv;
  }

  /** Reads several keys, all in one request if they were not read before. In the order in which they were asked for. */
  async getAll(keys: readonly Key[]): Promise<(KeyValue | undefined)[]> {
    this.requireOpen();
    const bytes = keys.map((key) => keyBytes(key));
    const unwritten = bytes.filter((key) => !this.writes.has(nameOfBytes(key)));
    await this.load(unwritten);
    for (const key of unwritten) this.noteRead(key, await this.values.get(nameOfBytes(key)));
    return Promise.all(bytes.map((key) => this.valueOf(key)));
  }

  /**
   * Reads the revision at which a key was last changed, in the store: what this transaction writes does not show in it.
   *
   * @returns 0 if it does not exist.
   * @see etcd `concurrency.STM.Rev`
   */
  async modRevision(key: Key): Promise<number> {
    this.requireOpen();
    const bytes = keyBytes(key);
    await this.load([bytes]);
    const kv = await this.values.get(nameOfBytes(bytes));
    this.noteRead(bytes, kv);
    return kv?.modRevision ?? 0;
  }

  /** Writes a key when the transaction is committed. Of several writes of a key the last one counts. */
  put(key: Key, value: Value, details: StmPutDetails = {}): void {
    this.requireOpen();
    const bytes = copyBytes(keyBytes(key));
    const written = copyBytes(toBytes(value, 'value'));
    put(bytes, written, details as PutValueDetails); // refuses what cannot be sent, here and not at the commit
    this.writes.set(nameOfBytes(bytes), { kind: 'put', key: bytes, value: written, details });
  }

  /** Deletes a key when the transaction is committed. */
  delete(key: Key): void {
    this.requireOpen();
    const bytes = copyBytes(keyBytes(key));
    this.writes.set(nameOfBytes(bytes), { kind: 'delete', key: bytes });
  }

  /** @internal Reads keys ahead, in as few requests as possible. What is not asked for after that counts as not read. */
  async prefetch(keys: readonly Uint8Array[]): Promise<void> {
    await this.load(keys);
  }

  /** @internal Nothing may be read or written any more. @returns the error that calls for another attempt, if there was one. */
  end(): EtcdCompactedError | undefined {
    this.isOver = true;
    return this.compacted;
  }

  /** @internal The keys that were read: worth reading ahead in another attempt. */
  readKeys(): readonly Uint8Array[] {
    return [...this.reads.values()].map(({ key }) => key);
  }

  /** @internal What has been read and written so far. */
  commit(): Commit {
    const compared = this.compared();
    return {
      compares: compared.map(({ condition }) => condition),
      operations: [...this.writes.values()].map(toOperation),
      reads: compared.map(({ key }) => get(key, { keysOnly: true })),
      changedKey: (found) =>
        compared.find(({ isUnchanged }, index) => !isUnchanged(found[index]?.[0]?.modRevision ?? 0))?.key,
    };
  }

  private requireOpen(): void {
    if (!this.isOver) return;
    throw new EtcdInvalidArgumentError('transaction', 'is over: it can be used only until its function has ended');
  }

  /** Asks for what was not asked for before. Requests that are under way are shared. */
  private async load(keys: readonly Uint8Array[]): Promise<void> {
    const missing = new Map<KeyId, Uint8Array>();
    for (const key of keys) {
      if (!this.values.has(nameOfBytes(key))) missing.set(nameOfBytes(key), copyBytes(key));
    }
    const list = [...missing.values()];
    const { maxTxnOperations } = this.parts.tools;
    for (let start = 0; start < list.length; start += maxTxnOperations) {
      const chunk = list.slice(start, start + maxTxnOperations);
      const request = this.request(chunk);
      chunk.forEach((key, index) => {
        const value = request.then((found) => found[index]);
        value.catch(() => this.values.delete(nameOfBytes(key))); // it may be asked for again
        this.values.set(nameOfBytes(key), value);
      });
    }
    await Promise.all(keys.flatMap((key) => this.values.get(nameOfBytes(key)) ?? []));
  }

  /** The first read of a snapshot says which revision it is of; the others wait for it. */
  private async request(keys: readonly Uint8Array[]): Promise<readonly (KeyValue | undefined)[]> {
    if (!this.parts.rules.isSnapshot) return (await this.readAt(keys, { serializable: this.parts.mayBeStale })).found;
    if (this.snapshot !== undefined) return this.readSnapshot(keys, await this.snapshot);
    const first = this.readAt(keys, {});
    this.snapshot = first.then(({ revision }) => (this.snapshotRevision = revision));
    this.snapshot.catch(() => (this.snapshot = undefined));
    return (await first).found;
  }

  /** Any member can tell what was at a revision, except one that lags behind, which is why a leader is asked then. */
  private async readSnapshot(
    keys: readonly Uint8Array[],
    revision: number,
  ): Promise<readonly (KeyValue | undefined)[]> {
    try {
      return (await this.readAt(keys, { revision, serializable: true })).found;
    } catch (error) {
      if (!(error instanceof EtcdFutureRevisionError)) throw error;
      return (await this.readAt(keys, { revision })).found;
    }
  }

  private async readAt(
    keys: readonly Uint8Array[],
    options: ReadOptions,
  ): Promise<{ readonly revision: number; readonly found: readonly (KeyValue | undefined)[] }> {
    const { tools, callOptions } = this.parts;
    try {
      const reads = keys.map((key) => get(key, options));
      const { header, found } = await readTogether(tools.kv, reads, callOptions());
      return { revision: header.revision, found: found.map(([kv]) => kv) };
    } catch (error) {
      if (error instanceof EtcdCompactedError) this.compacted = error;
      throw error;
    }
  }

  private noteRead(key: Uint8Array, kv: KeyValue | undefined): void {
    const id = nameOfBytes(key);
    if (!this.reads.has(id)) this.reads.set(id, { key: copyBytes(key), modRevision: kv?.modRevision ?? 0 });
  }

  private valueOf(key: Uint8Array): Promise<KeyValue | undefined> {
    const write = this.writes.get(nameOfBytes(key));
    if (write === undefined) return this.values.get(nameOfBytes(key)) ?? Promise.resolve(undefined);
    return Promise.resolve(write.kind === 'put' ? toUncommitted(write) : undefined);
  }

  /** What has to be as it was: what was read, and by the strictest isolation also what is only written. */
  private compared(): readonly Compared[] {
    const { rules } = this.parts;
    const reads = rules.checksReads
      ? [...this.reads.values()].map(({ key, modRevision }) => unchanged(key, modRevision))
      : [];
    const revision = this.snapshotRevision;
    if (!rules.checksWrites || revision === undefined) return reads;
    const blind = [...this.writes].filter(([id]) => !this.reads.has(id));
    return [...reads, ...blind.map(([, { key }]) => notNewer(key, revision))];
  }
}

/** A key and what has to be true of it. */
interface Compared {
  readonly key: Uint8Array;
  readonly condition: Compare;
  readonly isUnchanged: (modRevision: number) => boolean;
}

function unchanged(key: Uint8Array, modRevision: number): Compared {
  const condition = compare(key).modRevision('=', modRevision);
  return { key, condition, isUnchanged: (now) => now === modRevision };
}

function notNewer(key: Uint8Array, revision: number): Compared {
  const condition = compare(key).modRevision('<', revision + 1);
  return { key, condition, isUnchanged: (now) => now <= revision };
}

function toOperation(write: Write): Operation {
  if (write.kind === 'delete') return del(write.key);
  return put(write.key, write.value, write.details as PutValueDetails);
}

function toUncommitted({ key, value, details }: Extract<Write, { kind: 'put' }>): KeyValue {
  const lease = details.lease ?? NO_LEASE;
  return new KeyValue({ key, value, createRevision: 0, modRevision: 0, version: 0, lease });
}

/** @throws {EtcdTooManyOperationsError} when the transaction reads or writes more keys than one commit can hold. */
export function refuseTooManyKeys({ compares, operations }: Commit, limit: number): void {
  const [what, count] =
    compares.length > operations.length
      ? (['checks', compares.length] as const)
      : (['writes', operations.length] as const);
  if (count <= limit) return;
  throw new EtcdTooManyOperationsError(limit, `it ${what} ${count} keys; maxTxnOperations allows ${limit}`, {
    method: 'Concurrency.Stm',
  });
}
