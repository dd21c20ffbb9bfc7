/** The client's options: meaning, unit, default and range of each, and the one place where they are checked. */
import { isOnThisMachine, parseEndpoint, type Endpoint } from './endpoint.js';
import { EtcdConfigError, EtcdInvalidArgumentError } from './errors.js';
import { suggestion } from './suggestion.js';

/** PEM text, or the path of a file that holds it, or its bytes. */
export type PemSource = string | Uint8Array;

/** How to talk TLS. Verification of the server is always on. */
export interface EtcdTlsOptions {
  /**
   * Certificate authorities that may have signed the server's certificate.
   *
   * @default the ones Node.js trusts
   */
  readonly ca?: PemSource | undefined;
  /** The client's certificate, for mutual TLS. Needs `key`. */
  readonly cert?: PemSource | undefined;
  /** The private key of `cert`. */
  readonly key?: PemSource | undefined;
  /**
   * The name the server's certificate has to match, when it differs from the host in the endpoint.
   *
   * @default the endpoint's host
   */
  readonly serverName?: string | undefined;
}

/** A user and a password; the client gets a token with them and renews it. */
export interface EtcdPasswordAuth {
  readonly username: string;
  readonly password: string;
}

/** A token made elsewhere, for example a JWT. Asked for again when etcd says it is no longer good. */
export interface EtcdTokenAuth {
  readonly token: () => string | Promise<string>;
}

/** How to authenticate. With TLS client certificates etcd can take the user from the certificate; then leave this out. */
export type EtcdAuthOptions = EtcdPasswordAuth | EtcdTokenAuth;

/** What carries calls to the members: the client's own code on the HTTP/2 of Node.js, or grpc-js, which costs more. */
export type EtcdTransport = 'http2' | 'grpc-js';

/** What a client is made of. Only `endpoints` is needed. */
export interface EtcdConnectionOptions {
  /**
   * The members to talk to, as `host:port`, `http://host:port`, `https://host:port` or `unix:///path`: one string or a list.
   *
   * @remarks at least one; duplicates are dropped. Calls go round the healthy ones.
   */
  readonly endpoints: string | readonly string[];
  /**
   * How logs, metrics and errors call this client.
   *
   * @default 'default'
   */
  readonly name?: string | undefined;
  /**
   * Milliseconds a call may take, retries and waiting for a connection included. Streams (watch, keep-alive) are not bound by it.
   *
   * @default 5_000
   * @remarks an integer from 1 to 2_147_483_647; the Go client has no default and leaves it to `context`.
   */
  readonly callTimeoutMs?: number | undefined;
  /**
   * Milliseconds one attempt to connect to one endpoint may take, TLS included. It does not bound a call: see `callTimeoutMs`.
   *
   * @default 2_000
   * @remarks an integer from 100 to 2_147_483_647; close to Go's `DialTimeout`.
   */
  readonly connectTimeoutMs?: number | undefined;
  /**
   * The longest pause, in milliseconds, between two attempts to connect to an endpoint. Pauses start near 100 ms, double, and are jittered.
   *
   * @default 2_000
   * @remarks an integer from 100 to 60_000; gRPC's own is 120 seconds.
   */
  readonly maxReconnectDelayMs?: number | undefined;
  /**
   * Milliseconds between two HTTP/2 pings on a connection with calls or streams in flight. Idle connections are not pinged.
   *
   * @default 6_000
   * @remarks an integer from 5_000 to 2_147_483_647: etcd closes connections that ping more often than every 5 seconds. Go: `DialKeepAliveTime`.
   */
  readonly keepAliveTimeMs?: number | undefined;
  /**
   * Milliseconds to wait for the answer to a ping before the connection is given up.
   *
   * @default 3_000
   * @remarks an integer from 100 to 2_147_483_647. Go: `DialKeepAliveTimeout`.
   */
  readonly keepAliveTimeoutMs?: number | undefined;
  /**
   * The largest request, in bytes, that is sent. The server has its own limit (`--max-request-bytes`, 1.5 MiB unless changed).
   *
   * @default 2_097_152
   * @remarks an integer from 1_024 to 2_147_483_647. Go: `MaxCallSendMsgSize`.
   */
  readonly maxRequestBytes?: number | undefined;
  /**
   * The largest answer, in bytes, that is accepted. It guards the memory of this process; `kv.scan` reads any amount in pages.
   *
   * @default 67_108_864
   * @remarks an integer from 1_024 to 2_147_483_647. Go: `MaxCallRecvMsgSize`.
   */
  readonly maxResponseBytes?: number | undefined;
  /**
   * The most compares, and the most operations per branch, of one transaction. Raise it together with the server's `--max-txn-ops`.
   *
   * @default 128
   * @remarks an integer from 1 to 2_147_483_647.
   */
  readonly maxTxnOperations?: number | undefined;
  /**
   * Sends the gets and small ranges that are asked for in one turn of the event loop as one read-only transaction, which
   * costs a fraction. Interceptors see the transaction. `false` sends each read by itself.
   *
   * @default true
   * @remarks up to 128 reads, or `maxTxnOperations`. A read that is alone is sent as it is. Go has nothing like it.
   */
  readonly coalesceReads?: boolean | undefined;
  /**
   * The most calls that may be under way while no endpoint, or no token, can be had for another one: that one is refused at
   * once with `EtcdOverloadedError`. It guards the memory of this process during an outage; calls that can be sent, and
   * streams, are not bound by it.
   *
   * @default 10_000
   * @remarks an integer from 1 to 2_147_483_647. The Go client has none.
   */
  readonly maxPendingCalls?: number | undefined;
  /**
   * Milliseconds between two looks at the cluster's member list, which then replaces the endpoints; 0 for never.
   *
   * @default 0
   * @remarks an integer from 1_000 to 2_147_483_647, or 0. Go: `AutoSyncInterval`.
   */
  readonly autoSyncIntervalMs?: number | undefined;
  /**
   * Makes `ready()` fail when a member runs a release older than 3.4.
   *
   * @default false
   * @remarks Go: `RejectOldCluster`, which also fails when a member cannot be reached; this does not.
   */
  readonly rejectOldCluster?: boolean | undefined;
  /**
   * Refuses every endpoint without TLS that is not on this machine, wherever it comes from: the options, `setEndpoints`,
   * the member list, a single call. Without it, credentials that go over a network in the clear are told once, as the event
   * `credentials-in-the-clear` of `status()`.
   *
   * @default false
   */
  readonly requireTls?: boolean | undefined;
  /**
   * What carries calls to the members. Nothing but speed depends on it: take `'grpc-js'` where a proxy and `'http2'` do not
   * get on, and please report it.
   *
   * @default 'http2'
   */
  readonly transport?: EtcdTransport | undefined;
  /** Certificates for TLS. Not allowed together with an `http://` endpoint. */
  readonly tls?: EtcdTlsOptions | undefined;
  /** User and password, or a token provider. */
  readonly auth?: EtcdAuthOptions | undefined;
}

