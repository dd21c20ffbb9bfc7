/** The workloads that are calls: each is a closed loop over one operation. */
import type { LoadClient } from './client.js';
import { closedLoop } from './closed-loop.js';
import type { Figures, Task, Trial, Workload } from './protocol.js';

/** How keys that are there already are called. */
export function keysOf({ prefix, keys }: Task): string[] {
  return Array.from({ length: keys }, (_, index) => `${prefix}${index}`);
}

type Operation = (index: number) => Promise<unknown>;

/** Keys are taken in turn, so that no two operations in flight have the same. */
function operationOf(client: LoadClient, task: Task): Operation {
  const keys = keysOf(task);
  const value = 'v'.repeat(task.valueBytes);
  const key = (index: number): string => keys[index % keys.length]!;
  const operations: Partial<Record<Workload, Operation>> = {
    get: (index) => client.get(key(index)),
    'metered-get': (index) => client.get(key(index)),
    put: (index) => client.put(key(index), value),
    'metered-put': (index) => client.put(key(index), value),
    'txn-read': (index) => client.readTxn(key(index), key(index + 1)),
    'txn-write': (index) => client.writeTxn(key(index), value),
    range: () => client.range(task.prefix),
  };
  return operations[task.workload]!;
}

/** Makes one client, which lives as long as the process. */
export function prepareOperation(client: LoadClient, task: Task): (trial: Trial) => Promise<Figures> {
  const operation = operationOf(client, task);
  let done = 0;
  return async (trial) => {
    const figures = await closedLoop((index) => operation(done + index), trial);
    done += figures['operations']!;
    return figures;
  };
}
