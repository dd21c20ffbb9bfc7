/** Runs a command to its end and hands back what it printed, or an error that says what it said. */
import { execFile } from 'node:child_process';

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** @default 60_000 */
  readonly timeoutMs?: number;
}

/** @throws {Error} when the command is missing, fails or takes too long; the message ends with its last lines. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { cwd, env = process.env, timeoutMs = 60_000 } = options;
  return new Promise((resolve, reject) => {
    execFile(
      command,
      [...args],
      { cwd, env, timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => {
        if (error) reject(new Error(`${[command, ...args].join(' ')}: ${lastWords(stderr, stdout) || error.message}`));
        else resolve(stdout);
      },
    );
  });
}

function lastWords(...outputs: string[]): string {
  const text = outputs.map((output) => output.trim()).find((output) => output !== '') ?? '';
  return text.split('\n').slice(-4).join(' | ');
}
