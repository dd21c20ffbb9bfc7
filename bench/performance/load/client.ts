/** The face behind which all clients do the same work. Each does it as its own documentation shows it. */

export interface LoadClient {
  /** Reads one key as text. @returns its length */
  get(key: string): Promise<number>;
  put(key: string, value: string): Promise<unknown>;
  /** Reads two keys in a transaction, if the first is there. */
  readTxn(key: string, other: string): Promise<unknown>;
  /** Writes a key in a transaction, if it is there. */
  writeTxn(key: string, value: string): Promise<unknown>;
  /** Reads all keys with this start, and looks at each key and value as text. @returns how much text that is */
  range(prefix: string): Promise<number>;
  /** Watches a key, or all keys with a start, from now on or from the past. Resolves when the watch is in place. */
  watch(what: Watched, onEvent: (value: string) => void): Promise<unknown>;
  /** Grants a lease and keeps it alive from then on. Not every client can. */
  keepAlive?(ttlSeconds: number): Promise<unknown>;
  /** How many renewals have been acknowledged. */
  renewals?(): number;
  /** A copy of a range in memory. Not every client has one. */
  view?(prefix: string): Promise<(key: string) => string | undefined>;
  close(): Promise<void>;
}

export type Watched = ({ readonly key: string } | { readonly prefix: string }) & {
  /** The first revision to report, itself included; left out for what happens from now on. */
  readonly startRevision?: number;
};

/** Makes a client that has not connected yet. */
export type MakeClient = (endpoint: string) => LoadClient;
