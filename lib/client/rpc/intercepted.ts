/** Hangs interceptors around calls and streams. Nothing of it is made for a client that has none. */
import type { EtcdError } from '../errors.js';
import type { UnarySpec } from './call-spec.js';
import type { EtcdCall, EtcdInterceptor, EtcdStreamObserver } from './interceptor.js';
import type { MethodInfo } from './rpc.js';

type Start<Res> = (spec: UnarySpec<Res>) => Promise<Res>;

/** A call as interceptors see it. Its map is made when one asks for it: most do not, and there may be thousands of calls. */
export class InterceptedCall implements EtcdCall {
  private map: Map<string, string> | undefined;

  constructor(
    readonly client: string,
    readonly method: MethodInfo,
    readonly request: object | undefined,
  ) {}

  get metadata(): Map<string, string> {
    return (this.map ??= new Map());
  }

  /** What was added to it, if anything was. */
  get added(): ReadonlyMap<string, string> | undefined {
    return this.map;
  }
}

/** The interceptors of a client, the first outermost. */
export class Interceptors {
  private readonly all: readonly EtcdInterceptor[];
  private readonly ofAttempts: readonly EtcdInterceptor[];

  constructor(interceptors: readonly EtcdInterceptor[]) {
    this.all = [...interceptors];
    this.ofAttempts = interceptors.filter((interceptor) => interceptor.attempt !== undefined);
  }

  /** Runs a unary call inside of them. */
  run<Res>(call: InterceptedCall, spec: UnarySpec<Res>, start: Start<Res>): Promise<Res> {
    const result = this.stage(0, call, () => {
      spec.metadata = call.added;
      spec.onAttempt = this.attemptHook(call);
      return start(spec);
    });
    return Promise.resolve(result).then((answer) => requireAnswer(answer, call) as Res);
  }

  /** One observer for all of them that want to know of a stream. */
  observe(call: EtcdCall): EtcdStreamObserver | undefined {
    const observers = this.all.flatMap((interceptor) => interceptor.stream?.(call) ?? []);
    if (observers.length === 0) return undefined;
    return {
      sent: () => observers.forEach((observer) => observer.sent?.()),
      received: () => observers.forEach((observer) => observer.received?.()),
      ended: (error: EtcdError | undefined) => observers.forEach((observer) => observer.ended?.(error)),
    };
  }

  private stage(index: number, call: EtcdCall, start: () => Promise<unknown>): Promise<unknown> {
    const interceptor = this.all[index];
    if (interceptor === undefined) return start();
    if (interceptor.unary === undefined) return this.stage(index + 1, call, start);
    return interceptor.unary(
      call,
      once(() => this.stage(index + 1, call, start)),
    );
  }

  private attemptHook(call: EtcdCall): UnarySpec<unknown>['onAttempt'] {
    if (this.ofAttempts.length === 0) return undefined;
    return (number, endpoint) => {
      const ends = this.ofAttempts.flatMap((interceptor) => interceptor.attempt?.(call, { number, endpoint }) ?? []);
      return (error) => ends.forEach((end) => end(error));
    };
  }
}

/**
 * A second `next()` would send a write twice. What an inner interceptor throws is always a rejection.
 *
 * No async function: its promise would follow the one of the call only after three more turns of the queue.
 */
function once(next: () => Promise<unknown>): () => Promise<unknown> {
  let called = false;
  return () => {
    if (called) return Promise.reject(new Error('an interceptor called next() twice'));
    called = true;
    try {
      return Promise.resolve(next());
    } catch (error) {
      const thrown = error as Error;
      return Promise.reject(thrown);
    }
  };
}

/** Everything above goes by an answer's shape. Who forgets to return it hears of that, and not of what it leads to. */
function requireAnswer(answer: unknown, { method }: EtcdCall): object {
  if (typeof answer === 'object' && answer !== null) return answer;
  throw new Error(`an interceptor of ${method.label} returned ${String(answer)} instead of what next() resolves to`);
}
