/** `@LeaderOnly()`: runs a method only in the instance of the app that leads. */
import { choiceRule, nameRule, optional, requireOptions } from '../decorator-options.js';
import { EtcdFollowerError } from '../errors.js';
import { addDecoration } from '../handlers/decorations.js';
import { injectService, requireService } from '../injected-service.js';
import { labelOf, wrapMethod, type AnyMethod, type AsyncMethod, type MaySkip } from '../wrapped-method.js';
import { underLeadership } from './current-leadership.js';
import { LEADER_ONLY, type LeadershipNote } from './leadership-metadata.js';

/** Options of `@LeaderOnly()`. */
export interface LeaderOnlyOptions {
  /**
   * What becomes of a call while this app does not lead. `'skip'`: it resolves to `undefined`. `'throw'`: it rejects with
   * `EtcdFollowerError`. Either way the method is not run.
   *
   * @default 'skip'
   */
  readonly onFollower?: 'skip' | 'throw' | undefined;
  /**
   * The name of the client, or of the namespace that `EtcdModule.forFeature` gave that name.
   *
   * @default 'default'
   */
  readonly client?: string | undefined;
}

/** A decorator of methods that return promises. */
export type EtcdLeaderDecorator = <Method extends AsyncMethod>(
  target: object,
  methodName: string | symbol,
  descriptor: TypedPropertyDescriptor<Method>,
) => void;

/** The same for methods that may be skipped. */
export type EtcdSkippingLeaderDecorator = <Method extends AsyncMethod>(
  target: object,
  methodName: string | symbol,
  descriptor: TypedPropertyDescriptor<Method> & MaySkip<Method>,
) => void;

/**
 * Runs a method of a provider or controller only in the instance of the app that leads the election. The app campaigns in
 * it from its start to its end, once for all decorators that name it, and again whenever it has lost.
 *
 * - Stands above or below `@Cron()`, `@OnEtcdWatch()`, `@WithEtcdLock()`, guards and other decorators. Of several that put
 *   something around the method, the upper one is outside.
 * - In the method `currentLeadership()` is the leadership: `signal` aborts when it is lost, or when the app ends; `guard`
 *   and `fencingToken` keep a late write from doing harm.
 * - If the leadership is lost before the method has ended, the call rejects with `EtcdLeadershipLostError` once it has, or
 *   with what the method threw: what it did may have overlapped with what the next leader did.
 * - At the end of the app, before HTTP drains, the signal aborts, the app waits for the method for the client's
 *   `shutdownTimeoutMs`, and then resigns, so that another one leads at once.
 * - In a module with `EtcdModule.forFeature`, the election is one of the namespace.
 * - The start of the app fails for a class that is request-scoped or transient, and for a client that there is not.
 *
 * What the leader says of itself, and how long it outlives a crash, are the options `campaign` of `EtcdModule`.
 *
 * @param electionName the election's name.
 * @throws {EtcdModuleError} at once, when an option cannot be.
 *
 * @example
 * @Cron('* * * * *')
 * @LeaderOnly('billing')
 * async bill(): Promise<void> {
 *   const { signal, guard } = currentLeadership();
 *   …
 * }
 */
export function LeaderOnly(
  electionName: string,
  options: LeaderOnlyOptions & { readonly onFollower: 'throw' },
): EtcdLeaderDecorator;
export function LeaderOnly(
  electionName: string,
  options?: LeaderOnlyOptions & { readonly onFollower?: 'skip' | undefined },
): EtcdSkippingLeaderDecorator;
export function LeaderOnly(electionName: string, options: LeaderOnlyOptions = {}): EtcdLeaderDecorator {
  const { onFollower = 'skip', client } = options;
  return (target, methodName, descriptor) => {
    requireOptions(`@LeaderOnly on ${labelOf(target, methodName)}`, [
      nameRule('electionName', electionName),
      choiceRule('onFollower', onFollower, ['skip', 'throw']),
      optional(nameRule('client', client)),
    ]);
    injectService(target, { service: 'EtcdElections', client });
    const note = { electionName, client };
    wrapMethod(descriptor, (method) => leadersMethod(method, String(methodName), note, onFollower));
    addDecoration(descriptor.value as unknown as AnyMethod, LEADER_ONLY, note);
  };
}

function leadersMethod(
  method: AnyMethod,
  methodName: string,
  { electionName, client }: LeadershipNote,
  onFollower: 'skip' | 'throw',
): AnyMethod {
  return async function (...args) {
    const label = `${this.constructor.name}@${methodName}`;
    const elections = requireService(this, `@LeaderOnly on ${label}`, { service: 'EtcdElections', client });
    const done = await elections.ifLeader(electionName, async (leadership) => ({
      result: await underLeadership(leadership, () => method.apply(this, args)),
    }));
    if (done === undefined && onFollower === 'throw') throw new EtcdFollowerError(electionName, label);
    return done?.result;
  };
}
