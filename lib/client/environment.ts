/** Options from the environment, under the names that etcdctl uses. */
import { EtcdConfigError } from './errors.js';
import type { EtcdConnectionOptions, EtcdTlsOptions } from './options.js';

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the options that etcdctl takes from the environment:
 *
 * | variable | option |
 * |---|---|
 * | `ETCDCTL_ENDPOINTS` | `endpoints`, separated by commas; `127.0.0.1:2379` when it is not set, as in etcdctl |
 * | `ETCDCTL_CACERT`, `ETCDCTL_CERT`, `ETCDCTL_KEY` | `tls.ca`, `tls.cert`, `tls.key`, as file paths |
 * | `ETCDCTL_USER`, `ETCDCTL_PASSWORD` | `auth`; the user may be `name:password` |
 * | `ETCDCTL_COMMAND_TIMEOUT` | `callTimeoutMs` |
 * | `ETCDCTL_DIAL_TIMEOUT` | `connectTimeoutMs` |
 * | `ETCDCTL_KEEPALIVE_TIME`, `ETCDCTL_KEEPALIVE_TIMEOUT` | `keepAliveTimeMs`, `keepAliveTimeoutMs` |
 *
 * Durations are written as Go writes them: `500ms`, `5s`, `1m30s`.
 *
 * @throws {EtcdConfigError} naming the variable; a password is never repeated.
 *
 * @example
 * const etcd = new EtcdClient({ ...optionsFromEnvironment(), name: 'main' });
 */
export function optionsFromEnvironment(environment: Environment = process.env): EtcdConnectionOptions {
  const get = (name: string): string | undefined => environment[`ETCDCTL_${name}`]?.trim() || undefined;
  const duration = (name: string): number | undefined => parseDuration(`ETCDCTL_${name}`, get(name));
  return withoutUndefined({
    endpoints: (get('ENDPOINTS') ?? '127.0.0.1:2379').split(',').map((endpoint) => endpoint.trim()),
    tls: readTls(get),
    auth: readUser(get('USER'), get('PASSWORD')),
    callTimeoutMs: duration('COMMAND_TIMEOUT'),
    connectTimeoutMs: duration('DIAL_TIMEOUT'),
    keepAliveTimeMs: duration('KEEPALIVE_TIME'),
    keepAliveTimeoutMs: duration('KEEPALIVE_TIMEOUT'),
  });
}

function readTls(get: (name: string) => string | undefined): EtcdTlsOptions | undefined {
  const [ca, cert, key] = [get('CACERT'), get('CERT'), get('KEY')];
  if (ca === undefined && cert === undefined && key === undefined) return undefined;
  return withoutUndefined({ ca, cert, key });
}

function readUser(user: string | undefined, password: string | undefined): EtcdConnectionOptions['auth'] {
  if (user === undefined) return undefined;
  const at = user.indexOf(':');
  if (password !== undefined) return { username: user, password };
  if (at < 1) throw new EtcdConfigError('ETCDCTL_USER', 'must be name:password, or ETCDCTL_PASSWORD must be set');
  return { username: user.slice(0, at), password: user.slice(at + 1) };
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

function parseDuration(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/.test(text)) {
    throw new EtcdConfigError(name, 'must be a duration such as 500ms, 5s or 1m30s', text);
  }
  let totalMs = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) {
    totalMs += Number(amount) * (UNIT_MS[unit ?? ''] ?? Number.NaN);
  }
  return Math.round(totalMs);
}

function withoutUndefined<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}
