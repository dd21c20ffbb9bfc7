/** Starts etcd for tests and samples: one member or several, with TLS and authentication on demand. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AuthAdmin, prepareTokens, type AuthOptions } from './auth.js';
import { Etcd } from './cluster.js';
import { findEtcd } from './find.js';
import { memberArguments, type FlagValue, type MemberPlace } from './flags.js';
import { ask } from './http.js';
import { Member, PortTakenError } from './member.js';
import { freePorts } from './ports.js';
import { temporaryFolder } from './temporary-folder.js';
import { prepareTls, type ClusterTls, type TlsOptions } from './tls.js';

const PORT_ATTEMPTS = 5;

export interface StartOptions {
  /** A release (`3.4.23`), a line of releases (`3.5`), or `latest`. @default `ETCD_VERSION`, else the newest that runs */
  readonly version?: string | undefined;
  /** TLS for clients. @default false */
  readonly tls?: boolean | TlsOptions;
  /** Authentication, switched on before the members are handed over. @default false */
  readonly auth?: boolean | AuthOptions;
  /** Further flags of etcd by name, without dashes, such as `{ 'max-txn-ops': 256 }`. They win over ours. */
  readonly flags?: Readonly<Record<string, FlagValue>>;
  /** Told what takes long, such as a download, in one line each. */
  readonly log?: (line: string) => void;
}

export interface StartOneOptions extends StartOptions {
  /** Whether to start one even when `ETCD_ENDPOINTS` is set: for tests that kill it. @default false */
  readonly own?: boolean;
}

export interface StartClusterOptions extends StartOptions {
  /** @default 3 */
  readonly members?: number;
}

/**
 * One member, ready to be used. With `ETCD_ENDPOINTS` set, and nothing asked for that a foreign etcd may not have, a
 * handle around what runs there.
 *
 * @throws {Error} when no etcd can be had; its message lists what was tried.
 */
export function startEtcd(options: StartOneOptions = {}): Promise<Etcd> {
  const foreign = foreignEndpoints();
  const { own, version, tls, auth, flags } = options;
  const isPlain = !own && version === undefined && !tls && !auth && flags === undefined;
  return foreign && isPlain ? adopt(foreign) : start(1, options);
}

/** Several members with a leader, always started here. */
export function startCluster(options: StartClusterOptions = {}): Promise<Etcd> {
  return start(options.members ?? 3, options);
}

function foreignEndpoints(): string[] | undefined {
  const endpoints = (process.env['ETCD_ENDPOINTS'] ?? '').split(',').map((endpoint) => endpoint.trim());
  const named = endpoints.filter((endpoint) => endpoint !== '');
  return named.length === 0 ? undefined : named.map((name) => (name.includes('://') ? name : `http://${name}`));
}

/** A handle around an etcd that somebody else runs. */
async function adopt(endpoints: readonly string[]): Promise<Etcd> {
  const answer = await ask(`${endpoints[0]!}/version`).catch((error: unknown) => {
    throw new Error(`ETCD_ENDPOINTS names ${endpoints.join(', ')}, where no etcd answers`, { cause: error });
  });
  const { etcdserver } = JSON.parse(answer.body) as { etcdserver: string };
  return new Etcd({
    version: etcdserver,
    endpoints,
    members: [],
    binaries: undefined,
    tls: undefined,
    auth: (gateway) => new AuthAdmin(gateway),
    remove: () => Promise.resolve(),
  });
}

async function start(count: number, options: StartOptions): Promise<Etcd> {
  const binaries = await findEtcd({ version: options.version, log: options.log });
  const folder = await temporaryFolder();
  try {
    const tls = options.tls ? await prepareTls(folder.path, options.tls === true ? {} : options.tls) : undefined;
    const authOptions = typeof options.auth === 'object' ? options.auth : {};
    const tokens = await prepareTokens(folder.path, authOptions);
    const flags = { ...tls?.flags, ...tokens.flags, ...options.flags };
    const plan = { ...binaries, folder: folder.path, count, tls, flags };
    const members = await startMembers(plan);
    const etcd = new Etcd({
      version: binaries.version,
      endpoints: members.map((member) => member.endpoint),
      members,
      binaries,
      tls,
      auth: (gateway) => new AuthAdmin(gateway, authOptions.rootPassword, tokens.jwt),
      remove: () => folder.remove(),
    });
    if (options.auth) await etcd.auth.enable();
    return etcd;
  } catch (error) {
    await folder.remove();
    throw error;
  }
}

interface Plan {
  readonly etcd: string;
  readonly version: string;
  readonly folder: string;
  readonly count: number;
  readonly tls: ClusterTls | undefined;
  readonly flags: Readonly<Record<string, FlagValue>>;
}

/** Between picking a port and listening on it somebody else may take it: then all is begun anew on other ports. */
async function startMembers(plan: Plan): Promise<Member[]> {
  for (let attempt = 1; ; attempt++) {
    const places = await pickPlaces(plan);
    const members = places.map((place) => planMember(plan, place, places));
    try {
      await Promise.all(members.map((member) => member.start()));
      await Promise.all(members.map((member) => member.ready()));
      return members;
    } catch (error) {
      await Promise.all(members.map((member) => member.kill()));
      await Promise.all(places.map(({ dataFolder }) => rm(dataFolder, { recursive: true, force: true })));
      if (!(error instanceof PortTakenError) || attempt === PORT_ATTEMPTS) throw error;
    }
  }
}

async function pickPlaces({ count, folder, tls }: Plan): Promise<MemberPlace[]> {
  const ports = await freePorts(2 * count);
  return Array.from({ length: count }, (_, index) => ({
    name: `m${index}`,
    clientUrl: `${tls ? 'https' : 'http'}://127.0.0.1:${ports[2 * index]!}`,
    peerUrl: `http://127.0.0.1:${ports[2 * index + 1]!}`,
    dataFolder: join(folder, `m${index}`),
  }));
}

function planMember({ etcd, version, folder, tls, flags }: Plan, place: MemberPlace, cluster: MemberPlace[]): Member {
  return new Member({
    name: place.name,
    endpoint: place.clientUrl,
    binary: etcd,
    args: memberArguments({ version, place, cluster, clusterToken: `nest-etcd-${process.pid}`, flags }),
    logFile: join(folder, `${place.name}.log`),
    identity: tls?.nameless,
  });
}
