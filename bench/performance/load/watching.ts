/** Watches: how long an event takes, and how many a second arrive while another process writes as fast as it is let. */
import { spawn } from 'node:child_process';
import type { LoadClient } from './client.js';
import { latencies, startMeter, startOthers } from './meter.js';
import type { Figures, Task, Trial } from './protocol.js';

const LONE_WRITES = 50;
const MOST_PUTS_PER_TXN = 100;
/** How many transactions the writer may be ahead: enough that there is always something to read. */
const AHEAD = 32;
/** Allowed at once, so that telling the writer costs nothing that counts. */
const STEP = 8;

/** A transaction writes no key twice. */
function putsPerTxn({ count }: Task): number {
  return count === 1 ? MOST_PUTS_PER_TXN : Math.min(MOST_PUTS_PER_TXN, count);
}

/** One watch on all keys, or as many watches as there are keys, each on one of them. */
export async function prepareWatching(client: LoadClient, task: Task): Promise<(trial: Trial) => Promise<Figures>> {
  const prefix = `${task.prefix}${process.pid}/`;
  let onEvent = (): void => undefined;
  const watched =
    task.count === 1 ? [{ prefix }] : Array.from({ length: task.count }, (_, index) => ({ key: `${prefix}${index}` }));
  await Promise.all(watched.map((what) => client.watch(what, () => onEvent())));
  const flood = new Flood(task, prefix);
  const others = { serverCores: task.serverPid, writerCores: flood.pid };
  return async (trial) => {
    const delays = await lone(client, `${prefix}0`, Math.min(LONE_WRITES, trial.maxOperations), (listen) => {
      onEvent = listen;
    });
    const stopOthers = startOthers(others);
    const rate = await flooded(flood, trial, (listen) => {
      onEvent = listen;
    });
    return { ...rate, ...stopOthers(), ...delays };
  };
}

type Listen = (listen: () => void) => void;

/** Milliseconds from the moment a write is asked for until its event is there, with nothing else going on. */
async function lone(client: LoadClient, key: string, writes: number, listen: Listen): Promise<Figures> {
  const timesMs: number[] = [];
  for (let write = 0; write < writes; write++) {
    const startedAt = performance.now();
    const seen = new Promise<void>((resolve) => listen(resolve));
    await Promise.all([client.put(key, 'lone'), seen.then(() => timesMs.push(performance.now() - startedAt))]);
  }
  return latencies(timesMs);
}

/** Ends when all that was written has arrived. */
function flooded(flood: Flood, trial: Trial, listen: Listen): Promise<Figures> {
  let received = 0;
  let allowed = AHEAD;
  const stopMeter = startMeter();
  const endAt = performance.now() + trial.seconds * 1_000;
  return new Promise((resolve) => {
    listen(() => {
      received += 1;
      if (received % (STEP * flood.putsPerTxn) !== 0) return;
      const isOver = performance.now() >= endAt || received >= trial.maxOperations;
      if (!isOver) flood.allow(STEP);
      if (!isOver) allowed += STEP;
      else if (received === allowed * flood.putsPerTxn) resolve(stopMeter(received));
    });
    flood.allow(allowed);
  });
}

/** The process that writes. */
class Flood {
  readonly putsPerTxn: number;
  readonly pid: number;
  private readonly input;

  constructor(task: Task, prefix: string) {
    this.putsPerTxn = putsPerTxn(task);
    const [command = '', ...args] = task.flood;
    const keys = Math.max(task.count, this.putsPerTxn);
    const sizes = [keys, this.putsPerTxn, task.valueBytes].map(String);
    const child = spawn(command, [...args, prefix, ...sizes], { stdio: ['pipe', 'ignore', 'inherit'] });
    child.on('exit', () => {
      throw new Error('the writing process has ended');
    });
    this.pid = child.pid!;
    this.input = child.stdin;
  }

  allow(transactions: number): void {
    this.input.write('.'.repeat(transactions));
  }
}