/** The options as the client uses them: complete, checked, frozen. */
export interface ResolvedOptions {
  readonly endpoints: readonly Endpoint[];
  readonly name: string;
  readonly callTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly maxReconnectDelayMs: number;
  readonly keepAliveTimeMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly maxRequestBytes: number;
  readonly maxResponseBytes: number;
  readonly maxTxnOperations: number;
  readonly coalesceReads: boolean;
  readonly maxPendingCalls: number;
  readonly autoSyncIntervalMs: number;
  readonly rejectOldCluster: boolean;
  readonly requireTls: boolean;
  readonly transport: EtcdTransport;
  readonly tls: EtcdTlsOptions | undefined;
  readonly auth: EtcdAuthOptions | undefined;
}

const LONGEST = 2 ** 31 - 1;

/** Default, smallest and largest value of each numeric option. */
const NUMBERS = {
  callTimeoutMs: [5_000, 1, LONGEST],
  connectTimeoutMs: [2_000, 100, LONGEST],
  maxReconnectDelayMs: [2_000, 100, 60_000],
  keepAliveTimeMs: [6_000, 5_000, LONGEST],
  keepAliveTimeoutMs: [3_000, 100, LONGEST],
  maxRequestBytes: [2 * 1024 * 1024, 1_024, LONGEST],
  maxResponseBytes: [64 * 1024 * 1024, 1_024, LONGEST],
  maxTxnOperations: [128, 1, LONGEST],
  maxPendingCalls: [10_000, 1, LONGEST],
} as const satisfies Record<string, readonly [number, number, number]>;

type NumericOption = keyof typeof NUMBERS;

const KNOWN: ReadonlySet<string> = new Set([
  ...Object.keys(NUMBERS),
  'endpoints',
  'name',
  'coalesceReads',
  'autoSyncIntervalMs',
  'rejectOldCluster',
  'requireTls',
  'transport',
  'tls',
  'auth',
  'interceptors',
]);

