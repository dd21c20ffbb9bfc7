/** One line when an endpoint changes sides, whatever happens in between. */
import { describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { EtcdClientEvent } from '../../../lib/client/index.js';
import { EndpointLog } from '../../../lib/nest/endpoint-log.js';

type State = Extract<EtcdClientEvent, { type: 'endpoint' }>['state'];

function linesFor(...events: readonly (EtcdClientEvent | [State, string?])[]): string[] {
  const lines: string[] = [];
  const logger = Object.assign(new Logger('Etcd'), {
    log: (text: string) => lines.push(`log ${text}`),
    warn: (text: string) => lines.push(`warn ${text}`),
  });
  const log = new EndpointLog(logger);
  for (const event of events) {
    log.on(Array.isArray(event) ? { type: 'endpoint', endpoint: 'a', state: event[0], reason: event[1] } : event);
  }
  return lines;
}

describe('the log of a client', () => {
  it('says connected once the endpoint serves', () => {
    expect(linesFor(['connecting'], ['ready'])).toEqual(['log connected to a']);
  });

  it('says once that an endpoint cannot be used, however often it is tried', () => {
    const tries: [State, string?][] = [['connecting'], ['backoff', 'refused'], ['connecting'], ['backoff', 'refused']];

    expect(linesFor(...tries, ['ready'])).toEqual([
      'warn cannot use a: refused; trying until it serves',
      'log connected to a',
    ]);
  });

  it('says lost, with the reason, when one that served does so no longer', () => {
    expect(linesFor(['ready'], ['sick', 'no leader'], ['backoff', 'reset'], ['closed'])).toEqual([
      'log connected to a',
      'warn lost a: no leader; trying until it serves',
    ]);
  });

  it('tells of a new list of endpoints and of a member list that could not be read', () => {
    const synced: EtcdClientEvent = { type: 'endpoints', endpoints: ['a', 'b'] };
    const failed: EtcdClientEvent = { type: 'sync-failed', error: new Error('timed out') };

    expect(linesFor(synced, failed)).toEqual([
      'log endpoints are now a, b',
      'warn the member list could not be read: timed out',
    ]);
  });
});
