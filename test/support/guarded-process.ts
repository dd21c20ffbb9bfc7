/** Starts a program that cannot outlive this process, however this process ends. */
import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { Socket } from 'node:net';
import { type Writable } from 'node:stream';

/**
 * The shell leaves a watcher behind and becomes the program, so the program's pid is the child's pid and every
 * signal hits the program itself. The watcher reads descriptor 3, a pipe that only this process can write to: a
 * line means that the program has ended, the end of the pipe that this process has, with or without a chance to say so;
 * then it kills the whole session, the program's own children included.
 */
const GUARD = `(read -r ended <&3 || kill -KILL -$$) >/dev/null 2>&1 & exec "$@" 3<&-`;

/** Removes a folder when this process ends; a line tells it that the folder is gone already. */
const FOLDER_GUARD = `read -r ended || for attempt in 1 2 3 4 5 6 7 8 9 10; do rm -rf "$1" && exit; sleep 0.2; done`;

export interface GuardedOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** What to do with the program's output: a pipe to read from, or an open file's descriptor. @default 'ignore' */
  readonly output?: 'pipe' | 'ignore' | number;
}

/** How a program ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A running program, and the promise of its end. */
export interface GuardedProcess {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly exited: Promise<Exit>;
}

/**
 * Starts `command` in a session of its own: Ctrl-C reaches this process only, whose end then ends the program.
 * A program that is still running does not keep this process alive.
 *
 * @throws {Error} when the program cannot be started at all.
 */
export async function startGuarded(
  command: string,
  args: readonly string[],
  options: GuardedOptions = {},
): Promise<GuardedProcess> {
  const { cwd, env = process.env, output = 'ignore' } = options;
  const stdio: StdioOptions = ['ignore', output, output, 'pipe'];
  const child = spawn('sh', ['-c', GUARD, 'sh', command, ...args], { cwd, env, stdio, detached: true });
  await once(child, 'spawn');
  const watcher = child.stdio[3] as Writable;
  watcher.on('error', () => undefined); // the watcher may be gone first
  unref(child);
  const exited = once(child, 'exit').then(([code, signal]) => {
    watcher.end('ended\n');
    return { code, signal };
  });
  return { child, pid: child.pid!, exited };
}

/** Waits for the end of a program; unlike the bare promise it keeps this process alive meanwhile. */
export function waitForExit({ child, exited }: GuardedProcess): Promise<Exit> {
  child.ref();
  return exited;
}

/**
 * Has `folder` removed when this process ends.
 *
 * @returns to be called once the folder has been removed in the ordinary way.
 */
export function guardFolder(folder: string): () => void {
  const child = spawn('sh', ['-c', FOLDER_GUARD, 'sh', folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  child.on('error', () => undefined);
  child.stdin.on('error', () => undefined);
  unref(child);
  return () => void child.stdin.end('ended\n');
}

function unref(child: ChildProcess): void {
  child.unref();
  for (const stream of child.stdio) {
    if (stream instanceof Socket) stream.unref();
  }
}
