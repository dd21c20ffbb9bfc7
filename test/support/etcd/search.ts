/** One search for etcd, and the list of reasons that a person gets when nothing was found. */
export interface Search {
  /** A release, a line of releases, `latest`, or `undefined` for the newest that runs. */
  readonly wanted: string | undefined;
  readonly cacheFolder: string;
  /** Told what takes long, in one line each. */
  readonly log: (line: string) => void;
  /** Why each place so far had nothing. */
  readonly tried: string[];
}

/** Every place that was left to try failed; the reasons are in {@link Search.tried}. */
export class NothingFoundError extends Error {}

/**
 * Makes one attempt after the other until one succeeds; each failure's message is noted in `search.tried`.
 *
 * @param tell told each failure at once, for attempts after which the next may take long.
 * @throws {NothingFoundError} when all fail.
 */
export async function firstOf<T>(
  search: Search,
  attempts: readonly (() => Promise<T>)[],
  tell: (reason: string) => void = () => undefined,
): Promise<T> {
  for (const attempt of attempts) {
    try {
      return await attempt();
    } catch (error) {
      if (error instanceof NothingFoundError) continue; // its reasons are noted already
      const reason = error instanceof Error ? error.message : String(error);
      search.tried.push(reason);
      tell(reason);
    }
  }
  throw new NothingFoundError('nothing found');
}

/** Runs `work`; its error says where it happened. */
export async function at<T>(place: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof NothingFoundError) throw error;
    throw new Error(`${place}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
