/** Holds followed ranges and views against what really happened: each snapshot, every change after it, and what it comes to. Pure. */
import { checkWatch, type BrokenPromise, type Violation } from './check-watch.js';
import { isSame, type Stored, type StoreHistory } from './store-history.js';
import type { Asked, FollowLog, SeenReset, ViewLog, WatchLog } from './watch-log.js';

/**
 * What is wrong with the log of a followed range.
 *
 * @param throughRevision what it has to have reported at the end.
 */
export function checkFollow(log: FollowLog, history: StoreHistory, throughRevision: number): Violation[] {
  const { asked, error } = log;
  const rounds = roundsOf(log);
  const found: Violation[] = rounds.flatMap(({ reset, watch }) => [
    ...checkState(asked, reset, history),
    ...checkWatch(watch, history, throughRevision),
  ]);
  const add = (promise: BrokenPromise, what: string): void => void found.push({ promise, who: asked.name, what });
  if (error !== undefined) add('end', `it ended: ${error.message}`);
  if (rounds[0]?.reset.reason !== 'start') add('snapshot', `it began with ${rounds[0]?.reset.reason ?? 'nothing'}`);
  rounds.slice(1).forEach(({ reset }, index) => {
    const next = endOf(rounds[index]!) + 1;
    if (reset.reason !== 'compacted') add('end', `it read anew for the reason ${reset.reason}`);
    if (reset.revision < next - 1) add('ordered', `it read anew at ${reset.revision}, and was at ${next} before`);
    if (!history.compactions.some(({ revision }) => revision > next))
      add('end', `nothing it needed was gone at ${next}`);
  });
  return found;
}

/** What is wrong with the samples of a view. The last one has to be as new as `throughRevision`. */
export function checkView({ asked, samples }: ViewLog, history: StoreHistory, throughRevision: number): Violation[] {
  const found = samples.flatMap((sample) => checkState(asked, sample, history));
  samples.forEach(({ revision }, index) => {
    const before = samples[index - 1]?.revision ?? 0;
    if (revision < before)
      found.push({ promise: 'ordered', who: asked.name, what: `from ${before} back to ${revision}` });
  });
  const last = samples.at(-1)?.revision ?? 0;
  if (last < throughRevision) found.push({ promise: 'reliable', who: asked.name, what: `it stayed behind at ${last}` });
  return found;
}

interface Round {
  readonly reset: SeenReset;
  readonly watch: WatchLog;
}

/** A followed range is a snapshot and a watch, again and again. */
function roundsOf({ asked, isWhole, batches }: FollowLog): Round[] {
  const rounds: Round[] = [];
  for (const batch of batches) {
    if (batch.type === 'reset') rounds.push(roundAfter({ ...asked, isWhole }, batch));
    else rounds.at(-1)?.watch.deliveries.push(batch);
  }
  const last = rounds.at(-1);
  if (last !== undefined) last.watch.end = { name: 'open' };
  return rounds;
}

function roundAfter(asked: Asked & Pick<FollowLog, 'isWhole'>, reset: SeenReset): Round {
  const watch: WatchLog = { ...asked, firstRevision: reset.revision + 1, deliveries: [], end: { name: 'left' } };
  return { reset, watch };
}

function endOf({ reset, watch }: Round): number {
  return Math.max(reset.revision, ...watch.deliveries.map(({ revision }) => revision));
}

function checkState(
  { name, covers }: Asked,
  { revision, kvs }: { readonly revision: number; readonly kvs: readonly Stored[] },
  history: StoreHistory,
): Violation[] {
  const truth = history.stateAt(revision, covers);
  const wrong = kvs.filter((kv) => !isSame(kv, truth.get(kv.key)));
  const held = new Set(kvs.map(({ key }) => key));
  const missing = [...truth.keys()].filter((key) => !held.has(key));
  return [
    ...wrong.map(({ key }): Violation => ({
      promise: 'snapshot',
      who: name,
      what: `${key} was not so at ${revision}`,
    })),
    ...missing.map((key): Violation => ({ promise: 'snapshot', who: name, what: `${key} is missing at ${revision}` })),
  ];
}
