/** What goes wrong with locks, elections and barriers says what, where, why and what to do. */
import { describe, expect, it } from '@jest/globals';
import * as module from '../../../lib/client/concurrency/concurrency-errors.js';
import {
  EtcdBarrierFullError,
  EtcdBarrierLostError,
  EtcdCampaignTimeoutError,
  EtcdLeadershipLostError,
  EtcdLockLostError,
  EtcdLockTimeoutError,
} from '../../../lib/client/concurrency/concurrency-errors.js';
import { EtcdError } from '../../../lib/client/errors.js';

const cause = new Error('lease 7 is lost');

describe('The errors of locks, elections and barriers', () => {
  it.each([
    [
      new EtcdLockTimeoutError('jobs', 500, 'jobs/7a'),
      'Concurrency.Lock: lock "jobs" was not free within 500 ms; in the way is key "jobs/7a"',
    ],
    [
      new EtcdLockTimeoutError('jobs', 0, undefined),
      'Concurrency.Lock: lock "jobs" was not free at once; the same session has it or waits for it already',
    ],
    [
      new EtcdLockLostError('jobs', 'jobs/7a', 'lease-lost', cause),
      'Concurrency.Lock: lock "jobs" is lost: its session has ended (key "jobs/7a"): lease 7 is lost',
    ],
    [
      new EtcdLockLostError('jobs', 'jobs/7a', 'key-gone'),
      'Concurrency.Lock: lock "jobs" is lost: somebody deleted its key (key "jobs/7a")',
    ],
    [
      new EtcdLockLostError('jobs', 'jobs/7a', 'released'),
      'Concurrency.Lock: lock "jobs" was released (key "jobs/7a")',
    ],
    [
      new EtcdCampaignTimeoutError('billing', 500, 'billing/7a'),
      'Concurrency.Campaign: election "billing" was not won within 500 ms; in the way is key "billing/7a"',
    ],
    [
      new EtcdLeadershipLostError('billing', 'billing/7a', 'resigned'),
      'Concurrency.Campaign: leadership of "billing" was given up by resigning (key "billing/7a")',
    ],
    [
      new EtcdBarrierFullError('round', 3),
      'Concurrency.DoubleBarrier: barrier "round" has 3 participants already, as many as it is for',
    ],
    [
      new EtcdBarrierLostError('round', 'lease-lost', cause),
      'Concurrency.DoubleBarrier: the place at barrier "round" is lost: its session has ended: lease 7 is lost',
    ],
  ])('%#: %s', (error, message) => {
    expect(error.message).toBe(message);
    expect(error.name).toBe(error.constructor.name);
    expect(error).toBeInstanceOf(EtcdError);
    expect(error.code).toMatch(/^ETCD(_[A-Z]+)+$/);
  });

  it('have a code of their own each', () => {
    const made = [
      new EtcdLockTimeoutError('a', 0, undefined),
      new EtcdLockLostError('a', 'b', 'released'),
      new EtcdCampaignTimeoutError('a', 0, undefined),
      new EtcdLeadershipLostError('a', 'b', 'resigned'),
      new EtcdBarrierFullError('a', 1),
      new EtcdBarrierLostError('a', 'key-gone'),
    ];

    expect(new Set(made.map(({ code }) => code)).size).toBe(Object.keys(module).length);
  });

  it('keep the cause', () => {
    expect(new EtcdLockLostError('jobs', 'k', 'lease-lost', cause).cause).toBe(cause);
  });
});
