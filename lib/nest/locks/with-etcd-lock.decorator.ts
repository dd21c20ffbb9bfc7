/** `@WithEtcdLock()`: runs a method under a lock. */
import { EtcdAbortedError, EtcdLockTimeoutError, type Leadership, type LockOptions } from '../../client/index.js';
import { choiceRule, isName, nameRule, optional, requireOptions, type OptionRule } from '../decorator-options.js';
import { addDecoration } from '../handlers/decorations.js';
import { injectService, requireService, type WantedService } from '../injected-service.js';
import { currentLeadershipIfAny, endOf } from '../leadership/current-leadership.js';
import { isTtlSeconds, isWaitMs, TTL_RULE, WAIT_RULE } from '../limits.js';
import { labelOf, wrapMethod, type AnyMethod, type AsyncMethod, type MaySkip } from '../wrapped-method.js';
import { underLock } from './current-lock.js';

/** Options of `@WithEtcdLock()`. */
export interface WithEtcdLockOptions {
  /**
   * How long the lock outlives its holder: after a crash it is free after this time.
   *
   * @default 30
   * @remarks whole seconds from 1 to 9_000_000_000; the server raises what is below its minimum, mostly 2.
   */
  readonly ttlSeconds?: number | undefined;
  /**
   * Milliseconds to wait for others; 0 for not at all.
   *
   * @default 0 with `onBusy: 'skip'`, else as long as it takes
   * @remarks a number from 0 to 2_147_483_647, or `Infinity`.
   */
  readonly waitMs?: number | undefined;
  /**
   * What becomes of the call when others have had the lock for longer than `waitMs`. `'throw'`: it rejects with
   * `EtcdLockTimeoutError`. `'skip'`: it resolves to `undefined`. Either way the method is not run.
   *
   * @default 'throw'
   */
  readonly onBusy?: 'throw' | 'skip' | undefined;
  /**
   * The name of the client, or of the namespace that `EtcdModule.forFeature` gave that name.
   *
   * @default 'default'
   */
  readonly client?: string | undefined;
}

/** The lock's name, or how it is made of the arguments of the call; their types have to be written. */
export type EtcdLockKey = string | ((...args: never[]) => string);

/** Holds when the key can be made of what the method is called with. */
type KeyFits<Key extends EtcdLockKey, Method extends AsyncMethod> = Key extends string
  ? unknown
  : Key extends (...args: Parameters<Method>) => string
    ? unknown
    : { readonly 'the key takes other arguments than the method': never };

/** A decorator of methods that return promises and take what the key is made of. */
export type EtcdLockDecorator<Key extends EtcdLockKey> = <Method extends AsyncMethod>(
  target: object,
  methodName: string | symbol,
  descriptor: TypedPropertyDescriptor<Method> & KeyFits<Key, Method>,
) => void;

/** The same for methods that may be skipped. */
export type EtcdSkippingLockDecorator<Key extends EtcdLockKey> = <Method extends AsyncMethod>(
  target: object,
  methodName: string | symbol,
  descriptor: TypedPropertyDescriptor<Method> & KeyFits<Key, Method> & MaySkip<Method>,
) => void;

/**
 * Runs a method of a provider or controller under a lock, however it is called: each call takes the lock, runs the method,
 * and releases the lock when its promise has settled. Calls in one process exclude each other, too.
 *
 * - Stands above or below `@Cron()`, `@OnEtcdWatch()`, `@LeaderOnly()`, guards and other decorators. Of several that put
 *   something around the method, the upper one is outside.
 * - In the method `currentLock()` is the lock: `signal` aborts when it is lost, or when the app ends; `guard` and
 *   `fencingToken` keep a late write from doing harm.
 * - If the lock is lost before the method has ended, the call rejects with `EtcdLockLostError` once it has, or with what
 *   the method threw: what it did may have overlapped with the next holder.
 * - At the end of the app, once HTTP has drained, the signal aborts, and the app waits for the method for the client's
 *   `shutdownTimeoutMs`. Calls that still wait for the lock then reject with `EtcdClosedError`, requests at the latest
 *   `shutdownTimeoutMs` after the app was told to end, since HTTP drains only when they have been answered.
 * - Within `@LeaderOnly()` the wait ends with the leadership: the call rejects with `EtcdLeadershipLostError`, and the
 *   method is not run.
 * - In a module with `EtcdModule.forFeature`, the lock is one of the namespace.
 * - Locks are not reentrant: a method that calls itself, or another with the same key, waits for itself.
 *
 * It is a lock, not a calendar: who comes after the lock was released runs the method, too. For a job that shall run once
 * per tick use `@LeaderOnly()`, or write down in etcd which ticks are done.
 *
 * @param key the lock's name, or a function of the method's arguments.
 * @throws {EtcdModuleError} at once, when an option cannot be.
 *
 * @example
 * @Cron('0 3 * * *')
 * @WithEtcdLock('locks/nightly', { ttlSeconds: 15, onBusy: 'skip' })
 * async nightly(): Promise<void> {
 *   const { signal, guard } = currentLock();
 *   …
 * }
 *
 * @example
 * @WithEtcdLock((order: Order) => `locks/orders/${order.id}`, { waitMs: 2_000 })
 * async pay(order: Order): Promise<Receipt> { … }
 */
