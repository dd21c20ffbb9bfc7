/**
 * etcd's own JSON gateway: lets a test write to the store and see it without the client under test.
 * Keys and values are text here; what is binary goes and comes as a Buffer.
 */
import { createInterface } from 'node:readline';
import { ask, open, type CallerIdentity } from './http.js';

const EVERY_KEY = Buffer.from([0]);
const HISTORY_TIMEOUT_MS = 60_000;
const STALE_TOKEN = /invalid auth token|revision of auth store is old|user name is empty/;

/** A request that the gateway refused. */
export class GatewayError extends Error {
  constructor(
    readonly path: string,
    readonly status: number,
    readonly grpcCode: number | undefined,
    message: string,
  ) {
    super(`${path}: ${message}`);
  }
}

export interface StoredKey {
  readonly key: string;
  readonly value: string;
  readonly keyBytes: Buffer;
  readonly valueBytes: Buffer;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  /** Lowercase hex, as `etcdctl` prints it; `undefined` without a lease. */
  readonly lease: string | undefined;
}

export interface StoredEvent {
  readonly type: 'put' | 'delete';
  readonly kv: StoredKey;
}

export interface GatewayOptions {
  /** Where to ask, best first; the next one is asked when a connection is refused. */
  readonly endpoints: () => readonly string[];
  readonly identity?: CallerIdentity | undefined;
  /** Credentials, once authentication is on. */
  readonly user?: () => { readonly name: string; readonly password: string } | undefined;
  /** A token to show instead of one that the credentials are good for. */
  readonly token?: string;
}

type Json = Readonly<Record<string, unknown>>;

export class Gateway {
  private token: string | undefined;

  constructor(private readonly options: GatewayOptions) {}

  /** @returns the revision of this write. */
  async put(key: string | Buffer, value: string | Buffer, options: { lease?: string } = {}): Promise<number> {
    const lease = options.lease === undefined ? {} : { lease: BigInt(`0x${options.lease}`).toString() };
    const answer = await this.call('/v3/kv/put', { key: base64(key), value: base64(value), ...lease });
    return headerRevision(answer);
  }

  async get(key: string | Buffer): Promise<StoredKey | undefined> {
    const [first] = await this.range({ key: base64(key) });
    return first;
  }

  /** @returns every key that starts with `prefix`, in key order; the empty prefix means all keys. */
  getPrefix(prefix: string | Buffer): Promise<StoredKey[]> {
    return this.range(rangeOf(prefix));
  }

  /** @returns how many keys were deleted. */
  async delete(key: string | Buffer): Promise<number> {
    const answer = await this.call('/v3/kv/deleterange', { key: base64(key) });
    return toNumber(answer['deleted']);
  }

  /** @returns how many keys were deleted. */
  async deletePrefix(prefix: string | Buffer): Promise<number> {
    const answer = await this.call('/v3/kv/deleterange', rangeOf(prefix));
    return toNumber(answer['deleted']);
  }

  /** Forgets the history before `revision`; with `physical`, returns only when it is gone from the disk. */
  async compact(revision: number, options: { physical?: boolean } = {}): Promise<void> {
    await this.call('/v3/kv/compaction', { revision, physical: options.physical ?? true });
  }

  /** @returns the store's current revision; 1 for an empty store. */
  async revision(): Promise<number> {
    return headerRevision(await this.call('/v3/kv/range', { key: base64('\0'), limit: 1, keys_only: true }));
  }

  /** @returns the lease's ID in lowercase hex. */
  async grantLease(ttlSeconds: number): Promise<string> {
    const answer = await this.call('/v3/lease/grant', { TTL: ttlSeconds, ID: 0 });
    return hexId(answer['ID'])!;
  }

  async revokeLease(id: string): Promise<void> {
    await this.call('/v3/lease/revoke', { ID: BigInt(`0x${id}`).toString() });
  }

  /** @returns the IDs of all living leases, in lowercase hex. */
  async leases(): Promise<string[]> {
    const answer = await this.call('/v3/lease/leases', {});
    return listOf(answer['leases']).map((lease) => hexId(lease['ID'])!);
  }

  /**
   * Every change to keys under `prefix` up to the present, in order: the truth to compare a client's view with.
   *
   * @param fromRevision the first revision of interest; must not be compacted.
   */
  async history(prefix: string | Buffer = '', fromRevision = 1): Promise<StoredEvent[]> {
    const lastRevision = await this.revision();
    const start = Buffer.from(prefix);
    const events: StoredEvent[] = [];
    if (lastRevision < Math.max(fromRevision, 2)) return events; // revision 1 is the empty store: nothing happened
    for await (const event of this.eventsUntil(fromRevision, lastRevision)) {
      if (event.kv.keyBytes.subarray(0, start.length).equals(start)) events.push(event);
    }
    return events;
  }

  /**
   * Sends any request of the API, such as `call('/v3/maintenance/status', {})`.
   *
   * @throws {GatewayError} when etcd refuses it.
   */
  async call(path: string, body: Json): Promise<Json> {
    try {
      return await this.send(path, body);
    } catch (error) {
      if (!this.isStaleToken(error)) throw error;
      this.token = undefined;
      return this.send(path, body);
    }
  }

  private async send(path: string, body: Json): Promise<Json> {
    const token = await this.tokenFor(path);
    const headers = token === undefined ? {} : { authorization: token };
    const { identity } = this.options;
    const answer = await this.onAnyEndpoint((endpoint) =>
      ask(`${endpoint}${path}`, { method: 'POST', body: JSON.stringify(body), headers, identity, timeoutMs: 10_000 }),
    );
    return parse(path, answer.status, answer.body);
  }

