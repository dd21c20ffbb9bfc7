/** `connect: 'eager'`: the app starts only once etcd has answered. */
import { ShutdownSignal } from '@nestjs/common';
import { EtcdPermissionDeniedError, type EtcdClient } from '../client/index.js';
import { EtcdStartError } from './errors.js';

/** The key that `etcdctl endpoint health` reads, so that a role that allows one allows both. */
const HEALTH_KEY = 'health';

/**
 * Connects and reads one key, so that bad credentials and a cluster without a leader fail the start too.
 *
 * @throws {EtcdStartError} after `timeoutMs`, at once when waiting cannot help, or when the process is told to end.
 */
export async function requireEtcd(name: string, client: EtcdClient, timeoutMs: number): Promise<void> {
  const giveUpAt = performance.now() + timeoutMs;
  const interrupt = abortOnShutdownSignal();
  const { signal } = interrupt;
  try {
    await client.ready({ timeoutMs, signal });
    const leftMs = Math.max(1, Math.round(giveUpAt - performance.now()));
    await readHealthKey(client, leftMs, signal);
  } catch (error) {
    throw new EtcdStartError(name, signal.aborted ? signal.reason : error);
  } finally {
    interrupt.end();
  }
}

/** A refusal for lack of permission is an answer too: the user is known, and the cluster has a leader. */
async function readHealthKey(client: EtcdClient, timeoutMs: number, signal: AbortSignal): Promise<void> {
  try {
    await client.kv.get(HEALTH_KEY, { timeoutMs, signal });
  } catch (error) {
    if (!(error instanceof EtcdPermissionDeniedError)) throw error;
  }
}

/**
 * Aborts when the process gets a signal that Nest has been told to handle: Nest runs its shutdown only after the start
 * has ended. Signals that nobody handles are left alone, since a listener would keep them from ending the process.
 */
function abortOnShutdownSignal(): { readonly signal: AbortSignal; readonly end: () => void } {
  const controller = new AbortController();
  const handled = Object.values(ShutdownSignal).filter((name) => process.listenerCount(name) > 0);
  const onSignal = (name: string): void => controller.abort(new Error(`the process got ${name} while it waited`));
  for (const name of handled) process.once(name, onSignal);
  return {
    signal: controller.signal,
    end: () => handled.forEach((name) => process.off(name, onSignal)),
  };
}
