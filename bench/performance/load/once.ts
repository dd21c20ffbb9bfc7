/** What a process can be asked only once, when it is young: how fast it starts, and how much memory it comes to need. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { LoadClient } from './client.js';
import type { Figures, Task } from './protocol.js';

const MIB = 1024 * 1024;

/** The time until a new client has its first answer, and the memory that is in use then. */
export async function firstAnswer(make: () => LoadClient, task: Task, importMs: number): Promise<Figures> {
  const startedAt = performance.now();
  const client = make();
  await client.get(`${task.prefix}0`);
  const firstAnswerMs = performance.now() - startedAt;
  globalThis.gc?.();
  return { operations: 1, importMs, firstAnswerMs, residentMiB: process.memoryUsage.rss() / MIB };
}

/** How much higher than before its memory is at most while a range is read. */
export async function peakOfRange(make: () => LoadClient, task: Task): Promise<Figures> {
  const client = make();
  await client.get(`${task.prefix}0`);
  globalThis.gc?.();
  forgetPeak();
  const before = peakMiB();
  const startedAt = performance.now();
  await client.range(task.prefix);
  return { operations: 1, peakMiB: peakMiB() - before, seconds: (performance.now() - startedAt) / 1_000 };
}

/** From now on the peak is what is used now, and what comes. See proc(5). */
function forgetPeak(): void {
  writeFileSync('/proc/self/clear_refs', '5');
}

/** Of this program only: the peak that `getrusage` tells may be that of the process which started it. */
function peakMiB(): number {
  return Number(/VmHWM:\s*(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024;
}
