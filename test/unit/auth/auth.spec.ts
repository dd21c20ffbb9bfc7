/** Each call of the Auth service: what is sent, what comes back, and what is refused before anything is sent. */
import { describe, expect, it } from '@jest/globals';
import { inspect } from 'node:util';
import { EtcdAuth } from '../../../lib/client/auth/auth.js';
import { EtcdInvalidArgumentError, EtcdProtocolError } from '../../../lib/client/errors.js';
import { prefix } from '../../../lib/client/key-range.js';
import type { ResponseHeader } from '../../../lib/client/rpc/generated/messages.js';
import * as methods from '../../../lib/client/rpc/methods.js';
import type { MethodInfo, UnaryMethod } from '../../../lib/client/rpc/rpc.js';
import { FakeRpc } from '../../support/fake-rpc.js';

const header: ResponseHeader = { clusterId: 'c1', memberId: 'a1', revision: 7, raftTerm: 2 };
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const SECRET = 'correct horse battery staple';

function makeAuth(): { rpc: FakeRpc; auth: EtcdAuth } {
  const rpc = new FakeRpc();
  return { rpc, auth: new EtcdAuth(rpc) };
}

/** A call whose answer is its header. */
interface Change {
  readonly method: MethodInfo;
  readonly make: (auth: EtcdAuth) => Promise<unknown>;
  readonly request: object;
}

const CHANGES: readonly Change[] = [
  { method: methods.AUTH_ENABLE, make: (auth) => auth.enable(), request: {} },
  { method: methods.AUTH_DISABLE, make: (auth) => auth.disable(), request: {} },
  {
    method: methods.USER_ADD,
    make: (auth) => auth.userAdd('alice', { password: SECRET }),
    request: { name: 'alice', password: SECRET, options: { noPassword: false } },
  },
  {
    method: methods.USER_ADD,
    make: (auth) => auth.userAdd('ci.example.com', { noPassword: true }),
    request: { name: 'ci.example.com', password: '', options: { noPassword: true } },
  },
  { method: methods.USER_DELETE, make: (auth) => auth.userDelete('alice'), request: { name: 'alice' } },
  {
    method: methods.USER_CHANGE_PASSWORD,
    make: (auth) => auth.userChangePassword('alice', SECRET),
    request: { name: 'alice', password: SECRET },
  },
  {
    method: methods.USER_GRANT_ROLE,
    make: (auth) => auth.userGrantRole('alice', 'writer'),
    request: { user: 'alice', role: 'writer' },
  },
  {
    method: methods.USER_REVOKE_ROLE,
    make: (auth) => auth.userRevokeRole('alice', 'writer'),
    request: { name: 'alice', role: 'writer' },
  },
  { method: methods.ROLE_ADD, make: (auth) => auth.roleAdd('writer'), request: { name: 'writer' } },
  { method: methods.ROLE_DELETE, make: (auth) => auth.roleDelete('writer'), request: { role: 'writer' } },
  {
    method: methods.ROLE_GRANT_PERMISSION,
    make: (auth) => auth.roleGrantPermission('writer', 'readwrite', prefix('app/')),
    request: { name: 'writer', perm: { permType: 'READWRITE', key: bytes('app/'), rangeEnd: bytes('app0') } },
  },
  {
    method: methods.ROLE_GRANT_PERMISSION,
    make: (auth) => auth.roleGrantPermission('reader', 'read', 'config'),
    request: { name: 'reader', perm: { permType: 'READ', key: bytes('config'), rangeEnd: new Uint8Array() } },
  },
  {
    method: methods.ROLE_REVOKE_PERMISSION,
    make: (auth) => auth.roleRevokePermission('writer', prefix('app/')),
    request: { role: 'writer', key: bytes('app/'), rangeEnd: bytes('app0') },
  },
];

describe('EtcdAuth changes', () => {
  it.each(CHANGES.map((change) => [change.method.name, change.request, change] as const))(
    'sends %s as %j and answers with the header',
    async (_name, request, change) => {
      const { rpc, auth } = makeAuth();
      const method = change.method as UnaryMethod<object, { readonly header: ResponseHeader | null }>;
      rpc.answer(method, { header });

      const answer = await change.make(auth);

      expect(answer).toEqual({ header });
      expect(rpc.requests(method)).toEqual([request]);
    },
  );

  it('passes signal and timeout on to the call', async () => {
    const { rpc, auth } = makeAuth();
    rpc.answer(methods.ROLE_ADD, { header });
    const { signal } = new AbortController();

    await auth.roleAdd('writer', { signal, timeoutMs: 123 });

    expect(rpc.calls[0]?.options).toMatchObject({ signal, timeoutMs: 123 });
  });

  it('tells that a change may have been made when its answer has no header', async () => {
    const { rpc, auth } = makeAuth();
    rpc.answer(methods.ROLE_ADD, { header: null });

    const error = await auth.roleAdd('writer').catch((reason: unknown) => reason);

    expect(error).toBeInstanceOf(EtcdProtocolError);
    expect(error).toMatchObject({ method: 'Auth.RoleAdd', outcome: 'unknown' });
  });
});

