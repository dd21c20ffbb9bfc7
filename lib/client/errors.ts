/** The errors this client makes itself, and the base of them all. */

/**
 * What is known of a write that failed: `'not-applied'` is proof that the store did not change by it; `'unknown'`
 * means it may have been applied, or may still be.
 */
export type WriteOutcome = 'not-applied' | 'unknown';

/** Facts of the call that failed. All optional: some errors are made before there is a call. */
export interface ErrorContext {
  /** The RPC, as `Service.Method`, for example `KV.Put`. */
  readonly method?: string | undefined;
  /** The endpoint of the last attempt. */
  readonly endpoint?: string | undefined;
  /** How often the request was tried. */
  readonly attempts?: number | undefined;
  /** The gRPC status code of the answer, as it came over the wire. */
  readonly grpcCode?: number | undefined;
  /** For writes: whether the write may have been applied. */
  readonly outcome?: WriteOutcome | undefined;
  readonly cause?: unknown;
}

const OUTCOME_TEXT: Record<WriteOutcome, string> = {
  'not-applied': 'nothing was applied',
  unknown: 'the write may have been applied, now or later',
};

function describeContext({ endpoint, attempts, outcome }: ErrorContext): string {
  const facts: string[] = [];
  if (endpoint !== undefined) facts.push(`endpoint ${endpoint}`);
  if (attempts !== undefined && attempts > 1) facts.push(`${attempts} attempts`);
  if (outcome !== undefined) facts.push(OUTCOME_TEXT[outcome]);
  return facts.length === 0 ? '' : ` (${facts.join('; ')})`;
}

/**
 * Every error this client throws. Switch on `code`: messages may change, codes may not.
 *
 * The message begins with the RPC, and ends with the endpoint, the number of attempts and, for a write, its outcome.
 */
export abstract class EtcdError extends Error {
  /** Stable name of the kind of failure, one per class, for example `ETCD_COMPACTED`. */
  abstract readonly code: string;
  /** The RPC that failed, as `Service.Method`. */
  readonly method: string | undefined;
  /** The endpoint of the last attempt. */
  readonly endpoint: string | undefined;
  /** How often the request was tried; 0 when nothing was sent. */
  readonly attempts: number;
  /** The gRPC status code of the server's answer, when there was one. */
  readonly grpcCode: number | undefined;
  /**
   * For writes: whether the write may have been applied. `undefined` for reads. What is refused before it is known which
   * call it is for, such as an argument, says `'not-applied'` in any case: nothing was sent.
   */
  readonly outcome: WriteOutcome | undefined;

  constructor(message: string, context: ErrorContext = {}) {
    const prefix = context.method === undefined ? '' : `${context.method}: `;
    super(
      `${prefix}${message}${describeContext(context)}`,
      context.cause === undefined ? {} : { cause: context.cause },
    );
    this.name = new.target.name;
    this.method = context.method;
    this.endpoint = context.endpoint;
    this.attempts = context.attempts ?? 0;
    this.grpcCode = context.grpcCode;
    this.outcome = context.outcome;
  }
}

const SHOWN_CHARACTERS = 64;

/** A short, safe picture of a refused value: never more than 64 characters, never the content of bytes. */
export function describeValue(value: unknown): string {
  if (value instanceof Uint8Array) return `${value.byteLength} bytes`;
  if (typeof value === 'function') return 'a function';
  const text = typeof value === 'string' ? JSON.stringify(value.slice(0, SHOWN_CHARACTERS)) : describeNonString(value);
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
}

function describeNonString(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value !== 'object' || value === null) return String(value);
  return Array.isArray(value) ? `an array of ${value.length}` : 'an object';
}

/** An option of the client is missing, contradictory or out of range. Thrown while the client is made, before any I/O. */
export class EtcdConfigError extends EtcdError {
  readonly code = 'ETCD_CONFIG';

  /**
   * @param option the option's name, for example `callTimeoutMs` or `endpoints[1]`.
   * @param rule what it has to be, for example `must be an integer from 1 to 2147483647`.
   * @param value what it was; secrets are to be masked by the caller. Left out of the message when `undefined` is passed.
   */
  constructor(
    readonly option: string,
    readonly rule: string,
    value?: unknown,
  ) {
    super(`option ${option} ${rule}${value === undefined ? '' : `, but is ${describeValue(value)}`}`);
  }
}

