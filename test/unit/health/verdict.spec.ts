/** From what was seen to up, degraded or down. */
import { describe, expect, it } from '@jest/globals';
import type { EtcdEndpointHealth } from '../../../lib/health/endpoint-health.js';
import { judge } from '../../../lib/health/verdict.js';

const LEADER = '8e9e05c52164694d';

function serving(endpoint: string, facts: Partial<EtcdEndpointHealth> = {}): EtcdEndpointHealth {
  return {
    endpoint,
    reachable: true,
    version: '3.5.30',
    member: LEADER,
    leader: LEADER,
    isLeader: true,
    learner: false,
    dbSize: 100,
    dbSizeInUse: 50,
    alarms: [],
    ...facts,
  };
}

function away(endpoint: string): EtcdEndpointHealth {
  return { endpoint, reachable: false, reason: 'connect ECONNREFUSED' };
}

const learner = serving('learner', { learner: true, isLeader: false });
const leaderless = serving('lonely', { reason: 'the member knows no leader' });
const corrupt = serving('corrupt', { reason: 'alarm CORRUPT: members differ', alarms: ['CORRUPT'] });
const full = serving('full', { alarms: ['NOSPACE'] });
const silent: EtcdEndpointHealth = { endpoint: 'silent', reachable: true }; // may not tell: permission denied

describe('the verdict', () => {
  it.each([
    ['all serve', [serving('a'), serving('b'), serving('c')], 'up', 'up', 'up'],
    ['one of three is away', [serving('a'), serving('b'), away('c')], 'degraded', 'degraded', 'down'],
    ['two of three are away', [serving('a'), away('b'), away('c')], 'degraded', 'down', 'down'],
    ['all are away', [away('a'), away('b')], 'down', 'down', 'down'],
    ['one of two is away', [serving('a'), away('b')], 'degraded', 'down', 'down'],
    ['the only one is away', [away('a')], 'down', 'down', 'down'],
    ['the only one knows no leader', [leaderless], 'down', 'down', 'down'],
    ['the only one is full', [full], 'degraded', 'degraded', 'degraded'],
    ['the members differ', [corrupt], 'down', 'down', 'down'],
    ['the only one may not tell', [silent], 'up', 'up', 'up'],
    ['a learner beside one that serves', [serving('a'), learner], 'up', 'up', 'up'],
    ['a learner beside one that is away', [away('a'), learner], 'down', 'down', 'down'],
    ['nothing but a learner', [learner], 'down', 'down', 'up'],
  ] as const)('when %s', (_what, endpoints, any, quorum, all) => {
    const round = { endpoints, readFailure: undefined };

    const statuses = (['any', 'quorum', 'all'] as const).map((require) => judge(round, require).status);

    expect(statuses).toEqual([any, quorum, all]);
  });

  it('is down when the linearizable read failed, whatever the endpoints say', () => {
    const { status, details } = judge({ endpoints: [serving('a')], readFailure: 'etcdserver: no leader' }, 'any');

    expect(status).toBe('down');
    expect(details.message).toBe('the linearizable read failed: etcdserver: no leader');
  });

  it('says why, with the reason of each endpoint', () => {
    const { details } = judge({ endpoints: [away('a'), full, leaderless], readFailure: undefined }, 'quorum');

    expect(details.message).toBe(
      "1 of 3 endpoints serve, 2 needed (require: 'quorum'); a: connect ECONNREFUSED; " +
        'lonely: the member knows no leader; alarm NOSPACE is raised',
    );
  });

  it('has no message when all is well', () => {
    expect(judge({ endpoints: [serving('a')], readFailure: undefined }, 'all').details).not.toHaveProperty('message');
  });

  it('shows at a glance the oldest version, the leader and the largest database', () => {
    const endpoints = [
      serving('a', { version: '3.5.30', dbSize: 300 }),
      serving('b', { version: '3.5.9', dbSize: 500 }),
      away('c'),
    ];

    const { details } = judge({ endpoints, readFailure: undefined }, 'quorum');

    expect(details).toMatchObject({ version: '3.5.9', leader: LEADER, dbSize: 500, serving: 2, alarms: [] });
    expect(details.endpoints).toEqual(endpoints);
  });

  it('names no leader while members disagree', () => {
    const endpoints = [serving('a'), serving('b', { leader: 'ffff' })];

    expect(judge({ endpoints, readFailure: undefined }, 'any').details).not.toHaveProperty('leader');
  });
});
