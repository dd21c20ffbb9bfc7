/** C5: what travels beside a request. */
import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { CallHeaders } from '../../../lib/client/rpc/headers.js';

const entries = (headers: ReadonlyMap<string, string>): Record<string, string> => Object.fromEntries(headers);

describe('the headers of a call', () => {
  it('name the API version, and the token once there is one', () => {
    const headers = new CallHeaders();
    expect(entries(headers.get(false))).toEqual({ 'client-api-version': '3.7' });

    headers.setToken('t');
    expect(entries(headers.get(false))).toEqual({ 'client-api-version': '3.7', token: 't' });

    headers.setToken(undefined);
    expect(entries(headers.get(false))).toEqual({ 'client-api-version': '3.7' });
  });

  it('ask for a leader when told to', () => {
    const headers = new CallHeaders();
    headers.setToken('t');

    expect(entries(headers.get(true))).toEqual({ 'client-api-version': '3.7', token: 't', hasleader: 'true' });
  });

  it('are one object for all calls until the token changes, so that a transport prepares it once', () => {
    const headers = new CallHeaders();
    const before = headers.get(false);

    expect(headers.get(false, new Map())).toBe(before);
    headers.setToken('t');
    const after = headers.get(false);
    headers.setToken('t');

    expect(after).not.toBe(before);
    expect(headers.get(false)).toBe(after);
  });

  it('take more from interceptors, but not under the names of the client', () => {
    const headers = new CallHeaders();
    const extra = new Map([
      ['traceparent', '00'],
      ['token', 'stolen'],
      ['hasleader', 'true'],
      ['client-api-version', '9'],
    ]);

    expect(entries(headers.get(false, extra))).toEqual({ 'client-api-version': '3.7', traceparent: '00' });
    headers.setToken('t');
    expect(entries(headers.get(false, extra))).toMatchObject({ token: 't' });
    expect(entries(headers.get(false))).not.toHaveProperty('traceparent');
  });

  it('carry no token when they are anonymous', () => {
    const headers = new CallHeaders();
    headers.setToken('t');

    expect(entries(headers.anonymous())).toEqual({ 'client-api-version': '3.7' });
    expect(entries(headers.anonymous(new Map([['a', 'b']])))).toEqual({ 'client-api-version': '3.7', a: 'b' });
  });

  it('refuse a value that cannot be sent without repeating it', () => {
    const headers = new CallHeaders();

    expect(() => headers.get(false, new Map([['authorization', 'se\ncret']]))).toThrow(
      /^argument metadata authorization must be printable ASCII text/,
    );
  });

  it.each(['connection', 'te', 'host', 'content-type', 'user-agent', 'grpc-timeout', 'transfer-encoding'])(
    'refuse %s, which HTTP/2 or gRPC has a use for',
    (name) => {
      expect(() => new CallHeaders().get(false, new Map([[name, 'x']]))).toThrow(
        `argument metadata must not have a name that HTTP/2 or gRPC has a use for, but is "${name}"`,
      );
    },
  );

  it('refuse more than servers take, which would cost all calls their connection', () => {
    const headers = new CallHeaders();
    const extra = (bytes: number): Map<string, string> => new Map([['baggage', 'x'.repeat(bytes - 'baggage'.length)]]);

    expect(entries(headers.get(false, extra(16_384)))).toHaveProperty('baggage');
    expect(() => headers.get(false, extra(16_385))).toThrow('must be at most 16384 bytes in all');
  });

  it('do not show the token to who looks into the client', () => {
    const headers = new CallHeaders();
    headers.setToken('very-secret');

    expect(inspect(headers, { depth: Infinity, showHidden: true })).not.toContain('very-secret');
    expect(JSON.stringify(headers)).not.toContain('very-secret');
  });
});
