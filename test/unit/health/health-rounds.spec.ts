/** Health checks are shared and kept for a while, so that probes are no load. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { EtcdClient } from '../../../lib/client/index.js';
import { resolvePingCheck, type EtcdPingCheckOptions } from '../../../lib/health/health-options.js';
import type { HealthRound } from '../../../lib/health/health-round.js';
import { HealthRounds } from '../../../lib/health/health-rounds.js';

let now: number;
let begun: { timeoutMs: number; linearizable: boolean; end: () => void }[];
let state: string;
let rounds: HealthRounds;

const client = { stats: () => ({ endpoints: [{ endpoint: 'a', state, reason: undefined }] }) } as unknown as EtcdClient;

beforeEach(() => {
  now = 0;
  begun = [];
  state = 'ready';
  rounds = new HealthRounds(
    (_client, timeoutMs, linearizable) =>
      new Promise<HealthRound>((resolve) => {
        const end = (): void => resolve({ endpoints: [], readFailure: undefined });
        begun.push({ timeoutMs, linearizable, end });
      }),
    () => now,
  );
});

function ask(options: EtcdPingCheckOptions = {}): Promise<HealthRound> {
  return rounds.get(client, resolvePingCheck(options));
}

async function askAndEnd(options: EtcdPingCheckOptions = {}): Promise<HealthRound> {
  const answer = ask(options);
  begun.at(-1)?.end();
  return answer;
}

describe('a health check', () => {
  it('is shared by all who ask while it runs', async () => {
    const answers = [ask(), ask(), ask()];
    begun[0]?.end();

    const [first, ...rest] = await Promise.all(answers);

    expect(begun).toHaveLength(1);
    for (const other of rest) expect(other).toBe(first);
  });

  it('is given again for cacheMs, and then made anew', async () => {
    await askAndEnd();

    now = 999;
    await ask();
    const kept = begun.length;
    now = 1_000;
    await askAndEnd();

    expect([kept, begun.length]).toEqual([1, 2]);
  });

  it('is never given again with cacheMs 0', async () => {
    await askAndEnd({ cacheMs: 0 });
    await askAndEnd({ cacheMs: 0 });

    expect(begun).toHaveLength(2);
  });

  it.each([
    ['is lost', 'ready', 'backoff'],
    ['is back', 'backoff', 'ready'],
    ['is set aside', 'ready', 'sick'],
  ])('is made anew at once when an endpoint %s', async (_what, before, after) => {
    state = before;
    await askAndEnd();

    state = after;
    await askAndEnd();

    expect(begun).toHaveLength(2);
  });

  it('is kept while an endpoint that is away only tries to connect', async () => {
    state = 'backoff';
    await askAndEnd();

    state = 'connecting';
    await ask();

    expect(begun).toHaveLength(1);
  });

  it('is made once more for those who want a linearizable read or give it other time', () => {
    void ask();
    void ask({ linearizable: true });
    void ask({ timeoutMs: 500 });

    expect(begun.map(({ timeoutMs, linearizable }) => [timeoutMs, linearizable])).toEqual([
      [900, false],
      [900, true],
      [450, false],
    ]);
  });

  it.each([
    [{ require: 'most' as 'all' }, /require must be 'any', 'quorum' or 'all', but is "most"/],
    [{ timeoutMs: 9 }, /timeoutMs must be an integer from 10 to 60000, but is 9/],
    [{ cacheMs: -1 }, /cacheMs must be an integer from 0 to 60000, but is -1/],
  ])('refuses options that cannot work: %j', (options, message) => {
    expect(() => resolvePingCheck(options)).toThrow(message);
  });
});
