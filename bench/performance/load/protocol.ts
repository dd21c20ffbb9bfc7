/** What the program of a subject is asked, and answers: one line of JSON each, over its standard input and output. */

/** What can be done with a client. */
export type Workload =
  'get' | 'put' | 'txn-read' | 'txn-write' | 'range' | 'watch' | 'leases' | 'view' | 'start' | 'memory';

/** One workload in one size. */
export interface Task {
  readonly id: string;
  readonly workload: Workload;
  /** Keys that are there already, all with the same start. */
  readonly prefix: string;
  readonly keys: number;
  readonly valueBytes: number;
  /** How many watches or leases. */
  readonly count: number;
  readonly ttlSeconds: number;
  /** The command that writes what is watched. */
  readonly flood: readonly string[];
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
