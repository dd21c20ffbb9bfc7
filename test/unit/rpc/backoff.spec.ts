/** I1: pauses double up to their limit, and any share of them is as likely as any other. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { backoffMs } from '../../../lib/client/rpc/backoff.js';

const seed = Number(process.env['TEST_SEED'] ?? Date.now() % 2 ** 31);
const LIMITS = { firstMs: 25, maxMs: 400 };

describe('backoffMs', () => {
  it('doubles its bound with each attempt, up to the limit', () => {
    const bounds = [1, 2, 3, 4, 5, 6, 7, 1_000, 1e9].map((attempt) => backoffMs(attempt, LIMITS, () => 0.999_999));

    expect(bounds).toEqual([25, 50, 100, 200, 400, 400, 400, 400, 400]);
  });

  it('starts at the limit when that is the smaller one', () => {
    expect(backoffMs(1, { firstMs: 100, maxMs: 50 }, () => 0.999_999)).toBe(50);
  });

  it('is the random share of its bound, down to nothing', () => {
    expect([0, 0.25, 0.5].map((share) => backoffMs(3, LIMITS, () => share))).toEqual([0, 25, 50]);
  });

  it(`is a whole number within its bound for any attempt and any chance (seed ${seed})`, () => {
    const share = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 31 }), share, (attempt, random) => {
        const pause = backoffMs(attempt, LIMITS, () => random);
        expect(Number.isInteger(pause) && pause >= 0 && pause <= 400).toBe(true);
      }),
      { seed },
    );
  });
});
