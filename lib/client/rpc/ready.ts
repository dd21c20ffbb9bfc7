/** Waits until a client can serve its first call, or says why it cannot. */
import type { Clock } from '../clock.js';
import {
  EtcdAbortedError,
  EtcdClosedError,
  EtcdUnavailableError,
  describeFailures,
  type EtcdError,
} from '../errors.js';
import type { Endpoints } from './endpoints.js';

/**
 * Resolves once one endpoint is ready.
 *
 * @throws {EtcdUnavailableError} after `timeoutMs`, or at once when only a change of the configuration can help.
 */
export function waitUntilReady(
  endpoints: Endpoints,
  clock: Clock,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let cancelWait: (() => void) | undefined;
    const settle = (error: EtcdError | undefined): void => {
      cancelWait?.();
      cancelTimer();
      signal?.removeEventListener('abort', onAbort);
      if (error === undefined) resolve();
      else reject(error);
    };
    const onAbort = (): void => settle(new EtcdAbortedError({ cause: signal?.reason }));
    const cancelTimer = clock.after(timeoutMs, () => settle(unavailable(endpoints, `within ${timeoutMs} ms`)));
    const check = (): void => {
      if (endpoints.isClosed) return settle(new EtcdClosedError());
      if (endpoints.pick()?.state.name === 'ready') return settle(undefined);
      if (endpoints.hopeless(undefined) !== undefined) return settle(unavailable(endpoints, 'as it is configured'));
      cancelWait = endpoints.wait(check);
    };
    signal?.addEventListener('abort', onAbort);
    if (signal?.aborted === true) onAbort();
    else check();
  });
}

function unavailable(endpoints: Endpoints, when: string): EtcdUnavailableError {
  const failures = endpoints.failures();
  return new EtcdUnavailableError(`no endpoint can be used ${when}: ${describeFailures(failures)}`, failures);
}
