/** Refuses clusters whose servers are older than what this client is made for. */
import { EtcdUnsupportedError } from '../errors.js';
import { STATUS } from './methods.js';
import type { CallOptions, Rpc } from './rpc.js';

/** The oldest release that knows everything the client relies on: client-chosen watch IDs, fragments, progress requests. */
const OLDEST = '3.4';

/**
 * Asks every endpoint for its release. Members that do not answer, or do not tell without a permission, are passed over.
 *
 * @throws {EtcdUnsupportedError} naming the first member that is older than 3.4.
 * @see etcd `clientv3.Config.RejectOldCluster`, which also fails when a member cannot be reached
 */
export async function rejectOldMembers(rpc: Rpc, endpoints: readonly string[], options: CallOptions): Promise<void> {
  const versions = await Promise.all(endpoints.map((endpoint) => versionOf(rpc, endpoint, options)));
  versions.forEach((version, index) => {
    if (version === undefined || !isOlder(version, OLDEST)) return;
    throw new EtcdUnsupportedError(`etcd ${version}`, OLDEST, { endpoint: endpoints[index] });
  });
}

async function versionOf(rpc: Rpc, endpoint: string, options: CallOptions): Promise<string | undefined> {
  try {
    const { version } = await rpc.unary(STATUS, {}, { ...options, endpoint });
    return version;
  } catch {
    return undefined; // Unreachable or not permitted: that says nothing about its age.
  }
}

function isOlder(version: string, oldest: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = oldest.split('.').map(Number);
  return major < oldestMajor || (major === oldestMajor && minor < oldestMinor);
}
