/** Tokens against servers that refuse them, lose them or hand them out slowly: rows E8 and E9, and refusals on the way, row B6. */
import { describe, expect, it } from '@jest/globals';
import { EtcdClient } from '../../lib/client/client.js';
import { EtcdUnavailableError } from '../../lib/client/errors.js';
import { EtcdAuthenticationError } from '../../lib/client/server-errors.js';
import { failureOf } from '../support/failure.js';
import { runningMs } from '../support/running-time.js';
import { startWireServer, type WireRefusal, type WireRequest, type WireServer } from '../support/wire-server.js';

const AUTHENTICATE = '/etcdserverpb.Auth/Authenticate';
const PUT = '/etcdserverpb.KV/Put';
const RANGE = '/etcdserverpb.KV/Range';
const INVALID_TOKEN: WireRefusal = { grpcCode: 16, details: 'etcdserver: invalid auth token' };
const CREDENTIALS = { username: 'app', password: 'correct horse' };

/** Hands out numbered tokens, of which only the newest that was not revoked is good. */
class TokenBook {
  issued = 0;
  running = 0;
  mostAtOnce = 0;
  private revokedUpTo = 0;

  constructor(server: WireServer, answerMs: number) {
    server.on(AUTHENTICATE, async () => {
      this.running += 1;
      this.mostAtOnce = Math.max(this.mostAtOnce, this.running);
      await new Promise((resolve) => setTimeout(resolve, answerMs));
      this.running -= 1;
      return { token: `token.${++this.issued}` };
    });
    server.on(RANGE, (request) => (this.isGood(request) ? { count: 1 } : INVALID_TOKEN));
  }

  /** All tokens that were handed out so far are good no longer. */
  revoke(): void {
    this.revokedUpTo = this.issued;
  }

  private isGood({ headers }: WireRequest): boolean {
    return Number(String(headers['token']).split('.')[1]) > this.revokedUpTo;
  }
}

describe('A server that refuses every token', () => {
  it.each([
    ['invalid auth token', INVALID_TOKEN],
    ['auth store is old', { grpcCode: 3, details: 'etcdserver: revision of auth store is old' }],
    ['user name is empty', { grpcCode: 3, details: 'etcdserver: user name is empty' }],
  ])('with "%s" is asked for few tokens, and the call ends with a typed error (C5, E8)', async (_, refusal) => {
    await using server = await startWireServer();
    server.on(AUTHENTICATE, () => ({ token: 'fresh.1' })).on(PUT, () => refusal);
    await using client = new EtcdClient({ endpoints: server.endpoint, auth: CREDENTIALS });

    const startedAt = runningMs();
    const error = await failureOf(client.kv.put('a', 'x'));

    expect(runningMs() - startedAt).toBeLessThan(5_200);
    expect(error).toBeInstanceOf(EtcdAuthenticationError);
    expect(error.outcome).toBe('not-applied');
    expect(server.requestsTo(AUTHENTICATE).length).toBeLessThanOrEqual(10);
    expect(server.requestsTo(PUT).length).toBeLessThanOrEqual(10);
  });
});

describe('Five hundred calls whose token ends', () => {
  it('share one Authenticate call, and are all answered with the new token (C5, E9)', async () => {
    await using server = await startWireServer();
    const book = new TokenBook(server, 100);
    await using client = new EtcdClient({ endpoints: server.endpoint, auth: CREDENTIALS });
    await client.kv.range('a');

    book.revoke();
    const answers = await Promise.all(Array.from({ length: 500 }, () => client.kv.range('a')));

    expect(answers.every(({ count }) => count === 1)).toBe(true);
    expect([book.issued, book.mostAtOnce]).toEqual([2, 1]);
  });

  it('again and again while they run share one Authenticate call each time (C5, E9)', async () => {
    await using server = await startWireServer();
    const book = new TokenBook(server, 20);
    await using client = new EtcdClient({ endpoints: server.endpoint, auth: CREDENTIALS });
    await client.kv.range('a');

    for (let round = 1; round <= 5; round++) {
      book.revoke();
      await Promise.all(Array.from({ length: 100 }, () => client.kv.range('a')));
      expect(book.issued).toBe(round + 1);
    }

    expect(book.mostAtOnce).toBe(1);
  });
});

describe('The Authenticate call', () => {
  it('carries no token, and every other call does (C5)', async () => {
    await using server = await startWireServer();
    const book = new TokenBook(server, 0);
    await using client = new EtcdClient({ endpoints: server.endpoint, auth: CREDENTIALS });
    await client.kv.range('a');
    book.revoke();
    await client.kv.range('a');

    expect(server.requestsTo(AUTHENTICATE).map(({ headers }) => headers['token'])).toEqual([undefined, undefined]);
    expect(server.requestsTo(RANGE).map(({ headers }) => headers['token'])).toEqual(['token.1', 'token.1', 'token.2']);
  });
});

describe('A write that a server answers with an error after it has arrived', () => {
  it.each([
    [14, 'etcdserver: request timed out', 'unknown'],
    [14, 'etcdserver: leader changed', 'unknown'],
    [4, 'context deadline exceeded', 'unknown'],
    [13, 'internal', 'unknown'],
    [2, 'unknown', 'unknown'],
    [1, 'cancelled', 'unknown'],
    [8, 'etcdserver: too many requests', 'not-applied'],
    [8, 'etcdserver: mvcc: database space exceeded', 'not-applied'],
  ])('(code %i, "%s") is sent once, and its outcome is %s (C2, B6)', async (grpcCode, details, outcome) => {
    await using server = await startWireServer();
    server.on(PUT, () => ({ grpcCode, details }));
    await using client = new EtcdClient({ endpoints: server.endpoint });

    const error = await failureOf(client.kv.put('a', 'x'));

    expect(server.requestsTo(PUT)).toHaveLength(1);
    expect(error).toMatchObject({ outcome, attempts: 1, grpcCode });
    expect(error).not.toBeInstanceOf(EtcdUnavailableError); // the connection is good: the server has spoken
  });
});
