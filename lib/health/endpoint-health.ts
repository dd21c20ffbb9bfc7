/** What one endpoint says of itself, asked once. */
import {
  EtcdAuthenticationError,
  EtcdDeadlineExceededError,
  EtcdPermissionDeniedError,
  EtcdServerSideError,
  EtcdUnavailableError,
  type EtcdClient,
  type MemberStatus,
} from '../client/index.js';

/** One endpoint in the answer of a health check. Facts that are not known are left out. */
export interface EtcdEndpointHealth {
  /** As it was given to the client; never holds credentials. */
  readonly endpoint: string;
  /** Whether it answered, be it with a refusal for lack of permission. */
  readonly reachable: boolean;
  /** Why it did not answer, or why it does not serve. */
  readonly reason?: string;
  /** The server's release. */
  readonly version?: string;
  /** The member's ID. */
  readonly member?: string;
  /** The ID of the leader the member knows. */
  readonly leader?: string;
  readonly isLeader?: boolean;
  readonly learner?: boolean;
  /** Bytes of the database file. */
  readonly dbSize?: number;
  /** Bytes of it in use. */
  readonly dbSizeInUse?: number;
  /** Kinds of alarms the member knows of, for example `NOSPACE`. */
  readonly alarms?: readonly string[];
}

/** Asks one endpoint for its status. Never throws. */
export async function askEndpoint(
  client: EtcdClient,
  endpoint: string,
  timeoutMs: number,
): Promise<EtcdEndpointHealth> {
  const known = client.stats().endpoints.find((status) => status.endpoint === endpoint);
  // It is tried again in the background and will be noticed then; waiting for it here would make every check slow.
  if (known?.state === 'backoff') return { endpoint, reachable: false, reason: known.reason ?? 'not connected' };
  try {
    return fromStatus(endpoint, await client.maintenance.status(endpoint, { timeoutMs }));
  } catch (error) {
    return fromError(endpoint, error, timeoutMs);
  }
}

/** Whether calls of the app can be served through it, as far as it tells. One that may not tell is taken at its word. */
export function isServing(endpoint: EtcdEndpointHealth): boolean {
  return endpoint.reachable && endpoint.reason === undefined;
}

function fromStatus(endpoint: string, status: MemberStatus): EtcdEndpointHealth {
  const { version, leader, isLearner, dbSize, dbSizeInUse } = status;
  const member = status.header.memberId;
  const alarms = alarmsIn(status.errors);
  return {
    endpoint,
    reachable: true,
    ...reasonIn(leader, alarms),
    version,
    member,
    ...(leader !== undefined && { leader }),
    isLeader: leader === member,
    learner: isLearner,
    dbSize,
    dbSizeInUse,
    alarms,
  };
}

function reasonIn(leader: string | undefined, alarms: readonly string[]): { readonly reason?: string } {
  if (leader === undefined) return { reason: 'the member knows no leader' };
  if (alarms.includes('CORRUPT')) return { reason: 'alarm CORRUPT: members differ, and etcd refuses reads and writes' };
  return {};
}

/**
 * Status lists alarms among its errors, as `memberID:8429 alarm:NOSPACE`. Asking for them by `Alarm` would be a
 * proposal to the cluster, written to every member's log, at each check.
 *
 * @see etcd `server/etcdserver/api/v3rpc/maintenance.go`, `Status`
 */
function alarmsIn(errors: readonly string[]): readonly string[] {
  const kinds = errors.flatMap((text) => /\balarm:(\w+)/.exec(text)?.[1] ?? []);
  return [...new Set(kinds)];
}

function fromError(endpoint: string, error: unknown, timeoutMs: number): EtcdEndpointHealth {
  if (error instanceof EtcdPermissionDeniedError) return { endpoint, reachable: true };
  if (error instanceof EtcdAuthenticationError) return { endpoint, reachable: true, reason: error.serverMessage };
  return { endpoint, reachable: false, reason: reasonOf(endpoint, error, timeoutMs) };
}

/** The shortest text that says what is wrong: the endpoint is named beside it already. */
function reasonOf(endpoint: string, error: unknown, timeoutMs: number): string {
  if (error instanceof EtcdServerSideError) return error.serverMessage;
  if (error instanceof EtcdUnavailableError || error instanceof EtcdDeadlineExceededError) {
    const failure = error.endpoints.find((one) => one.endpoint === endpoint);
    if (failure !== undefined) return failure.reason;
  }
  if (error instanceof EtcdDeadlineExceededError) return `no answer within ${timeoutMs} ms`;
  return error instanceof Error ? error.message : String(error);
}
