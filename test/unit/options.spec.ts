/** Options: the default and the range of each, and errors that say option, rule and value, but no secret. */
import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { EtcdConfigError, EtcdInvalidArgumentError } from '../../lib/client/errors.js';
import {
  refusePlaintext,
  requireTimeout,
  resolveEndpoints,
  resolveOptions,
  type EtcdConnectionOptions,
  type ResolvedOptions,
} from '../../lib/client/options.js';
import { suggestion } from '../../lib/client/suggestion.js';

const ENDPOINTS = 'http://a:1';

function resolve(options: object): ResolvedOptions {
  return resolveOptions({ endpoints: ENDPOINTS, ...options });
}

function messageOf(options: unknown): string {
  try {
    resolveOptions(options as EtcdConnectionOptions);
  } catch (error) {
    if (error instanceof EtcdConfigError) return error.message;
    throw error;
  }
  throw new Error('the options were taken');
}

describe('options', () => {
  it('need endpoints only, and have these defaults', () => {
    expect(resolve({})).toEqual({
      endpoints: [{ text: 'http://a:1', security: 'plaintext', address: 'a:1', authority: 'a:1' }],
      name: 'default',
      callTimeoutMs: 5_000,
      connectTimeoutMs: 2_000,
      maxReconnectDelayMs: 2_000,
      keepAliveTimeMs: 6_000,
      keepAliveTimeoutMs: 3_000,
      maxRequestBytes: 2 * 1024 * 1024,
      maxResponseBytes: 64 * 1024 * 1024,
      maxTxnOperations: 128,
      maxPendingCalls: 10_000,
      coalesceReads: true,
      autoSyncIntervalMs: 0,
      rejectOldCluster: false,
      requireTls: false,
      transport: 'http2',
      tls: undefined,
      auth: undefined,
    });
  });

  it('that are undefined have their defaults too', () => {
    const empty = Object.fromEntries(Object.keys(resolve({})).map((option) => [option, undefined]));

    expect(resolve({ ...empty, endpoints: ENDPOINTS, interceptors: undefined })).toEqual(resolve({}));
  });

  it('cannot be changed once they are taken, nor through what was given', () => {
    const given = { endpoints: [ENDPOINTS], tls: undefined, auth: { username: 'u', password: 'p' } };
    const resolved = resolveOptions(given);

    given.auth.password = 'changed';
    given.endpoints.push('http://b:1');

    expect(Object.isFrozen(resolved) && Object.isFrozen(resolved.auth) && Object.isFrozen(resolved.endpoints)).toBe(
      true,
    );
    expect(resolved.auth).toHaveProperty('password', 'p');
    expect(resolved.endpoints).toHaveLength(1);
  });

  it.each([
    ['callTimeoutMs', 1, 2 ** 31 - 1],
    ['connectTimeoutMs', 100, 2 ** 31 - 1],
    ['maxReconnectDelayMs', 100, 60_000],
    ['keepAliveTimeMs', 5_000, 2 ** 31 - 1],
    ['keepAliveTimeoutMs', 100, 2 ** 31 - 1],
    ['maxRequestBytes', 1_024, 2 ** 31 - 1],
    ['maxResponseBytes', 1_024, 2 ** 31 - 1],
    ['maxTxnOperations', 1, 2 ** 31 - 1],
    ['maxPendingCalls', 1, 2 ** 31 - 1],
    ['autoSyncIntervalMs', 1_000, 2 ** 31 - 1],
  ] as const)('%s is an integer from %i to %i', (option, min, max) => {
    expect(resolve({ [option]: min })[option]).toBe(min);
    expect(resolve({ [option]: max })[option]).toBe(max);
    for (const value of [min - 1, max + 1, min + 0.5, -1, NaN, Infinity, `${min}`, null, {}, true, BigInt(min)]) {
      if (option === 'autoSyncIntervalMs' && value === 0) continue;
      expect(messageOf({ endpoints: ENDPOINTS, [option]: value })).toMatch(
        `option ${option} must be an integer from ${min} to ${max}, but is `,
      );
    }
  });

  it('of the automatic sync may be 0, for never', () => {
    expect(resolve({ autoSyncIntervalMs: 0 }).autoSyncIntervalMs).toBe(0);
  });

  it('shows what a refused number was', () => {
    expect(messageOf({ endpoints: ENDPOINTS, callTimeoutMs: '5s' })).toBe(
      'option callTimeoutMs must be an integer from 1 to 2147483647, but is "5s"',
    );
  });

  it('transport is http2 or grpc-js', () => {
    for (const transport of ['http2', 'grpc-js'] as const) {
      expect(resolve({ endpoints: ENDPOINTS, transport }).transport).toBe(transport);
    }
    expect(messageOf({ endpoints: ENDPOINTS, transport: 'quic' })).toContain(
      "option transport must be 'http2' or 'grpc-js'",
    );
  });

  it.each([['yes'], [1], [null]])(
    'rejectOldCluster, requireTls and coalesceReads are true or false, not %p',
    (value) => {
      for (const option of ['rejectOldCluster', 'requireTls', 'coalesceReads'] as const) {
        for (const flag of [true, false]) {
          expect(resolve({ endpoints: 'https://a:1', [option]: flag })[option]).toBe(flag);
        }
        expect(messageOf({ endpoints: ENDPOINTS, [option]: value })).toContain(
          `option ${option} must be true or false`,
        );
      }
    },
  );

  it.each([[''], [5], [null]])('name is a text, not %p', (name) => {
    expect(resolve({ name: 'audit' }).name).toBe('audit');
    expect(messageOf({ endpoints: ENDPOINTS, name })).toContain('option name must be a non-empty string, but is ');
  });

  it.each([[{}], ['x'], [[undefined]], [['x']], [null]])(
    'interceptors are a list of objects, not %p',
    (interceptors) => {
      expect(() => resolve({ interceptors: [] })).not.toThrow();
      expect(() => resolve({ interceptors: [{}] })).not.toThrow();
      expect(messageOf({ endpoints: ENDPOINTS, interceptors })).toBe('option interceptors must be an array of objects');
    },
  );

  it.each([[undefined], [null], ['http://user:sesame@a:1'], [['http://a:1']], [5], [(): object => ({})]])(
    'are an object, not %p',
    (options) => {
      expect(messageOf(options)).toMatch(
        /^option options must be an object, not (?:undefined|null|string|array|number|function)$/,
      );
    },
  );

  it('are only their own: a polluted prototype sets none (S8)', () => {
    const polluted = Object.prototype as Record<string, unknown>;
    try {
      polluted['auth'] = { username: 'evil', password: 'evil' };
      polluted['callTimeoutMs'] = 1;
      polluted['serverName'] = 'evil';

      const resolved = resolveOptions({ endpoints: ['https://a:1'], tls: { ca: 'x' } });

      expect(resolved.auth).toBeUndefined();
      expect(resolved.callTimeoutMs).toBe(5_000);
      expect(resolved.tls?.serverName).toBeUndefined();
    } finally {
      for (const name of ['auth', 'callTimeoutMs', 'serverName']) Reflect.deleteProperty(polluted, name);
    }
  });
});

