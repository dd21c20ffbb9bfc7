/** The conditions of a transaction. */
import { EtcdInvalidArgumentError } from '../errors.js';
import { toBytes, type KeyRange, type KeyRangeLike, type Value } from '../key-range.js';
import type * as wire from '../rpc/generated/messages.js';
import { requireLease, requireWholeNumber } from './arguments.js';
import { ownBytes, ownRange } from './own-bytes.js';

/** How what is stored has to stand to what is given. */
export type Comparison = '=' | '!=' | '>' | '<';

/** One condition of a transaction. Made by {@link compare}, {@link keyExists} and {@link keyMissing}. */
export interface Compare {
  readonly kind: 'compare';
  /** The condition as it is sent. */
  readonly request: wire.Compare;
}

const RESULTS: ReadonlyMap<unknown, wire.CompareResult> = new Map([
  ['=', 'EQUAL'],
  ['!=', 'NOT_EQUAL'],
  ['>', 'GREATER'],
  ['<', 'LESS'],
] as const);

/**
 * What can be compared of a key. On a range, the condition has to hold for each key in it.
 *
 * A key that does not exist, and a range that holds none, compare as 0, and by value as never true.
 */
export class CompareSubject {
  /** @internal use {@link compare}. */
  constructor(private readonly range: KeyRange) {}

  /**
   * Compares how often the key was written since it was created; 0 for a key that does not exist.
   *
   * @throws {EtcdInvalidArgumentError} when `version` is not a whole number.
   * @example
   * compare('a').version('=', 1); // written once
   */
  version(comparison: Comparison, version: number): Compare {
    return this.condition(comparison, { target: 'VERSION', version: requireWholeNumber('version', version) });
  }

  /**
   * Compares the revision at which the key was created; 0 for a key that does not exist.
   *
   * @throws {EtcdInvalidArgumentError} when `revision` is not a whole number.
   * @example
   * compare(lockKey).createRevision('=', fencingToken);
   */
  createRevision(comparison: Comparison, revision: number): Compare {
    const createRevision = requireWholeNumber('createRevision', revision);
    return this.condition(comparison, { target: 'CREATE', createRevision });
  }

  /**
   * Compares the revision of the last change of the key; 0 for a key that does not exist.
   *
   * @throws {EtcdInvalidArgumentError} when `revision` is not a whole number.
   * @example
   * compare('a').modRevision('=', kv.modRevision); // nobody changed it since
   */
  modRevision(comparison: Comparison, revision: number): Compare {
    const modRevision = requireWholeNumber('modRevision', revision);
    return this.condition(comparison, { target: 'MOD', modRevision });
  }

  /**
   * Compares the value, byte by byte. Never true for a key that does not exist, not even with `'!='`.
   *
   * @throws {EtcdInvalidArgumentError} when `value` is neither text nor bytes.
   * @example
   * compare('state').value('=', 'idle');
   */
  value(comparison: Comparison, value: Value): Compare {
    return this.condition(comparison, { target: 'VALUE', value: ownBytes(value, toBytes(value, 'value')) });
  }

  /**
   * Compares the lease the key is attached to. `'0'` stands for no lease, and for a key that does not exist.
   *
   * @throws {EtcdInvalidArgumentError} when `lease` is not the ID of a lease.
   * @example
   * compare('worker/1').lease('=', lease.id);
   */
  lease(comparison: Comparison, lease: string): Compare {
    return this.condition(comparison, { target: 'LEASE', lease: requireLease('lease', lease) });
  }

  private condition(comparison: Comparison, operand: wire.Compare): Compare {
    const result = RESULTS.get(comparison);
    if (result === undefined) {
      const rule = `must be one of ${[...RESULTS.keys()].map((name) => `'${String(name)}'`).join(', ')}`;
      throw new EtcdInvalidArgumentError('comparison', rule, comparison);
    }
    const { key, rangeEnd } = this.range;
    return { kind: 'compare', request: { ...operand, result, key, rangeEnd } };
  }
}

/**
 * Starts a condition on a key, or on every key of a range.
 *
 * @throws {EtcdInvalidArgumentError} when the key is empty.
 * @see etcd `clientv3.Compare`, `Cmp.WithRange`, `Cmp.WithPrefix`
 *
 * @example
 * const unchanged = compare('a').modRevision('=', kv.modRevision);
 * const allOld = compare(prefix('jobs/')).modRevision('<', 1_000);
 */
export function compare(key: KeyRangeLike): CompareSubject {
  return new CompareSubject(ownRange(key));
}

/**
 * Holds if the key exists; for a range, if it holds a key.
 *
 * @throws {EtcdInvalidArgumentError} when the key is empty.
 * @see etcd `clientv3util.KeyExists`
 *
 * @example
 * await etcd.kv.txn().if(keyExists('config')).then(put('config', 'new')).commit();
 */
export function keyExists(key: KeyRangeLike): Compare {
  return compare(key).version('>', 0);
}

/**
 * Holds if the key does not exist; for a range, if it holds none.
 *
 * @throws {EtcdInvalidArgumentError} when the key is empty.
 * @see etcd `clientv3util.KeyMissing`
 *
 * @example
 * await etcd.kv.txn().if(keyMissing('config')).then(put('config', 'first')).commit();
 */
export function keyMissing(key: KeyRangeLike): Compare {
  return compare(key).version('=', 0);
}
