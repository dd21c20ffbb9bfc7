/**
 * Every promise of a watch, held by readers of every kind while everything goes wrong that can: W1 to W5, rows C and J1.
 * `TEST_SEED` replays a run, `GUARANTEE_SECONDS` is how long all runs take together.
 */
import { describe, expect, it } from '@jest/globals';
import { seeded } from '../support/seed.js';
import { Run } from './run.js';

const SECONDS = Number(process.env['GUARANTEE_SECONDS'] ?? 60);
/** In half a minute every kind of fault happens once. */
const SECONDS_OF_ONE = Math.min(30, SECONDS);
const { seed: firstSeed } = seeded();
const SEEDS = Array.from({ length: Math.ceil(SECONDS / SECONDS_OF_ONE) }, (_, index) => firstSeed + index);

describe('Watches, followed ranges and views (W1, W2, W3, W4, W5, J1)', () => {
  it.each(SEEDS)(
    'report what happened, all of it, once, in order, in whole revisions, under the faults of seed %i',
    async (seed) => {
      await using run = await Run.start(seed);

      const { violations, traffic } = await run.judge(SECONDS_OF_ONE);

      expect(violations.slice(0, 20)).toEqual([]);
      expect(traffic.revisions).toBeGreaterThan(SECONDS_OF_ONE * 3);
      expect(traffic.deliveries).toBeGreaterThan(traffic.revisions);
      expect(traffic.reconnects).toBeGreaterThan(0);
      expect(traffic.pauses).toBeGreaterThan(0);
      expect(traffic.compactions).toBeGreaterThan(0);
    },
    600_000,
  );
});
