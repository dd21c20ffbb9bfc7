/** `npm run bench`: measures this client beside its peers, prints what it found, and writes results, page and plots. */
import { join } from 'node:path';
import { builtLibrary } from '../../test/support/built.js';
import { judge } from './bars.js';
import { casesOf } from './cases.js';
import { machineFacts, versionFacts } from './facts.js';
import { COMPILED_FOLDER } from './folders.js';
import { measureAll } from './measure.js';
import { readOptions, type Options } from './options.js';
import { preparePrograms } from './programs.js';
import { destination, publish, readResults } from './report/publish.js';
import { barTable, caseTables, conditions, watchProfile } from './report/tables.js';
import type { Results } from './results.js';
import { SUBJECT_NAMES, SUBJECTS } from './subjects.js';

const BUSY = 0.7;

const log = (line: string): void => console.error(line);

async function measure(options: Options): Promise<Results> {
  builtLibrary();
  const machine = machineFacts();
  if (machine.loadBefore > BUSY) log(`The machine is busy (load average ${machine.loadBefore}): figures will be poor.`);
  const programs = await preparePrograms(options.subjects.includes('go'));
  for (const subject of SUBJECT_NAMES) {
    if (programs.leftOut[subject] !== undefined)
      log(`Without ${SUBJECTS[subject].title}: ${programs.leftOut[subject]}`);
  }
  const startedAt = performance.now();
  const series = await measureAll({ options, programs, log });
  return {
    set: options.set,
    takenAt: new Date().toISOString().slice(0, 10),
    tookSeconds: Math.round((performance.now() - startedAt) / 1_000),
    rounds: options.rounds,
    seconds: options.seconds,
    machine,
    versions: await versionFacts(),
    leftOut: programs.leftOut,
    series,
  };
}

/** Only whole sets with all clients are published by themselves. */
function outputOf(options: Options): string | undefined {
  const isWhole = options.cases.length === casesOf(options.set).length && options.subjects === SUBJECT_NAMES;
  const isPublished = options.set !== 'smoke' && isWhole;
  return options.output ?? (isPublished ? undefined : join(COMPILED_FOLDER, 'report'));
}

/** @returns `undefined` when the command line cannot be understood, after saying so. */
function optionsGiven(): Options | undefined {
  try {
    return readOptions(process.argv.slice(2));
  } catch (error) {
    log(error instanceof Error ? error.message : String(error));
    process.exitCode = 2;
    return undefined;
  }
}

async function main(): Promise<void> {
  const options = optionsGiven();
  if (options === undefined) return;
  if (options.rendersOnly) {
    const place = destination(options.output);
    await publish(await readResults(place), place);
    return;
  }
  const results = await measure(options);
  const place = destination(outputOf(options));
  await publish(results, place);
  if (options.set === 'smoke') console.log('Little was done, with few keys: these figures tell nothing.\n');
  const tables = [conditions(results), barTable(results), watchProfile(results) ?? [], caseTables(results)].flat();
  console.log(tables.join('\n\n'));
  const missed = judge(results).filter(({ isMet }) => isMet === false).length;
  log(`\n${missed === 0 ? 'No bar was missed' : `Bars that were missed: ${missed}`}. Written to ${place.page}`);
  if (results.series.some(({ failure }) => failure !== undefined)) process.exitCode = 1;
}

await main();