describe('an option that is none (F15)', () => {
  it.each([
    ['endpoint', 'endpoints'],
    ['enpdoints', 'endpoints'],
    ['callTimeout', 'callTimeoutMs'],
    ['callTimeOutMs', 'callTimeoutMs'],
    ['connectTimeout', 'connectTimeoutMs'],
    ['keepAlive', 'keepAliveTimeMs'],
    ['keepaliveTimeMs', 'keepAliveTimeMs'],
    ['maxTxnOps', 'maxTxnOperations'],
    ['interceptor', 'interceptors'],
    ['authentication', 'auth'],
    ['tlsOptions', 'tls'],
    ['nmae', undefined],
    ['cat', undefined],
    ['timeoutMs', undefined],
    ['x', undefined],
    ['', undefined],
    ['retry', undefined],
  ])('%j is refused, with what was meant: %s', (option, meant) => {
    const hint = meant === undefined ? '' : `; did you mean ${meant}?`;

    expect(messageOf({ endpoints: ENDPOINTS, [option]: 'sesame' })).toBe(`option ${option} is not an option${hint}`);
  });

  it.each([
    [{ tls: { certificate: 'x' } }, 'option tls.certificate is not an option; did you mean cert?'],
    [{ tls: { servername: 'x' } }, 'option tls.servername is not an option; did you mean serverName?'],
    [{ auth: { username: 'u', pasword: 'sesame' } }, 'option auth.pasword is not an option; did you mean password?'],
    [{ auth: { user: 'u', password: 'sesame' } }, 'option auth.user is not an option; did you mean username?'],
    [{ auth: { token: () => '', username: 'u' } }, 'option auth.username cannot be combined with auth.token'],
  ])('is refused inside %j too, without its value', (options, message) => {
    expect(messageOf({ endpoints: ['https://a:1'], ...options })).toBe(message);
  });

  it('is compared in no time, however long (S9)', () => {
    const startedAt = performance.now();

    suggestion('endpoints'.repeat(100_000), new Set(['endpoints', 'auth']));

    expect(performance.now() - startedAt).toBeLessThan(100);
  });
});

