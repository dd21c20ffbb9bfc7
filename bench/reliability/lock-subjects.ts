/** The locks and elections of the clients that are measured, behind one face. */
import { Etcd3 } from 'etcd3';
import { EtcdClient } from '../../lib/client/client.js';
import type { SubjectName } from './subjects.js';

/** A leadership that was won. Times are milliseconds on the monotonic clock. */
export interface Term {
  /** Resolves with the time at which the leader was told that it does not lead any more. */
  readonly lostAt: Promise<number>;
  resign(): Promise<void>;
}

/** A client that locks and campaigns. */
export interface LockSubject {
  /** Waits to lead. */
  campaign(election: string, value: string, ttlSeconds: number): Promise<Term>;
  /** Takes a lock. @returns how to give it back. */
  lock(name: string): Promise<() => Promise<void>>;
  close(): Promise<void>;
}

/** Makes a client by its name. */
export function makeLockSubject(name: SubjectName, endpoints: readonly string[]): LockSubject {
  return name === 'nest-etcd' ? ours(endpoints) : peer(endpoints);
}

function ours(endpoints: readonly string[]): LockSubject {
  const client = new EtcdClient({ endpoints });
  return {
    campaign: async (election, value, ttlSeconds) => {
      const leadership = await client.concurrency.campaign(election, value, { ttlSeconds });
      return { lostAt: leadership.lost.then(() => performance.now()), resign: () => leadership.resign() };
    },
    lock: async (name) => {
      const lock = await client.concurrency.acquire(name);
      return () => lock.release();
    },
    close: () => client.close(),
  };
}

function peer(endpoints: readonly string[]): LockSubject {
  const client = new Etcd3({ hosts: [...endpoints] });
  return {
    campaign: async (election, value, ttlSeconds) => {
      const campaign = client.election(election, ttlSeconds).campaign(value);
      const lostAt = new Promise<number>((resolve) => campaign.on('error', () => resolve(performance.now())));
      await campaign.wait();
      return { lostAt, resign: () => campaign.resign() };
    },
    lock: async (name) => {
      const lock = await client.lock(name).acquire();
      return async () => {
        await lock.release();
      };
    },
    close: () => {
      client.close();
      return Promise.resolve();
    },
  };
}
