/** Keeps probes from becoming load: who asks while a round runs shares it, and who asks soon after gets its result again. */
import type { EtcdClient } from '../client/index.js';
import type { PingCheck } from './health-options.js';
import { lookAround, type HealthRound } from './health-round.js';

/** A round, running or done. */
interface KeptRound {
  readonly result: Promise<HealthRound>;
  /** When it was done, in milliseconds, and which endpoints were connected then; `undefined` while it runs. */
  done: { readonly at: number; readonly connected: string } | undefined;
}

/** How a round is made; a fake in tests. */
export type LookAround = typeof lookAround;

/** A tenth of the time, and 200 ms at most, is left for the answer to travel. */
function budgetMs(timeoutMs: number): number {
  return timeoutMs - Math.min(200, Math.ceil(timeoutMs / 10));
}

/** The rounds of any number of clients. Holds no client that nobody else holds. */
export class HealthRounds {
  private readonly kept = new WeakMap<EtcdClient, Map<string, KeptRound>>();

  constructor(
    private readonly look: LookAround = lookAround,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** A round that is running, or not older than `cacheMs`, or a new one. */
  get(client: EtcdClient, { timeoutMs, linearizable, cacheMs }: PingCheck): Promise<HealthRound> {
    const rounds = this.roundsOf(client);
    const kind = `${timeoutMs} ${linearizable}`;
    const last = rounds.get(kind);
    if (last !== undefined && this.isFresh(last, client, cacheMs)) return last.result;
    const round: KeptRound = { result: this.look(client, budgetMs(timeoutMs), linearizable), done: undefined };
    rounds.set(kind, round);
    round.result.then(
      () => (round.done = { at: this.now(), connected: connectedOf(client) }),
      () => rounds.delete(kind),
    );
    return round.result;
  }

  private isFresh({ done }: KeptRound, client: EtcdClient, cacheMs: number): boolean {
    if (done === undefined) return true;
    return this.now() - done.at < cacheMs && done.connected === connectedOf(client);
  }

  private roundsOf(client: EtcdClient): Map<string, KeptRound> {
    const known = this.kept.get(client);
    if (known !== undefined) return known;
    const made = new Map<string, KeptRound>();
    this.kept.set(client, made);
    return made;
  }
}

function connectedOf(client: EtcdClient): string {
  return client
    .stats()
    .endpoints.map(({ state }) => (state === 'ready' ? '1' : '0'))
    .join('');
}