export function WithEtcdLock<Key extends EtcdLockKey>(
  key: Key,
  options: WithEtcdLockOptions & { readonly onBusy: 'skip' },
): EtcdSkippingLockDecorator<Key>;
export function WithEtcdLock<Key extends EtcdLockKey>(
  key: Key,
  options?: WithEtcdLockOptions & { readonly onBusy?: 'throw' | undefined },
): EtcdLockDecorator<Key>;
export function WithEtcdLock(key: EtcdLockKey, options: WithEtcdLockOptions = {}): EtcdLockDecorator<EtcdLockKey> {
  return (target, methodName, descriptor) => {
    requireOptions(`@WithEtcdLock on ${labelOf(target, methodName)}`, rulesOf(key, options));
    const wanted = { service: 'EtcdLocks', client: options.client } as const;
    injectService(target, wanted);
    wrapMethod(descriptor, (method) => lockedMethod(method, String(methodName), key, options, wanted));
    addDecoration(descriptor.value as unknown as AnyMethod, LOCKED, wanted);
  };
}

/** Where the method says which service it needs. */
export const LOCKED = 'nest-etcd:with-lock';

function lockedMethod(
  method: AnyMethod,
  methodName: string,
  key: EtcdLockKey,
  options: WithEtcdLockOptions,
  wanted: WantedService<'EtcdLocks'>,
): AnyMethod {
  const { onBusy = 'throw' } = options;
  return async function (...args) {
    const locks = requireService(this, `@WithEtcdLock on ${this.constructor.name}@${methodName}`, wanted);
    const name = typeof key === 'string' ? key : key(...(args as never[]));
    const leadership = currentLeadershipIfAny();
    const call = { hasBegun: false };
    try {
      return await locks.lock(name, lockOptions(options, leadership), (lock) => {
        call.hasBegun = true;
        return underLock(lock, () => method.apply(this, args));
      });
    } catch (error) {
      if (call.hasBegun) throw error;
      if (onBusy === 'skip' && error instanceof EtcdLockTimeoutError) return undefined;
      throw error instanceof EtcdAbortedError && leadership !== undefined ? endOf(leadership) : error;
    }
  };
}

function lockOptions(
  { ttlSeconds, waitMs, onBusy }: WithEtcdLockOptions,
  leadership: Leadership | undefined,
): LockOptions {
  return { ttlSeconds, waitMs: waitMs ?? (onBusy === 'skip' ? 0 : undefined), signal: leadership?.signal };
}

function rulesOf(key: unknown, { ttlSeconds, waitMs, onBusy, client }: WithEtcdLockOptions): readonly OptionRule[] {
  return [
    { ...nameRule('key', key), isRight: isKey, rule: 'must be a text that is not empty, or a function' },
    optional({ option: 'ttlSeconds', value: ttlSeconds, isRight: isTtlSeconds, rule: TTL_RULE }),
    optional({ option: 'waitMs', value: waitMs, isRight: isWaitMs, rule: WAIT_RULE }),
    optional(choiceRule('onBusy', onBusy, ['throw', 'skip'])),
    optional(nameRule('client', client)),
  ];
}

function isKey(value: unknown): boolean {
  return typeof value === 'function' || isName(value);
}
