/** What a put may ask for, and how that goes over the wire. */
import { EtcdInvalidArgumentError } from '../errors.js';
import { keyBytes, toBytes, type Key, type Value } from '../key-range.js';
import type * as wire from '../rpc/generated/messages.js';
import { optionalLease, refuseTogether } from './arguments.js';

/** Attaches the key to a lease, or keeps the lease it has; without either the key ends up with none. */
export type PutLease =
  | {
      /**
       * The ID of the lease that takes the key with it when it ends, in hex as `etcdctl` prints it.
       *
       * @default none: a lease the key had is detached
       * @remarks Go: `WithLease`.
       */
      readonly lease?: string | undefined;
      readonly ignoreLease?: false | undefined;
    }
  | {
      readonly lease?: undefined;
      /** Keeps the lease the key has. The key has to exist. Go: `WithIgnoreLease`. */
      readonly ignoreLease: true;
    };

/** What a put does beside writing. */
type PutDetails = PutLease & {
  /**
   * Returns the key as it was before.
   *
   * @default false
   * @remarks Go: `WithPrevKV`.
   */
  readonly prevKv?: boolean | undefined;
};

/** A put of a new value. */
export type PutValueDetails = PutDetails & { readonly ignoreValue?: false | undefined };

/** A put that keeps the value the key has, and changes its lease. */
export type PutKeepDetails = PutDetails & {
  /** Keeps the value the key has. The key has to exist. Go: `WithIgnoreValue`. */
  readonly ignoreValue: true;
};

/** What follows the key in the two forms of put: a value and perhaps details, or details that keep the value. */
export type PutArguments<Extra = unknown> =
  readonly [value: Value, details?: (PutValueDetails & Extra) | undefined] | readonly [details: PutKeepDetails & Extra];

/** Details as a caller without types may give them. */
interface UncheckedDetails {
  readonly lease?: string | undefined;
  readonly prevKv?: boolean | undefined;
  readonly ignoreValue?: boolean | undefined;
  readonly ignoreLease?: boolean | undefined;
}

/** The details, wherever they stand. */
export function putDetailsOf<Extra>([valueOrDetails, details]: PutArguments<Extra>):
  ((PutValueDetails | PutKeepDetails) & Extra) | undefined {
  return isKeepDetails(valueOrDetails) ? valueOrDetails : details;
}

/**
 * The request for a put.
 *
 * @throws {EtcdInvalidArgumentError} when the key is empty, the value is neither text nor bytes, or options contradict each other.
 */
export function toPutRequest(key: Key, args: PutArguments): wire.PutRequest {
  const [valueOrDetails] = args;
  const details: UncheckedDetails | undefined = putDetailsOf(args);
  const keepsValue = isKeepDetails(valueOrDetails);
  refuseTogether('value', !keepsValue && details?.ignoreValue === true, 'ignoreValue');
  refuseTogether('lease', details?.ignoreLease === true && details.lease !== undefined, 'ignoreLease');
  return {
    key: keyBytes(key),
    value: keepsValue ? undefined : toBytes(valueOrDetails, 'value'),
    lease: optionalLease('lease', details?.lease),
    prevKv: details?.prevKv,
    ignoreValue: keepsValue || undefined,
    ignoreLease: details?.ignoreLease,
  };
}

function isKeepDetails(input: unknown): input is PutKeepDetails {
  if (typeof input !== 'object' || input === null || input instanceof Uint8Array) return false;
  if ((input as Partial<PutKeepDetails>).ignoreValue === true) return true;
  throw new EtcdInvalidArgumentError(
    'value',
    'must be a string or a Uint8Array, or be left out with { ignoreValue: true }',
    input,
  );
}
