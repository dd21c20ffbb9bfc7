/** Users, roles, permissions, and the switch of authentication, as etcd's Auth service has them. */
import { toKeyRange, type KeyRangeLike } from '../key-range.js';
import * as methods from '../rpc/methods.js';
import type * as wire from '../rpc/generated/messages.js';
import { headerOf, type ResponseHeader } from '../rpc/response-header.js';
import type { CallOptions, Rpc, UnaryMethod } from '../rpc/rpc.js';
import { requireName, requirePassword, toUserAddPassword, type UserCredential } from './credentials.js';
import { toRolePermission, toWirePermission, type PermissionType, type RolePermission } from './permission.js';

/** What every answer of the Auth service holds. */
export interface AuthResponse {
  readonly header: ResponseHeader;
}

/** Whether authentication is on. */
export interface AuthStatusResponse extends AuthResponse {
  readonly enabled: boolean;
  /** Rises with every change of users, roles and permissions; JWTs made before the last one are no longer good. */
  readonly authRevision: number;
}

/** A user. */
export interface UserGetResponse extends AuthResponse {
  /** Names of the roles the user has, sorted; empty when there are none. */
  readonly roles: readonly string[];
}

/** All users. */
export interface UserListResponse extends AuthResponse {
  /** Names, sorted. */
  readonly users: readonly string[];
}

/** A role. */
export interface RoleGetResponse extends AuthResponse {
  /** What the role allows. The role `root` may do everything, whether the server lists it (newer ones do) or nothing. */
  readonly permissions: readonly RolePermission[];
}

/** All roles. */
export interface RoleListResponse extends AuthResponse {
  /** Names, sorted. */
  readonly roles: readonly string[];
}

/**
 * The Auth service. Nest injects it by this class.
 *
 * Once authentication is on, only users with the role `root` may call it; everyone may ask for itself (`userGet`) and
 * for its own roles (`roleGet`). Every change of users, roles and permissions is a write: it is sent at most once, and
 * tokens that lose their value by it are renewed by the client on their own.
 */
export class EtcdAuth {
  constructor(private readonly rpc: Rpc) {}

  /**
   * Switches authentication on, for the whole cluster. From then on a client needs the `auth` option, or a client
   * certificate whose common name is a user. Fine when it is on already.
   *
   * @throws {EtcdAuthSetupError} when there is no user `root` with the role `root`, who alone could switch it off.
   * @see etcd `clientv3.Auth.AuthEnable`
   *
   * @example
   * await etcd.auth.userAdd('root', { password });
   * await etcd.auth.roleAdd('root');
   * await etcd.auth.userGrantRole('root', 'root');
   * await etcd.auth.enable();
   */
  async enable(options: CallOptions = {}): Promise<AuthResponse> {
    return this.call(methods.AUTH_ENABLE, {}, options);
  }

  /**
   * Switches authentication off, for the whole cluster: everyone may do everything. Users and roles stay.
   *
   * @throws {EtcdPermissionDeniedError} when the client's user is not root.
   * @see etcd `clientv3.Auth.AuthDisable`
   *
   * @example
   * await etcd.auth.disable();
   */
  async disable(options: CallOptions = {}): Promise<AuthResponse> {
    return this.call(methods.AUTH_DISABLE, {}, options);
  }

  /**
   * Tells whether authentication is on. Needs etcd 3.5 or newer. With authentication on, servers before 3.7 answer
   * this to root only.
   *
   * @throws {EtcdUnsupportedError} on etcd 3.4, with `since: '3.5'`.
   * @see etcd `clientv3.Auth.AuthStatus`
   *
   * @example
   * const { enabled } = await etcd.auth.status();
   */
  async status(options: CallOptions = {}): Promise<AuthStatusResponse> {
    const answer = await this.rpc.unary(methods.AUTH_STATUS, {}, options);
    return {
      header: headerOf(methods.AUTH_STATUS, answer),
      enabled: answer.enabled,
      authRevision: answer.authRevision,
    };
  }

  /**
   * Trades a name and a password for a token. Rarely needed: a client with the `auth` option gets and renews its token
   * on its own. Good for checking a password, and for tools that speak to etcd's HTTP gateway.
   *
   * @returns the token: a secret, good until it expires (`--auth-token-ttl`, 300 seconds unused by default).
   * @throws {EtcdAuthenticationError} when name or password are wrong, or the user was made with `noPassword`.
   * @throws {EtcdAuthNotEnabledError} while authentication is off.
   * @see etcd `clientv3.Auth.Authenticate`
   *
   * @example
   * const token = await etcd.auth.authenticate('alice', password);
   */
  async authenticate(name: string, password: string, options: CallOptions = {}): Promise<string> {
    const request = { name: requireName(name, 'name'), password: requirePassword(password) };
    const { token } = await this.rpc.unary(methods.AUTHENTICATE, request, options);
    return token;
  }

