/** What a module with a namespace keeps to be recognised by. */
import type { EtcdScope } from '../etcd-scope.js';

/** A namespace under a name. */
export interface Feature {
  readonly name: string;
  readonly scope: EtcdScope;
}

export const FEATURE = 'ETCD_FEATURE';
export const FEATURE_ID = 'ETCD_FEATURE_ID';
