/** Events on `node:diagnostics_channel`, for tracers that hook in from outside. Costs one check while nobody listens. */
import { channel } from 'node:diagnostics_channel';
import type { EtcdError } from '../errors.js';
import type { EtcdAttempt, EtcdCall, EtcdInterceptor } from './interceptor.js';

/** Names of the channels. Messages are the plain objects given at each. */
export const DIAGNOSTICS = {
  /** `{ call }` when a unary call starts. */
  callStart: 'nest-etcd:call:start',
  /** `{ call, attempt }` for each try of a unary call. */
  callAttempt: 'nest-etcd:call:attempt',
  /** `{ call, error }` when a unary call ends; `error` is `undefined` when it succeeded. */
  callEnd: 'nest-etcd:call:end',
  /** `{ call }` when a stream opens. */
  streamStart: 'nest-etcd:stream:start',
  /** `{ call, error }` when a stream ends. */
  streamEnd: 'nest-etcd:stream:end',
  /** `{ client, endpoint }` once for each client whose credentials go over a network without TLS. */
  credentialsInTheClear: 'nest-etcd:credentials-in-the-clear',
} as const;

const callStart = channel(DIAGNOSTICS.callStart);
const callAttempt = channel(DIAGNOSTICS.callAttempt);
const callEnd = channel(DIAGNOSTICS.callEnd);
const streamStart = channel(DIAGNOSTICS.streamStart);
const streamEnd = channel(DIAGNOSTICS.streamEnd);
const credentialsInTheClear = channel(DIAGNOSTICS.credentialsInTheClear);

/** @param client the client's name. */
export function publishCredentialsInTheClear(client: string, endpoint: string): void {
  credentialsInTheClear.publish({ client, endpoint });
}

/** Whether anyone listens, so that a call has to take the longer way through the interceptors. */
export function hasDiagnosticsListener(): boolean {
  return (
    callEnd.hasSubscribers ||
    callStart.hasSubscribers ||
    callAttempt.hasSubscribers ||
    streamStart.hasSubscribers ||
    streamEnd.hasSubscribers
  );
}

/** Publishes what the other interceptors see. It is the outermost one. */
export const diagnosticsInterceptor: EtcdInterceptor = {
  async unary(call, next) {
    callStart.publish({ call });
    try {
      const answer = await next();
      callEnd.publish({ call, error: undefined });
      return answer;
    } catch (error) {
      callEnd.publish({ call, error });
      throw error;
    }
  },
  stream(call: EtcdCall) {
    streamStart.publish({ call });
    return { ended: (error: EtcdError | undefined) => streamEnd.publish({ call, error }) };
  },
  attempt(call: EtcdCall, attempt: EtcdAttempt) {
    callAttempt.publish({ call, attempt });
    return undefined;
  },
};
