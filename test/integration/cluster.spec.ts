/** Members that come, change and go on a real etcd. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  EtcdClient,
  EtcdError,
  EtcdMemberExistsError,
  EtcdMemberNotFoundError,
  EtcdMembershipError,
  EtcdUnhealthyError,
  type Member,
} from '../../lib/client/index.js';
import { Joiner } from '../support/etcd/joiner.js';
import type { Member as MemberProcess } from '../support/etcd/member.js';
import { compareVersions } from '../support/etcd/version.js';
import { eventually, startCluster, type Etcd } from '../support/index.js';

const byName = (members: readonly Member[], name: string): Member | undefined =>
  members.find((member) => member.name === name);

/** All members, once each has made its name known. */
async function namedMembers({ cluster }: EtcdClient): Promise<readonly Member[] | undefined> {
  const { members } = await cluster.memberList({ timeoutMs: 500 });
  return members.every(({ name }) => name !== '') ? members : undefined;
}

describe('EtcdCluster of one member that grows', () => {
  let etcd: Etcd;
  let client: EtcdClient;
  let joiner: Joiner;
  let process: MemberProcess | undefined;

  beforeAll(async () => {
    etcd = await startCluster({ members: 1 });
    client = new EtcdClient({ endpoints: etcd.endpoints });
    joiner = await Joiner.prepare('joiner');
  });

  afterAll(async () => {
    await client.close();
    await process?.kill();
    await joiner.remove();
    await etcd.stop();
  });

  it('adds a learner, promotes it when it has caught up, changes its URLs, and removes it', async () => {
    const { cluster } = client;
    const { peerUrl } = joiner.place;

    const added = await cluster.memberAddAsLearner(peerUrl);

    expect(added.member).toMatchObject({ name: '', peerUrls: [peerUrl], clientUrls: [], isLearner: true });
    expect(added.members).toHaveLength(2);
    expect(added.members).toContainEqual(added.member);
    await expect(cluster.memberPromote(added.member.id)).rejects.toMatchObject({ reason: 'LearnerNotReady' });
    await expect(cluster.memberAddAsLearner('http://127.0.0.1:9')).rejects.toMatchObject({ reason: 'TooManyLearners' });

    process = await joiner.start(added.members);
    const promoted = await eventually(() => cluster.memberPromote(added.member.id), { what: 'the learner caught up' });

    expect(promoted.members).toContainEqual(expect.objectContaining({ id: added.member.id, isLearner: false }));

    const peerUrls = [peerUrl, peerUrl.replace('127.0.0.1', 'localhost')];
    const updated = await cluster.memberUpdate(added.member.id, peerUrls);

    const after = updated.members.find(({ id }) => id === added.member.id)!;
    expect([...after.peerUrls].sort()).toEqual(peerUrls);
    const members = await eventually(() => namedMembers(client), { what: 'the name of the joiner' });
    expect(byName(members, 'joiner')).toEqual({
      ...after,
      name: 'joiner',
      clientUrls: [joiner.place.clientUrl],
    });

    const removed = await eventually(() => cluster.memberRemove(added.member.id), {
      what: 'five seconds of health',
      everyMs: 200,
    });

    expect(removed.members.map(({ name }) => name)).toEqual(['m0']);
    await eventually(() => process?.pid === undefined, { what: 'the removed member ended' });
    await client.kv.put('after', 'x');
  });

  it('tells each refusal as an error of its own', async () => {
    const { cluster } = client;
    const { members } = await cluster.memberList();
    const [{ id, peerUrls } = { id: '', peerUrls: [] }] = members;

    await expect(cluster.memberAdd(peerUrls)).rejects.toBeInstanceOf(EtcdMemberExistsError);
    await expect(cluster.memberPromote(id)).rejects.toMatchObject({ reason: 'MemberNotLearner' });
    await expect(cluster.memberPromote(id)).rejects.toBeInstanceOf(EtcdMembershipError);
    await expect(cluster.memberPromote('123abc')).rejects.toBeInstanceOf(EtcdMemberNotFoundError);
    await expect(cluster.memberRemove('123abc')).rejects.toBeInstanceOf(EtcdMemberNotFoundError);
    await expect(cluster.memberUpdate('123abc', 'http://127.0.0.1:9')).rejects.toBeInstanceOf(EtcdMemberNotFoundError);
  });
});

describe('EtcdCluster of one member that gets a second voter at once', () => {
  let joiner: Joiner;
  let process: MemberProcess | undefined;

  beforeAll(async () => {
    joiner = await Joiner.prepare('second');
  });

  afterEach(async () => {
    await process?.kill();
    await joiner.remove();
  });

  it('goes on once the second member runs', async () => {
    await using etcd = await startCluster({ members: 1 });
    await using client = new EtcdClient({ endpoints: etcd.endpoints });

    const added = await client.cluster.memberAdd([joiner.place.peerUrl]);
    process = await joiner.start(added.members);
    await eventually(() => client.kv.put('both', 'x', { timeoutMs: 500 }), { what: 'a quorum of two' });

    expect(added.member).toMatchObject({ name: '', isLearner: false });
    const members = await eventually(() => namedMembers(client), { what: 'the name of the second member' });
    expect(members.map(({ name, isLearner }) => [name, isLearner]).sort()).toEqual([
      ['m0', false],
      ['second', false],
    ]);
  });
});

describe('EtcdCluster of three members', () => {
  let etcd: Etcd;
  let client: EtcdClient;

  beforeAll(async () => {
    etcd = await startCluster();
    client = new EtcdClient({ endpoints: etcd.endpoints, callTimeoutMs: 2_000 });
  });

  afterAll(async () => {
    await client.close();
    await etcd.stop();
  });

  it('lists them all, with the IDs they give themselves', async () => {
    const { members, header } = await client.cluster.memberList();

    expect(members.map(({ name }) => name).sort()).toEqual(['m0', 'm1', 'm2']);
    expect(header.clusterId).toMatch(/^[0-9a-f]+$/);
    for (const [index, member] of etcd.members.entries()) {
      const { memberId } = await etcd.status(index);
      expect(byName(members, member.name)).toMatchObject({ id: memberId, clientUrls: [member.endpoint] });
    }
  });

  it('C1: without a quorum lists what one member knows, and ends the confirmed list with a typed error', async () => {
    await etcd.members[1]!.kill();
    await etcd.members[2]!.kill();
    const isFlagKnown = compareVersions(etcd.version, '3.5.0') >= 0;

    const known = await client.cluster.memberList({ linearizable: false });
    const confirmed = await client.cluster.memberList({ timeoutMs: 1_500 }).catch((reason: unknown) => reason);

    expect(known.members).toHaveLength(3);
    expect(confirmed instanceof EtcdError).toBe(isFlagKnown);
    const refusal = await client.cluster.memberAdd('http://127.0.0.1:9').catch((reason: unknown) => reason);
    expect([EtcdUnhealthyError, EtcdMembershipError].some((type) => refusal instanceof type)).toBe(true);
  });
});
