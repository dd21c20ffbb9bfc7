/** Finds the member that leads, and an endpoint that is surely it: moving the leader is refused by every other member. */
import { parseEndpoint } from '../endpoint.js';
import {
  EtcdAbortedError,
  EtcdClosedError,
  EtcdDeadlineExceededError,
  EtcdError,
  EtcdUnavailableError,
  describeFailures,
  type EndpointFailure,
  type ErrorContext,
} from '../errors.js';
import { MEMBER_LIST, MOVE_LEADER, STATUS } from '../rpc/methods.js';
import type * as wire from '../rpc/generated/messages.js';
import type { Rpc } from '../rpc/rpc.js';
import { EtcdAuthenticationError, EtcdNoLeaderError, EtcdPermissionDeniedError } from '../server-errors.js';
import type { TimeBudget } from './time-budget.js';

/** What a search may use. */
interface LeaderSearch {
  readonly rpc: Rpc;
  /** The client's endpoints: asked first, since they are known to be good for this client. */
  readonly endpoints: readonly string[];
  readonly budget: TimeBudget;
  readonly signal: AbortSignal | undefined;
}

/** What was asked and what came of it. */
interface Survey {
  /** The endpoint whose member says of itself that it leads. */
  readonly found: string | undefined;
  /** Who leads, by the member with the newest view; `undefined` when nobody knows. */
  readonly leader: string | undefined;
  readonly answers: number;
  readonly failures: readonly EndpointFailure[];
}

/** A member that does not answer by then is not worth waiting for: the others know the leader too. */
const STATUS_TIMEOUT_MS = 2_000;

/** The search is part of a write that was not sent yet. */
const CONTEXT: ErrorContext = { method: MOVE_LEADER.label, outcome: 'not-applied' };

/**
 * The endpoint of the member that leads: one of the client's, else one of the addresses that the leader itself has made
 * known in the member list. Each is asked, and only a member that says of itself that it leads counts, so that an
 * address behind which another one answers (a load balancer, a `localhost` of somebody else) is not taken for its.
 *
 * @throws {EtcdNoLeaderError} when the cluster has no leader now.
 * @throws {EtcdUnavailableError} when no endpoint answers, or none of them is the leader's; `endpoints` says why.
 */
export async function findLeaderEndpoint(search: LeaderSearch): Promise<string> {
  try {
    const own = await survey(search, search.endpoints);
    if (own.found !== undefined) return own.found;
    const leader = requireLeader(own);
    const urls = await advertisedUrls(search, leader);
    const advertised = await survey(search, urls);
    if (advertised.found !== undefined) return advertised.found;
    throw unreachable(leader, [...own.failures, ...advertised.failures]);
  } catch (error) {
    throw asMoveLeaderError(error);
  }
}

function requireLeader({ leader, answers, failures }: Survey): string {
  if (leader !== undefined) return leader;
  if (answers > 0) {
    const serverMessage = 'no member knows a leader: an election is under way, or there is no quorum';
    throw new EtcdNoLeaderError({ reason: 'NoLeader', serverMessage }, CONTEXT);
  }
  throw new EtcdUnavailableError(`no endpoint tells who leads: ${describeFailures(failures)}`, failures, CONTEXT);
}

function unreachable(leader: string, failures: readonly EndpointFailure[]): EtcdUnavailableError {
  const tried = failures.length === 0 ? '' : ` (${describeFailures(failures)})`;
  return new EtcdUnavailableError(
    `the leader ${leader} cannot be reached by any endpoint of this client or address of the member list${tried}; ` +
      'add its endpoint to the client',
    failures,
    CONTEXT,
  );
}

/** Asks all at once, and ends as soon as the leader has answered. */
async function survey(search: LeaderSearch, endpoints: readonly string[]): Promise<Survey> {
  const enough = new AbortController();
  const signal = search.signal === undefined ? enough.signal : AbortSignal.any([search.signal, enough.signal]);
  const statuses: wire.StatusResponse[] = [];
  const failures: EndpointFailure[] = [];
  let found: string | undefined;
  const ask = async (endpoint: string): Promise<void> => {
    try {
      const timeoutMs = search.budget.left(STATUS_TIMEOUT_MS);
      const status = await search.rpc.unary(STATUS, {}, { endpoint, signal, timeoutMs });
      statuses.push(status);
      if (status.header?.memberId !== status.leader) return;
      found ??= endpoint;
      enough.abort();
    } catch (error) {
      if (found === undefined) failures.push(toFailure(endpoint, error));
    }
  };
  await Promise.all(endpoints.map(ask)).finally(() => enough.abort());
  return { found, leader: newestLeader(statuses), answers: statuses.length, failures };
}

/** @throws what no other endpoint can mend. */
function toFailure(endpoint: string, error: unknown): EndpointFailure {
  if (isFinal(error)) throw error;
  return { endpoint, reason: reasonFor(endpoint, error) };
}

/** The reason alone, where the error has it as a fact: its message would name method and endpoint once more. */
function reasonFor(endpoint: string, error: unknown): string {
  const known = error instanceof EtcdUnavailableError ? error.endpoints : [];
  const failure = known.find((candidate) => candidate.endpoint === endpoint);
  return failure?.reason ?? (error instanceof Error ? error.message : String(error));
}

/** A member that was cut off may name a leader of the past: the highest term is the newest view. */
function newestLeader(statuses: readonly wire.StatusResponse[]): string | undefined {
  const knowing = statuses.filter(({ leader }) => leader !== '0');
  return knowing.sort((a, b) => b.raftTerm - a.raftTerm)[0]?.leader;
}

/** The leader's client URLs, without those that were asked already or would send the token in the clear. */
async function advertisedUrls({ rpc, endpoints, budget, signal }: LeaderSearch, leader: string): Promise<string[]> {
  const answer = await rpc.unary(MEMBER_LIST, { linearizable: false }, { signal, timeoutMs: budget.left() });
  const urls = answer.members.find(({ ID }) => ID === leader)?.clientURLs ?? [];
  const isSecure = endpoints.some((endpoint) => parseEndpoint(endpoint, 'endpoint').security === 'tls');
  return urls.filter((url) => !endpoints.includes(url) && !(isSecure && url.startsWith('http://')));
}

function isFinal(error: unknown): boolean {
  return (
    error instanceof EtcdAbortedError ||
    error instanceof EtcdClosedError ||
    error instanceof EtcdPermissionDeniedError ||
    error instanceof EtcdAuthenticationError
  );
}

/** The same error, told of the call the user made: of a write that was not sent. */
function asMoveLeaderError(cause: unknown): unknown {
  const context = { ...CONTEXT, cause };
  if (cause instanceof EtcdAbortedError) return new EtcdAbortedError({ ...CONTEXT, cause: cause.cause });
  if (cause instanceof EtcdClosedError) return new EtcdClosedError(CONTEXT);
  if (cause instanceof EtcdPermissionDeniedError) return new EtcdPermissionDeniedError(cause, context);
  if (cause instanceof EtcdAuthenticationError) return new EtcdAuthenticationError(cause, context);
  if (cause instanceof EtcdDeadlineExceededError) {
    return new EtcdDeadlineExceededError(cause.timeoutMs, 'looking for the leader', cause.endpoints, context);
  }
  if (!(cause instanceof EtcdError) || cause.method === MOVE_LEADER.label) return cause;
  const endpoints = cause instanceof EtcdUnavailableError ? cause.endpoints : [];
  return new EtcdUnavailableError('the addresses of the leader cannot be had, see cause', endpoints, context);
}
