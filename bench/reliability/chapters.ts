/** The chapters of docs/reliability.md that have figures, and the scenarios of each. */
import { CLIENT_SCENARIOS } from './client-scenarios.js';
import type { ClientScenario, Scenario } from './figures.js';
import { LOCK_SCENARIOS } from './lock-scenarios.js';
import { MEMBER_SCENARIOS } from './member-scenarios.js';
import { STREAM_SCENARIOS } from './stream-scenarios.js';
import { makeSubject, SUBJECTS } from './subjects.js';

interface Chapter {
  /** What is kept of its figures, beside this file. */
  readonly results: string;
  /** By name, in the order of the table. */
  readonly scenarios: Readonly<Record<string, ClientScenario>>;
}

export type ChapterName = 'calls' | 'streams' | 'locks';

/** By the names of their marks in the page. */
export const CHAPTERS: Readonly<Record<ChapterName, Chapter>> = {
  calls: { results: 'results.json', scenarios: forAll({ ...MEMBER_SCENARIOS, ...CLIENT_SCENARIOS }) },
  streams: { results: 'stream-results.json', scenarios: STREAM_SCENARIOS },
  locks: { results: 'lock-results.json', scenarios: LOCK_SCENARIOS },
};

/** Scenarios that know no client but what all have in common. */
function forAll(scenarios: Readonly<Record<string, Scenario>>): Readonly<Record<string, ClientScenario>> {
  const entries = Object.entries(scenarios).map(([name, { title, run }]): [string, ClientScenario] => [
    name,
    { title, subjects: SUBJECTS, run: (subject) => run((place) => makeSubject(subject, place)) },
  ]);
  return Object.fromEntries(entries);
}
