/** What the program of a subject is asked, and answers: one line of JSON each, over its standard input and output. */

/** What can be done with a client. */
export type Workload =
  | 'get'
  | 'put'
  | 'metered-get'
  | 'metered-put'
  | 'txn-read'
  | 'txn-write'
  | 'range'
  | 'watch'
  | 'history'
  | 'leases'
  | 'view'
  | 'start'
  | 'memory';

/** One workload in one size. */
export interface Task {
  readonly id: string;
  readonly workload: Workload;
  /** Keys that are there already, all with the same start. */
  readonly prefix: string;
  readonly keys: number;
  readonly valueBytes: number;
  /** How often each of these keys was written. */
  readonly versions: number;
  /** How many watches or leases. */
  readonly count: number;
  readonly ttlSeconds: number;
  /** The command that writes what is watched. */
  readonly flood: readonly string[];
  /** The process of the server, whose processor time is counted too. */
  readonly serverPid: number;
}

/** How long, and how much at a time. */
export interface Trial {
  readonly inFlight: number;
  readonly seconds: number;
  /** Ends the trial early. */
  readonly maxOperations: number;
}

/** Figures of one trial, by name. */
export type Figures = Readonly<Record<string, number>>;

export type Question =
  | { readonly what: 'prepare'; readonly task: Task }
  | { readonly what: 'measure'; readonly task: string; readonly trial: Trial };

export type Answer = { readonly figures: Figures } | { readonly error: string };
