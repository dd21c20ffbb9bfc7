/** Each call of the Cluster service: what is sent, what comes back, and what is refused before anything is sent. */
import { describe, expect, it } from '@jest/globals';
import { EtcdCluster } from '../../../lib/client/cluster/cluster.js';
import { EtcdInvalidArgumentError, EtcdProtocolError } from '../../../lib/client/errors.js';
import type * as wire from '../../../lib/client/rpc/generated/messages.js';
import {
  MEMBER_ADD,
  MEMBER_LIST,
  MEMBER_PROMOTE,
  MEMBER_REMOVE,
  MEMBER_UPDATE,
} from '../../../lib/client/rpc/methods.js';
import { FakeRpc } from '../../support/fake-rpc.js';

const header: wire.ResponseHeader = { clusterId: 'c1', memberId: 'a1', revision: 7, raftTerm: 2 };
const M0: wire.Member = {
  ID: '8e9e05c52164694d',
  name: 'm0',
  peerURLs: ['http://10.0.0.1:2380'],
  clientURLs: ['http://10.0.0.1:2379'],
  isLearner: false,
};
const NEW: wire.Member = { ID: '1f', name: '', peerURLs: ['http://10.0.0.2:2380'], clientURLs: [], isLearner: true };
const m0 = {
  id: '8e9e05c52164694d',
  name: 'm0',
  peerUrls: ['http://10.0.0.1:2380'],
  clientUrls: ['http://10.0.0.1:2379'],
  isLearner: false,
};
const added = { id: '1f', name: '', peerUrls: ['http://10.0.0.2:2380'], clientUrls: [], isLearner: true };

function makeCluster(): { rpc: FakeRpc; cluster: EtcdCluster } {
  const rpc = new FakeRpc();
  return { rpc, cluster: new EtcdCluster(rpc) };
}

describe('EtcdCluster', () => {
  it.each([
    ['memberAdd', false],
    ['memberAddAsLearner', true],
  ] as const)('%s sends the URLs and tells the new member among all', async (call, isLearner) => {
    const { rpc, cluster } = makeCluster();
    rpc.answer(MEMBER_ADD, { header, member: NEW, members: [M0, NEW] });

    const answer = await cluster[call](' http://10.0.0.2:2380 ');

    expect(rpc.requests(MEMBER_ADD)).toEqual([{ peerURLs: ['http://10.0.0.2:2380'], isLearner }]);
    expect(answer).toEqual({ header, member: added, members: [m0, added] });
  });

  it('says that the member may be there when the answer does not name it', async () => {
    const { rpc, cluster } = makeCluster();
    rpc.answer(MEMBER_ADD, { header, member: null, members: [] });

    const error = await cluster.memberAdd('http://10.0.0.2:2380').catch((reason: unknown) => reason);

    expect(error).toBeInstanceOf(EtcdProtocolError);
    expect(error).toMatchObject({ method: 'Cluster.MemberAdd', outcome: 'unknown' });
  });

  it('promotes, updates and removes by the ID, and tells the members', async () => {
    const { rpc, cluster } = makeCluster();
    const members = [M0];
    rpc.answer(MEMBER_PROMOTE, { header, members });
    rpc.answer(MEMBER_UPDATE, { header, members });
    rpc.answer(MEMBER_REMOVE, { header, members });
    const peerUrls = ['https://[::1]:2380', 'unix:///run/peer.sock'];

    const answers = [
      await cluster.memberPromote('1f'),
      await cluster.memberUpdate('1f', peerUrls),
      await cluster.memberRemove('1f'),
    ];

    expect(answers).toEqual(Array.from({ length: 3 }, () => ({ header, members: [m0] })));
    expect(rpc.calls.map(({ request }) => request)).toEqual([
      { ID: '1f' },
      { ID: '1f', peerURLs: peerUrls },
      { ID: '1f' },
    ]);
  });

  it('lists the members as confirmed by a quorum, unless told not to', async () => {
    const { rpc, cluster } = makeCluster();
    rpc.answerAlways(MEMBER_LIST, { header, members: [M0, NEW] });

    const answer = await cluster.memberList({ timeoutMs: 9 });
    await cluster.memberList({ linearizable: false });

    expect(answer).toEqual({ header, members: [m0, added] });
    expect(rpc.requests(MEMBER_LIST)).toEqual([{ linearizable: true }, { linearizable: false }]);
    expect(rpc.calls[0]?.options).toEqual({ timeoutMs: 9 });
  });

  it.each([
    ['http://10.0.0.4', 'host:port'],
    ['http://10.0.0.4:0', 'from 1 to 65535'],
    ['http://10.0.0.4:65536', 'from 1 to 65535'],
    ['http://:2380', 'host:port'],
    ['http://::1:2380', 'host:port'],
    ['http://10.0.0.4:2380/', 'must not have a path'],
    ['http://10.0.0.4:2380/v3', 'must not have a path'],
    ['http://10.0.0.4:2380?a=b', 'host:port'],
    ['10.0.0.4:2380', 'must begin with http://'],
    ['ftp://10.0.0.4:2380', 'must begin with http://'],
    ['unix://', 'must name a socket'],
    ['', 'must begin with http://'],
  ])('C7: refuses the peer URL %j before anything is sent, since it %s', async (url, rule) => {
    const { rpc, cluster } = makeCluster();

    const error = await cluster.memberAdd(['http://10.0.0.3:2380', url]).catch((reason: unknown) => reason);

    expect(error).toBeInstanceOf(EtcdInvalidArgumentError);
    expect(error).toMatchObject({ argument: 'peerUrls[1]', outcome: 'not-applied' });
    expect(String(error)).toContain(rule);
    expect(rpc.calls).toEqual([]);
  });

  it('refuses an empty list, and what is no text', async () => {
    const { cluster } = makeCluster();

    await expect(cluster.memberAdd([])).rejects.toThrow('at least one URL');
    await expect(cluster.memberUpdate('1f', [7 as unknown as string])).rejects.toThrow('must be a string');
  });

  it('C5: does not repeat a peer URL with credentials', async () => {
    const { cluster } = makeCluster();

    const error = await cluster.memberAdd('http://user:secret@10.0.0.4:2380').catch((reason: unknown) => reason);

    expect(String(error)).toContain('must not hold credentials');
    expect(String(error)).not.toContain('secret');
  });

  it.each(['', '0', '000', '0x1f', '-1f', 'xyz', '11112222333344445', 31 as unknown as string])(
    'C7: refuses %j as a member ID',
    async (memberId) => {
      const { rpc, cluster } = makeCluster();

      const errors = await Promise.all([
        cluster.memberPromote(memberId).catch((reason: unknown) => reason),
        cluster.memberRemove(memberId).catch((reason: unknown) => reason),
        cluster.memberUpdate(memberId, 'http://10.0.0.4:2380').catch((reason: unknown) => reason),
      ]);

      for (const error of errors) expect(error).toMatchObject({ argument: 'memberId', outcome: 'not-applied' });
      expect(rpc.calls).toEqual([]);
    },
  );
});
