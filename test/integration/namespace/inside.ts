/**
 * Runs the suite of a service a second time, as it is, inside a namespace: clients have the services of a namespace, and
 * the view past the client, through etcd's own gateway, is of the same part of the store. All that ever was in the store is
 * looked at in the end.
 */
import { afterAll, expect, jest } from '@jest/globals';
import { EtcdClient, type EtcdClientOptions } from '../../../lib/client/client.js';
import * as support from '../../support/index.js';
import type { AuthAdmin, Etcd, Gateway, Permission, StoredEvent, StoredKey } from '../../support/index.js';

const NAMESPACE = 'inside/of/';

/** What there ever was in the store of one etcd. To be read before a compaction, and at the end. */
class Diary {
  readonly keys = new Set<string>();
  private nextRevision = 1;

  constructor(private readonly gateway: Gateway) {}

  async read(): Promise<void> {
    for (const { kv } of await this.gateway.history('', this.nextRevision)) {
      this.keys.add(kv.key);
      this.nextRevision = kv.modRevision + 1;
    }
  }
}

const diaries: Diary[] = [];

/** Nobody is there to read when the suite has killed all members. */
async function readDiaries(): Promise<void> {
  await Promise.allSettled(diaries.map((diary) => diary.read()));
}

/** A client all of whose services are those of its namespace. */
class InsideClient extends EtcdClient {
  constructor(options: EtcdClientOptions) {
    super(options);
    const { kv, watch, lease, concurrency } = this.namespace(NAMESPACE);
    const compact = kv.compact.bind(kv);
    kv.compact = async (...args) => {
      await readDiaries();
      return compact(...args);
    };
    Object.assign(this, { kv, watch, lease, concurrency });
  }
}

/** The gateway, for keys of the namespace. */
function gatewayInside(gateway: Gateway): Gateway {
  const toStore = (key: string | Buffer): Buffer => Buffer.concat([Buffer.from(NAMESPACE), Buffer.from(key)]);
  const fromStore = (stored: StoredKey): StoredKey => {
    const keyBytes = stored.keyBytes.subarray(Buffer.byteLength(NAMESPACE));
    return { ...stored, keyBytes, key: keyBytes.toString() };
  };
  const fromEvent = (event: StoredEvent): StoredEvent => ({ ...event, kv: fromStore(event.kv) });
  const inside: Partial<Gateway> = {
    put: (key, value, options) => gateway.put(toStore(key), value, options),
    get: async (key) => {
      const found = await gateway.get(toStore(key));
      return found && fromStore(found);
    },
    getPrefix: async (prefix) => (await gateway.getPrefix(toStore(prefix))).map(fromStore),
    delete: (key) => gateway.delete(toStore(key)),
    compact: async (...args) => {
      await readDiaries();
      await gateway.compact(...args);
    },
    deletePrefix: (prefix) => gateway.deletePrefix(toStore(prefix)),
    history: async (prefix, fromRevision) =>
      (await gateway.history(toStore(prefix ?? ''), fromRevision)).map(fromEvent),
  };
  return Object.assign(Object.create(gateway) as Gateway, inside);
}

/** Permissions are of the store, and name keys as the store does. */
function authInside(auth: AuthAdmin): Partial<AuthAdmin> {
  const grant = auth.grantPermission.bind(auth);
  const revoke = auth.revokePermission.bind(auth);
  const toStore = <P extends Partial<Permission>>({ key, prefix, ...rest }: P): P =>
    ({ ...rest, ...(key === undefined ? { prefix: NAMESPACE + (prefix ?? '') } : { key: NAMESPACE + key }) }) as P;
  return {
    grantPermission: (role, permission) => grant(role, toStore(permission)),
    revokePermission: (role, permission) => revoke(role, toStore(permission)),
  };
}

function inside(etcd: Etcd): Etcd {
  const { gateway } = etcd;
  diaries.push(new Diary(gateway));
  const stop = etcd.stop.bind(etcd);
  Object.assign(etcd.auth, authInside(etcd.auth));
  return Object.assign(etcd, {
    gateway: gatewayInside(gateway),
    stop: async () => {
      await readDiaries();
      await stop();
    },
  });
}

/**
 * Runs a suite inside the namespace.
 *
 * @param importSuite imports its file, which defines the tests.
 */
export async function runInside(importSuite: () => Promise<unknown>): Promise<void> {
  process.env['TEST_NAMESPACE'] = NAMESPACE; // for programs that the suite starts
  jest.unstable_mockModule('../../../lib/client/client.js', () => ({ EtcdClient: InsideClient }));
  jest.unstable_mockModule('../../support/index.js', () => ({
    ...support,
    startEtcd: async (options: support.StartOneOptions) => inside(await support.startEtcd({ ...options, own: true })),
    startCluster: async (options: support.StartClusterOptions) => inside(await support.startCluster(options)),
  }));
  await importSuite();
  // Behind the suite's own, which stops etcd.
  afterAll(() => {
    const keys = diaries.flatMap((diary) => [...diary.keys]);
    expect(keys.filter((key) => !key.startsWith(NAMESPACE))).toEqual([]);
    expect(keys.length).toBeGreaterThan(0);
  });
}