describe('endpoints', () => {
  it('are one or a list', () => {
    expect(resolveEndpoints('a:1')).toHaveLength(1);
    expect(resolveEndpoints(['a:1', 'b:1']).map(({ text }) => text)).toEqual(['a:1', 'b:1']);
  });

  it('that are the same place are one', () => {
    const texts = resolveEndpoints(['http://a:1', 'http://a:1/', ' http://a:1', 'https://a:1', 'a:1']);

    expect(texts.map(({ address, security }) => `${security} ${address}`)).toEqual([
      'plaintext a:1',
      'tls a:1',
      'as-configured a:1',
    ]);
  });

  it.each([[undefined], [[]]])('are at least one, not %p (F7)', (endpoints) => {
    expect(messageOf({ endpoints })).toBe(
      'option endpoints must name at least one endpoint, for example http://127.0.0.1:2379',
    );
  });

  it.each([
    [['a:1', ''], 'option endpoints[1] must not be empty'],
    [['a:1', 'b'], 'option endpoints[1] must be host:port'],
    [[undefined], 'option endpoints[0] must be a string'],
    ['b', 'option endpoints must be host:port'],
    [42, 'option endpoints must be a string'],
    [['a:1', 'http://user:sesame@b:1'], 'option endpoints[1] must not hold credentials'],
  ])('%j are refused with the place of the fault', (endpoints, message) => {
    expect(messageOf({ endpoints })).toContain(message);
    expect(messageOf({ endpoints })).not.toContain('sesame');
  });
});

describe('C6: tls', () => {
  it.each([[{}], [{ ca: 'PEM' }], [{ ca: Buffer.from('PEM'), cert: '/c.pem', key: '/k.pem', serverName: 'etcd' }]])(
    'may be %j',
    (tls) => {
      expect(resolveOptions({ endpoints: 'https://a:1', tls }).tls).toMatchObject(tls);
    },
  );

  it.each([
    [{ cert: 'x' }, 'option tls.key must be given: a client certificate needs both tls.cert and tls.key'],
    [{ key: 'sesame' }, 'option tls.cert must be given: a client certificate needs both tls.cert and tls.key'],
    [{ ca: '' }, 'option tls.ca must be PEM text, the path of a PEM file, or bytes'],
    [{ ca: 5 }, 'option tls.ca must be PEM text'],
    [{ cert: 'x', key: { pem: 'sesame' } }, 'option tls.key must be PEM text'],
    [{ serverName: '' }, 'option tls.serverName must be a non-empty string'],
    [{ serverName: 5 }, 'option tls.serverName must be a non-empty string'],
    ['sesame', 'option tls must be an object, not string'],
    [true, 'option tls must be an object, not boolean'],
  ])('cannot be %j, and what it was is not repeated', (tls, message) => {
    expect(messageOf({ endpoints: 'https://a:1', tls })).toContain(message);
    expect(messageOf({ endpoints: 'https://a:1', tls })).not.toContain('sesame');
  });

  it('cannot go with a plaintext endpoint: nothing is downgraded in silence', () => {
    expect(messageOf({ endpoints: ['https://a:1', 'http://b:1'], tls: {} })).toBe(
      'option tls cannot be combined with the plaintext endpoint http://b:1; write it as https://',
    );
    expect(() => refusePlaintext(resolveEndpoints('http://b:1'), { tls: {}, requireTls: false })).toThrow(
      EtcdConfigError,
    );
  });

  it.each(['http://b:1', 'b:1', '10.0.0.1:1', '[::2]:1', 'http://localhost.example:1', '127.0.0.1.example:1'])(
    'is required of %s, if requireTls says so (S4)',
    (endpoint) => {
      const message = `option requireTls forbids the endpoint ${endpoint}, which is without TLS; write it as https://`;

      expect(messageOf({ endpoints: ['https://a:1', endpoint], requireTls: true })).toBe(message);
    },
  );

  it.each([
    'https://b:1',
    'http://127.0.0.1:1',
    'localhost:1',
    'http://a.localhost:1',
    '[::1]:1',
    'unix:///run/e.sock',
  ])('is not required of %s even then: it is used already, or nothing leaves this machine (S4)', (endpoints) => {
    expect(() => resolveOptions({ endpoints, requireTls: true })).not.toThrow();
  });

  it('is what host:port means when there are options for it (S4)', () => {
    expect(() => resolveOptions({ endpoints: 'b:1', tls: {}, requireTls: true })).not.toThrow();
  });

  it('may go with endpoints that say https, or nothing', () => {
    expect(() =>
      resolveOptions({ endpoints: ['https://a:1', 'b:1', 'unix:///c', 'unixs:///d'], tls: {} }),
    ).not.toThrow();
    expect(() => resolveOptions({ endpoints: 'http://a:1' })).not.toThrow();
  });
});

