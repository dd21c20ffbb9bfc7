/** Authentication on a real member: tokens that end, passwords that change, auth switched on and off. Promise C5. */
import { afterEach, describe, expect, it } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { format, inspect } from 'node:util';
import { EtcdClient, type EtcdClientOptions } from '../../lib/client/client.js';
import type { EtcdInterceptor } from '../../lib/client/rpc/interceptor.js';
import { EtcdAuthenticationError, EtcdPermissionDeniedError } from '../../lib/client/server-errors.js';
import type { Etcd } from '../support/etcd/cluster.js';
import { failureOf } from '../support/failure.js';
import { startEtcd } from '../support/index.js';

const PASSWORD = 'correct horse battery staple';

const cleanUps: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function start(auth: NonNullable<Parameters<typeof startEtcd>[0]>['auth']): Promise<Etcd> {
  const etcd = await startEtcd({ own: true, ...(auth === undefined ? {} : { auth }) });
  cleanUps.push(() => etcd.stop());
  return etcd;
}

function connect(etcd: Etcd, options: Partial<EtcdClientOptions> = {}): EtcdClient {
  const client = new EtcdClient({ endpoints: etcd.endpoints, ...options });
  cleanUps.push(() => client.close());
  return client;
}

/** A user who may read and write below `app/`. */
async function addAppUser(etcd: Etcd): Promise<{ username: string; password: string }> {
  await etcd.auth.addRole('app', [{ type: 'readwrite', prefix: 'app/' }]);
  await etcd.auth.addUser('app', PASSWORD, ['app']);
  return { username: 'app', password: PASSWORD };
}

/** Counts the calls of `Authenticate` that go over the wire. */
function authenticateCounter(): { readonly interceptor: EtcdInterceptor; count: number } {
  const counter = {
    count: 0,
    interceptor: {
      attempt({ method }) {
        if (method.name === 'Authenticate') counter.count += 1;
        return undefined;
      },
    } satisfies EtcdInterceptor,
  };
  return counter;
}

describe('A user with a password', () => {
  it('reads and writes what the role allows, and is told what it does not (C5)', async () => {
    const etcd = await start(true);
    const client = connect(etcd, { auth: await addAppUser(etcd) });

    await client.kv.put('app/a', 'x');
    const denied = await failureOf(client.kv.put('other', 'x'));

    expect((await client.kv.get('app/a'))?.value).toBe('x');
    expect(denied).toBeInstanceOf(EtcdPermissionDeniedError);
    expect(denied.outcome).toBe('not-applied');
  });

  it('does not notice that simple tokens of 3 s end, idle or busy (C5)', async () => {
    const etcd = await start({ token: 'simple', tokenTtlSeconds: 3 });
    const client = connect(etcd, { auth: await addAppUser(etcd) });
    await client.kv.put('app/a', '0');

    await delay(5_000);
    for (let write = 1; write <= 5; write++) await client.kv.put('app/a', String(write));

    expect((await etcd.gateway.get('app/a'))?.version).toBe(6);
    expect(client.stats().tokenRefreshes).toBe(2);
  }, 30_000);

  it('makes at most two Authenticate calls for 1,000 calls with a token that has ended (C5)', async () => {
    const etcd = await start({ token: 'simple', tokenTtlSeconds: 3 });
    const counter = authenticateCounter();
    const client = connect(etcd, { auth: await addAppUser(etcd), interceptors: [counter.interceptor] });
    await client.kv.put('app/a', 'x');
    await delay(5_000);
    counter.count = 0;

    const reads = await Promise.all(Array.from({ length: 1_000 }, () => client.kv.get('app/a', { timeoutMs: 20_000 })));

    expect(reads.every((kv) => kv?.value === 'x')).toBe(true);
    expect(counter.count).toBeLessThanOrEqual(2);
  }, 60_000);

  it('does not notice that JSON web tokens of 3 s end, nor that the auth store changes (C5)', async () => {
    const etcd = await start({ token: 'jwt', tokenTtlSeconds: 3 });
    const client = connect(etcd, { auth: await addAppUser(etcd) });
    await client.kv.put('app/a', 'x');

    await etcd.auth.addRole('unrelated');
    await client.kv.put('app/a', 'y');
    await delay(5_000);
    await client.kv.put('app/a', 'z');

    expect((await etcd.gateway.get('app/a'))?.version).toBe(3);
  }, 30_000);

  it('does not notice that the member restarts and forgets its tokens (C5)', async () => {
    const etcd = await start(true);
    const client = connect(etcd, { auth: await addAppUser(etcd) });
    await client.kv.put('app/a', 'x');

    await etcd.members[0]!.stop();
    await etcd.members[0]!.restart();

    expect((await client.kv.get('app/a', { timeoutMs: 10_000 }))?.value).toBe('x');
    await client.kv.put('app/a', 'y');
  }, 30_000);
});

