/** Whether a member that was set aside serves again: a linearizable read of one key, by a member that knows its leader. */
import { codecOf } from './codec.js';
import type { Probe } from './endpoint-connection.js';
import type { CallHeaders } from './headers.js';
import { RANGE } from './methods.js';
import { readFailure } from './status.js';
import { GrpcCode } from '../transport/transport.js';

/** The key that `etcdctl endpoint health` reads, so that a role that allows one allows both. */
const PROBE_KEY = 'health';

/**
 * Makes the probe of a client. A refusal for lack of permission or of a token is an answer too: the member serves.
 * No leader and "rpc not supported for learner" are not.
 */
export function linearizableProbe(headers: CallHeaders): Probe {
  return (transport, done) => {
    const message = codecOf('/etcdserverpb.KV/Range').encode({ key: Buffer.from(PROBE_KEY), limit: 1, keysOnly: true });
    return transport.unary(RANGE.path, headers.get(true), message, (status) => {
      if (status.code === GrpcCode.ok) return done(undefined);
      const { fate, reason } = readFailure(RANGE, status);
      done(fate === 'final' || fate === 'token' ? undefined : (reason ?? status.details));
    });
  };
}
