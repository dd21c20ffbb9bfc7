/** What a unary call is asked to do, and what the calls of a client share. Types only. */
import type { Clock, Random } from '../clock.js';
import type { EtcdError } from '../errors.js';
import type { AbortListeners } from './abort-listeners.js';
import type { Endpoints } from './endpoints.js';
import type { CallHeaders } from './headers.js';
import type { Effect, MethodInfo } from './rpc.js';
import type { TokenSource } from './token-source.js';

/** What calls share. */
export interface CallContext {
  readonly endpoints: Endpoints;
  readonly headers: CallHeaders;
  readonly tokens: TokenSource | undefined;
  readonly aborts: AbortListeners;
  readonly clock: Clock;
  readonly random: Random;
  /** Told before each repetition. */
  readonly onRetry: () => void;
  /** Whether more calls are under way than may be while one that was never sent has to wait. */
  readonly isOverloaded: () => boolean;
  readonly maxPendingCalls: number;
}

/** One call, resolved: nothing optional is left open. */
export interface UnarySpec<Res> {
  readonly method: MethodInfo;
  readonly message: Uint8Array;
  readonly decode: (bytes: Uint8Array) => Res;
  readonly effect: Effect;
  readonly idempotent: boolean;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  readonly endpoint: string | undefined;
  readonly requireLeader: boolean;
  /** Whether to authenticate first; only `Authenticate` itself does not. */
  readonly useToken: boolean;
  /** What interceptors add; set by them before the call starts. */
  metadata: ReadonlyMap<string, string> | undefined;
  /** Told of each attempt; the answer is called at its end. Set before the call starts, if an interceptor wants to know. */
  onAttempt: ((number: number, endpoint: string) => (error: EtcdError | undefined) => void) | undefined;
}
