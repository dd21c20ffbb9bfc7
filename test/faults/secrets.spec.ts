/** What must not get out, what must not get in, and hardened runtimes: group S. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { inspect } from 'node:util';
import { EtcdClient, type EtcdClientOptions } from '../../lib/client/client.js';
import { parseEndpoint } from '../../lib/client/endpoint.js';
import { EtcdError } from '../../lib/client/errors.js';
import { prefix } from '../../lib/client/key-range.js';
import { put } from '../../lib/client/kv/operations.js';
import type { EtcdTransport } from '../../lib/client/options.js';
import { connectFailure } from '../../lib/client/transport/grpc-js/grpc-words.js';
import { RANGE } from '../../lib/client/rpc/methods.js';
import { readFailure } from '../../lib/client/rpc/status.js';
import { builtLibrary } from '../support/built.js';
import { startChild } from '../support/child.js';
import type { Etcd } from '../support/etcd/cluster.js';
import { CertificateAuthority, startEtcd } from '../support/index.js';
import { startWireServer } from '../support/wire-server.js';

const VALUE = 'value that nobody may see';
const MEBIBYTE = 1024 * 1024;

let etcd: Etcd;

beforeAll(async () => {
  etcd = await startEtcd({ own: true, auth: true });
}, 60_000);

afterAll(async () => {
  await etcd.stop();
});

function credentials(): { username: string; password: string } {
  const { name: username, password } = etcd.auth.root!;
  return { username, password };
}

/** Everything that a log, a debugger or a copy could make of something. */
function pictures(something: unknown): string {
  const copies = [() => JSON.stringify(something), () => inspect(structuredClone(something), { depth: 12 })];
  const made = copies.map((copy) => {
    try {
      return copy();
    } catch (error) {
      return String(error); // what cannot be copied cannot leak by it, unless the refusal repeats it
    }
  });
  return [inspect(something, { depth: 12, getters: true }), String(something), ...made].join('\n');
}

describe('A client', () => {
  it('shows neither password nor token nor private key, however it is printed or copied (C5, S1)', async () => {
    const { key, cert } = await (await CertificateAuthority.create()).issueClient();
    await using client = new EtcdClient({ endpoints: etcd.endpoints, auth: credentials() });
    await using encrypted = new EtcdClient({ endpoints: 'https://127.0.0.1:1', tls: { cert, key } });
    await client.kv.put('secrets/a', VALUE);
    await using server = await startWireServer();
    server.on('/etcdserverpb.Auth/Authenticate', () => ({ token: 'planted-token.1' }));
    await using faked = new EtcdClient({ endpoints: server.endpoint, auth: credentials() });
    await faked.kv.get('a');

    const seen = [client, encrypted, faked].flatMap((one) => [one, one.kv, one.auth, one.stats()]).map(pictures);

    expect(server.requests.at(-1)?.headers['token']).toBe('planted-token.1');
    for (const secret of [credentials().password, 'planted-token', key, key.split('\n')[1]!]) {
      expect(seen.filter((picture) => picture.includes(secret))).toEqual([]);
    }
  });
});

describe('The error of a write', () => {
  it('never holds the value, and at most 64 characters of a key, escaped (S5)', async () => {
    await using client = new EtcdClient({ endpoints: etcd.endpoints, auth: credentials() });
    await using away = new EtcdClient({ endpoints: 'http://127.0.0.1:1' });
    const key = `secrets/\u0007${'k'.repeat(500)}`;
    const signal = AbortSignal.timeout(50);

    const results = await Promise.allSettled([
      client.kv.put(key, VALUE, { lease: '123' }),
      client.kv.put(key, VALUE.repeat(200_000)),
      client.kv.put(key, VALUE, { timeoutMs: 0 }),
      client.kv.txn().then(put(key, VALUE), put(key, VALUE)).commit(),
      client.kv
        .txn()
        .then(...Array.from({ length: 200 }, (_, index) => put(`${key}${index}`, VALUE)))
        .commit(),
      away.kv.put(key, VALUE, { timeoutMs: 200 }),
      away.kv.put(key, VALUE, { signal }),
    ]);

    for (const result of results) {
      const { reason } = result as PromiseRejectedResult;
      expect(reason).toBeInstanceOf(EtcdError);
      expect(pictures(reason)).not.toContain(VALUE);
      expect((reason as Error).message).not.toContain('\u0007');
      expect((reason as Error).message).not.toContain('k'.repeat(65));
    }
  });
});

