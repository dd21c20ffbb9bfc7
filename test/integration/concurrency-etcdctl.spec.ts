/** Our locks and elections beside `etcdctl lock` and `etcdctl elect`, in both directions; promise K1. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { EtcdClient } from '../../lib/client/client.js';
import { besideOthers } from '../support/beside-others.js';
import { findEtcd, type Child } from '../support/index.js';

const stage = besideOthers('etcdctl');
const { run, keys, untilQueued } = stage;
let client: EtcdClient;
let name: string;

beforeEach(() => {
  ({ client, name } = stage);
});

async function etcdctl(...args: string[]): Promise<Child> {
  const { etcdctl: program } = await findEtcd();
  if (program === undefined) throw new Error('the etcd of this machine came without etcdctl');
  return run(program, ['--endpoints', stage.etcd.endpoint, ...args]);
}

describe('etcdctl lock', () => {
  it('that is held keeps ours waiting, and hands over to it', async () => {
    const theirs = await etcdctl('lock', '--ttl', '5', name);
    const [theirKey] = await theirs.waitForOutput(new RegExp(`${name}/[0-9a-f]+`));
    expect(await client.concurrency.tryAcquire(name)).toBeUndefined();
    const waiting = client.concurrency.acquire(name, { ttlSeconds: 5 });
    await untilQueued(2);

    await theirs.stop();
    const ours = await waiting;

    expect(await keys()).toEqual([ours.key]);
    expect(ours.key).not.toBe(theirKey);
    await ours.release();
  });

  it('waits for ours, and gets it after that', async () => {
    const ours = await client.concurrency.acquire(name, { ttlSeconds: 5 });
    const theirs = await etcdctl('lock', '--ttl', '5', name);
    await untilQueued(2);
    expect(theirs.output).toBe('');

    await ours.release();

    await theirs.waitForOutput(new RegExp(`${name}/[0-9a-f]+`));
  });

  it('that is killed lets ours in after its TTL', async () => {
    const theirs = await etcdctl('lock', '--ttl', '2', name);
    await theirs.waitForOutput(new RegExp(name));
    theirs.signal('SIGKILL');

    const ours = await client.concurrency.acquire(name, { waitMs: 10_000 });

    expect(ours.isHeld).toBe(true);
    await ours.release();
  });
});

describe('etcdctl elect', () => {
  it('that leads keeps ours waiting, and ours leads after it', async () => {
    const theirs = await etcdctl('elect', name, 'etcdctl');
    await theirs.waitForOutput(/etcdctl/);
    expect((await client.concurrency.leader(name))?.value).toBe('etcdctl');
    const campaign = client.concurrency.campaign(name, 'ours', { ttlSeconds: 5 });
    await untilQueued(2);

    await theirs.stop();
    const ours = await campaign;

    expect((await client.concurrency.leader(name))?.value).toBe('ours');
    await ours.resign();
  });

  it('waits for ours, and listens to what ours says', async () => {
    const ours = await client.concurrency.campaign(name, 'ours', { ttlSeconds: 5 });
    const listener = await etcdctl('elect', '-l', name);
    await listener.waitForOutput(/\nours\n/);
    const theirs = await etcdctl('elect', name, 'etcdctl');
    await untilQueued(2);

    await ours.proclaim('ours, still');
    await listener.waitForOutput(/\nours, still\n/);
    expect(theirs.output).toBe('');
    await ours.resign();

    await theirs.waitForOutput(/etcdctl/);
    await listener.waitForOutput(/\netcdctl\n/);
  });
});
