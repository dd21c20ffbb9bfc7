/** What it costs to count and time calls: two clients in one process, one that does and one that does not, in turn. */
import type { LoadClient } from './client.js';
import { prepareOperation } from './operations.js';
import type { Figures, Task, Trial } from './protocol.js';

/** Short and many, so that what the garbage collector does hits both alike. */
const TURN_SECONDS = 0.08;

/** The two clients. */
export interface Pair {
  readonly plain: LoadClient;
  readonly metered: LoadClient;
}

/** In one process, since two of them differ by more than what is asked for here, whichever client is in them. */
export function prepareMetered({ plain, metered }: Pair, task: Task): (trial: Trial) => Promise<Figures> {
  const runs = [prepareOperation(plain, task), prepareOperation(metered, task)] as const;
  return async (trial) => {
    const turn = { ...trial, seconds: Math.min(trial.seconds, TURN_SECONDS) };
    const costs = [new Cost(), new Cost()] as const;
    const rounds = Math.max(1, Math.round(trial.seconds / TURN_SECONDS / 2));
    for (let round = 0; round < rounds; round++) {
      const first = round % 2; // each of them as often as the other
      for (const which of [first, 1 - first] as (0 | 1)[]) costs[which].add(await runs[which](turn));
    }
    return { operations: costs[1].operations, cpuUs: costs[1].each, plainCpuUs: costs[0].each };
  };
}

class Cost {
  operations = 0;
  private cpuUs = 0;

  get each(): number {
    return this.cpuUs / this.operations;
  }

  add({ operations = 0, cpuUs = 0 }: Figures): void {
    this.operations += operations;
    this.cpuUs += cpuUs * operations;
  }
}
