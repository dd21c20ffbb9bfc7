/** What views are built on: the store, or a part of it. Types only. */
import type { EtcdKv } from '../kv/kv.js';
import type { EtcdLease } from '../lease/lease.js';
import type { EtcdWatch } from '../watch/watch.js';

/** The services that read and change a store: an `EtcdClient` has them, and an `EtcdNamespace`. */
export interface EtcdStore {
  readonly kv: EtcdKv;
  readonly lease: EtcdLease;
  readonly watch: EtcdWatch;
}
