/** Watches as Observables. */
import { Observable, type Subscriber } from 'rxjs';

/**
 * Makes a cold Observable of a watch: each subscription opens one of its own, and unsubscribing closes it. It completes
 * when the watch is closed and fails with the typed error that the loop would throw, also with what `open` throws.
 *
 * Observables cannot hold back: whatever comes is passed on at once, and operators such as `concatMap` keep any amount that
 * waits. Work that takes time per event is safer in a loop, whose watch is paused while it is behind.
 *
 * @param open opens what is to be read: `watch()`, its `responses()`, `follow()`, its `batches()`, or a loop over a
 *   live view.
 *
 * @example
 * fromEtcdWatch(() => this.watch.watch(prefix('jobs/'), { only: 'put' })).subscribe({
 *   next: ({ kv }) => this.jobs.add(kv.key),
 *   error: (error: EtcdError) => this.logger.error(error.message),
 * });
 */
export function fromEtcdWatch<Change>(open: () => AsyncIterable<Change>): Observable<Change> {
  return new Observable((subscriber) => {
    const loop = open()[Symbol.asyncIterator]();
    void read(loop, subscriber);
    return () => void loop.return?.().catch(() => undefined);
  });
}

/** Unlike a `for await`, it can be ended while it waits. */
async function read<Change>(loop: AsyncIterator<Change>, subscriber: Subscriber<Change>): Promise<void> {
  try {
    for (;;) {
      const result = await loop.next();
      if (result.done === true) break;
      subscriber.next(result.value);
    }
    subscriber.complete();
  } catch (error) {
    subscriber.error(error);
  }
}
