/** A program that a test starts, listens to and ends: an app under test, or a client in a process of its own. */
import { clearTimeout, setTimeout } from 'node:timers'; // not the globals, which a test may have replaced by fakes
import { eventually } from './eventually.js';
import { startGuarded, waitForExit, type Exit, type GuardedProcess } from './guarded-process.js';

const STOP_TIMEOUT_MS = 10_000;
const OUTPUT_TIMEOUT_MS = 500;

export interface ChildOptions {
  readonly cwd?: string;
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Starts a program; it ends with this process at the latest. */
export async function startChild(command: string, args: readonly string[], options: ChildOptions = {}): Promise<Child> {
  const { env, ...rest } = options;
  return new Child(await startGuarded(command, args, { ...rest, env: { ...process.env, ...env }, output: 'pipe' }));
}

export class Child implements AsyncDisposable {
  private text = '';
  private running = true;

  /** @internal Use {@link startChild}. */
  constructor(private readonly process: GuardedProcess) {
    for (const stream of [process.child.stdout, process.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (chunk: string) => (this.text += chunk));
    }
    void process.exited.then(() => (this.running = false));
  }

  get pid(): number {
    return this.process.pid;
  }

  get isRunning(): boolean {
    return this.running;
  }

  /** All it has printed so far, on both outputs. */
  get output(): string {
    return this.text;
  }

  /** @returns the match, once what it has printed matches. */
  async waitForOutput(pattern: RegExp, timeoutMs = 20_000): Promise<RegExpExecArray> {
    const look = (): RegExpExecArray | 'ended' | null => pattern.exec(this.text) ?? (this.running ? null : 'ended');
    const seen = await eventually(look, { what: `output like ${String(pattern)}`, timeoutMs }).catch(
      (error: unknown) => {
        throw new Error(`${String(error)}; it printed:\n${this.text}`, { cause: error });
      },
    );
    if (seen === 'ended') throw new Error(`ended without output like ${String(pattern)}; it printed:\n${this.text}`);
    return seen;
  }

  /** Sends a signal, and does not wait for what it does. */
  signal(signal: NodeJS.Signals): void {
    if (this.running) process.kill(this.pid, signal);
  }

  /** Resolves when the program has ended, by itself or by a signal, and all it printed is in {@link output}. */
  async exited(): Promise<Exit> {
    const exit = await waitForExit(this.process);
    const { stdout, stderr } = this.process.child;
    const allRead = (): boolean => [stdout, stderr].every((stream) => stream?.closed ?? true);
    await eventually(allRead, { timeoutMs: OUTPUT_TIMEOUT_MS }).catch(() => undefined); // a grandchild may hold them open
    return exit;
  }

  /** Ends the program with SIGTERM, and with SIGKILL when it has not ended after 10 seconds. */
  async stop(): Promise<Exit> {
    this.signal('SIGTERM');
    const escalation = setTimeout(() => this.signal('SIGKILL'), STOP_TIMEOUT_MS);
    const exit = await this.exited();
    clearTimeout(escalation);
    return exit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
