/** Users, roles and permissions of a cluster, set up through the gateway; and the keys of its token issuer. */
import { generateKeyPairSync, sign } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type FlagValue } from './flags.js';
import { rangeOf, type Gateway } from './gateway.js';

/** Somebody who can log in. */
export interface Credentials {
  readonly name: string;
  readonly password: string;
}

export interface Permission {
  readonly type: 'read' | 'write' | 'readwrite';
  /** One key; or every key that starts with `prefix`, the empty one meaning all keys. */
  readonly key?: string;
  readonly prefix?: string;
}

export interface AuthOptions {
  /** `simple`: kept in the members' memory. `jwt`: signed with RS256 by keys of the test. @default 'simple' */
  readonly token?: 'simple' | 'jwt';
  /** @default 300 */
  readonly tokenTtlSeconds?: number;
  /** @default 'root-password' */
  readonly rootPassword?: string;
}

/** Manages who may do what. Authentication is off until {@link enable}. */
export class AuthAdmin {
  private current: Credentials | undefined;

  constructor(
    private readonly gateway: () => Gateway,
    private readonly rootPassword = 'root-password',
    /** Signs tokens as etcd would; only with `token: 'jwt'`. */
    readonly jwt?: JwtIssuer,
  ) {}

  /** The root user while authentication is on. */
  get root(): Credentials | undefined {
    return this.current;
  }

  /** Creates the user `root` with the role `root` if there is none, and turns authentication on. */
  async enable(): Promise<Credentials> {
    const root = { name: 'root', password: this.rootPassword };
    await this.ignoring(/already exists/, () => this.call('role/add', { name: 'root' }));
    await this.ignoring(/already exists/, () => this.call('user/add', root));
    await this.call('user/grant', { user: 'root', role: 'root' });
    await this.call('enable', {});
    this.current = root;
    return root;
  }

  /** Turns authentication off; users and roles stay. */
  async disable(): Promise<void> {
    await this.call('disable', {});
    this.current = undefined;
  }

  /** @returns a token for a user, as any client gets it. */
  async login(user: Credentials): Promise<string> {
    const { token } = await this.call('authenticate', { ...user });
    return token as string;
  }

  async addRole(name: string, permissions: readonly Permission[] = []): Promise<void> {
    await this.call('role/add', { name });
    for (const permission of permissions) await this.grantPermission(name, permission);
  }

  async deleteRole(role: string): Promise<void> {
    await this.call('role/delete', { role });
  }

  async grantPermission(role: string, permission: Permission): Promise<void> {
    const perm = { permType: permission.type.toUpperCase(), ...rangeFor(permission) };
    await this.call('role/grant', { name: role, perm });
  }

  async revokePermission(role: string, permission: Omit<Permission, 'type'>): Promise<void> {
    await this.call('role/revoke', { role, ...rangeFor(permission) });
  }

  /** @param roles are created beforehand with {@link addRole}. */
  async addUser(name: string, password: string, roles: readonly string[] = []): Promise<Credentials> {
    await this.call('user/add', { name, password });
    for (const role of roles) await this.call('user/grant', { user: name, role });
    return { name, password };
  }

  async deleteUser(name: string): Promise<void> {
    await this.call('user/delete', { name });
  }

  async revokeRole(user: string, role: string): Promise<void> {
    await this.call('user/revoke', { name: user, role });
  }

  async changePassword(name: string, password: string): Promise<void> {
    await this.call('user/changepw', { name, password });
    if (name === this.current?.name) this.current = { name, password };
  }

  /** Sends any request of the auth service, such as `call('status', {})`. */
  call(path: string, body: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, unknown>>> {
    return this.gateway().call(`/v3/auth/${path}`, body);
  }

  private async ignoring(message: RegExp, request: () => Promise<unknown>): Promise<void> {
    await request().catch((error: unknown) => {
      if (!message.test(String(error))) throw error;
    });
  }
}

/** Makes tokens that the cluster takes for its own. */
export class JwtIssuer {
  constructor(private readonly privateKeyPem: string) {}

  /** @param claims etcd looks at `username`, `revision` (of the auth store) and `exp` (seconds since 1970). */
  issue(claims: Readonly<Record<string, unknown>>): string {
    const content = [{ alg: 'RS256', typ: 'JWT' }, claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.');
    return `${content}.${sign('RSA-SHA256', Buffer.from(content), this.privateKeyPem).toString('base64url')}`;
  }
}

/** The flags that make members issue the wanted kind of token, and the issuer for `jwt`. */
export async function prepareTokens(
  folder: string,
  { token = 'simple', tokenTtlSeconds = 300 }: AuthOptions,
): Promise<{ flags: Readonly<Record<string, FlagValue>>; jwt?: JwtIssuer }> {
  if (token === 'simple') return { flags: { 'auth-token': 'simple', 'auth-token-ttl': tokenTtlSeconds } };
  const { publicKey, privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const [publicFile, privateFile] = [join(folder, 'jwt-public.pem'), join(folder, 'jwt-private.pem')];
  await writeFile(publicFile, publicKey);
  await writeFile(privateFile, privateKey, { mode: 0o600 });
  const keys = `pub-key=${publicFile},priv-key=${privateFile}`;
  const flags = { 'auth-token': `jwt,${keys},sign-method=RS256,ttl=${tokenTtlSeconds}s` };
  return { flags, jwt: new JwtIssuer(privateKey) };
}

function rangeFor({ key, prefix }: Omit<Permission, 'type'>): Readonly<Record<string, unknown>> {
  if (prefix !== undefined) return rangeOf(prefix);
  return { key: Buffer.from(key ?? '').toString('base64') };
}
