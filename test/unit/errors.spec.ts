/** Errors: one stable code each, facts as fields, a message for who reads it at night, and no secret in any. */
import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import * as clientErrors from '../../lib/client/errors.js';
import {
  describeFailures,
  describeValue,
  EtcdAbortedError,
  EtcdClosedError,
  EtcdConfigError,
  EtcdDeadlineExceededError,
  EtcdError,
  EtcdInvalidArgumentError,
  EtcdUnavailableError,
  type ErrorContext,
} from '../../lib/client/errors.js';
import * as serverErrors from '../../lib/client/server-errors.js';
import { EtcdCompactedError, EtcdServerSideError, type ServerFacts } from '../../lib/client/server-errors.js';

type AnyErrorClass = new (...args: never[]) => EtcdError;

const ABSTRACT = [EtcdError, EtcdServerSideError] as unknown[];

function classesOf(module: object): [string, AnyErrorClass][] {
  return Object.entries(module).filter(
    (entry): entry is [string, AnyErrorClass] =>
      typeof entry[1] === 'function' && entry[1].prototype instanceof Error && !ABSTRACT.includes(entry[1]),
  );
}

const FACTS: ServerFacts = { reason: 'Because', serverMessage: 'etcdserver: because' };
const CONTEXT: ErrorContext = { method: 'KV.Put', endpoint: 'a:1', attempts: 2, grpcCode: 9, outcome: 'unknown' };

describe('the error classes', () => {
  const all = [...classesOf(clientErrors), ...classesOf(serverErrors)];
  const make = (type: AnyErrorClass): EtcdError => new type(...(['x', [], 'z', {}] as never[]));

  it('have a code of their own each, in capitals behind ETCD_', () => {
    const codes = all.map(([, type]) => make(type).code);

    expect(all.length).toBeGreaterThan(45);
    expect(new Set(codes).size).toBe(codes.length);
    expect(codes.filter((code) => !/^ETCD(_[A-Z]+)+$/.test(code))).toEqual([]);
  });

  it.each(classesOf(serverErrors))('%s keeps the server’s words, its name and the facts of the call', (name, type) => {
    const make = type as unknown as new (facts: ServerFacts, context: ErrorContext) => EtcdServerSideError;
    const cause = new Error('why');

    const error = new make(FACTS, { ...CONTEXT, cause });

    expect(error).toMatchObject({ ...CONTEXT, ...FACTS, name, cause });
    expect(error).toBeInstanceOf(EtcdError);
    expect(error.message).toBe(
      'KV.Put: etcdserver: because (endpoint a:1; 2 attempts; the write may have been applied, now or later)',
    );
  });

  it.each(all)('%s goes into a log and into JSON without trouble', (name, type) => {
    const error = make(type);

    expect(inspect(error)).toContain(name);
    expect(() => JSON.stringify(error)).not.toThrow();
    expect(JSON.parse(JSON.stringify(error))).toMatchObject({ code: error.code, name });
    expect(error.stack).toContain(error.message);
  });
});