describe('EtcdAuth questions', () => {
  it('tells whether authentication is on', async () => {
    const { rpc, auth } = makeAuth();
    rpc.answer(methods.AUTH_STATUS, { header, enabled: true, authRevision: 9 });

    expect(await auth.status()).toEqual({ header, enabled: true, authRevision: 9 });
  });

  it('trades name and password for the token', async () => {
    const { rpc, auth } = makeAuth();
    rpc.answer(methods.AUTHENTICATE, { header, token: 'abc.7' });

    expect(await auth.authenticate('alice', SECRET)).toBe('abc.7');
    expect(rpc.requests(methods.AUTHENTICATE)).toEqual([{ name: 'alice', password: SECRET }]);
  });

  it('tells the roles of a user', async () => {
    const { rpc, auth } = makeAuth();
    rpc.answer(methods.USER_GET, { header, roles: ['reader', 'writer'] });

    expect(await auth.userGet('alice')).toEqual({ header, roles: ['reader', 'writer'] });
    expect(rpc.requests(methods.USER_GET)).toEqual([{ name: 'alice' }]);
  });

  it('lists users and roles', async () => {
    const { rpc, auth } = makeAuth();
    rpc.answer(methods.USER_LIST, { header, users: ['alice', 'root'] });
    rpc.answer(methods.ROLE_LIST, { header, roles: ['root', 'writer'] });

    expect(await auth.userList()).toEqual({ header, users: ['alice', 'root'] });
    expect(await auth.roleList()).toEqual({ header, roles: ['root', 'writer'] });
  });

  it('gives the permissions of a role back as ranges that can be revoked as they are', async () => {
    const { rpc, auth } = makeAuth();
    const perm = [{ permType: 'READWRITE', key: bytes('app/'), rangeEnd: bytes('app0') }] as const;
    rpc.answer(methods.ROLE_GET, { header, perm });
    rpc.answer(methods.ROLE_REVOKE_PERMISSION, { header });

    const { permissions } = await auth.roleGet('writer');
    await auth.roleRevokePermission('writer', permissions[0]!.range);

    expect(permissions.map(({ type, range }) => [type, String(range)])).toEqual([['readwrite', 'prefix "app/"']]);
    expect(rpc.requests(methods.ROLE_REVOKE_PERMISSION)).toEqual([
      { role: 'writer', key: bytes('app/'), rangeEnd: bytes('app0') },
    ]);
  });
});

describe('EtcdAuth arguments', () => {
  const refused: readonly (readonly [string, string, (auth: EtcdAuth) => Promise<unknown>])[] = [
    ['an empty user name', 'name', (auth) => auth.userGet('')],
    ['a user name that is no text', 'name', (auth) => auth.userDelete(7 as unknown as string)],
    ['a user name that UTF-8 cannot carry', 'name', (auth) => auth.userAdd('\ud800', { password: SECRET })],
    ['an empty role name', 'role', (auth) => auth.userGrantRole('alice', '')],
    ['an empty password', 'password', (auth) => auth.userAdd('alice', { password: '' })],
    ['an empty new password', 'password', (auth) => auth.userChangePassword('alice', '')],
    ['no credential', 'credential', (auth) => auth.userAdd('alice', undefined as unknown as { noPassword: true })],
    ['a bare password', 'credential', (auth) => auth.userAdd('alice', SECRET as unknown as { password: string })],
    [
      'a password together with noPassword',
      'credential',
      (auth) => auth.userAdd('alice', { password: SECRET, noPassword: true }),
    ],
    ['neither password nor noPassword', 'password', (auth) => auth.userAdd('alice', {} as { password: string })],
    ['an unknown type', 'type', (auth) => auth.roleGrantPermission('writer', 'admin' as 'read', 'key')],
    ['a type of Object.prototype', 'type', (auth) => auth.roleGrantPermission('writer', 'toString' as 'read', 'key')],
    ['an empty key', 'range', (auth) => auth.roleGrantPermission('writer', 'read', '')],
  ];

  it.each(refused)('C7: refuses %s before anything is sent, naming %s', async (_what, argument, make) => {
    const { rpc, auth } = makeAuth();

    const error = await make(auth).catch((reason: unknown) => reason);

    expect(error).toBeInstanceOf(EtcdInvalidArgumentError);
    expect(error).toMatchObject({ argument, outcome: 'not-applied' });
    expect(rpc.calls).toEqual([]);
  });

  it.each([
    ['a lone surrogate in it', `${SECRET}\ud800`],
    ['the wrong type', [SECRET]],
  ])('C5: never repeats a password, not even one with %s', async (_what, password) => {
    const { auth } = makeAuth();

    const errors = await Promise.all([
      auth.userAdd('alice', { password: password as string }).catch((reason: unknown) => reason),
      auth.userChangePassword('alice', password as string).catch((reason: unknown) => reason),
      auth.authenticate('alice', password as string).catch((reason: unknown) => reason),
    ]);

    for (const error of errors) expect(error).toBeInstanceOf(EtcdInvalidArgumentError);
    expect(inspect(errors, { depth: 10 }) + JSON.stringify(errors)).not.toContain('horse');
  });
});
