/** What is held rather than called: leases that are kept alive, and a range that is kept in memory. */
import { setTimeout as delay } from 'node:timers/promises';
import type { LoadClient } from './client.js';
import { startMeter } from './meter.js';
import { keysOf } from './operations.js';
import type { Figures, Task, Trial } from './protocol.js';

/** So many grants at a time. */
const GRANTING = 64;
/** Some clients renew a lease as soon as they have it. */
const SETTLE_MS = 300;

/** Each trial has a client and leases of its own, so that none is kept alive while others are measured. */
export async function holdLeases(make: () => LoadClient, task: Task, trial: Trial): Promise<Figures> {
  const client = make();
  let granted = 0;
  const lane = async (): Promise<void> => {
    while (granted++ < task.count) await client.keepAlive!(task.ttlSeconds);
  };
  await Promise.all(Array.from({ length: GRANTING }, lane));
  await delay(SETTLE_MS);
  const before = client.renewals!();
  const stopMeter = startMeter();
  await delay(trial.seconds * 1_000);
  while (client.renewals!() === before) await delay(SETTLE_MS);
  const figures = stopMeter(client.renewals!() - before);
  await client.close();
  return figures;
}

const READS_PER_TURN = 1_000;

/** Reads a live view, and lets the event loop have its turn now and then. */
export async function prepareView(client: LoadClient, task: Task): Promise<(trial: Trial) => Promise<Figures>> {
  const read = await client.view!(task.prefix);
  const keys = keysOf(task);
  return async ({ seconds }) => {
    let reads = 0;
    const stopMeter = startMeter();
    const endAt = performance.now() + seconds * 1_000;
    while (performance.now() < endAt) {
      for (let index = 0; index < READS_PER_TURN; index++) {
        const key = keys[reads++ % keys.length]!;
        if (read(key) === undefined) throw new Error(`the view has no ${key}`);
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    return stopMeter(reads);
  };
}
