/** Options of decorators, checked where they are written rather than at the first call, which may come at night. */
import { EtcdConfigError } from '../client/index.js';
import { EtcdModuleError } from './errors.js';

/** What an option has to be. */
export interface OptionRule {
  readonly option: string;
  readonly value: unknown;
  readonly isRight: (value: unknown) => boolean;
  readonly rule: string;
}

/** @throws {EtcdModuleError} that names the decorated method and the option that breaks its rule. */
export function requireOptions(label: string, rules: readonly OptionRule[]): void {
  const broken = rules.find(({ value, isRight }) => !isRight(value));
  if (broken === undefined) return;
  const cause = new EtcdConfigError(broken.option, broken.rule, broken.value ?? String(broken.value));
  throw new EtcdModuleError(`${label} cannot work: ${cause.message}`, { cause });
}

/** A name: of a lock, an election, a client. */
export function nameRule(option: string, value: unknown): OptionRule {
  return { option, value, isRight: isName, rule: 'must be a text that is not empty' };
}

/** One of a few texts. */
export function choiceRule(option: string, value: unknown, choices: readonly string[]): OptionRule {
  const rule = `must be ${choices.map((choice) => `'${choice}'`).join(' or ')}`;
  return { option, value, isRight: (given) => choices.includes(given as string), rule };
}

/** The same, for an option that may be left out. */
export function optional(rule: OptionRule): OptionRule {
  return { ...rule, isRight: (value) => value === undefined || rule.isRight(value) };
}

export function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
