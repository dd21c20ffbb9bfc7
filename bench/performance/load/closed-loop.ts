/** The load: so many operations in flight, each followed by the next as soon as it has ended. */
import { latencies, startMeter } from './meter.js';
import type { Figures, Trial } from './protocol.js';

/** Runs until the time is over, and waits for what is in flight then: all that was done is counted, and all it cost. */
export async function closedLoop(operation: (index: number) => Promise<unknown>, trial: Trial): Promise<Figures> {
  const timesMs: number[] = [];
  let started = 0;
  const stopMeter = startMeter();
  const endAt = performance.now() + trial.seconds * 1_000;

  const lane = async (): Promise<void> => {
    let now = performance.now();
    while (now < endAt && started < trial.maxOperations) {
      const startedAt = now;
      await operation(started++);
      now = performance.now();
      timesMs.push(now - startedAt);
    }
  };
  await Promise.all(Array.from({ length: trial.inFlight }, lane));
  return { ...stopMeter(timesMs.length), ...latencies(timesMs) };
}
