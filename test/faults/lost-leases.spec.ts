/** Lease calls whose answers are lost: rows B4 and B9, promise L3. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { EtcdClient } from '../../lib/client/client.js';
import type { Etcd } from '../support/index.js';
import { behindProxy, loseAnswer } from './support/behind-proxy.js';

const ROUNDS = 8;

const stage = behindProxy();
let etcd: Etcd;
let client: EtcdClient;

beforeEach(() => {
  ({ etcd, client } = stage);
});

describe('A lease call whose answer is lost', () => {
  it('as a grant is sent again by its ID, and leaves one lease for each (L3, B4)', async () => {
    const granted: string[] = [];

    for (let round = 1; round <= ROUNDS; round++) {
      const hasArrived = async (): Promise<boolean> => (await etcd.gateway.leases()).length === round;
      const settled = await loseAnswer(stage, () => client.lease.grant(60), hasArrived);
      expect(settled.status).toBe('fulfilled');
      granted.push((settled as PromiseFulfilledResult<{ id: string }>).value.id);
    }

    expect((await etcd.gateway.leases()).sort()).toEqual(granted.sort());
  });

  it('as a revocation succeeds when the lease is gone by then (B9)', async () => {
    const { id } = await client.lease.grant(60);
    const isGone = async (): Promise<boolean> => !(await etcd.gateway.leases()).includes(id);

    const settled = await loseAnswer(stage, () => client.lease.revoke(id), isGone);

    expect(settled.status).toBe('fulfilled');
  });

  it('as a grant or a revocation that must not be repeated says that its outcome is unknown (C2, B4, B9)', async () => {
    const before = (await etcd.gateway.leases()).length;
    const hasArrived = async (): Promise<boolean> => (await etcd.gateway.leases()).length === before + 1;
    const grant = await loseAnswer(stage, () => client.lease.grant(60, { idempotent: false }), hasArrived);
    const { id } = await client.lease.grant(60);
    const isGone = async (): Promise<boolean> => !(await etcd.gateway.leases()).includes(id);
    const revoke = await loseAnswer(stage, () => client.lease.revoke(id, { idempotent: false }), isGone);

    for (const settled of [grant, revoke]) {
      expect(settled).toMatchObject({ status: 'rejected', reason: { outcome: 'unknown', attempts: 1 } });
    }
  });
});
