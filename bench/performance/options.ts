/** What the command line asks for. */
import { parseArgs } from 'node:util';
import { casesOf, type Case, type SetName } from './cases.js';
import { isSubject, SUBJECT_NAMES, type SubjectName } from './subjects.js';

export interface Options {
  readonly set: SetName;
  readonly cases: readonly Case[];
  readonly subjects: readonly SubjectName[];
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  /** Where results, page and plots go; `undefined` for where they are published. */
  readonly output: string | undefined;
  /** Whether to make page and plots of the results that are there, and measure nothing. */
  readonly rendersOnly: boolean;
}

const PACE = {
  smoke: { rounds: 1, seconds: 0.02, warmUpSeconds: 0 },
  quick: { rounds: 5, seconds: 0.4, warmUpSeconds: 0.5 },
  full: { rounds: 7, seconds: 2, warmUpSeconds: 2 },
} as const;

export const USAGE = `npm run bench -- [options]
  --full                 every workload at every load; takes much longer
  --smoke                as little of each workload as shows that it works; seconds
  --workload a,b         only these: ${[...new Set(casesOf('full').map(({ workload }) => workload))].join(', ')};
                         or single cases by name, such as get-100
  --subject a,b          only these: ${SUBJECT_NAMES.join(', ')}
  --rounds n             how often each is measured (5)
  --seconds n            how long each time (0.4)
  --output folder        where results.json, the page and the plots go
  --render               only makes page and plots of the results that are there`;

/** @throws {Error} that says what cannot be understood. */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      full: { type: 'boolean', default: false },
      smoke: { type: 'boolean', default: false },
      render: { type: 'boolean', default: false },
      workload: { type: 'string' },
      subject: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      output: { type: 'string' },
    },
  });
  const set = values.smoke ? 'smoke' : values.full ? 'full' : 'quick';
  const pace = PACE[set];
  return {
    set,
    cases: chosenCases(set, values.workload),
    subjects: chosenSubjects(values.subject),
    rounds: numberOf('rounds', values.rounds) ?? pace.rounds,
    seconds: numberOf('seconds', values.seconds) ?? pace.seconds,
    warmUpSeconds: pace.warmUpSeconds,
    output: values.output,
    rendersOnly: values.render,
  };
}

function chosenCases(set: SetName, names: string | undefined): readonly Case[] {
  const all = casesOf(set);
  if (names === undefined) return all;
  const wanted = names.split(',');
  const unknown = wanted.find((name) => !all.some(({ id, workload }) => name === id || name === workload));
  if (unknown !== undefined) throw new Error(`${unknown} is no workload of this set\n${USAGE}`);
  return all.filter(({ id, workload }) => wanted.includes(id) || wanted.includes(workload));
}

function chosenSubjects(names: string | undefined): readonly SubjectName[] {
  if (names === undefined) return SUBJECT_NAMES;
  return names.split(',').map((name) => {
    if (!isSubject(name)) throw new Error(`${name} is no subject\n${USAGE}`);
    return name;
  });
}

function numberOf(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!(value > 0)) throw new Error(`--${option} has to be a number above 0, and is ${text}`);
  return value;
}
