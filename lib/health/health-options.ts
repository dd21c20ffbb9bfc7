/** What a health check may ask for: meaning, default and range of each option, checked in one place. */
import { EtcdInvalidArgumentError, type EtcdClient } from '../client/index.js';

/** How many of the client's endpoints have to serve. */
export type EtcdHealthRequirement = 'any' | 'quorum' | 'all';

/** Options of `pingCheck`. */
export interface EtcdPingCheckOptions {
  /**
   * The client to look at: a name, or a client that was not made by `EtcdModule`.
   *
   * @default 'default'
   */
  readonly client?: string | EtcdClient | undefined;
  /**
   * Milliseconds the check may take. A tenth of it is kept back for the answer itself, so that a probe with the same
   * limit still reads the reason.
   *
   * @default 1_000
   * @remarks an integer from 10 to 60_000.
   */
  readonly timeoutMs?: number | undefined;
  /**
   * How many endpoints have to serve for the check to be up. An endpoint serves when it answers, knows a leader, and
   * its cluster has no CORRUPT alarm.
   *
   * - `'quorum'`: more than half, learners left out. As etcd itself, with all members listed.
   * - `'any'`: one. For endpoints that are a load balancer, or only some of the members.
   * - `'all'`: every one, learners too.
   *
   * @default 'quorum', which notices the loss of the majority at once; a lone member believes in its leader a while longer
   */
  readonly require?: EtcdHealthRequirement | undefined;
  /**
   * Also reads the key `health` with a quorum, which is what a call of the app needs. A refusal for lack of permission
   * counts as success.
   *
   * @default false
   */
  readonly linearizable?: boolean | undefined;
  /**
   * Milliseconds for which an answer may be given again, however many ask. One that is asked for after an endpoint has
   * come or gone is always new.
   *
   * @default 1_000
   * @remarks an integer from 0 to 60_000.
   */
  readonly cacheMs?: number | undefined;
}

/** The options of one check: complete and checked. */
export interface PingCheck {
  readonly timeoutMs: number;
  readonly require: EtcdHealthRequirement;
  readonly linearizable: boolean;
  readonly cacheMs: number;
}

const REQUIREMENTS: readonly string[] = ['any', 'quorum', 'all'] satisfies EtcdHealthRequirement[];
const LONGEST_MS = 60_000;
const SHORTEST_TIMEOUT_MS = 10;

/** @throws {EtcdInvalidArgumentError} when an option is out of range. */
export function resolvePingCheck(options: EtcdPingCheckOptions): PingCheck {
  const { require = 'quorum', linearizable = false } = options;
  if (!REQUIREMENTS.includes(require)) {
    throw new EtcdInvalidArgumentError('require', "must be 'any', 'quorum' or 'all'", require);
  }
  return {
    require,
    linearizable,
    timeoutMs: integerFrom('timeoutMs', options.timeoutMs ?? 1_000, SHORTEST_TIMEOUT_MS),
    cacheMs: integerFrom('cacheMs', options.cacheMs ?? 1_000, 0),
  };
}

function integerFrom(argument: string, value: number, min: number): number {
  if (Number.isInteger(value) && value >= min && value <= LONGEST_MS) return value;
  throw new EtcdInvalidArgumentError(argument, `must be an integer from ${min} to ${LONGEST_MS}`, value);
}