/**
 * Fills in defaults and refuses what cannot work. The only reader of raw options.
 *
 * @throws {EtcdConfigError} with the option, the rule and the value; secrets are never repeated.
 */
export function resolveOptions(given: EtcdConnectionOptions): ResolvedOptions {
  const options = ownProperties('options', given);
  refuseUnknown('', options, KNOWN);
  const endpoints = resolveEndpoints(options.endpoints);
  const tls = resolveTls(options.tls);
  const requireTls = resolveFlag('requireTls', options.requireTls, false);
  refusePlaintext(endpoints, { tls, requireTls });
  requireInterceptors('interceptors' in options ? options.interceptors : undefined);
  const numbers = Object.fromEntries(
    (Object.keys(NUMBERS) as NumericOption[]).map((option) => [option, resolveNumber(option, options[option])]),
  ) as Record<NumericOption, number>;
  return Object.freeze({
    ...numbers,
    endpoints,
    tls,
    requireTls,
    name: resolveName(options.name),
    auth: resolveAuth(options.auth),
    coalesceReads: resolveFlag('coalesceReads', options.coalesceReads, true),
    autoSyncIntervalMs: resolveSyncInterval(options.autoSyncIntervalMs),
    rejectOldCluster: resolveFlag('rejectOldCluster', options.rejectOldCluster, false),
    transport: resolveTransport(options.transport),
  });
}

/**
 * Checks a list of endpoints, as given to the client or to `setEndpoints`.
 *
 * @throws {EtcdConfigError} when it is empty or one of them cannot be read.
 */
export function resolveEndpoints(input: unknown): readonly Endpoint[] {
  const list: readonly unknown[] = Array.isArray(input) ? input : [input];
  if (input === undefined || list.length === 0) {
    throw new EtcdConfigError('endpoints', 'must name at least one endpoint, for example http://127.0.0.1:2379');
  }
  const unique = new Map<string, Endpoint>();
  list.forEach((item, index) => {
    const endpoint = parseEndpoint(item, Array.isArray(input) ? `endpoints[${index}]` : 'endpoints');
    unique.set(`${endpoint.security} ${endpoint.address}`, endpoint);
  });
  return Object.freeze([...unique.values()]);
}

/** Whether what is sent to this endpoint goes over a network without TLS. */
export function isInTheClear(endpoint: Endpoint, tls: EtcdTlsOptions | undefined): boolean {
  return !usesTls(endpoint, tls) && !isOnThisMachine(endpoint);
}

/** Whether the connection to this endpoint is one of TLS. */
export function usesTls({ security }: Endpoint, tls: EtcdTlsOptions | undefined): boolean {
  return security === 'tls' || (security === 'as-configured' && tls !== undefined);
}

/** What the options say of endpoints without TLS. */
export type TlsRule = Pick<ResolvedOptions, 'tls' | 'requireTls'>;

/**
 * Refuses endpoints that would send in the clear what the options promise to protect.
 *
 * @throws {EtcdConfigError} when TLS options are given and an endpoint says `http://`; with `requireTls`, when one that is
 *   not on this machine is without TLS.
 */
export function refusePlaintext(endpoints: readonly Endpoint[], { tls, requireTls }: TlsRule): void {
  const plaintext = endpoints.find(({ security }) => security === 'plaintext');
  if (tls !== undefined && plaintext !== undefined) {
    const rule = `cannot be combined with the plaintext endpoint ${plaintext.text}; write it as https://`;
    throw new EtcdConfigError('tls', rule);
  }
  const clear = requireTls ? endpoints.find((endpoint) => isInTheClear(endpoint, tls)) : undefined;
  if (clear !== undefined) {
    throw new EtcdConfigError(
      'requireTls',
      `forbids the endpoint ${clear.text}, which is without TLS; write it as https://`,
    );
  }
}

/**
 * Checks a number of milliseconds given for one call.
 *
 * @throws {EtcdInvalidArgumentError} when it is not an integer from 1 to 2_147_483_647.
 */
export function requireTimeout(argument: string, value: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= LONGEST) return value;
  throw new EtcdInvalidArgumentError(argument, `must be an integer from 1 to ${LONGEST}`, value);
}

function resolveNumber(option: NumericOption, value: unknown): number {
  const [defaultValue, min, max] = NUMBERS[option];
  return value === undefined ? defaultValue : requireInteger(option, value, min, max);
}

