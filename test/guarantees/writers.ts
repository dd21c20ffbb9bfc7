/** Those who write: single keys, whole ranges, transactions, leases that end, and now and then a lot at once. */
import { setTimeout as delay } from 'node:timers/promises';
import type { EtcdClient } from '../../lib/client/client.js';
import { EtcdError } from '../../lib/client/errors.js';
import { prefix } from '../../lib/client/key-range.js';
import { del, put } from '../../lib/client/kv/operations.js';
import { ROOT } from './stage.js';

type Write = (client: EtcdClient, value: string, random: () => number) => Promise<unknown>;

const key = (folder: string, index: number): string => `${ROOT}${folder}/${index}`;
const below = (random: () => number, count: number): number => Math.floor(random() * count);

const putOne: Write = ({ kv }, value, random) => kv.put(key(random() < 0.5 ? 'a' : 'b', below(random, 8)), value);

const deleteSome: Write = ({ kv }, _value, random) =>
  random() < 0.7 ? kv.delete(key('a', below(random, 8))) : kv.delete(prefix(`${ROOT}b/`));

/** Several keys in one revision, some written and some deleted. */
const change: Write = ({ kv }, value, random) => {
  const first = below(random, 4);
  return kv
    .txn()
    .then(
      put(key('a', first), value),
      put(key('b', first), value),
      put(key('a', first + 1), `${value} too`),
      del(key('a', first + 2)),
      del(key('b', first + 3)),
    )
    .commit();
};

/** Two keys that go in one revision, when their lease ends. */
const lend: Write = async ({ kv, lease }, value, random) => {
  const { id } = await lease.grant(1);
  const index = below(random, 4);
  await kv.put(key('leased', index), value, { lease: id });
  await kv.put(key('leased', index + 4), value, { lease: id });
};

/** More than a server sends in one piece, once it is deleted under watches that ask for what was before. */
const fill: Write = async ({ kv }, value) => {
  for (let index = 0; index < 24; index++) await kv.put(key('large', index), value.padEnd(30_000, '.'));
  await kv.delete(prefix(`${ROOT}large/`));
};

const WRITERS: readonly { readonly name: string; readonly write: Write; readonly everyMs: number }[] = [
  { name: 'putter', write: putOne, everyMs: 30 },
  { name: 'deleter', write: deleteSome, everyMs: 150 },
  { name: 'changer', write: change, everyMs: 100 },
  { name: 'lender', write: lend, everyMs: 400 },
  { name: 'filler', write: fill, everyMs: 5_000 },
];

/** All writers at work, until they are stopped. What fails has happened or has not: the history will tell. */
export class Writers {
  private readonly running: readonly Promise<void>[];
  private readonly stopping = new AbortController();

  constructor(client: EtcdClient, random: () => number) {
    this.running = WRITERS.map(({ name, write, everyMs }) => {
      const next = async (count: number): Promise<void> => {
        await write(client, `${name} ${count}`, random).catch(ignoreFailedWrite);
        await delay(random() * 2 * everyMs, undefined, { signal: this.stopping.signal }).catch(() => undefined);
      };
      return this.repeat(next);
    });
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await Promise.all(this.running);
  }

  private async repeat(next: (count: number) => Promise<void>): Promise<void> {
    for (let count = 1; !this.stopping.signal.aborted; count++) await next(count);
  }
}

function ignoreFailedWrite(error: unknown): void {
  if (!(error instanceof EtcdError)) throw error;
}
