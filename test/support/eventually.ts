/** Waits until something becomes true, and says what it last saw when it does not. */
import { performance } from 'node:perf_hooks'; // not the global, which a test may have replaced by a fake
import { setTimeout as delay } from 'node:timers/promises';

export interface EventuallyOptions {
  /** What is waited for, in words for the error. @default 'the condition' */
  readonly what?: string;
  /** @default 10_000 */
  readonly timeoutMs?: number;
  /** Pause between two looks. @default 20 */
  readonly everyMs?: number;
}

/**
 * Looks again and again until `look` returns a truthy value without throwing, and returns that value.
 *
 * @throws {Error} after `timeoutMs`, with the last value or the last error as its reason.
 */
export async function eventually<T>(
  look: () => T | Promise<T>,
  options: EventuallyOptions = {},
): Promise<NonNullable<T>> {
  const { what = 'the condition', timeoutMs = 10_000, everyMs = 20 } = options;
  const giveUpAt = performance.now() + timeoutMs;
  for (;;) {
    const seen = await lookOnce(look);
    if ('value' in seen && seen.value) return seen.value;
    if (performance.now() >= giveUpAt) {
      throw new Error(`${what} did not come within ${timeoutMs} ms; last: ${describe(seen)}`, { cause: seen.error });
    }
    await delay(everyMs);
  }
}

interface Seen<T> {
  readonly value?: T;
  readonly error?: unknown;
}

async function lookOnce<T>(look: () => T | Promise<T>): Promise<Seen<T>> {
  try {
    return { value: await look() };
  } catch (error) {
    return { error };
  }
}

function describe(seen: Seen<unknown>): string {
  if (!('error' in seen)) return String(seen.value);
  return seen.error instanceof Error ? seen.error.message : String(seen.error);
}
