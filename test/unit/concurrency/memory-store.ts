/** A store with etcd's rules in memory: revisions, conditions, history and compaction. No time, no network. */
import { KeyRange } from '../../../lib/client/key-range.js';
import type * as wire from '../../../lib/client/rpc/generated/messages.js';
import {
  EtcdCompactedError,
  EtcdFutureRevisionError,
  EtcdLeaseNotFoundError,
} from '../../../lib/client/server-errors.js';

const NO_BYTES = new Uint8Array(0);
const NO_LEASE = '0';

/** What one revision changed. */
export interface StoredChange {
  readonly revision: number;
  readonly events: readonly wire.Event[];
}

type Keys = ReadonlyMap<string, wire.KeyValue>;

const idOf = (key: Uint8Array): string => Buffer.from(key).toString('latin1');

export class MemoryStore {
  revision = 1;
  compactRevision = 0;
  readonly leases = new Set<string>();
  readonly history: StoredChange[] = [];
  private keys: Keys = new Map();
  private readonly snapshots = new Map<number, Keys>([[1, this.keys]]);

  range(request: wire.RangeRequest): wire.RangeResponse {
    const asked = request.revision ?? 0;
    if (asked > this.revision) throw new EtcdFutureRevisionError({ reason: 'FutureRev', serverMessage: 'future' });
    if (asked > 0 && asked < this.compactRevision) {
      throw new EtcdCompactedError({ reason: 'Compacted', serverMessage: 'compacted' });
    }
    const keys = asked === 0 ? this.keys : this.snapshots.get(asked)!;
    const inRange = select(keys, request);
    const bounded = inRange.filter((kv) => isWithin(kv, request)).sort(orderOf(request));
    const limit = request.limit ?? 0;
    const kvs = limit > 0 ? bounded.slice(0, limit) : bounded;
    const shown = request.keysOnly === true ? kvs.map((kv) => ({ ...kv, value: NO_BYTES })) : kvs;
    return { header: null, kvs: shown, more: kvs.length < bounded.length, count: inRange.length };
  }

  /** @throws {EtcdLeaseNotFoundError} when a put names a lease that is not there; nothing changes then. */
  txn({ compare = [], success = [], failure = [] }: wire.TxnRequest): Omit<wire.TxnResponse, 'header'> {
    const succeeded = compare.every((condition) => this.holds(condition));
    const change = new Change(this.keys, this.revision + 1, this.leases);
    const responses = (succeeded ? success : failure).map((operation) => this.run(operation, change));
    this.apply(change);
    return { succeeded, responses };
  }

  /** Ends a lease, with its keys. */
  endLease(id: string): boolean {
    const change = new Change(this.keys, this.revision + 1, this.leases);
    for (const kv of this.keys.values()) {
      if (kv.lease === id) change.delete(kv.key);
    }
    this.apply(change);
    return this.leases.delete(id);
  }

  compact(revision: number): void {
    this.compactRevision = revision;
  }

  /** The keys that start so, by key. */
  keysOf(start: string): string[] {
    return [...this.keys.values()]
      .map(({ key }) => Buffer.from(key).toString())
      .filter((key) => key.startsWith(start))
      .sort();
  }

  get(key: string): wire.KeyValue | undefined {
    return this.keys.get(idOf(Buffer.from(key)));
  }

  private holds({ key = NO_BYTES, rangeEnd = NO_BYTES, target, result, ...operands }: wire.Compare): boolean {
    const found = select(this.keys, { key, rangeEnd });
    const missing: Partial<wire.KeyValue> = { createRevision: 0, modRevision: 0, version: 0, lease: NO_LEASE };
    const subjects: Partial<wire.KeyValue>[] = found.length > 0 ? found : [missing];
    return subjects.every((kv) => {
      if (target === 'VALUE')
        return kv.value !== undefined && verdict(result, Buffer.compare(kv.value, operands.value!));
      if (target === 'LEASE') return verdict(result, kv.lease === (operands.lease ?? NO_LEASE) ? 0 : 1);
      const [has, asked] =
        target === 'CREATE'
          ? [kv.createRevision!, operands.createRevision ?? 0]
          : target === 'MOD'
            ? [kv.modRevision!, operands.modRevision ?? 0]
            : [kv.version!, operands.version ?? 0];
      return verdict(result, has - asked);
    });
  }

