/** The watches and leases of the clients that are measured, behind one face. */
import { Etcd3 } from 'etcd3';
import { EtcdClient } from '../../lib/client/client.js';
import { prefix } from '../../lib/client/key-range.js';
import type { SubjectName } from './subjects.js';

/** Told of each event: its key, and the revision that it made. */
export type OnEvent = (key: string, revision: number) => void;

/** A lease that is kept alive. */
export interface Held {
  /** Resolves with the time, on the monotonic clock, at which its holder was told that it is lost. */
  readonly lostAt: Promise<number>;
}

/** A client that watches and holds leases. */
export interface StreamSubject {
  /** Watches what begins so. Resolves when the server has the watch in place. */
  watch(start: string, onEvent: OnEvent, startRevision?: number): Promise<void>;
  /** Writes a key that lives as long as its holder. */
  hold(key: string, ttlSeconds: number): Promise<Held>;
  close(): Promise<void>;
}

/** Makes a client by its name. */
export function makeStreamSubject(name: SubjectName, endpoints: readonly string[]): StreamSubject {
  return name === 'nest-etcd' ? ours(endpoints) : peer(endpoints);
}

function ours(endpoints: readonly string[]): StreamSubject {
  const client = new EtcdClient({ endpoints });
  return {
    watch: async (start, onEvent, startRevision) => {
      const watcher = client.watch.watch(prefix(start), { startRevision });
      const read = async (): Promise<void> => {
        for await (const { kv, revision } of watcher) onEvent(kv.key, revision);
      };
      void read().catch(() => undefined); // it ends with the client
      await watcher.created;
    },
    hold: async (key, ttlSeconds) => {
      const { id } = await client.lease.grant(ttlSeconds);
      await client.kv.put(key, 'held', { lease: id });
      return { lostAt: client.lease.keepAlive(id).lost.then(() => performance.now()) };
    },
    close: () => client.close(),
  };
}

function peer(endpoints: readonly string[]): StreamSubject {
  const client = new Etcd3({ hosts: [...endpoints] });
  return {
    watch: async (start, onEvent, startRevision) => {
      const builder = client.watch().prefix(start);
      const watcher = await (
        startRevision === undefined ? builder : builder.startRevision(String(startRevision))
      ).create();
      const tell = (kv: { readonly key: Buffer; readonly mod_revision: string }): void =>
        onEvent(kv.key.toString(), Number(kv.mod_revision));
      watcher.on('put', tell);
      watcher.on('delete', tell);
    },
    hold: async (key, ttlSeconds) => {
      const lease = client.lease(ttlSeconds);
      await lease.put(key).value('held');
      return { lostAt: new Promise((resolve) => lease.on('lost', () => resolve(performance.now()))) };
    },
    close: () => {
      client.close();
      return Promise.resolve();
    },
  };
}
