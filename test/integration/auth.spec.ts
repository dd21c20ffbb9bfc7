/** Users, roles and permissions on a real etcd: made by one client, felt by others, with authentication off, on, and switched meanwhile. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { inspect } from 'node:util';
import {
  allKeys,
  EtcdAuthenticationError,
  EtcdAuthNotEnabledError,
  EtcdAuthSetupError,
  EtcdClient,
  EtcdNotGrantedError,
  EtcdPermissionDeniedError,
  EtcdRoleExistsError,
  EtcdRoleNotFoundError,
  EtcdUserExistsError,
  EtcdUserNotFoundError,
  fromKey,
  prefix,
  range,
  type EtcdAuthOptions,
} from '../../lib/client/index.js';
import { compareVersions } from '../support/etcd/version.js';
import { startEtcd, type Etcd } from '../support/index.js';

const ROOT = { username: 'root', password: 'root-secret-7d1f' } as const;
const ALICE = { username: 'alice', password: 'alice-secret-93ab' } as const;

let etcd: Etcd;
const clients: EtcdClient[] = [];

function connect(auth?: EtcdAuthOptions): EtcdClient {
  const client = new EtcdClient({ endpoints: etcd.endpoints, auth });
  clients.push(client);
  return client;
}

const hasAuthStatus = (): boolean => compareVersions(etcd.version, '3.5.0') >= 0;

beforeAll(async () => {
  etcd = await startEtcd({ own: true });
});

afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await etcd.stop();
});

describe('EtcdAuth while authentication is off', () => {
  it('creates, shows, lists and deletes users and their roles', async () => {
    const { auth } = connect();

    await auth.roleAdd('r1');
    await auth.roleAdd('r2');
    await auth.userAdd('u1', { password: 'p' });
    await auth.userAdd('u2', { noPassword: true });
    await auth.userGrantRole('u1', 'r2');
    await auth.userGrantRole('u1', 'r1');
    const again = await auth.userGrantRole('u1', 'r1');

    expect(again.header.memberId).toMatch(/^[0-9a-f]+$/);
    expect((await auth.userGet('u1')).roles).toEqual(['r1', 'r2']);
    expect((await auth.userGet('u2')).roles).toEqual([]);
    expect((await auth.userList()).users).toEqual(['u1', 'u2']);
    expect((await auth.roleList()).roles).toEqual(['r1', 'r2']);

    await auth.userRevokeRole('u1', 'r2');
    await auth.roleDelete('r1');

    expect((await auth.userGet('u1')).roles).toEqual([]);
    expect((await auth.roleList()).roles).toEqual(['r2']);

    await auth.userDelete('u1');
    await auth.userDelete('u2');
    await auth.roleDelete('r2');

    expect((await auth.userList()).users).toEqual([]);
    expect((await auth.roleList()).roles).toEqual([]);
  });

  it('grants permissions on every kind of range, shows them, and takes them back as they are shown', async () => {
    const { auth } = connect();
    await auth.roleAdd('ranges');

    await auth.roleGrantPermission('ranges', 'read', 'key');
    await auth.roleGrantPermission('ranges', 'write', prefix('app/'));
    await auth.roleGrantPermission('ranges', 'readwrite', range('a', 'c'));
    await auth.roleGrantPermission('ranges', 'read', fromKey('x'));
    await auth.roleGrantPermission('ranges', 'read', allKeys());
    await auth.roleGrantPermission('ranges', 'readwrite', 'key');
    const { permissions } = await auth.roleGet('ranges');

    expect(permissions.map(({ type, range: keys }) => `${type} ${String(keys)}`).sort()).toEqual([
      'read all keys',
      'read from key "x"',
      'readwrite key "key"',
      'readwrite range "a" to "c"',
      'write prefix "app/"',
    ]);
    expect(JSON.parse(JSON.stringify(permissions))).toContainEqual({
      type: 'write',
      range: { kind: 'prefix', key: 'app/', rangeEnd: 'app0' },
    });

    for (const { range: keys } of permissions) await auth.roleRevokePermission('ranges', keys);

    expect((await auth.roleGet('ranges')).permissions).toEqual([]);
  });

  it('tells each refusal as an error of its own', async () => {
    const { auth } = connect();
    await auth.userAdd('taken', { password: 'p' });
    await auth.roleAdd('taken');

    await expect(auth.userAdd('taken', { password: 'p' })).rejects.toBeInstanceOf(EtcdUserExistsError);
    await expect(auth.roleAdd('taken')).rejects.toBeInstanceOf(EtcdRoleExistsError);
    await expect(auth.userGet('nobody')).rejects.toBeInstanceOf(EtcdUserNotFoundError);
    await expect(auth.userDelete('nobody')).rejects.toBeInstanceOf(EtcdUserNotFoundError);
    await expect(auth.userChangePassword('nobody', 'p')).rejects.toBeInstanceOf(EtcdUserNotFoundError);
    await expect(auth.userGrantRole('nobody', 'taken')).rejects.toBeInstanceOf(EtcdUserNotFoundError);
    await expect(auth.userGrantRole('taken', 'nothing')).rejects.toBeInstanceOf(EtcdRoleNotFoundError);
    await expect(auth.roleGet('nothing')).rejects.toBeInstanceOf(EtcdRoleNotFoundError);
    await expect(auth.roleDelete('nothing')).rejects.toBeInstanceOf(EtcdRoleNotFoundError);
    await expect(auth.roleGrantPermission('nothing', 'read', 'k')).rejects.toBeInstanceOf(EtcdRoleNotFoundError);
    await expect(auth.roleRevokePermission('taken', 'k')).rejects.toBeInstanceOf(EtcdNotGrantedError);
    await expect(auth.userRevokeRole('taken', 'taken')).rejects.toBeInstanceOf(EtcdNotGrantedError);
    await expect(auth.authenticate('taken', 'p')).rejects.toBeInstanceOf(EtcdAuthNotEnabledError);
    await expect(auth.enable()).rejects.toBeInstanceOf(EtcdAuthSetupError);

    await auth.userDelete('taken');
    await auth.roleDelete('taken');
  });

  it('tells that it is off, or which release can tell', async () => {
    const { auth } = connect();

    const answer = await auth.status().catch((error: unknown) => error);

    expect(answer).toMatchObject(hasAuthStatus() ? { enabled: false } : { code: 'ETCD_UNSUPPORTED', since: '3.5' });
  });
});

describe('EtcdAuth once authentication is on', () => {
  let root: EtcdClient;

  beforeAll(async () => {
    root = connect(ROOT);
    await root.auth.userAdd('root', { password: ROOT.password });
    await root.auth.roleAdd('root');
    await root.auth.userGrantRole('root', 'root');
    await root.auth.roleAdd('orders');
    await root.auth.roleGrantPermission('orders', 'readwrite', prefix('orders/'));
    await root.auth.roleGrantPermission('orders', 'read', 'config');
    await root.auth.userAdd(ALICE.username, { password: ALICE.password });
    await root.auth.userGrantRole(ALICE.username, 'orders');
    await root.auth.enable();
    await root.kv.put('config', 'v1');
  });

  afterAll(async () => {
    await root.auth.disable();
  });

  it('allows a user what its role allows, and refuses the rest without having applied anything', async () => {
    const alice = connect(ALICE);

    await alice.kv.put('orders/1', 'x');

    expect((await alice.kv.get('orders/1'))?.value).toBe('x');
    expect((await alice.kv.range(prefix('orders/'))).count).toBe(1);
    expect((await alice.kv.get('config'))?.value).toBe('v1');
    const refusals = [alice.kv.put('config', 'v2'), alice.kv.put('other', 'x'), alice.kv.delete(prefix('order'))];
    for (const refusal of refusals) {
      const error = await refusal.catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(EtcdPermissionDeniedError);
      expect(error).toMatchObject({ outcome: 'not-applied' });
    }
    await expect(alice.kv.get('other')).rejects.toBeInstanceOf(EtcdPermissionDeniedError);
    await expect(alice.kv.range(prefix('order'))).rejects.toBeInstanceOf(EtcdPermissionDeniedError);
    expect((await root.kv.get('config'))?.value).toBe('v1');
    expect(await root.kv.get('other')).toBeUndefined();
  });

  it('lets a user see itself and its roles, and manage nothing', async () => {
    const alice = connect(ALICE);

    expect((await alice.auth.userGet('alice')).roles).toEqual(['orders']);
    expect((await alice.auth.roleGet('orders')).permissions).toHaveLength(2);
    await expect(alice.auth.userGet('root')).rejects.toBeInstanceOf(EtcdPermissionDeniedError);
    await expect(alice.auth.userList()).rejects.toBeInstanceOf(EtcdPermissionDeniedError);
    await expect(alice.auth.userAdd('mallory', { password: 'p' })).rejects.toBeInstanceOf(EtcdPermissionDeniedError);
    await expect(alice.auth.disable()).rejects.toBeInstanceOf(EtcdPermissionDeniedError);
  });

  it('C5: takes effect on running clients: permissions granted and revoked, roles granted and revoked', async () => {
    const alice = connect(ALICE);
    await root.auth.roleAdd('extra');
    await expect(alice.kv.put('extra/1', 'x')).rejects.toBeInstanceOf(EtcdPermissionDeniedError);

    await root.auth.roleGrantPermission('extra', 'write', prefix('extra/'));
    await root.auth.userGrantRole('alice', 'extra');
    await alice.kv.put('extra/1', 'x');
    await expect(alice.kv.get('extra/1')).rejects.toBeInstanceOf(EtcdPermissionDeniedError);

    await root.auth.roleRevokePermission('extra', prefix('extra/'));
    await expect(alice.kv.put('extra/1', 'y')).rejects.toBeInstanceOf(EtcdPermissionDeniedError);

    await root.auth.userRevokeRole('alice', 'orders');
    await expect(alice.kv.get('orders/1')).rejects.toBeInstanceOf(EtcdPermissionDeniedError);

    await root.auth.userGrantRole('alice', 'orders');
    await root.auth.roleDelete('extra');
    await alice.kv.put('orders/1', 'z');
  });

  it('gives root everything, whether its role lists that or, as in older releases, nothing', async () => {
    const { permissions } = await root.auth.roleGet('root');
    await root.kv.put('anywhere', 'x');

    const listed = permissions.map(({ type, range: keys }) => `${type} ${String(keys)}`);
    expect(['', 'readwrite all keys']).toContain(listed.join());
  });

  it('trades a password for a token that a client can use', async () => {
    const guest = connect();

    const token = await guest.auth.authenticate(ALICE.username, ALICE.password);
    const alice = connect({ token: () => token });

    expect((await alice.kv.get('config'))?.value).toBe('v1');
    const error = await guest.auth.authenticate('alice', 'wrong-secret').catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(EtcdAuthenticationError);
    expect(inspect(error)).not.toContain('wrong-secret');
  });

  it('does not let a user without a password in by any password', async () => {
    await root.auth.userAdd('certificate-only', { noPassword: true });

    const error = await root.auth.authenticate('certificate-only', 'x').catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(EtcdAuthenticationError);
    expect(error).toMatchObject({ reason: 'NoPasswordUser' });
    await root.auth.userDelete('certificate-only');
  });

  it('shuts out a client with the old password once it is changed, and names no password', async () => {
    await root.auth.userAdd('bob', { password: 'bob-secret-1' });
    await root.auth.userGrantRole('bob', 'orders');
    const before = connect({ username: 'bob', password: 'bob-secret-1' });
    await before.kv.put('orders/bob', '1');

    await root.auth.userChangePassword('bob', 'bob-secret-2');
    const error = await before.kv.put('orders/bob', '2').catch((reason: unknown) => reason);
    const after = connect({ username: 'bob', password: 'bob-secret-2' });
    await after.kv.put('orders/bob', '3');

    expect(error).toBeInstanceOf(EtcdAuthenticationError);
    expect(error).toMatchObject({ outcome: 'not-applied' });
    expect(inspect(error, { depth: 10 })).not.toContain('bob-secret');
    expect((await after.kv.get('orders/bob'))?.value).toBe('3');

    await root.auth.userDelete('bob');
    await expect(after.kv.put('orders/bob', '4')).rejects.toBeInstanceOf(EtcdAuthenticationError);
  });

  it('refuses a client without credentials', async () => {
    await expect(connect().kv.put('orders/1', 'x')).rejects.toBeInstanceOf(EtcdAuthenticationError);
  });

  it('protects root from being locked out', async () => {
    await expect(root.auth.userDelete('root')).rejects.toBeInstanceOf(EtcdAuthSetupError);
    await expect(root.auth.roleDelete('root')).rejects.toBeInstanceOf(EtcdAuthSetupError);
    await expect(root.auth.userRevokeRole('root', 'root')).rejects.toBeInstanceOf(EtcdAuthSetupError);
  });

  it('is fine with being switched on twice', async () => {
    await root.auth.enable();

    const status = hasAuthStatus() ? await root.auth.status() : { enabled: true };
    expect(status.enabled).toBe(true);
  });

  it('C5: goes on when authentication is switched off and on again under running clients', async () => {
    const alice = connect(ALICE);
    const guest = connect();
    await alice.kv.put('orders/1', 'on');

    await root.auth.disable();
    await alice.kv.put('orders/1', 'off');
    await alice.kv.put('anything', 'off');
    await guest.kv.put('anything', 'off too');

    await root.auth.enable();
    await alice.kv.put('orders/1', 'on again');
    await expect(alice.kv.put('anything', 'x')).rejects.toBeInstanceOf(EtcdPermissionDeniedError);
    await expect(guest.kv.put('anything', 'x')).rejects.toBeInstanceOf(EtcdAuthenticationError);
    expect((await root.kv.get('anything'))?.value).toBe('off too');
  });
});

describe('EtcdAuth with client certificates', () => {
  it('knows a user without a password by the common name of its certificate', async () => {
    await using secure = await startEtcd({ own: true, tls: { clientCertAuth: true }, auth: true });
    const { ca, client: rootPair, authority } = secure.tls!;
    await using root = new EtcdClient({ endpoints: secure.endpoints, tls: { ca, ...rootPair } });
    await root.auth.roleAdd('ci');
    await root.auth.roleGrantPermission('ci', 'readwrite', prefix('ci/'));
    await root.auth.userAdd('ci.example.com', { noPassword: true });
    await root.auth.userGrantRole('ci.example.com', 'ci');

    const pair = await authority.issueClient('ci.example.com');
    await using ci = new EtcdClient({ endpoints: secure.endpoints, tls: { ca, ...pair } });
    await ci.kv.put('ci/1', 'x');

    expect((await ci.kv.get('ci/1'))?.value).toBe('x');
    await expect(ci.kv.put('other', 'x')).rejects.toBeInstanceOf(EtcdPermissionDeniedError);
    expect((await ci.auth.userGet('ci.example.com')).roles).toEqual(['ci']);
  });
});
