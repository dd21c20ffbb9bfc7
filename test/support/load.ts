/** A steady load of reads and writes against a cluster, with a record of every call, and the checks of that record. */
import { setTimeout as delay } from 'node:timers/promises';
import type { EtcdClient } from '../../lib/client/client.js';
import { EtcdError } from '../../lib/client/errors.js';
import type { Etcd } from './etcd/cluster.js';
import { runningMs } from './running-time.js';

/** One call of the load. Times are those of `runningMs()`. */
export interface LoadRecord {
  readonly kind: 'read' | 'write';
  /** Writes go to a key of their own, so that its version tells how often it was applied. */
  readonly key: string;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly error: EtcdError | undefined;
}

/** How to load. */
export interface LoadOptions {
  /** Calls per second, started whether or not earlier ones have ended. @default 50 */
  readonly perSecond?: number;
  readonly prefix: string;
  /** Reads per write. @default 1 */
  readonly readsPerWrite?: number;
}

/** A load that runs until it is stopped. */
export class Load {
  readonly records: LoadRecord[] = [];
  private readonly running = new Set<Promise<void>>();
  private stopped = false;
  private count = 0;
  private readonly loop: Promise<void>;

  constructor(
    private readonly client: EtcdClient,
    private readonly options: LoadOptions,
  ) {
    this.loop = this.run();
  }

  /** Starts no more calls, and resolves when the last one has ended. */
  async stop(): Promise<void> {
    this.stopped = true;
    await this.loop;
    await Promise.all(this.running);
  }

  /** Calls that failed. */
  failures(kind: LoadRecord['kind']): readonly LoadRecord[] {
    return this.records.filter((record) => record.kind === kind && record.error !== undefined);
  }

  /** The longest time in which no call succeeded, from `since` on. */
  longestGapMs(since = 0): number {
    const successes = this.records
      .filter(({ error, endedAt }) => error === undefined && endedAt >= since)
      .map(({ endedAt }) => endedAt)
      .sort((a, b) => a - b);
    return successes.reduce((longest, at, index) => Math.max(longest, at - (successes[index - 1] ?? at)), 0);
  }

  /** The longest a call took, from `since` on. */
  slowestMs(kind: LoadRecord['kind'], since = 0): number {
    const taken = this.records.filter((record) => record.kind === kind && record.startedAt >= since);
    return Math.max(0, ...taken.map(({ startedAt, endedAt }) => endedAt - startedAt));
  }

  private async run(): Promise<void> {
    const { perSecond = 50, readsPerWrite = 1 } = this.options;
    const pauseMs = 1_000 / perSecond;
    let nextAt = performance.now();
    while (!this.stopped) {
      const index = this.count++;
      const call = this.call(index % (readsPerWrite + 1) === 0 ? 'write' : 'read', index);
      this.running.add(call);
      void call.finally(() => this.running.delete(call));
      nextAt += pauseMs;
      await delay(Math.max(0, nextAt - performance.now()));
    }
  }

  private async call(kind: LoadRecord['kind'], index: number): Promise<void> {
    const key = kind === 'write' ? `${this.options.prefix}${index}` : `${this.options.prefix}read`;
    const startedAt = runningMs();
    let error: EtcdError | undefined;
    try {
      if (kind === 'write') await this.client.kv.put(key, `value ${index}`);
      else await this.client.kv.get(key);
    } catch (caught) {
      if (!(caught instanceof EtcdError)) throw caught;
      error = caught;
    }
    this.records.push({ kind, key, startedAt, endedAt: runningMs(), error });
  }
}

/** What of a record cannot be true, given what the store holds. */
export interface WriteAudit {
  /** Acknowledged, and not there. */
  readonly lost: readonly string[];
  /** There more than once. */
  readonly appliedTwice: readonly string[];
  /** Said to be not applied, and there. */
  readonly lies: readonly string[];
  /** Failed writes whose error does not say what became of them. */
  readonly silent: readonly string[];
  readonly acknowledged: number;
  readonly unknown: number;
  readonly unknownApplied: number;
}

/** Holds every write of a load against the store, read without our client. */
export async function auditWrites(etcd: Etcd, load: Load, prefix: string): Promise<WriteAudit> {
  const stored = new Map((await etcd.gateway.getPrefix(prefix)).map((kv) => [kv.key, kv.version]));
  const writes = load.records.filter(({ kind }) => kind === 'write');
  const keys = (matches: (record: LoadRecord) => boolean): string[] => writes.filter(matches).map(({ key }) => key);
  return {
    lost: keys(({ error, key }) => error === undefined && !stored.has(key)),
    appliedTwice: keys(({ key }) => (stored.get(key) ?? 0) > 1),
    lies: keys(({ error, key }) => error?.outcome === 'not-applied' && stored.has(key)),
    silent: keys(({ error }) => error !== undefined && error.outcome === undefined),
    acknowledged: keys(({ error }) => error === undefined).length,
    unknown: keys(({ error }) => error?.outcome === 'unknown').length,
    unknownApplied: keys(({ error, key }) => error?.outcome === 'unknown' && stored.has(key)).length,
  };
}

/** The audit of a load in which nothing was lost, doubled or lied about. */
export const CLEAN_AUDIT = { lost: [], appliedTwice: [], lies: [], silent: [] } as const;
