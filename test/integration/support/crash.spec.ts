/** Nothing that the rig has started outlives the process that started it, however that process ends. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { eventually, startChild, type Child } from '../../support/index.js';

const PROGRAM = fileURLToPath(new URL('abandoned-cluster.ts', import.meta.url));

interface Abandoned {
  readonly child: Child;
  readonly pids: readonly number[];
  readonly folder: string;
}

/** Starts a program that runs three members: one frozen, one killed, one well. */
async function startAbandoned(...args: string[]): Promise<Abandoned> {
  const child = await startChild(process.execPath, ['--import', 'tsx', PROGRAM, ...args]);
  const [line] = await child.waitForOutput(/\{.*\}\n/, 60_000);
  return { child, ...(JSON.parse(line) as { pids: number[]; folder: string }) };
}

async function expectNothingLeft({ pids, folder }: Abandoned): Promise<void> {
  await eventually(() => !pids.some((pid) => existsSync(`/proc/${pid}`)), { what: 'all members gone' });
  await eventually(() => !existsSync(folder), { what: 'their data gone' });
}

describe('a process that has started members', () => {
  it.each(['SIGKILL', 'SIGINT', 'SIGTERM'] as const)('leaves nothing behind after %s', async (signal) => {
    const abandoned = await startAbandoned();
    expect(existsSync(abandoned.folder)).toBe(true);

    abandoned.child.signal(signal);

    expect(await abandoned.child.exited()).toEqual({ code: null, signal });
    await expectNothingLeft(abandoned);
  });

  it('ends by itself when it has nothing more to do, though it never stopped them', async () => {
    const abandoned = await startAbandoned('--return');

    expect(await abandoned.child.exited()).toEqual({ code: 0, signal: null });
    await expectNothingLeft(abandoned);
  });
});