/** An argument of a call cannot be sent. Nothing left the process. */
export class EtcdInvalidArgumentError extends EtcdError {
  readonly code = 'ETCD_INVALID_ARGUMENT';
  // Hard private: it may be a secret, which no picture of the error may show.
  readonly #value: unknown;

  /**
   * @param argument the argument's name, for example `limit` or `revision`.
   * @param rule what it has to be, for example `must be a whole number from 0 to 9007199254740991`.
   * @param value what it was.
   */
  constructor(
    readonly argument: string,
    readonly rule: string,
    value?: unknown,
    context: ErrorContext = {},
  ) {
    const shown = value === undefined ? '' : `, but is ${describeValue(value)}`;
    super(`argument ${argument} ${rule}${shown}`, { outcome: 'not-applied', ...context });
    this.#value = value;
  }

  /** @internal The same, once it is known for which call. */
  inCall(context: ErrorContext): EtcdInvalidArgumentError {
    return new EtcdInvalidArgumentError(this.argument, this.rule, this.#value, { cause: this.cause, ...context });
  }
}

/** Why one endpoint could not be used. */
export interface EndpointFailure {
  readonly endpoint: string;
  /** What the last try to use it ended with, for example `connect ECONNREFUSED 127.0.0.1:2379`. */
  readonly reason: string;
}

/** Names each endpoint with its reason, for messages. */
export function describeFailures(failures: readonly EndpointFailure[]): string {
  return failures.map(({ endpoint, reason }) => `${endpoint}: ${reason}`).join('; ');
}

/**
 * No endpoint could be used, or the connection broke while the call ran. For a write, `outcome` says whether the
 * request may have reached the store.
 */
export class EtcdUnavailableError extends EtcdError {
  readonly code = 'ETCD_UNAVAILABLE';

  /** @param endpoints each endpoint that was tried and why it failed; empty when a running call lost its connection. */
  constructor(
    message: string,
    readonly endpoints: readonly EndpointFailure[] = [],
    context: ErrorContext = {},
  ) {
    super(message, context);
  }
}

/** The call did not finish in its time (`timeoutMs`, or the client's `callTimeoutMs`); the message says what it was waiting for. */
export class EtcdDeadlineExceededError extends EtcdError {
  readonly code = 'ETCD_DEADLINE_EXCEEDED';

  /**
   * @param timeoutMs the time the call had.
   * @param waitingFor what the last attempt saw or was waiting for, with each endpoint's reason.
   */
  constructor(
    readonly timeoutMs: number,
    readonly waitingFor: string,
    readonly endpoints: readonly EndpointFailure[] = [],
    context: ErrorContext = {},
  ) {
    super(`no result within ${timeoutMs} ms: ${waitingFor}`, context);
  }
}

/** The caller's `signal` ended the call; `cause` is the signal's reason. */
export class EtcdAbortedError extends EtcdError {
  readonly code = 'ETCD_ABORTED';

  constructor(context: ErrorContext = {}, message = 'the call was aborted by its signal') {
    super(message, context);
  }
}

/** The client was closed before or during the call. */
export class EtcdClosedError extends EtcdError {
  readonly code = 'ETCD_CLOSED';

  constructor(context: ErrorContext = {}) {
    super('the client is closed', context);
  }
}

/**
 * No endpoint, or no token, could be had for the call, and as many calls as `maxPendingCalls` allows were under way
 * already. Nothing was sent; `endpoints` names each endpoint that cannot be used with its reason.
 */
export class EtcdOverloadedError extends EtcdError {
  readonly code = 'ETCD_OVERLOADED';

  /** @param limit the option `maxPendingCalls`. */
  constructor(
    readonly limit: number,
    readonly endpoints: readonly EndpointFailure[] = [],
    context: ErrorContext = {},
  ) {
    const reasons = endpoints.length === 0 ? '' : `: ${describeFailures(endpoints)}`;
    super(`${limit} calls are under way already, the most that may wait (maxPendingCalls)${reasons}`, context);
  }
}

/** The server's answer breaks the protocol, or holds a number that JavaScript cannot represent exactly. */
export class EtcdProtocolError extends EtcdError {
  readonly code = 'ETCD_PROTOCOL';
}

/** The server does not know this RPC, field or option; `since` is the first etcd release that does, where it is known. */
export class EtcdUnsupportedError extends EtcdError {
  readonly code = 'ETCD_UNSUPPORTED';

