/** What everything in this folder works with: the services it is built on, time and chance, and the client's limits. */
import type { Clock, Random } from '../clock.js';
import type { EtcdKv } from '../kv/kv.js';
import type { EtcdLease } from '../lease/lease.js';
import type { AbortListeners } from '../rpc/abort-listeners.js';
import type { EtcdWatch } from '../watch/watch.js';

/** The services that locks, elections and the like are built on, as far as they need them. */
export interface ConcurrencyServices {
  readonly kv: Pick<EtcdKv, 'get' | 'range' | 'txn'>;
  readonly lease: Pick<EtcdLease, 'grant' | 'keepAlive' | 'keepAliveOnce' | 'revoke'>;
  readonly watch: Pick<EtcdWatch, 'watch' | 'follow'>;
}

/** The limits of the client that matter here. */
export interface ConcurrencyLimits {
  /** Milliseconds for a call whose caller does not say. */
  readonly callTimeoutMs: number;
  /** The most compares, and the most operations per branch, of one transaction. */
  readonly maxTxnOperations: number;
}

/** Something that has to end with the client. */
export interface Closable {
  closeWithClient(): Promise<void>;
}

/** Everything that is shared by what one client makes. */
export interface Tools extends ConcurrencyServices, ConcurrencyLimits {
  readonly clock: Clock;
  readonly random: Random;
  /** Hangs waits on the signals of callers. */
  readonly aborts: AbortListeners;
  /** Aborts when the client closes, once leases are revoked: ends what goes on in the background. */
  readonly closing: AbortSignal;
  /** What holds leases, to be given back when the client closes. */
  readonly open: Set<Closable>;
}
