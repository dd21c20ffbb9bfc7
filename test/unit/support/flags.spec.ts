/** The command line of a member. */
import { describe, expect, it } from '@jest/globals';
import { memberArguments, type MemberPlace } from '../../support/etcd/flags.js';

const place = (name: string, port: number): MemberPlace => ({
  name,
  clientUrl: `http://127.0.0.1:${port}`,
  peerUrl: `http://127.0.0.1:${port + 1}`,
  dataFolder: `/data/${name}`,
});

const argumentsFor = (version: string, count: number, flags = {}): string[] => {
  const cluster = Array.from({ length: count }, (_, index) => place(`m${index}`, 10_000 + 2 * index));
  return memberArguments({ version, place: cluster[0]!, cluster, clusterToken: 'test', flags });
};

describe('memberArguments', () => {
  it('names every member of the cluster', () => {
    expect(argumentsFor('3.5.30', 3)).toContain(
      '--initial-cluster=m0=http://127.0.0.1:10001,m1=http://127.0.0.1:10003,m2=http://127.0.0.1:10005',
    );
  });

  it('leaves out the flag that 3.4 does not know', () => {
    expect(argumentsFor('3.4.23', 1)).not.toContain('--unsafe-no-fsync=true');
    expect(argumentsFor('3.5.16', 1)).toContain('--unsafe-no-fsync=true');
  });

  it('lets the flags of the test win', () => {
    const args = argumentsFor('3.5.30', 1, { 'election-timeout': 2000, 'max-txn-ops': 256 });

    expect(args.filter((argument) => argument.startsWith('--election-timeout='))).toEqual(['--election-timeout=2000']);
    expect(args).toContain('--max-txn-ops=256');
  });

  it('gives several members more time before they elect a leader than a single one', () => {
    expect(argumentsFor('3.5.30', 1)).toContain('--election-timeout=100');
    expect(argumentsFor('3.5.30', 3)).toContain('--election-timeout=500');
  });
});
