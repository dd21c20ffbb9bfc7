/** Waiting that comes to an end: the shutdown of an app must not hang on one part of it. */

/** @returns whether the work ended in time. @throws what the work throws in time */
export async function isSettledWithin(work: Promise<void>, timeoutMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), timeoutMs);
  });
  try {
    return await Promise.race([work.then(() => true), timeout]);
  } finally {
    clearTimeout(timer);
  }
}
