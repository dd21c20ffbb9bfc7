/** Watches the key that proves an ownership: somebody may delete it although its lease lives, as an operator does to break a lock. */
import { nextEvent } from './key-events.js';
import { pause, persist } from './patience.js';
import type { Tools } from './tools.js';

/** Most locks are held for less than this, and need no watch: nothing is missed, since it starts in the past. */
const BEGIN_AFTER_MS = 250;

/** A key as it was seen. */
export interface OwnKey {
  readonly key: string;
  readonly createRevision: number;
  /** The revision of the store at which it was seen. */
  readonly revision: number;
}

/** Resolves when the key is gone. Rejects when the signal aborts, or when the key cannot be watched: then its lease is proof enough. */
export async function untilKeyGone(tools: Tools, own: OwnKey, signal: AbortSignal): Promise<void> {
  const { key, createRevision } = own;
  await pause(tools.clock, BEGIN_AFTER_MS, signal, 'background');
  for (let { revision } = own; ;) {
    const event = await nextEvent(tools, key, { startRevision: revision + 1, only: 'delete', signal });
    if (event !== undefined) return;
    const { kvs, header } = await persist(tools, signal, () => tools.kv.range(key, { signal, keysOnly: true }));
    if (kvs[0]?.createRevision !== createRevision) return;
    revision = header.revision;
  }
}