  /**
   * Creates a user, with a password or for client certificates only. It has no roles yet: see {@link userGrantRole}.
   *
   * @throws {EtcdUserExistsError} when there is one of this name.
   * @see etcd `clientv3.Auth.UserAdd`, `UserAddWithOptions`
   *
   * @example
   * await etcd.auth.userAdd('alice', { password });
   * await etcd.auth.userAdd('ci.example.com', { noPassword: true }); // the common name of a client certificate
   */
  async userAdd(name: string, credential: UserCredential, options: CallOptions = {}): Promise<AuthResponse> {
    const request = { name: requireName(name, 'name'), ...toUserAddPassword(credential) };
    return this.call(methods.USER_ADD, request, options);
  }

  /**
   * Tells which roles a user has.
   *
   * @throws {EtcdUserNotFoundError} when there is no such user.
   * @see etcd `clientv3.Auth.UserGet`
   *
   * @example
   * const { roles } = await etcd.auth.userGet('alice'); // ['orders-writer']
   */
  async userGet(name: string, options: CallOptions = {}): Promise<UserGetResponse> {
    const answer = await this.rpc.unary(methods.USER_GET, { name: requireName(name, 'name') }, options);
    return { header: headerOf(methods.USER_GET, answer), roles: answer.roles };
  }

  /**
   * Lists the users.
   *
   * @see etcd `clientv3.Auth.UserList`
   *
   * @example
   * const { users } = await etcd.auth.userList(); // ['alice', 'root']
   */
  async userList(options: CallOptions = {}): Promise<UserListResponse> {
    const answer = await this.rpc.unary(methods.USER_LIST, {}, options);
    return { header: headerOf(methods.USER_LIST, answer), users: answer.users };
  }

  /**
   * Deletes a user. Its tokens are no longer good at once.
   *
   * @throws {EtcdUserNotFoundError} when there is no such user.
   * @throws {EtcdAuthSetupError} for `root` while authentication is on.
   * @see etcd `clientv3.Auth.UserDelete`
   *
   * @example
   * await etcd.auth.userDelete('alice');
   */
  async userDelete(name: string, options: CallOptions = {}): Promise<AuthResponse> {
    return this.call(methods.USER_DELETE, { name: requireName(name, 'name') }, options);
  }

  /**
   * Gives a user another password. Tokens got with the old one are no longer good at once; a running client with the
   * old password fails from then on.
   *
   * @throws {EtcdUserNotFoundError} when there is no such user.
   * @see etcd `clientv3.Auth.UserChangePassword`
   *
   * @example
   * await etcd.auth.userChangePassword('alice', newPassword);
   */
  async userChangePassword(name: string, password: string, options: CallOptions = {}): Promise<AuthResponse> {
    const request = { name: requireName(name, 'name'), password: requirePassword(password) };
    return this.call(methods.USER_CHANGE_PASSWORD, request, options);
  }

  /**
   * Gives a role to a user. Fine when the user has it already.
   *
   * @throws {EtcdUserNotFoundError} when there is no such user.
   * @throws {EtcdRoleNotFoundError} when there is no such role.
   * @see etcd `clientv3.Auth.UserGrantRole`
   *
   * @example
   * await etcd.auth.userGrantRole('alice', 'orders-writer');
   */
  async userGrantRole(user: string, role: string, options: CallOptions = {}): Promise<AuthResponse> {
    const request = { user: requireName(user, 'user'), role: requireName(role, 'role') };
    return this.call(methods.USER_GRANT_ROLE, request, options);
  }

  /**
   * Takes a role from a user.
   *
   * @throws {EtcdUserNotFoundError} when there is no such user.
   * @throws {EtcdNotGrantedError} when the user does not have the role.
   * @throws {EtcdAuthSetupError} for the role `root` of `root` while authentication is on.
   * @see etcd `clientv3.Auth.UserRevokeRole`
   *
   * @example
   * await etcd.auth.userRevokeRole('alice', 'orders-writer');
   */
  async userRevokeRole(user: string, role: string, options: CallOptions = {}): Promise<AuthResponse> {
    const request = { name: requireName(user, 'user'), role: requireName(role, 'role') };
    return this.call(methods.USER_REVOKE_ROLE, request, options);
  }

