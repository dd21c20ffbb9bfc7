/** Elections: who leads, who hears of it, and what is left in the store; promises K1, K2 and K3. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  EtcdCampaignTimeoutError,
  EtcdLeadershipLostError,
} from '../../../lib/client/concurrency/concurrency-errors.js';
import type { EtcdConcurrency } from '../../../lib/client/concurrency/concurrency.js';
import type { Leadership } from '../../../lib/client/concurrency/leadership.js';
import { EtcdAbortedError, EtcdInvalidArgumentError } from '../../../lib/client/errors.js';
import { put } from '../../../lib/client/kv/operations.js';
import { LEASE_GRANT, TXN } from '../../../lib/client/rpc/methods.js';
import { EtcdPermissionDeniedError } from '../../../lib/client/server-errors.js';
import { MemoryEtcd, quiet, watchOver, type MemoryClient } from './memory-etcd.js';

let etcd: MemoryEtcd;
let client: MemoryClient;
let concurrency: EtcdConcurrency;

beforeEach(() => {
  etcd = new MemoryEtcd();
  client = etcd.client();
  ({ concurrency } = client);
});

const keys = (): string[] => etcd.store.keysOf('billing/');

function denied(): EtcdPermissionDeniedError {
  return new EtcdPermissionDeniedError({ reason: 'PermissionDenied', serverMessage: 'no' }, { outcome: 'not-applied' });
}

describe('A campaign', () => {
  it('puts the key and the value that Go puts (K1)', async () => {
    const leadership = await concurrency.campaign('billing', 'node-1', { ttlSeconds: 9 });

    const stored = etcd.store.get(leadership.key)!;
    expect(leadership.key).toBe(`billing/${leadership.session.leaseId}`);
    expect(stored).toMatchObject({ lease: leadership.session.leaseId, createRevision: leadership.fencingToken });
    expect(Buffer.from(stored.value).toString()).toBe('node-1');
    expect((await concurrency.leader('billing'))?.value).toBe('node-1');
    expect(leadership.isLeader).toBe(true);
  });

  it('waits for those before it, in their order', async () => {
    const first = await concurrency.campaign('billing', '1', { ttlSeconds: 600 });
    const second = watchOver(concurrency.campaign('billing', '2', { ttlSeconds: 600 }));
    await quiet();
    const third = watchOver(concurrency.campaign('billing', '3', { ttlSeconds: 600 }));
    await quiet();
    expect((await concurrency.leader('billing'))?.value).toBe('1');

    await first.resign();
    await quiet();

    expect([second.value?.isLeader, third.value]).toEqual([true, undefined]);
    expect((await concurrency.leader('billing'))?.value).toBe('2');
    expect(second.value!.fencingToken).toBeGreaterThan(first.fencingToken);
  });

  it('that times out or is aborted leaves no key (etcd #21128)', async () => {
    const leader = await concurrency.campaign('billing', '1', { ttlSeconds: 600 });
    const abort = new AbortController();
    const late = watchOver(concurrency.campaign('billing', '2', { waitMs: 400 }));
    const aborted = watchOver(concurrency.campaign('billing', '3', { signal: abort.signal }));
    await quiet();
    expect(keys()).toHaveLength(3);

    abort.abort();
    await etcd.pass(400);

    expect(late.error).toBeInstanceOf(EtcdCampaignTimeoutError);
    expect(late.error).toMatchObject({ code: 'ETCD_CAMPAIGN_TIMEOUT', electionName: 'billing', waitMs: 400 });
    expect(aborted.error).toBeInstanceOf(EtcdAbortedError);
    expect(keys()).toEqual([leader.key]);
  });

  it('that fails for good leaves no key (etcd #21128)', async () => {
    const leader = await concurrency.campaign('billing', '1', { ttlSeconds: 600 });
    const session = await concurrency.session({ ttlSeconds: 600 });
    const failing = watchOver(concurrency.campaign('billing', '2', { session }));
    await quiet();

    etcd.next(TXN, denied());
    await etcd.delete(leader.key);
    await quiet();

    expect(failing.error).toBeInstanceOf(EtcdPermissionDeniedError);
    expect(keys()).toEqual([]);
  });

  it('is not won by a session that has died (K3)', async () => {
    const leader = await concurrency.campaign('billing', '1', { ttlSeconds: 600 });
    const session = await concurrency.session({ ttlSeconds: 600 });
    const dead = watchOver(concurrency.campaign('billing', '2', { session }));
    await quiet();

    await etcd.revokeLease(session.leaseId);
    await leader.resign();
    await quiet();

    expect(dead.error).toBeInstanceOf(EtcdLeadershipLostError);
    expect(await concurrency.leader('billing')).toBeUndefined();
  });

  it('wins although the answer to its put was lost (peers: sole candidate never elected)', async () => {
    etcd.next(TXN, 'lose-answer');
    const campaign = watchOver(concurrency.campaign('billing', '1'));

    await etcd.pass(1_000);

    expect(campaign.value?.isLeader).toBe(true);
    expect(etcd.store.get(campaign.value!.key)!.version).toBe(1);
  });

  it('on the session of the leader waits until that has resigned, and says what it was asked to say', async () => {
    const session = await concurrency.session({ ttlSeconds: 600 });
    const first = await concurrency.campaign('billing', 'old words', { session });
    const second = watchOver(concurrency.campaign('billing', 'new words', { session }));
    await quiet();
    expect(second).toEqual({});

    await first.resign();
    await quiet();

    expect(second.value?.isLeader).toBe(true);
    expect((await concurrency.leader('billing'))?.value).toBe('new words');
  });
});

describe('A leader', () => {
  let leadership: Leadership;
  beforeEach(async () => {
    leadership = await concurrency.campaign('billing', 'node-1', { ttlSeconds: 9 });
  });

  it('changes what it says of itself, and keeps its key and place', async () => {
    const header = await leadership.proclaim('node-1:8080');

    const leader = await concurrency.leader('billing');
    expect([leader?.value, leader?.key]).toEqual(['node-1:8080', leadership.key]);
    expect(leader).toMatchObject({ version: 2, createRevision: leadership.fencingToken });
    expect(leader?.modRevision).toBe(header.revision);
    expect(leader?.lease).toBe(leadership.session.leaseId);
  });

  it('says nothing once it has lost: the server refuses it, and so it learns (K3, D13)', async () => {
    await etcd.revokeLease(leadership.session.leaseId);
    const other = await etcd.client().concurrency.campaign('billing', 'node-2', { ttlSeconds: 600 });

    await expect(leadership.proclaim('still here')).rejects.toBeInstanceOf(EtcdLeadershipLostError);

    expect(leadership.signal.aborted).toBe(true);
    expect((await concurrency.leader('billing'))?.value).toBe('node-2');
    expect(keys()).toEqual([other.key]);
  });

  it('says nothing when the clock says that its lease is over, without asking (D3, D13)', async () => {
    etcd.clock.stall(9_000);
    const asked = etcd.requests.length;

    await expect(leadership.proclaim('still here')).rejects.toMatchObject({
      code: 'ETCD_LEADERSHIP_LOST',
      reason: 'lease-lost',
    });

    expect(leadership.isLeader).toBe(false);
    expect(etcd.requests).toHaveLength(asked);
  });

  it('hears of the loss before another can lead (K2)', async () => {
    const other = etcd.client();
    const waiting = watchOver(other.concurrency.campaign('billing', 'node-2', { ttlSeconds: 600 }));
    await quiet();
    const wonAtAbort: boolean[] = [];
    leadership.signal.addEventListener('abort', () => wonAtAbort.push(waiting.value !== undefined));

    client.isCut = true;
    await etcd.pass(10_000);

    expect(wonAtAbort).toEqual([false]);
    expect(waiting.value?.isLeader).toBe(true);
  });

  it('has a guard that holds as long as it leads', async () => {
    const write = () => client.kv.txn().if(leadership.guard).then(put('invoice', 'x')).commit();

    const before = await write();
    await leadership.resign();
    const after = await write();

    expect([before.succeeded, after.succeeded]).toEqual([true, false]);
  });

  it('that resigns after it has lost touches nobody’s key (K2)', async () => {
    await etcd.revokeLease(leadership.session.leaseId);
    const other = await etcd.client().concurrency.campaign('billing', 'node-2', { ttlSeconds: 600 });

    await leadership.resign();
    await leadership.resign();
    await quiet();

    expect(keys()).toEqual([other.key]);
  });

  it('goes on after a restart, on the session it has left to the next process', async () => {
    const leaseId = leadership.session.orphan();
    const after = etcd.client().concurrency;
    const session = await after.session({ leaseId });

    const resumed = await after.resume('billing', { session });

    expect(resumed).toMatchObject({ isLeader: true, fencingToken: leadership.fencingToken, key: leadership.key });
    expect((await after.leader('billing'))?.value).toBe('node-1');
  });

  it('does not go on where another leads, or nobody', async () => {
    const after = etcd.client().concurrency;
    const session = await after.session();

    expect(await after.resume('billing', { session })).toBeUndefined();
    await leadership.resign();
    expect(await after.resume('billing', { session })).toBeUndefined();
    expect(keys()).toEqual([]);
  });
});

describe('An observer', () => {
  interface Seen {
    readonly values: (string | undefined)[];
    error?: unknown;
    isDone?: boolean;
  }

  function observe(signal?: AbortSignal): Seen & { close(): Promise<void> } {
    const observer = etcd.client().concurrency.observe('billing', { signal });
    const seen: Seen & { close(): Promise<void> } = { values: [], close: () => observer.close() };
    const read = async (): Promise<void> => {
      try {
        for await (const leader of observer) seen.values.push(leader?.value);
      } catch (error) {
        seen.error = error;
      }
      seen.isDone = true;
    };
    void read();
    return seen;
  }

  it('hears of every leader, of what they say, and when there is none (K3)', async () => {
    const { values } = observe();
    await quiet();

    const first = await concurrency.campaign('billing', '1');
    await first.proclaim('1a');
    const second = concurrency.campaign('billing', '2');
    await quiet();
    await first.resign();
    await (await second).resign();
    await quiet();

    expect(values).toEqual([undefined, '1', '1a', '2', undefined]);
  });

  it('begins with the leader there is, and takes candidates for what they are (etcd #18163)', async () => {
    await concurrency.campaign('billing', '1');
    void concurrency.campaign('billing', '2').catch(() => undefined);
    await quiet();

    const { values } = observe();
    await quiet();
    await etcd.put('billing/candidate', '3');
    await quiet();

    expect(values).toEqual(['1']);
  });

  it('survives broken connections and compaction, and never goes back (D14)', async () => {
    const first = await concurrency.campaign('billing', '1', { ttlSeconds: 600 });
    const second = concurrency.campaign('billing', '2', { ttlSeconds: 600 });
    const { values } = observe();
    await quiet();

    await etcd.breakWatches();
    await first.resign();
    await etcd.put('other');
    etcd.compactAll();
    await etcd.pass(10_000);
    await (await second).proclaim('2a');
    await quiet();

    expect(values).toEqual(['1', '2', '2a']);
  });

  it('ends quietly when it is closed, and with an error when its signal aborts', async () => {
    const abort = new AbortController();
    const closed = observe();
    const aborted = observe(abort.signal);
    await quiet();

    await closed.close();
    abort.abort();
    await quiet();

    expect(closed).toMatchObject({ isDone: true });
    expect(closed.error).toBeUndefined();
    expect(aborted.error).toBeInstanceOf(EtcdAbortedError);
    expect(etcd.watchedKeys()).toEqual([]);
  });

  it('ends when the loop is left, and can be read once', async () => {
    const observer = concurrency.observe('billing');
    for await (const leader of observer) {
      expect(leader).toBeUndefined();
      break;
    }

    expect(() => observer[Symbol.asyncIterator]()).toThrow(EtcdInvalidArgumentError);
    expect(etcd.watchedKeys()).toEqual([]);
  });
});

describe('whileLeader', () => {
  const untilAborted = (signal: AbortSignal) =>
    new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));

  it('runs the body while it leads, resigns when that has ended, and returns what it returned', async () => {
    const seen: unknown[] = [];

    const result = await concurrency.whileLeader(
      'billing',
      async (leadership) => {
        seen.push(leadership.isLeader, (await concurrency.leader('billing'))?.value);
        return 42;
      },
      { value: 'me' },
    );

    expect([result, ...seen]).toEqual([42, true, 'me']);
    expect(keys()).toEqual([]);
  });

  it('campaigns again each time the leadership was lost, when the body has ended (K3)', async () => {
    const running: string[] = [];
    let terms = 0;
    const lost: unknown[] = [];
    const abort = new AbortController();
    const leading = watchOver(
      concurrency.whileLeader(
        'billing',
        async ({ signal }) => {
          const term = ++terms;
          running.push(`+${term}`);
          await untilAborted(signal);
          await quiet(); // the body needs a moment to end
          running.push(`-${term}`);
        },
        { ttlSeconds: 10, signal: abort.signal, onLost: ({ reason }) => lost.push(reason) },
      ),
    );
    await quiet();

    for (let count = 0; count < 2; count++) {
      await etcd.revokeLease([...etcd.store.leases][0]!);
      await etcd.pass(8_000);
    }

    expect(running).toEqual(['+1', '-1', '+2', '-2', '+3']);
    expect(lost).toHaveLength(2);
    abort.abort();
    await quiet();
    await quiet();
    expect(leading).toEqual({ value: undefined });
    expect(running.at(-1)).toBe('-3');
    expect(keys()).toEqual([]);
  });

  it('keeps the leadership until the body has ended when it is told to stop (M6)', async () => {
    const abort = new AbortController();
    let keysWhileEnding: string[] = [];
    let isLeaderWhileEnding = false;
    const leading = concurrency.whileLeader(
      'billing',
      async (leadership) => {
        await untilAborted(leadership.signal);
        await quiet();
        keysWhileEnding = keys();
        isLeaderWhileEnding = leadership.isLeader;
      },
      { signal: abort.signal },
    );
    await quiet();

    abort.abort();

    await expect(leading).resolves.toBeUndefined();
    expect(keysWhileEnding).toHaveLength(1);
    expect(isLeaderWhileEnding).toBe(true);
    expect(keys()).toEqual([]);
  });

  it('passes on what the body throws while it leads', async () => {
    await expect(concurrency.whileLeader('billing', () => Promise.reject(new Error('broken')))).rejects.toThrow(
      'broken',
    );

    expect(keys()).toEqual([]);
  });

  it('takes it for the end of a term when the body throws after the leadership was lost, and says so', async () => {
    const lost: unknown[] = [];
    const abort = new AbortController();
    let terms = 0;
    const leading = watchOver(
      concurrency.whileLeader(
        'billing',
        async ({ signal }) => {
          terms += 1;
          await untilAborted(signal);
          throw new Error('refused');
        },
        { ttlSeconds: 10, signal: abort.signal, onLost: (_, bodyError) => lost.push(bodyError) },
      ),
    );
    await quiet();

    await etcd.revokeLease([...etcd.store.leases][0]!);
    await etcd.pass(8_000);

    expect(leading).toEqual({});
    expect(terms).toBe(2);
    expect(lost).toMatchObject([{ message: 'refused' }]);
    abort.abort();
    await quiet();
    expect(leading.error).toMatchObject({ message: 'refused' });
  });

  it('is content with a body that passes its signal’s reason on when it is told to stop', async () => {
    const abort = new AbortController();
    const leading = concurrency.whileLeader(
      'billing',
      async ({ signal }) => {
        await untilAborted(signal);
        signal.throwIfAborted();
      },
      { signal: abort.signal },
    );
    await quiet();

    abort.abort();

    await expect(leading).resolves.toBeUndefined();
  });

  it('goes on campaigning when the cluster fails, after a pause, and says so', async () => {
    const failures: unknown[] = [];
    etcd.next(LEASE_GRANT, 'refuse', 'refuse');
    const leading = watchOver(
      concurrency.whileLeader('billing', () => 'done', { onFailure: (error) => failures.push(error) }),
    );

    await etcd.pass(3_000);

    expect(leading.value).toBe('done');
    expect(failures).toMatchObject([{ code: 'ETCD_UNAVAILABLE' }, { code: 'ETCD_UNAVAILABLE' }]);
  });

  it('gives up on what another campaign would meet again', async () => {
    etcd.next(TXN, denied());

    await expect(concurrency.whileLeader('billing', () => undefined)).rejects.toBeInstanceOf(EtcdPermissionDeniedError);
  });

  it('ends at once when it is told to stop while it waits to lead', async () => {
    await concurrency.campaign('billing', 'other', { ttlSeconds: 600 });
    const abort = new AbortController();
    const leading = concurrency.whileLeader('billing', () => 'never', { signal: abort.signal });
    await quiet();

    abort.abort();

    await expect(leading).resolves.toBeUndefined();
    expect(keys()).toHaveLength(1);
  });
});
