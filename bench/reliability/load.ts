/** A steady load on a client, with a limit of our own for calls that never end, and what became of each call. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Subject } from './subjects.js';

/** A call that has not ended by then counts as failed; a client without a deadline would keep the run from ending. */
export const PATIENCE_MS = 10_000;
const GIVE_UP_MS = 60_000;
const RETRY_PAUSE_MS = 10;

/** One call. Times are milliseconds on the monotonic clock. */
export interface Call {
  readonly kind: 'read' | 'write';
  readonly key: string;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly error: unknown;
}

/** Waits for a call no longer than {@link PATIENCE_MS}. */
export async function withPatience<T>(call: Promise<T>): Promise<T> {
  const impatience = new AbortController();
  try {
    return await Promise.race([
      call,
      delay(PATIENCE_MS, undefined, { signal: impatience.signal }).then(() => {
        throw new Error(`no end within ${PATIENCE_MS} ms`);
      }),
    ]);
  } finally {
    impatience.abort();
  }
}

/** How long until a new read succeeds, in milliseconds; each try is one call of a user who tries again. */
export async function untilFirstSuccess(
  subject: Subject,
): Promise<{ readonly tookMs: number; readonly failures: number }> {
  const startedAt = performance.now();
  let failures = 0;
  while (performance.now() - startedAt < GIVE_UP_MS) {
    if ((await timed(() => subject.get('recovery'))) !== undefined) break;
    failures += 1;
    await delay(RETRY_PAUSE_MS);
  }
  return { tookMs: performance.now() - startedAt, failures };
}

/** Makes the connections that a client makes with its first calls. A call that fails is not what is measured. */
export async function warmUp(subject: Subject, calls = 10): Promise<void> {
  for (let call = 0; call < calls; call++) await timed(() => subject.get('warm'));
}

/** Runs a call and says how many milliseconds it took; `undefined` when it failed. */
export async function timed(call: () => Promise<unknown>): Promise<number | undefined> {
  const startedAt = performance.now();
  return withPatience(call()).then(
    () => performance.now() - startedAt,
    () => undefined,
  );
}

/** Reads and writes in turn, so many a second, whether or not earlier calls have ended. */
export class Load {
  readonly calls: Call[] = [];
  private readonly running = new Set<Promise<void>>();
  private readonly loop: Promise<void>;
  private stopped = false;

  constructor(
    private readonly subject: Subject,
    private readonly prefix: string,
    private readonly perSecond = 50,
  ) {
    this.loop = this.run();
  }

  /** Starts no more calls, and resolves when the last one has ended. */
  async stop(): Promise<void> {
    this.stopped = true;
    await this.loop;
    await Promise.all(this.running);
  }

  failed(kind: Call['kind']): readonly Call[] {
    return this.calls.filter((call) => call.kind === kind && call.error !== undefined);
  }

  /** The longest time without a success. */
  longestGapMs(): number {
    const ends = this.calls.flatMap(({ error, endedAt }) => (error === undefined ? endedAt : [])).sort((a, b) => a - b);
    return Math.max(0, ...ends.map((at, index) => at - (ends[index - 1] ?? at)));
  }

  slowestMs(kind: Call['kind']): number {
    const taken = this.calls.filter((call) => call.kind === kind).map(({ startedAt, endedAt }) => endedAt - startedAt);
    return Math.max(0, ...taken);
  }

  private async run(): Promise<void> {
    let nextAt = performance.now();
    for (let index = 0; !this.stopped; index++) {
      const call = this.call(index);
      this.running.add(call);
      void call.finally(() => this.running.delete(call));
      nextAt += 1_000 / this.perSecond;
      await delay(Math.max(0, nextAt - performance.now()));
    }
  }

  private async call(index: number): Promise<void> {
    const kind = index % 2 === 0 ? 'write' : 'read';
    const key = `${this.prefix}${kind === 'write' ? index : 'read'}`;
    const startedAt = performance.now();
    const running = kind === 'write' ? this.subject.put(key, `value ${index}`) : this.subject.get(key);
    const error: unknown = await withPatience<unknown>(running).then(
      () => undefined,
      (caught: unknown) => caught,
    );
    this.calls.push({ kind, key, startedAt, endedAt: performance.now(), error });
  }
}
