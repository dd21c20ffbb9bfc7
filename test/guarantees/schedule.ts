/** Which faults happen, in which order, for how long: wholly decided by a seed, before anything runs. */
import { seeded } from '../support/seed.js';

/** Who a fault happens to: a member by its number, or whoever leads then. */
export type Victim = 0 | 1 | 2 | 'leader';

/** One fault, and what it is made of. Times are milliseconds. */
export type Fault =
  /** Every connection is reset, again and again. */
  | { readonly kind: 'resets'; readonly count: number; readonly everyMs: number }
  /** Every connection is reset, and the next ones after so many bytes. */
  | { readonly kind: 'cut after bytes'; readonly bytes: readonly number[] }
  /** A watch from an old revision is cut after the server said `created`, and before its first event. */
  | { readonly kind: 'cut when created'; readonly watches: number }
  /** Nobody can be reached. */
  | { readonly kind: 'outage'; readonly ms: number; readonly how: 'reset' | 'end' }
  /** Nobody can be reached, and the history is compacted meanwhile. */
  | { readonly kind: 'compaction in an outage'; readonly ms: number }
  /** The history is compacted up to the present, under readers that are behind. */
  | { readonly kind: 'compaction' }
  | { readonly kind: 'black hole'; readonly paths: readonly number[]; readonly ms: number; readonly held: Held }
  | {
      readonly kind: 'half-open';
      readonly paths: readonly number[];
      readonly dead: 'c2s' | 's2c';
      readonly ms: number;
      readonly held: Held;
    }
  | { readonly kind: 'slow link'; readonly delayMs: number; readonly bytesPerSecond: number; readonly ms: number }
  | { readonly kind: 'kill'; readonly victim: Victim; readonly ms: number }
  | { readonly kind: 'freeze'; readonly victim: Victim; readonly ms: number }
  | { readonly kind: 'move leader'; readonly steps: readonly (1 | 2)[] }
  /** One after the other; `gentle` is told to end, which takes it seconds, the other two are killed. */
  | { readonly kind: 'rolling restart'; readonly pauseMs: number; readonly gentle: number }
  /** Every token of the user is forgotten, on all members. */
  | { readonly kind: 'lost tokens'; readonly thenReset: boolean };

/** What becomes of bytes that were held back. */
type Held = 'forward' | 'drop';

/** A fault, and how long all is well after it. */
export interface Step {
  readonly fault: Fault;
  readonly calmMs: number;
}

/** A source of chance with some words for it. */
class Dice {
  constructor(private readonly random: () => number) {}

  /** A whole number from `min` to `max`, both included. */
  between(min: number, max: number): number {
    return min + Math.floor(this.random() * (max - min + 1));
  }

  oneOf<T>(choices: readonly T[]): T {
    return choices[this.between(0, choices.length - 1)]!;
  }

  /** In any order. */
  shuffled<T>(items: readonly T[]): T[] {
    const order = items.map((item) => ({ item, at: this.random() }));
    return order.sort((one, other) => one.at - other.at).map(({ item }) => item);
  }
}

const MAKERS: Readonly<Record<Fault['kind'], (dice: Dice) => Fault>> = {
  resets: (dice) => ({ kind: 'resets', count: dice.between(2, 6), everyMs: dice.between(20, 250) }),
  'cut after bytes': (dice) => ({
    kind: 'cut after bytes',
    bytes: Array.from({ length: 3 }, () => dice.between(50, dice.oneOf([400, 4_000, 60_000]))),
  }),
  'cut when created': (dice) => ({ kind: 'cut when created', watches: dice.between(1, 3) }),
  outage: (dice) => ({ kind: 'outage', ms: dice.between(200, 2_000), how: dice.oneOf(['reset', 'end']) }),
  'compaction in an outage': (dice) => ({ kind: 'compaction in an outage', ms: dice.between(300, 1_500) }),
  compaction: () => ({ kind: 'compaction' }),
  'black hole': (dice) => ({ kind: 'black hole', ...paths(dice), ...silence(dice) }),
  'half-open': (dice) => ({ kind: 'half-open', ...paths(dice), dead: dice.oneOf(['c2s', 's2c']), ...silence(dice) }),
  'slow link': (dice) => ({
    kind: 'slow link',
    delayMs: dice.between(5, 60),
    bytesPerSecond: dice.between(50_000, 500_000),
    ms: dice.between(500, 2_500),
  }),
  kill: (dice) => ({ kind: 'kill', victim: victim(dice), ms: dice.between(0, 2_000) }),
  freeze: (dice) => ({ kind: 'freeze', victim: victim(dice), ms: dice.oneOf([500, 1_500, 3_000]) }),
  'move leader': (dice) => ({ kind: 'move leader', steps: [dice.oneOf([1, 2]), dice.oneOf([1, 2])] }),
  'rolling restart': (dice) => ({
    kind: 'rolling restart',
    pauseMs: dice.between(0, 500),
    gentle: dice.between(0, 2),
  }),
  'lost tokens': (dice) => ({ kind: 'lost tokens', thenReset: dice.oneOf([true, false]) }),
};

/** Every kind of fault. */
export const KINDS = Object.keys(MAKERS) as Fault['kind'][];

/** The steps of a run that takes at least `seconds`. Every kind comes once before one comes a second time. */
export function scheduleOf(seed: number, seconds: number): Step[] {
  const dice = new Dice(seeded(seed).random);
  const steps: Step[] = [];
  let bag: Fault['kind'][] = [];
  let plannedMs = 0;
  while (plannedMs < seconds * 1_000 || steps.length < KINDS.length) {
    if (bag.length === 0) bag = dice.shuffled(KINDS);
    const step = { fault: MAKERS[bag.pop()!](dice), calmMs: dice.between(100, 1_000) };
    plannedMs += shortestMs(step.fault) + step.calmMs;
    steps.push(step);
  }
  return steps;
}

/** A member that is black-holed for 10 s is left by the client; one that is back after a second goes on. */
function silence(dice: Dice): { readonly ms: number; readonly held: Held } {
  return { ms: dice.oneOf([400, 1_000, 1_000, 2_500, 10_000]), held: dice.oneOf(['forward', 'drop']) };
}

function paths(dice: Dice): { readonly paths: readonly number[] } {
  const all = dice.shuffled([0, 1, 2]);
  return { paths: all.slice(0, dice.between(1, 3)) };
}

function victim(dice: Dice): Victim {
  return dice.oneOf<Victim>([0, 1, 2, 'leader', 'leader']);
}

/** How long a fault takes at the least. */
function shortestMs(fault: Fault): number {
  if (fault.kind === 'resets') return fault.count * fault.everyMs;
  if (fault.kind === 'rolling restart') return 3 * fault.pauseMs;
  return 'ms' in fault ? fault.ms : 0;
}
