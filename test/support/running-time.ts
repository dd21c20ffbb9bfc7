/** A clock for what is promised of the client: it stands still while a busy machine keeps this process from running. */
import { performance } from 'node:perf_hooks'; // not the global, which a test may have replaced by a fake
import { clearInterval, setInterval } from 'node:timers';
import { afterAll } from '@jest/globals';

const TICK_MS = 20;
/** What a tick counts for at the most: timers are a little late on every machine. */
const MOST_MS = 25;

let ranMs = 0;
let lastTickAt = performance.now();

const ticking = setInterval(() => {
  ranMs = runningMs();
  lastTickAt = performance.now();
}, TICK_MS).unref();

afterAll(() => clearInterval(ticking));

/**
 * Milliseconds for which this process could have run; only differences mean something. Beside other work it is behind the
 * time on the wall, alone it is not. It also leaves out what this process computes for long at a time: that is measured
 * by `process.cpuUsage()`.
 */
export function runningMs(): number {
  return ranMs + Math.min(performance.now() - lastTickAt, MOST_MS);
}