  constructor(
    what: string,
    readonly since: string | undefined,
    context: ErrorContext = {},
  ) {
    super(
      `${what} is not supported by this server${since === undefined ? '' : `; it needs etcd ${since} or newer`}`,
      context,
    );
  }
}

/** A request or an answer is larger than a limit; raise the named option, or move less at once. */
export class EtcdMessageTooLargeError extends EtcdError {
  readonly code = 'ETCD_MESSAGE_TOO_LARGE';

  /**
   * @param what `'request'` or `'response'`.
   * @param limitBytes the limit that was passed, `undefined` when it is the server's own and unknown here.
   */
  constructor(
    readonly what: 'request' | 'response',
    readonly limitBytes: number | undefined,
    detail: string,
    context: ErrorContext = {},
  ) {
    super(`the ${what} is too large: ${detail}`, context);
  }
}

/** A transaction has more operations than allowed. */
export class EtcdTooManyOperationsError extends EtcdError {
  readonly code = 'ETCD_TOO_MANY_OPERATIONS';

  /** @param limit the largest number of compares, `then` or `else` operations; etcd's `--max-txn-ops`, 128 by default. */
  constructor(
    readonly limit: number | undefined,
    detail: string,
    context: ErrorContext = {},
  ) {
    super(`too many operations in one transaction: ${detail}`, { outcome: 'not-applied', ...context });
  }
}

/** A transaction writes one key twice in the same branch, which etcd refuses. */
export class EtcdDuplicateKeyError extends EtcdError {
  readonly code = 'ETCD_DUPLICATE_KEY';

  /** @param key the key as text, when it is known here. */
  constructor(
    readonly key: string | undefined,
    context: ErrorContext = {},
  ) {
    const shown = key === undefined ? '' : ` (${describeValue(key)})`;
    super(`a key is written twice in one branch of the transaction${shown}`, { outcome: 'not-applied', ...context });
  }
}

/** An `update` with a function lost against other writers as often as it was allowed to try. */
export class EtcdConflictError extends EtcdError {
  readonly code = 'ETCD_CONFLICT';

  constructor(
    readonly key: string,
    tries: number,
    context: ErrorContext = {},
  ) {
    super(`key ${describeValue(key)} was changed by others ${tries} times in a row`, {
      outcome: 'not-applied',
      ...context,
    });
  }
}

/**
 * The history that a watch was reading is gone: the store went back to an older revision, as after a restore from a
 * backup, or another cluster answers at the same endpoints. What was read before may not be true any more: read the
 * range again, and watch from there.
 */
export class EtcdHistoryLostError extends EtcdError {
  readonly code = 'ETCD_HISTORY_LOST';

  /**
   * @param reason `'revision-went-back'`, or `'other-cluster'`.
   * @param seenRevision the highest revision of the store that was seen before.
   * @param currentRevision the revision of the store that answers now.
   */
  constructor(
    readonly reason: 'revision-went-back' | 'other-cluster',
    readonly seenRevision: number,
    readonly currentRevision: number,
    context: ErrorContext = {},
  ) {
    const what =
      reason === 'other-cluster'
        ? `another cluster answers, at revision ${currentRevision} where ${seenRevision} was seen.`
        : `the store went back to revision ${currentRevision} after ${seenRevision} was seen; was it restored from a backup?`;
    super(`${what} What was read before may not be true any more: read the range again and watch from there`, context);
  }
}

/** A value was read as JSON and is none. The message names the key; the value is not repeated, since it may be a secret. */
export class EtcdInvalidJsonError extends EtcdError {
  readonly code = 'ETCD_INVALID_JSON';

  /**
   * @param key the key as text.
   * @param modRevision the revision at which the value was written.
   */
  constructor(
    readonly key: string,
    readonly modRevision: number,
  ) {
    super(`the value of key ${describeValue(key)} at revision ${modRevision} is not JSON`);
  }
}
