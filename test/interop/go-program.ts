/** The Go program of a folder beside this file, where there is a Go to build it with. */
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { buildGoProgram, findGo } from '../support/go-program.js';

const TRIES = 3;
/** There is no Go, it cannot reach its modules, or is too old for them: that is about the machine, not about the program. */
export const MISSING =
  /no Go toolchain|dial tcp|no such host|timeout|connection (refused|reset)|unexpected EOF|: 50\d |requires go >=|invalid go version|toolchain not available/;

/** The path of a program that was built, or why there is none on this machine. */
export type GoProgram = { readonly path: string; readonly missing?: undefined } | { readonly missing: string };

/**
 * Gets the program. Takes a minute or two when Go has to download and compile everything; no test waits for it, since it
 * decides which tests there are.
 *
 * @throws {Error} when Go is there and the program does not compile.
 */
export async function goProgram(name: string): Promise<GoProgram> {
  const go = findGo();
  if (go === undefined) return { missing: 'there is no Go toolchain' };
  for (let tries = 1; ; tries++) {
    try {
      return { path: await buildGoProgram(go, fileURLToPath(new URL(name, import.meta.url))) };
    } catch (error) {
      if (!(error instanceof Error) || !MISSING.test(error.message)) throw error;
      if (tries === TRIES) return { missing: error.message.split(' | ').at(-1) ?? '' };
    }
    await delay(2_000 * tries);
  }
}