function requireInteger(option: string, value: unknown, min: number, max: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
  throw new EtcdConfigError(option, `must be an integer from ${min} to ${max}`, value ?? String(value));
}

function resolveSyncInterval(value: number | undefined): number {
  return value === undefined || value === 0 ? 0 : requireInteger('autoSyncIntervalMs', value, 1_000, LONGEST);
}

function resolveFlag(option: string, value: unknown, byDefault: boolean): boolean {
  if (value === undefined || typeof value === 'boolean') return value ?? byDefault;
  throw new EtcdConfigError(option, 'must be true or false', value);
}

function resolveTransport(value: unknown): EtcdTransport {
  if (value === undefined) return 'http2';
  if (value === 'http2' || value === 'grpc-js') return value;
  throw new EtcdConfigError('transport', "must be 'http2' or 'grpc-js'", value);
}

function resolveName(name: unknown): string {
  if (name === undefined) return 'default';
  if (typeof name === 'string' && name !== '') return name;
  throw new EtcdConfigError('name', 'must be a non-empty string', name);
}

const TLS_OPTIONS: ReadonlySet<string> = new Set(['ca', 'cert', 'key', 'serverName']);

function resolveTls(given: EtcdTlsOptions | undefined): EtcdTlsOptions | undefined {
  if (given === undefined) return undefined;
  const tls = ownProperties('tls', given);
  refuseUnknown('tls.', tls, TLS_OPTIONS);
  for (const option of ['ca', 'cert', 'key'] as const) requirePem(`tls.${option}`, tls[option]);
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    const missing = tls.cert === undefined ? 'cert' : 'key';
    throw new EtcdConfigError(`tls.${missing}`, 'must be given: a client certificate needs both tls.cert and tls.key');
  }
  const { serverName } = tls;
  if (serverName !== undefined && (typeof serverName !== 'string' || serverName === '')) {
    throw new EtcdConfigError('tls.serverName', 'must be a non-empty string', serverName);
  }
  return Object.freeze(hide(tls, 'key'));
}

function requirePem(option: string, value: unknown): void {
  if (value === undefined || value instanceof Uint8Array || (typeof value === 'string' && value.trim() !== '')) return;
  throw new EtcdConfigError(option, 'must be PEM text, the path of a PEM file, or bytes');
}

function resolveAuth(given: EtcdAuthOptions | undefined): EtcdAuthOptions | undefined {
  if (given === undefined) return undefined;
  const auth = ownProperties('auth', given);
  if ('token' in auth) {
    refuseUnknown('auth.', auth, new Set(['token']), 'cannot be combined with auth.token');
    if (typeof auth.token !== 'function')
      throw new EtcdConfigError('auth.token', 'must be a function that returns a token');
    return Object.freeze(auth);
  }
  refuseUnknown('auth.', auth, new Set(['username', 'password']));
  requireSecret('auth.username', auth.username);
  requireSecret('auth.password', auth.password);
  return Object.freeze(hide(auth, 'password'));
}

function requireSecret(option: string, value: unknown): void {
  if (typeof value !== 'string' || value === '') throw new EtcdConfigError(option, 'must be a non-empty string');
}

function requireInterceptors(value: unknown): void {
  const isList = Array.isArray(value) && value.every((item) => typeof item === 'object' && item !== null);
  if (value === undefined || isList) return;
  throw new EtcdConfigError('interceptors', 'must be an array of objects');
}

/**
 * A copy that inherits nothing, so that a polluted `Object.prototype` sets no option. What was given instead of an object
 * is not repeated in the error: it may be `user:password`, or a key.
 */
function ownProperties<T extends object>(option: string, given: T): T {
  const isObject = typeof given === 'object' && (given as T | null) !== null && !Array.isArray(given);
  if (isObject) return Object.assign(Object.create(null) as object, given);
  const kind = (given as T | null) === null ? 'null' : Array.isArray(given) ? 'array' : typeof given;
  throw new EtcdConfigError(option, `must be an object, not ${kind}`);
}

/** Keeps a secret out of `util.inspect`, `JSON.stringify` and copies; code that asks for it by name still gets it. */
function hide<T extends object>(options: T, secret: string): T {
  return secret in options ? Object.defineProperty(options, secret, { enumerable: false }) : options;
}

function refuseUnknown(path: string, given: object, known: ReadonlySet<string>, rule?: string): void {
  for (const option of Object.keys(given)) {
    if (known.has(option)) continue;
    throw new EtcdConfigError(`${path}${option}`, rule ?? `is not an option${suggestion(option, known)}`);
  }
}
