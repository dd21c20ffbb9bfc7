/**
 * Several contenders for one lock, in a process of their own: each takes it, writes under its guard, and gives it back,
 * until SIGTERM. What happens is printed, one JSON object a line, with the time of the machine's one monotonic clock.
 *
 * Usage: contender ENDPOINTS NAME COUNT TTL_SECONDS. SIGUSR2 blocks the event loop for longer than the TTL. After SIGHUP
 * the next holder thinks until it has lost the lock, and writes all the same. In the namespace TEST_NAMESPACE, if there is one.
 */
import { EtcdClient } from '../../../lib/client/client.js';
import { EtcdLockLostError } from '../../../lib/client/concurrency/concurrency-errors.js';
import type { Lock } from '../../../lib/client/concurrency/lock.js';
import { get, put } from '../../../lib/client/kv/operations.js';

const [endpoints = '', name = '', count = '1', ttl = '2'] = process.argv.slice(2);
const ttlSeconds = Number(ttl);
const WRITES = 2;
const HEARTBEAT_MS = 5;
/** Between two heartbeats. Less than it takes the next contender to hear that the lock is free. */
const STALL_MS = 15;

const client = new EtcdClient({ endpoints: endpoints.split(','), callTimeoutMs: 2_000 });
const { TEST_NAMESPACE: namespace } = process.env;
const { kv, concurrency } = namespace === undefined ? client : client.namespace(namespace);
const stopping = new AbortController();
let isTheNextOneSlow = false;

const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function say(event: string, facts: object): void {
  process.stdout.write(`${JSON.stringify({ event, atMs: nowMs(), ...facts })}\n`);
}

function blockEventLoop(): void {
  const until = performance.now() + ttlSeconds * 1_000 + 1_000;
  while (performance.now() < until);
}

/** Says afterwards from when to when this process did not run, whoever kept it from running, and so could not hear of anything. */
function reportStalls(): NodeJS.Timeout {
  let lastMs = nowMs();
  return setInterval(() => {
    const fromMs = lastMs;
    lastMs = nowMs();
    if (lastMs - fromMs > STALL_MS) say('stalled', { fromMs });
  }, HEARTBEAT_MS);
}

async function think({ fencingToken: token, lost }: Lock): Promise<void> {
  if (!isTheNextOneSlow) return pause(1);
  isTheNextOneSlow = false;
  say('thinking', { token });
  await lost;
  await pause(100);
}

/** Adds to the counter, as holders of a lock do: reads, thinks, writes; only the guard tells whether it still may. */
async function work(lock: Lock): Promise<void> {
  for (let index = 0; index < WRITES; index++) {
    const counter = await kv.get(`${name}-counter`);
    await think(lock);
    const value = `${lock.fencingToken}:${Number(counter?.value.split(':')[1] ?? 0) + 1}`;
    const { succeeded } = await kv
      .txn()
      .if(lock.guard)
      .then(put(`${name}-counter`, value))
      .else(get(lock.key))
      .commit();
    if (!succeeded) say('refused', { token: lock.fencingToken, isHeld: lock.isHeld });
  }
}

async function hold(lock: Lock): Promise<void> {
  const { fencingToken: token, signal } = lock;
  say('acquired', { token, isHeld: lock.isHeld });
  signal.addEventListener('abort', () => {
    const reason = signal.reason instanceof EtcdLockLostError ? signal.reason.reason : String(signal.reason);
    say('ended', { token, reason });
  });
  await work(lock);
}

async function contend(): Promise<void> {
  while (!stopping.signal.aborted) {
    try {
      await concurrency.lock(name, { ttlSeconds, signal: stopping.signal }, hold);
    } catch {
      await pause(20); // a fault: that is what this is for
    }
  }
}

process.on('SIGUSR2', blockEventLoop);
process.on('SIGHUP', () => (isTheNextOneSlow = true));
process.on('SIGTERM', () => stopping.abort());
const heartbeat = reportStalls();
await Promise.all(Array.from({ length: Number(count) }, contend));
clearInterval(heartbeat);
await client.close();
process.stdout.write('done\n');
