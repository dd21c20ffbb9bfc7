/** How much this process keeps, rather than how much it has not collected yet. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Bytes on the heap and in array buffers once all garbage is gone. */
export function keptBytes(): number {
  setFlagsFromString('--expose_gc'); // only contexts that are made after this have it
  (runInNewContext('gc') as () => void)();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