  /**
   * Creates a role, which allows nothing yet: see {@link roleGrantPermission}. The role named `root` may do everything.
   *
   * @throws {EtcdRoleExistsError} when there is one of this name.
   * @see etcd `clientv3.Auth.RoleAdd`
   *
   * @example
   * await etcd.auth.roleAdd('orders-writer');
   */
  async roleAdd(role: string, options: CallOptions = {}): Promise<AuthResponse> {
    return this.call(methods.ROLE_ADD, { name: requireName(role, 'role') }, options);
  }

  /**
   * Tells what a role allows.
   *
   * @throws {EtcdRoleNotFoundError} when there is no such role.
   * @see etcd `clientv3.Auth.RoleGet`
   *
   * @example
   * const { permissions } = await etcd.auth.roleGet('orders-writer');
   * for (const { type, range } of permissions) console.log(type, `${range}`); // readwrite prefix "orders/"
   */
  async roleGet(role: string, options: CallOptions = {}): Promise<RoleGetResponse> {
    const answer = await this.rpc.unary(methods.ROLE_GET, { role: requireName(role, 'role') }, options);
    return { header: headerOf(methods.ROLE_GET, answer), permissions: answer.perm.map(toRolePermission) };
  }

  /**
   * Lists the roles.
   *
   * @see etcd `clientv3.Auth.RoleList`
   *
   * @example
   * const { roles } = await etcd.auth.roleList(); // ['orders-writer', 'root']
   */
  async roleList(options: CallOptions = {}): Promise<RoleListResponse> {
    const answer = await this.rpc.unary(methods.ROLE_LIST, {}, options);
    return { header: headerOf(methods.ROLE_LIST, answer), roles: answer.roles };
  }

  /**
   * Deletes a role, and takes it from all who have it.
   *
   * @throws {EtcdRoleNotFoundError} when there is no such role.
   * @throws {EtcdAuthSetupError} for `root` while authentication is on.
   * @see etcd `clientv3.Auth.RoleDelete`
   *
   * @example
   * await etcd.auth.roleDelete('orders-writer');
   */
  async roleDelete(role: string, options: CallOptions = {}): Promise<AuthResponse> {
    return this.call(methods.ROLE_DELETE, { role: requireName(role, 'role') }, options);
  }

  /**
   * Lets a role read, write, or do both, in a range of keys. A permission that the role has on exactly this range is
   * replaced; ranges that overlap add up. A call needs one permission, or adjoining ones, that cover its whole range.
   *
   * @param type `'read'` covers watches, `'write'` covers deletes.
   * @throws {EtcdRoleNotFoundError} when there is no such role.
   * @see etcd `clientv3.Auth.RoleGrantPermission`
   *
   * @example
   * await etcd.auth.roleGrantPermission('orders-writer', 'readwrite', prefix('orders/'));
   * await etcd.auth.roleGrantPermission('orders-writer', 'read', 'config/orders');
   */
  async roleGrantPermission(
    role: string,
    type: PermissionType,
    range: KeyRangeLike,
    options: CallOptions = {},
  ): Promise<AuthResponse> {
    const request = {
      name: requireName(role, 'role'),
      perm: toWirePermission(type, toKeyRange(range, 'range')),
    };
    return this.call(methods.ROLE_GRANT_PERMISSION, request, options);
  }

  /**
   * Takes from a role what it may do in a range of keys.
   *
   * @param range exactly as it was granted: part of a granted range cannot be taken away.
   * @throws {EtcdRoleNotFoundError} when there is no such role.
   * @throws {EtcdNotGrantedError} when the role has no permission on exactly this range.
   * @see etcd `clientv3.Auth.RoleRevokePermission`
   *
   * @example
   * const { permissions } = await etcd.auth.roleGet('orders-writer');
   * for (const { range } of permissions) await etcd.auth.roleRevokePermission('orders-writer', range);
   */
  async roleRevokePermission(role: string, range: KeyRangeLike, options: CallOptions = {}): Promise<AuthResponse> {
    const { key, rangeEnd } = toKeyRange(range, 'range');
    const request = { role: requireName(role, 'role'), key, rangeEnd };
    return this.call(methods.ROLE_REVOKE_PERMISSION, request, options);
  }

  /** For the calls whose answer is its header. */
  private async call<Req extends object>(
    method: UnaryMethod<Req, { readonly header: wire.ResponseHeader | null }>,
    request: Req,
    options: CallOptions,
  ): Promise<AuthResponse> {
    return { header: headerOf(method, await this.rpc.unary(method, request, options)) };
  }
}
