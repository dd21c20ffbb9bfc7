/** One look at every endpoint of a client at the same time. */
import { EtcdPermissionDeniedError, EtcdServerSideError, type EtcdClient } from '../client/index.js';
import { askEndpoint, type EtcdEndpointHealth } from './endpoint-health.js';

/** What was seen. */
export interface HealthRound {
  readonly endpoints: readonly EtcdEndpointHealth[];
  /** Why the linearizable read failed; `undefined` when it succeeded or was not asked for. */
  readonly readFailure: string | undefined;
}

/** The key that `etcdctl endpoint health` reads, so that a role that allows one allows both. */
const HEALTH_KEY = 'health';

/** Asks all endpoints, and with `linearizable` reads a key. Takes `timeoutMs` at most and never throws. */
export async function lookAround(client: EtcdClient, timeoutMs: number, linearizable: boolean): Promise<HealthRound> {
  const [readFailure, ...endpoints] = await Promise.all([
    linearizable ? readHealthKey(client, timeoutMs) : undefined,
    ...client.endpoints.map((endpoint) => askEndpoint(client, endpoint, timeoutMs)),
  ]);
  return { endpoints, readFailure };
}

async function readHealthKey(client: EtcdClient, timeoutMs: number): Promise<string | undefined> {
  try {
    await client.kv.get(HEALTH_KEY, { keysOnly: true, timeoutMs });
    return undefined;
  } catch (error) {
    if (error instanceof EtcdPermissionDeniedError) return undefined;
    if (error instanceof EtcdServerSideError) return error.serverMessage;
    return error instanceof Error ? error.message : String(error);
  }
}
