/** Answers that are lost after the write has arrived: who is sent again, and what the error claims. Promise C2, rows B1 to B9. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { EtcdClient } from '../../lib/client/client.js';
import { EtcdError } from '../../lib/client/errors.js';
import { compare } from '../../lib/client/kv/compare.js';
import { get, put } from '../../lib/client/kv/operations.js';
import type { Etcd, TcpProxy } from '../support/index.js';
import { runningMs } from '../support/running-time.js';
import { behindProxy, loseAnswer } from './support/behind-proxy.js';

const ROUNDS = 8;
/** For the counter under resets, which takes some five seconds. Before its test's own time is up. */
const COUNTING_MS = 50_000;

const stage = behindProxy();
let etcd: Etcd;
let proxy: TcpProxy;
let client: EtcdClient;
let prefix: string;
let round = 0;

beforeEach(() => {
  ({ etcd, proxy, client } = stage);
  prefix = `once/${round++}/`;
});

function errorOf(settled: PromiseSettledResult<unknown>): EtcdError {
  expect(settled.status).toBe('rejected');
  const { reason } = settled as PromiseRejectedResult;
  expect(reason).toBeInstanceOf(EtcdError);
  return reason as EtcdError;
}

function exists(key: string): () => Promise<boolean> {
  return async () => (await etcd.gateway.get(key)) !== undefined;
}

describe('A write whose answer is lost', () => {
  it('as a put is applied once, and its error says that the outcome is unknown (B1)', async () => {
    for (let index = 0; index < ROUNDS; index++) {
      const key = `${prefix}${index}`;

      const { outcome, attempts } = errorOf(await loseAnswer(stage, () => client.kv.put(key, 'x'), exists(key)));

      expect({ outcome, attempts }).toEqual({ outcome: 'unknown', attempts: 1 });
      expect((await etcd.gateway.get(key))?.version).toBe(1);
    }
  });

  it('as a compare-and-set never claims that somebody else was first (B2)', async () => {
    for (let index = 0; index < ROUNDS; index++) {
      const key = `${prefix}${index}`;

      const settled = await loseAnswer(stage, () => client.kv.create(key, 'mine'), exists(key));

      expect(errorOf(settled).outcome).toBe('unknown');
      expect((await etcd.gateway.get(key))?.version).toBe(1);
    }
  });

  it('as a delete and as a transaction is sent once (B9)', async () => {
    await etcd.gateway.put(`${prefix}gone`, 'x');
    const isGone = async (): Promise<boolean> => (await etcd.gateway.get(`${prefix}gone`)) === undefined;

    const deletion = await loseAnswer(stage, () => client.kv.delete(`${prefix}gone`), isGone);
    const transaction = await loseAnswer(
      stage,
      () =>
        client.kv
          .txn()
          .then(put(`${prefix}t`, 'x'))
          .commit(),
      exists(`${prefix}t`),
    );

    expect(errorOf(deletion)).toMatchObject({ outcome: 'unknown', attempts: 1 });
    expect(errorOf(transaction)).toMatchObject({ outcome: 'unknown', attempts: 1 });
    expect((await etcd.gateway.get(`${prefix}t`))?.version).toBe(1);
  });

  it('that its caller calls idempotent is sent again and succeeds (B7)', async () => {
    const key = `${prefix}idempotent`;

    const settled = await loseAnswer(stage, () => client.kv.put(key, 'x', { idempotent: true }), exists(key));

    expect(settled.status).toBe('fulfilled');
    expect((await etcd.gateway.get(key))?.value).toBe('x');
  });
});

describe('A read whose answer is lost', () => {
  it('as a get succeeds within 2 s on another connection (B3)', async () => {
    await etcd.gateway.put(`${prefix}a`, 'x');

    for (let index = 0; index < ROUNDS; index++) {
      const startedAt = runningMs();
      const settled = await loseAnswer(
        stage,
        () => client.kv.get(`${prefix}a`),
        () => true,
      );

      expect(settled).toMatchObject({ status: 'fulfilled', value: { value: 'x' } });
      expect(runningMs() - startedAt).toBeLessThan(2_000);
    }
  });

  it('as a transaction that only reads succeeds too (B8)', async () => {
    await etcd.gateway.put(`${prefix}a`, 'x');
    const read = (): Promise<{ succeeded: boolean }> =>
      client.kv
        .txn()
        .if(compare(`${prefix}a`).version('>', 0))
        .then(get(`${prefix}a`))
        .commit();

    const settled = await loseAnswer(stage, read, () => true);

    expect(settled).toMatchObject({ status: 'fulfilled', value: { succeeded: true } });
  });
});

describe('A counter that is raised by compare-and-set under resets', () => {
  it('ends between what was acknowledged and that plus what is unknown (B5)', async () => {
    const key = `${prefix}counter`;
    let acknowledged = 0;
    let unknown = 0;
    let resets = 0;
    const raise = async (): Promise<void> => {
      try {
        await client.kv.update(key, (current) => String(Number(current?.value ?? 0) + 1));
        acknowledged += 1;
      } catch (error) {
        if (!(error instanceof EtcdError)) throw error;
        if (error.outcome === 'unknown') unknown += 1;
      }
    };
    const resetting = setInterval(() => {
      proxy.reset();
      resets += 1;
    }, 200);

    const giveUpAt = performance.now() + COUNTING_MS;

    try {
      while (acknowledged <= 50 || resets < 20) {
        if (performance.now() > giveUpAt) throw new Error(`only ${acknowledged} acknowledged after ${resets} resets`);
        await raise();
      }
    } finally {
      clearInterval(resetting);
    }

    const final = Number((await etcd.gateway.get(key))?.value);
    expect(final).toBeGreaterThanOrEqual(acknowledged);
    expect(final).toBeLessThanOrEqual(acknowledged + unknown);
  }, 60_000);
});
