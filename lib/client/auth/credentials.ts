/** Names and passwords as the auth service takes them, checked before anything is sent; a password is never repeated. */
import { EtcdInvalidArgumentError } from '../errors.js';

/**
 * How a new user proves who it is: with a password, or only with the common name of a client certificate
 * (`noPassword`, for clusters that run with `--client-cert-auth`).
 */
export type UserCredential = { readonly password: string } | { readonly noPassword: true };

/**
 * The name of a user or a role.
 *
 * @throws {EtcdInvalidArgumentError} when it is no text, empty, or text that UTF-8 cannot carry. etcd answers an empty
 *   user name with the words it also has for a missing token, which would read as a problem of the connection.
 */
export function requireName(name: unknown, argument: string): string {
  if (typeof name === 'string' && name !== '' && name.isWellFormed()) return name;
  throw new EtcdInvalidArgumentError(argument, 'must be a non-empty, well-formed string', name ?? String(name));
}

/** @throws {EtcdInvalidArgumentError} when it is no text, empty, or text that UTF-8 cannot carry. */
export function requirePassword(password: unknown): string {
  if (typeof password === 'string' && password !== '' && password.isWellFormed()) return password;
  throw new EtcdInvalidArgumentError('password', 'must be a non-empty, well-formed string (it is not shown here)');
}

/**
 * What a new user's request says of the password.
 *
 * @throws {EtcdInvalidArgumentError} when there is neither a password nor `noPassword: true`, or both.
 */
export function toUserAddPassword(credential: UserCredential): {
  readonly password: string;
  readonly options: { readonly noPassword: boolean };
} {
  const given: unknown = credential;
  if (typeof given !== 'object' || given === null) throw wrongCredential();
  const { password, noPassword } = given as { readonly password?: unknown; readonly noPassword?: unknown };
  if (noPassword === undefined || noPassword === false) {
    return { password: requirePassword(password), options: { noPassword: false } };
  }
  if (noPassword !== true || password !== undefined) throw wrongCredential();
  return { password: '', options: { noPassword: true } };
}

function wrongCredential(): EtcdInvalidArgumentError {
  return new EtcdInvalidArgumentError('credential', 'must be { password: "…" } or { noPassword: true }');
}
