/** Sees to it that a key whose put was given up does not stay, should the put arrive after all. */
import type { KeyValue } from '../key-value.js';
import { compare } from '../kv/compare.js';
import { del } from '../kv/operations.js';
import { nextEvent } from './key-events.js';
import { persist } from './patience.js';
import type { Session } from './session.js';
import type { Tools } from './tools.js';
import { WaitScope } from './wait-scope.js';

/**
 * A request whose answer was lost may be carried out seconds later, when a link comes back or a member wakes up: then a
 * lock that nobody waits for any more would block the others for as long as the session lives. So the key is watched for
 * the rest of that life; one that appears while nobody here wants it is deleted. When the session ends, its keys go anyway.
 */
export function guardAgainstLateKey(tools: Tools, session: Session, key: string, startRevision: number): void {
  if (session.lateKeys.has(key)) return;
  session.lateKeys.add(key);
  const scope = new WaitScope(tools, 'Concurrency.Lock', undefined);
  scope.endWith(session, (error) => error);
  void deleteLateKeys(tools, session, key, startRevision, scope.signal)
    .catch(() => undefined) // the session or the client has ended, or the keys may not be read any more
    .finally(() => {
      session.lateKeys.delete(key);
      scope.close();
    });
}

async function deleteLateKeys(
  tools: Tools,
  session: Session,
  key: string,
  startRevision: number,
  signal: AbortSignal,
): Promise<never> {
  for (let next = startRevision; ;) {
    const event = await nextEvent(tools, key, { startRevision: next, only: 'put', signal });
    const seen = event === undefined ? await look(tools, key, signal) : { kv: event.kv, revision: event.revision };
    next = seen.revision + 1;
    if (seen.kv?.lease !== session.leaseId || session.turns.isTaken(key)) continue;
    const isSame = compare(key).createRevision('=', seen.kv.createRevision);
    await persist(tools, signal, () => tools.kv.txn().if(isSame).then(del(key)).commit({ signal, idempotent: true }));
  }
}

async function look(
  tools: Tools,
  key: string,
  signal: AbortSignal,
): Promise<{ readonly kv: KeyValue | undefined; readonly revision: number }> {
  const { kvs, header } = await persist(tools, signal, () => tools.kv.range(key, { signal }));
  return { kv: kvs[0], revision: header.revision };
}
