/** What a run measures, and the words for it. */
import type { Load } from './load.js';
import type { Place, Subject, SubjectName } from './subjects.js';

/** Figures of one run, by name. Less is better in all of them. */
export type Figures = Readonly<Record<string, number>>;

/** Makes the client under test. */
export type Make = (place: Place) => Subject;

/** One scenario. It starts an etcd of its own. */
export interface Scenario {
  /** In words, for the table. */
  readonly title: string;
  readonly run: (make: Make) => Promise<Figures>;
}

/** A scenario that makes its clients by itself, since they have less in common. */
export interface ClientScenario {
  /** In words, for the table. */
  readonly title: string;
  /** Who can do it. */
  readonly subjects: readonly SubjectName[];
  readonly run: (subject: SubjectName) => Promise<Figures>;
}

/** What a load had to bear. */
export function costsOf(load: Load): Figures {
  return {
    'longest time without a success, ms': load.longestGapMs(),
    'slowest read, ms': load.slowestMs('read'),
    'slowest write, ms': load.slowestMs('write'),
    'reads failed': load.failed('read').length,
    'writes failed': load.failed('write').length,
  };
}

/** Holds every write of a load against the store, as it was read without the client: keys with their versions. */
export function auditOf(load: Load, subject: Subject, stored: ReadonlyMap<string, number>): Figures {
  const writes = load.calls.filter(({ kind }) => kind === 'write');
  const isStored = (key: string): boolean => stored.has(key);
  const failed = writes.filter(({ error }) => error !== undefined);
  return {
    'failed writes that are in the store': failed.filter(({ key }) => isStored(key)).length,
    'of those, said to be not applied': failed.filter(({ key, error }) => isStored(key) && subject.deniesWrite(error))
      .length,
    'writes acknowledged and lost': writes.filter(({ error, key }) => error === undefined && !isStored(key)).length,
    'writes applied twice': writes.filter(({ key }) => (stored.get(key) ?? 0) > 1).length,
  };
}
