/** C4: which endpoint serves the next call, who waits for one, and what a new list changes. */
import { afterEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseEndpoint } from '../../../lib/client/endpoint.js';
import { PUT, RANGE, WATCH } from '../../../lib/client/rpc/methods.js';
import { settle } from '../../support/fake-clock.js';
import { A, B, C, Rig } from './rig.js';

let rig: Rig;

afterEach(() => rig.leaveNothing());

const seed = Number(process.env['TEST_SEED'] ?? Date.now() % 2 ** 31);
const D = 'http://d:1';

const parsed = (...texts: string[]): ReturnType<typeof parseEndpoint>[] =>
  texts.map((text) => parseEndpoint(text, 'endpoint'));

function picks(count: number): (string | undefined)[] {
  return Array.from({ length: count }, () => rig.endpoints.pick()?.endpoint.text);
}

describe('pick', () => {
  it('connects to every endpoint the first time, and not before', async () => {
    rig = new Rig();
    await settle();
    expect(rig.cluster.all().map(({ connects }) => connects)).toEqual([0, 0, 0]);

    expect(rig.endpoints.pick()).toBeUndefined();
    await settle();

    expect(rig.cluster.all().map(({ connects }) => connects)).toEqual([1, 1, 1]);
  });

  it('takes the healthy ones in turn', async () => {
    rig = await new Rig().connected();

    expect(picks(7)).toEqual([A, B, C, A, B, C, A]);
  });

  it('passes over one that is set aside, and gives its turns to the others evenly', async () => {
    rig = await new Rig().connected();
    rig.endpoints.at(B).setAside('no leader');

    expect(picks(6)).toEqual([A, C, A, C, A, C]);
  });

  it('takes those that are set aside in turn when there is nothing better', async () => {
    rig = await new Rig().connected();
    for (const endpoint of [A, B, C]) rig.endpoints.at(endpoint).setAside('no leader');

    expect(picks(4)).toEqual([A, B, C, A]);
  });

  it('avoids the endpoint of the last failure unless it is the only one of its kind', async () => {
    rig = await new Rig().connected();
    const a = rig.endpoints.at(A);
    expect(rig.endpoints.pick(a)?.endpoint.text).toBe(B);

    rig.endpoints.at(B).setAside('no leader');
    rig.endpoints.at(C).setAside('no leader');

    expect(rig.endpoints.pick(a)).toBe(a);
    expect(rig.endpoints.hasAlternative(a)).toBe(false);
    expect(rig.endpoints.hasAlternative(rig.endpoints.at(B))).toBe(true);
  });

  it(`is fair whatever is set aside: no two healthy endpoints differ by more than one turn (seed ${seed})`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 7 }), fc.nat(127), fc.nat(40), async (count, sickBits, rounds) => {
        const endpoints = Array.from({ length: count }, (_, index) => `http://e${index}:1`);
        rig = await new Rig({ endpoints }).connected();
        const sick = endpoints.filter((_, index) => (sickBits >> index) & 1);
        for (const endpoint of sick) rig.endpoints.at(endpoint).setAside('no leader');

        const picked = picks(rounds);

        const wanted = sick.length === count ? endpoints : endpoints.filter((endpoint) => !sick.includes(endpoint));
        const turns = wanted.map((endpoint) => picked.filter((text) => text === endpoint).length);
        expect(turns.reduce((sum, turn) => sum + turn, 0)).toBe(rounds);
        expect(Math.max(...turns) - Math.min(...turns)).toBeLessThanOrEqual(1);
        await rig.leaveNothing();
      }),
      { seed, numRuns: 60 },
    );
  });
});

describe('waiters', () => {
  it('are told once of the next change, and not when they have gone', async () => {
    rig = new Rig({ endpoints: [A] });
    const told: string[] = [];
    rig.endpoints.wait(() => told.push('stays'));
    rig.endpoints.wait(() => told.push('goes'))();

    rig.endpoints.wake();
    await settle();

    expect(told).toEqual(['stays']);
  });

  it('may end the wait of others, or wait anew, while they are told', () => {
    rig = new Rig({ endpoints: [A] });
    const told: string[] = [];
    rig.endpoints.wait(() => {
      told.push('first');
      endSecond();
      rig.endpoints.wait(() => told.push('again'));
    });
    const endSecond = rig.endpoints.wait(() => told.push('second'));

    rig.endpoints.wake();

    expect(told).toEqual(['first']);
  });
});

describe('a new list', () => {
  it('keeps the connections of endpoints that stay, opens new ones and closes those that go', async () => {
    rig = await new Rig().connected();

    rig.endpoints.replace(parsed(B, C, D));
    await settle();

    expect(rig.endpoints.list()).toEqual([B, C, D]);
    expect([A, B, C, D].map((endpoint) => rig.member(endpoint).connects)).toEqual([1, 1, 1, 1]);
    expect([A, B, C, D].map((endpoint) => rig.member(endpoint).closed)).toEqual([1, 0, 0, 0]);
    expect(picks(3).sort()).toEqual([B, C, D]);
  });

  it('lets a call that waits use a new endpoint', async () => {
    rig = new Rig({ endpoints: [A] });
    rig.member(A).onConnect = { refuses: 'connect ECONNREFUSED' };
    const call = rig.write();
    await rig.clock.advance(1_000);
    rig.cluster.member(D);
    rig.cluster.on(PUT, (put) => put.answer({}));

    rig.endpoints.replace(parsed(D));
    await settle();

    expect(call.state).toBe('answered');
  });

  it('takes over a connection that was opened beside the list', async () => {
    rig = await new Rig({ endpoints: [A] }).connected();
    rig.endpoints.at(D).wake();
    await settle();

    rig.endpoints.replace(parsed(A, D));
    await settle();

    expect(rig.member(D).connects).toBe(1);
    expect(rig.endpoints.status()).toEqual([
      { endpoint: A, state: 'ready', reason: undefined },
      { endpoint: D, state: 'ready', reason: undefined },
    ]);
  });

  it('changes nothing once all is closed', async () => {
    rig = await new Rig({ endpoints: [A] }).connected();
    rig.endpoints.close();

    rig.endpoints.replace(parsed(B));
    await settle();

    expect(rig.endpoints.list()).toEqual([A]);
    expect(rig.member(B).connects).toBe(0);
  });
});

