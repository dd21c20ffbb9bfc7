/** Watches of a client with credentials: tokens that end, roles that are taken away, passwords that are wrong. Rows E1, E2, E4, E6. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { EtcdClient } from '../../lib/client/client.js';
import type { EtcdError } from '../../lib/client/errors.js';
import { prefix } from '../../lib/client/key-range.js';
import type { EtcdInterceptor } from '../../lib/client/rpc/interceptor.js';
import { EtcdAuthenticationError, EtcdPermissionDeniedError } from '../../lib/client/server-errors.js';
import type { Watcher } from '../../lib/client/watch/watcher.js';
import { eventually, startEtcd, startProxy, type Etcd, type TcpProxy } from '../support/index.js';

const PASSWORD = 'correct horse battery staple';

let etcd: Etcd;
let proxy: TcpProxy;

beforeEach(async () => {
  etcd = await startEtcd({ own: true, auth: { token: 'simple', tokenTtlSeconds: 2 } });
  proxy = await startProxy({ targetPort: etcd.members[0]!.port });
  await etcd.auth.addRole('app', [{ type: 'readwrite', prefix: 'app/' }]);
  await etcd.auth.addUser('app', PASSWORD, ['app']);
});

afterEach(async () => {
  await proxy.close();
  await etcd.stop();
});

function connect(password = PASSWORD, interceptors: readonly EtcdInterceptor[] = []): EtcdClient {
  return new EtcdClient({ endpoints: proxy.endpoint, auth: { username: 'app', password }, interceptors });
}

/** Writes down the values that a watch reports. */
function collect(watcher: Watcher): { readonly values: string[]; readonly end: Promise<unknown> } {
  const values: string[] = [];
  const end = (async () => {
    for await (const event of watcher) values.push(event.kv.value);
  })().catch((error: unknown) => error);
  return { values, end };
}

describe('A watch', () => {
  it('that idles past the end of its token and is then reset reports each event once (C5, W1, E1)', async () => {
    await using client = connect();
    await using watcher = client.watch.watch(prefix('app/'));
    await watcher.created;
    const { values } = collect(watcher);
    await client.kv.put('app/a', '0');

    await delay(4_000);
    proxy.reset();
    for (let write = 1; write <= 5; write++) await etcd.gateway.put('app/a', String(write));

    await eventually(() => values.length >= 6);
    await delay(200);
    expect(values).toEqual(['0', '1', '2', '3', '4', '5']);
  }, 30_000);

  it('whose role is taken away ends with EtcdPermissionDeniedError at its next connection (C5, W2, E4)', async () => {
    await using client = connect();
    await using watcher = client.watch.watch(prefix('app/'));
    await watcher.created;
    const { end } = collect(watcher);

    await etcd.auth.revokeRole('app', 'app');
    proxy.reset();

    expect(await end).toBeInstanceOf(EtcdPermissionDeniedError);
    expect(await client.kv.get('app/a').catch((error: unknown) => error)).toBeInstanceOf(EtcdPermissionDeniedError);
  });

  it('on keys of others is refused with a typed error, and one on own keys goes on (C5, E6)', async () => {
    await using client = connect();
    await using own = client.watch.watch(prefix('app/'));
    await own.created;
    const { values } = collect(own);

    await using foreign = client.watch.watch('other');
    const refused = await collect(foreign).end;
    await client.kv.put('app/a', 'x');

    expect(refused).toBeInstanceOf(EtcdPermissionDeniedError);
    await eventually(() => values.length === 1);
  });

  it('with a wrong password ends with one typed error and one Authenticate call, and no secret in it (C5, E2)', async () => {
    let authentications = 0;
    const interceptor: EtcdInterceptor = {
      unary: ({ method }, next) => {
        if (method.name === 'Authenticate') authentications += 1;
        return next();
      },
    };
    await using client = connect('not the password', [interceptor]);
    await using watcher = client.watch.watch('app/a');

    const error = await collect(watcher).end;

    expect(error).toBeInstanceOf(EtcdAuthenticationError);
    expect((error as EtcdError).message).not.toContain('not the password');
    expect(authentications).toBe(1);
  });
});
