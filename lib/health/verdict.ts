/** From what was seen to up, degraded or down. Pure. */
import { isServing, type EtcdEndpointHealth } from './endpoint-health.js';
import type { EtcdHealthRequirement } from './health-options.js';
import type { HealthRound } from './health-round.js';

/** What the health check tells, beside its status. */
export interface EtcdHealthDetails extends Record<string, unknown> {
  /** What is wrong, when something is. */
  readonly message?: string;
  /** The release of the oldest member that told one. */
  readonly version?: string;
  /** The leader's member ID, when members that told one agree. */
  readonly leader?: string;
  /** Bytes of the largest database file among the members. */
  readonly dbSize?: number;
  /** Kinds of alarms, for example `NOSPACE`. */
  readonly alarms: readonly string[];
  /** How many endpoints serve. */
  readonly serving: number;
  readonly endpoints: readonly EtcdEndpointHealth[];
}

/** What to answer. */
export interface Verdict {
  readonly status: 'up' | 'degraded' | 'down';
  readonly details: EtcdHealthDetails;
}

/** Judges a round by what is required. */
export function judge(round: HealthRound, require: EtcdHealthRequirement): Verdict {
  const { endpoints, readFailure } = round;
  const alarms = [...new Set(endpoints.flatMap((endpoint) => endpoint.alarms ?? []))];
  const missing = missingFor(endpoints, require);
  const complaints = [
    ...(missing === undefined ? [] : [missing]),
    ...(readFailure === undefined ? [] : [`the linearizable read failed: ${readFailure}`]),
  ];
  const worries = [
    ...endpoints.flatMap(({ endpoint, reason }) => (reason === undefined ? [] : [`${endpoint}: ${reason}`])),
    ...alarms.filter((kind) => kind !== 'CORRUPT').map((kind) => `alarm ${kind} is raised`),
  ];
  const message = [...complaints, ...worries].join('; ');
  return {
    status: complaints.length > 0 ? 'down' : worries.length > 0 ? 'degraded' : 'up',
    details: { ...(message !== '' && { message }), ...factsOf(endpoints), alarms, ...listOf(endpoints) },
  };
}

function missingFor(endpoints: readonly EtcdEndpointHealth[], require: EtcdHealthRequirement): string | undefined {
  const counted = require === 'all' ? endpoints : endpoints.filter(({ learner }) => learner !== true);
  const needed = { any: 1, quorum: Math.floor(counted.length / 2) + 1, all: counted.length }[require];
  const serving = counted.filter(isServing).length;
  if (serving >= needed) return undefined;
  return `${serving} of ${counted.length} endpoints serve, ${needed} needed (require: '${require}')`;
}

/** The facts that a glance looks for, so that nobody has to search the list for them. */
function factsOf(endpoints: readonly EtcdEndpointHealth[]): Pick<EtcdHealthDetails, 'version' | 'leader' | 'dbSize'> {
  const versions = endpoints.flatMap(({ version }) => version ?? []).sort(byRelease);
  const leaders = new Set(endpoints.flatMap(({ leader }) => leader ?? []));
  const sizes = endpoints.flatMap(({ dbSize }) => dbSize ?? []);
  const [version] = versions;
  const [leader] = leaders;
  return {
    ...(version !== undefined && { version }),
    ...(leader !== undefined && leaders.size === 1 && { leader }),
    ...(sizes.length > 0 && { dbSize: Math.max(...sizes) }),
  };
}

function byRelease(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}

function listOf(endpoints: readonly EtcdEndpointHealth[]): Pick<EtcdHealthDetails, 'serving' | 'endpoints'> {
  return { serving: endpoints.filter(isServing).length, endpoints };
}
