/** Watches that catch up: they begin in the past, as after a restart or a long break, and read all that happened since. */
import { setTimeout as delay } from 'node:timers/promises';
import type { LoadClient, Watched } from './client.js';
import { startMeter, startOthers } from './meter.js';
import { keysOf } from './operations.js';
import type { Figures, Task } from './protocol.js';

/** Before anything of it was written. */
const START_REVISION = 1;
/** The server forgets the watches of the client before in that time, and what comes too often has come. */
const SETTLE_MS = 50;

/**
 * Catches up once, by a client of its own: from the creation of the first watch to the last event. The operations are the
 * events that came, those after the last one that was due as well: an event that comes twice makes them too many.
 */
export async function catchUp(make: () => LoadClient, task: Task): Promise<Figures> {
  const client = make();
  await client.get(`${task.prefix}0`);
  globalThis.gc?.();
  await delay(SETTLE_MS);
  const stopMeter = startMeter();
  const stopOthers = startOthers({ serverCores: task.serverPid });
  const received = await readAll(client, task);
  const figures = { ...stopMeter(received()), ...stopOthers() };
  await delay(SETTLE_MS);
  await client.close();
  return { ...figures, operations: received() };
}

/** Resolves with the last event that is due. @returns tells how many events there were so far. */
function readAll(client: LoadClient, task: Task): Promise<() => number> {
  const watched = whatToWatch(task);
  const events = (task.count === 1 ? task.keys : task.count) * task.versions;
  return new Promise((resolve, reject) => {
    let received = 0;
    const onEvent = (): void => {
      received += 1;
      if (received === events) resolve(() => received);
    };
    Promise.all(watched.map((what) => client.watch(what, onEvent))).catch(reject);
  });
}

/** One watch on all keys, or as many as are asked for, each on one of them. */
function whatToWatch(task: Task): Watched[] {
  const startRevision = START_REVISION;
  if (task.count === 1) return [{ prefix: task.prefix, startRevision }];
  return keysOf(task)
    .slice(0, task.count)
    .map((key) => ({ key, startRevision }));
}
