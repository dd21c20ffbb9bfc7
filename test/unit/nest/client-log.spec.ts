/** One line when something changes sides, whatever happens in between. */
import { describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { EtcdUnavailableError, type EtcdClientEvent } from '../../../lib/client/index.js';
import { ClientLog } from '../../../lib/nest/client-log.js';

type State = Extract<EtcdClientEvent, { type: 'endpoint' }>['state'];

function linesFor(...events: readonly (EtcdClientEvent | [State, string?])[]): string[] {
  const lines: string[] = [];
  const logger = Object.assign(new Logger('Etcd'), {
    log: (text: string) => lines.push(`log ${text}`),
    warn: (text: string) => lines.push(`warn ${text}`),
  });
  const log = new ClientLog(logger);
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

  it('says that credentials are sent in the clear, and what to do about it (S4)', () => {
    expect(linesFor({ type: 'credentials-in-the-clear', endpoint: 'http://etcd:2379' })).toEqual([
      'warn the credentials go to http://etcd:2379 without TLS; use https://, and requireTls to be sure of it',
    ]);
  });

  it('says once that watches have lost their stream, and when they go on', () => {
    const error = new EtcdUnavailableError('the connection failed');
    const broken = { type: 'watch-reconnecting', watches: 3, delayMs: 100, error } as const;

    expect(
      linesFor(
        { ...broken, attempt: 1 },
        { ...broken, attempt: 2 },
        { type: 'watch-resumed', watches: 3, endpoint: 'a', downMs: 420.7 },
      ),
    ).toEqual([
      'warn the stream of 3 watches is gone: the connection failed; opening it until they go on',
      'log 3 watches go on after 421 ms; nothing was lost',
    ]);
  });

  it('says that a reader is behind, and when it has caught up', () => {
    const paused = { type: 'watch-paused', bufferedRevisions: 1000, bufferedBytes: 5 } as const;

    expect(linesFor(paused, { type: 'watch-continued' })).toEqual([
      'warn a watch is paused: its reader is 1000 revisions behind',
      'log a watch that was paused goes on: its reader has caught up',
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