describe('the message of an error', () => {
  it.each<[ErrorContext, string]>([
    [{}, 'the client is closed'],
    [{ method: 'KV.Range' }, 'KV.Range: the client is closed'],
    [{ endpoint: 'a:1' }, 'the client is closed (endpoint a:1)'],
    [{ endpoint: 'a:1', attempts: 1 }, 'the client is closed (endpoint a:1)'],
    [{ endpoint: 'a:1', attempts: 3 }, 'the client is closed (endpoint a:1; 3 attempts)'],
    [{ attempts: 0 }, 'the client is closed'],
    [{ outcome: 'not-applied' }, 'the client is closed (nothing was applied)'],
    [{ outcome: 'unknown' }, 'the client is closed (the write may have been applied, now or later)'],
    [CONTEXT, 'KV.Put: the client is closed (endpoint a:1; 2 attempts; the write may have been applied, now or later)'],
  ])('begins with the RPC and ends with what is known of the call: %j', (context, message) => {
    expect(new EtcdClosedError(context).message).toBe(message);
  });

  it('has every fact as a field too, and defaults where there was no call', () => {
    expect(new EtcdAbortedError()).toMatchObject({
      method: undefined,
      endpoint: undefined,
      attempts: 0,
      grpcCode: undefined,
      outcome: undefined,
    });
    expect(Object.hasOwn(new EtcdAbortedError(), 'cause')).toBe(false);
  });

  it('names each endpoint with its reason where nobody could be reached', () => {
    const failures = [
      { endpoint: 'a:1', reason: 'connect ECONNREFUSED' },
      { endpoint: 'b:1', reason: 'still connecting' },
    ];

    expect(describeFailures(failures)).toBe('a:1: connect ECONNREFUSED; b:1: still connecting');
    expect(new EtcdUnavailableError('nobody', failures)).toMatchObject({ endpoints: failures });
    expect(new EtcdDeadlineExceededError(50, 'waiting', failures)).toMatchObject({
      message: 'no result within 50 ms: waiting',
      timeoutMs: 50,
      waitingFor: 'waiting',
      endpoints: failures,
    });
  });
});

describe('EtcdCompactedError', () => {
  it('tells the oldest revision that is kept, where the server does, and keeps the server’s words as they were', () => {
    const facts = { reason: 'Compacted', serverMessage: 'etcdserver: mvcc: required revision has been compacted' };

    const told = new EtcdCompactedError(facts, {}, 42);
    const untold = new EtcdCompactedError(facts);

    expect(told).toMatchObject({ compactRevision: 42, ...facts });
    expect(told.message).toBe(`${facts.serverMessage}; the oldest revision still kept is 42`);
    expect(untold).toMatchObject({ compactRevision: undefined, message: facts.serverMessage });
  });
});

describe('an error about an argument or an option', () => {
  it('names it, its rule and what it was', () => {
    const option = new EtcdConfigError('callTimeoutMs', 'must be an integer', 'soon');
    const argument = new EtcdInvalidArgumentError('limit', 'must be an integer', 1.5, { method: 'KV.Range' });

    expect(option).toMatchObject({
      option: 'callTimeoutMs',
      rule: 'must be an integer',
      message: 'option callTimeoutMs must be an integer, but is "soon"',
    });
    expect(argument).toMatchObject({
      argument: 'limit',
      rule: 'must be an integer',
      outcome: 'not-applied',
      message: 'KV.Range: argument limit must be an integer, but is 1.5 (nothing was applied)',
    });
  });

  it('leaves out what it was when that is not to be shown', () => {
    expect(new EtcdConfigError('auth.password', 'must be a non-empty string').message).toBe(
      'option auth.password must be a non-empty string',
    );
  });

  it.each<[unknown, string]>([
    ['short', '"short"'],
    ['with "quotes"\n', '"with \\"quotes\\"\\n"'],
    ['x'.repeat(64), `"${'x'.repeat(63)}…`],
    ['x'.repeat(1_000), `"${'x'.repeat(63)}…`],
    [Buffer.from('secret'), '6 bytes'],
    [42, '42'],
    [NaN, 'NaN'],
    [-0, '0'],
    [12n, '12n'],
    [10n ** 100n, `1${'0'.repeat(63)}…`],
    [null, 'null'],
    [undefined, 'undefined'],
    [true, 'true'],
    [[1, 2], 'an array of 2'],
    [{ password: 'secret' }, 'an object'],
    [new Map([['password', 'secret']]), 'an object'],
    [(): string => 'secret', 'a function'],
    [Symbol('s'), 'Symbol(s)'],
  ])('shows %p safely and shortly', (value, shown) => {
    expect(describeValue(value)).toBe(shown);
  });

  it('is made in no time, however large the value (F14)', () => {
    const value = Buffer.alloc(50_000_000).toString('latin1');
    const startedAt = performance.now();

    describeValue(value);

    expect(performance.now() - startedAt).toBeLessThan(50);
  });
});
