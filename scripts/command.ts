/** Runs a command to its end. Whatever ends this process, a Ctrl-C or a crash, ends the command and all it started. */
import { Socket } from 'node:net';
import { type Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { startGuarded, waitForExit, type GuardedProcess } from '../test/support/guarded-process.js';
import { ROOT_FOLDER } from './project.js';

export interface Command {
  readonly command: string;
  readonly args: readonly string[];
  /** How long it may take before it is ended and counts as failed. @default 5 minutes */
  readonly timeLimitMs?: number;
}

/** How a command ended, and what it printed on both outputs. */
export interface Outcome {
  readonly code: number;
  readonly output: string;
}

const TIME_LIMIT_MS = 5 * 60_000;

/** Runs a command whose output goes where ours goes. @returns its exit code */
export async function show(command: Command): Promise<number> {
  const options = { cwd: ROOT_FOLDER, output: process.stdout.fd };
  return exitCode(command, await startGuarded(command.command, command.args, options));
}

/** Runs a command and keeps its output, for when several run at the same time. */
export async function collect(command: Command): Promise<Outcome> {
  const started = await startGuarded(command.command, command.args, { cwd: ROOT_FOLDER, output: 'pipe' });
  const { stdout, stderr } = started.child;
  const printed = Promise.all([stdout, stderr].map(textOf));
  const code = await exitCode(command, started);
  return { code, output: (await printed).join('').trim() };
}

/** Guarded programs do not keep this process alive, nor do their pipes; what they print last is wanted here. */
function textOf(stream: Readable | null): Promise<string> {
  if (stream === null) return Promise.resolve('');
  if (stream instanceof Socket) stream.ref();
  return text(stream);
}

async function exitCode({ command, timeLimitMs = TIME_LIMIT_MS }: Command, started: GuardedProcess): Promise<number> {
  const timer = setTimeout(() => {
    console.error(`${command} took longer than ${timeLimitMs / 1000} s and was ended`);
    process.kill(-started.pid, 'SIGKILL');
  }, timeLimitMs);
  const { code } = await waitForExit(started);
  clearTimeout(timer);
  return code ?? 1;
}