describe('A password that is wrong', () => {
  it('is one typed error with one Authenticate call, and no secret in it (C5)', async () => {
    const etcd = await start(true);
    await addAppUser(etcd);
    const counter = authenticateCounter();
    const wrong = { username: 'app', password: 'not the password' };
    const client = connect(etcd, { auth: wrong, interceptors: [counter.interceptor] });

    const error = await failureOf(client.kv.put('app/a', 'x'));

    expect(error).toBeInstanceOf(EtcdAuthenticationError);
    expect(error.outcome).toBe('not-applied');
    expect(error.method).toBe('KV.Put');
    expect(counter.count).toBe(1);
    expect(inspect(error, { depth: 10 })).not.toContain(wrong.password);
  });

  it('once it is right again works without a new client (C5)', async () => {
    const etcd = await start(true);
    const auth = await addAppUser(etcd);
    const client = connect(etcd, { auth });
    await client.kv.put('app/a', 'x');

    await etcd.auth.changePassword('app', 'another');
    const error = await failureOf(client.kv.put('app/a', 'y'));
    await etcd.auth.changePassword('app', PASSWORD);
    await client.kv.put('app/a', 'z');

    expect(error).toBeInstanceOf(EtcdAuthenticationError);
    expect((await etcd.gateway.get('app/a'))?.version).toBe(2);
  });
});

describe('A token provider', () => {
  it('is asked for a token, and again when etcd says that it is no longer good (C5)', async () => {
    const etcd = await start({ token: 'jwt', tokenTtlSeconds: 3 });
    await addAppUser(etcd);
    let asked = 0;
    const token = (): Promise<string> => {
      asked += 1;
      return etcd.auth.login({ name: 'app', password: PASSWORD });
    };
    const client = connect(etcd, { auth: { token } });

    await client.kv.put('app/a', 'x');
    await delay(5_000);
    await client.kv.put('app/a', 'y');

    expect(asked).toBe(2);
  }, 30_000);

  it('that fails makes the call fail with its reason (C5)', async () => {
    const etcd = await start(true);
    const client = connect(etcd, { auth: { token: () => Promise.reject(new Error('no vault today')) } });

    const error = await failureOf(client.kv.put('app/a', 'x'));

    expect(error).toBeInstanceOf(EtcdAuthenticationError);
    expect(error.outcome).toBe('not-applied');
    expect(inspect(error, { depth: 10 })).toContain('no vault today');
  });
});

describe('Authentication that is switched while the client runs', () => {
  it('on, then off, then on, is not noticed by a client with credentials (C5)', async () => {
    const etcd = await start(undefined);
    await etcd.auth.enable();
    const auth = await addAppUser(etcd);
    await etcd.auth.disable();
    const client = connect(etcd, { auth });

    await client.kv.put('app/a', 'off');
    await etcd.auth.enable();
    await client.kv.put('app/a', 'on');
    await etcd.auth.disable();
    await client.kv.put('app/a', 'off again');
    await etcd.auth.enable();
    await client.kv.put('app/a', 'on again');

    expect((await etcd.gateway.get('app/a'))?.version).toBe(4);
  });

  it('is a typed error for a client without credentials (C5)', async () => {
    const etcd = await start(true);
    const client = connect(etcd);

    const error = await failureOf(client.kv.put('a', 'x'));

    expect(error).toBeInstanceOf(EtcdAuthenticationError);
    expect(error.outcome).toBe('not-applied');
  });
});

describe('A user of a client certificate', () => {
  it('is taken from its common name, and survives changes of the auth store (C5)', async () => {
    const etcd = await startEtcd({ own: true, tls: { clientCertAuth: true }, auth: true });
    cleanUps.push(() => etcd.stop());
    await etcd.auth.addRole('app', [{ type: 'readwrite', prefix: 'app/' }]);
    await etcd.auth.addUser('worker', PASSWORD, ['app']);
    const { cert, key } = await etcd.tls!.authority.issueClient('worker');
    const client = connect(etcd, { tls: { ca: etcd.tls!.ca, cert, key } });

    await client.kv.put('app/a', 'x');
    const changes = Promise.all(Array.from({ length: 5 }, (_, index) => etcd.auth.addRole(`role-${index}`)));
    for (let write = 0; write < 50; write++) await client.kv.put('app/a', String(write));
    await changes;

    expect(await failureOf(client.kv.get('other'))).toBeInstanceOf(EtcdPermissionDeniedError);
  });
});

describe('Secrets', () => {
  it('show up in no error, event, statistic or picture of the client (C5)', async () => {
    const etcd = await start({ token: 'simple', tokenTtlSeconds: 3 });
    const auth = await addAppUser(etcd);
    const seen: unknown[] = [];
    const interceptor: EtcdInterceptor = {
      async unary(call, next) {
        seen.push(call);
        return next();
      },
      attempt(call, attempt) {
        seen.push(call, attempt);
        return (error) => seen.push(error);
      },
    };
    const client = connect(etcd, { auth, interceptors: [interceptor] });
    const events = client.status();
    const reading = (async () => {
      for await (const event of events) seen.push(event);
    })();
    await client.kv.put('app/a', 'x');
    const token = await etcd.auth.login({ name: 'app', password: PASSWORD });

    seen.push(await failureOf(client.kv.put('other', 'x')));
    await etcd.auth.changePassword('app', 'changed meanwhile');
    seen.push(await failureOf(client.kv.put('app/a', 'x')));
    seen.push(client, client.stats(), client.kv, JSON.stringify([client.stats(), client.kv]));
    const picture = seen.map((item) => `${inspect(item, { depth: 12 })}${format('%o', item)}`).join('\n');
    await client.close();
    await reading;

    expect(picture).not.toContain(PASSWORD);
    expect(picture).not.toContain(
      Buffer.from(PASSWORD)
        .toString('hex')
        .replace(/(..)(?=.)/g, '$1 '),
    );
    expect(picture).not.toContain(token);
    expect(picture).not.toMatch(/\b[A-Za-z]{16}\.\d+\b/); // a simple token of etcd
  }, 30_000);
});
