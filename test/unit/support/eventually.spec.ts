/** Waiting for something to become true. */
import { describe, expect, it } from '@jest/globals';
import { eventually } from '../../support/eventually.js';

describe('eventually', () => {
  it('returns what was seen as soon as it is there, whatever came before', async () => {
    let looks = 0;
    const look = (): string | undefined => {
      looks += 1;
      if (looks === 1) throw new Error('not yet');
      return looks < 3 ? undefined : 'seen';
    };

    await expect(eventually(look, { everyMs: 1 })).resolves.toBe('seen');
  });

  it('says what it waited for and what it last saw', async () => {
    const waiting = eventually(() => Promise.reject(new Error('refused')), {
      what: 'an answer',
      timeoutMs: 10,
      everyMs: 1,
    });

    await expect(waiting).rejects.toThrow('an answer did not come within 10 ms; last: refused');
  });
});
