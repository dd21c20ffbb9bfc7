/** Hangs interceptors around calls and streams. Nothing of it is made for a client that has none. */
import type { EtcdError } from '../errors.js';
import type { UnarySpec } from './call-spec.js';
import type { EtcdCall, EtcdInterceptor, EtcdStreamObserver } from './interceptor.js';

/** Runs a unary call inside its interceptors, the first outermost. */
export function runIntercepted<Res>(
  interceptors: readonly EtcdInterceptor[],
  call: EtcdCall,
  spec: UnarySpec<Res>,
  start: (spec: UnarySpec<Res>) => Promise<Res>,
): Promise<Res> {
  const from = (index: number): Promise<unknown> => {
    const interceptor = interceptors[index];
    if (interceptor === undefined) {
      return start({ ...spec, metadata: call.metadata, onAttempt: attemptHook(interceptors, call) });
    }
    const next = (): Promise<unknown> => from(index + 1);
    return interceptor.unary === undefined ? next() : interceptor.unary(call, once(next));
  };
  return answered<Res>(from(0), call);
}

/** Everything above goes by an answer's shape. Who forgets to return it hears of that, and not of what it leads to. */
async function answered<Res>(result: Promise<unknown>, { method }: EtcdCall): Promise<Res> {
  const answer = await result;
  if (typeof answer === 'object' && answer !== null) return answer as Res;
  throw new Error(`an interceptor of ${method.label} returned ${String(answer)} instead of what next() resolves to`);
}

/** A second `next()` would send a write twice. Async, so that what an inner interceptor throws is always a rejection. */
function once(next: () => Promise<unknown>): () => Promise<unknown> {
  let called = false;
  return async () => {
    if (called) throw new Error('an interceptor called next() twice');
    called = true;
    return next();
  };
}

function attemptHook(interceptors: readonly EtcdInterceptor[], call: EtcdCall): UnarySpec<unknown>['onAttempt'] {
  const interested = interceptors.filter((interceptor) => interceptor.attempt !== undefined);
  if (interested.length === 0) return undefined;
  return (number, endpoint) => {
    const ends = interested.flatMap((interceptor) => interceptor.attempt?.(call, { number, endpoint }) ?? []);
    return (error) => ends.forEach((end) => end(error));
  };
}

/** One observer for all interceptors that want to know of a stream. */
export function observeStream(
  interceptors: readonly EtcdInterceptor[],
  call: EtcdCall,
): EtcdStreamObserver | undefined {
  const observers = interceptors.flatMap((interceptor) => interceptor.stream?.(call) ?? []);
  if (observers.length === 0) return undefined;
  return {
    sent: () => observers.forEach((observer) => observer.sent?.()),
    received: () => observers.forEach((observer) => observer.received?.()),
    ended: (error: EtcdError | undefined) => observers.forEach((observer) => observer.ended?.(error)),
  };
}
