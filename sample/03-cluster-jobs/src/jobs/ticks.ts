/** How ticks are written down: one key each, so that a tick that is there was done, and cannot be done again. */
import { type KeyValue } from 'nest-etcd';
import { z } from 'zod';

export const TICKS = 'ticks/';
/** The newest tick that was done. */
export const LAST_TICK = 'last-tick';

const TICK_MS = 1_000;

const Tick = z.object({
  /** Which instance did it. */
  by: z.string(),
  /** Higher for each later leader. */
  fencingToken: z.number(),
  /** How many ticks late it was: what was due while nobody led is done by the next leader. */
  late: z.number(),
});
type Tick = z.infer<typeof Tick>;

/** A tick that was done. */
export interface DoneTick extends Tick {
  readonly tick: number;
}

export function tickAt(timeMs: number): number {
  return Math.floor(timeMs / TICK_MS);
}

export function keyOf(tick: number): string {
  return `${TICKS}${tick}`;
}

export function valueOf(tick: Tick): string {
  return JSON.stringify(tick);
}

export function tickOf(kv: KeyValue): DoneTick {
  return { tick: Number(kv.key.slice(TICKS.length)), ...Tick.parse(kv.json()) };
}
