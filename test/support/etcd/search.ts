/** One search for etcd: what is wanted, where copies are kept, and why each place so far had nothing. */
export interface Search {
  /** A release, a line of releases, `latest`, or `undefined` for the newest that runs. */
  readonly wanted: string | undefined;
  readonly cacheFolder: string;
  /** Told what takes long, in one line each. */
  readonly log: (line: string) => void;
  /** For the person who has to find out why nothing was found; one line for each place. */
  readonly tried: string[];
}

/** Notes why one place has nothing, and tells it at once: what comes next may take long. */
export function giveUp(search: Search, reason: string): undefined {
  search.tried.push(reason);
  search.log(reason);
}

export const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
