/** The clock that bounds are held against: it goes on while a test waits, and stands still while nothing can run. */
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { runningMs } from '../../support/running-time.js';

describe('runningMs', () => {
  it('is hardly behind the time on the wall while a test waits, and never before it', async () => {
    // The best of a few: this machine may be busy at any one time.
    const shares: number[] = [];
    for (let tries = 0; tries < 10 && !shares.some((share) => share > 0.9); tries++) {
      const [wallBefore, before] = [performance.now(), runningMs()];
      await delay(200);
      const ranMs = runningMs() - before;
      shares.push(ranMs / (performance.now() - wallBefore));
    }

    expect(Math.max(...shares)).toBeGreaterThan(0.5);
    expect(Math.max(...shares)).toBeLessThanOrEqual(1);
  });

  it('stands still while the event loop does', async () => {
    await delay(50);
    const [wallBefore, before] = [performance.now(), runningMs()];

    while (performance.now() < wallBefore + 300);
    await delay(1);

    expect(runningMs() - before).toBeLessThan(150);
  });
});