  /**
   * Watches all keys rather than the prefix: each revision changes some key, so the event that carries the last
   * revision is sure to come, and with it the certainty that nothing is missing.
   */
  private async *eventsUntil(fromRevision: number, lastRevision: number): AsyncGenerator<StoredEvent> {
    const path = '/v3/watch';
    const all = base64(EVERY_KEY);
    const body = JSON.stringify({ create_request: { key: all, range_end: all, start_revision: fromRevision } });
    const token = await this.tokenFor(path);
    const headers = token === undefined ? {} : { authorization: token };
    const { identity } = this.options;
    const answer = await this.onAnyEndpoint((endpoint) =>
      open(`${endpoint}${path}`, { method: 'POST', body, headers, identity, timeoutMs: HISTORY_TIMEOUT_MS }),
    );
    try {
      for await (const line of createInterface({ input: answer })) {
        const events = watchEvents(path, answer.statusCode ?? 0, line);
        yield* events.filter(({ kv }) => kv.modRevision <= lastRevision);
        if (events.some(({ kv }) => kv.modRevision >= lastRevision)) return;
      }
      throw new Error(`${path} ended before revision ${lastRevision}`);
    } finally {
      answer.destroy();
    }
  }

  private async onAnyEndpoint<T>(attempt: (endpoint: string) => Promise<T>): Promise<T> {
    const endpoints = this.options.endpoints();
    for (const endpoint of endpoints) {
      try {
        return await attempt(endpoint);
      } catch (error) {
        if (endpoint === endpoints.at(-1) || !isRefused(error)) throw error;
      }
    }
    throw new Error('no member is running');
  }

  private async tokenFor(path: string): Promise<string | undefined> {
    const user = this.options.user?.();
    if (this.options.token !== undefined) return this.options.token;
    if (!user || path === '/v3/auth/authenticate') return undefined;
    this.token ??= String((await this.send('/v3/auth/authenticate', { ...user }))['token']);
    return this.token;
  }

  private isStaleToken(error: unknown): boolean {
    return this.token !== undefined && error instanceof GatewayError && STALE_TOKEN.test(error.message);
  }

  private async range(body: Json): Promise<StoredKey[]> {
    const answer = await this.call('/v3/kv/range', body);
    return listOf(answer['kvs']).map(toStoredKey);
  }
}

function parse(path: string, status: number, text: string): Json {
  let answer: Json;
  try {
    answer = JSON.parse(text) as Json;
  } catch {
    throw new GatewayError(path, status, undefined, text.trim() || `HTTP ${status}`);
  }
  const failure = (answer['error'] ?? (status === 200 ? undefined : answer)) as Json | string | undefined;
  if (failure === undefined) return answer;
  const details = typeof failure === 'string' ? answer : failure;
  const code = (details['code'] ?? details['grpc_code']) as number | undefined;
  const reason = typeof failure === 'string' ? failure : String(failure['message']);
  throw new GatewayError(path, status, code, reason);
}

function watchEvents(path: string, status: number, line: string): StoredEvent[] {
  const result = parse(path, status, line)['result'] as Json;
  if (result['canceled'] === true) {
    throw new GatewayError(path, status, undefined, `canceled: ${JSON.stringify(result)}`);
  }
  return listOf(result['events']).map((event) => ({
    type: event['type'] === 'DELETE' ? 'delete' : 'put',
    kv: toStoredKey(event['kv'] as Json),
  }));
}

function toStoredKey(kv: Json): StoredKey {
  const keyBytes = Buffer.from(textOf(kv['key']), 'base64');
  const valueBytes = Buffer.from(textOf(kv['value']), 'base64');
  return {
    key: keyBytes.toString(),
    value: valueBytes.toString(),
    keyBytes,
    valueBytes,
    createRevision: toNumber(kv['create_revision']),
    modRevision: toNumber(kv['mod_revision']),
    version: toNumber(kv['version']),
    lease: hexId(kv['lease']),
  };
}

/** The gateway leaves out what is zero, and writes 64-bit numbers as text. */
function toNumber(value: unknown): number {
  const number = Number(value ?? 0);
  if (!Number.isSafeInteger(number)) throw new RangeError(`${String(value)} does not fit a number`);
  return number;
}

/** @returns an identifier as `etcdctl` prints it; `undefined` for zero, which means none. */
export function hexId(value: unknown): string | undefined {
  const id = BigInt(textOf(value) || '0');
  return id === 0n ? undefined : BigInt.asUintN(64, id).toString(16);
}

const headerRevision = (answer: Json): number => toNumber((answer['header'] as Json | undefined)?.['revision']);

const listOf = (value: unknown): Json[] => (value ?? []) as Json[];

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

const base64 = (data: string | Buffer): string => Buffer.from(data).toString('base64');

/** @returns the fields `key` and `range_end` for all keys that start with `prefix`; the empty one means all keys. */
export function rangeOf(prefix: string | Buffer): Json {
  const start = Buffer.from(prefix);
  if (start.length === 0) return { key: base64(EVERY_KEY), range_end: base64(EVERY_KEY) };
  return { key: base64(start), range_end: base64(prefixEnd(start)) };
}

/** The first key after all that start with `prefix`: its last byte below 0xff plus one, what follows cut off. */
function prefixEnd(prefix: Buffer): Buffer {
  const last = prefix.findLastIndex((byte) => byte < 0xff);
  if (last === -1) return EVERY_KEY;
  const end = Buffer.from(prefix.subarray(0, last + 1));
  end[last]! += 1;
  return end;
}

function isRefused(error: unknown): boolean {
  const cause = error instanceof Error ? (error.cause as NodeJS.ErrnoException | undefined) : undefined;
  return cause?.code === 'ECONNREFUSED';
}