describe('A polluted Object.prototype', () => {
  const POLLUTION = { callTimeoutMs: 1, tls: {}, serverName: 'evil.test', auth: { username: 'a', password: 'b' } };

  afterEach(() => {
    for (const name of Object.keys(POLLUTION)) Reflect.deleteProperty(Object.prototype, name);
  });

  it('sets no option of a client (S8)', async () => {
    await using plain = await startEtcd({ own: true });
    Object.assign(Object.prototype, POLLUTION);

    await using client = new EtcdClient({ endpoints: plain.endpoints });
    await client.kv.put('a', 'x');

    expect(client.stats().tokenRefreshes).toBe(0);
  });
});

describe('Options that compute themselves', () => {
  it('are read once each (S8)', async () => {
    const reads: string[] = [];
    const options = {
      get endpoints() {
        reads.push('endpoints');
        return etcd.endpoints;
      },
      get auth() {
        reads.push('auth');
        return credentials();
      },
    } satisfies EtcdClientOptions;

    await using client = new EtcdClient(options);
    await client.kv.get('a');

    expect(reads.sort()).toEqual(['auth', 'endpoints']);
  });
});

function refusalOf(read: () => unknown): string {
  try {
    read();
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}

describe('A text of 1 MiB', () => {
  const long = `${'a'.repeat(MEBIBYTE)}:`;

  it.each<[string, () => unknown]>([
    ['as an endpoint', () => parseEndpoint(`http://${long}`, 'endpoints')],
    ['as a socket', () => parseEndpoint(`unix:${'/'.repeat(MEBIBYTE)}`, 'endpoints')],
    ['as a prefix', () => prefix(long)],
    [
      'as what a server says',
      () => readFailure(RANGE, { code: 2, details: 'rpc error: code = X desc = '.repeat(40_000) }),
    ],
    ['as why a connection failed', () => connectFailure(`No connection established. Last error: ${long.repeat(2)}`)],
  ])('%s is read or refused in no time (S9)', (_, read) => {
    const startedAt = performance.now();
    const refusal = refusalOf(read);

    expect(refusal.length).toBeLessThan(1_000);
    expect(performance.now() - startedAt).toBeLessThan(2_000); // a backtracking pattern would take minutes
  });
});

/** A program that uses every service. */
function program(options: EtcdClientOptions): string {
  return `
    import { EtcdClient, prefix } from ${JSON.stringify(`${builtLibrary()}/client/index.js`)};
    const etcd = new EtcdClient(${JSON.stringify(options)});
    await etcd.kv.put('secrets/smoke', ${JSON.stringify(VALUE)});
    const lease = await etcd.lease.grant(10);
    await etcd.kv.txn().then().commit();
    for await (const page of etcd.kv.scan(prefix('secrets/'))) void page;
    await etcd.lease.revoke(lease.id);
    await etcd.maintenance.status(${JSON.stringify(options.endpoints)});
    await etcd.cluster.memberList();
    await etcd.auth.userList();
    await etcd.close();
    console.log('done');`;
}

describe('A process', () => {
  it.each<[string, EtcdTransport]>([
    ['--disable-proto=delete', 'http2'],
    ['--disable-proto=throw', 'http2'],
    ['--frozen-intrinsics', 'http2'],
    ['--disallow-code-generation-from-strings', 'http2'],
    ['--disallow-code-generation-from-strings', 'grpc-js'],
  ])('that is started with %s can use the client over %s (S6)', async (flag, transport) => {
    const body = program({ endpoints: etcd.endpoint, auth: credentials(), transport });
    const child = await startChild(process.execPath, [flag, '--no-warnings', '--input-type=module', '-e', body]);

    const { code } = await child.exited();

    expect({ code, output: child.output }).toEqual({ code: 0, output: 'done\n' });
  });

  it.each([
    ['http2', { NODE_DEBUG: 'http2,net,tls' }, 'HTTP2'],
    ['grpc-js', { GRPC_TRACE: 'all', GRPC_VERBOSITY: 'DEBUG' }, 'subchannel'],
  ])('that traces %s prints no password, token, value or key of the store (S2, S3)', async (transport, env, word) => {
    await using server = await startWireServer();
    server.on('/etcdserverpb.Auth/Authenticate', () => ({ token: 'planted-token.1' }));
    const body = `
      import { EtcdClient } from ${JSON.stringify(`${builtLibrary()}/client/index.js`)};
      const etcd = new EtcdClient(${JSON.stringify({ endpoints: server.endpoint, auth: credentials(), transport })});
      await etcd.kv.put('planted-key', ${JSON.stringify(VALUE)});
      await etcd.close();`;
    const child = await startChild(process.execPath, ['--input-type=module', '-e', body], { env });

    const { code } = await child.exited();

    expect(code).toBe(0);
    expect(server.requests.at(-1)?.headers['token']).toBe('planted-token.1');
    expect(child.output).toContain(word);
    for (const secret of [credentials().password, 'planted-token', 'planted-key', VALUE]) {
      expect(child.output).not.toContain(secret);
    }
  });
});
