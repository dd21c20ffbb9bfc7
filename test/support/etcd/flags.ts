/** The command line of one member. Pure, so that what a version needs can be tested without it. */
import { compareVersions } from './version.js';

export type FlagValue = string | number | boolean;

/** Where one member lives. */
export interface MemberPlace {
  readonly name: string;
  readonly clientUrl: string;
  readonly peerUrl: string;
  readonly dataFolder: string;
}

export interface MemberFlags {
  readonly version: string;
  readonly place: MemberPlace;
  /** All members the cluster starts with. */
  readonly cluster: readonly MemberPlace[];
  readonly clusterToken: string;
  /** Flags by name, without dashes; they win over ours. */
  readonly flags: Readonly<Record<string, FlagValue>>;
}

/** @returns the arguments for `etcd`, one string for each flag. */
export function memberArguments({ version, place, cluster, clusterToken, flags }: MemberFlags): string[] {
  const all: Record<string, FlagValue> = {
    name: place.name,
    'data-dir': place.dataFolder,
    'listen-client-urls': place.clientUrl,
    'advertise-client-urls': place.clientUrl,
    'listen-peer-urls': place.peerUrl,
    'initial-advertise-peer-urls': place.peerUrl,
    'initial-cluster': cluster.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(','),
    'initial-cluster-token': clusterToken,
    ...electionTimes(cluster.length),
    logger: 'zap',
    'log-level': 'warn',
    'log-outputs': 'stderr',
    ...(compareVersions(version, '3.5.0') >= 0 && { 'unsafe-no-fsync': true }),
    ...flags,
  };
  return Object.entries(all).map(([name, value]) => `--${name}=${value}`);
}

/** Short, so that tests need not wait for elections; a member on its own has no peers that a busy machine could keep from it. */
function electionTimes(members: number): Record<string, FlagValue> {
  const [heartbeatMs, electionMs] = members === 1 ? [20, 100] : [50, 500];
  return { 'heartbeat-interval': heartbeatMs, 'election-timeout': electionMs };
}

/** The flag for how often a quiet watch is told how far it has come; it lost its `experimental-` in 3.6. @param interval such as `1s` */
export function progressNotifyFlag(version: string, interval: string): Readonly<Record<string, string>> {
  const isNew = compareVersions(version, '3.6.0') >= 0;
  return { [`${isNew ? '' : 'experimental-'}watch-progress-notify-interval`]: interval };
}