describe('at', () => {
  it('finds an endpoint of the list however it is written', async () => {
    rig = await new Rig({ endpoints: [A] }).connected();

    expect(rig.endpoints.at('http://a:1/')).toBe(rig.endpoints.at(A));
    expect(rig.endpoints.at(' http://a:1')).toBe(rig.endpoints.at(A));
  });

  it('keeps apart what differs in security', async () => {
    rig = await new Rig({ endpoints: [A] }).connected();

    expect(rig.endpoints.at('https://a:1')).not.toBe(rig.endpoints.at(A));
  });

  it('opens a connection beside the list, which can be given up again', async () => {
    rig = await new Rig({ endpoints: [A] }).connected();
    const beside = rig.endpoints.at(D);
    beside.wake();
    await settle();
    expect([rig.endpoints.has(A), rig.endpoints.has(D), rig.endpoints.has(B)]).toEqual([true, true, false]);

    rig.endpoints.giveUp([A, B, D]);

    expect([beside.state.name, rig.stateOf(A)]).toEqual(['closed', 'ready']);
    expect(rig.endpoints.has(D)).toBe(false);
  });

  it('closes a connection beside the list that nobody has asked for, within two minutes (C4)', async () => {
    rig = await new Rig({ endpoints: [A] }).connected();
    for (const endpoint of [B, C]) rig.member(endpoint).on(RANGE, (call) => call.answer({}));
    const used = rig.read({ endpoint: B });
    const idle = rig.read({ endpoint: C });
    await settle();
    expect([used.state, idle.state]).toEqual(['answered', 'answered']);

    for (let minute = 0; minute < 4; minute++) {
      await rig.clock.advance(50_000);
      rig.read({ endpoint: `${B}/` }); // the same place, written in another way
      await settle();
    }

    expect([rig.endpoints.has(A), rig.endpoints.has(B), rig.endpoints.has(C)]).toEqual([true, true, false]);
    expect([rig.member(B).connects, rig.member(C).closed]).toEqual([1, 1]);
  });

  it('does not give up trying sooner than that, and then does (C4)', async () => {
    rig = await new Rig({ endpoints: [A] }).connected();
    rig.member(B).onConnect = { refuses: 'connect ECONNREFUSED' };
    rig.read({ endpoint: B, timeoutMs: 1_000 });

    await rig.clock.advance(59_000);
    const triedAt = rig.member(B).connects;
    await rig.clock.advance(61_000);
    const lastTry = rig.member(B).connects;
    await rig.clock.advance(120_000);

    expect(triedAt).toBeGreaterThan(20);
    expect(rig.member(B).connects).toBe(lastTry);
    expect(rig.clock.pending()).toEqual([]);
  });

  it('keeps a connection beside the list while a call or a stream runs on it (C4)', async () => {
    rig = await new Rig({ endpoints: [A] }).connected();
    rig.member(B).on(RANGE, () => undefined);
    const slow = rig.read({ endpoint: B, timeoutMs: 600_000 });
    const stream = rig.calls.duplex(WATCH, { endpoint: C });
    await rig.clock.advance(300_000);

    expect([slow.state, rig.endpoints.has(B), rig.endpoints.has(C)]).toEqual(['pending', true, true]);
    stream.close();
    await rig.clock.advance(120_000);

    expect([rig.endpoints.has(B), rig.endpoints.has(C)]).toEqual([true, false]);
  });

  it('refuses a text that is no endpoint', () => {
    rig = new Rig({ endpoints: [A] });

    expect(() => rig.endpoints.at('a')).toThrow('option endpoint must be host:port');
  });
});

describe('status', () => {
  it('tells of each endpoint and why it cannot be used', async () => {
    rig = new Rig();
    rig.member(B).onConnect = { refuses: 'connect ECONNREFUSED' };
    rig.member(C).onConnect = 'hang';
    await rig.connected();
    rig.endpoints.at(A).setAside('NoLeader');

    expect(rig.endpoints.status()).toEqual([
      { endpoint: A, state: 'sick', reason: 'NoLeader' },
      { endpoint: B, state: 'backoff', reason: 'connect ECONNREFUSED' },
      { endpoint: C, state: 'connecting', reason: 'still connecting' },
    ]);
    expect(rig.endpoints.failures()).toHaveLength(3);
    expect(rig.endpoints.failures(B)).toEqual([{ endpoint: B, reason: 'connect ECONNREFUSED' }]);
  });

  it('is closed everywhere after close()', async () => {
    rig = await new Rig().connected();
    rig.endpoints.at(D).wake();

    rig.endpoints.close();

    expect(rig.endpoints.isClosed).toBe(true);
    expect(rig.endpoints.status().map(({ state }) => state)).toEqual(['closed', 'closed', 'closed']);
    expect(rig.endpoints.at(D).state.name).toBe('closed');
  });
});