  private run(operation: wire.RequestOp, change: Change): wire.ResponseOp {
    if (operation.requestPut !== undefined) {
      change.put(operation.requestPut);
      return { responsePut: { header: null, prevKv: null } };
    }
    if (operation.requestDeleteRange !== undefined) {
      const found = select(change.keys, operation.requestDeleteRange);
      for (const { key } of found) change.delete(key);
      return { responseDeleteRange: { header: null, deleted: found.length, prevKvs: [] } };
    }
    const request = operation.requestRange!;
    if (change.events.length === 0) return { responseRange: this.range(request) };
    return { responseRange: change.read(request) };
  }

  private apply(change: Change): void {
    if (change.events.length === 0) return;
    this.keys = change.keys;
    this.revision = change.revision;
    this.snapshots.set(this.revision, this.keys);
    this.history.push({ revision: this.revision, events: change.events });
  }
}

/** What a transaction is about to change; its own reads see it. */
class Change {
  readonly keys: Map<string, wire.KeyValue>;
  readonly events: wire.Event[] = [];

  constructor(
    before: Keys,
    readonly revision: number,
    private readonly leases: ReadonlySet<string>,
  ) {
    this.keys = new Map(before);
  }

  put({ key = NO_BYTES, value = NO_BYTES, lease = NO_LEASE }: wire.PutRequest): void {
    if (lease !== NO_LEASE && !this.leases.has(lease)) {
      throw new EtcdLeaseNotFoundError(
        { reason: 'LeaseNotFound', serverMessage: 'etcdserver: requested lease not found' },
        { outcome: 'not-applied' },
      );
    }
    const before = this.keys.get(idOf(key));
    const { createRevision, version } = before ?? { createRevision: this.revision, version: 0 };
    const kv = { key, value, createRevision, modRevision: this.revision, version: version + 1, lease };
    this.keys.set(idOf(key), kv);
    this.events.push({ type: 'PUT', kv, prevKv: null });
  }

  delete(key: Uint8Array): void {
    if (!this.keys.delete(idOf(key))) return;
    const kv = { key, value: NO_BYTES, createRevision: 0, modRevision: this.revision, version: 0, lease: NO_LEASE };
    this.events.push({ type: 'DELETE', kv, prevKv: null });
  }

  read(request: wire.RangeRequest): wire.RangeResponse {
    const view = new MemoryStore();
    Object.assign(view, { keys: this.keys, revision: this.revision });
    return view.range(request);
  }
}

function select(keys: Keys, { key = NO_BYTES, rangeEnd = NO_BYTES }: wire.RangeRequest): wire.KeyValue[] {
  const range = new KeyRange(key, rangeEnd);
  return [...keys.values()].filter((kv) => range.contains(kv.key));
}

function isWithin(kv: wire.KeyValue, request: wire.RangeRequest): boolean {
  const { minModRevision = 0, maxModRevision = 0, minCreateRevision = 0, maxCreateRevision = 0 } = request;
  return (
    kv.modRevision >= minModRevision &&
    kv.createRevision >= minCreateRevision &&
    (maxModRevision === 0 || kv.modRevision <= maxModRevision) &&
    (maxCreateRevision === 0 || kv.createRevision <= maxCreateRevision)
  );
}

function orderOf({ sortOrder, sortTarget = 'KEY' }: wire.RangeRequest): (a: wire.KeyValue, b: wire.KeyValue) => number {
  const sign = sortOrder === 'DESCEND' ? -1 : 1;
  const field = { CREATE: 'createRevision', MOD: 'modRevision', VERSION: 'version' } as const;
  return (a, b) => {
    if (sortTarget === 'KEY' || sortTarget === 'VALUE') return sign * Buffer.compare(a.key, b.key);
    const name = field[sortTarget as keyof typeof field];
    return sign * (a[name] - b[name]);
  };
}

function verdict(result: wire.Compare['result'], difference: number): boolean {
  if (result === 'EQUAL') return difference === 0;
  if (result === 'NOT_EQUAL') return difference !== 0;
  return result === 'GREATER' ? difference > 0 : difference < 0;
}
