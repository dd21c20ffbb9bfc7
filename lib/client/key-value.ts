/** One key as it was at one revision, as reads, transactions and watches hand it over. */
import { inspect, type InspectOptions } from 'node:util';
import { EtcdInvalidJsonError } from './errors.js';

/** What a {@link KeyValue} is made of: the key as the wire carries it. */
export interface KeyValueData {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  /** `'0'` for none. */
  readonly lease: string;
}

/** The same under another key. */
export function withKey(data: KeyValueData, key: Uint8Array): KeyValueData {
  const { value, createRevision, modRevision, version, lease } = data;
  return { key, value, createRevision, modRevision, version, lease };
}

/** A {@link KeyValue} as JSON shows it. */
export interface KeyValueJson {
  readonly key: string;
  readonly value: string;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  readonly lease?: string | undefined;
}

const NO_LEASE = '0';

function decodeText(bytes: Uint8Array): string {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return buffer.toString('utf8');
}

/**
 * One key as it was at one revision of the store.
 *
 * The bytes are views of the received answer, not copies: do not write to them, and copy what you keep for long.
 */
export class KeyValue {
  /** The key's bytes, exactly as stored. */
  readonly keyBytes: Uint8Array;
  /** The value's bytes, exactly as stored; empty for an empty value, and where only keys were asked for. */
  readonly valueBytes: Uint8Array;
  /** The revision at which the key came into being, or came back after its last deletion. */
  readonly createRevision: number;
  /** The revision of the last change to the key: what `update` and `compare(key).modRevision` take. */
  readonly modRevision: number;
  /** How often the key was written since it was created; 1 after the first time. */
  readonly version: number;
  /** The ID of the lease that takes the key with it when it ends, in hex as `etcdctl` prints it; `undefined` for none. */
  readonly lease: string | undefined;
  // Real private members: what is cached must not make two equal keys look different, nor show in a log.
  #key: string | undefined;
  #value: string | undefined;

  /** @internal made by the services from what the server sent. */
  constructor(data: KeyValueData) {
    this.keyBytes = data.key;
    this.valueBytes = data.value;
    this.createRevision = data.createRevision;
    this.modRevision = data.modRevision;
    this.version = data.version;
    this.lease = data.lease === NO_LEASE ? undefined : data.lease;
  }

  /** The key as UTF-8 text. Bytes that are no UTF-8 show as U+FFFD: use `keyBytes` for binary keys. */
  get key(): string {
    return (this.#key ??= decodeText(this.keyBytes));
  }

  /** The value as UTF-8 text. Bytes that are no UTF-8 show as U+FFFD: use `valueBytes` for binary values. */
  get value(): string {
    return (this.#value ??= decodeText(this.valueBytes));
  }

  /**
   * The value read as JSON. Nothing checks that it has the shape of `T`.
   *
   * @throws {EtcdInvalidJsonError} when the value is not JSON.
   *
   * @example
   * const limits = (await etcd.kv.get('limits'))?.json<{ max: number }>();
   */
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller names the type: JSON carries none
  json<T = unknown>(): T {
    try {
      return JSON.parse(this.value) as T;
    } catch {
      // No cause: the message of a SyntaxError quotes the value.
      throw new EtcdInvalidJsonError(this.key, this.modRevision);
    }
  }

  /** What `JSON.stringify` shows: key and value as text, the revisions, and the lease if there is one. */
  toJSON(): KeyValueJson {
    return {
      key: this.key,
      value: this.value,
      createRevision: this.createRevision,
      modRevision: this.modRevision,
      version: this.version,
      lease: this.lease,
    };
  }

  /** What `console.log` shows: of the value its length only, since values may be long or secret. */
  [inspect.custom](_depth: number, options: InspectOptions, show: typeof inspect): string {
    const { valueBytes, createRevision, modRevision, version, lease } = this;
    const facts = { key: this.key, valueBytes: valueBytes.byteLength, createRevision, modRevision, version };
    return `KeyValue ${show(lease === undefined ? facts : { ...facts, lease }, options)}`;
  }
}
