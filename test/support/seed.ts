/** Chance that can be repeated: a run prints its seed, and `TEST_SEED` replays it. */

/** A source of chance, and the number it grew from. */
export interface Seeded {
  /** Goes into the name of the test, so that every report has it. */
  readonly seed: number;
  /** The next number, from 0 up to but not including 1. */
  readonly random: () => number;
}

/** Takes the seed from `TEST_SEED`, else from the time. */
export function seeded(seed = Number(process.env['TEST_SEED'] ?? Date.now() % 2 ** 31)): Seeded {
  let state = seed >>> 0;
  return {
    seed,
    random() {
      // A counter with an odd step, stirred by multiplications and shifts: enough to spread faults, and the same everywhere.
      state = (state + 0x9e37_79b9) >>> 0;
      let mixed = state ^ (state >>> 16);
      mixed = Math.imul(mixed, 0x21f0_aaad);
      mixed ^= mixed >>> 15;
      mixed = Math.imul(mixed, 0x735a_2d97);
      mixed ^= mixed >>> 15;
      return (mixed >>> 0) / 2 ** 32;
    },
  };
}