describe('C5: auth', () => {
  it('is a user and a password, or a function that gives a token', () => {
    const token = (): string => 't';

    expect(resolve({ auth: { username: 'u', password: 'p' } }).auth).toMatchObject({ username: 'u' });
    expect(resolve({ auth: { token } }).auth).toHaveProperty('token', token);
  });

  it.each([
    [{}, 'option auth.username must be a non-empty string'],
    [{ username: 'u' }, 'option auth.password must be a non-empty string'],
    [{ password: 'sesame' }, 'option auth.username must be a non-empty string'],
    [{ username: '', password: 'sesame' }, 'option auth.username must be a non-empty string'],
    [{ username: 'u', password: '' }, 'option auth.password must be a non-empty string'],
    [{ username: 'u', password: { value: 'sesame' } }, 'option auth.password must be a non-empty string'],
    [{ token: 'sesame' }, 'option auth.token must be a function that returns a token'],
    ['root:sesame', 'option auth must be an object, not string'],
    [['root', 'sesame'], 'option auth must be an object, not array'],
    [null, 'option auth must be an object, not null'],
  ])('cannot be %j, and what it was is not repeated', (auth, message) => {
    expect(messageOf({ endpoints: ENDPOINTS, auth })).toBe(message);
    expect(messageOf({ endpoints: ENDPOINTS, auth })).not.toContain('sesame');
  });
});

describe('C5: secrets in options that were taken', () => {
  const secrets = resolveOptions({
    endpoints: 'https://a:1',
    auth: { username: 'u', password: 'sesame' },
    tls: { cert: 'certificate', key: '-----BEGIN sesame' },
  });

  it.each([
    ['util.inspect', (): string => inspect({ client: { options: secrets } }, { depth: Infinity })],
    ['JSON.stringify', (): string => JSON.stringify(secrets)],
    ['structuredClone', (): string => inspect(structuredClone(secrets), { depth: Infinity, showHidden: true })],
    ['a copy', (): string => inspect({ auth: { ...secrets.auth }, tls: { ...secrets.tls } }, { showHidden: true })],
  ])('do not show in %s', (_, show) => {
    expect(show()).not.toContain('sesame');
  });

  it('are there for who asks by name', () => {
    expect(secrets.auth).toHaveProperty('password', 'sesame');
    expect(secrets.tls?.key).toContain('sesame');
  });
});

describe('requireTimeout', () => {
  it.each([1, 5_000, 2 ** 31 - 1])('takes %i', (value) => {
    expect(requireTimeout('timeoutMs', value)).toBe(value);
  });

  it.each([0, -1, 0.5, NaN, Infinity, 2 ** 31, 1e12])('refuses %p (A19)', (value) => {
    expect(() => requireTimeout('timeoutMs', value)).toThrow(EtcdInvalidArgumentError);
    expect(() => requireTimeout('timeoutMs', value)).toThrow(
      `argument timeoutMs must be an integer from 1 to 2147483647, but is ${String(value)}`,
    );
  });
});
